//===- Normalization.cpp - normalizations by statistics, computed or given -----------===//
//
// All are spelled out as reductions and element-wise chains; kernel formation makes one kernel of each.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

namespace {

/// The type in which statistics are computed: f32 for narrow floats.
int32_t wideType(int32_t dtype) { return dtype == proto::Double ? proto::Double : proto::Float; }

/// [C] against [N, C, D1, ...]: [C, 1, ...].
V alignChannels(Node &n, const V &v, int64_t rank) { return n.unsqueeze(v, sequence(1, rank - 1)); }

/// 1 / sqrt(v + epsilon)
V inverseRoot(Node &n, const V &v, double epsilon) {
  return n.elementwise({v}, v->dtype, [&](Scalar &s, A a) {
    return s.div(s.constLike(a[0], 1), s.sqrt(s.add(a[0], s.constLike(a[0], epsilon))));
  });
}

/// (x - mean) / sqrt(variance + epsilon) over `axes`.
V standardize(Node &n, const V &x, ArrayRef<int64_t> axes, double epsilon, V *meanOut = nullptr, V *inverseOut = nullptr) {
  V mean = n.mean(x, axes, true);
  V centered = n.subV(x, mean);
  V inverse = inverseRoot(n, n.mean(n.mulV(centered, centered), axes, true), epsilon);
  if (meanOut)
    *meanOut = mean;
  if (inverseOut)
    *inverseOut = inverse;
  return n.mulV(centered, inverse);
}

LogicalResult batchNormalization(Node &n) {
  V x = n.in(0);
  if (n.attrInt("training_mode", 0) || (n.opset < 7 && !n.attrInt("is_test", 0)))
    return n.fail("training mode is not supported");
  if (x->rank() < 2)
    return n.fail("expected an input of rank 2 or more, but got rank " + Twine(x->rank()));
  int32_t wide = wideType(x->dtype);
  V scale = n.cast(n.in(1), wide), bias = n.cast(n.in(2), wide), mean = n.cast(n.in(3), wide), variance = n.cast(n.in(4), wide);
  for (const V &v : {scale, bias, mean, variance})
    if (v->rank() != 1)
      return n.fail("expected scale, bias, mean and variance of rank 1, but got rank " + Twine(v->rank()));
  // Two vectors of the weights alone, so that one multiply-add per element is left.
  V factor = n.mulV(scale, inverseRoot(n, variance, n.attrFloat("epsilon", 1e-5f)));
  V shift = n.subV(bias, n.mulV(mean, factor));
  V y = n.addV(n.mulV(n.cast(x, wide), alignChannels(n, factor, x->rank())), alignChannels(n, shift, x->rank()));
  return n.out(n.cast(y, x->dtype));
}

LogicalResult instanceNormalization(Node &n) {
  V x = n.in(0);
  if (x->rank() < 3)
    return n.fail("expected an input of rank 3 or more, but got rank " + Twine(x->rank()));
  int32_t wide = wideType(x->dtype);
  V y = standardize(n, n.cast(x, wide), sequence(2, x->rank()), n.attrFloat("epsilon", 1e-5f));
  y = n.addV(n.mulV(y, alignChannels(n, n.cast(n.in(1), wide), x->rank())), alignChannels(n, n.cast(n.in(2), wide), x->rank()));
  return n.out(n.cast(y, x->dtype));
}

LogicalResult layerNormalization(Node &n) {
  V x = n.in(0);
  FailureOr<int64_t> axis = n.axis(n.attrInt("axis", -1), x->rank());
  if (failed(axis))
    return failure();
  int32_t wide = n.attrInt("stash_type", 1) == 1 ? wideType(x->dtype) : x->dtype;
  V mean, inverse;
  V y = standardize(n, n.cast(x, wide), sequence(*axis, x->rank()), n.attrFloat("epsilon", 1e-5f), &mean, &inverse);
  y = n.mulV(n.cast(y, x->dtype), n.in(1));
  if (n.has(2))
    y = n.addV(y, n.in(2));
  if (n.wants(1) && failed(n.out(1, mean)))
    return failure();
  if (n.wants(2) && failed(n.out(2, inverse)))
    return failure();
  return n.out(y);
}

LogicalResult rmsNormalization(Node &n) {
  V x = n.in(0);
  FailureOr<int64_t> axis = n.axis(n.attrInt("axis", -1), x->rank());
  if (failed(axis))
    return failure();
  int32_t wide = n.attrInt("stash_type", 1) == 1 ? wideType(x->dtype) : x->dtype;
  V w = n.cast(x, wide);
  V inverse = inverseRoot(n, n.mean(n.mulV(w, w), sequence(*axis, x->rank()), true), n.attrFloat("epsilon", 1e-5f));
  return n.out(n.mulV(n.cast(n.mulV(w, inverse), x->dtype), n.in(1)));
}

LogicalResult groupNormalization(Node &n) {
  V x = n.in(0);
  int64_t groups = n.attrInt("num_groups", 0);
  if (x->rank() < 2 || groups < 1 || (x->dim(1) > 0 && x->dim(1) % groups != 0))
    return n.fail("expected 'num_groups' to divide the channels, but got " + Twine(groups) + " and " + Twine(x->rank() < 2 ? 0 : x->dim(1)));
  int32_t wide = n.opset >= 21 && n.attrInt("stash_type", 1) != 1 ? x->dtype : wideType(x->dtype);
  Dims split{x->dims[0], n.idx(groups), n.floordiv(x->dims[1], n.idx(groups))};
  split.append(x->dims.begin() + 2, x->dims.end());
  V grouped = n.reshape(n.cast(x, wide), split);
  V y = standardize(n, grouped, sequence(2, grouped->rank()), n.attrFloat("epsilon", 1e-5f));
  auto perElement = [&](const V &v) {
    V w = n.cast(v, wide);
    if (n.opset >= 21) // one per channel; before, one per group
      return n.unsqueeze(n.reshape(w, {n.idx(groups), n.floordiv(x->dims[1], n.idx(groups))}), sequence(2, x->rank()));
    return n.unsqueeze(w, sequence(1, x->rank()));
  };
  y = n.addV(n.mulV(y, perElement(n.in(1))), perElement(n.in(2)));
  return n.out(n.cast(n.reshape(y, x->dims), x->dtype));
}

LogicalResult lrn(Node &n) {
  V x = n.in(0);
  int64_t size = n.attrInt("size", 0);
  if (size < 1 || x->rank() < 2)
    return n.fail("expected 'size' of at least 1 and an input of rank 2 or more, but got " + Twine(size) + " and " + Twine(x->rank()));
  double alpha = n.attrFloat("alpha", 1e-4f), beta = n.attrFloat("beta", 0.75f), bias = n.attrFloat("bias", 1.0f);
  int32_t wide = wideType(x->dtype);
  V w = n.cast(x, wide), squares = n.mulV(w, w);
  Dims low(x->rank(), n.idx(0)), high(x->rank(), n.idx(0));
  low[1] = n.idx((size - 1) / 2);
  high[1] = n.idx(size / 2);
  V padded = n.pad(squares, low, high, 0);
  // A window over channels is a sum over a further, small dim.
  unsigned rank = x->rank();
  SmallVector<AffineExpr> exprs;
  for (unsigned i = 0; i < rank; ++i)
    exprs.push_back(n.b.getAffineDimExpr(i));
  exprs[1] = exprs[1] + n.b.getAffineDimExpr(rank);
  V sum = n.generic(wide, x->dims, {{padded, AffineMap::get(rank + 1, 0, exprs, n.b.getContext())}},
                    [](Scalar &s, A a) { return s.add(a[0], a[1]); }, 1, n.constant(n.type(wide), 0), {n.idx(size)});
  V y = n.elementwise({w, sum}, wide, [&](Scalar &s, A a) {
    return s.div(a[0], s.pow(s.add(s.constLike(a[1], bias), s.mul(s.constLike(a[1], alpha / size), a[1])), s.constLike(a[1], beta)));
  });
  return n.out(n.cast(y, x->dtype));
}

LogicalResult lpNormalization(Node &n) {
  V x = n.in(0);
  FailureOr<int64_t> axis = n.axis(n.attrInt("axis", -1), x->rank());
  if (failed(axis))
    return failure();
  int64_t p = n.attrInt("p", 2);
  if (p != 1 && p != 2)
    return n.fail("expected 'p' to be 1 or 2, but got " + Twine(p));
  V powers = n.elementwise({x}, x->dtype, [&](Scalar &s, A a) { return p == 1 ? s.abs(a[0]) : s.mul(a[0], a[0]); });
  V sum = n.sum(powers, {*axis}, true);
  return n.out(n.elementwise({x, sum}, x->dtype, [&](Scalar &s, A a) {
    Value norm = p == 1 ? a[1] : s.sqrt(a[1]), zero = s.constLike(a[1], 0);
    return s.select(s.eq(norm, zero), zero, s.div(a[0], norm));
  }));
}

LogicalResult meanVarianceNormalization(Node &n) {
  V x = n.in(0);
  FailureOr<Ints> axes = n.axes(n.attrInts("axes").value_or(Ints{0, 2, 3}), x->rank());
  if (failed(axes))
    return failure();
  V mean = n.mean(x, *axes, true), centered = n.subV(x, mean);
  V variance = n.mean(n.mulV(centered, centered), *axes, true);
  return n.out(n.elementwise({centered, variance}, x->dtype,
                             [](Scalar &s, A a) { return s.div(a[0], s.add(s.sqrt(a[1]), s.constLike(a[1], 1e-9))); }));
}

} // namespace

void tenon::onnx::registerNormalization(Registry &reg) {
  reg.on("BatchNormalization", 6, batchNormalization);
  reg.on("InstanceNormalization", 6, instanceNormalization);
  reg.on("LayerNormalization", 17, layerNormalization);
  reg.on("RMSNormalization", 23, rmsNormalization);
  reg.on("GroupNormalization", 18, groupNormalization);
  reg.on("LRN", 1, lrn);
  reg.on("LpNormalization", 1, lpNormalization);
  reg.on("MeanVarianceNormalization", 9, meanVarianceNormalization);
}
