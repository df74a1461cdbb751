//===- Attention.cpp - what tenon.attention computes -----------------------------------------===//
//
// Query by query, over all keys, as the op's description has it; sums in double, rounded where the op keeps a value.
//
//===----------------------------------------------------------------------===//
#include "Interpreter.h"
#include "tenon/Dialect/IR/Masks.h"

#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

namespace {

struct Source {
  Tensor keys, values;
  std::optional<Tensor> pages, start, lengths, blocks, blockWeights;
  int64_t blockKeys, blockQueries;
  Attribute mask;
  SmallVector<Tensor> maskOperands;
  SmallVector<AffineMap> maskMaps;
  std::unique_ptr<CompiledRegion> predicate;

  const Scalar &readMaskOperand(unsigned number, ArrayRef<int64_t> at) const {
    const Tensor &tensor = maskOperands[number];
    return tensor.data()[flatten(tensor.shape(), maskMaps[number].compose(at))];
  }

  /// Whether query (b, h, q) sees key `k` of `count`.
  FailureOr<bool> sees(ArrayRef<int64_t> at, int64_t k, int64_t queries, int64_t count) const {
    auto read = [&](unsigned number, int64_t head, int64_t query, int64_t key) {
      return readMaskOperand(number, {at[0], head, query, key}).i;
    };
    if (!allowsKey(mask, {at[1], at[2], at[2], queries, count}, k, read))
      return false;
    if (!predicate)
      return true;
    SmallVector<Scalar> arguments{makeInt(at[0]), makeInt(at[1]), makeInt(at[2]), makeInt(k)}, result;
    for (unsigned number = 0; number < maskOperands.size(); ++number)
      arguments.push_back(readMaskOperand(number, {at[0], at[1], at[2], k}));
    if (failed((*predicate)(arguments, at, result)))
      return failure();
    return result[0].i != 0;
  }

  int64_t getHeads() const { return keys.shape()[1]; }
  int64_t countPages() const { return pages ? pages->shape().back() : 1; }
  int64_t countPlaces() const { return keys.shape()[0] == 0 ? 0 : keys.shape()[2] * countPages(); }

  int64_t countKeys(int64_t batch, int64_t head) const {
    int64_t place = lengths && lengths->shape().size() == 2 ? batch * getHeads() + head : batch;
    return lengths ? std::clamp<int64_t>(lengths->data()[place].i, 0, countPlaces()) : countPlaces();
  }

  /// The row of keys (and of values) that key `k` lies in, among all of the storage.
  int64_t getRow(int64_t batch, int64_t head, int64_t k) const {
    if (start)
      k = (std::max<int64_t>(0, start->data()[batch].i) + k) % countPlaces();
    int64_t page = batch, size = keys.shape()[2];
    if (pages) {
      int64_t list = pages->shape().size() == 3 ? batch * getHeads() + head : batch;
      page = pages->data()[list * countPages() + k / size].i;
      page = std::clamp<int64_t>(page, 0, keys.shape()[0] - 1);
      k %= size;
    }
    return (page * getHeads() + head) * size + k;
  }

