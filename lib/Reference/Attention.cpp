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
  std::optional<Tensor> pages, start, lengths;
  Attribute mask;

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
};

/// A key that a query sees: its score or weight, and where its values are.
struct Seen {
  double weight;
  const Scalar *values;
};

void normalize(Normalizer normalizer, std::vector<Seen> &seen, Type type) {
  if (normalizer == Normalizer::none)
    return;
  if (normalizer != Normalizer::softmax) {
    for (Seen &key : seen)
      key.weight =
          roundFloat(type, normalizer == Normalizer::relu ? (key.weight > 0 || std::isnan(key.weight) ? key.weight : 0)
                                                          : 1 / (1 + std::exp(-key.weight)));
    return;
  }
  double highest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const Seen &key : seen)
    highest = std::isnan(key.weight) ? key.weight : std::max(highest, key.weight);
  for (Seen &key : seen) // scores of -inf alone weigh nothing
    sum += key.weight = highest == -std::numeric_limits<double>::infinity() ? 0 : std::exp(key.weight - highest);
  for (Seen &key : seen)
    key.weight = sum == 0 ? 0 : key.weight / sum;
}

} // namespace

LogicalResult Interpreter::runAttention(AttentionOp op) {
  const Tensor query = tensor(op.getQuery());
  Tensor result = tensor(op.getInit());
  std::vector<Source> sources;
  for (unsigned number = 0; number < op.getSources().size(); ++number) {
    KVSourceOp from = op.getSource(number);
    auto read = [&](Value value) { return value ? std::optional<Tensor>(tensor(value)) : std::nullopt; };
    Source source{tensor(from.getKeys()), tensor(from.getValues()), read(from.getPages()),
                  read(from.getStart()),  read(from.getLengths()),  from.getMask().value_or(Attribute())};
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
  int64_t queries = query.shape()[2], depth = query.shape()[3], width = result.shape()[3];
  CompiledRegion region(*this, op.getScore().front());
  SmallVector<Scalar> results;
  Scalar *out = result.mutableData();
  LogicalResult done = forEach(query.shape().drop_back(), [&](ArrayRef<int64_t> at) -> LogicalResult {
    int64_t b = at[0], h = at[1], q = at[2];
    std::vector<Seen> seen;
    const Scalar *queryRow = query.data() + flatten(query.shape(), {b, h, q, 0});
    for (const Source &source : sources) {
      int64_t group = h / (query.shape()[1] / source.getHeads()), count = source.countKeys(b, group);
      for (int64_t k = 0; k < count; ++k) {
        if (!allowsKey(source.mask, q, k, queries, count))
          continue;
        int64_t row = source.getRow(b, group, k);
        const Scalar *key = source.keys.data() + row * depth;
        double dot = 0;
        for (int64_t d = 0; d < depth; ++d)
          dot += queryRow[d].f * key[d].f;
        SmallVector<Scalar> arguments{makeFloat(roundFloat(type, dot)), makeInt(b), makeInt(h), makeInt(q), makeInt(k)};
        for (auto [extra, map] : llvm::zip(extras, maps)) {
          SmallVector<int64_t> index = map.compose(ArrayRef<int64_t>{b, h, q, k});
          for (auto [i, size] : llvm::zip(index, extra.shape()))
            if (i >= size)
              return op.emitError() << "index out of bounds: " << i << " of " << size << " in an extra";
          arguments.push_back(extra.data()[flatten(extra.shape(), index)]);
        }
        if (failed(region(arguments, at, results)))
          return failure();
        seen.push_back({results[0].f, source.values.data() + row * width});
      }
    }
    normalize(op.getNormalizer(), seen, type);
    Scalar *target = out + flatten(result.shape(), {b, h, q, 0});
    for (int64_t e = 0; e < width; ++e) {
      double sum = 0;
      for (const Seen &key : seen)
        sum += key.weight * key.values[e].f;
      target[e] = makeFloat(roundFloat(element, roundFloat(type, sum)));
    }
    return success();
  });
  if (failed(done))
    return failure();
  set(op.getResult(), result);
  return success();
}
