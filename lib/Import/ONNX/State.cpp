//===- State.cpp - LinearAttention, CausalConvWithState ------------------------------------===//
//
// States come in as past and go out as present.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"
#include "tenon/Dialect/IR/State.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::onnx;

namespace {

/// [B, T, H * D] as [B, H, T, D].
V splitHeads(Node &n, const V &x, int64_t heads) {
  V r = n.reshape(x, {x->dims[0], x->dims[1], n.idx(heads), n.floordiv(x->dims[2], n.idx(heads))});
  return n.transpose(r, {0, 2, 1, 3});
}

/// `x` with dims that are equal by the operator's rules; checked at run time where they are not known to be.
V withDims(Node &n, const V &x, ArrayRef<OpFoldResult> dims, const Twine &what) {
  for (auto [have, want] : llvm::zip(x->dims, dims)) {
    auto a = getConstantIntValue(have), b = getConstantIntValue(want);
    if (a && b && *a != *b) {
      (void)n.fail("expected " + what + " with a dim of " + Twine(*b) + ", but got " + Twine(*a));
      return {};
    }
    n.checkEqual(have, want, what + " does not fit the query");
  }
  return n.refine(x, dims);
}

LogicalResult linearAttention(Node &n) {
  V q = n.in(0), k = n.in(1), v = n.in(2), past = n.in(3), decay = n.in(4), beta = n.in(5);
  for (const V &x : {q, k, v, decay, beta})
    if (x && x->rank() != 3)
      return n.fail("expected query, key, value, decay and beta of rank 3, but got rank " + Twine(x->rank()));
  int64_t heads = n.attrInt("kv_num_heads", 0), queryHeads = n.attrInt("q_num_heads", 0);
  if (heads < 1 || queryHeads < 1 || queryHeads % heads != 0)
    return n.fail("expected 'kv_num_heads' to divide 'q_num_heads', but got " + Twine(heads) + " and " +
                  Twine(queryHeads));
  StringRef name = n.attrString("update_rule", "gated_delta");
  std::optional<StateRule> rule = symbolizeStateRule(name);
  if (!rule)
    return n.fail("unknown update_rule '" + name + "'");
  bool gated = name.starts_with("gated"), delta = name.ends_with("delta");
  if (gated != (decay != nullptr) || delta != (beta != nullptr))
    return n.fail("expected " + Twine(gated ? "a" : "no") + " decay and " + (delta ? "a" : "no") +
                  " beta with update_rule '" + name + "'");
  for (auto [what, x, count] :
       {std::tuple("query", q, queryHeads), std::tuple("key", k, heads), std::tuple("value", v, heads)})
    if (x->dim(2) >= 0 && x->dim(2) % count != 0)
      return n.fail("expected the last dim of '" + Twine(what) + "' to be a multiple of its " + Twine(count) +
                    " heads, but got " + Twine(x->dim(2)));
  q = splitHeads(n, q, queryHeads);
  OpFoldResult batch = q->dims[0], tokens = q->dims[2], depth = q->dims[3];
  k = withDims(n, splitHeads(n, k, heads), {batch, n.idx(heads), tokens, depth}, "the key");
  v = splitHeads(n, v, heads);
  OpFoldResult width = v->dims[3];
  v = withDims(n, v, {batch, n.idx(heads), tokens, width}, "the value");
  if (past && past->rank() != 4)
    return n.fail("expected a past state of rank 4, but got rank " + Twine(past->rank()));
  if (past)
    past = withDims(n, past, {batch, n.idx(heads), depth, width}, "the past state");
  if (!k || !v || (n.in(3) && !past))
    return failure();
  if (decay) {
    bool perHead = decay->dim(2) == heads;
    auto all = getConstantIntValue(depth);
    if (!perHead && (!all || decay->dim(2) != heads * *all))
      return n.fail("expected a decay per head or per key, for " + Twine(heads) + " heads, but got a last dim of " +
                    Twine(decay->dim(2)));
    decay = perHead ? withDims(n, n.transpose(decay, {0, 2, 1}), {batch, n.idx(heads), tokens}, "the decay")
                    : withDims(n, splitHeads(n, decay, heads), {batch, n.idx(heads), tokens, depth}, "the decay");
  }
  if (beta) {
    if (beta->dim(2) != heads && beta->dim(2) != 1)
      return n.fail("expected a beta per head, of which there are " + Twine(heads) + ", or one of all, but got " +
                    Twine(beta->dim(2)));
    beta = n.transpose(beta, {0, 2, 1});
    beta = n.expand(withDims(n, beta, {batch, beta->dims[1], tokens}, "beta"), {batch, n.idx(heads), tokens});
  }
  if ((n.in(4) && !decay) || (n.in(5) && !beta))
    return failure();
  double scale = n.attrFloat("scale", 0);
  if (scale == 0) {
    if (q->dim(3) < 0)
      return n.fail("a head size that is not known needs a scale");
    scale = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(q->dim(3), 1)));
  }
  int64_t chunk = n.attrInt("chunk_size", 64);
  if (chunk < 1)
    return n.fail("expected 'chunk_size' of at least 1, but got " + Twine(chunk));
  int32_t stateType = past ? past->dtype : q->dtype;
  Dims dims{batch, n.idx(queryHeads), tokens, width}, stateDims{batch, n.idx(heads), depth, width};
  auto op = LinearAttentionOp::create(n.b, n.tensorType(q->dtype, dims), n.tensorType(stateType, stateDims), *rule,
                                      n.tensor(q), n.tensor(k), n.tensor(v), decay ? n.tensor(decay) : Value(),
                                      beta ? n.tensor(beta) : Value(), past ? n.tensor(past) : Value(), APFloat(scale),
                                      chunk);
  V result = n.transpose(n.value(q->dtype, op.getResult(), dims), {0, 2, 1, 3});
  if (failed(n.out(n.reshape(result, {batch, tokens, n.mul(n.idx(queryHeads), width)}))))
    return failure();
  return n.out(1, n.value(stateType, op.getFinal(), stateDims));
}

