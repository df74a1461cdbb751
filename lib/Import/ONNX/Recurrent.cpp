//===- Recurrent.cpp - RNN, GRU, LSTM -------------------------------------------------------===//
//
// The input projections of all steps are one product before a tenon.recurrence per direction; cells see one step.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"
#include "tenon/Dialect/IR/State.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::onnx;

namespace {

struct Activation {
  StringRef name;
  double alpha, beta;
};

Value apply(Scalar &s, const Activation &f, Value x) {
  auto c = [&](double v) { return s.constLike(x, v); };
  if (f.name == "Sigmoid")
    return s.sigmoid(x);
  if (f.name == "Tanh")
    return s.tanh(x);
  if (f.name == "Relu")
    return s.max(x, c(0));
  if (f.name == "Affine")
    return s.add(s.mul(c(f.alpha), x), c(f.beta));
  if (f.name == "LeakyRelu")
    return s.select(s.lt(x, c(0)), s.mul(c(f.alpha), x), x);
  if (f.name == "ThresholdedRelu")
    return s.select(s.ge(x, c(f.alpha)), x, c(0));
  if (f.name == "ScaledTanh")
    return s.mul(c(f.alpha), s.tanh(s.mul(c(f.beta), x)));
  if (f.name == "HardSigmoid")
    return s.min(s.max(s.add(s.mul(c(f.alpha), x), c(f.beta)), c(0)), c(1));
  if (f.name == "Elu")
    return s.select(s.lt(x, c(0)), s.mul(c(f.alpha), s.op<math::ExpM1Op>(x)), x);
  if (f.name == "Softsign")
    return s.div(x, s.add(c(1), s.abs(x)));
  return s.softplus(x);
}

FailureOr<SmallVector<Activation>> activations(Node &n, ArrayRef<StringRef> standard, int64_t directions) {
  SmallVector<StringRef> names;
  for (int64_t d = 0; d < directions; ++d)
    names.append(standard.begin(), standard.end());
  if (auto given = n.attrStrings("activations"))
    names = *given;
  if (names.size() != standard.size() * directions)
    return n.fail("expected " + Twine(standard.size() * directions) + " activations");
  auto alphas = n.attrFloats("activation_alpha").value_or(SmallVector<float>());
  auto betas = n.attrFloats("activation_beta").value_or(SmallVector<float>());
  SmallVector<Activation> result;
  unsigned nextAlpha = 0, nextBeta = 0;
  // Parameters are listed for the functions that have them, in order.
  static const std::map<StringRef, std::pair<double, double>> defaults = {{"Affine", {1, 0}},
                                                                          {"LeakyRelu", {0.01, 0}},
                                                                          {"ThresholdedRelu", {1, 0}},
                                                                          {"ScaledTanh", {1, 1}},
                                                                          {"HardSigmoid", {0.2, 0.5}},
                                                                          {"Elu", {1, 0}},
                                                                          {"Sigmoid", {0, 0}},
                                                                          {"Tanh", {0, 0}},
                                                                          {"Relu", {0, 0}},
                                                                          {"Softsign", {0, 0}},
                                                                          {"Softplus", {0, 0}}};
  for (StringRef name : names) {
    auto it = defaults.find(name);
    if (it == defaults.end())
      return n.fail("unknown activation '" + name + "'");
    Activation f{name, it->second.first, it->second.second};
    bool hasBeta = name == "Affine" || name == "ScaledTanh" || name == "HardSigmoid";
    bool hasAlpha = hasBeta || name == "LeakyRelu" || name == "ThresholdedRelu" || name == "Elu";
    if (hasAlpha && nextAlpha < alphas.size())
      f.alpha = alphas[nextAlpha++];
    if (hasBeta && nextBeta < betas.size())
      f.beta = betas[nextBeta++];
    result.push_back(f);
  }
  return result;
}

enum class Cell { RNN, GRU, LSTM };

/// The cell of one step: its input and states to the next states, of which the first is also the step's output.
using CellBody = llvm::function_ref<SmallVector<V>(const V &, ArrayRef<V>)>;

/// Outputs of all steps [T, B, H] and the states after the last one, from the steps' inputs `x` and states [B, H].
SmallVector<V> recurrence(Node &n, const V &x, ArrayRef<V> states, const V &lengths, bool reverse, CellBody cell) {
  Dims all{x->dims[0]};
  all.append(states[0]->dims);
  SmallVector<Value> starts = llvm::map_to_vector(states, [&](const V &state) { return n.tensor(state); });
  SmallVector<Type> results{n.tensorType(x->dtype, all)};
  SmallVector<Type> arguments{n.tensorType(x->dtype, ArrayRef(x->dims).drop_front())};
  for (Value start : starts) {
    results.push_back(start.getType());
    arguments.push_back(start.getType());
  }
  auto op = RecurrenceOp::create(n.b, results, n.tensor(x), starts, lengths ? n.tensor(lengths) : Value(),
                                 n.empty(x->dtype, all), reverse);
  {
    OpBuilder::InsertionGuard guard(n.b);
    Block *block = n.b.createBlock(&op.getCell(), {}, arguments, SmallVector<Location>(arguments.size(), n.b.getLoc()));
    SmallVector<V> before;
    for (auto [argument, state] : llvm::zip(block->getArguments().drop_front(), states))
      before.push_back(n.value(state->dtype, argument, state->dims));
    SmallVector<V> after = cell(n.value(x->dtype, block->getArgument(0), ArrayRef(x->dims).drop_front()), before);
    SmallVector<Value> yields;
    for (auto [now, old] : llvm::zip(after, states))
      yields.push_back(n.tensor(n.refine(now, old->dims)));
    yields.insert(yields.begin(), yields.front());
    YieldOp::create(n.b, yields);
  }
  SmallVector<V> made{n.value(x->dtype, op.getResult(0), all)};
  for (auto [number, state] : llvm::enumerate(states))
    made.push_back(n.value(state->dtype, op.getResult(1 + number), state->dims));
  return made;
}

LogicalResult recurrent(Node &n, Cell cell) {
  int64_t gates = cell == Cell::RNN ? 1 : cell == Cell::GRU ? 3 : 4;
  V x = n.in(0), w = n.in(1), r = n.in(2), bias = n.in(3), lengths = n.in(4), h0 = n.in(5);
  V c0 = cell == Cell::LSTM ? n.in(6) : V(), peephole = cell == Cell::LSTM ? n.in(7) : V();
  if (!x || !w || !r || x->rank() != 3 || w->rank() != 3 || r->rank() != 3)
    return n.fail("expected an input, weights and recurrence weights of rank 3");
  StringRef direction = n.attrString("direction", "forward");
  int64_t directions = direction == "bidirectional" ? 2 : 1;
  bool batchFirst = n.attrInt("layout", 0);
  bool afterReset = n.attrInt("linear_before_reset", 0), coupled = n.attrInt("input_forget", 0);
  double clip = n.attrFloat("clip", 0);
  SmallVector<StringRef> standard = cell == Cell::RNN   ? SmallVector<StringRef>{"Tanh"}
                                    : cell == Cell::GRU ? SmallVector<StringRef>{"Sigmoid", "Tanh"}
                                                        : SmallVector<StringRef>{"Sigmoid", "Tanh", "Tanh"};
  auto funcs = activations(n, standard, directions);
  if (failed(funcs))
    return failure();
  if (batchFirst) {
    x = n.transpose(x, {1, 0, 2});
    h0 = h0 ? n.transpose(h0, {1, 0, 2}) : h0;
    c0 = c0 ? n.transpose(c0, {1, 0, 2}) : c0;
  }
  int32_t dtype = x->dtype;
  OpFoldResult steps = x->dims[0], batch = x->dims[1], hidden = r->dims[2];
  if (!getConstantIntValue(hidden))
    return n.fail("a hidden size that is not known is not supported");
  int64_t H = *getConstantIntValue(hidden);
  if (w->dim(1) != gates * H || w->dim(0) != directions)
    return n.fail("the weights do not fit " + Twine(directions) + " directions of hidden size " + Twine(H));
  if (lengths) {
    auto have = getConstantIntValue(lengths->rank() == 1 ? lengths->dims[0] : n.idx(1)),
         want = getConstantIntValue(batch);
    if (lengths->rank() != 1 || (have && want && *have != *want))
      return n.fail("expected 'sequence_lens' of rank 1 and the batch's size");
    n.checkEqual(lengths->dims[0], batch, "'sequence_lens' does not have the batch's size");
    lengths = n.refine(lengths, batch);
  }
  SmallVector<V> ys, hs, cs;
  auto part = [&](const V &v, int64_t d) { return n.squeeze(n.sliceAxis(v, 0, n.idx(d), n.idx(1)), {0}); };
  auto clipped = [&](Scalar &s, Value v) {
    return clip > 0 ? s.min(s.max(v, s.constLike(v, -clip)), s.constLike(v, clip)) : v;
  };
  for (int64_t d = 0; d < directions; ++d) {
    ArrayRef<Activation> f = ArrayRef<Activation>(*funcs).slice(d * standard.size(), standard.size());
    bool reverse = direction == "reverse" || d == 1;
    V rd = n.transpose(part(r, d), {1, 0});
    V projected = n.matmul(n.reshape(x, {n.mul(steps, batch), x->dims[2]}), n.transpose(part(w, d), {1, 0}));
    if (!projected)
      return failure();
    V wb, rb;
    if (bias) {
      V bd = part(bias, d);
      wb = n.sliceAxis(bd, 0, n.idx(0), n.idx(gates * H));
      rb = n.sliceAxis(bd, 0, n.idx(gates * H), n.idx(gates * H));
      // A GRU that resets after the product keeps the recurrence bias of its candidate apart.
      projected = n.addV(projected, cell == Cell::GRU && afterReset ? wb : n.addV(wb, rb));
    }
    projected = n.reshape(projected, {steps, batch, n.idx(gates * H)});
    V pi, po, pf;
    if (peephole) {
      V pd = part(peephole, d);
      pi = n.sliceAxis(pd, 0, n.idx(0), hidden);
      po = n.sliceAxis(pd, 0, n.idx(H), hidden);
      pf = n.sliceAxis(pd, 0, n.idx(2 * H), hidden);
    }
    Dims state{batch, hidden};
    SmallVector<V> start{h0 ? n.refine(part(h0, d), state) : n.fill(dtype, state, 0)};
    if (cell == Cell::LSTM)
      start.push_back(c0 ? n.refine(part(c0, d), state) : n.fill(dtype, state, 0));
    SmallVector<V> made = recurrence(n, projected, start, lengths, reverse, [&](const V &xt, ArrayRef<V> before) {
      V hp = before[0], cp = before.size() > 1 ? before[1] : V();
      auto gate = [&](const V &v, int64_t g) { return n.sliceAxis(v, 1, n.idx(g * H), hidden); };
      V hn, cn;
      if (cell == Cell::RNN) {
        hn = n.elementwise({xt, n.matmul(hp, rd)}, dtype,
                           [&](Scalar &s, A a) { return apply(s, f[0], clipped(s, s.add(a[0], a[1]))); });
      } else if (cell == Cell::LSTM) {
        V g = n.addV(xt, n.matmul(hp, rd));
        V gi = gate(g, 0), go = gate(g, 1), gf = gate(g, 2), gc = gate(g, 3);
        if (pi) {
          gi = n.addV(gi, n.mulV(cp, pi));
          gf = n.addV(gf, n.mulV(cp, pf));
        }
        cn = n.elementwise({gi, gf, gc, cp}, dtype, [&](Scalar &s, A a) {
          Value in = apply(s, f[0], clipped(s, a[0]));
          Value forget = coupled ? s.sub(s.constLike(in, 1), in) : apply(s, f[0], clipped(s, a[1]));
          return s.add(s.mul(forget, a[3]), s.mul(in, apply(s, f[1], clipped(s, a[2]))));
        });
        if (po)
          go = n.addV(go, n.mulV(cn, po));
        hn = n.elementwise({go, cn}, dtype, [&](Scalar &s, A a) {
          return s.mul(apply(s, f[0], clipped(s, a[0])), apply(s, f[2], a[1]));
        });
      } else {
        V zr = n.sliceAxis(rd, 1, n.idx(0), n.idx(2 * H)), rh = n.sliceAxis(rd, 1, n.idx(2 * H), hidden);
        V g = n.addV(n.sliceAxis(xt, 1, n.idx(0), n.idx(2 * H)), n.matmul(hp, zr));
        V candidate = gate(xt, 2), inner;
        V rbh;
        if (rb && afterReset) {
          g = n.addV(g, n.sliceAxis(rb, 0, n.idx(0), n.idx(2 * H)));
          rbh = n.sliceAxis(rb, 0, n.idx(2 * H), hidden);
        }
        V z = n.elementwise({gate(g, 0)}, dtype, [&](Scalar &s, A a) { return apply(s, f[0], clipped(s, a[0])); });
        V reset = n.elementwise({gate(g, 1)}, dtype, [&](Scalar &s, A a) { return apply(s, f[0], clipped(s, a[0])); });
        if (afterReset) {
          inner = n.matmul(hp, rh);
          if (rbh)
            inner = n.addV(inner, rbh);
          inner = n.mulV(reset, inner);
        } else {
          inner = n.matmul(n.mulV(reset, hp), rh);
        }
        hn = n.elementwise({z, candidate, inner, hp}, dtype, [&](Scalar &s, A a) {
          Value k = apply(s, f[1], clipped(s, s.add(a[1], a[2])));
          return s.add(s.mul(s.sub(s.constLike(k, 1), a[0]), k), s.mul(a[0], a[3]));
        });
      }
      return cn ? SmallVector<V>{hn, cn} : SmallVector<V>{hn};
    });
    ys.push_back(n.unsqueeze(made[0], {1}));
    hs.push_back(n.unsqueeze(made[1], {0}));
    if (cell == Cell::LSTM)
      cs.push_back(n.unsqueeze(made[2], {0}));
  }
  auto stateOut = [&](unsigned i, ArrayRef<V> parts) -> LogicalResult {
    if (!n.wants(i))
      return success();
    V v = n.concat(parts, 0);
    return n.out(i, batchFirst && v ? n.transpose(v, {1, 0, 2}) : v);
  };
  if (n.wants(0)) {
    V y = n.concat(ys, 1);
    if (failed(n.out(0, batchFirst && y ? n.transpose(y, {2, 0, 1, 3}) : y)))
      return failure();
  }
  if (failed(stateOut(1, hs)))
    return failure();
  return cell == Cell::LSTM ? stateOut(2, cs) : success();
}

} // namespace

void tenon::onnx::registerRecurrent(Registry &reg) {
  reg.on("RNN", 7, [](Node &n) { return recurrent(n, Cell::RNN); });
  reg.on("GRU", 7, [](Node &n) { return recurrent(n, Cell::GRU); });
  reg.on("LSTM", 7, [](Node &n) { return recurrent(n, Cell::LSTM); });
}
