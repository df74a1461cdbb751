//===- InitProgram.h - the function that makes weights from weights ------------------------===//
#pragma once
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tenon {
class WeightOp;

/// The module's initializer, made empty where there is none.
mlir::func::FuncOp getOrCreateInit(mlir::ModuleOp module);

/// Returns `value` from `init`, last, and declares it as a weight "from init:". Its type is static.
WeightOp addInitResult(mlir::func::FuncOp init, mlir::Value value, mlir::SymbolTable &symbols);

/// Drops the initializer's results that nothing loads, and the work on them.
void dropUnusedInitResults(mlir::ModuleOp module);

} // namespace tenon
