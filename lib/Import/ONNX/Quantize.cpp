//===- Quantize.cpp - QuantizeLinear and its relatives ------------------------------------===//
//
// Per tensor, per axis and blocked scales.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

namespace {

/// Scale or zero point as a value that broadcasts against `x`; null after a reported failure.
V spread(Node &n, const V &x, const V &p, int64_t axis, int64_t block) {
  if (p->rank() == 0 || (p->rank() == 1 && p->dim(0) == 1 && block == 0))
    return n.reshape(p, {});
  if (block == 0) {
    if (p->rank() != 1) {
      (void)n.fail("expected a scale of rank 0 or 1, but got " + Twine(p->rank()));
      return {};
    }
    return axis + 1 < x->rank() ? n.unsqueeze(p, sequence(1, x->rank() - axis)) : p;
  }
  if (p->rank() != x->rank()) {
    (void)n.fail("expected a blocked scale of the input's rank");
    return {};
  }
  // Each entry stands for `block` elements: repeat, then cut the last block.
  V wide = n.unsqueeze(p, {axis + 1});
  Dims dims = wide->dims;
  dims[axis + 1] = n.idx(block);
  wide = n.expand(wide, dims);
  Dims flat = p->dims;
  flat[axis] = n.mul(p->dims[axis], n.idx(block));
  return n.sliceAxis(n.reshape(wide, flat), axis, n.idx(0), x->dims[axis]);
}

LogicalResult quantize(Node &n) {
  V x = n.in(0), scale = n.in(1), zero = n.in(2);
  if (!x || !scale)
    return n.fail("expected an input and a scale");
  int32_t dtype = zero ? zero->dtype : n.attrInt("output_dtype", proto::UInt8);
  if (n.attrInt("output_dtype", 0) && zero && zero->dtype != n.attrInt("output_dtype", 0))
    return n.fail("output_dtype differs from the zero point's element type");
  if (!dtype)
    dtype = proto::UInt8;
  if (!elementType(n.b.getContext(), dtype))
    return n.fail("element type " + dtypeName(dtype) + " is not supported");
  int64_t rank = std::max<int64_t>(x->rank(), 1);
  auto axis = n.axis(n.attrInt("axis", 1), std::max<int64_t>(rank, n.attrInt("axis", 1) == rank ? rank + 1 : rank));
  if (failed(axis))
    return failure();
  int64_t block = n.attrInt("block_size", 0);
  V s = spread(n, x, n.cast(scale, proto::Float), *axis, block);
  V z = zero ? spread(n, x, n.cast(zero, proto::Float), *axis, block) : n.scalar(proto::Float, 0);
  if (!s || !z)
    return failure();
  V f = n.cast(x, proto::Float);
  bool toFloat = isFloatDType(dtype);
  V q = n.elementwise({f, s, z}, proto::Float, [&](Scalar &sc, A a) {
    Value v = sc.div(a[0], a[1]);
    if (toFloat)
      return sc.add(v, a[2]);
    v = sc.add(sc.roundEven(v), a[2]);
    unsigned width = elementType(v.getContext(), dtype).getIntOrFloatBitWidth();
    if (width >= 8) // the cast saturates
      return v;
    bool isUnsigned = isUnsignedDType(dtype);
    double high = (1 << (isUnsigned ? width : width - 1)) - 1, low = isUnsigned ? 0 : -high - 1;
    return sc.min(sc.max(v, sc.constLike(v, low)), sc.constLike(v, high));
  });
  return n.out(n.cast(q, dtype, n.attrInt("saturate", 1)));
}

LogicalResult dequantize(Node &n) {
  V x = n.in(0), scale = n.in(1), zero = n.in(2);
  if (!x || !scale)
    return n.fail("expected an input and a scale");
  int32_t dtype = n.attrInt("output_dtype", 0) ? n.attrInt("output_dtype", 0) : scale->dtype;
  int64_t rank = std::max<int64_t>(x->rank(), 1), given = n.attrInt("axis", 1);
  auto axis = n.axis(given, given == rank ? rank + 1 : rank);
  if (failed(axis))
    return failure();
  int64_t block = n.attrInt("block_size", 0);
  V s = spread(n, x, n.cast(scale, proto::Float), *axis, block), z;
  if (zero)
    z = spread(n, x, zero, *axis, block);
  if (!s || (zero && !z))
    return failure();
  V v;
  if (isFloatDType(x->dtype)) {
    v = n.cast(x, proto::Float);
    if (z)
      v = n.subV(v, n.cast(z, proto::Float));
  } else {
    v = n.cast(x, proto::Int32);
    if (z)
      v = n.subV(v, n.cast(z, proto::Int32));
    v = n.cast(v, proto::Float);
  }
  return n.out(n.cast(n.mulV(v, s), dtype));
}

LogicalResult dynamicQuantize(Node &n) {
  V x = n.in(0);
  Ints all = sequence(0, x->rank());
  V low = n.reduce(x, all, false, 0, [](Scalar &s, A a) { return s.min(a[0], a[1]); });
  V high = n.reduce(x, all, false, 0, [](Scalar &s, A a) { return s.max(a[0], a[1]); });
  V scale = n.elementwise({low, high}, proto::Float,
                          [](Scalar &s, A a) { return s.div(s.sub(a[1], a[0]), s.constLike(a[0], 255)); });
  auto safe = [](Scalar &s, Value v) { return s.select(s.eq(v, s.constLike(v, 0)), s.constLike(v, 1), v); };
  V zero = n.elementwise({low, scale}, proto::Float, [&](Scalar &s, A a) {
    Value z = s.roundEven(s.div(s.neg(a[0]), safe(s, a[1])));
    return s.min(s.max(z, s.constLike(z, 0)), s.constLike(z, 255));
  });
  V q = n.elementwise({x, scale, zero}, proto::Float,
                      [&](Scalar &s, A a) { return s.add(s.roundEven(s.div(a[0], safe(s, a[1]))), a[2]); });
  if (failed(n.out(0, n.cast(q, proto::UInt8))) || failed(n.out(1, scale)))
    return failure();
  return n.out(2, n.cast(zero, proto::UInt8));
}

} // namespace

void tenon::onnx::registerQuantize(Registry &reg) {
  reg.on("QuantizeLinear", 10, quantize);
  reg.on("DequantizeLinear", 10, dequantize);
  reg.on("DynamicQuantizeLinear", 11, dynamicQuantize);
}
