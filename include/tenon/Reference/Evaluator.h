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
#include <string>

namespace tenon::reference {

struct EvaluateOptions {
  /// Bytes of the weights whose archive is "mem:<key>".
  const std::map<std::string, std::vector<char>> *blobs = nullptr;
  /// Called with each dispatch's kernel and results, in the order of execution.
  std::function<void(llvm::StringRef kernel, llvm::ArrayRef<Tensor> results)> onDispatch;
};

/// Runs the function `name` of the module. Bad input, an unsupported op, a failed check (cf.assert), an index out of
/// bounds or a division by zero is a diagnostic at the op's location and failure, never a crash.
llvm::FailureOr<llvm::SmallVector<Tensor>> evaluate(mlir::ModuleOp module, llvm::StringRef name,
                                                    llvm::ArrayRef<Tensor> inputs, const EvaluateOptions &options);

} // namespace tenon::reference
