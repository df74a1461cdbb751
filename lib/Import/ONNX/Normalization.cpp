//===- Normalization.cpp - operators that normalize ---------------------------------------===//
//
// Each is decomposed into reductions and element-wise ops; fusion puts them together again.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

namespace {

/// f32 for narrow floats, the type itself otherwise.
int32_t wideOf(int32_t dtype) { return dtype == proto::Double ? dtype : int32_t(proto::Float); }

/// A vector over the channels, as a tensor that broadcasts over dims after the channel.
V perChannel(Node &n, const V &v, int64_t rank) { return rank > 2 ? n.unsqueeze(v, sequence(1, rank - 1)) : v; }

V rsqrt(Node &n, const V &v, float epsilon) {
  return n.elementwise({v}, v->dtype, [&](Scalar &s, A a) {
    return s.div(s.constLike(a[0], 1), s.sqrt(s.add(a[0], s.constLike(a[0], epsilon))));
  });
}
V square(Node &n, const V &v) {
  return n.elementwise({v}, v->dtype, [](Scalar &s, A a) { return s.mul(a[0], a[0]); });
}

LogicalResult batchNorm(Node &n) {
  if (n.inputs.size() < 5)
    return n.fail("expected 5 inputs");
  V x = n.in(0), scale = n.in(1), bias = n.in(2), mean = n.in(3), variance = n.in(4);
  int64_t rank = x->rank();
  bool training = n.opset >= 14 ? n.attrInt("training_mode", 0) : n.opset < 7 ? !n.attrInt("is_test", 0) : false;
  float epsilon = n.attrFloat("epsilon", 1e-5f), momentum = n.attrFloat("momentum", 0.9f);
  if (!training && n.opset < 14 && n.proto.outputs.size() > 1 && n.wants(1))
    return n.fail("training outputs are not supported");
  int32_t wide = wideOf(x->dtype);
  V xw = n.cast(x, wide), mw = n.cast(mean, wide), vw = n.cast(variance, wide);
  if (training) {
    if (n.opset < 14)
      return n.fail("training mode is not supported");
    Ints axes;
    for (int64_t i = 0; i < rank; ++i)
      if (i != 1)
        axes.push_back(i);
    V m = n.mean(xw, axes, false);
    V centred = n.subV(xw, perChannel(n, m, rank));
    V v = n.mean(square(n, centred), axes, false);
    auto running = [&](const V &old, const V &now) {
      return n.elementwise({old, now}, wide, [&](Scalar &s, A a) {
        return s.add(s.mul(a[0], s.constLike(a[0], momentum)), s.mul(a[1], s.constLike(a[1], 1 - (double)momentum)));
      });
    };
    if (n.wants(1) && failed(n.out(1, n.cast(running(mw, m), mean->dtype))))
      return failure();
    if (n.wants(2) && failed(n.out(2, n.cast(running(vw, v), variance->dtype))))
      return failure();
    mw = m;
    vw = v;
  }
  // y = x * a + (bias - mean * a): a and the offset are constant work.
  V a = n.mulV(n.cast(scale, wide), rsqrt(n, vw, epsilon));
  V offset = n.subV(n.cast(bias, wide), n.mulV(mw, a));
  V y = n.elementwise({xw, perChannel(n, a, rank), perChannel(n, offset, rank)}, x->dtype,
                      [](Scalar &s, A v) { return s.add(s.mul(v[0], v[1]), v[2]); });
  return n.out(y);
}

LogicalResult layerNorm(Node &n, bool rms) {
  V x = n.in(0), scale = n.in(1), bias = rms ? V() : n.in(2);
  auto axis = n.axis(n.attrInt("axis", -1), x->rank());
  if (failed(axis))
    return failure();
  Ints axes = sequence(*axis, x->rank());
  int32_t stash = n.attrInt("stash_type", 1) == proto::Double ? int32_t(proto::Double) : wideOf(x->dtype);
  V xw = n.cast(x, stash), mean;
  if (!rms) {
    mean = n.mean(xw, axes, true);
    xw = n.subV(xw, mean);
  }
  V inverse = rsqrt(n, n.mean(square(n, xw), axes, true), n.attrFloat("epsilon", 1e-5f));
  V normal = n.mulV(xw, inverse);
  // The scale multiplies in the input's type in ONNX; f32 is at least as exact.
  SmallVector<V> operands{normal, n.cast(scale, stash)};
  if (bias)
    operands.push_back(n.cast(bias, stash));
  V y = n.elementwise(operands, x->dtype, [&](Scalar &s, A a) {
    Value r = s.mul(a[0], a[1]);
    return bias ? s.add(r, a[2]) : r;
  });
  if (!rms && n.wants(1) && failed(n.out(1, mean)))
    return failure();
  if (!rms && n.wants(2) && failed(n.out(2, inverse)))
    return failure();
  return n.out(y);
}

/// Normalizes groups of channels: view [N, groups, ...], then scale and bias per channel (or per group).
LogicalResult groupNorm(Node &n, OpFoldResult groups, bool perGroup) {
  V x = n.in(0), scale = n.in(1), bias = n.in(2);
  if (!x || x->rank() < 2)
    return n.fail("expected rank of at least 2");
  int32_t wide = wideOf(x->dtype);
  OpFoldResult inner = n.floordiv(n.product(ArrayRef<OpFoldResult>(x->dims).drop_front(1)), n.max(groups, n.idx(1)));
  V view = n.reshape(n.cast(x, wide), {x->dims[0], groups, inner});
  V centred = n.subV(view, n.mean(view, {2}, true));
  V normal = n.mulV(centred, rsqrt(n, n.mean(square(n, centred), {2}, true), n.attrFloat("epsilon", 1e-5f)));
  V s = n.cast(scale, wide), c = n.cast(bias, wide);
  if (perGroup) {
    V y = n.addV(n.mulV(normal, n.unsqueeze(s, {1})), n.unsqueeze(c, {1}));
    return n.out(n.cast(n.reshape(y, x->dims), x->dtype));
  }
  V back = n.reshape(normal, x->dims);
  V y = n.elementwise({back, perChannel(n, s, x->rank()), perChannel(n, c, x->rank())}, x->dtype,
                      [](Scalar &sc, A a) { return sc.add(sc.mul(a[0], a[1]), a[2]); });
  return n.out(y);
}

LogicalResult lrn(Node &n) {
  V x = n.in(0);
  if (!x || x->rank() < 2)
    return n.fail("expected rank of at least 2");
  int64_t size = n.attrInt("size", 1);
  if (size < 1 || size > 1024)
    return n.fail("expected 'size' of 1 to 1024, but got " + Twine(size));
  float alpha = n.attrFloat("alpha", 1e-4f), beta = n.attrFloat("beta", 0.75f), bias = n.attrFloat("bias", 1);
  int64_t before = (size - 1) / 2, after = size - 1 - before;
  int32_t wide = wideOf(x->dtype);
  V xw = n.cast(x, wide), squares = square(n, xw);
  Dims low(x->rank(), n.idx(0)), high = low;
  low[1] = n.idx(before);
  high[1] = n.idx(after);
  V padded = n.pad(squares, low, high, 0);
  // Sum of shifted slices: the window is small.
  SmallVector<V> operands{xw};
  for (int64_t i = 0; i < size; ++i)
    operands.push_back(n.sliceAxis(padded, 1, n.idx(i), x->dims[1]));
  return n.out(n.elementwise(operands, x->dtype, [&](Scalar &s, A a) {
    Value sum = a[1];
    for (Value v : a.drop_front(2))
      sum = s.add(sum, v);
    Value base = s.add(s.constLike(sum, bias), s.mul(s.constLike(sum, alpha / size), sum));
    return s.div(a[0], s.pow(base, s.constLike(base, beta)));
  }));
}

LogicalResult lpNorm(Node &n) {
  V x = n.in(0);
  auto axis = n.axis(n.attrInt("axis", -1), x->rank());
  if (failed(axis))
    return failure();
  bool l1 = n.attrInt("p", 2) == 1;
  V sum =
      n.reduce(x, {*axis}, true, 0, [&](Scalar &s, A a) { return s.add(l1 ? s.abs(a[0]) : s.mul(a[0], a[0]), a[1]); });
  return n.out(n.elementwise({x, sum}, x->dtype, [&](Scalar &s, A a) {
    Value norm = l1 ? a[1] : s.sqrt(a[1]), zero = s.constLike(norm, 0);
    return s.select(s.eq(norm, zero), zero, s.div(a[0], norm));
  }));
}

} // namespace

