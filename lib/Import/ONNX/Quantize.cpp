//===- Quantize.cpp - QuantizeLinear and its relatives ------------------------------------===//
//
// Per tensor, per axis and blocked scales. Weights of matmuls become tenon.dequantize, which contractions take in; what
// is computed at run time is element-wise arithmetic.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"
#include "tenon/Dialect/IR/Formats.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;
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
  // Quotients have the precision that is asked for, else the scale's.
  int32_t precision = n.attrInt("precision", 0) ? n.attrInt("precision", 0) : scale->dtype;
  bool narrow = precision == proto::Float16 || precision == proto::BFloat16;
  V quotient = n.divV(n.cast(x, proto::Float), s);
  if (narrow)
    quotient = n.cast(n.cast(quotient, precision), proto::Float);
  bool toFloat = isFloatDType(dtype);
  V q = n.elementwise({quotient, z}, proto::Float, [&](Scalar &sc, A a) {
    Value v = a[0];
    if (toFloat)
      return sc.add(v, a[1]);
    v = sc.add(sc.roundEven(v), a[1]);
    unsigned width = elementType(v.getContext(), dtype).getIntOrFloatBitWidth();
    if (width >= 8) // the cast saturates
      return v;
    bool isUnsigned = isUnsignedDType(dtype);
    double high = (1 << (isUnsigned ? width : width - 1)) - 1, low = isUnsigned ? 0 : -high - 1;
    return sc.min(sc.max(v, sc.constLike(v, low)), sc.constLike(v, high));
  });
  return n.out(n.cast(q, dtype, n.attrInt("saturate", 1)));
}

/// The tenon type of a stored integer; floats as they are.
Type storedType(Node &n, int32_t dtype) {
  Type type = elementType(n.b.getContext(), dtype);
  if (!type.isInteger())
    return type;
  return IntegerType::get(n.b.getContext(), type.getIntOrFloatBitWidth(),
                          isUnsignedDType(dtype) ? IntegerType::Unsigned : IntegerType::Signed);
}

bool isScaleDType(int32_t dtype) {
  return dtype == proto::Float || dtype == proto::Float16 || dtype == proto::BFloat16;
}

