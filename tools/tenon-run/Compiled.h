//===- Compiled.h - a compiled model whose kernels are watched -----------------------------------===//
//
// The run time of every compiled model, with a look at each kernel's arguments. Knows neither MLIR nor the evaluator.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon-c/tenon.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tenon {

/// A tensor as compiled models hold it.
struct CompiledTensor {
  std::vector<int64_t> shape;
  std::vector<char> bytes;
};

/// Sees the kernels as they run.
class KernelWatcher {
public:
  virtual ~KernelWatcher() = default;
  /// Kernel `index` of the manifest's `names` is to be run on the argument words of runtime.h; `run` does that. Any
  /// status but TENON_OK ends the model's run.
  virtual int32_t onKernel(const std::vector<std::string> &names, int64_t index, void *const *args,
                           const std::function<int32_t()> &run) = 0;
};

/// Only one may be alive at a time: generated code does not say whose it is.
class CompiledModel {
public:
  /// Loads a shared object, which runs its initializer under the watcher. Null, with `error`, where that fails.
  static std::unique_ptr<CompiledModel> load(const std::string &path, KernelWatcher &watcher, std::string &error);
  virtual ~CompiledModel() = default;
  /// Runs the model on inputs in order; false with `error` where that fails.
  virtual bool run(const std::vector<CompiledTensor> &inputs, std::vector<CompiledTensor> &outputs,
                   std::string &error) = 0;
};

} // namespace tenon