  /// Calls `visit(k, weight)` for what is listed of the keys from `low` to before `high`, of `count`; for each without
  /// lists.
  LogicalResult forKeys(ArrayRef<int64_t> at, int64_t heads, int64_t low, int64_t high, int64_t count,
                        function_ref<LogicalResult(int64_t k, double weight)> visit) const {
    auto forRange = [&](int64_t from, int64_t to, double weight) {
      for (int64_t k = std::max(low, from); k < std::min(high, to); ++k)
        if (failed(visit(k, weight)))
          return failure();
      return success();
    };
    if (!blocks)
      return forRange(0, count, 0);
    ArrayRef<int64_t> shape = blocks->shape();
    int64_t list = at[2] / blockQueries;
    for (int64_t entry = 0; list < shape[2] && entry < shape[3]; ++entry) {
      int64_t place = flatten(shape, {at[0], at[1] / (heads / shape[1]), list, entry}), block = blocks->data()[place].i;
      if (block < 0 || block >= llvm::divideCeil(count, blockKeys))
        continue;
      double weight = blockWeights ? blockWeights->data()[place].f : 0;
      if (failed(forRange(block * blockKeys, std::min(count, (block + 1) * blockKeys), weight)))
        return failure();
    }
    return success();
  }
};

/// A key that a query sees: its score, then its weight; where its values are; and its place, for the regions.
struct Seen {
  double weight;
  const Scalar *values;
  SmallVector<Scalar> place;
};

/// The t that makes the weights of entmax sum to 1, by halving what it lies in.
double findThreshold(ArrayRef<Seen> seen, double alpha) {
  double highest = -std::numeric_limits<double>::infinity();
  for (const Seen &key : seen)
    highest = std::max(highest, (alpha - 1) * key.weight);
  double low = highest - 1, high = highest;
  for (int round = 0; round < 200; ++round) {
    double middle = (low + high) / 2, sum = 0;
    for (const Seen &key : seen)
      sum += std::pow(std::max(0.0, (alpha - 1) * key.weight - middle), 1 / (alpha - 1));
    (sum >= 1 ? low : high) = middle;
  }
  return low;
}

/// Scores to weights, but for a user's rule; returns the log-sum-exp of a softmax.
double normalize(AttentionOp op, std::vector<Seen> &seen, std::optional<double> sink) {
  Type type = op.getScoreType();
  double lowest = -std::numeric_limits<double>::infinity(), highest = sink.value_or(lowest), sum = 0;
  switch (op.getNormalizer()) {
  case Normalizer::none:
  case Normalizer::user:
    return 0;
  case Normalizer::relu:
    for (Seen &key : seen)
      key.weight = key.weight > 0 || std::isnan(key.weight) ? key.weight : 0;
    return 0;
  case Normalizer::sigmoid:
    for (Seen &key : seen)
      key.weight = roundFloat(type, 1 / (1 + std::exp(-key.weight)));
    return 0;
  case Normalizer::entmax: {
    double alpha = op.getAlpha()->convertToDouble(), threshold = findThreshold(seen, alpha);
    for (Seen &key : seen)
      sum += key.weight = std::pow(std::max(0.0, (alpha - 1) * key.weight - threshold), 1 / (alpha - 1));
    for (Seen &key : seen)
      key.weight = sum == 0 ? 0 : key.weight / sum;
    return 0;
  }
  case Normalizer::softmax:
    break;
  }
  for (const Seen &key : seen)
    highest = std::isnan(key.weight) ? key.weight : std::max(highest, key.weight);
  if (sink && highest != lowest)
    sum = std::exp(*sink - highest);
  for (Seen &key : seen) // scores of -inf alone weigh nothing
    sum += key.weight = highest == lowest ? 0 : std::exp(key.weight - highest);
  for (Seen &key : seen)
    key.weight = sum == 0 ? 0 : key.weight / sum;
  return sum == 0 ? lowest : highest + std::log(sum);
}

/// A user's rule, by its regions.
class Rule {
public:
  Rule(Interpreter &interpreter, NormalizerOp op)
      : init(interpreter, op.getInit().front()), update(interpreter, op.getUpdate().front()),
        finish(interpreter, op.getFinish().front()) {}

  LogicalResult operator()(std::vector<Seen> &seen, ArrayRef<int64_t> at) {
    SmallVector<Scalar> state, arguments;
    if (failed(init({}, at, state)))
      return failure();
    for (const Seen &key : seen) {
      arguments = state;
      arguments.push_back(makeFloat(key.weight));
      if (failed(update(arguments, at, state)))
        return failure();
    }
    SmallVector<Scalar> weight;
    for (Seen &key : seen) {
      arguments = state;
      arguments.insert(arguments.begin(), makeFloat(key.weight));
      if (failed(finish(arguments, at, weight)))
        return failure();
      key.weight = weight[0].f;
    }
    return success();
  }

private:
  CompiledRegion init, update, finish;
};

} // namespace