LogicalResult causalConv(Node &n) {
  V x = n.in(0), filter = n.in(1), bias = n.in(2), past = n.in(3);
  if (x->rank() != 3 || filter->rank() != 3 || filter->dim(1) != 1)
    return n.fail("expected an input of rank 3 and a weight [channels, 1, k]");
  int64_t channels = filter->dim(0), taps = filter->dim(2);
  if (channels < 1 || taps < 1)
    return n.fail("a weight of unknown or no size is not supported");
  StringRef activation = n.attrString("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    return n.fail("unknown activation '" + activation + "'");
  OpFoldResult batch = x->dims[0], length = x->dims[2];
  x = withDims(n, x, {batch, n.idx(channels), length}, "the input");
  if (past && past->rank() != 3)
    return n.fail("expected a past state of rank 3, but got rank " + Twine(past->rank()));
  if (past)
    past = withDims(n, past, {batch, n.idx(channels), n.idx(taps - 1)}, "the past state");
  if (!x || (n.in(3) && !past))
    return failure();
  V padded = past ? n.concat({past, x}, 2)
                  : n.pad(x, {n.idx(0), n.idx(0), n.idx(taps - 1)}, {n.idx(0), n.idx(0), n.idx(0)}, 0);
  if (!padded)
    return failure();
  Dims dims{batch, n.idx(channels), length};
  auto op =
      ConvOp::create(n.b, n.tensorType(x->dtype, dims), n.tensor(padded), n.tensor(filter),
                     bias ? n.tensor(bias) : Value(), ArrayRef<int64_t>{1}, ArrayRef<int64_t>{1},
                     ArrayRef<int64_t>{0, 0}, channels, false, ArrayRef<int64_t>(), false, false, ConvAlgorithmAttr());
  V y = n.value(x->dtype, op.getResult(), dims);
  if (activation != "none")
    y = n.elementwise({y}, x->dtype, [](Scalar &s, A a) { return s.mul(a[0], s.sigmoid(a[0])); });
  if (failed(n.out(y)))
    return failure();
  return n.out(1, n.sliceAxis(padded, 2, length, n.idx(taps - 1)));
}

} // namespace

void tenon::onnx::registerState(Registry &reg) {
  reg.on("LinearAttention", 27, linearAttention);
  reg.on("CausalConvWithState", 27, causalConv);
}
