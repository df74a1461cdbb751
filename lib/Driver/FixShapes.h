//===- FixShapes.h - a Program whose inputs have given shapes -----------------------------------===//
#pragma once
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <map>

namespace tenon {

/// Gives inputs of `main` the shapes that stand for their names (-1 keeps a dim as it is), and with them all dims of
/// the same symbol. What follows from that is left to canonicalization: the inputs' uses see a cast to the type they
/// knew.
llvm::Error fixShapes(mlir::ModuleOp module, const std::map<std::string, std::vector<int64_t>> &shapes);

} // namespace tenon
