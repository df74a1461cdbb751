//===- Extremes.h - maxima and minima that keep NaN, in few instructions ------------===//
#pragma once
#include "mlir/IR/Builders.h"

namespace tenon {

/// The value of an arith.maximumf or arith.minimumf and of all of its kind that only it reads; null for other ops, and
/// for one that is part of such a chain.
mlir::Value expandExtreme(mlir::OpBuilder &builder, mlir::Operation *op);

} // namespace tenon
