//===- Attention.cpp - Attention, FlexAttention, RotaryEmbedding -----------------------------------------===//
//
// An Attention becomes tenon.attention unless its scores are a result too. That, and what subgraphs modify, is spelled
// out in contractions and softmax: query heads of a group are rows of one product, so that keys and values are never
// repeated.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"
#include "tenon/Dialect/IR/Masks.h"

using namespace mlir;
using namespace tenon::onnx;

namespace {

/// [B, S, H * D] as [B, H, S, D].
V splitHeads(Node &n, const V &x, int64_t heads) {
  V r = n.reshape(x, {x->dims[0], x->dims[1], n.idx(heads), n.floordiv(x->dims[2], n.idx(heads))});
  return n.transpose(r, {0, 2, 1, 3});
}

/// The factor of products: as given, or 0 where it is 1 / sqrt(head size).
std::optional<double> getScale(Node &n, const V &q) {
  double scale = n.attrFloat("scale", 0);
  if (scale == 0 && q->dim(3) < 0) {
    (void)n.fail("a head size that is not known needs a scale");
    return std::nullopt;
  }
  return scale == 0 ? 1 / std::sqrt(static_cast<double>(q->dim(3))) : scale;
}

bool headsFit(Node &n, const V &q, const V &k) {
  int64_t hq = q->dim(1), hk = k->dim(1);
  if (hq >= 1 && hk >= 1 && hq % hk == 0)
    return true;
  (void)n.fail("expected the head count of 'K' to divide that of 'Q', but got " + Twine(hk) + " and " + Twine(hq));
  return false;
}

/// scale * query . key of queries [B, H, S, D] and keys [B, G, T, D], as [B, H, S, T] of type `wide`; null where they
/// do not fit.
V makeScores(Node &n, const V &q, const V &k, double scale, int32_t wide) {
  int64_t hq = q->dim(1), hk = k->dim(1);
  n.checkEqual(q->dims[3], k->dims[3], "head sizes of query and key differ");
  // Scores [B, Hkv, group * Sq, Sk].
  MLIRContext *c = n.b.getContext();
  AffineExpr b0, h0, m0, n0, k0;
  bindDims(c, b0, h0, m0, n0, k0);
  OpFoldResult rows = n.mul(n.idx(hq / hk), q->dims[2]);
  V grouped = n.reshape(q, {q->dims[0], n.idx(hk), rows, q->dims[3]});
  Type wideType = n.type(wide);
  V scores =
      n.generic(wide, {q->dims[0], n.idx(hk), rows, k->dims[2]},
                {{grouped, AffineMap::get(5, 0, {b0, h0, m0, k0}, c)}, {k, AffineMap::get(5, 0, {b0, h0, n0, k0}, c)}},
                [&](Scalar &s, A a) {
                  return s.add(a[2], s.mul(s.cast(a[0], false, wideType, false), s.cast(a[1], false, wideType, false)));
                },
                1, n.constant(wideType, 0), {q->dims[3]});
  scores = n.elementwise({scores}, wide, [&](Scalar &s, A a) { return s.mul(a[0], s.constLike(a[0], scale)); });
  return n.reshape(scores, {q->dims[0], n.idx(hq), q->dims[2], k->dims[2]});
}

/// Softmax along the keys. Rows without a key give zeros, not NaN.
V makeWeights(Node &n, const V &scores) {
  V top = n.reduce(scores, {3}, true, -INFINITY, [](Scalar &s, A a) { return s.max(a[0], a[1]); });
  V e = n.elementwise({scores, top}, scores->dtype, [](Scalar &s, A a) {
    Value none = s.eq(a[1], s.constLike(a[1], -INFINITY));
    return s.select(none, s.constLike(a[0], 0), s.exp(s.sub(a[0], a[1])));
  });
  V total = n.sum(e, {3}, true);
  return n.elementwise({e, total}, scores->dtype, [](Scalar &s, A a) {
    Value none = s.eq(a[1], s.constLike(a[1], 0));
    return s.div(a[0], s.select(none, s.constLike(a[1], 1), a[1]));
  });
}

/// Weights [B, H, S, T] times values [B, G, T, E], as [B, H, S, E].
V weigh(Node &n, const V &weights, const V &v) {
  OpFoldResult rows = n.mul(n.floordiv(weights->dims[1], v->dims[1]), weights->dims[2]);
  V grouped = n.reshape(n.cast(weights, v->dtype), {weights->dims[0], v->dims[1], rows, weights->dims[3]});
  V y = n.matmul(grouped, v);
  return y ? n.reshape(y, {weights->dims[0], weights->dims[1], weights->dims[2], v->dims[3]}) : nullptr;
}

/// What an Attention does to scores beside the scale.
struct Rules {
  double cap = 0;
  V mask; ///< as wide as the keys, or 1
  bool causal = false;
  int64_t left = -1, right = -1;
  V lengths;
  bool atEnd = false; ///< the last query stands beside the last key
};

/// tenon.attention of [B, H, S, D], [B, G, T, D] and [B, G, T, E]; null where a mask is of no such form.
V emitAttention(Node &n, const V &q, const V &k, const V &v, double scale, const Rules &rules) {
  MLIRContext *c = n.b.getContext();
  SmallVector<Value> extras;
  SmallVector<AffineMap> maps;
  if (const V &mask = rules.mask) {
    Dims sizes{q->dims[0], q->dims[1], q->dims[2], k->dims[2]}, kept;
    SmallVector<AffineExpr> exprs;
    for (auto [axis, size] : llvm::enumerate(mask->dims)) {
      int64_t dim = 4 - mask->rank() + axis;
      if (getConstantIntValue(size) == 1)
        continue;
      if (!n.same(size, sizes[dim]) && (getConstantIntValue(size) || getConstantIntValue(sizes[dim])))
        return nullptr;
      n.checkEqual(size, sizes[dim], "a dim of the mask is not that of the scores");
      kept.push_back(size);
      exprs.push_back(n.b.getAffineDimExpr(dim));
    }
    extras.push_back(n.tensor(n.reshape(mask, kept)));
    maps.push_back(AffineMap::get(4, 0, exprs, c));
  }
  SmallVector<Attribute> masks;
  auto align = tenon::MaskAlignAttr::get(c, rules.atEnd ? tenon::MaskAlign::end : tenon::MaskAlign::start);
  if (rules.causal)
    masks.push_back(tenon::CausalAttr::get(c, align.getValue()));
  if (rules.left >= 0 || rules.right >= 0)
    masks.push_back(tenon::WindowAttr::get(c, rules.left, rules.right, align.getValue()));
  Attribute hidden = masks.empty() ? Attribute() : masks.size() == 1 ? masks[0] : tenon::AllOfAttr::get(c, masks);
  Value length = rules.lengths ? n.tensor(n.cast(rules.lengths, proto::Int64)) : Value();
  Value source = tenon::KVSourceOp::create(n.b, n.tensor(k), n.tensor(v), length, hidden);
  Dims dims{q->dims[0], q->dims[1], q->dims[2], v->dims[3]};
  Value init = n.empty(q->dtype, dims);
  auto op = tenon::AttentionOp::create(
      n.b, init.getType(), Type(), tenon::NormalizerAttr::get(c, tenon::Normalizer::softmax), FloatAttr(), n.tensor(q),
      source, Value(), Value(), extras, init, Value(), n.b.getAffineMapArrayAttr(maps), UnitAttr(), 0);
  Type type = q->dtype == proto::Double ? n.b.getF64Type() : n.b.getF32Type();
  Block &region = op.getScore().emplaceBlock();
  region.addArgument(type, n.b.getLoc());
  for (unsigned index = 0; index < 4; ++index)
    region.addArgument(n.b.getIndexType(), n.b.getLoc());
  for (Value extra : extras)
    region.addArgument(getElementTypeOrSelf(extra.getType()), n.b.getLoc());
  OpBuilder::InsertionGuard guard(n.b);
  n.b.setInsertionPointToStart(&region);
  Scalar s(n.b, /*isUnsigned=*/false);
  Value score = s.mul(region.getArgument(0), s.constLike(region.getArgument(0), scale));
  if (rules.cap > 0)
    score = s.mul(s.tanh(s.div(score, s.constLike(score, rules.cap))), s.constLike(score, rules.cap));
  if (rules.mask) {
    Value element = region.getArgument(5);
    score = rules.mask->dtype == proto::Bool ? s.select(element, score, s.constLike(score, -INFINITY))
                                             : s.add(score, s.cast(element, false, type, false));
  }
  tenon::YieldOp::create(n.b, score);
  return n.value(q->dtype, op.getResult(), dims);
}

/// The same op by op; `exposed` are the scores that qk_matmul_output_mode asks for.
V spellOut(Node &n, const V &q, const V &k, const V &v, double scale, const Rules &rules, const V &pastKey,
           V &exposed) {
  int32_t wide = q->dtype == proto::Double ? int32_t(proto::Double) : int32_t(proto::Float);
  V scores = makeScores(n, q, k, scale, wide);
  if (double cap = rules.cap; cap > 0)
    scores = n.elementwise({scores}, wide, [&](Scalar &s, A a) {
      return s.mul(s.tanh(s.div(a[0], s.constLike(a[0], cap))), s.constLike(a[0], cap));
    });
  MLIRContext *c = n.b.getContext();
  Dims full = scores->dims;
  int64_t mode = n.attrInt("qk_matmul_output_mode", 0);
  exposed = scores;
  V biased = scores;
  if (const V &mask = rules.mask) {
    biased = mask->dtype == proto::Bool
                 ? n.elementwise({biased, mask}, wide,
                                 [](Scalar &s, A a) { return s.select(a[1], a[0], s.constLike(a[0], -INFINITY)); })
                 : n.elementwise({biased, mask}, wide, [](Scalar &s, A a) {
                     return s.add(a[0], s.cast(a[1], false, a[0].getType(), false));
                   });
    if (!biased)
      return nullptr;
  }
  V lengths = rules.lengths;
  if (rules.causal || rules.left >= 0 || rules.right >= 0 || lengths) {
    Value past = n.index(pastKey ? pastKey->dims[2] : n.idx(0)), queries = n.index(q->dims[2]);
    SmallVector<Operand> operands{{biased, n.b.getMultiDimIdentityMap(4)}};
    if (lengths)
      operands.push_back({n.cast(lengths, proto::Int64), AffineMap::get(4, 0, {n.b.getAffineDimExpr(0)}, c)});
    bool external = lengths && !pastKey;
    biased = n.generic(wide, full, operands, [&](Scalar &s, A a) {
      Type index = s.b.getIndexType();
      Value i = linalg::IndexOp::create(s.b, 2), j = linalg::IndexOp::create(s.b, 3), length;
      if (lengths)
        length = s.op<arith::IndexCastOp>(index, a[1]);
      Value at = s.op<arith::AddIOp>(i, external ? s.op<arith::SubIOp>(length, queries) : past);
      Value keep = s.intConst(s.b.getI1Type(), 1);
      auto also = [&](Value cond) { keep = s.op<arith::AndIOp>(keep, cond); };
      if (rules.causal)
        also(s.op<arith::CmpIOp>(Scalar::IP::sle, j, at));
      if (rules.left >= 0)
        also(s.op<arith::CmpIOp>(Scalar::IP::sle, s.op<arith::SubIOp>(at, j), s.intConst(index, rules.left)));
      if (rules.right >= 0)
        also(s.op<arith::CmpIOp>(Scalar::IP::sle, s.op<arith::SubIOp>(j, at), s.intConst(index, rules.right)));
      if (lengths)
        also(s.op<arith::CmpIOp>(Scalar::IP::slt, j, length));
      return s.select(keep, a[0], s.constLike(a[0], -INFINITY));
    });
  }
  if (mode == 2)
    exposed = biased;
  V p = makeWeights(n, biased);
  if (mode == 3)
    exposed = p;
  return weigh(n, p, v);
}

LogicalResult attention(Node &n) {
  V q = n.in(0), k = n.in(1), v = n.in(2), mask = n.in(3), pastKey = n.in(4), pastValue = n.in(5), lengths = n.in(6);
  if (!q || !k || !v || q->rank() != k->rank() || q->rank() != v->rank() || (q->rank() != 3 && q->rank() != 4))
    return n.fail("expected query, key and value of rank 3 or 4");
  bool flat = q->rank() == 3;
  int64_t qHeads = n.attrInt("q_num_heads", 0), kvHeads = n.attrInt("kv_num_heads", 0);
  if (flat) {
    if (qHeads < 1 || kvHeads < 1)
      return n.fail("inputs of rank 3 need q_num_heads and kv_num_heads");
    q = splitHeads(n, q, qHeads);
    k = splitHeads(n, k, kvHeads);
    v = splitHeads(n, v, kvHeads);
  }
  if (!pastKey != !pastValue)
    return n.fail("past key and past value come together");
  if (pastKey)
    k = n.concat({pastKey, k}, 2);
  if (pastValue)
    v = n.concat({pastValue, v}, 2);
  if (!k || !v)
    return failure();
  std::optional<double> scale = getScale(n, q);
  if (!scale || !headsFit(n, q, k))
    return failure();
  Rules rules{n.attrFloat("softcap", 0),
              mask,
              n.attrInt("is_causal", 0) != 0,
              n.attrInt("left_window_size", -1),
              n.attrInt("right_window_size", -1),
              lengths,
              pastKey || lengths};
  OpFoldResult batch = q->dims[0], sq = q->dims[2], sk = k->dims[2];
  if (mask) {
    if (mask->rank() > 4)
      return n.fail("expected a mask of rank at most 4");
    auto ms = mask->rank() ? getConstantIntValue(mask->dims.back()) : std::optional<int64_t>(1);
    auto ks = getConstantIntValue(sk);
    if (mask->rank() && !(ms == 1 && ks != 1) && !n.same(mask->dims.back(), sk)) {
      Dims low(mask->rank(), n.idx(0)), high = low;
      high.back() = n.sub(sk, mask->dims.back());
      if (getConstantIntValue(high.back()).value_or(0) < 0)
        return n.fail("the mask has more keys than 'K'");
      rules.mask = n.pad(mask, low, high, mask->dtype == proto::Bool ? 0 : -INFINITY);
      if (!rules.mask)
        return failure();
    }
  }
  // With a past, queries stand beside the last keys only where there are as many of both in this call.
  bool fits = !n.wants(3) && isFloatDType(q->dtype) && k->dtype == q->dtype && v->dtype == q->dtype &&
              !(lengths && pastKey) && (!pastKey || n.same(n.in(1)->dims[flat ? 1 : 2], sq));
  V y = fits ? emitAttention(n, q, k, v, *scale, rules) : nullptr, exposed;
  if (!y)
    y = spellOut(n, q, k, v, *scale, rules, pastKey, exposed);
  if (!y)
    return failure();
  if (flat)
    y = n.reshape(n.transpose(y, {0, 2, 1, 3}), {batch, sq, n.mul(q->dims[1], v->dims[3])});
  if ((n.wants(1) && failed(n.out(1, k))) || (n.wants(2) && failed(n.out(2, v))) ||
      (n.wants(3) && failed(n.out(3, n.cast(exposed, q->dtype)))))
    return failure();
  return n.out(n.cast(y, q->dtype));
}

/// What the subgraph `name` makes of `x`, or x where there is none; null on failure.
V modify(Node &n, StringRef name, const V &x) {
  const proto::Graph *graph = n.attrGraph(name);
  if (!graph)
    return x;
  auto results = n.imp.subgraph(*graph, {x});
  if (failed(results))
    return nullptr;
  bool fits = results->size() == 1 && results->front() && results->front()->dtype == x->dtype &&
              results->front()->rank() == x->rank();
  if (!fits) {
    (void)n.fail("expected '" + name + "' to give one tensor of the rank and element type of what it takes");
    return nullptr;
  }
  for (auto [before, after] : llvm::zip(x->dims, results->front()->dims))
    n.checkEqual(before, after, "the result of '" + name + "' has another shape than what it takes");
  return n.refine(results->front(), x->dims);
}

LogicalResult flexAttention(Node &n) {
  V q = n.in(0), k = n.in(1), v = n.in(2);
  for (const V &x : {q, k, v})
    if (x->rank() != 4 || !isFloatDType(x->dtype) || x->dtype != q->dtype)
      return n.fail("expected query, key and value of rank 4 and one float type");
  int32_t wide = q->dtype == proto::Double ? int32_t(proto::Double) : int32_t(proto::Float);
  if (int64_t asked = n.attrInt("softmax_precision", wide); isFloatDType(asked) && asked != wide)
    wide = asked;
  for (unsigned axis : {0, 1, 2})
    n.checkEqual(k->dims[axis], v->dims[axis], "key and value differ in batches, heads or length");
  std::optional<double> scale = getScale(n, q);
  if (!scale || !headsFit(n, q, k))
    return failure();
  V scores = modify(n, "score_mod", makeScores(n, q, k, *scale, wide));
  V weights = scores ? modify(n, "prob_mod", makeWeights(n, scores)) : nullptr;
  V y = weights ? weigh(n, weights, v) : nullptr;
  return y ? n.out(n.cast(y, q->dtype)) : failure();
}

LogicalResult rotary(Node &n) {
  V x = n.in(0), cosine = n.in(1), sine = n.in(2), positions = n.in(3);
  bool flat = x->rank() == 3;
  Dims original = x->dims;
  int64_t heads = n.attrInt("num_heads", 0);
  if (flat && heads < 1)
    return n.fail("an input of rank 3 needs num_heads");
  // Work on [B, S, H, D].
  V w = flat ? n.reshape(x, {x->dims[0], x->dims[1], n.idx(heads), n.floordiv(x->dims[2], n.idx(heads))})
             : n.transpose(x, {0, 2, 1, 3});
  int64_t size = w->dim(3), rotated = n.attrInt("rotary_embedding_dim", 0);
  if (size < 0)
    return n.fail("a head size that is not known is not supported");
  if (rotated == 0)
    rotated = size;
  if (rotated > size || rotated % 2)
    return n.fail("expected an even rotary_embedding_dim of at most " + Twine(size));
  int64_t half = rotated / 2;
  if (positions) {
    cosine = n.gather(cosine, positions, 0);
    sine = n.gather(sine, positions, 0);
    if (!cosine || !sine)
      return failure();
  }
  V c = n.unsqueeze(cosine, {2}), s = n.unsqueeze(sine, {2});
  V part = n.sliceAxis(w, 3, n.idx(0), n.idx(rotated)), rest = n.sliceAxis(w, 3, n.idx(rotated), n.idx(size - rotated));
  bool interleaved = n.attrInt("interleaved", 0);
  V first, second;
  if (interleaved) {
    V pairs = n.reshape(part, {w->dims[0], w->dims[1], w->dims[2], n.idx(half), n.idx(2)});
    first = n.squeeze(n.sliceAxis(pairs, 4, n.idx(0), n.idx(1)), {4});
    second = n.squeeze(n.sliceAxis(pairs, 4, n.idx(1), n.idx(1)), {4});
  } else {
    first = n.sliceAxis(part, 3, n.idx(0), n.idx(half));
    second = n.sliceAxis(part, 3, n.idx(half), n.idx(half));
  }
  int32_t dtype = x->dtype;
  V real = n.elementwise({first, second, c, s}, dtype,
                         [](Scalar &sc, A a) { return sc.sub(sc.mul(a[2], a[0]), sc.mul(a[3], a[1])); });
  V imaginary = n.elementwise({first, second, c, s}, dtype,
                              [](Scalar &sc, A a) { return sc.add(sc.mul(a[3], a[0]), sc.mul(a[2], a[1])); });
  if (!real || !imaginary)
    return failure();
  V y;
  if (interleaved) {
    y = n.concat({n.unsqueeze(real, {4}), n.unsqueeze(imaginary, {4})}, 4);
    y = n.reshape(y, part->dims);
  } else {
    y = n.concat({real, imaginary}, 3);
  }
  if (rotated != size)
    y = n.concat({y, rest}, 3);
  return n.out(flat ? n.reshape(y, original) : n.transpose(y, {0, 2, 1, 3}));
}

} // namespace

void tenon::onnx::registerAttention(Registry &reg) {
  reg.on("Attention", 23, attention);
  reg.on("FlexAttention", 1, flexAttention, "ai.onnx.preview");
  reg.on("RotaryEmbedding", 23, rotary);
  reg.on("SwiGLU", 28, [](Node &n) {
    float alpha = n.attrFloat("alpha", 1);
    return n.out(n.elementwise({n.in(0), n.in(1)}, n.in(0)->dtype, [&](Scalar &s, A a) {
      return s.mul(s.mul(a[0], s.sigmoid(s.mul(a[0], s.constLike(a[0], alpha)))), a[1]);
    }));
  });
}
