//===- MathFunctions.cpp - transcendental functions as arithmetic --------------------===//
//
// Range reduction plus polynomials. Taylor coefficients where the reduced range is small; the others (tanh, erf, erfc)
// were interpolated at Chebyshev nodes in 40 digits. Every function keeps NaN, infinities, signed zeros and denormals.
//
//===----------------------------------------------------------------------===//
#include "MathBuilder.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using tenon::MathBuilder;
using V = Value;

Type tenon::withElement(Type like, Type element) {
  if (auto vector = dyn_cast<VectorType>(like))
    return VectorType::get(vector.getShape(), element, vector.getScalableDims());
  return element;
}

namespace {

constexpr double kLn2 = 0.6931471805599453, kInf = std::numeric_limits<double>::infinity(),
                 kNaN = std::numeric_limits<double>::quiet_NaN(), kHalfPi = 1.5707963267948966, kPi = 3.141592653589793;

/// e^x, or 2^x with `base2`. f32: within 0.9 ulp; the polynomial is the minimax one of degree 6 whose first two
/// coefficients are 1 (relative error 3e-9). `nonpositive`: x is at most 0, or NaN. `fast`: f32 within a relative error
/// of 5e-6, by the minimax polynomial of degree 4 that is 1 at 0.
V exp(MathBuilder &m, V x, bool base2 = false, bool nonpositive = false, bool fast = false) {
  bool wide = m.isDouble();
  double unit = base2 ? 1.0 : kLn2;
  // The bounds come first, so that a NaN stays one; all that follows keeps it. Below the lower one the result is 0
  // without them, whatever comes of it until then.
  V clamped = x;
  if (!nonpositive)
    clamped = m.boundBelow(m.c((wide ? -1080.0 : -152.0) * unit), m.boundAbove(m.c((wide ? 1026.0 : 130.0) * unit), x));
  // The nearest integer, in the low bits of a number so large that it has no others.
  V shift = nonpositive ? m.powerShift() : m.scaleShift();
  V shifted = m.fma(clamped, m.c(1.0 / unit), shift);
  V n = m.sub(shifted, shift), r;
  if (base2) {
    r = m.mul(m.sub(clamped, n), m.c(kLn2));
  } else {
    r = m.fma(n, m.c(wide ? -0x1.62e42fee00000p-1 : -0.693145751953125), clamped);
    r = m.fma(n, m.c(wide ? -0x1.a39ef35793c76p-33 : -1.428606765330187e-06), r);
  }
  SmallVector<double> coefficients{1.0, 1.0, 0.4999999344, 0.1666652057, 0.04166838874, 0.008368724073, 0.001381458386};
  if (fast)
    coefficients = {1.0, 0.9999666842, 0.5000302828, 0.1678775575, 0.04151345562};
  if (wide) {
    coefficients = {1.0};
    for (int k = 1; k <= 13; ++k)
      coefficients.push_back(coefficients.back() / k);
  }
  V power = m.polynomial(r, coefficients);
  // A product that becomes 0 takes processors a hundred cycles, one with 0 does not; scores that a mask hides are many.
  V isZero = m.less(x, m.c((wide ? -1076.0 : -151.0) * unit));
  if (nonpositive)
    return m.scaleDown(power, n, shifted, isZero);
  return m.scale(m.select(isZero, m.c(0.0), power), n, shifted);
}

V expm1(MathBuilder &m, V x) {
  SmallVector<double> coefficients{1.0};
  for (int k = 2; k <= 18; ++k)
    coefficients.push_back(coefficients.back() / k);
  V small = m.mul(x, m.polynomial(x, coefficients));
  V large = m.sub(exp(m, x), m.c(1.0));
  return m.select(m.less(m.abs(x), m.c(0.5)), small, large);
}

/// log x in f64: x = 2^k * f, f in [sqrt(1/2), sqrt(2)), and the series of 2 atanh((f-1)/(f+1)).
V log(MathBuilder &m, V x) {
  V tiny = m.less(x, m.c(std::numeric_limits<double>::min()));
  V normal = m.select(tiny, m.mul(x, m.c(0x1p54)), x);
  // Subtracting sqrt(1/2) from the bits makes the exponent field count from there.
  V bits = m.isub(m.asInteger(normal), m.i(0x3fe6a09e667f3bcd));
  V k = m.shrs(bits, 52);
  V mantissa = m.asFloat(m.isub(m.asInteger(normal), m.shl(k, 52)));
  V exponent = arith::SIToFPOp::create(m.b, m.loc, m.type, k);
  exponent = m.sub(exponent, m.select(tiny, m.c(54.0), m.c(0.0)));
  V f = m.sub(mantissa, m.c(1.0));
  V s = m.div(f, m.add(f, m.c(2.0)));
  V z = m.mul(s, s);
  SmallVector<double> coefficients;
  for (int n = 3; n <= 23; n += 2)
    coefficients.push_back(2.0 / n);
  V series = m.mul(m.mul(s, z), m.polynomial(z, coefficients));
  // 2s = f - s * f keeps the leading term exact.
  V tail = m.fma(exponent, m.c(0x1.a39ef35793c76p-33), m.sub(series, m.mul(s, f)));
  V result = m.add(m.fma(exponent, m.c(0x1.62e42fee00000p-1), f), tail);
  result = m.select(m.equal(x, m.c(kInf)), x, result);
  result = m.select(m.less(x, m.c(0.0)), m.c(kNaN), result);
  result = m.select(m.equal(x, m.c(0.0)), m.c(-kInf), result);
  return m.select(m.isNaN(x), x, result);
}

V log1p(MathBuilder &m, V x) {
  V u = m.add(x, m.c(1.0));
  V correction = m.div(m.sub(x, m.sub(u, m.c(1.0))), u);
  V usual = m.lor(m.less(m.abs(u), m.c(kInf)), m.isNaN(u));
  V result = m.select(m.land(usual, m.compare(arith::CmpFPredicate::ONE, u, m.c(0.0))), m.add(log(m, u), correction),
                      log(m, u));
  return m.select(m.equal(x, m.c(0.0)), x, result);
}

V tanhWide(MathBuilder &m, V x) {
  V e = expm1(m, m.mul(m.atMost(m.abs(x), m.c(22.0)), m.c(2.0)));
  V result = m.copySign(m.div(e, m.add(e, m.c(2.0))), x);
  return m.select(m.isNaN(x), x, result);
}

V tanhNarrow(MathBuilder &m, V x) {
  V a = m.abs(x), z = m.mul(x, x);
  V small = m.fma(
      m.mul(x, z),
      m.polynomial(z, {-0.3333333315, 0.1333330015, -0.05395846163, 0.02176250291, -0.008323187055, 0.002269501682}),
      x);
  V e = exp(m, m.mul(m.atMost(a, m.c(10.0)), m.c(2.0)));
  V large = m.sub(m.c(1.0), m.div(m.c(2.0), m.add(e, m.c(1.0))));
  V result = m.copySign(m.select(m.less(a, m.c(0.625)), small, large), x);
  return m.select(m.isNaN(x), x, result);
}

V erfNarrow(MathBuilder &m, V x) {
  V a = m.abs(x), z = m.mul(x, x);
  V small = m.fma(x,
                  m.polynomial(z, {0.1283791661, -0.3761262667, 0.1128359472, -0.02685421201, 0.005189087423,
                                   -0.0008016864287, 7.875875063e-5}),
                  x);
  V t = m.atMost(a, m.c(4.0));
  // log(erfc) as a polynomial.
  V q = m.polynomial(t, {0.000321866257549, -1.13024187748, -0.631809550131, -0.110097242506, 0.0264316432828,
                         -0.00476350966326, 0.000597677274919, -4.61647851613e-5, 1.64267896843e-6});
  V large = m.copySign(m.sub(m.c(1.0), exp(m, q)), x);
  V result = m.select(m.less(a, m.c(1.0)), small, large);
  return m.select(m.isNaN(x), x, result);
}

/// erfc of x >= 0 in f64: exp(-x^2) / (1 + 2x) times a polynomial in (x - 3.75) / (x + 3.75).
V erfcPositive(MathBuilder &m, V x) {
  x = m.atMost(x, m.c(28.0));
  V t = m.div(m.sub(x, m.c(3.75)), m.add(x, m.c(3.75)));
  V p =
      m.polynomial(t, {1.2375126308378275,     -0.1402405985855467,    0.003585415485463779,    0.08227673849011204,
                       -0.10880393014171236,   0.09230432116153116,    -0.05869339859030941,    0.028362277400457724,
                       -0.009746579553431873,  0.001755626017152004,   0.00029371366631088616,  -0.00029015496529570924,
                       5.1648913469599865e-05, 2.2387259638230133e-05, -1.1442990926805438e-05, -9.801666755858578e-07,
                       1.7481190468391965e-06, -4.815839621672849e-08, -2.5261465267715506e-07, 1.5996335215573707e-08,
                       3.285083556233316e-08,  -8.782125734803521e-10, -2.4108215365422332e-09});
  V square = m.mul(x, x), rest = m.fma(x, x, m.neg(square)); // x^2 = square + rest
  V e = exp(m, m.neg(square));
  e = m.fma(m.neg(rest), e, e);
  return m.div(m.mul(e, p), m.fma(x, m.c(2.0), m.c(1.0)));
}

V erfWide(MathBuilder &m, V x) {
  V a = m.abs(x), z = m.mul(x, x);
  SmallVector<double> coefficients; // 2/sqrt(pi) * (-1)^k / (k! (2k+1))
  double factor = 1.1283791670955126;
  for (int k = 0; k <= 16; ++k) {
    coefficients.push_back(factor / (2 * k + 1));
    factor = -factor / (k + 1);
  }
  V small = m.mul(x, m.polynomial(z, coefficients));
  V large = m.copySign(m.sub(m.c(1.0), erfcPositive(m, a)), x);
  V result = m.select(m.less(a, m.c(1.0)), small, large);
  return m.select(m.isNaN(x), x, result);
}

V erfc(MathBuilder &m, V x) {
  V positive = erfcPositive(m, m.abs(x));
  V result = m.select(m.less(x, m.c(0.0)), m.sub(m.c(2.0), positive), positive);
  V near = m.sub(m.c(1.0), erfWide(m, x));
  result = m.select(m.less(m.abs(x), m.c(0.25)), near, result);
  return m.select(m.isNaN(x), x, result);
}

/// Sine (quarter 0) or cosine (quarter 1) in f64; arguments up to about 2^30 keep full precision.
V sine(MathBuilder &m, V x, int64_t quarter) {
  V n = m.round(m.mul(x, m.c(1.0 / kHalfPi)));
  n = m.atLeast(m.atMost(n, m.c(0x1p50)), m.c(-0x1p50));
  V r = m.fma(n, m.c(-0x1.921fb54442d18p+0), x);
  r = m.fma(n, m.c(-0x1.1a62633145c07p-54), r);
  r = m.fma(n, m.c(0x1.f1976b8000000p-110), r);
  V q = m.isub(m.asInteger(m.add(n, m.c(6755399441055744.0))), m.asInteger(m.c(6755399441055744.0)));
  q = m.iadd(q, m.i(quarter));
  V z = m.mul(r, r);
  SmallVector<double> sines, cosines;
  double term = 1.0;
  for (int k = 0; k <= 9; ++k) {
    cosines.push_back(term); // (-1)^k / (2k)!
    sines.push_back(term / (2 * k + 1));
    term = -term / ((2 * k + 1) * (2 * k + 2));
  }
  V sin = m.fma(m.mul(r, z), m.polynomial(z, ArrayRef(sines).drop_front()), r);
  V cos = m.polynomial(z, cosines);
  auto bitSet = [&](int64_t bit) {
    V masked = m.land(q, m.i(bit));
    return arith::CmpIOp::create(m.b, m.loc, arith::CmpIPredicate::ne, masked, m.i(0));
  };
  V result = m.select(bitSet(1), cos, sin);
  result = m.select(bitSet(2), m.neg(result), result);
  result = m.select(m.less(m.abs(x), m.c(kInf)), result, m.c(kNaN));
  if (quarter == 0)
    result = m.select(m.equal(x, m.c(0.0)), x, result);
  return result;
}

/// atan of t >= 0 in f64.
V atanPositive(MathBuilder &m, V t) {
  V big = m.less(m.c(2.414213562373095), t), middle = m.less(m.c(0.41421356237309503), t);
  V numerator = m.select(big, m.c(-1.0), m.select(middle, m.sub(t, m.c(1.0)), t));
  V denominator = m.select(big, t, m.select(middle, m.add(t, m.c(1.0)), m.c(1.0)));
  V base = m.select(big, m.c(kHalfPi), m.select(middle, m.c(kHalfPi / 2), m.c(0.0)));
  V r = m.div(numerator, denominator), z = m.mul(r, r);
  SmallVector<double> coefficients;
  for (int k = 1; k <= 21; ++k)
    coefficients.push_back((k % 2 ? -1.0 : 1.0) / (2 * k + 1));
  V value = m.fma(m.mul(r, z), m.polynomial(z, coefficients), r);
  return m.add(base, value);
}

V atan(MathBuilder &m, V x) {
  V result = m.copySign(atanPositive(m, m.abs(x)), x);
  return m.select(m.isNaN(x), x, result);
}

V atan2(MathBuilder &m, V y, V x) {
  V ax = m.abs(x), ay = m.abs(y);
  V bothInfinite = m.land(m.equal(ax, m.c(kInf)), m.equal(ay, m.c(kInf)));
  V bothZero = m.land(m.equal(ax, m.c(0.0)), m.equal(ay, m.c(0.0)));
  V t = m.select(bothInfinite, m.c(1.0), m.select(bothZero, m.c(0.0), m.div(ay, ax)));
  V angle = atanPositive(m, t);
  V negative = arith::CmpIOp::create(m.b, m.loc, arith::CmpIPredicate::slt, m.asInteger(x), m.i(0));
  angle = m.select(negative, m.sub(m.c(kPi), angle), angle);
  V result = m.copySign(angle, y);
  return m.select(m.lor(m.isNaN(x), m.isNaN(y)), m.add(x, y), result);
}

V asin(MathBuilder &m, V x) {
  V cosine = m.sqrt(m.mul(m.sub(m.c(1.0), x), m.add(m.c(1.0), x))); // NaN outside [-1, 1]
  return m.select(m.equal(x, m.c(0.0)), x, atan2(m, x, cosine));
}

V acos(MathBuilder &m, V x) { return atan2(m, m.sqrt(m.mul(m.sub(m.c(1.0), x), m.add(m.c(1.0), x))), x); }

V sinh(MathBuilder &m, V x) {
  V a = m.abs(x);
  V e = expm1(m, m.atMost(a, m.c(23.0)));
  V small = m.mul(m.c(0.5), m.add(e, m.div(e, m.add(e, m.c(1.0)))));
  V h = exp(m, m.mul(a, m.c(0.5)));
  V large = m.mul(m.mul(m.c(0.5), h), h);
  V result = m.copySign(m.select(m.less(a, m.c(22.0)), small, large), x);
  return m.select(m.isNaN(x), x, result);
}

V cosh(MathBuilder &m, V x) {
  V h = exp(m, m.mul(m.abs(x), m.c(0.5)));
  V square = m.mul(h, h);
  V small = m.mul(m.c(0.5), m.add(square, m.div(m.c(1.0), square)));
  return m.select(m.less(m.abs(x), m.c(22.0)), small, m.mul(m.mul(m.c(0.5), h), h));
}

V asinh(MathBuilder &m, V x) {
  V a = m.abs(x), z = m.mul(a, a);
  V small = log1p(m, m.add(a, m.div(z, m.add(m.c(1.0), m.sqrt(m.add(z, m.c(1.0)))))));
  V large = m.add(log(m, a), m.c(kLn2));
  V result = m.copySign(m.select(m.less(a, m.c(1e9)), small, large), x);
  return m.select(m.isNaN(x), x, result);
}

V acosh(MathBuilder &m, V x) {
  V t = m.sub(x, m.c(1.0));
  V small = log1p(m, m.add(t, m.sqrt(m.mul(t, m.add(t, m.c(2.0))))));
  V large = m.add(log(m, x), m.c(kLn2));
  V result = m.select(m.less(x, m.c(1e9)), small, large);
  return m.select(m.less(x, m.c(1.0)), m.c(kNaN), result);
}

V atanh(MathBuilder &m, V x) {
  V a = m.abs(x);
  V value = m.mul(m.c(0.5), log1p(m, m.div(m.mul(a, m.c(2.0)), m.sub(m.c(1.0), a))));
  V result = m.copySign(value, x);
  result = m.select(m.less(m.c(1.0), a), m.c(kNaN), result);
  return m.select(m.isNaN(x), x, result);
}

V cbrt(MathBuilder &m, V x) {
  V a = m.abs(x);
  V y = exp(m, m.mul(log(m, a), m.c(1.0 / 3.0)));
  V step = m.div(m.sub(m.mul(m.mul(y, y), y), a), m.mul(m.c(3.0), m.mul(y, y)));
  V refined = m.copySign(m.sub(y, step), x);
  V usual = m.land(m.less(m.c(0.0), a), m.less(a, m.c(1e300)));
  return m.select(usual, refined, m.select(m.less(m.c(0.0), a), m.copySign(y, x), x));
}

V pow(MathBuilder &m, V x, V y) {
  V a = m.abs(x);
  V magnitude = exp(m, m.mul(y, log(m, a)));
  V whole = m.equal(m.floor(y), y);
  V half = m.mul(y, m.c(0.5));
  V odd = m.land(whole, m.compare(arith::CmpFPredicate::UNE, m.floor(half), half));
  V negative = arith::CmpIOp::create(m.b, m.loc, arith::CmpIPredicate::slt, m.asInteger(x), m.i(0));
  // 0 and infinity: y * log is an infinity of the right sign.
  V result = m.select(m.land(odd, negative), m.neg(magnitude), magnitude);
  V infiniteY = m.equal(m.abs(y), m.c(kInf));
  V domain =
      m.land(m.less(x, m.c(0.0)), m.land(m.less(a, m.c(kInf)), m.compare(arith::CmpFPredicate::UNE, m.floor(y), y)));
  result = m.select(m.land(domain, m.less(m.abs(y), m.c(kInf))), m.c(kNaN), result);
  result = m.select(m.land(m.equal(a, m.c(1.0)), infiniteY), m.c(1.0), result);
  result = m.select(m.lor(m.isNaN(x), m.isNaN(y)), m.add(x, y), result);
  return m.select(m.lor(m.equal(y, m.c(0.0)), m.equal(x, m.c(1.0))), m.c(1.0), result);
}

/// x^y for an exponent that square roots and one product make, within 2 ulp; null for others.
V powConstant(MathBuilder &m, V x, Value exponent) {
  if (auto spread = exponent.getDefiningOp<vector::BroadcastOp>())
    exponent = spread.getSource();
  llvm::APFloat value(0.0);
  if (!matchPattern(exponent, m_ConstantFloat(&value)))
    return {};
  V root = m.sqrt(x), result;
  double y = value.convertToDouble();
  if (y == 0.25) {
    result = m.sqrt(root);
  } else if (y == 0.5) {
    result = root;
  } else if (y == 0.75) { // the root of the root, and what is left of that one's rounding
    V q = m.sqrt(root), rest = m.fma(m.neg(q), q, root);
    result = m.fma(root, q, m.mul(m.mul(rest, m.c(0.5)), q));
  } else if (y == 1.5) {
    result = m.mul(root, x);
  } else {
    return {};
  }
  return m.select(m.equal(m.abs(x), m.c(kInf)), m.c(kInf), m.abs(result));
}

/// Functions of f64 values; null for ops that need no expansion, and for those that have one form for all floats.
V expandWide(MathBuilder &m, Operation *op, ValueRange args) {
  V x = args[0];
  return llvm::TypeSwitch<Operation *, V>(op)
      .Case<math::ExpM1Op>([&](auto) { return expm1(m, x); })
      .Case<math::LogOp>([&](auto) { return log(m, x); })
      .Case<math::Log1pOp>([&](auto) { return log1p(m, x); })
      .Case<math::Log2Op>([&](auto) { return m.mul(log(m, x), m.c(1.0 / kLn2)); })
      .Case<math::Log10Op>([&](auto) { return m.mul(log(m, x), m.c(0.4342944819032518)); })
      .Case<math::TanhOp>([&](auto) { return tanhWide(m, x); })
      .Case<math::ErfOp>([&](auto) { return erfWide(m, x); })
      .Case<math::ErfcOp>([&](auto) { return erfc(m, x); })
      .Case<math::SinOp>([&](auto) { return sine(m, x, 0); })
      .Case<math::CosOp>([&](auto) { return sine(m, x, 1); })
      .Case<math::TanOp>([&](auto) { return m.div(sine(m, x, 0), sine(m, x, 1)); })
      .Case<math::AtanOp>([&](auto) { return atan(m, x); })
      .Case<math::Atan2Op>([&](auto) { return atan2(m, x, args[1]); })
      .Case<math::AsinOp>([&](auto) { return asin(m, x); })
      .Case<math::AcosOp>([&](auto) { return acos(m, x); })
      .Case<math::SinhOp>([&](auto) { return sinh(m, x); })
      .Case<math::CoshOp>([&](auto) { return cosh(m, x); })
      .Case<math::AsinhOp>([&](auto) { return asinh(m, x); })
      .Case<math::AcoshOp>([&](auto) { return acosh(m, x); })
      .Case<math::AtanhOp>([&](auto) { return atanh(m, x); })
      .Case<math::CbrtOp>([&](auto) { return cbrt(m, x); })
      .Case<math::PowFOp>([&](auto) { return pow(m, x, args[1]); })
      .Default([](Operation *) { return V(); });
}

} // namespace

