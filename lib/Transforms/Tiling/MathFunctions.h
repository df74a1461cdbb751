//===- MathFunctions.h - transcendental functions as arithmetic ----------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

namespace tenon {

/// Expands a math op of one result whose operands are f32 or f64 (or vectors of these). Null where no expansion is
/// known or needed. f32: exp, exp2, tanh and erf in f32, the rest through f64 and so within 1 ulp; f64: a few ulp, pow
/// more for large exponents. `target` may be null: then with nothing but arithmetic. `fast`: exp and exp2 of f32 within
/// a relative error of 5e-6.
mlir::Value expandMathOp(mlir::OpBuilder &builder, mlir::Operation *op, mlir::ValueRange operands, TargetAttr target,
                         bool fast);

/// Conversions with floats that the target cannot convert itself. `type` is the result type.
mlir::Value extendFloat(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type type);
mlir::Value truncateFloat(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type type);

/// `element` in the shape (scalar or vector) of `like`.
mlir::Type withElement(mlir::Type like, mlir::Type element);

} // namespace tenon
