//===- ExpandContractEpilogue.cpp - from sums to stored results ---------------------------===//
//
// The epilogue runs on the accumulators before their only store. Where the lanes run along a dim whose elements are far
// apart in the result, but the tile has several rows that are neighbours there, blocks of lanes and rows are transposed
// in registers and stored row-wise; so are the extras that are laid out like the result.
//
//===----------------------------------------------------------------------===//
#include "ExpandContract.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <map>

using namespace mlir;
using namespace tenon;
using namespace tenon::contract;

Value contract::cloneOnLanes(OpBuilder &builder, Location loc, Block &body, IRMapping &mapping, int64_t width) {
  auto get = [&](Value value) {
    Value mapped = mapping.lookupOrDefault(value);
    return splat(builder, loc, mapped, width);
  };
  for (Operation &inner : body.without_terminator()) {
    // What is the same for all lanes is computed once.
    if (width == 1 || llvm::none_of(inner.getOperands(), [&](Value operand) {
          return isa<VectorType>(mapping.lookupOrDefault(operand).getType());
        })) {
      builder.clone(inner, mapping);
      continue;
    }
    SmallVector<Value> operands = llvm::map_to_vector(inner.getOperands(), get);
    if (OpTrait::hasElementwiseMappableTraits(&inner)) {
      Operation *clone = builder.clone(inner);
      clone->setOperands(operands);
      for (auto [from, to] : llvm::zip(inner.getResults(), clone->getResults())) {
        to.setType(getLaneType(from.getType(), width));
        mapping.map(from, to);
      }
      continue;
    }
    // An op without a vector form runs lane by lane.
    SmallVector<SmallVector<Value>> lanes(inner.getNumResults());
    for (int64_t lane = 0; lane < width; ++lane) {
      IRMapping scalars;
      for (auto [from, to] : llvm::zip(inner.getOperands(), operands))
        scalars.map(from, vector::ExtractOp::create(builder, loc, to, lane));
      Operation *clone = builder.clone(inner, scalars);
      for (auto [index, result] : llvm::enumerate(clone->getResults()))
        lanes[index].push_back(result);
    }
    for (auto [index, result] : llvm::enumerate(inner.getResults()))
      mapping.map(result, vector::FromElementsOp::create(builder, loc, VectorType::get({width}, result.getType()),
                                                         lanes[index]));
  }
  return get(cast<YieldOp>(body.getTerminator()).getValues()[0]);
}

namespace {

class Epilogue : TilePlaces {
public:
  Epilogue(OpBuilder &builder, const Contraction &contraction, const MicroTile &tile, ArrayRef<Key> rows)
      : TilePlaces(builder, contraction, tile), rows(rows), body(op.getEpilogue().front()) {}

  void run(ArrayRef<Value> sums) {
    unsigned out = contraction.getOutIndex();
    for (unsigned number = 0; number <= out; ++number)
      bases.push_back(number < 2 ? SmallVector<Value>() : getBase(number));
    neighbours = getNeighbourDim(out);
    for (const SmallVector<unsigned> &group : getGroups())
      for (auto [laneNumber, lanes] : llvm::enumerate(tile.lanes)) {
        SmallVector<Value> results;
        for (auto [place, row] : llvm::enumerate(group))
          results.push_back(runOnLanes(sums[row * tile.lanes.size() + laneNumber], group, place, laneNumber));
        if (canTranspose(out, lanes)) {
          storeTransposed(results, rows[group.front()], lanes);
          continue;
        }
        for (auto [place, row] : llvm::enumerate(group))
          storeVector(builder, loc, results[place], op.getOut(),
                      getIndices(bases[out], getOffsets(out, rows[row], {}, lanes.offset)), getSteps(out),
                      contraction.isDot() ? OpFoldResult() : lanes.count);
      }
  }

private:
  /// The row dim whose elements are neighbours in operand `number`; -1 where the tile has no rows along it.
  int64_t getNeighbourDim(unsigned number) const {
    if (contraction.coefficients[number].empty())
      return -1;
    int64_t found = -1;
    for (auto [dim, coefficient] : llvm::enumerate(contraction.coefficients[number].back())) {
      if (coefficient == 0)
        continue;
      if (coefficient != 1 || found >= 0)
        return -1;
      found = dim;
    }
    return found >= 0 && found != contraction.vectorDim && tile.rows[found] > 1 ? found : -1;
  }

  /// The rows of the tile in groups that differ along the neighbour dim alone; single rows where there is none.
  std::vector<SmallVector<unsigned>> getGroups() const {
    std::map<Key, SmallVector<unsigned>> groups;
    for (auto [number, row] : llvm::enumerate(rows)) {
      Key key = row;
      if (neighbours >= 0)
        key[neighbours] = 0;
      groups[key].push_back(number);
    }
    std::vector<SmallVector<unsigned>> list;
    for (auto &entry : groups)
      list.push_back(entry.second);
    return list;
  }

  /// Rows of a block that is transposed.
  int64_t getBlock() const { return llvm::PowerOf2Ceil(tile.rows[neighbours]); }

