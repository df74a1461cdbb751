//===- Evaluator.h - runs a Program as its ops' specs say --------------------------------===//
//
// The plain, slow meaning of Programs, kernels included, that compiled code is compared with.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Reference/Tensor.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace tenon::reference {

/// The value of an SSA value: a scalar, or a tensor.
struct Datum {
  Scalar scalar = {.i = 0};
  std::optional<Tensor> tensor;

  Datum() = default;
  Datum(Scalar scalar) : scalar(scalar) {}
  Datum(Tensor tensor) : tensor(std::move(tensor)) {}
};

struct EvaluateOptions {
  /// Bytes of the weights whose archive is "mem:<key>".
  const std::map<std::string, std::vector<char>> *blobs = nullptr;
  /// Called after each tenon.dispatch, in the order of execution.
  std::function<void(mlir::Operation *dispatch, llvm::ArrayRef<Datum> operands, llvm::ArrayRef<Tensor> results)>
      onDispatch;
  /// How often the bodies of all loops together may run, so that a loop that does not end is an error.
  int64_t maxSteps = 10'000'000;
};

/// Runs the function `name` of the module. Bad input, an unsupported op, a failed check (cf.assert), an index out of
/// bounds or a division by zero is a diagnostic at the op's location and failure, never a crash.
llvm::FailureOr<llvm::SmallVector<Tensor>> evaluate(mlir::ModuleOp module, llvm::StringRef name,
                                                    llvm::ArrayRef<Tensor> inputs, const EvaluateOptions &options);

} // namespace tenon::reference
