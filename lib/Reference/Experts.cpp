//===- Experts.cpp - what selection, ragged matmuls and mixtures of experts compute ----------===//
//
// As the descriptions in Experts.td have it: lists are sorted, groups walked entry by entry, sums kept in double and
// rounded where the op keeps a value.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Experts.h"
#include "Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

namespace {

/// Whether `a` is larger than `b`; NaN is larger than every number.
bool isLarger(double a, double b) { return std::isnan(a) ? !std::isnan(b) : a > b; }

bool isLarger(Type type, Scalar a, Scalar b) {
  if (isa<FloatType>(type))
    return isLarger(a.f, b.f);
  return type.isInteger(1) ? a.i < b.i : a.i > b.i; // a true i1 is -1
}

/// The type that sums over elements of `type` are kept in.
Type getSumType(Type type) {
  bool narrow = isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 32;
  return narrow ? Float32Type::get(type.getContext()) : type;
}

/// A value as an op with sums in `sum` leaves it in `element`.
Scalar store(Type element, Type sum, double value) { return makeFloat(roundFloat(element, roundFloat(sum, value))); }

/// Entry `number` of a list of offsets, taken into the range from 0 to `end`.
int64_t offsetAt(const Tensor &offsets, int64_t number, int64_t end) {
  return std::clamp<int64_t>(offsets.data()[number].i, 0, end);
}

//===----------------------------------------------------------------------===//
// Selection
//===----------------------------------------------------------------------===//

/// The `count` first elements of each line of `input` along `axis`, and their indices.
LogicalResult select(Interpreter &in, Operation *op, const Tensor &input, int64_t axis, int64_t count, bool largest) {
  int64_t size = input.shape()[axis];
  if (count < 0 || count > size)
    return op->emitError() << "expected 'k' from 0 to the size along 'axis', " << size << ", but got " << count;
  SmallVector<int64_t> shape(input.shape()), lines(input.shape());
  shape[axis] = count;
  lines[axis] = 1;
  std::optional<Tensor> values = in.makeTensor(op, input.element(), shape);
  std::optional<Tensor> indices = in.makeTensor(op, IntegerType::get(op->getContext(), 64), shape);
  if (!values || !indices)
    return failure();
  Scalar *value = values->mutableData(), *index = indices->mutableData();
  std::vector<int64_t> order(size);
  (void)forEach(lines, [&](ArrayRef<int64_t> line) {
    SmallVector<int64_t> place(line);
    auto at = [&](int64_t i) {
      place[axis] = i;
      return input.data()[flatten(input.shape(), place)];
    };
    std::iota(order.begin(), order.end(), 0);
    llvm::sort(order, [&](int64_t a, int64_t b) {
      Scalar x = at(largest ? a : b), y = at(largest ? b : a);
      if (isLarger(input.element(), x, y) || isLarger(input.element(), y, x))
        return isLarger(input.element(), x, y);
      return a < b;
    });
    for (int64_t i = 0; i < count; ++i) {
      Scalar found = at(order[i]);
      place[axis] = i;
      int64_t to = flatten(shape, place);
      value[to] = found;
      index[to] = makeInt(order[i]);
    }
    return success();
  });
  in.set(op->getResult(0), *values);
  in.set(op->getResult(1), *indices);
  return success();
}

LogicalResult reduceSegments(Interpreter &in, SegmentReduceOp op) {
  const Tensor input = in.tensor(op.getInput()), offsets = in.tensor(op.getOffsets());
  SmallVector<int64_t> shape(input.shape());
  if (offsets.count() == 0)
    return op.emitError("expected at least one offset, but got none");
  shape[0] = offsets.count() - 1;
  Type type = input.element(), sumType = getSumType(type);
  bool isFloat = isa<FloatType>(type);
  std::optional<Tensor> result = in.makeTensor(op, type, shape);
  if (!result)
    return failure();
  SegmentReduction kind = op.getKind();
  bool extreme = kind == SegmentReduction::max || kind == SegmentReduction::min;
  int64_t bits = type.getIntOrFloatBitWidth(), rows = input.shape()[0];
  double infinity = std::numeric_limits<double>::infinity();
  int64_t most = llvm::maxIntN(bits), least = llvm::minIntN(bits);
  if (bits == 1) // 1 is larger than 0
    std::swap(most, least);
  Scalar start = makeInt(0);
  if (extreme)
    start = isFloat ? makeFloat(roundFloat(type, kind == SegmentReduction::max ? -infinity : infinity))
                    : makeInt(kind == SegmentReduction::max ? least : most);
  else if (isFloat)
    start = makeFloat(0);
  Scalar *out = result->mutableData();
  (void)forEach(shape, [&](ArrayRef<int64_t> place) {
    SmallVector<int64_t> from(place);
    int64_t low = offsetAt(offsets, place[0], rows), high = offsetAt(offsets, place[0] + 1, rows);
    Scalar value = start;
    for (int64_t row = low; row < high; ++row) {
      from[0] = row;
      Scalar next = input.data()[flatten(input.shape(), from)];
      if (!extreme)
        value = isFloat ? makeFloat(value.f + next.f) : makeInt(wrapInt(type, value.i + next.i));
      else if (isFloat && std::isnan(value.f))
        break;
      else if (isFloat && std::isnan(next.f))
        value = next;
      else if (kind == SegmentReduction::max ? isLarger(type, next, value) : isLarger(type, value, next))
        value = next;
    }
    if (isFloat && !extreme) {
      bool divides = kind == SegmentReduction::mean && high > low;
      value = store(type, sumType, divides ? roundFloat(sumType, value.f) / (high - low) : value.f);
    }
    *out++ = value;
    return success();
  });
  in.set(op.getResult(), *result);
  return success();
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

struct Pairs {
  std::vector<int64_t> offsets, tokens;
  std::vector<double> weights;
};

/// The scores of one token.
std::vector<double> getScores(RouterScore kind, Type type, const Scalar *logits, int64_t experts) {
  std::vector<double> scores(experts);
  double highest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t e = 0; e < experts; ++e)
    highest = isLarger(logits[e].f, highest) ? logits[e].f : highest;
  for (int64_t e = 0; e < experts; ++e) {
    double x = logits[e].f;
    scores[e] = kind == RouterScore::softmax   ? std::exp(x - highest)
                : kind == RouterScore::sigmoid ? 1 / (1 + std::exp(-x))
                : x > 0 || std::isnan(x)       ? x
                                               : 0;
    sum += scores[e];
  }
  for (double &score : scores)
    score = roundFloat(type, kind == RouterScore::softmax ? score / sum : score);
  return scores;
}

/// The numbers of `values` from the largest down.
std::vector<int64_t> rank(ArrayRef<double> values) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](int64_t a, int64_t b) {
    if (isLarger(values[a], values[b]) || isLarger(values[b], values[a]))
      return isLarger(values[a], values[b]);
    return a < b;
  });
  return order;
}

