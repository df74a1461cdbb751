//===- Reductions.h - how a linalg op folds values into its outputs --------------------===//
#pragma once
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tenon {

/// The op that folds a value into output `index`'s block argument, or null. `value` is what it folds in.
mlir::Operation *getCombiner(mlir::linalg::LinalgOp op, unsigned index, mlir::Value &value);

/// The value that leaves every other unchanged.
mlir::TypedAttr getNeutral(mlir::Operation *combiner);

/// The combiner on two scalars or two vectors.
mlir::Value combine(mlir::OpBuilder &builder, mlir::Operation *combiner, mlir::Value a, mlir::Value b);

/// Folds the lanes of a vector: halves onto halves, so the order is a fixed tree. A scalar is its own fold.
mlir::Value foldLanes(mlir::OpBuilder &builder, mlir::Operation *combiner, mlir::Value vector);

} // namespace tenon