Value tenon::expandMathOp(OpBuilder &builder, Operation *op, ValueRange operands, TargetAttr target, bool fast) {
  Type type = operands.front().getType();
  MathBuilder m(builder, op->getLoc(), type, target);
  V x = operands.front();
  if (isa<math::RsqrtOp>(op))
    return m.div(m.c(1.0), m.sqrt(x));
  if (isa<math::ClampFOp>(op)) {
    V low = arith::MaximumFOp::create(builder, op->getLoc(), x, operands[1]);
    return arith::MinimumFOp::create(builder, op->getLoc(), low, operands[2]);
  }
  if (isa<math::PowFOp>(op))
    if (V value = powConstant(m, x, operands[1]))
      return value;
  if (isa<math::ExpOp>(op))
    return exp(m, x, /*base2=*/false, op->hasAttr(tenon::kNonpositiveAttr), fast);
  if (isa<math::Exp2Op>(op))
    return exp(m, x, /*base2=*/true, /*nonpositive=*/false, fast);
  if (m.isDouble())
    return expandWide(m, op, operands);
  if (isa<math::TanhOp>(op))
    return tanhNarrow(m, x);
  if (isa<math::ErfOp>(op))
    return erfNarrow(m, x);
  // Everything else through f64.
  Type wide = withElement(type, builder.getF64Type());
  MathBuilder mw(builder, op->getLoc(), wide, target);
  SmallVector<V> extended;
  for (V operand : operands)
    extended.push_back(arith::ExtFOp::create(builder, op->getLoc(), wide, operand));
  V result = expandWide(mw, op, extended);
  if (!result) { // nothing to expand: leave no trace
    for (V value : extended)
      value.getDefiningOp()->erase();
    return {};
  }
  return arith::TruncFOp::create(builder, op->getLoc(), type, result);
}
