//===- Model.h - a compiled model, loaded -----------------------------------------------===//
//
// Needs neither LLVM nor MLIR: shared object, manifest, weights, runs.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon-c/tenon.h"
#include "tenon/Runtime/ThreadPool.h"
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

struct tenon_call;

namespace tenon::runtime {

class Blocks;
class Constants;

/// The functions that generated code reaches.
const tenon_rt_api &runtimeTable();

/// An error with its TENON_E... code; never leaves the C functions.
struct Error : std::runtime_error {
  Error(int32_t code, const std::string &message) : std::runtime_error(message), code(code) {}
  int32_t code;
};

/// One dim of an input or output: a size, a symbol, or neither.
struct Dim {
  int64_t size = -1;
  std::string symbol;
};

struct Port {
  std::string name;
  int32_t dtype = 0;
  std::vector<Dim> shape;
  int32_t donated = -1; ///< of an input: the output that takes over its memory
};

/// Sums of one kernel while profiling is on.
struct KernelProfile {
  std::string name, nodes;
  int64_t calls = 0, nanoseconds = 0, flops = 0, bytes = 0;
};

class Model {
public:
  /// Throws Error. `functions` must outlive the model; tools put their own between it and those of runtimeTable().
  Model(const std::string &path, int threads, const tenon_callbacks *callbacks,
        const tenon_rt_api &functions = runtimeTable());
  /// A copy of `original`, compiled for fixed shapes: it runs with that one's threads, memory and callbacks, so that
  /// what either allocates may be released by the other. Throws Error, also where `path` is of another model.
  Model(const std::string &path, const Model &original);
  ~Model();
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;

  /// Throws Error.
  void run(const tenon_input *inputs, int32_t inputCount, tenon_output *outputs, int32_t outputCount);

  const std::string &manifestText() const { return manifest; }
  int workers() const;
  /// `backward` is a wish: a caller's own pool is not told.
  void parallelFor(int64_t n, ThreadPool::Body body, void *state, bool backward);
  void *allocate(size_t bytes);
  void release(void *memory);
  /// Memory that callers never see: their callbacks are not asked.
  Blocks &blocks() { return *memory; }

  const void *weight(int64_t index) const { return weights[index].data; }
  /// Memory for constant `index` of tenon_model_init; null for one that nothing reads.
  void *constant(int64_t index);
  /// Gives back the memory of what is in files: while constants are computed, most is touched once. What is touched
  /// again is found in the system's cache of the file.
  void dropPages();
  const std::vector<Port> &inputPorts() const { return inputs; }
  const std::vector<Port> &outputPorts() const { return outputs; }
  /// Whether a dim of some input is known only once it runs.
  bool hasOpenDims() const;
  /// The kernels of the manifest.
  std::vector<std::string> kernelNames() const;

  bool profiling() const { return profileOn; }
  void setProfiling(bool on);
  void addProfile(int64_t kernel, int64_t nanoseconds, int64_t flops, int64_t bytes);
  std::vector<KernelProfile> profile();

private:
  struct Weight {
    const void *data = nullptr;
    int64_t constant = -1; ///< result of tenon_model_init that it is, or -1
    size_t length = 0;
  };
  /// Where the manifest says that a weight is.
  struct WeightPlace {
    std::string name, archive;
    int64_t offset, length;
  };
  struct Mapping {
    std::string path, stamp; ///< the latter stampFile when it was mapped
    void *data = nullptr;
    size_t bytes = 0;
  };

  /// A file of weights as the compiler saw it: stampFile and hashFile.
  struct Archive {
    std::string stamp, hash;
  };

  /// Opens `path`; `prepare` runs once the manifest is there and before any code of the model.
  void load(const std::string &path, const std::function<void()> &prepare);
  void checkCopy(const Model &original) const;
  void parseManifest();
  void mapWeights(const std::string &directory);
  void computeConstants(const std::string &directory);
  const Mapping &mapFile(const std::string &path);
  void checkInputs(const tenon_input *given, int32_t count, std::vector<std::vector<char>> &packed,
                   std::vector<void *> &words);
  std::unique_ptr<tenon_call> takeCall();

  std::shared_ptr<Blocks> memory; ///< outlives the calls, which give theirs back
  void *library = nullptr;
  std::string manifest;
  std::vector<Port> inputs, outputs;
  std::vector<WeightPlace> places;
  std::map<std::string, Archive> archives; ///< by absolute path
  std::string sidecar;                     ///< what the weights beside the shared object end with
  std::vector<Weight> weights;
  std::vector<Mapping> mappings;
  std::unique_ptr<Constants> constants;
  std::string constantsFile; ///< where they may be kept, beside the shared object; or ""
  tenon_kernel_fn entry = nullptr, init = nullptr;
  tenon_callbacks callbacks{};
  std::shared_ptr<ThreadPool> pool; ///< none with callbacks, and until a copy is loaded
  const tenon_rt_api &functions;
  std::mutex lock; // guards idle calls and the profile
  std::vector<std::unique_ptr<tenon_call>> idle;
  std::vector<KernelProfile> kernels;
  std::atomic<bool> profileOn{false};
};

/// The model that a call runs.
const Model &modelOf(const tenon_call *call);

/// "[1, 3, N, 224]"
std::string formatShape(const int64_t *shape, int rank);

} // namespace tenon::runtime
