//===- ElementWise.cpp - operators that work element by element --------------------===//
//
// Arithmetic, comparisons, logic, activations and casts.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

namespace {

using Fn1 = Value (*)(Scalar &, Value);
using Fn2 = Value (*)(Scalar &, Value, Value);

void unary(Registry &reg, StringRef name, int64_t since, Fn1 fn) {
  reg.on(name, since, [fn](Node &n) {
    if (!n.has(0))
      return n.fail("expected an input");
    return n.out(n.elementwise({n.in(0)}, n.in(0)->dtype, [&](Scalar &s, A a) { return fn(s, a[0]); }));
  });
}
LogicalResult binaryNode(Node &n, Fn2 fn, int32_t dtype = 0) {
  if (!n.has(0) || !n.has(1))
    return n.fail("expected two inputs");
  V x = n.in(0), y = n.in(1);
  if (x->dtype != y->dtype)
    return n.fail("expected inputs of one element type, but got " + dtypeName(x->dtype) + " and " +
                  dtypeName(y->dtype));
  // Before opset 7, `broadcast` aligns the second input's dims with those from `axis`.
  if (n.opset < 7 && n.hasAttr("axis") && n.attrInt("broadcast", 0)) {
    Ints axes;
    auto first = n.axis(n.attrInt("axis", 0), std::max<int64_t>(x->rank(), 1));
    if (failed(first) || *first + y->rank() > x->rank())
      return n.fail("axis is out of range");
    for (int64_t i = *first + y->rank(); i < x->rank(); ++i)
      axes.push_back(y->rank() + i - (*first + y->rank()));
    y = n.unsqueeze(y, axes);
  }
  return n.out(n.elementwise({x, y}, dtype ? dtype : x->dtype, [&](Scalar &s, A a) { return fn(s, a[0], a[1]); }));
}
void binary(Registry &reg, StringRef name, int64_t since, Fn2 fn, int32_t dtype = 0) {
  reg.on(name, since, [fn, dtype](Node &n) { return binaryNode(n, fn, dtype); });
}
void variadic(Registry &reg, StringRef name, int64_t since, Fn2 fn) {
  reg.on(name, since, [fn](Node &n) {
    if (n.inputs.empty() || llvm::is_contained(n.inputs, V()))
      return n.fail("expected inputs");
    V r = n.in(0);
    for (unsigned i = 1; i < n.inputs.size(); ++i)
      r = n.elementwise({r, n.in(i)}, n.in(0)->dtype, [&](Scalar &s, A a) { return fn(s, a[0], a[1]); });
    return n.out(r);
  });
}

/// Integer division and remainder are errors for a zero divisor.
LogicalResult checkDivisor(Node &n, const V &y) {
  if (isFloatDType(y->dtype))
    return success();
  if (auto c = n.constIntsOf(y)) {
    if (llvm::is_contained(*c, 0))
      return n.fail("integer division by zero");
    return success();
  }
  V ok = n.elementwise({y}, proto::Bool, [](Scalar &s, A a) { return s.ne(a[0], s.constLike(a[0], 0)); });
  Ints all = sequence(0, y->rank());
  ok = n.reduce(ok, all, false, -1, [](Scalar &s, A a) { return s.op<arith::AndIOp>(a[0], a[1]); });
  n.check(n.truth(ok), "integer division by zero");
  return success();
}

Value gelu(Scalar &s, Value x, bool tanhForm) {
  Value half = s.constLike(x, 0.5), one = s.constLike(x, 1);
  if (!tanhForm)
    return s.mul(s.mul(half, x), s.add(one, s.erf(s.mul(x, s.constLike(x, 0.70710678118654752440)))));
  Value cube = s.mul(x, s.mul(x, x));
  Value inner = s.mul(s.constLike(x, 0.79788456080286535588), s.add(x, s.mul(s.constLike(x, 0.044715), cube)));
  return s.mul(s.mul(half, x), s.add(one, s.tanh(inner)));
}

/// base^exponent for integers: squaring, fixed number of steps; negative exponents give 0, 1 or -1.
Value powInt(Scalar &s, Value base, Value exponent) {
  Type type = base.getType();
  Value one = s.intConst(type, 1), zero = s.intConst(type, 0), result = one, square = base, e = exponent;
  Value eZero = s.intConst(e.getType(), 0), eOne = s.intConst(e.getType(), 1);
  unsigned width = type.getIntOrFloatBitWidth();
  for (unsigned bit = 1; bit <= width && bit <= 64; bit *= 2) {
    // One step per exponent bit; exponents beyond the width only matter for bases 0, 1 and -1, parity decides there.
    Value odd = s.ne(s.op<arith::AndIOp>(e, eOne), eZero);
    result = s.select(odd, s.mul(result, square), result);
    square = s.mul(square, square);
    e = s.op<arith::ShRUIOp>(e, eOne);
  }
  if (s.isUnsigned)
    return result;
  Value negative = s.op<arith::CmpIOp>(Scalar::IP::slt, exponent, eZero);
  Value isOne = s.eq(base, one), isMinusOne = s.eq(base, s.intConst(type, -1));
  Value odd = s.ne(s.op<arith::AndIOp>(exponent, eOne), eZero);
  Value inverse = s.select(isOne, one, s.select(isMinusOne, s.select(odd, base, one), zero));
  return s.select(negative, inverse, result);
}

LogicalResult pow(Node &n) {
  V x = n.in(0), y = n.in(1);
  if (!x || !y)
    return n.fail("expected two inputs");
  if (isFloatDType(x->dtype)) {
    std::optional<SmallVector<double>> c = n.constFloatsOf(y);
    double e = c && c->size() == 1 ? (*c)[0] : 0;
    if (e == 2 || e == 3 || e == 0.5 || e == 1 || e == -1)
      return n.out(n.elementwise({x, n.reshape(y, {})}, x->dtype, [&](Scalar &s, A a) -> Value {
        Value v = a[0];
        if (e == 0.5) // pow(-inf, 0.5) is inf and pow(-0, 0.5) is +0, unlike sqrt
          return s.pow(v, s.constLike(v, 0.5));
        if (e == -1)
          return s.div(s.constLike(v, 1), v);
        return e == 1 ? v : e == 2 ? s.mul(v, v) : s.mul(s.mul(v, v), v);
      }));
    return n.out(n.elementwise({x, n.cast(y, x->dtype)}, x->dtype, [](Scalar &s, A a) { return s.pow(a[0], a[1]); }));
  }
  if (isFloatDType(y->dtype)) {
    V wide = n.cast(x, proto::Double), e = n.cast(y, proto::Double);
    return n.out(
        n.cast(n.elementwise({wide, e}, proto::Double, [](Scalar &s, A a) { return s.pow(a[0], a[1]); }), x->dtype));
  }
  int32_t wide = proto::Int64;
  Type type = n.type(wide);
  bool xu = isUnsignedDType(x->dtype), yu = isUnsignedDType(y->dtype);
  Type to = n.type(x->dtype);
  return n.out(n.elementwise({x, y}, x->dtype, [&](Scalar &s, A a) {
    Scalar inner(s.b, false);
    return inner.cast(powInt(inner, inner.cast(a[0], xu, type, false), inner.cast(a[1], yu, type, false)), false, to,
                      false);
  }));
}

LogicalResult mod(Node &n) {
  V x = n.in(0), y = n.in(1);
  if (!x || !y)
    return n.fail("expected two inputs");
  bool fmod = n.attrInt("fmod", 0);
  if (failed(checkDivisor(n, y)))
    return failure();
  return binaryNode(n, fmod ? Fn2([](Scalar &s, Value x, Value y) { return s.rem(x, y); })
                            : Fn2([](Scalar &s, Value x, Value y) {
                                Value r = s.rem(x, y);
                                if (s.isUnsigned)
                                  return r;
                                Value zero = s.constLike(x, 0);
                                Value differ = s.op<arith::AndIOp>(s.ne(r, zero), s.ne(s.lt(r, zero), s.lt(y, zero)));
                                return s.select(differ, s.add(r, y), r);
                              }));
}

LogicalResult clip(Node &n) {
  V x = n.in(0);
  V low = n.in(1), high = n.in(2);
  if (n.opset < 11) {
    if (n.hasAttr("min"))
      low = n.scalar(x->dtype, n.attrFloat("min", 0));
    if (n.hasAttr("max"))
      high = n.scalar(x->dtype, n.attrFloat("max", 0));
  }
  if ((low && low->dtype != x->dtype) || (high && high->dtype != x->dtype))
    return n.fail("expected bounds of the input's element type");
  if (low && low->rank() == 1 && low->dim(0) == 1)
    low = n.reshape(low, {});
  if (high && high->rank() == 1 && high->dim(0) == 1)
    high = n.reshape(high, {});
  SmallVector<V> operands{x};
  if (low)
    operands.push_back(low);
  if (high)
    operands.push_back(high);
  return n.out(n.elementwise(operands, x->dtype, [&](Scalar &s, A a) {
    Value r = a[0];
    if (low)
      r = s.max(r, a[1]);
    if (high)
      r = s.min(r, a.back());
    return r;
  }));
}

LogicalResult castTo(Node &n, int64_t dtype) {
  V x = n.in(0);
  if (!elementType(n.b.getContext(), dtype))
    return n.fail("element type " + dtypeName(dtype) + " is not supported");
  if (dtype == proto::Float8E8M0 && n.attrString("round_mode", "up") != "nearest") {
    // Powers of two: the exponent bits, rounded up, down or to nearest.
    StringRef mode = n.attrString("round_mode", "up");
    V f = n.cast(x, proto::Float);
    bool saturate = n.attrInt("saturate", 1);
    return n.out(n.elementwise({f}, dtype, [&](Scalar &s, A a) {
      Type i32 = s.b.getI32Type(), i8 = s.b.getI8Type();
      Value bits = s.op<arith::BitcastOp>(i32, a[0]);
      Value exponent = s.op<arith::AndIOp>(s.op<arith::ShRUIOp>(bits, s.intConst(i32, 23)), s.intConst(i32, 255));
      Value mantissa = s.op<arith::AndIOp>(bits, s.intConst(i32, 0x7fffff));
      if (mode == "up") {
        Value up =
            s.op<arith::AndIOp>(s.op<arith::CmpIOp>(Scalar::IP::ne, mantissa, s.intConst(i32, 0)),
                                s.op<arith::CmpIOp>(Scalar::IP::ult, exponent, s.intConst(i32, saturate ? 254 : 255)));
        exponent = s.add(exponent, s.op<arith::ExtUIOp>(i32, up));
      }
      Value nan = s.isNaN(a[0]);
      Value inf = s.op<arith::CmpIOp>(Scalar::IP::eq, exponent, s.intConst(i32, 255));
      exponent = s.select(inf, s.intConst(i32, saturate ? 254 : 255), exponent);
      exponent = s.select(nan, s.intConst(i32, 255), exponent);
      return s.op<arith::BitcastOp>(s.b.getType<Float8E8M0FNUType>(), s.op<arith::TruncIOp>(i8, exponent));
    }));
  }
  return n.out(n.cast(x, dtype, n.attrInt("saturate", 1)));
}

LogicalResult bitShift(Node &n) {
  // Amounts are taken as unsigned: those beyond the width shift everything out (the sign stays for signed integers).
  bool left = n.attrString("direction", "") == "LEFT";
  return binaryNode(n, left ? Fn2([](Scalar &s, Value x, Value y) {
                      Value width = s.intConst(x.getType(), x.getType().getIntOrFloatBitWidth());
                      Value ok = s.op<arith::CmpIOp>(Scalar::IP::ult, y, width), zero = s.constLike(x, 0);
                      return s.select(ok, s.op<arith::ShLIOp>(x, s.select(ok, y, zero)), zero);
                    })
                            : Fn2([](Scalar &s, Value x, Value y) {
                                unsigned bits = x.getType().getIntOrFloatBitWidth();
                                Value last = s.intConst(x.getType(), bits - 1), zero = s.constLike(x, 0);
                                Value ok = s.op<arith::CmpIOp>(Scalar::IP::ule, y, last);
                                Value amount = s.select(ok, y, last);
                                if (!s.isUnsigned)
                                  return s.op<arith::ShRSIOp>(x, amount);
                                return s.select(ok, s.op<arith::ShRUIOp>(x, amount), zero);
                              }));
}

/// Activations with parameters.
template <typename Fn> void activation(Registry &reg, StringRef name, int64_t since, Fn fn) {
  reg.on(name, since, [fn](Node &n) {
    return n.out(n.elementwise({n.in(0)}, n.in(0)->dtype, [&](Scalar &s, A a) { return fn(n, s, a[0]); }));
  });
}

void registerActivations(Registry &reg) {
  unary(reg, "Relu", 1, [](Scalar &s, Value x) { return s.max(x, s.constLike(x, 0)); });
  unary(reg, "Sigmoid", 1, [](Scalar &s, Value x) { return s.sigmoid(x); });
  unary(reg, "Tanh", 1, [](Scalar &s, Value x) { return s.tanh(x); });
  unary(reg, "Softplus", 1, [](Scalar &s, Value x) { return s.softplus(x); });
  unary(reg, "Softsign", 1, [](Scalar &s, Value x) { return s.div(x, s.add(s.constLike(x, 1), s.abs(x))); });
  unary(reg, "Mish", 18, [](Scalar &s, Value x) { return s.mul(x, s.tanh(s.softplus(x))); });
  unary(reg, "HardSwish", 14, [](Scalar &s, Value x) {
    Value t = s.add(s.mul(x, s.constLike(x, 1.0 / 6)), s.constLike(x, 0.5));
    return s.mul(x, s.max(s.constLike(x, 0), s.min(s.constLike(x, 1), t)));
  });
  activation(reg, "Gelu", 20,
             [](Node &n, Scalar &s, Value x) { return gelu(s, x, n.attrString("approximate", "none") == "tanh"); });
  activation(reg, "Swish", 24, [](Node &n, Scalar &s, Value x) {
    return s.mul(x, s.sigmoid(s.mul(x, s.constLike(x, n.attrFloat("alpha", 1)))));
  });
  activation(reg, "LeakyRelu", 1, [](Node &n, Scalar &s, Value x) {
    return s.select(s.lt(x, s.constLike(x, 0)), s.mul(x, s.constLike(x, n.attrFloat("alpha", 0.01f))), x);
  });
  activation(reg, "Elu", 1, [](Node &n, Scalar &s, Value x) {
    Value e = s.op<math::ExpM1Op>(x);
    return s.select(s.lt(x, s.constLike(x, 0)), s.mul(s.constLike(x, n.attrFloat("alpha", 1)), e), x);
  });
  activation(reg, "Celu", 12, [](Node &n, Scalar &s, Value x) {
    Value alpha = s.constLike(x, n.attrFloat("alpha", 1)), zero = s.constLike(x, 0);
    Value e = s.mul(alpha, s.op<math::ExpM1Op>(s.div(x, alpha)));
    return s.add(s.max(x, zero), s.min(e, zero));
  });
  activation(reg, "Selu", 1, [](Node &n, Scalar &s, Value x) {
    Value alpha = s.constLike(x, n.attrFloat("alpha", 1.67326319217681884765625f));
    Value gamma = s.constLike(x, n.attrFloat("gamma", 1.05070102214813232421875f));
    Value e = s.mul(alpha, s.op<math::ExpM1Op>(x));
    return s.mul(gamma, s.select(s.gt(x, s.constLike(x, 0)), x, e));
  });
  activation(reg, "HardSigmoid", 1, [](Node &n, Scalar &s, Value x) {
    Value t = s.add(s.mul(x, s.constLike(x, n.attrFloat("alpha", 0.2f))), s.constLike(x, n.attrFloat("beta", 0.5f)));
    return s.max(s.constLike(x, 0), s.min(s.constLike(x, 1), t));
  });
  activation(reg, "ThresholdedRelu", 1, [](Node &n, Scalar &s, Value x) {
    return s.select(s.gt(x, s.constLike(x, n.attrFloat("alpha", 1))), x, s.constLike(x, 0));
  });
  activation(reg, "Shrink", 9, [](Node &n, Scalar &s, Value x) {
    // The bounds are reals: integers are compared as f32.
    Type type = x.getType();
    bool u = s.isUnsigned;
    Value f = Scalar::isFloat(x) ? x : s.cast(x, u, s.b.getF32Type(), false);
    Value lambd = s.constLike(f, n.attrFloat("lambd", 0.5f)), bias = s.constLike(f, n.attrFloat("bias", 0));
    Value r =
        s.select(s.lt(f, s.neg(lambd)), s.add(f, bias), s.select(s.gt(f, lambd), s.sub(f, bias), s.constLike(f, 0)));
    return r.getType() == type ? r : s.cast(r, false, type, u);
  });
  reg.on("PRelu", 1, [](Node &n) {
    V x = n.in(0), slope = n.in(1);
    // Before opset 7 (and in files of careless exporters) the slope has one entry per channel.
    if (slope->rank() == 1 && x->rank() > 2 && slope->dim(0) == x->dim(1) && slope->dim(0) != 1 &&
        (n.opset < 7 || x->dim(x->rank() - 1) != slope->dim(0))) {
      Ints axes = sequence(1, x->rank() - 1);
      slope = n.unsqueeze(slope, axes);
    }
    return n.out(n.elementwise({x, slope}, x->dtype, [](Scalar &s, A a) {
      return s.select(s.lt(a[0], s.constLike(a[0], 0)), s.mul(a[0], a[1]), a[0]);
    }));
  });
}

void registerMath(Registry &reg) {
  unary(reg, "Abs", 1, [](Scalar &s, Value x) { return s.abs(x); });
  unary(reg, "Neg", 1, [](Scalar &s, Value x) { return s.neg(x); });
  unary(reg, "Exp", 1, [](Scalar &s, Value x) { return s.exp(x); });
  unary(reg, "Log", 1, [](Scalar &s, Value x) { return s.log(x); });
  unary(reg, "Sqrt", 1, [](Scalar &s, Value x) { return s.sqrt(x); });
  unary(reg, "Erf", 9, [](Scalar &s, Value x) { return s.erf(x); });
  unary(reg, "Floor", 1, [](Scalar &s, Value x) { return s.floor(x); });
  unary(reg, "Ceil", 1, [](Scalar &s, Value x) { return s.ceil(x); });
  unary(reg, "Round", 11, [](Scalar &s, Value x) { return s.roundEven(x); });
  unary(reg, "Reciprocal", 1, [](Scalar &s, Value x) { return s.div(s.constLike(x, 1), x); });
  unary(reg, "Sin", 7, [](Scalar &s, Value x) { return s.op<math::SinOp>(x); });
  unary(reg, "Cos", 7, [](Scalar &s, Value x) { return s.op<math::CosOp>(x); });
  unary(reg, "Tan", 7, [](Scalar &s, Value x) { return s.op<math::TanOp>(x); });
  unary(reg, "Asin", 7, [](Scalar &s, Value x) { return s.op<math::AsinOp>(x); });
  unary(reg, "Acos", 7, [](Scalar &s, Value x) { return s.op<math::AcosOp>(x); });
  unary(reg, "Atan", 7, [](Scalar &s, Value x) { return s.op<math::AtanOp>(x); });
  unary(reg, "Sinh", 9, [](Scalar &s, Value x) { return s.op<math::SinhOp>(x); });
  unary(reg, "Cosh", 9, [](Scalar &s, Value x) { return s.op<math::CoshOp>(x); });
  unary(reg, "Asinh", 9, [](Scalar &s, Value x) { return s.op<math::AsinhOp>(x); });
  unary(reg, "Acosh", 9, [](Scalar &s, Value x) { return s.op<math::AcoshOp>(x); });
  unary(reg, "Atanh", 9, [](Scalar &s, Value x) { return s.op<math::AtanhOp>(x); });
  unary(reg, "Not", 1, [](Scalar &s, Value x) { return s.logicalNot(x); });
  unary(reg, "BitwiseNot", 18, [](Scalar &s, Value x) { return s.op<arith::XOrIOp>(x, s.intConst(x.getType(), -1)); });
  unary(reg, "Sign", 9, [](Scalar &s, Value x) {
    Value zero = s.constLike(x, 0), one = s.constLike(x, 1);
    if (s.isUnsigned)
      return s.select(s.eq(x, zero), zero, one);
    Value sign = s.select(s.gt(x, zero), one, s.select(s.lt(x, zero), s.constLike(x, -1), zero));
    return Scalar::isFloat(x) ? s.select(s.isNaN(x), x, sign) : sign;
  });
  reg.on("IsNaN", 9, [](Node &n) {
    return n.out(n.elementwise({n.in(0)}, proto::Bool, [](Scalar &s, A a) { return s.isNaN(a[0]); }));
  });
  reg.on("IsInf", 10, [](Node &n) {
    bool positive = n.attrInt("detect_positive", 1), negative = n.attrInt("detect_negative", 1);
    return n.out(n.elementwise({n.in(0)}, proto::Bool, [&](Scalar &s, A a) -> Value {
      Value inf = s.constLike(a[0], INFINITY), minus = s.constLike(a[0], -INFINITY);
      Value none = s.intConst(s.b.getI1Type(), 0);
      Value p = positive ? s.eq(a[0], inf) : none, m = negative ? s.eq(a[0], minus) : none;
      return s.op<arith::OrIOp>(p, m);
    }));
  });
  binary(reg, "Add", 1, [](Scalar &s, Value x, Value y) { return s.add(x, y); });
  binary(reg, "Sub", 1, [](Scalar &s, Value x, Value y) { return s.sub(x, y); });
  binary(reg, "Mul", 1, [](Scalar &s, Value x, Value y) { return s.mul(x, y); });
  reg.on("Div", 1, [](Node &n) {
    if (!n.has(0) || !n.has(1))
      return n.fail("expected two inputs");
    if (failed(checkDivisor(n, n.in(1))))
      return failure();
    return binaryNode(n, [](Scalar &s, Value x, Value y) { return s.div(x, y); });
  });
  reg.on("Mod", 10, mod);
  reg.on("Pow", 1, pow);
  reg.on("BitShift", 11, bitShift);
  variadic(reg, "Max", 1, [](Scalar &s, Value x, Value y) { return s.max(x, y); });
  variadic(reg, "Min", 1, [](Scalar &s, Value x, Value y) { return s.min(x, y); });
  variadic(reg, "Sum", 1, [](Scalar &s, Value x, Value y) { return s.add(x, y); });
  reg.on("Mean", 1, [](Node &n) {
    V r = n.in(0);
    for (unsigned i = 1; i < n.inputs.size() && r; ++i)
      r = n.addV(r, n.in(i));
    return n.out(r ? n.divV(r, n.scalar(r->dtype, n.inputs.size())) : r);
  });
  Fn2 logicalAnd = [](Scalar &s, Value x, Value y) { return s.op<arith::AndIOp>(x, y); };
  Fn2 logicalOr = [](Scalar &s, Value x, Value y) { return s.op<arith::OrIOp>(x, y); };
  Fn2 logicalXor = [](Scalar &s, Value x, Value y) { return s.op<arith::XOrIOp>(x, y); };
  binary(reg, "And", 1, logicalAnd);
  binary(reg, "Or", 1, logicalOr);
  binary(reg, "Xor", 1, logicalXor);
  binary(reg, "BitwiseAnd", 18, logicalAnd);
  binary(reg, "BitwiseOr", 18, logicalOr);
  binary(reg, "BitwiseXor", 18, logicalXor);
  binary(reg, "Equal", 1, [](Scalar &s, Value x, Value y) { return s.eq(x, y); }, proto::Bool);
  binary(reg, "Less", 1, [](Scalar &s, Value x, Value y) { return s.lt(x, y); }, proto::Bool);
  binary(reg, "Greater", 1, [](Scalar &s, Value x, Value y) { return s.gt(x, y); }, proto::Bool);
  binary(reg, "LessOrEqual", 12, [](Scalar &s, Value x, Value y) { return s.le(x, y); }, proto::Bool);
  binary(reg, "GreaterOrEqual", 12, [](Scalar &s, Value x, Value y) { return s.ge(x, y); }, proto::Bool);
}

} // namespace