  /// Whether operand `number` is reached by blocks: lanes far apart, rows that are neighbours, all of it known.
  bool canTranspose(unsigned number, const Lanes &lanes) {
    if (contraction.isDot() || neighbours < 0 || getNeighbourDim(number) != neighbours || getBlock() > lanes.width ||
        (lanes.count && !getConstantIntValue(lanes.count)))
      return false;
    Key steps = getSteps(number);
    return steps.back() == 0 && llvm::any_of(steps, [](int64_t step) { return step != 0; }) &&
           isContiguous(op->getOperand(number), getRowSteps(number)) &&
           getElementTypeOrSelf(op->getOperand(number)).getIntOrFloatBitWidth() >= 8;
  }

  Key getRowSteps(unsigned number) const {
    Key steps(contraction.coefficients[number].size(), 0);
    steps.back() = 1;
    return steps;
  }

  SmallVector<Value> getLanePlace(unsigned number, const Key &row, int64_t lane) {
    return getIndices(bases[number], getOffsets(number, row, {}, lane));
  }

  /// How many lanes exist.
  static int64_t getCount(const Lanes &lanes) { return lanes.count ? *getConstantIntValue(lanes.count) : lanes.width; }

  void storeTransposed(SmallVector<Value> results, const Key &row, const Lanes &lanes) {
    unsigned out = contraction.getOutIndex();
    int64_t block = getBlock(), count = results.size();
    results.resize(block, results.front());
    transposeBlocks(builder, loc, results);
    for (int64_t lane = 0; lane < getCount(lanes); ++lane) {
      Value line = vector::ExtractStridedSliceOp::create(builder, loc, results[lane % block],
                                                         ArrayRef<int64_t>{lane / block * block},
                                                         ArrayRef<int64_t>{block}, ArrayRef<int64_t>{1});
      storeVector(builder, loc, line, op.getOut(), getLanePlace(out, row, lanes.offset + lane), getRowSteps(out),
                  builder.getIndexAttr(count));
    }
  }

  /// One vector of lanes per row of the neighbour dim, from `row` on.
  SmallVector<Value> loadTransposed(unsigned number, const Key &row, const Lanes &lanes) {
    int64_t block = getBlock();
    Value memref = op->getOperand(number);
    auto type = VectorType::get({lanes.width}, getElementTypeOrSelf(memref));
    Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    SmallVector<Value> vectors(block, zero);
    for (int64_t lane = 0; lane < getCount(lanes); ++lane) {
      Value line = loadVector(builder, loc, memref, getLanePlace(number, row, lanes.offset + lane), getRowSteps(number),
                              block, builder.getIndexAttr(tile.rows[neighbours]));
      Value &target = vectors[lane % block];
      target = vector::InsertStridedSliceOp::create(builder, loc, line, target, ArrayRef<int64_t>{lane / block * block},
                                                    ArrayRef<int64_t>{1});
    }
    transposeBlocks(builder, loc, vectors);
    return vectors;
  }

  /// The epilogue's value for the sums of one row, `place` in its group.
  Value runOnLanes(Value sum, ArrayRef<unsigned> group, unsigned place, unsigned laneNumber) {
    const Lanes &lanes = tile.lanes[laneNumber];
    int64_t width = contraction.isDot() ? 1 : lanes.width;
    IRMapping mapping;
    mapping.map(body.getArgument(0), sum);
    for (unsigned number = 2; number < op.getFirstDecodeExtra(); ++number)
      mapping.map(body.getArgument(number - 1), getExtra(number, group, place, laneNumber, width));
    return contract::cloneOnLanes(builder, loc, body, mapping, width);
  }

  Value getExtra(unsigned number, ArrayRef<unsigned> group, unsigned place, unsigned laneNumber, int64_t width) {
    const Lanes &lanes = tile.lanes[laneNumber];
    Key steps = getSteps(number), offsets = getOffsets(number, rows[group[place]], {}, lanes.offset);
    bool alongLanes = llvm::any_of(steps, [](int64_t step) { return step != 0; });
    auto key = [&](const Key &offsets) {
      return std::make_tuple(number, offsets, alongLanes ? laneNumber : static_cast<unsigned>(width));
    };
    Value &known = extras[key(offsets)];
    if (!known && canTranspose(number, lanes)) {
      SmallVector<Value> vectors = loadTransposed(number, rows[group.front()], lanes);
      for (auto [row, vector] : llvm::zip(group, vectors))
        extras[key(getOffsets(number, rows[row], {}, lanes.offset))] = vector;
    }
    if (!known)
      known = loadVector(builder, loc, op->getOperand(number), getIndices(bases[number], offsets), steps, width,
                         alongLanes ? lanes.count : OpFoldResult());
    return known;
  }

  ArrayRef<Key> rows;
  Block &body;
  SmallVector<SmallVector<Value>> bases;
  int64_t neighbours = -1;
  std::map<std::tuple<unsigned, Key, unsigned>, Value> extras;
};

} // namespace

void contract::emitEpilogue(OpBuilder &builder, const Contraction &contraction, const MicroTile &tile,
                            ArrayRef<TilePlaces::Key> rows, ArrayRef<Value> sums) {
  Epilogue(builder, contraction, tile, rows).run(sums);
}
