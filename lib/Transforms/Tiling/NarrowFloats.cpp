//===- NarrowFloats.cpp - f16, bf16, f8, f6 and f4 from and to wider floats ------------===//
//
// Conversions in integer arithmetic, rounding to nearest even, with the results of APFloat: f8 types without infinities
// become NaN where the value is too large; f6 and f4 types, which have no NaN, saturate, and NaN becomes 0.
//
//===----------------------------------------------------------------------===//
#include "MathBuilder.h"

using namespace mlir;
using tenon::MathBuilder;
using V = Value;

namespace {

struct Small {
  int64_t mantissa, bias;
  int64_t maximum; // largest finite code
  bool infinity;   // the code after it
  int64_t nan;     // code of NaN
  bool signedZero; // else 0x80 is NaN
  int64_t width = 8;
  bool finite = false; // no infinity, no NaN
};

std::optional<Small> getSmall(Type type) {
  if (isa<Float8E5M2Type>(type))
    return Small{2, 15, 0x7b, true, 0x7e, true};
  if (isa<Float8E4M3FNType>(type))
    return Small{3, 7, 0x7e, false, 0x7f, true};
  if (isa<Float8E5M2FNUZType>(type))
    return Small{2, 16, 0x7f, false, 0x80, false};
  if (isa<Float8E4M3FNUZType>(type))
    return Small{3, 8, 0x7f, false, 0x80, false};
  if (isa<Float8E4M3B11FNUZType>(type))
    return Small{3, 11, 0x7f, false, 0x80, false};
  if (isa<Float8E4M3Type>(type))
    return Small{3, 7, 0x77, true, 0x7c, true};
  if (isa<Float8E3M4Type>(type))
    return Small{4, 3, 0x6f, true, 0x78, true};
  if (isa<Float6E2M3FNType>(type))
    return Small{3, 1, 0x1f, false, 0, true, 6, true};
  if (isa<Float6E3M2FNType>(type))
    return Small{2, 3, 0x1f, false, 0, true, 6, true};
  if (isa<Float4E2M1FNType>(type))
    return Small{1, 1, 0x7, false, 0, true, 4, true};
  return std::nullopt;
}

V equalInteger(MathBuilder &m, V x, V y) { return arith::CmpIOp::create(m.b, m.loc, arith::CmpIPredicate::eq, x, y); }
V lessInteger(MathBuilder &m, V x, V y) { return arith::CmpIOp::create(m.b, m.loc, arith::CmpIPredicate::slt, x, y); }
V shru(MathBuilder &m, V x, int64_t by) { return arith::ShRUIOp::create(m.b, m.loc, x, m.i(by)); }
V maximumInteger(MathBuilder &m, V x, V y) { return arith::MaxSIOp::create(m.b, m.loc, x, y); }

/// Code in an i32 -> f32.
V decode(MathBuilder &m, V code, const Small &format) {
  int64_t top = 1 << (format.width - 1);
  V magnitude = m.land(code, m.i(top - 1));
  V sign = m.shl(m.land(code, m.i(top)), 32 - format.width);
  V normal = m.iadd(m.shl(magnitude, 23 - format.mantissa), m.i((127 - format.bias) << 23));
  V count = arith::SIToFPOp::create(m.b, m.loc, m.type, magnitude);
  V subnormal = m.asInteger(m.mul(count, m.c(std::ldexp(1.0, 1 - format.bias - format.mantissa))));
  V bits = m.select(lessInteger(m, magnitude, m.i(1 << format.mantissa)), subnormal, normal);
  if (format.infinity)
    bits = m.select(lessInteger(m, m.i(format.maximum), magnitude), m.i(0x7f800000), bits);
  bits = m.lor(bits, sign);
  if (format.finite)
    return m.asFloat(bits);
  V nan = !format.signedZero ? equalInteger(m, code, m.i(0x80))
          : format.infinity  ? lessInteger(m, m.i(format.maximum + 1), magnitude)
                             : lessInteger(m, m.i(format.maximum), magnitude);
  return m.asFloat(m.select(nan, m.i(0x7fc00000), bits));
}

/// f32 -> code in an i32.
V encode(MathBuilder &m, V x, const Small &format) {
  V bits = m.asInteger(x);
  V magnitude = m.land(bits, m.i(0x7fffffff));
  V sign = m.land(shru(m, bits, 32 - format.width), m.i(1 << (format.width - 1)));
  int64_t shift = 23 - format.mantissa;
  V even = m.land(shru(m, magnitude, shift), m.i(1));
  V rounded = m.iadd(m.iadd(magnitude, m.i((1 << (shift - 1)) - 1)), even);
  V normal = m.isub(shru(m, rounded, shift), m.i((127 - format.bias) << format.mantissa));
  // Adding 2^(23 - mantissa + 1 - bias) leaves the subnormal code in the low bits, rounded by the adder.
  V magic = m.c(std::ldexp(1.0, 23 + 1 - format.bias - format.mantissa));
  V subnormal = m.isub(m.asInteger(m.add(m.asFloat(magnitude), magic)), m.asInteger(magic));
  V code = m.select(lessInteger(m, magnitude, m.i((128 - format.bias) << 23)), subnormal, normal);
  V tooLarge = lessInteger(m, m.i(format.maximum), maximumInteger(m, code, m.i(0)));
  int64_t past = format.finite ? format.maximum : format.infinity ? format.maximum + 1 : format.nan;
  code = m.select(tooLarge, m.i(past), code);
  V signedCode = m.lor(code, sign);
  if (!format.signedZero) {
    signedCode = m.select(equalInteger(m, code, m.i(0)), code, signedCode);
    signedCode = m.select(tooLarge, m.i(format.nan), signedCode);
  }
  V nan = lessInteger(m, m.i(0x7f800000), magnitude);
  if (format.finite)
    return m.select(nan, m.i(0), signedCode);
  return m.select(nan, format.signedZero ? m.lor(m.i(format.nan), sign) : m.i(format.nan), signedCode);
}

V bitsOf(OpBuilder &b, Location loc, V value, unsigned width) {
  return arith::BitcastOp::create(b, loc, tenon::withElement(value.getType(), b.getIntegerType(width)), value);
}

/// f64 -> f32 so that a second rounding to 16 bits or less is as one from f64: rounded to odd.
V truncateToOdd(OpBuilder &b, Location loc, V value) {
  Type narrow = tenon::withElement(value.getType(), b.getF32Type());
  MathBuilder m(b, loc, narrow), wide(b, loc, value.getType());
  V nearest = arith::TruncFOp::create(b, loc, narrow, value);
  V back = arith::ExtFOp::create(b, loc, value.getType(), nearest);
  V inexact = wide.land(wide.compare(arith::CmpFPredicate::ONE, back, value),
                        wide.less(wide.abs(back), wide.c(std::numeric_limits<double>::infinity())));
  V even = equalInteger(m, m.land(m.asInteger(nearest), m.i(1)), m.i(0));
  // Towards zero, then set the last bit: from an even neighbour that is the odd one on value's side.
  V awayFromZero = wide.less(wide.abs(value), wide.abs(back));
  V bits = m.asInteger(nearest);
  V moved = m.select(awayFromZero, m.isub(bits, m.i(1)), m.iadd(bits, m.i(1)));
  return m.asFloat(m.select(m.land(inexact, even), moved, bits));
}

} // namespace