/// A matrix of codes from the file as tenon.dequantize, so that a contraction decodes it; null for all others.
V dequantizeWeight(Node &n, const V &x, const V &scale, const V &zero, int64_t axis, int64_t block, int32_t dtype) {
  Type element = elementType(n.b.getContext(), x->dtype);
  bool integers = element.isInteger();
  if (!x->weight || x->isKnown || x->rank() != 2 || element.getIntOrFloatBitWidth() > 8 || element.isInteger(1) ||
      isa<Float8E8M0FNUType>(element) || (zero && !integers) || !isScaleDType(scale->dtype) || !isScaleDType(dtype) ||
      !scale->hasStaticShape())
    return {};
  Dims sizes{n.idx(1), n.idx(1)};
  int64_t along = axis;
  if (block > 0) {
    sizes = scale->dims;
  } else {
    along = axis == 0 ? 1 : 0; // any other dim: all of it has one scale
    if (scale->count() != 1)
      sizes[axis] = x->dims[axis];
    if (scale->count() != 1 && scale->count() != x->dim(axis))
      return {};
  }
  Value zeros;
  if (zero)
    zeros = n.tensor(n.reshape(zero, sizes));
  auto format =
      FormatAttr::get(n.b.getContext(), storedType(n, x->dtype), nullptr, 0, zero ? storedType(n, zero->dtype) : Type(),
                      block, n.type(scale->dtype), Type(), 0, Type(), 0, 0, {}, -1, -1, -1);
  Value result = DequantizeOp::create(n.b, n.tensorType(dtype, x->dims), n.tensor(x), n.tensor(n.reshape(scale, sizes)),
                                      zeros, Value(), Value(), along, format);
  return n.value(dtype, result, x->dims);
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
  if (V weight = dequantizeWeight(n, x, scale, zero, *axis, block, dtype))
    return n.out(weight);
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

/// com.microsoft.MatMulNBits: a times the transposed matrix of codes, which lie in blocks along K.
LogicalResult matmulNBits(Node &n) {
  V a = n.in(0), codes = n.in(1), scales = n.in(2), zeros = n.in(3), bias = n.in(5);
  int64_t k = n.attrInt("K", 0), columns = n.attrInt("N", 0), bits = n.attrInt("bits", 4);
  int64_t block = n.attrInt("block_size", 0);
  if (n.has(4))
    return n.fail("groups by an index (g_idx) are not supported");
  if (bits != 2 && bits != 4 && bits != 8)
    return n.fail("expected codes of 2, 4 or 8 bits, but got " + Twine(bits));
  if (k < 1 || columns < 1 || block < 1 || block * bits % 8 != 0)
    return n.fail("expected positive K and N and blocks of whole bytes, but got " + Twine(k) + ", " + Twine(columns) +
                  " and blocks of " + Twine(block));
  int64_t blocks = llvm::divideCeil(k, block), bytes = block * bits / 8, packed = llvm::divideCeil(blocks * bits, 8);
  if (codes->dtype != proto::UInt8 || codes->count() != columns * blocks * bytes)
    return n.fail("expected " + Twine(columns) + " x " + Twine(blocks) + " x " + Twine(bytes) +
                  " bytes of codes, but got " + Twine(codes->count()) + " elements of " + dtypeName(codes->dtype));
  if (!isScaleDType(scales->dtype) || scales->count() != columns * blocks)
    return n.fail("expected " + Twine(columns) + " x " + Twine(blocks) + " scales, but got " + Twine(scales->count()) +
                  " elements of " + dtypeName(scales->dtype));
  bool floats = zeros && isFloatDType(zeros->dtype);
  int64_t wanted = columns * (floats ? blocks : packed);
  if (zeros && ((!floats && zeros->dtype != proto::UInt8) || zeros->count() != wanted))
    return n.fail("expected " + Twine(wanted) + " zero points, but got " + Twine(zeros->count()) + " elements of " +
                  dtypeName(zeros->dtype));
  if (!isFloatDType(a->dtype))
    return n.fail("expected an input of floats, but got " + dtypeName(a->dtype));
  Dims groups{n.idx(columns), n.idx(blocks)};
  scales = n.reshape(scales, groups);
  auto makeFormat = [&](int64_t offset, Type zero, Type scale, Type minimum, int64_t group, int64_t size,
                        int64_t sizeBytes) {
    Type element = IntegerType::get(n.b.getContext(), bits, IntegerType::Unsigned);
    return FormatAttr::get(n.b.getContext(), element, nullptr, offset, zero, group, scale, minimum, 0, Type(), size,
                           sizeBytes, ArrayRef<int64_t>{0, bits, 1}, -1, -1, -1);
  };
  Value zeroCodes, minimums;
  if (floats) { // scale * (code - zero) = scale * code - scale * zero
    V shift = n.elementwise({n.cast(scales, proto::Float), n.reshape(n.cast(zeros, proto::Float), groups)},
                            proto::Float, [](Scalar &s, A e) { return s.neg(s.mul(e[0], e[1])); });
    minimums = n.tensor(shift);
  } else if (zeros) { // several in a byte, like codes
    V bytesOf = n.reshape(zeros, {n.idx(columns), n.idx(packed)});
    auto format = makeFormat(0, Type(), Type(), Type(), 0, 8 / bits, 1);
    Value numbers = DequantizeOp::create(n.b, n.tensorType(proto::Float, groups), n.tensor(bytesOf), Value(), Value(),
                                         Value(), Value(), 1, format);
    zeroCodes = n.tensor(n.cast(n.value(proto::Float, numbers, groups), proto::UInt8));
  }
  auto format = makeFormat(zeros ? 0 : int64_t(1) << (bits - 1),
                           zeroCodes ? Type(IntegerType::get(n.b.getContext(), bits, IntegerType::Unsigned)) : Type(),
                           n.type(scales->dtype), minimums ? Type(n.b.getF32Type()) : Type(), block, block, bytes);
  int32_t dtype = isScaleDType(a->dtype) ? a->dtype : int32_t(proto::Float);
  Dims shape{n.idx(columns), n.idx(k)};
  V records = n.reshape(codes, {n.idx(columns), n.idx(blocks * bytes)});
  Value weight = DequantizeOp::create(n.b, n.tensorType(dtype, shape), n.tensor(records), n.tensor(scales), zeroCodes,
                                      minimums, Value(), 1, format);
  V product = n.matmul(n.cast(a, dtype), n.transpose(n.value(dtype, weight, shape), {1, 0}));
  if (product && bias)
    product = n.addV(product, n.cast(bias, dtype));
  return n.out(n.cast(product, a->dtype));
}

} // namespace

void tenon::onnx::registerQuantize(Registry &reg) {
  reg.on("QuantizeLinear", 10, quantize);
  reg.on("DequantizeLinear", 10, dequantize);
  reg.on("DynamicQuantizeLinear", 11, dynamicQuantize);
  reg.on("MatMulNBits", 1, matmulNBits, "com.microsoft");
}
