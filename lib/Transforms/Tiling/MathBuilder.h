//===- MathBuilder.h - formulas on scalars or vectors, written as formulas ------------===//
#pragma once
#include "MathFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace tenon {

class MathBuilder {
public:
  using V = mlir::Value;
  /// Formulas on values of `type`'s shape, with the given float element, for `target`, which may be null.
  MathBuilder(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type, TargetAttr target = nullptr)
      : b(builder), loc(loc), type(type), element(mlir::getElementTypeOrSelf(type)) {
    bits = element.getIntOrFloatBitWidth();
    integer = withElement(type, b.getIntegerType(bits));
    auto vector = mlir::dyn_cast<mlir::VectorType>(type);
    scalesInOne = target && target.getTriple().starts_with("x86_64") && target.getVectorBits() == 512 && vector &&
                  vector.getRank() == 1 && vector.getDimSize(0) * bits == 512;
  }

  V splat(mlir::TypedAttr value, mlir::Type shaped) {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(shaped))
      return mlir::arith::ConstantOp::create(b, loc, mlir::DenseElementsAttr::get(vector, mlir::Attribute(value)));
    return mlir::arith::ConstantOp::create(b, loc, value);
  }
  V c(double value) { return splat(b.getFloatAttr(element, value), type); }
  V i(int64_t value) {
    return splat(b.getIntegerAttr(b.getIntegerType(bits), llvm::APInt(bits, value, true, true)), integer);
  }

  V add(V x, V y) { return mlir::arith::AddFOp::create(b, loc, x, y); }
  V sub(V x, V y) { return mlir::arith::SubFOp::create(b, loc, x, y); }
  V mul(V x, V y) { return mlir::arith::MulFOp::create(b, loc, x, y); }
  V div(V x, V y) { return mlir::arith::DivFOp::create(b, loc, x, y); }
  V fma(V x, V y, V z) { return mlir::math::FmaOp::create(b, loc, x, y, z); }
  V neg(V x) { return mlir::arith::NegFOp::create(b, loc, x); }
  V abs(V x) { return mlir::math::AbsFOp::create(b, loc, x); }
  V sqrt(V x) { return mlir::math::SqrtOp::create(b, loc, x); }
  V floor(V x) { return mlir::math::FloorOp::create(b, loc, x); }
  V round(V x) { return mlir::math::RoundEvenOp::create(b, loc, x); }
  V copySign(V x, V sign) { return mlir::math::CopySignOp::create(b, loc, x, sign); }
  V select(V mask, V x, V y) { return mlir::arith::SelectOp::create(b, loc, mask, x, y); }
  V compare(mlir::arith::CmpFPredicate predicate, V x, V y) {
    return mlir::arith::CmpFOp::create(b, loc, predicate, x, y);
  }
  V less(V x, V y) { return compare(mlir::arith::CmpFPredicate::OLT, x, y); }
  V equal(V x, V y) { return compare(mlir::arith::CmpFPredicate::OEQ, x, y); }
  V isNaN(V x) { return compare(mlir::arith::CmpFPredicate::UNO, x, x); }
  V land(V x, V y) { return mlir::arith::AndIOp::create(b, loc, x, y); }
  V lor(V x, V y) { return mlir::arith::OrIOp::create(b, loc, x, y); }
  /// The smaller (larger) of both; the bound where x is NaN.
  V atMost(V x, V bound) { return select(less(x, bound), x, bound); }
  V atLeast(V x, V bound) { return select(less(bound, x), x, bound); }

  /// The smaller (larger) of both; x where it is NaN.
  V boundAbove(V bound, V x) { return select(less(bound, x), bound, x); }
  V boundBelow(V bound, V x) { return select(less(x, bound), bound, x); }

  V iadd(V x, V y) { return mlir::arith::AddIOp::create(b, loc, x, y); }
  V isub(V x, V y) { return mlir::arith::SubIOp::create(b, loc, x, y); }
  V shl(V x, int64_t by) { return mlir::arith::ShLIOp::create(b, loc, x, i(by)); }
  V shrs(V x, int64_t by) { return mlir::arith::ShRSIOp::create(b, loc, x, i(by)); }
  V asInteger(V x) { return mlir::arith::BitcastOp::create(b, loc, integer, x); }
  V asFloat(V x) { return mlir::arith::BitcastOp::create(b, loc, type, x); }

  /// coefficients[0] + x * (coefficients[1] + ...).
  V polynomial(V x, llvm::ArrayRef<double> coefficients) {
    V sum = c(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, c(coefficient));
    return sum;
  }
  bool isDouble() const { return bits == 64; }
  int64_t mantissaBits() const { return bits == 64 ? 52 : 23; }
  int64_t bias() const { return bits == 64 ? 1023 : 127; }

  /// 1.5 * 2^mantissa and twice the bias: what is added to it is rounded to an integer, which is what its bits grow by.
  V scaleShift() { return c(getShift() + 2 * bias()); }

  /// x * 2^n for an integral float n, rounded once; `shifted` is n + scaleShift(). n reaches what makes denormals
  /// and infinity of an x near 1.
  V scale(V x, V n, V shifted) {
    if (scalesInOne)
      return scaleLanes(x, n, {});
    // As a product of two powers, to reach both ends: 2^half, and what is left.
    V half = fma(n, c(0.5), c(getShift() + bias()));
    V rest = isub(asInteger(shifted), asInteger(half));
    return mul(mul(x, powerOf(half)), asFloat(shl(rest, mantissaBits())));
  }

  /// The same, but so that the sum's low bits are the exponent field of 2^(n + kDown).
  V powerShift() { return c(getShift() + bias() + kDown); }

  /// x * 2^n, rounded once, and 0 where `isZero`, for an x near 1 and an integral float n of at most 0 that elsewhere
  /// makes denormals at least; `shifted` is n + powerShift().
  V scaleDown(V x, V n, V shifted, V isZero) {
    if (scalesInOne)
      return scaleLanes(x, n, isZero);
    V scaled = select(isZero, c(0.0), mul(x, powerOf(shifted)));
    return mul(scaled, c(0x1p-64));
  }