Value tenon::extendFloat(OpBuilder &b, Location loc, Value value, Type type) {
  Type from = getElementTypeOrSelf(value.getType()), to = getElementTypeOrSelf(type);
  if (from == to)
    return value;
  Type f32 = withElement(type, b.getF32Type()), i32 = withElement(type, b.getI32Type());
  Value result;
  if (from.isBF16()) {
    MathBuilder m(b, loc, f32);
    result = m.asFloat(m.shl(arith::ExtUIOp::create(b, loc, i32, bitsOf(b, loc, value, 16)), 16));
  } else if (isa<Float8E8M0FNUType>(from)) {
    MathBuilder m(b, loc, f32);
    V code = arith::ExtUIOp::create(b, loc, i32, bitsOf(b, loc, value, 8));
    V bits = m.select(equalInteger(m, code, m.i(0)), m.i(0x00400000), m.shl(code, 23));
    result = m.asFloat(m.select(equalInteger(m, code, m.i(255)), m.i(0x7fc00000), bits));
  } else if (std::optional<Small> format = getSmall(from)) {
    MathBuilder m(b, loc, f32);
    result = decode(m, arith::ExtUIOp::create(b, loc, i32, bitsOf(b, loc, value, format->width)), *format);
  } else {
    return arith::ExtFOp::create(b, loc, type, value);
  }
  if (to.isF32())
    return result;
  if (to.getIntOrFloatBitWidth() < 32)
    return truncateFloat(b, loc, result, type);
  return arith::ExtFOp::create(b, loc, type, result);
}

Value tenon::truncateFloat(OpBuilder &b, Location loc, Value value, Type type) {
  Type from = getElementTypeOrSelf(value.getType()), to = getElementTypeOrSelf(type);
  if (from == to)
    return value;
  bool integers = to.isBF16() || to.getIntOrFloatBitWidth() <= 8;
  if (from.isF64() && to.getIntOrFloatBitWidth() < 32)
    value = truncateToOdd(b, loc, value);
  else if (from.getIntOrFloatBitWidth() < 32)
    value = extendFloat(b, loc, value, withElement(type, b.getF32Type()));
  if (!integers)
    return arith::TruncFOp::create(b, loc, type, value);
  Type f32 = withElement(type, b.getF32Type());
  MathBuilder m(b, loc, f32);
  if (to.isBF16()) {
    V bits = m.asInteger(value);
    V even = m.land(shru(m, bits, 16), m.i(1));
    V rounded = shru(m, m.iadd(m.iadd(bits, m.i(0x7fff)), even), 16);
    V quiet = m.lor(shru(m, bits, 16), m.i(0x40));
    V code = m.select(m.isNaN(value), quiet, rounded);
    Type i16 = withElement(type, b.getIntegerType(16));
    return arith::BitcastOp::create(b, loc, type, arith::TruncIOp::create(b, loc, i16, code));
  }
  V code;
  if (isa<Float8E8M0FNUType>(to)) {
    V bits = m.asInteger(value);
    V rounded = shru(m, m.iadd(bits, m.iadd(m.i(0x3fffff), m.land(shru(m, bits, 23), m.i(1)))), 23);
    code = m.select(m.less(value, m.c(0.0)), m.i(255), m.select(m.isNaN(value), m.i(255), m.land(rounded, m.i(255))));
  } else if (std::optional<Small> format = getSmall(to)) {
    code = encode(m, value, *format);
  } else {
    return arith::TruncFOp::create(b, loc, type, value);
  }
  Type narrow = withElement(type, b.getIntegerType(to.getIntOrFloatBitWidth()));
  return arith::BitcastOp::create(b, loc, type, arith::TruncIOp::create(b, loc, narrow, code));
}
