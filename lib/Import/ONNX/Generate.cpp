//===- Generate.cpp - windows, crops and reinterpretation -------------------------------------===//
//
// Operators that make tensors from sizes, and those that change what the bits mean.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

namespace {

/// a0 - a1 * cos(2 pi i / n) + a2 * cos(4 pi i / n).
void window(Registry &reg, StringRef name, double a0, double a1, double a2) {
  reg.on(name, 17, [=](Node &n) {
    FailureOr<Dims> size = n.toIndices(n.in(0));
    if (failed(size) || size->size() != 1)
      return n.fail("expected a size of one element");
    int32_t dtype = n.attrInt("output_datatype", proto::Float);
    if (!isFloatDType(dtype))
      return n.fail("element type " + dtypeName(dtype) + " is not supported");
    OpFoldResult length = n.max((*size)[0], n.idx(0));
    OpFoldResult steps = n.attrInt("periodic", 1) ? length : n.sub(length, n.idx(1));
    Value period = n.index(n.max(steps, n.idx(1)));
    return n.out(n.generic(dtype, {length}, {}, [&](Scalar &s, A) {
      Type wide = dtype == proto::Double ? Type(s.b.getF64Type()) : Type(s.b.getF32Type());
      Value i = s.fromIndex(linalg::IndexOp::create(s.b, 0), wide), p = s.fromIndex(period, wide);
      Value angle = s.div(s.mul(s.constant(wide, 6.283185307179586), i), p);
      Value r = s.sub(s.constant(wide, a0), s.mul(s.constant(wide, a1), s.op<math::CosOp>(angle)));
      if (a2 != 0)
        r = s.add(r, s.mul(s.constant(wide, a2), s.op<math::CosOp>(s.add(angle, angle))));
      return r;
    }));
  });
}

LogicalResult bitCast(Node &n) {
  V x = n.in(0);
  int32_t dtype = n.attrInt("to", 0);
  Type to = elementType(n.b.getContext(), dtype), from = n.type(x->dtype);
  if (!to)
    return n.fail("element type " + dtypeName(dtype) + " is not supported");
  if (x->dtype == proto::Bool && to.isInteger(8)) // a boolean takes a byte
    return n.out(n.cast(x, dtype));
  if (dtype == proto::Bool && from.isInteger(8))
    return n.out(n.cast(x, dtype));
  if (to.getIntOrFloatBitWidth() != from.getIntOrFloatBitWidth())
    return n.fail("expected element types of one width, but got " + dtypeName(x->dtype) + " and " + dtypeName(dtype));
  if (to == from) {
    V v = n.value(dtype, n.tensor(x), x->dims);
    return n.out(v);
  }
  // Outside `elementwise`, which would widen narrow floats first.
  Value in = n.tensor(x), init = n.empty(dtype, x->dims);
  AffineMap map = n.b.getMultiDimIdentityMap(x->rank());
  SmallVector<utils::IteratorType> loops(x->rank(), utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      n.b, TypeRange{init.getType()}, ValueRange{in}, ValueRange{init}, ArrayRef<AffineMap>{map, map}, loops,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        linalg::YieldOp::create(b, loc, arith::BitcastOp::create(b, loc, to, args[0]).getResult());
      });
  return n.out(n.value(dtype, op.getResult(0), x->dims));
}

LogicalResult centerCropPad(Node &n) {
  V x = n.in(0);
  FailureOr<Dims> shape = n.toIndices(n.in(1));
  auto axes = n.axes(n.attrInts("axes").value_or(sequence(0, x->rank())), x->rank());
  if (failed(axes))
    return failure();
  if (failed(shape) || shape->size() != axes->size())
    return n.fail("expected one size per axis");
  Dims offsets(x->rank(), n.idx(0)), sizes = x->dims, low = offsets, high = offsets;
  for (auto [i, axis] : llvm::enumerate(*axes)) {
    OpFoldResult want = (*shape)[i], have = x->dims[axis];
    OpFoldResult crop = n.max(n.sub(have, want), n.idx(0)), grow = n.max(n.sub(want, have), n.idx(0));
    offsets[axis] = n.floordiv(crop, n.idx(2));
    sizes[axis] = n.min(have, want);
    low[axis] = n.floordiv(grow, n.idx(2));
    high[axis] = n.sub(grow, low[axis]);
  }
  V cropped = n.slice(x, offsets, sizes, Ints(x->rank(), 1));
  V padded = n.pad(cropped, low, high, 0);
  Dims dims = x->dims;
  for (auto [i, axis] : llvm::enumerate(*axes))
    dims[axis] = (*shape)[i];
  return n.out(n.refine(padded, dims));
}

} // namespace

void tenon::onnx::registerGenerate(Registry &reg) {
  window(reg, "HannWindow", 0.5, 0.5, 0);
  window(reg, "HammingWindow", 25.0 / 46, 21.0 / 46, 0);
  window(reg, "BlackmanWindow", 0.42, 0.5, 0.08);
  reg.on("BitCast", 26, bitCast);
  reg.on("CenterCropPad", 18, centerCropPad);
}