LogicalResult Interpreter::runAttention(AttentionOp op) {
  const Tensor query = tensor(op.getQuery());
  Tensor result = tensor(op.getInit());
  auto read = [&](Value value) { return value ? std::optional<Tensor>(tensor(value)) : std::nullopt; };
  std::optional<Tensor> sink = read(op.getSink()), lse = read(op.getLseInit());
  std::vector<Source> sources;
  for (unsigned number = 0; number < op.getSources().size(); ++number) {
    KVSourceOp from = op.getSource(number);
    Source source{tensor(from.getKeys()),
                  tensor(from.getValues()),
                  read(from.getPages()),
                  read(from.getStart()),
                  read(from.getLengths()),
                  read(from.getBlocks()),
                  read(from.getBlockWeights()),
                  int64_t(from.getBlockKeys()),
                  int64_t(from.getBlockQueries()),
                  from.getMask().value_or(Attribute()),
                  {},
                  from.getMaps(),
                  nullptr};
    for (Value operand : from.getMaskOperands())
      source.maskOperands.push_back(tensor(operand));
    if (from.hasPredicate())
      source.predicate = std::make_unique<CompiledRegion>(*this, from.getPredicate().front().front());
    int64_t sizes[] = {query.shape()[0], query.shape()[1], query.shape()[2], source.countPlaces()};
    for (auto [operand, map] : llvm::zip(source.maskOperands, source.maskMaps))
      for (auto [result, extent] : llvm::zip(map.getResults(), operand.shape()))
        if (auto dim = dyn_cast<AffineDimExpr>(result); dim && sizes[dim.getPosition()] > extent)
          return op.emitError() << "index out of bounds: " << extent << " of " << extent << " in a mask operand";
    int64_t lists = source.blocks ? source.blocks->shape()[1] : 1;
    if (lists == 0 ? query.shape()[1] != 0 : query.shape()[1] % lists != 0)
      return op.emitError() << "expected the heads of the blocks of source " << number << " to divide the query's "
                            << query.shape()[1] << ", but got " << lists;
    int64_t heads = source.getHeads();
    if (heads == 0 ? query.shape()[1] != 0 : query.shape()[1] % heads != 0)
      return op.emitError() << "expected the heads of source " << number << " to divide the query's "
                            << query.shape()[1] << ", but got " << heads;
    sources.push_back(std::move(source));
  }
  SmallVector<Tensor> extras;
  for (Value extra : op.getExtras())
    extras.push_back(tensor(extra));
  SmallVector<AffineMap> maps = op.getMaps();
  Type type = op.getScoreType(), element = result.element();
  int64_t queries = query.shape()[2], depth = query.shape()[3], width = result.shape().back();
  int64_t parts = op.getPartial() ? result.shape()[3] : 1;
  CompiledRegion score(*this, op.getScore().front());
  std::optional<CompiledRegion> probability;
  if (op.hasProbability())
    probability.emplace(*this, op.getProbability().front().front());
  std::optional<Rule> rule;
  if (NormalizerOp normalizer = op.getRuleOp())
    rule.emplace(*this, normalizer);
  SmallVector<Scalar> results;
  Scalar *out = result.mutableData();
  SmallVector<int64_t> rows(query.shape().drop_back());
  rows.push_back(parts);
  LogicalResult done = forEach(rows, [&](ArrayRef<int64_t> at) -> LogicalResult {
    int64_t b = at[0], h = at[1], q = at[2], part = at[3];
    std::vector<Seen> seen;
    const Scalar *queryRow = query.data() + flatten(query.shape(), {b, h, q, 0});
    for (const Source &source : sources) {
      int64_t group = h / (query.shape()[1] / source.getHeads()), count = source.countKeys(b, group);
      int64_t each = llvm::alignTo(llvm::divideCeil(count, parts), 64);
      int64_t low = part * each, high = op.getPartial() ? std::min(count, low + each) : count;
      auto visit = [&](int64_t k, double weight) -> LogicalResult {
        FailureOr<bool> isSeen = source.sees(at, k, queries, count);
        if (failed(isSeen))
          return failure();
        if (!*isSeen)
          return success();
        int64_t row = source.getRow(b, group, k);
        const Scalar *key = source.keys.data() + row * depth;
        double dot = 0;
        for (int64_t d = 0; d < depth; ++d)
          dot += queryRow[d].f * key[d].f;
        Seen entry{0, source.values.data() + row * width, {makeInt(b), makeInt(h), makeInt(q), makeInt(k)}};
        for (auto [extra, map] : llvm::zip(extras, maps)) {
          SmallVector<int64_t> index = map.compose(ArrayRef<int64_t>{b, h, q, k});
          for (auto [i, size] : llvm::zip(index, extra.shape()))
            if (i >= size)
              return op.emitError() << "index out of bounds: " << i << " of " << size << " in an extra";
          entry.place.push_back(extra.data()[flatten(extra.shape(), index)]);
        }
        SmallVector<Scalar> arguments{makeFloat(roundFloat(type, dot))};
        llvm::append_range(arguments, entry.place);
        if (failed(score(arguments, at, results)))
          return failure();
        entry.weight = results[0].f + weight;
        if (op.isElementwise() || entry.weight != -std::numeric_limits<double>::infinity())
          seen.push_back(std::move(entry));
        return success();
      };
      if (failed(source.forKeys(at, query.shape()[1], low, high, count, visit)))
        return failure();
    }
    double total = normalize(op, seen, sink ? std::optional<double>(sink->data()[h].f) : std::nullopt);
    if (rule && failed((*rule)(seen, at)))
      return failure();
    for (Seen &key : probability ? MutableArrayRef<Seen>(seen) : MutableArrayRef<Seen>()) {
      SmallVector<Scalar> arguments{makeFloat(roundFloat(type, key.weight))};
      llvm::append_range(arguments, key.place);
      if (failed((*probability)(arguments, at, results)))
        return failure();
      key.weight = results[0].f;
    }
    int64_t row = flatten(rows, at);
    if (lse)
      lse->mutableData()[row] = makeFloat(roundFloat(type, total));
    for (int64_t e = 0; e < width; ++e) {
      double sum = 0;
      for (const Seen &key : seen)
        sum += key.weight * key.values[e].f;
      out[row * width + e] = makeFloat(roundFloat(element, roundFloat(type, sum)));
    }
    return success();
  });
  if (failed(done))
    return failure();
  set(op.getResult(), result);
  if (lse)
    set(op.getLse(), *lse);
  return success();
}
