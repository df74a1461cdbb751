//===- Arith.cpp - what arith's and index's scalar ops compute -----------------------------===//
//
// Where arith leaves a result undefined, Tenon does not: division by zero is a fault, float to integer saturates with
// NaN to 0, a shift by the width or more leaves nothing but the sign.
//
//===----------------------------------------------------------------------===//
#include "Interpreter.h"

#include "mlir/Dialect/Index/IR/IndexOps.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace tenon::reference;

std::optional<Datum> tenon::reference::getConstant(Attribute value) {
  if (auto number = dyn_cast<IntegerAttr>(value))
    return Datum(makeInt(number.getValue().sextOrTrunc(64).getSExtValue()));
  auto toDouble = [](llvm::APFloat number) {
    bool inexact;
    number.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &inexact);
    return makeFloat(number.convertToDouble());
  };
  if (auto number = dyn_cast<FloatAttr>(value))
    return Datum(toDouble(number.getValue()));
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (!dense || !isSupportedElement(dense.getElementType()) || !countElements(dense.getType().getShape()))
    return std::nullopt;
  Tensor result(dense.getElementType(), dense.getType().getShape());
  Scalar *out = result.mutableData();
  if (isa<FloatType>(dense.getElementType()))
    for (const llvm::APFloat &number : dense.getValues<llvm::APFloat>())
      *out++ = toDouble(number);
  else
    for (const llvm::APInt &number : dense.getValues<llvm::APInt>())
      *out++ = makeInt(number.getSExtValue());
  return Datum(result);
}

/// A function on floats, rounded to the op's type.
template <typename Fn> static SmallVector<ScalarFn> onFloats(Type type, Fn fn) {
  return {[type, fn](const Scalar *x, const char *&) { return makeFloat(roundFloat(type, fn(x[0].f, x[1].f))); }};
}
/// A function on signed integers (of 128 bits, so that nothing overflows), wrapped to the op's type.
template <typename Fn> static SmallVector<ScalarFn> onInts(Type type, Fn fn) {
  return {[type, fn](const Scalar *x, const char *&) {
    return makeInt(
        wrapInt(type, static_cast<int64_t>(fn(static_cast<__int128>(x[0].i), static_cast<__int128>(x[1].i)))));
  }};
}
template <typename Fn> static SmallVector<ScalarFn> onUnsigned(Type type, Fn fn) {
  return {[type, fn](const Scalar *x, const char *&) {
    return makeInt(wrapInt(type, fn(asUnsigned(type, x[0].i), asUnsigned(type, x[1].i))));
  }};
}
/// A division: faults where the divisor is zero.
static SmallVector<ScalarFn> checked(SmallVector<ScalarFn> fns) {
  ScalarFn fn = fns[0];
  return {[fn](const Scalar *x, const char *&fault) {
    if (x[1].i == 0) {
      fault = "division by zero";
      return makeInt(0);
    }
    return fn(x, fault);
  }};
}

static double maximum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::nan("");
  return a == b ? (std::signbit(a) ? b : a) : std::max(a, b);
}
static double minimum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::nan("");
  return a == b ? (std::signbit(a) ? a : b) : std::min(a, b);
}

static bool compare(arith::CmpIPredicate predicate, int64_t a, int64_t b, uint64_t ua, uint64_t ub) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
  case P::eq:
    return a == b;
  case P::ne:
    return a != b;
  case P::slt:
    return a < b;
  case P::sle:
    return a <= b;
  case P::sgt:
    return a > b;
  case P::sge:
    return a >= b;
  case P::ult:
    return ua < ub;
  case P::ule:
    return ua <= ub;
  case P::ugt:
    return ua > ub;
  case P::uge:
    return ua >= ub;
  }
  return false;
}

static bool compare(arith::CmpFPredicate predicate, double a, double b) {
  using P = arith::CmpFPredicate;
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case P::AlwaysFalse:
    return false;
  case P::AlwaysTrue:
    return true;
  case P::ORD:
    return !unordered;
  case P::UNO:
    return unordered;
  case P::OEQ:
    return a == b;
  case P::ONE:
    return !unordered && a != b;
  case P::OLT:
    return a < b;
  case P::OLE:
    return a <= b;
  case P::OGT:
    return a > b;
  case P::OGE:
    return a >= b;
  case P::UEQ:
    return unordered || a == b;
  case P::UNE:
    return unordered || a != b;
  case P::ULT:
    return unordered || a < b;
  case P::ULE:
    return unordered || a <= b;
  case P::UGT:
    return unordered || a > b;
  case P::UGE:
    return unordered || a >= b;
  }
  return false;
}

/// Float to integer: toward zero, saturating, NaN to 0.
static int64_t toInteger(Type type, double value, bool isUnsigned) {
  unsigned bits = type.getIntOrFloatBitWidth();
  if (std::isnan(value))
    return 0;
  if (isUnsigned) {
    if (value <= 0)
      return 0;
    if (value >= std::ldexp(1.0, bits))
      return wrapInt(type, -1);
    return wrapInt(type, static_cast<int64_t>(static_cast<uint64_t>(value)));
  }
  double limit = std::ldexp(1.0, bits - 1);
  if (value >= limit)
    return static_cast<int64_t>(llvm::maskTrailingOnes<uint64_t>(bits - 1));
  if (value < -limit)
    return llvm::minIntN(bits);
  return static_cast<int64_t>(value);
}

