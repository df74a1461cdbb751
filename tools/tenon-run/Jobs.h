//===- Jobs.h - a model, its inputs, and where the outputs go ------------------------------------===//
#pragma once
#include "tenon/Reference/Evaluator.h"

#include <map>
#include <string>
#include <vector>

namespace tenon {

/// One run of a model on the reference evaluator.
struct Job {
  std::string model;
  /// Input name, or its number, to a .npy file; inputs without one are drawn from `seed`.
  std::map<std::string, std::string> inputs;
  /// Outputs are written as `prefix` + name + ".npy"; nothing is written where it is empty.
  std::string prefix;
  unsigned seed = 0;
  /// The size that drawn inputs get for dims the model leaves open.
  int64_t openSize = 2;
  /// Print a line per dispatched kernel.
  bool trace = false;
  /// Print nothing.
  bool quiet = false;
  /// The function to run.
  std::string entry = "main";
};

/// Runs a job; prints names, types and values of the outputs to standard output. Returns what went wrong, or "".
std::string runJob(const Job &job);

} // namespace tenon