void tenon::onnx::registerElementWise(Registry &reg) {
  registerMath(reg);
  registerActivations(reg);
  reg.on("Clip", 6, clip);
  reg.on("Cast", 6, [](Node &n) { return castTo(n, n.attrInt("to", 0)); });
  reg.on("CastLike", 15, [](Node &n) { return castTo(n, n.in(1)->dtype); });
  reg.on("Identity", 1, [](Node &n) { return n.out(n.in(0)); });
  reg.on("Dropout", 1, [](Node &n) {
    if (n.has(2)) {
      auto training = n.constIntsOf(n.in(2));
      std::optional<SmallVector<double>> ratio;
      if (n.has(1))
        ratio = n.constFloatsOf(n.in(1));
      if ((!training || (*training)[0]) && !(ratio && (*ratio)[0] == 0))
        return n.fail("training mode is not supported");
    }
    if (n.opset < 7 && !n.attrInt("is_test", 0))
      return n.fail("training mode is not supported");
    if (n.wants(1))
      (void)n.out(1, n.fill(proto::Bool, n.in(0)->dims, 1));
    return n.out(n.in(0));
  });
  reg.on("Where", 9, [](Node &n) {
    V c = n.in(0), x = n.in(1), y = n.in(2);
    if (x->dtype != y->dtype)
      return n.fail("expected branches of one element type");
    return n.out(n.elementwise({x, y, c}, x->dtype, [](Scalar &s, A a) { return s.select(a[2], a[0], a[1]); }));
  });
}