/// The experts that a token takes, in their own order.
template <typename OpTy> std::vector<int64_t> choose(OpTy op, Type type, ArrayRef<double> choices) {
  int64_t experts = choices.size(), groups = op.getGroups(), perGroup = experts / groups;
  std::vector<double> ranks;
  for (int64_t group = 0; group < groups && groups > 1; ++group) {
    ArrayRef<double> members = choices.slice(group * perGroup, perGroup);
    double sum = 0;
    std::vector<int64_t> first = rank(members);
    for (int64_t member : ArrayRef(first).take_front(op.getGroupTop()))
      sum = roundFloat(type, sum + members[member]);
    ranks.push_back(sum);
  }
  std::vector<bool> open(experts, groups == 1);
  std::vector<int64_t> ranked = rank(ranks);
  for (int64_t group : ArrayRef(ranked).take_front(op.getTopGroups()))
    std::fill_n(open.begin() + group * perGroup, perGroup, true);
  std::vector<int64_t> taken;
  for (int64_t e : rank(choices)) {
    bool passes = !op.getThresholdAttr() || choices[e] > roundFloat(type, op.getThresholdAttr().getValueAsDouble());
    if (open[e] && passes && (op.getTopK() == 0 || taken.size() < op.getTopK()))
      taken.push_back(e);
  }
  llvm::sort(taken);
  return taken;
}

