//===- Compile.h - from a model to a shared object ------------------------------------===//
//
// The one entry to the compiler for tools, the C API and Python. Everything after this header's `compile` needs only
// the Runtime.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Schedule/SummaryOptions.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tenon {

/// Where kernel objects are kept between compiles; may be called from several threads.
class ObjectCache {
public:
  virtual ~ObjectCache() = default;
  virtual std::optional<std::string> lookup(const std::string &key) = 0;
  virtual void store(const std::string &key, const std::string &object) = 0;
};

struct CompileRequest {
  /// A .onnx or .mlir file. With `bytes`, only the base of relative external data and the name in messages.
  std::string path;
  /// The model itself; nullopt: read `path`.
  std::optional<llvm::StringRef> bytes;
  /// "host" or a name of the target table, such as "x86-64-v3".
  std::string target = "host";
  /// Fixed shapes of inputs by name; -1 keeps a dim dynamic.
  std::map<std::string, std::vector<int64_t>> shapes;
  /// Where the shared object is written. Weights that are not contiguous in the model's file are written to
  /// `output` + ".weights"; with `selfContained`, all are.
  std::string output;
  bool selfContained = false;
  /// Threads that compile kernels; 0: one per available core.
  unsigned threads = 0;
  /// Whether ops may share a kernel; false: one kernel per op, to see what fusion is worth, or whether it is at fault.
  bool fusion = true;
  /// The exactness class: "reorder", or "fast" for results within an error bound.
  std::string precision = "reorder";
  /// Schedules by names of kernels or nodes, as text: "#tenon.schedule<...>".
  std::map<std::string, std::string> schedules;
  /// What the manifest is to say of the schedules that each kernel may have.
  std::optional<SummaryOptions> spaces;
  /// Whether sums are added up in the order in which the same model with open dims adds them, so that results have the
  /// same bits: of a copy for fixed shapes.
  bool sumsAsOpen = false;
  /// How much LLVM optimises (CodeGenOptions).
  unsigned level = 2;
  ObjectCache *cache = nullptr;
  /// Which compiler and interface this is: a part of the kernels' keys.
  std::string identity;
  /// The model's constants may be kept beside `output`, in a file that the manifest names, once they are computed.
  bool keepConstants = false;
  /// Called with (stage, done, total), from any thread, one at a time; false ends the compile.
  std::function<bool(const std::string &, int64_t, int64_t)> progress;
  /// Whether to time every pass.
  bool timing = false;
  /// When set, the IR after each stage is written there.
  std::string dumpDirectory;
};

struct CompileReply {
  int64_t kernels = 0, compiledKernels = 0;
  /// Files other than the model that were read, or that the model reads when it is loaded: path and stampFile.
  std::map<std::string, std::string> outside;
  /// Seconds per stage, in order.
  std::vector<std::pair<std::string, double>> seconds;
  /// The table of passes by time, when asked for. Kernels are timed on their threads: sums may exceed the wall clock.
  std::string timing;
};

/// Compiles a model. Errors are complete sentences for the user, one line per problem, with the node's name. Their code
/// is std::errc::operation_canceled when `progress` ended the compile, another of the generic category when `output`
/// cannot be written, and else none.
llvm::Expected<CompileReply> compile(const CompileRequest &request);

} // namespace tenon