private:
  static constexpr double kDown = 64;
  double getShift() const { return bits == 64 ? 6755399441055744.0 : 12582912.0; }
  /// The float whose exponent field is in the low bits of `field`.
  V powerOf(V field) { return asFloat(shl(asInteger(field), mantissaBits())); }

  /// x * 2^n in one instruction; 0 in the lanes of `isZero`, where it is given.
  V scaleLanes(V x, V n, V isZero) {
    auto vector = mlir::cast<mlir::VectorType>(type);
    mlir::Type word = b.getIntegerType(vector.getDimSize(0));
    V lanes = splat(b.getIntegerAttr(word, -1), word), otherwise = x;
    if (isZero) {
      V others =
          mlir::arith::XOrIOp::create(b, loc, isZero, splat(b.getBoolAttr(true), withElement(type, b.getI1Type())));
      lanes = mlir::LLVM::BitcastOp::create(b, loc, word, others);
      otherwise = c(0.0);
    }
    V rounding = splat(b.getI32IntegerAttr(4), b.getI32Type()); // as the processor is set
    auto name =
        b.getStringAttr(bits == 64 ? "llvm.x86.avx512.mask.scalef.pd.512" : "llvm.x86.avx512.mask.scalef.ps.512");
    return mlir::LLVM::CallIntrinsicOp::create(b, loc, type, name, mlir::ValueRange{x, n, otherwise, lanes, rounding})
        .getResult(0);
  }

public:
  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Type type, element, integer;
  unsigned bits;
  bool scalesInOne; ///< there is an instruction for `scale`
};

} // namespace tenon