/// The list of pairs of a route or a mixture of experts.
template <typename OpTy> FailureOr<Pairs> route(Interpreter &in, OpTy op) {
  const Tensor logits = in.tensor(op.getLogits());
  std::optional<Tensor> biases;
  if (op.getBiases())
    biases = in.tensor(op.getBiases());
  int64_t count = logits.shape()[0], experts = logits.shape()[1];
  if (biases && biases->count() != experts)
    return op.emitError() << "expected " << experts << " biases, but got " << biases->count(), failure();
  if (static_cast<int64_t>(op.getTopK()) > experts)
    return op.emitError() << "expected 'top_k' from 0 to the number of experts, " << experts << ", but got "
                          << op.getTopK(),
           failure();
  Type type = getSumType(logits.element());
  std::vector<std::vector<std::pair<int64_t, double>>> lists(experts);
  for (int64_t token = 0; token < count; ++token) {
    std::vector<double> scores = getScores(op.getScore(), type, logits.data() + token * experts, experts);
    std::vector<double> choices = scores;
    for (int64_t e = 0; biases && e < experts; ++e)
      choices[e] = roundFloat(type, scores[e] + biases->data()[e].f);
    std::vector<int64_t> taken = choose(op, type, choices);
    double sum = 0;
    for (int64_t e : taken)
      sum += scores[e];
    double factor = op.getScaleAttr().getValueAsDouble();
    if (op.getNormalize() && sum != 0)
      factor /= sum;
    for (int64_t e : taken)
      lists[e].emplace_back(token, store(logits.element(), type, scores[e] * factor).f);
  }
  Pairs pairs;
  for (auto &list : lists) {
    pairs.offsets.push_back(pairs.tokens.size());
    for (auto [token, weight] : list) {
      pairs.tokens.push_back(token);
      pairs.weights.push_back(weight);
    }
  }
  pairs.offsets.push_back(pairs.tokens.size());
  return pairs;
}

LogicalResult runRoute(Interpreter &in, RouteOp op) {
  FailureOr<Pairs> pairs = route(in, op);
  if (failed(pairs))
    return failure();
  ArrayRef<int64_t> shape = in.tensor(op.getLogits()).shape();
  int64_t room = shape[0] * (op.getTopK() > 0 ? op.getTopK() : shape[1]);
  Type i64 = IntegerType::get(op.getContext(), 64);
  std::optional<Tensor> offsets = in.makeTensor(op, i64, {shape[1] + 1}), tokens = in.makeTensor(op, i64, {room});
  std::optional<Tensor> weights = in.makeTensor(op, in.tensor(op.getLogits()).element(), {room});
  if (!offsets || !tokens || !weights)
    return failure();
  llvm::transform(pairs->offsets, offsets->mutableData(), makeInt);
  llvm::transform(pairs->tokens, tokens->mutableData(), makeInt);
  std::fill_n(weights->mutableData(), room, makeFloat(0));
  llvm::transform(pairs->weights, weights->mutableData(), makeFloat);
  in.set(op.getOffsets(), *offsets);
  in.set(op.getTokens(), *tokens);
  in.set(op.getWeights(), *weights);
  return success();
}

//===----------------------------------------------------------------------===//
// Matmuls of groups
//===----------------------------------------------------------------------===//

double activate(Activation activation, double x) {
  switch (activation) {
  case Activation::identity:
    return x;
  case Activation::relu:
    return x > 0 || std::isnan(x) ? x : 0;
  case Activation::silu:
    return x / (1 + std::exp(-x));
  case Activation::gelu:
    return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
  case Activation::gelu_tanh:
    return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  case Activation::relu_squared:
    return x > 0 || std::isnan(x) ? x * x : 0;
  }
  llvm_unreachable("all activations are above");
}

