//===- Scalar.cpp - scalar arithmetic that folds ----------------------------------===//
//
// See Scalar.h. No knowledge of ONNX operators here.
//
//===----------------------------------------------------------------------===//
#include "Scalar.h"
#include "tenon/Dialect/IR/Tenon.h"

using namespace mlir;
using namespace tenon::onnx;

Value Scalar::constant(Type type, double value) {
  if (auto f = dyn_cast<FloatType>(type)) {
    APFloat real(value);
    bool lossy;
    real.convert(f.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lossy);
    return arith::ConstantOp::create(b, FloatAttr::get(f, real));
  }
  return intConst(type, static_cast<int64_t>(value));
}
Value Scalar::intConst(Type type, int64_t value) {
  if (isa<FloatType>(type))
    return constant(type, static_cast<double>(value));
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  return arith::ConstantOp::create(b, IntegerAttr::get(type, APInt(width, value, true, true)));
}

Value Scalar::add(Value x, Value y) { return isFloat(x) ? op<arith::AddFOp>(x, y) : op<arith::AddIOp>(x, y); }
Value Scalar::sub(Value x, Value y) { return isFloat(x) ? op<arith::SubFOp>(x, y) : op<arith::SubIOp>(x, y); }
Value Scalar::mul(Value x, Value y) { return isFloat(x) ? op<arith::MulFOp>(x, y) : op<arith::MulIOp>(x, y); }

Value Scalar::div(Value x, Value y) {
  if (isFloat(x))
    return op<arith::DivFOp>(x, y);
  Value zero = constLike(y, 0), one = constLike(y, 1);
  Value safe = select(eq(y, zero), one, y);
  if (isUnsigned)
    return op<arith::DivUIOp>(x, safe);
  // The smallest integer by -1 overflows: negate instead, which wraps.
  Value minusOne = constLike(y, -1);
  Value negative = eq(safe, minusOne);
  return select(negative, sub(zero, x), op<arith::DivSIOp>(x, select(negative, one, safe)));
}
Value Scalar::rem(Value x, Value y) {
  if (isFloat(x))
    return op<arith::RemFOp>(x, y);
  Value zero = constLike(y, 0), one = constLike(y, 1);
  Value safe = select(eq(y, zero), one, y);
  if (isUnsigned)
    return op<arith::RemUIOp>(x, safe);
  return op<arith::RemSIOp>(x, select(eq(safe, constLike(y, -1)), one, safe));
}
Value Scalar::expNonpositive(Value x) {
  Value power = exp(x);
  if (auto op = power.getDefiningOp<math::ExpOp>())
    op->setAttr(tenon::kNonpositiveAttr, b.getUnitAttr());
  return power;
}
Value Scalar::max(Value x, Value y) {
  if (isFloat(x))
    return op<arith::MaximumFOp>(x, y);
  return isUnsigned ? op<arith::MaxUIOp>(x, y) : op<arith::MaxSIOp>(x, y);
}
Value Scalar::min(Value x, Value y) {
  if (isFloat(x))
    return op<arith::MinimumFOp>(x, y);
  return isUnsigned ? op<arith::MinUIOp>(x, y) : op<arith::MinSIOp>(x, y);
}
Value Scalar::neg(Value x) { return isFloat(x) ? op<arith::NegFOp>(x) : sub(constLike(x, 0), x); }
Value Scalar::abs(Value x) {
  if (isFloat(x))
    return op<math::AbsFOp>(x);
  return isUnsigned ? x : select(lt(x, constLike(x, 0)), neg(x), x);
}
Value Scalar::logicalNot(Value x) { return op<arith::XOrIOp>(x, constLike(x, 1)); }
Value Scalar::eq(Value x, Value y) {
  return isFloat(x) ? op<arith::CmpFOp>(FP::OEQ, x, y) : op<arith::CmpIOp>(IP::eq, x, y);
}
Value Scalar::ne(Value x, Value y) {
  return isFloat(x) ? op<arith::CmpFOp>(FP::UNE, x, y) : op<arith::CmpIOp>(IP::ne, x, y);
}
Value Scalar::lt(Value x, Value y) {
  if (isFloat(x))
    return op<arith::CmpFOp>(FP::OLT, x, y);
  return op<arith::CmpIOp>(isUnsigned || x.getType().isInteger(1) ? IP::ult : IP::slt, x, y);
}
Value Scalar::le(Value x, Value y) {
  if (isFloat(x))
    return op<arith::CmpFOp>(FP::OLE, x, y);
  return op<arith::CmpIOp>(isUnsigned || x.getType().isInteger(1) ? IP::ule : IP::sle, x, y);
}
Value Scalar::isNaN(Value x) { return op<arith::CmpFOp>(FP::UNO, x, x); }

Value Scalar::sigmoid(Value x) {
  Value one = constLike(x, 1);
  return div(one, add(one, exp(neg(x))));
}
Value Scalar::softplus(Value x) {
  // max(x, 0) + log1p(exp(-|x|)) does not overflow.
  return add(max(x, constLike(x, 0)), log1p(exp(neg(abs(x)))));
}

