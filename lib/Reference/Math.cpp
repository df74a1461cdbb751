//===- Math.cpp - what math's ops compute -----------------------------------------------------===//
//
// Functions are taken in f64 and rounded once to the op's type, so f32 and narrower results are all but exact.
//
//===----------------------------------------------------------------------===//
#include "Interpreter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace tenon::reference;
using Fns = SmallVector<ScalarFn>;

using Unary = double (*)(double);
using Binary = double (*)(double, double);

static Unary getUnary(StringRef name) {
  return llvm::StringSwitch<Unary>(name)
      .Case("absf", [](double x) { return std::fabs(x); })
      .Case("acos", [](double x) { return std::acos(x); })
      .Case("acosh", [](double x) { return std::acosh(x); })
      .Case("asin", [](double x) { return std::asin(x); })
      .Case("asinh", [](double x) { return std::asinh(x); })
      .Case("atan", [](double x) { return std::atan(x); })
      .Case("atanh", [](double x) { return std::atanh(x); })
      .Case("cbrt", [](double x) { return std::cbrt(x); })
      .Case("ceil", [](double x) { return std::ceil(x); })
      .Case("cos", [](double x) { return std::cos(x); })
      .Case("cosh", [](double x) { return std::cosh(x); })
      .Case("erf", [](double x) { return std::erf(x); })
      .Case("erfc", [](double x) { return std::erfc(x); })
      .Case("exp", [](double x) { return std::exp(x); })
      .Case("exp2", [](double x) { return std::exp2(x); })
      .Case("expm1", [](double x) { return std::expm1(x); })
      .Case("floor", [](double x) { return std::floor(x); })
      .Case("log", [](double x) { return std::log(x); })
      .Case("log10", [](double x) { return std::log10(x); })
      .Case("log1p", [](double x) { return std::log1p(x); })
      .Case("log2", [](double x) { return std::log2(x); })
      .Case("round", [](double x) { return std::round(x); })
      .Case("roundeven", [](double x) { return std::nearbyint(x); })
      .Case("rsqrt", [](double x) { return 1 / std::sqrt(x); })
      .Case("sin", [](double x) { return std::sin(x); })
      .Case("sinh", [](double x) { return std::sinh(x); })
      .Case("sqrt", [](double x) { return std::sqrt(x); })
      .Case("tan", [](double x) { return std::tan(x); })
      .Case("tanh", [](double x) { return std::tanh(x); })
      .Case("trunc", [](double x) { return std::trunc(x); })
      .Default(nullptr);
}

static Binary getBinary(StringRef name) {
  return llvm::StringSwitch<Binary>(name)
      .Case("atan2", [](double x, double y) { return std::atan2(x, y); })
      .Case("copysign", [](double x, double y) { return std::copysign(x, y); })
      .Case("powf", [](double x, double y) { return std::pow(x, y); })
      .Default(nullptr);
}

using Predicate = bool (*)(double);
static Predicate getPredicate(StringRef name) {
  return llvm::StringSwitch<Predicate>(name)
      .Case("isfinite", [](double x) { return static_cast<bool>(std::isfinite(x)); })
      .Case("isinf", [](double x) { return static_cast<bool>(std::isinf(x)); })
      .Case("isnan", [](double x) { return static_cast<bool>(std::isnan(x)); })
      .Default(nullptr);
}

/// base^exponent by squaring, wrapping; negative exponents as 1 / base^-exponent in integers.
static Scalar power(Type type, Scalar base, Scalar exponent, const char *&fault) {
  if (exponent.i < 0) {
    if (base.i == 0)
      fault = "zero to a negative power";
    return makeInt(base.i == 1 ? 1 : base.i == wrapInt(type, -1) ? (exponent.i & 1 ? -1 : 1) : 0);
  }
  uint64_t result = 1, factor = base.i;
  for (uint64_t e = exponent.i; e; e >>= 1, factor *= factor)
    if (e & 1)
      result *= factor;
  return makeInt(wrapInt(type, result));
}

SmallVector<ScalarFn> tenon::reference::getMathFns(Operation *op) {
  if (!isa_and_nonnull<math::MathDialect>(op->getDialect()) || op->getNumResults() == 0)
    return {};
  Type type = getElementTypeOrSelf(op->getResult(0).getType());
  if (!isSupportedElement(type))
    return {};
  StringRef name = op->getName().stripDialect();
  unsigned bits = type.getIntOrFloatBitWidth();
  if (Unary fn = getUnary(name))
    return Fns{[type, fn](const Scalar *x, const char *&) { return makeFloat(roundFloat(type, fn(x[0].f))); }};
  if (Binary fn = getBinary(name))
    return Fns{[type, fn](const Scalar *x, const char *&) { return makeFloat(roundFloat(type, fn(x[0].f, x[1].f))); }};
  if (Predicate fn = getPredicate(name))
    return Fns{[fn](const Scalar *x, const char *&) { return makeInt(fn(x[0].f) ? -1 : 0); }};
  if (isa<math::FmaOp>(op))
    return Fns{[type](const Scalar *x, const char *&) {
      double sum = type.isF32() ? std::fmaf(x[0].f, x[1].f, x[2].f) : std::fma(x[0].f, x[1].f, x[2].f);
      return makeFloat(roundFloat(type, sum));
    }};
  if (isa<math::ClampFOp>(op))
    return Fns{[](const Scalar *x, const char *&) {
      return makeFloat(x[0].f < x[1].f ? x[1].f : x[0].f > x[2].f ? x[2].f : x[0].f);
    }};
  if (isa<math::FPowIOp>(op))
    return Fns{[type](const Scalar *x, const char *&) {
      return makeFloat(roundFloat(type, std::pow(x[0].f, static_cast<double>(x[1].i))));
    }};
  if (isa<math::SincosOp>(op))
    return Fns{[type](const Scalar *x, const char *&) { return makeFloat(roundFloat(type, std::sin(x[0].f))); },
               [type](const Scalar *x, const char *&) { return makeFloat(roundFloat(type, std::cos(x[0].f))); }};
  if (isa<math::AbsIOp>(op))
    return Fns{[type](const Scalar *x, const char *&) {
      return makeInt(wrapInt(type, x[0].i < 0 ? -static_cast<uint64_t>(x[0].i) : x[0].i));
    }};
  if (isa<math::IPowIOp>(op))
    return Fns{[type](const Scalar *x, const char *&fault) { return power(type, x[0], x[1], fault); }};
  if (isa<math::CtPopOp>(op))
    return Fns{[type](const Scalar *x, const char *&) { return makeInt(llvm::popcount(asUnsigned(type, x[0].i))); }};
  if (isa<math::CountLeadingZerosOp>(op))
    return Fns{[type, bits](const Scalar *x, const char *&) {
      return makeInt(wrapInt(type, llvm::countl_zero(asUnsigned(type, x[0].i)) - (64 - bits)));
    }};
  if (isa<math::CountTrailingZerosOp>(op))
    return Fns{[type, bits](const Scalar *x, const char *&) {
      return makeInt(wrapInt(type, std::min<int>(bits, llvm::countr_zero(asUnsigned(type, x[0].i)))));
    }};
  return {};
}