LogicalResult runGroupedMatmul(Interpreter &in, GroupedMatmulOp op) {
  auto get = [&](Value value) { return value ? std::optional<Tensor>(in.tensor(value)) : std::nullopt; };
  const Tensor input = in.tensor(op.getInput()), weights = in.tensor(op.getWeights());
  const Tensor offsets = in.tensor(op.getOffsets());
  std::optional<Tensor> rows = get(op.getRows()), biases = get(op.getBiases()), factors = get(op.getFactors());
  std::optional<Tensor> scatter = get(op.getScatter()), scales = get(op.getScales());
  Tensor result = in.tensor(op.getInit());
  int64_t experts = weights.shape()[0], depth = weights.shape()[op.getDepthDim()], panel = op.getPanels();
  int64_t columns = panel == 0 ? weights.shape()[2] : result.shape()[1];
  int64_t length = in.tensor(op.getListOperand()).shape()[0];
  if (panel > 0 && weights.shape()[1] * panel < columns)
    return op.emitOpError("expected weights of ")
           << columns << " columns, but got " << weights.shape()[1] << " panels of " << panel;
  if (input.shape()[1] != depth || result.shape()[1] != columns || offsets.count() != experts + 1)
    return op.emitError() << "expected K " << depth << ", N " << columns << " and " << experts + 1
                          << " offsets by the weights, but got " << input.shape()[1] << ", " << result.shape()[1]
                          << " and " << offsets.count();
  for (const std::optional<Tensor> &list : {rows, factors, scatter, scales})
    if (list && list->shape()[0] != length)
      return op.emitError() << "expected lists of " << length << " entries, but got " << list->shape()[0];
  if (!scatter && result.shape()[0] != length)
    return op.emitError() << "expected lists of " << length << " entries, but got " << result.shape()[0];
  if (input.shape()[0] == 0 || result.shape()[0] == 0)
    length = 0;
  Type sumType = op.getSumType(), element = result.element();
  auto pick = [](const std::optional<Tensor> &list, int64_t entry, int64_t size) {
    return list ? std::clamp<int64_t>(list->data()[entry].i, 0, size - 1) : entry;
  };
  auto weightAt = [&](int64_t e, int64_t k, int64_t n) {
    return panel == 0 ? (e * depth + k) * columns + n
                      : ((e * weights.shape()[1] + n / panel) * depth + k) * panel + n % panel;
  };
  // What is scattered to a row adds up before it is rounded to the result's type.
  std::vector<double> sums;
  for (int64_t i = 0; i < result.count(); ++i)
    sums.push_back(result.data()[i].f);
  for (int64_t e = 0; e < experts; ++e)
    for (int64_t r = offsetAt(offsets, e, length), end = offsetAt(offsets, e + 1, length); r < end; ++r)
      for (int64_t n = 0; n < columns; ++n) {
        const Scalar *row = input.data() + pick(rows, r, input.shape()[0]) * depth;
        double sum = 0;
        for (int64_t k = 0; k < depth; ++k)
          sum += row[k].f * weights.data()[weightAt(e, k, n)].f;
        if (biases)
          sum += biases->data()[e * columns + n].f;
        sum = roundFloat(sumType, activate(op.getActivation(), roundFloat(sumType, sum)));
        if (factors)
          sum *= factors->data()[r * columns + n].f;
        if (scales)
          sum *= scales->data()[r].f;
        double &place = sums[pick(scatter, r, result.shape()[0]) * columns + n];
        place = scatter ? place + sum : sum;
      }
  Scalar *out = result.mutableData();
  for (int64_t i = 0; i < result.count(); ++i)
    out[i] = store(element, sumType, sums[i]);
  in.set(op.getResult(), result);
  return success();
}

/// activation(x * gate) * (x * up) * down for one row, where matrices start at the given elements.
std::vector<double> feedForward(Activation activation, Type element, Type sumType, ArrayRef<double> row,
                                const Scalar *gate, const Scalar *up, const Scalar *down, int64_t hidden) {
  int64_t depth = row.size();
  auto multiply = [&](ArrayRef<double> from, const Scalar *matrix, int64_t columns) {
    std::vector<double> sums(columns, 0);
    for (size_t k = 0; k < from.size(); ++k)
      for (int64_t n = 0; n < columns; ++n)
        sums[n] += from[k] * matrix[k * columns + n].f;
    for (double &sum : sums)
      sum = roundFloat(sumType, sum);
    return sums;
  };
  std::vector<double> h = multiply(row, up, hidden), gates = gate ? multiply(row, gate, hidden) : h;
  for (int64_t i = 0; i < hidden; ++i) {
    double value = activate(activation, gates[i]);
    // The factor is a tensor of the elements' type.
    h[i] = store(element, sumType, gate ? value * roundFloat(element, h[i]) : value).f;
  }
  return multiply(h, down, depth);
}