Value Scalar::fromIndex(Value i, Type type) {
  if (type.isIndex())
    return i;
  if (isa<FloatType>(type))
    return cast(op<arith::IndexCastOp>(b.getI64Type(), i), false, type, false);
  return op<arith::IndexCastOp>(type, i);
}
Value Scalar::toIndex(Value x) {
  if (x.getType().isIndex())
    return x;
  // A size that became an element and comes back is the same value: equal sizes must stay recognizable.
  Value source = x;
  while (Operation *def = source.getDefiningOp()) {
    if (isa<arith::ExtSIOp>(def) || (isa<arith::TruncIOp>(def) && source.getType().getIntOrFloatBitWidth() >= 32))
      source = def->getOperand(0);
    else
      break;
  }
  if (auto cast = source.getDefiningOp<arith::IndexCastOp>(); cast && cast.getIn().getType().isIndex())
    return cast.getIn();
  return isUnsigned ? op<arith::IndexCastUIOp>(b.getIndexType(), x) : op<arith::IndexCastOp>(b.getIndexType(), x);
}

Value Scalar::cast(Value x, bool fromUnsigned, Type to, bool toUnsigned, bool saturate) {
  Type from = x.getType();
  if (from == to)
    return x;
  auto fromFloat = dyn_cast<FloatType>(from), toFloat = dyn_cast<FloatType>(to);
  bool fromBool = from.isInteger(1);
  if (to.isInteger(1)) {
    if (fromFloat && fromFloat.getWidth() < 32)
      x = op<arith::ExtFOp>(b.getF32Type(), x);
    return ne(x, constLike(x, 0));
  }
  if (fromFloat && toFloat) {
    if (fromFloat.getWidth() < 32) {
      Value wide = op<arith::ExtFOp>(b.getF32Type(), x);
      return toFloat.getWidth() == 32 ? wide : cast(wide, fromUnsigned, to, toUnsigned, saturate);
    }
    if (toFloat.getWidth() > fromFloat.getWidth())
      return op<arith::ExtFOp>(to, x);
    if (toFloat.getWidth() == 8 || toFloat.getWidth() == 4) {
      if (fromFloat.getWidth() == 64) // one rounding to f32 first; 8-bit formats are far coarser
        x = op<arith::TruncFOp>(b.getF32Type(), x);
      const llvm::fltSemantics &semantics = toFloat.getFloatSemantics();
      if ((saturate || toFloat.getWidth() == 4) && !isa<Float8E8M0FNUType>(to)) {
        // Values beyond the largest finite one become it; NaN stays (4-bit floats have none: it becomes 0).
        APFloat largest = APFloat::getLargest(semantics);
        double limit = largest.convertToDouble();
        Value high = constLike(x, limit), low = constLike(x, -limit);
        x = select(gt(x, high), high, select(lt(x, low), low, x));
        if (toFloat.getWidth() == 4)
          x = select(isNaN(x), constLike(x, 0), x);
      }
      return op<arith::TruncFOp>(to, x);
    }
    return op<arith::TruncFOp>(to, x);
  }
  if (fromFloat) {
    if (fromFloat.getWidth() < 32)
      return cast(op<arith::ExtFOp>(b.getF32Type(), x), fromUnsigned, to, toUnsigned, saturate);
    if (to.getIntOrFloatBitWidth() < 8) // the suite's cases keep the low bits
      return op<arith::TruncIOp>(to, cast(x, fromUnsigned, b.getI32Type(), false, saturate));
    // Saturate by comparisons in the source type: 2^(n-1) and 2^n are exact there.
    unsigned width = to.getIntOrFloatBitWidth();
    Type work = width < 32 ? Type(b.getIntegerType(32)) : to;
    double highest = std::ldexp(1.0, toUnsigned ? width : width - 1), lowest = toUnsigned ? 0 : -highest;
    APInt maxInt = toUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
    APInt minInt = toUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width);
    unsigned workWidth = work.getIntOrFloatBitWidth();
    auto bound = [&](const APInt &v) -> Value {
      return arith::ConstantOp::create(b, IntegerAttr::get(work, toUnsigned ? v.zext(workWidth) : v.sext(workWidth)));
    };
    Value tooHigh = ge(x, constLike(x, highest)), tooLow = op<arith::CmpFOp>(FP::OLE, x, constLike(x, lowest));
    Value nan = isNaN(x);
    Value bad = op<arith::OrIOp>(op<arith::OrIOp>(tooHigh, tooLow), nan);
    Value safe = select(bad, constLike(x, 0), x);
    bool asUnsigned = toUnsigned && width >= 32;
    Value converted = asUnsigned ? op<arith::FPToUIOp>(work, safe) : op<arith::FPToSIOp>(work, safe);
    Value result = select(tooHigh, bound(maxInt), select(tooLow, bound(minInt), converted));
    return work == to ? result : op<arith::TruncIOp>(to, result);
  }
  if (toFloat) {
    Type wide = toFloat.getWidth() < 32 ? Type(b.getF32Type()) : to;
    unsigned width = from.getIntOrFloatBitWidth();
    if (width < 32) {
      x = fromUnsigned || fromBool ? op<arith::ExtUIOp>(b.getI32Type(), x) : op<arith::ExtSIOp>(b.getI32Type(), x);
      fromUnsigned = false;
    }
    Value real = fromUnsigned ? op<arith::UIToFPOp>(wide, x) : op<arith::SIToFPOp>(wide, x);
    return cast(real, false, to, false, saturate);
  }
  unsigned fromWidth = from.getIntOrFloatBitWidth(), toWidth = to.getIntOrFloatBitWidth();
  if (toWidth == fromWidth)
    return x;
  if (toWidth < fromWidth)
    return op<arith::TruncIOp>(to, x);
  return fromUnsigned || fromBool ? op<arith::ExtUIOp>(to, x) : op<arith::ExtSIOp>(to, x);
}
