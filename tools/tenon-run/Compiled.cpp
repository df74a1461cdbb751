//===- Compiled.cpp - a compiled model whose kernels are watched ---------------------------------===//
#include "Compiled.h"
#include "tenon/Runtime/Model.h"

using namespace tenon;
using runtime::Model;
using runtime::Port;

static KernelWatcher *theWatcher = nullptr;

static int32_t watchedDispatch(tenon_call *call, int64_t kernel, tenon_kernel_fn fn, void *const *args, int64_t flops,
                               int64_t bytes) {
  return theWatcher->onKernel(runtime::modelOf(call).kernelNames(), kernel, args,
                              [&] { return runtime::runtimeTable().dispatch(call, kernel, fn, args, flops, bytes); });
}

/// Work items in two halves, the second one first: no kernel may depend on their order.
static void runHalves(void *, int64_t n, void (*body)(void *state, int64_t lo, int64_t hi, int32_t worker),
                      void *state) {
  int64_t half = n / 2;
  body(state, half, n, 1);
  if (half > 0)
    body(state, 0, half, 0);
}

namespace {

class Watched : public CompiledModel {
public:
  explicit Watched(const std::string &path) : model(path, 1, getCallbacks(), getTable()) {}

  bool run(const std::vector<CompiledTensor> &inputs, std::vector<CompiledTensor> &outputs,
           std::string &error) override {
    std::vector<tenon_input> given;
    for (size_t i = 0; i < inputs.size(); ++i) {
      static const char nothing[64] = {};
      given.push_back({inputs[i].bytes.empty() ? nothing : inputs[i].bytes.data(),
                       i < model.inputPorts().size() ? model.inputPorts()[i].dtype : 0,
                       static_cast<int32_t>(inputs[i].shape.size()), inputs[i].shape.data(), nullptr});
    }
    std::vector<tenon_output> results(model.outputPorts().size(), tenon_output{});
    try {
      model.run(given.data(), given.size(), results.data(), results.size());
    } catch (const std::exception &problem) {
      error = problem.what();
      return false;
    }
    outputs.clear();
    for (tenon_output &result : results) {
      size_t count = 1;
      for (int32_t dim = 0; dim < result.rank; ++dim)
        count *= result.shape[dim];
      auto *bytes = static_cast<const char *>(result.data);
      outputs.push_back({{result.shape, result.shape + result.rank},
                         {bytes, bytes + (count * tenon_dtype_bits(result.dtype) + 7) / 8}});
      if (result.owned)
        model.release(result.data);
    }
    return true;
  }

private:
  static const tenon_callbacks *getCallbacks() {
    static const tenon_callbacks callbacks = [] {
      tenon_callbacks made{};
      made.struct_size = sizeof(made);
      made.parallel_for = runHalves;
      made.workers = 2;
      return made;
    }();
    return &callbacks;
  }

  static const tenon_rt_api &getTable() {
    static const tenon_rt_api table = [] {
      tenon_rt_api made = runtime::runtimeTable();
      made.dispatch = watchedDispatch;
      return made;
    }();
    return table;
  }

  Model model;
};

} // namespace

std::unique_ptr<CompiledModel> CompiledModel::load(const std::string &path, KernelWatcher &watcher,
                                                   std::string &error) {
  theWatcher = &watcher;
  try {
    return std::make_unique<Watched>(path);
  } catch (const std::exception &problem) {
    error = problem.what();
    return nullptr;
  }
}