LogicalResult runMoe(Interpreter &in, MoeOp op) {
  FailureOr<Pairs> pairs = route(in, op);
  if (failed(pairs))
    return failure();
  const Tensor tokens = in.tensor(op.getTokens()), up = in.tensor(op.getUp()), down = in.tensor(op.getDown());
  int64_t count = tokens.shape()[0], depth = tokens.shape()[1], hidden = up.shape()[2], experts = up.shape()[0];
  auto verify = [&](Value value, ArrayRef<int64_t> shape) -> LogicalResult {
    if (value && in.tensor(value).shape() != shape)
      return op.emitError("expected the weights of experts to fit the tokens and each other");
    return success();
  };
  int64_t width = op.getSharedUp() ? in.tensor(op.getSharedUp()).shape()[1] : 0;
  if (failed(verify(op.getUp(), {experts, depth, hidden})) || failed(verify(op.getGate(), {experts, depth, hidden})) ||
      failed(verify(op.getDown(), {experts, hidden, depth})) || failed(verify(op.getSharedUp(), {depth, width})) ||
      failed(verify(op.getSharedGate(), {depth, width})) || failed(verify(op.getSharedDown(), {width, depth})) ||
      failed(verify(op.getLogits(), {count, experts})))
    return failure();
  Type element = tokens.element(), sumType = getSumType(element);
  auto matrix = [&](Value value, int64_t number, int64_t size) {
    return value ? in.tensor(value).data() + number * size : nullptr;
  };
  std::vector<double> sums(count * depth, 0);
  auto add = [&](int64_t token, double weight, Value gate, Value up, Value down, int64_t e, int64_t hidden) {
    std::vector<double> row;
    for (int64_t d = 0; d < depth; ++d)
      row.push_back(tokens.data()[token * depth + d].f);
    int64_t size = depth * hidden;
    std::vector<double> y = feedForward(op.getActivation(), element, sumType, row, matrix(gate, e, size),
                                        matrix(up, e, size), matrix(down, e, size), hidden);
    for (int64_t d = 0; d < depth; ++d)
      sums[token * depth + d] += weight * y[d];
  };
  for (int64_t token = 0; token < count && op.getSharedUp(); ++token)
    add(token, 1, op.getSharedGate(), op.getSharedUp(), op.getSharedDown(), 0, width);
  for (int64_t e = 0; e < experts; ++e)
    for (int64_t r = pairs->offsets[e]; r < pairs->offsets[e + 1]; ++r)
      add(pairs->tokens[r], pairs->weights[r], op.getGate(), op.getUp(), op.getDown(), e, hidden);
  Tensor result(element, tokens.shape());
  Scalar *out = result.mutableData();
  for (int64_t i = 0; i < count * depth; ++i)
    out[i] = store(element, sumType, sums[i]);
  in.set(op.getResult(), result);
  return success();
}

} // namespace

Interpreter::Handled Interpreter::runExperts(Operation *op) {
  return llvm::TypeSwitch<Operation *, Handled>(op)
      .Case<TopKOp>([&](TopKOp topK) -> Handled {
        int64_t fixed = cast<ShapedType>(topK.getValues().getType()).getDimSize(topK.getAxis());
        int64_t count = topK.getK() ? integer(topK.getK()) : fixed;
        return select(*this, op, tensor(topK.getInput()), topK.getAxis(), count, !topK.getSmallest());
      })
      .Case<SortOp>([&](SortOp sort) -> Handled {
        const Tensor input = tensor(sort.getInput());
        return select(*this, op, input, sort.getAxis(), input.shape()[sort.getAxis()], sort.getDescending());
      })
      .Case<SegmentReduceOp>([&](SegmentReduceOp reduce) -> Handled { return reduceSegments(*this, reduce); })
      .Case<RouteOp>([&](RouteOp route) -> Handled { return runRoute(*this, route); })
      .Case<GroupedMatmulOp>([&](GroupedMatmulOp matmul) -> Handled { return runGroupedMatmul(*this, matmul); })
      .Case<MoeOp>([&](MoeOp moe) -> Handled { return runMoe(*this, moe); })
      .Default([](Operation *) -> Handled { return std::nullopt; });
}
