//===- Call.h - one run of a model: what tenon_call is ------------------------------------===//
#pragma once
#include "tenon-c/tenon.h"
#include "tenon/Runtime/Model.h"
#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

/// Memory, errors and outputs of one run. Kept between runs, so that a repeated run allocates nothing.
struct tenon_call {
  explicit tenon_call(tenon::runtime::Model &model) : model(model), scratch(model.workers()) {}
  ~tenon_call();

  /// Forgets the last run's errors and run-time memory; keeps arena and scratch.
  void reset();
  int32_t fail(int32_t code, const std::string &message);

  tenon::runtime::Model &model;
  tenon_output *outputs = nullptr;
  bool computesConstants = false;     ///< its outputs are the model's constants
  tenon_range_fn lastRange = nullptr; ///< of this run's last kernel with several items
  int repeats = 0;                    ///< how often in a row it has run before that

  std::atomic<int32_t> status{TENON_OK};
  std::mutex errorLock;
  std::string message;

  struct Memory {
    void *data = nullptr;
    size_t bytes = 0;
  };
  Memory arena;
  std::vector<Memory> scratch; ///< one per worker
  std::unordered_map<void *, size_t> blocks;
};