SmallVector<ScalarFn> tenon::reference::getArithFns(Operation *op) {
  if (op->getNumResults() == 0 || op->getNumOperands() == 0)
    return {};
  Type type = getElementTypeOrSelf(op->getResult(0).getType()),
       from = getElementTypeOrSelf(op->getOperand(0).getType());
  if (!isSupportedElement(type) || !isSupportedElement(from))
    return {};
  using Wide = __int128;
  unsigned bits = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  auto same = [](const Scalar *x, const char *&) { return x[0]; };
  auto wrapped = [type](const Scalar *x, const char *&) { return makeInt(wrapInt(type, x[0].i)); };
  auto extendedUnsigned = [type, from](const Scalar *x, const char *&) {
    return makeInt(wrapInt(type, asUnsigned(from, x[0].i)));
  };
  using Fns = SmallVector<ScalarFn>;
  return llvm::TypeSwitch<Operation *, Fns>(op)
      .Case<arith::AddFOp>([&](auto) { return onFloats(type, [](double a, double b) { return a + b; }); })
      .Case<arith::SubFOp>([&](auto) { return onFloats(type, [](double a, double b) { return a - b; }); })
      .Case<arith::MulFOp>([&](auto) { return onFloats(type, [](double a, double b) { return a * b; }); })
      .Case<arith::DivFOp>([&](auto) { return onFloats(type, [](double a, double b) { return a / b; }); })
      .Case<arith::RemFOp>([&](auto) { return onFloats(type, [](double a, double b) { return std::fmod(a, b); }); })
      .Case<arith::MaximumFOp>([&](auto) { return onFloats(type, maximum); })
      .Case<arith::MinimumFOp>([&](auto) { return onFloats(type, minimum); })
      .Case<arith::MaxNumFOp>([&](auto) { return onFloats(type, [](double a, double b) { return std::fmax(a, b); }); })
      .Case<arith::MinNumFOp>([&](auto) { return onFloats(type, [](double a, double b) { return std::fmin(a, b); }); })
      .Case<arith::NegFOp>([&](auto) { return Fns{[](const Scalar *x, const char *&) { return makeFloat(-x[0].f); }}; })
      .Case<arith::AddIOp, index::AddOp>([&](auto) { return onInts(type, [](Wide a, Wide b) { return a + b; }); })
      .Case<arith::SubIOp, index::SubOp>([&](auto) { return onInts(type, [](Wide a, Wide b) { return a - b; }); })
      .Case<arith::MulIOp, index::MulOp>([&](auto) { return onInts(type, [](Wide a, Wide b) { return a * b; }); })
      .Case<arith::AndIOp, index::AndOp>([&](auto) { return onInts(type, [](Wide a, Wide b) { return a & b; }); })
      .Case<arith::OrIOp, index::OrOp>([&](auto) { return onInts(type, [](Wide a, Wide b) { return a | b; }); })
      .Case<arith::XOrIOp, index::XOrOp>([&](auto) { return onInts(type, [](Wide a, Wide b) { return a ^ b; }); })
      .Case<arith::MaxSIOp, index::MaxSOp>(
          [&](auto) { return onInts(type, [](Wide a, Wide b) { return a > b ? a : b; }); })
      .Case<arith::MinSIOp, index::MinSOp>(
          [&](auto) { return onInts(type, [](Wide a, Wide b) { return a < b ? a : b; }); })
      .Case<arith::DivSIOp, index::DivSOp>(
          [&](auto) { return checked(onInts(type, [](Wide a, Wide b) { return b ? a / b : b; })); })
      .Case<arith::RemSIOp, index::RemSOp>(
          [&](auto) { return checked(onInts(type, [](Wide a, Wide b) { return b ? a % b : b; })); })
      .Case<arith::FloorDivSIOp, index::FloorDivSOp>([&](auto) {
        return checked(onInts(type, [](Wide a, Wide b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }));
      })
      .Case<arith::CeilDivSIOp, index::CeilDivSOp>([&](auto) {
        return checked(onInts(type, [](Wide a, Wide b) { return a / b + (a % b != 0 && (a < 0) == (b < 0)); }));
      })
      .Case<arith::MaxUIOp, index::MaxUOp>(
          [&](auto) { return onUnsigned(type, [](uint64_t a, uint64_t b) { return std::max(a, b); }); })
      .Case<arith::MinUIOp, index::MinUOp>(
          [&](auto) { return onUnsigned(type, [](uint64_t a, uint64_t b) { return std::min(a, b); }); })
      .Case<arith::DivUIOp, index::DivUOp>(
          [&](auto) { return checked(onUnsigned(type, [](uint64_t a, uint64_t b) { return a / b; })); })
      .Case<arith::RemUIOp, index::RemUOp>(
          [&](auto) { return checked(onUnsigned(type, [](uint64_t a, uint64_t b) { return a % b; })); })
      .Case<arith::CeilDivUIOp, index::CeilDivUOp>(
          [&](auto) { return checked(onUnsigned(type, [](uint64_t a, uint64_t b) { return a / b + (a % b != 0); })); })
      .Case<arith::ShLIOp, index::ShlOp>(
          [&](auto) { return onUnsigned(type, [bits](uint64_t a, uint64_t b) { return b < bits ? a << b : 0; }); })
      .Case<arith::ShRUIOp, index::ShrUOp>(
          [&](auto) { return onUnsigned(type, [bits](uint64_t a, uint64_t b) { return b < bits ? a >> b : 0; }); })
      .Case<arith::ShRSIOp, index::ShrSOp>([&](auto) {
        return Fns{[type, bits](const Scalar *x, const char *&) {
          return makeInt(x[0].i >> std::min<uint64_t>(asUnsigned(type, x[1].i), bits - 1));
        }};
      })
      .Case<arith::AddUIExtendedOp>([&](auto) {
        Fns fns = onInts(type, [](Wide a, Wide b) { return a + b; });
        fns.push_back([type](const Scalar *x, const char *&) {
          uint64_t a = asUnsigned(type, x[0].i), sum = asUnsigned(type, x[0].i + x[1].i);
          return makeInt(sum < a ? -1 : 0);
        });
        return fns;
      })
      .Case<arith::MulSIExtendedOp, arith::MulUIExtendedOp>([&](auto) {
        bool isSigned = isa<arith::MulSIExtendedOp>(op);
        Fns fns = onInts(type, [](Wide a, Wide b) { return a * b; });
        fns.push_back([type, bits, isSigned](const Scalar *x, const char *&) {
          if (isSigned)
            return makeInt(wrapInt(type, static_cast<int64_t>((Wide(x[0].i) * Wide(x[1].i)) >> bits)));
          using UWide = unsigned __int128;
          UWide product = UWide(asUnsigned(type, x[0].i)) * asUnsigned(type, x[1].i);
          return makeInt(wrapInt(type, static_cast<int64_t>(product >> bits)));
        });
        return fns;
      })
      .Case<arith::ExtFOp, arith::ExtSIOp>([&](auto) { return Fns{same}; })
      .Case<arith::TruncFOp>([&](auto) {
        return Fns{[type](const Scalar *x, const char *&) { return makeFloat(roundFloat(type, x[0].f)); }};
      })
      .Case<arith::TruncIOp, arith::IndexCastOp, index::CastSOp>([&](auto) { return Fns{wrapped}; })
      .Case<arith::ExtUIOp, arith::IndexCastUIOp, index::CastUOp>([&](auto) { return Fns{extendedUnsigned}; })
      .Case<arith::SIToFPOp>([&](auto) {
        return Fns{[type](const Scalar *x, const char *&) { // at once to f32: by way of f64 it would round twice
          return makeFloat(type.isF32() ? static_cast<float>(x[0].i) : roundFloat(type, static_cast<double>(x[0].i)));
        }};
      })
      .Case<arith::UIToFPOp>([&](auto) {
        return Fns{[type, from](const Scalar *x, const char *&) {
          uint64_t value = asUnsigned(from, x[0].i);
          return makeFloat(type.isF32() ? static_cast<float>(value) : roundFloat(type, static_cast<double>(value)));
        }};
      })
      .Case<arith::FPToSIOp, arith::FPToUIOp>([&](auto) {
        bool isUnsigned = isa<arith::FPToUIOp>(op);
        return Fns{[type, isUnsigned](const Scalar *x, const char *&) {
          return makeInt(toInteger(type, x[0].f, isUnsigned));
        }};
      })
      .Case<arith::BitcastOp>([&](auto) {
        return Fns{[type, from](const Scalar *x, const char *&) {
          Tensor source(from, {});
          *source.mutableData() = x[0];
          return *Tensor::fromBytes(type, {}, source.toBytes()).data();
        }};
      })
      .Case<arith::SelectOp>(
          [&](auto) { return Fns{[](const Scalar *x, const char *&) { return x[0].i ? x[1] : x[2]; }}; })
      .Case<arith::CmpIOp>([&](arith::CmpIOp cmp) {
        return Fns{[predicate = cmp.getPredicate(), from](const Scalar *x, const char *&) {
          bool is = compare(predicate, x[0].i, x[1].i, asUnsigned(from, x[0].i), asUnsigned(from, x[1].i));
          return makeInt(is ? -1 : 0);
        }};
      })
      .Case<arith::CmpFOp>([&](arith::CmpFOp cmp) {
        return Fns{[predicate = cmp.getPredicate()](const Scalar *x, const char *&) {
          return makeInt(compare(predicate, x[0].f, x[1].f) ? -1 : 0);
        }};
      })
      .Default([](Operation *) { return Fns{}; });
}
