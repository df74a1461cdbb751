//===- Lists.cpp - what tenon.select_blocks computes -------------------------------------------===//
//
// Run by run, as the op's description has it; in double.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Lists.h"
#include "Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

namespace {

class Selector {
public:
  Selector(Interpreter &in, SelectBlocksOp op)
      : in(in), op(op), query(in.tensor(op.getQuery())), keys(in.tensor(op.getKeys())), lists(getShape(op.getBlocks())),
        queries(query.shape()[2]), depth(query.shape()[3]), total(op.countBlocks()), length(op.getBlockKeys()),
        run(op.getBlockQueries()) {
    bool isStrided = op.getScore() == BlockScore::antidiagonal;
    step = isStrided ? op.getStride() : run;
    keyStep = isStrided ? op.getStride() : length;
  }

  LogicalResult operator()() {
    int64_t batches = query.shape()[0], perList = lists[1] ? query.shape()[1] / lists[1] : 1;
    lists[0] = batches;
    if (keys.shape()[0] != batches || (op.getLengths() && in.tensor(op.getLengths()).count() != batches))
      return op.emitError() << "expected keys and lengths of " << batches << " batches";
    std::optional<Tensor> blocks = in.makeTensor(op, IntegerType::get(op.getContext(), 64), lists);
    std::optional<Tensor> counts =
        in.makeTensor(op, IntegerType::get(op.getContext(), 64), ArrayRef(lists).drop_back());
    if (!blocks || !counts)
      return failure();
    for (int64_t number = 0; number < counts->count(); ++number) { // a list
      int64_t r = number % lists[2], w = number / lists[2] % lists[1], b = number / lists[2] / lists[1];
      exist = op.getLengths() ? std::clamp<int64_t>(in.tensor(op.getLengths()).data()[b].i, 0, op.countKeys())
                              : op.countKeys();
      int64_t end = std::min((r + 1) * run, queries);
      std::vector<double> masses(total, 0);
      for (int64_t h = w * perList; h < (w + 1) * perList; ++h)
        for (int64_t u = r * run; u < end; u += step)
          addMasses(b, h, u, double(perList) * llvm::divideCeil(end - r * run, step), masses);
      SmallVector<int64_t> taken = take(masses, r * run + exist - queries, end - 1 + exist - queries);
      llvm::sort(taken);
      counts->mutableData()[number] = makeInt(taken.size());
      for (int64_t entry = 0; entry < lists[3]; ++entry)
        blocks->mutableData()[number * lists[3] + entry] =
            makeInt(entry < static_cast<int64_t>(taken.size()) ? taken[entry] : -1);
    }
    in.set(op.getBlocks(), *blocks);
    in.set(op.getCounts(), *counts);
    return success();
  }

private:
  static SmallVector<int64_t> getShape(Value value) {
    return SmallVector<int64_t>(cast<RankedTensorType>(value.getType()).getShape());
  }
  bool sees(int64_t last, int64_t key) const { return key < exist && (!op.getCausal() || key <= last); }

  /// Adds what falls on the blocks from the row of queries that begins with `first`, over `rows`.
  void addMasses(int64_t b, int64_t h, int64_t first, double rows, std::vector<double> &masses) {
    int64_t end = std::min(first + step, queries), group = h / (query.shape()[1] / keys.shape()[1]);
    std::vector<std::pair<int64_t, double>> scores; // of a block
    double highest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t key = 0; key < total * length; key += keyStep)
      if (sees(end - 1 + exist - queries, key)) {
        double score = op.getScale().convertToDouble() * getScore(b, h, group, first, end, key);
        scores.emplace_back(key / length, score);
        highest = std::isnan(score) ? score : std::max(highest, score);
      }
    for (auto &[block, score] : scores)
      sum += score = score == -std::numeric_limits<double>::infinity() ? 0 : std::exp(score - highest);
    for (auto [block, weight] : scores)
      masses[block] += sum == 0 ? 0 : weight / sum / rows;
  }

  double getScore(int64_t b, int64_t h, int64_t group, int64_t first, int64_t end, int64_t key) {
    auto q = [&](int64_t i, int64_t d) { return query.data()[flatten(query.shape(), {b, h, i, d})].f; };
    auto k = [&](int64_t j, int64_t d) { return keys.data()[flatten(keys.shape(), {b, group, j, d})].f; };
    int64_t keyEnd = std::min(key + keyStep, exist);
    double score = 0;
    if (op.getScore() == BlockScore::antidiagonal) {
      for (int64_t i = 0; i < step; ++i)
        for (int64_t d = 0; key + i < keyEnd && first + step - 1 - i < end && d < depth; ++d)
          score += q(first + step - 1 - i, d) * k(key + i, d);
      return score;
    }
    for (int64_t d = 0; d < depth; ++d) {
      double mean = 0, sum = 0, low = std::numeric_limits<double>::infinity(), high = -low;
      for (int64_t i = first; i < end; ++i)
        mean += q(i, d) / (end - first);
      for (int64_t j = key; op.getScore() != BlockScore::given && j < keyEnd; ++j) {
        sum += k(j, d) / (keyEnd - key);
        low = std::min(low, k(j, d));
        high = std::max(high, k(j, d));
      }
      switch (op.getScore()) {
      case BlockScore::given:
        score += mean * k(key / length, d);
        break;
      case BlockScore::max:
        score += mean * high;
        break;
      case BlockScore::bound:
        score += std::max(mean * low, mean * high);
        break;
      default:
        score += mean * sum;
      }
    }
    return score;
  }

  /// The blocks of a run whose queries stand from `first` to `last`, in the order that they are taken in.
  SmallVector<int64_t> take(ArrayRef<double> masses, int64_t first, int64_t last) const {
    auto isKept = [&](int64_t block) {
      bool isLocal = (block + op.getLocal()) * length > first && block * length <= last;
      return block < static_cast<int64_t>(op.getSink()) || (op.getLocal() > 0 && isLocal);
    };
    SmallVector<int64_t> order, taken;
    for (int64_t block = 0; block < total; ++block)
      if (sees(last, block * length))
        order.push_back(block);
    auto isBefore = [&](int64_t a, int64_t b) {
      if (isKept(a) != isKept(b))
        return isKept(a);
      bool aIsNaN = std::isnan(masses[a]), bIsNaN = std::isnan(masses[b]);
      return aIsNaN != bIsNaN ? aIsNaN : masses[a] > masses[b];
    };
    std::stable_sort(order.begin(), order.end(), isBefore);
    double sum = 0;
    for (int64_t block : order) {
      if (static_cast<int64_t>(taken.size()) == lists[3])
        break;
      bool isEnough = op.getMass() && !(sum < op.getMass()->convertToDouble());
      bool isLight = op.getThreshold() && !(masses[block] > op.getThreshold()->convertToDouble());
      if (!isKept(block) && (isEnough || isLight))
        break;
      taken.push_back(block);
      sum += masses[block];
    }
    return taken;
  }

  Interpreter &in;
  mutable SelectBlocksOp op;
  const Tensor query, keys;
  SmallVector<int64_t> lists; ///< their shape
  int64_t queries, depth, total, length, run, step, keyStep, exist = 0;
};

} // namespace

Interpreter::Handled Interpreter::runLists(Operation *op) {
  return llvm::TypeSwitch<Operation *, Handled>(op)
      .Case<SelectBlocksOp>([&](SelectBlocksOp select) -> Handled { return Selector(*this, select)(); })
      .Default([](Operation *) -> Handled { return std::nullopt; });
}
