//===- ModelHandle.h - what tenon_model is ----------------------------------------------------===//
#pragma once
#include "tenon/Runtime/Specializer.h"

struct tenon_model {
  tenon::runtime::Model model;

  /// The one that counts runs, or null. Runs may be inside of any there ever was: none ends before the model.
  std::atomic<tenon::runtime::Specializer *> specializer{nullptr};
  std::mutex lock; ///< guards the list
  std::vector<std::unique_ptr<tenon::runtime::Specializer>> specializers;
};
