//===- Loss.cpp - negative log-likelihood and cross entropy ----------------------------------===//
//
// Losses that appear in inference graphs of evaluation code.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

using namespace mlir;
using namespace tenon::onnx;

/// The loss of log probabilities [N, C, ...] against targets [N, ...].
static LogicalResult negativeLogLikelihood(Node &n, const V &x, const V &target, const V &weight) {
  StringRef how = n.attrString("reduction", "mean");
  if (x->rank() < 2 || target->rank() != x->rank() - 1)
    return n.fail("expected scores of rank 2 or more and targets of one rank less");
  bool ignores = n.hasAttr("ignore_index");
  int64_t ignored = n.attrInt("ignore_index", 0);
  int32_t dtype = x->dtype;
  V t = n.cast(target, proto::Int64);
  // Targets that are ignored may lie outside; others must not.
  V inside = n.elementwise({t}, proto::Int64, [&](Scalar &s, A a) {
    return ignores ? s.select(s.eq(a[0], s.intConst(a[0].getType(), ignored)), s.intConst(a[0].getType(), 0), a[0])
                   : a[0];
  });
  n.checkRange(inside, x->dims[1]);
  Dims dims = t->dims;
  for (int64_t d = 0; d < t->rank(); ++d)
    n.checkEqual(dims[d], x->dims[d ? d + 1 : 0], "scores and targets differ in shape");
  int64_t rank = t->rank();
  Value scores = n.tensor(x), w = weight ? n.tensor(weight) : Value();
  AffineMap identity = n.b.getMultiDimIdentityMap(rank);
  auto weightOf = [&](Scalar &s, Value i, Value original) -> Value {
    Value v = w ? Value(tensor::ExtractOp::create(s.b, w, i)) : Value();
    Type f32 = s.b.getF32Type();
    Type wide = n.type(dtype).isF64() ? n.type(dtype) : f32;
    v = v ? s.cast(v, false, wide, false) : s.constant(wide, 1);
    if (ignores)
      v = s.select(s.eq(original, s.intConst(original.getType(), ignored)), s.constLike(v, 0), v);
    return v;
  };
  auto classOf = [&](Scalar &s, Value c) {
    Value i = s.op<arith::IndexCastOp>(s.b.getIndexType(), c), zero = s.intConst(s.b.getIndexType(), 0);
    Value size = n.index(x->dims[1]);
    return s.select(s.op<arith::CmpIOp>(Scalar::IP::slt, i, zero), s.op<arith::AddIOp>(i, size), i);
  };
  if (!getConstantIntValue(x->dims[1]))
    n.index(x->dims[1]);
  V loss = n.generic(dtype, dims, {{inside, identity}, {t, identity}}, [&](Scalar &s, A a) {
    Value c = classOf(s, a[0]);
    SmallVector<Value> at;
    for (int64_t d = 0; d < rank; ++d) {
      at.push_back(linalg::IndexOp::create(s.b, d));
      if (d == 0)
        at.push_back(c);
    }
    Value v = tensor::ExtractOp::create(s.b, scores, at);
    Value weightValue = weightOf(s, c, a[1]);
    v = s.cast(v, false, weightValue.getType(), false);
    return s.neg(s.mul(v, weightValue));
  });
  if (how == "none")
    return n.out(loss);
  Ints all = sequence(0, rank);
  V total = n.sum(loss, all, false);
  if (how == "sum")
    return n.out(total);
  if (how != "mean")
    return n.fail("unknown reduction '" + how + "'");
  V weights = n.generic(dtype, dims, {{inside, identity}, {t, identity}},
                        [&](Scalar &s, A a) { return weightOf(s, classOf(s, a[0]), a[1]); });
  return n.out(n.divV(total, n.sum(weights, all, false)));
}

void tenon::onnx::registerLoss(Registry &reg) {
  reg.on("NegativeLogLikelihoodLoss", 12, [](Node &n) { return negativeLogLikelihood(n, n.in(0), n.in(1), n.in(2)); });
  reg.on("SoftmaxCrossEntropyLoss", 12, [](Node &n) {
    V x = n.in(0);
    if (x->rank() < 2)
      return n.fail("expected scores of rank 2 or more");
    V logProbabilities = n.softmax(x, {1}, true);
    if (n.wants(1) && failed(n.out(1, logProbabilities)))
      return failure();
    return negativeLogLikelihood(n, logProbabilities, n.in(1), n.in(2));
  });
}