void tenon::onnx::registerNormalization(Registry &reg) {
  reg.on("BatchNormalization", 1, batchNorm);
  reg.on("LayerNormalization", 17, [](Node &n) { return layerNorm(n, false); });
  reg.on("RMSNormalization", 23, [](Node &n) { return layerNorm(n, true); });
  reg.on("InstanceNormalization", 1, [](Node &n) { return groupNorm(n, n.in(0)->dims[1], false); });
  reg.on("GroupNormalization", 18, [](Node &n) {
    int64_t groups = n.attrInt("num_groups", 0);
    if (groups < 1 || (n.in(0)->dim(1) >= 0 && n.in(0)->dim(1) % groups))
      return n.fail("the groups do not divide the channels");
    return groupNorm(n, n.idx(groups), n.opset < 21);
  });
  reg.on("LRN", 1, lrn);
  reg.on("LpNormalization", 1, lpNorm);
  reg.on("MeanVarianceNormalization", 9, [](Node &n) {
    V x = n.in(0);
    auto axes = n.axes(n.attrInts("axes").value_or(Ints{0, 2, 3}), x->rank());
    if (failed(axes))
      return failure();
    V centred = n.subV(x, n.mean(x, *axes, true));
    V variance = n.mean(square(n, centred), *axes, true);
    return n.out(n.elementwise({centred, variance}, x->dtype, [](Scalar &s, A a) {
      return s.div(a[0], s.add(s.sqrt(a[1]), s.constLike(a[1], 1e-9)));
    }));
  });
}
