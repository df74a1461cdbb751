//===- Scalar.h - scalar arithmetic that folds ------------------------------------===//
//
// Builds the bodies of structured ops, and computes known elements while importing: each operation is folded where its
// operands are constants. Integer operations are signed unless `isUnsigned`.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tenon::onnx {

class Scalar {
public:
  using Value = mlir::Value;
  using FP = mlir::arith::CmpFPredicate;
  using IP = mlir::arith::CmpIPredicate;
  Scalar(mlir::ImplicitLocOpBuilder &b, bool isUnsigned) : b(b), isUnsigned(isUnsigned) {}
  mlir::ImplicitLocOpBuilder &b;
  bool isUnsigned;

  static bool isFloat(Value v) { return llvm::isa<mlir::FloatType>(v.getType()); }
  Value constant(mlir::Type type, double value);
  Value constLike(Value v, double value) { return constant(v.getType(), value); }
  Value intConst(mlir::Type type, int64_t value);
  template <typename Op, typename... Args> Value op(Args &&...args) {
    return b.createOrFold<Op>(std::forward<Args>(args)...);
  }

  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  /// Integers: truncated division of guarded operands; no trap for a zero or overflowing divisor.
  Value div(Value x, Value y);
  /// Integers: remainder of the sign of x; floats: fmod.
  Value rem(Value x, Value y);
  /// NaN if an operand is NaN.
  Value max(Value x, Value y);
  Value min(Value x, Value y);
  Value neg(Value x);
  Value abs(Value x);
  Value select(Value c, Value x, Value y) { return op<mlir::arith::SelectOp>(c, x, y); }
  Value logicalNot(Value x);
  /// Ordered comparisons ("ne" is unordered, as IEEE has it).
  Value eq(Value x, Value y);
  Value ne(Value x, Value y);
  Value lt(Value x, Value y);
  Value le(Value x, Value y);
  Value gt(Value x, Value y) { return lt(y, x); }
  Value ge(Value x, Value y) { return le(y, x); }
  Value isNaN(Value x);

  Value exp(Value x) { return op<mlir::math::ExpOp>(x); }
  /// e^x of an x that is at most 0, or NaN.
  Value expNonpositive(Value x);
  Value log(Value x) { return op<mlir::math::LogOp>(x); }
  Value log1p(Value x) { return op<mlir::math::Log1pOp>(x); }
  Value sqrt(Value x) { return op<mlir::math::SqrtOp>(x); }
  Value tanh(Value x) { return op<mlir::math::TanhOp>(x); }
  Value erf(Value x) { return op<mlir::math::ErfOp>(x); }
  Value floor(Value x) { return op<mlir::math::FloorOp>(x); }
  Value ceil(Value x) { return op<mlir::math::CeilOp>(x); }
  Value roundEven(Value x) { return op<mlir::math::RoundEvenOp>(x); }
  Value pow(Value x, Value y) { return op<mlir::math::PowFOp>(x, y); }
  Value sigmoid(Value x);
  Value softplus(Value x);

  /// Conversion of ONNX Cast: floats to integers saturate, NaN becomes 0; narrow floats saturate if asked.
  /// `fromUnsigned` and `toUnsigned` give the meaning of integers; i1 is a boolean.
  Value cast(Value x, bool fromUnsigned, mlir::Type to, bool toUnsigned, bool saturate = true);
  /// Index to an element of a type, and back (signed).
  Value fromIndex(Value i, mlir::Type type);
  Value toIndex(Value x);
};

} // namespace tenon::onnx
