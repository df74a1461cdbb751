//===- ExpandContractKernel.cpp - inside one register tile --------------------------===//
//
// Accumulators are separate register-wide values carried by the reduction loops; every distinct element is loaded once
// per step; the epilogue runs on the accumulators before their only store. Which tiles there are is not decided here.
//
//===----------------------------------------------------------------------===//
#include "ExpandContract.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <map>
#include <set>
#include <vector>

using namespace mlir;
using namespace tenon;
using namespace tenon::contract;

namespace {

class Emitter : TileAsks {
public:
  using TileAsks::TileAsks;

  void run() {
    collectRows();
    collectReductions();
    // A multiply-add waits four cycles for the one before it, and two start in a cycle: few sums are kept in several
    // parts, each of its own taps, where registers are left beside what decoding holds.
    constexpr size_t kInFlight = 8;
    size_t whole = rows.size() * tile.lanes.size(), held = 2;
    if (contraction.decodes)
      held += tile.lanes.size() * (1 + op.getNumDecodeExtras());
    // Vectors of 512 bits come with 32 registers.
    bool wide = contraction.width * op.getAccumulatorType().getIntOrFloatBitWidth() >= 512;
    while (!contraction.isDot() && !tile.chunk && !op.getInOrder() && whole * parts * 2 <= kInFlight &&
           parts * 2 <= taps.size() && whole * parts * 2 + held <= (wide ? 32 : 16))
      parts *= 2;
    SmallVector<Value> sums;
    for (size_t row = 0; row < rows.size() * parts; ++row)
      for (const Lanes &lanes : tile.lanes) {
        Type type = getLaneType(op.getAccumulatorType(), contraction.isDot() ? contraction.width : lanes.width);
        sums.push_back(arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type)));
      }
    if (tile.chunk)
      return runChunk(std::move(sums));
    sums = emitLoops(0, sums);
    for (; parts > 1; parts /= 2) {
      size_t half = sums.size() / 2;
      for (size_t i = 0; i < half; ++i)
        sums[i] = addBoth(sums[i], sums[half + i]);
      sums.truncate(half);
    }
    if (contraction.isDot())
      for (Value &sum : sums)
        sum = addLanes(sum);
    emitEpilogue(builder, contraction, tile, rows, sums);
  }

  /// Goes on from the sums of the chunks before this one; the epilogue follows the last one.
  void runChunk(SmallVector<Value> sums) {
    const MicroTile::Chunk &chunk = *tile.chunk;
    auto branch = [&](Value condition, TypeRange types, auto &&then, auto &&otherwise) {
      auto op = scf::IfOp::create(builder, loc, types, condition, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(builder);
      for (bool taken : {true, false}) {
        builder.setInsertionPointToStart(taken ? op.thenBlock() : op.elseBlock());
        SmallVector<Value> values = taken ? then() : otherwise();
        if (!types.empty())
          scf::YieldOp::create(builder, loc, values);
      }
      return SmallVector<Value>(op.getResults());
    };
    SmallVector<Value> zeros = sums;
    sums = branch(chunk.isFirst, ValueRange(zeros).getTypes(), [&] { return zeros; }, [&] { return moveSums({}); });
    sums = emitLoops(0, sums);
    branch(
        chunk.isLast, {},
        [&] {
          emitEpilogue(builder, contraction, tile, rows, sums);
          return SmallVector<Value>();
        },
        [&] { return moveSums(sums); });
  }

  /// Stores the sums to the chunk's memory, or loads them where none are given.
  SmallVector<Value> moveSums(ArrayRef<Value> sums) {
    SmallVector<Value> loaded;
    Value memory = tile.chunk->sums;
    unsigned rank = cast<MemRefType>(memory.getType()).getRank(), number = 0;
    Key steps(rank, 0);
    steps.back() = 1;
    for (const Key &row : rows)
      for (const Lanes &lanes : tile.lanes) {
        SmallVector<Value> indices;
        for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
          if (!op.isReduction(dim) && static_cast<int64_t>(dim) != contraction.vectorDim)
            indices.push_back(add(tile.base[dim], constant(row[dim])));
        indices.push_back(contraction.vectorDim >= 0 ? add(tile.base[contraction.vectorDim], constant(lanes.offset))
                                                     : constant(0));
        if (sums.empty())
          loaded.push_back(loadVector(builder, loc, memory, indices, steps, lanes.width));
        else
          storeVector(builder, loc, sums[number++], memory, indices, steps);
      }
    return loaded;
  }

  /// Stores the values of rhs to `panel` in the place of sums.
  void runDecode(Value panel) {
    rows.emplace_back(op.getNumLoops(), 0);
    collectReductions();
    target = panel;
    (void)emitLoops(0, {});
  }

private:
  /// All combinations of the row dims' offsets, last dim fastest.
  void collectRows() {
    rows.emplace_back(tile.rows.size(), 0);
    for (auto [dim, count] : llvm::enumerate(tile.rows)) {
      SmallVector<Key> next;
      for (const Key &row : rows)
        for (int64_t offset = 0; offset < count; ++offset) {
          next.push_back(row);
          next.back()[dim] = offset;
        }
      rows = std::move(next);
    }
  }

  /// Splits the reduction dims in loops and unrolled ones; `taps` are the points of the unrolled ones.
  void collectReductions() {
    unsigned count = op.getNumLoops();
    taps.emplace_back(count, 0);
    for (unsigned dim = 0; dim < count; ++dim) {
      if (!op.isReduction(dim))
        continue;
      std::optional<int64_t> extent = getConstantIntValue(contraction.extents[dim]);
      bool lanes = contraction.isDot() && static_cast<int64_t>(dim) == contraction.vectorDim;
      bool unrolled =
          !lanes && extent && (*extent == 1 || op.isOfPhases(dim) || llvm::is_contained(op.getUnroll(), dim));
      if (!unrolled) {
        if (!lanes)
          loops.push_back(dim);
        continue;
      }
      SmallVector<Key> next;
      for (const Key &tap : taps)
        for (int64_t offset = 0; offset < *extent; ++offset) {
          next.push_back(tap);
          next.back()[dim] = offset;
        }
      taps = std::move(next);
    }
    llvm::erase_if(taps, [&](const Key &tap) { return !op.countsPoint(tap); });
    if (contraction.isDot()) // lanes advance innermost
      loops.push_back(contraction.vectorDim);
    splitStream();
  }

  /// Few rows wait for the panel, which comes from memory: it is read in several places at once, which makes several
  /// streams of it, and one core has more memory under way.
  void splitStream() {
    constexpr int64_t kStreams = 4, kLeastSteps = 16;
    constexpr size_t kFewRows = 2;
    if (loops.empty() || tile.ahead[1].empty() || op.hasDecode() || op.getInOrder() || tile.chunk ||
        rows.size() > kFewRows)
      return;
    std::optional<int64_t> extent = getConstantIntValue(contraction.extents[loops.front()]);
    if (!extent || *extent % kStreams != 0 || *extent / kStreams < kLeastSteps)
      return;
    streamed = loops.front();
    streamSteps = *extent / kStreams;
    SmallVector<Key> next;
    for (const Key &tap : taps)
      for (int64_t stream = 0; stream < kStreams; ++stream) {
        next.push_back(tap);
        next.back()[*streamed] = stream * streamSteps;
      }
    taps = std::move(next);
  }

  Value extend(Value value) {
    Type element = getElementTypeOrSelf(value.getType()), accumulator = op.getAccumulatorType();
    if (element == accumulator)
      return value;
    Type type = accumulator;
    if (auto vector = dyn_cast<VectorType>(value.getType()))
      type = vector.clone(accumulator);
    if (isa<FloatType>(accumulator))
      return arith::ExtFOp::create(builder, loc, type, value);
    return arith::ExtSIOp::create(builder, loc, type, value);
  }

  Value multiplyAdd(Value a, Value b, Value sum) {
    if (!isa<FloatType>(op.getAccumulatorType()))
      return arith::AddIOp::create(builder, loc, sum, arith::MulIOp::create(builder, loc, a, b));
    if (isa<VectorType>(sum.getType()))
      return vector::FMAOp::create(builder, loc, a, b, sum);
    return math::FmaOp::create(builder, loc, a, b, sum);
  }

  Value addBoth(Value a, Value b) {
    if (isa<FloatType>(op.getAccumulatorType()))
      return arith::AddFOp::create(builder, loc, a, b);
    return arith::AddIOp::create(builder, loc, a, b);
  }

  Value addLanes(Value sum) {
    auto type = dyn_cast<VectorType>(sum.getType());
    if (!type)
      return sum;
    if (!isa<FloatType>(type.getElementType()))
      return vector::ReductionOp::create(builder, loc, vector::CombiningKind::ADD, sum);
    return vector::ReductionOp::create(builder, loc, vector::CombiningKind::ADD, sum, arith::FastMathFlags::reassoc);
  }

  /// Narrows the steps [first, end) of reduction dim `dim` to those in which some element of the tile meets an element
  /// of a factor that may be other than zero.
  void leaveOutZeros(unsigned dim, Value &first, Value &end) {
    auto make = [&]<typename Op>(Value a, Value b) -> Value { return builder.createOrFold<Op>(loc, a, b); };
    for (const NonzeroRange &range : op.getNonzeroRanges()) {
      if (isPacked(range.factor))
        continue;
      ArrayRef<int64_t> coefficients = contraction.coefficients[range.factor][range.dimension];
      int64_t step = coefficients[dim], reach = 0; // from the tile's first element to its last one
      if (step == 0)
        continue;
      Value base = range.start ? range.start : constant(0);
      bool known = true;
      for (auto [other, coefficient] : llvm::enumerate(coefficients)) {
        if (coefficient == 0 || other == dim)
          continue;
        if (op.isReduction(other) || !place[other]) {
          known = false;
          continue;
        }
        base = add(base, make.operator()<arith::MulIOp>(place[other], constant(coefficient)));
        int64_t count = tile.rows[other];
        if (static_cast<int64_t>(other) == contraction.vectorDim)
          count = tile.lanes.back().offset + tile.lanes.back().width;
        reach += coefficient * (count - 1);
      }
      if (!known)
        continue;
      // base + reach + step * t >= range.first, and base + step * t < range.end.
      Value low = make.operator()<arith::SubIOp>(constant(range.first - reach), base);
      Value high = make.operator()<arith::SubIOp>(constant(range.end), base);
      if (step > 1) {
        low = make.operator()<arith::CeilDivSIOp>(low, constant(step));
        high = make.operator()<arith::CeilDivSIOp>(high, constant(step));
      }
      first = make.operator()<arith::MaxSIOp>(first, low);
      end = make.operator()<arith::MinSIOp>(end, high);
    }
  }

  /// Whether an element of `factor` is known to lie where that is zero.
  bool isPadding(unsigned factor, ArrayRef<Value> base, const Key &offsets) {
    if (isPacked(factor))
      return false;
    Key steps = getSteps(factor);
    for (const NonzeroRange &range : op.getNonzeroRanges()) {
      if (range.factor != factor || steps[range.dimension] != 0)
        continue;
      std::optional<int64_t> at = getConstantIntValue(base[range.dimension]), start = 0;
      if (range.start)
        start = getConstantIntValue(range.start);
      if (!at || !start)
        continue;
      int64_t place = *at + *start + offsets[range.dimension];
      if (place < range.first || place >= range.end)
        return true;
    }
    return false;
  }

  /// The loops over the reduction dims from `depth` on; returns the accumulators after them.
  SmallVector<Value> emitLoops(unsigned depth, SmallVector<Value> sums) {
    if (depth == loops.size()) {
      emitStep(sums, {});
      return sums;
    }
    unsigned dim = loops[depth];
    bool lanes = contraction.isDot() && static_cast<int64_t>(dim) == contraction.vectorDim;
    OpFoldResult extent = streamed == dim ? builder.getIndexAttr(streamSteps) : contraction.extents[dim];
    int64_t step = lanes ? contraction.width : 1;
    Value first = constant(0), end = getValueOrCreateConstantIndexOp(builder, loc, extent);
    if (tile.chunk && dim == op.getReductionDims().front()) {
      first = tile.chunk->from;
      end = tile.chunk->to;
    }
    if (!lanes && streamed != dim)
      leaveOutZeros(dim, first, end);
    Value mainEnd = end;
    std::optional<int64_t> fixed = getConstantIntValue(extent);
    if (lanes)
      mainEnd =
          fixed ? constant(*fixed / step * step)
                : arith::SubIOp::create(builder, loc, end, arith::RemUIOp::create(builder, loc, end, constant(step)));
    auto loop = [&](Value from, Value to, function_ref<SmallVector<Value>(Value, SmallVector<Value>)> body) {
      auto op = scf::ForOp::create(builder, loc, from, to, constant(step), sums,
                                   [](OpBuilder &, Location, Value, ValueRange) {});
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(op.getBody());
      place[dim] = op.getInductionVar();
      SmallVector<Value> results = body(op.getInductionVar(), SmallVector<Value>(op.getRegionIterArgs()));
      scf::YieldOp::create(builder, loc, results);
      place[dim] = Value();
      sums = SmallVector<Value>(op.getResults());
    };
    if (!lanes || !fixed || *fixed >= step)
      loop(first, mainEnd, [&](Value, SmallVector<Value> values) { return emitLoops(depth + 1, std::move(values)); });
    if (!lanes || (fixed && *fixed % step == 0))
      return sums;
    // The last lanes of a dot: at most one pass.
    loop(mainEnd, end, [&](Value index, SmallVector<Value> values) {
      OpFoldResult count = fixed ? OpFoldResult(builder.getIndexAttr(*fixed % step))
                                 : OpFoldResult(arith::SubIOp::create(builder, loc, end, index).getResult());
      emitStep(values, count);
      return values;
    });
    return sums;
  }

  /// A multiply-add to be made: which accumulator, and the places it reads.
  struct Item {
    unsigned sum;
    unsigned lane;
    size_t tap;
    Key left, right;       ///< the places' offsets
    Key leftRow, rightRow; ///< the same of the row's first lane
  };

  using Group = std::vector<Item>;

  /// One point of the reduction loops: all taps of all accumulators. `dotCount`: valid lanes of a dot's last step.
  void emitStep(SmallVectorImpl<Value> &sums, OpFoldResult dotCount) {
    SmallVector<Value> leftBase = getBase(0), rightBase = getBase(1);
    SmallVector<SmallVector<Value>> extraBases;
    if (contraction.decodes)
      for (unsigned number = op.getFirstDecodeExtra(); number < contraction.getOutIndex(); ++number)
        extraBases.push_back(getBase(number));
    if (target)
      return storeDecoded(rightBase, extraBases);
    for (unsigned factor = 0; factor < 2; ++factor)
      if (tile.next[factor])
        askNext(factor, factor == 0 ? leftBase : rightBase);
    std::vector<Group> groups;
    std::set<std::pair<unsigned, Key>> asked;
    for (auto [tapNumber, tap] : llvm::enumerate(taps)) {
      size_t firstSum = tapNumber % parts * rows.size() * tile.lanes.size();
      askAhead(leftBase, rightBase, tap, asked);
      groups.emplace_back();
      for (auto [rowNumber, row] : llvm::enumerate(rows))
        for (auto [laneNumber, lanes] : llvm::enumerate(tile.lanes)) {
          Item item{static_cast<unsigned>(firstSum + rowNumber * tile.lanes.size() + laneNumber),
                    static_cast<unsigned>(laneNumber),
                    tapNumber,
                    getOffsets(0, row, tap, lanes.offset),
                    getRightOffsets(row, tap, lanes.offset),
                    getOffsets(0, row, tap, 0),
                    getRightOffsets(row, tap, 0)};
          if (!isPadding(0, leftBase, item.left) && !isPadding(1, rightBase, item.right))
            groups.back().push_back(std::move(item));
        }
    }
    regroup(groups);
    for (Group &group : groups) {
      std::map<std::pair<Key, unsigned>, Value> left, right;
      for (const Item &item : group) {
        Value a = load(0, leftBase, item.left, item.lane, dotCount, left);
        Value b = contraction.decodes ? decode(rightBase, extraBases, item.right, item.lane, dotCount, right)
                                      : load(1, rightBase, item.right, item.lane, dotCount, right);
        sums[item.sum] = multiplyAdd(a, b, sums[item.sum]);
      }
    }
  }

  /// All taps of one vector after the other: all that these load is loaded before they store.
  void storeDecoded(ArrayRef<Value> base, ArrayRef<SmallVector<Value>> extraBases) {
    SmallVector<unsigned> dims = op.getReductionDims();
    Key steps(dims.size() + 1, 0);
    steps.back() = 1;
    for (auto [number, lanes] : llvm::enumerate(tile.lanes)) {
      std::map<std::pair<Key, unsigned>, Value> known;
      SmallVector<Value> values;
      for (const Key &tap : taps)
        values.push_back(
            decode(base, extraBases, getRightOffsets(rows[0], tap, lanes.offset), number, OpFoldResult(), known));
      for (auto [tap, value] : llvm::zip(taps, values)) {
        SmallVector<Value> indices;
        for (unsigned dim : dims)
          indices.push_back(getReductionIndex(dim, tap[dim]));
        indices.push_back(constant(lanes.offset));
        storeVector(builder, loc, value, target, indices, steps);
      }
    }
  }

  /// Where the right factor's value comes from: rhs, and then what decoding reads beside it.
  Key getRightOffsets(const Key &row, const Key &tap, int64_t lane) {
    Key offsets = getOffsets(1, row, tap, lane);
    if (!contraction.decodes)
      return offsets;
    for (unsigned number = op.getFirstDecodeExtra(); number < contraction.getOutIndex(); ++number)
      offsets.append(getOffsets(number, row, tap, lane));
    if (!op.getDecodeIndices().empty())
      for (unsigned dim : op.getReductionDims())
        offsets.push_back(tap[dim]);
    return offsets;
  }

  /// The index of reduction dim `dim`, `offset` after what loops have reached; of each lane where they run along it.
  Value getReductionIndex(unsigned dim, int64_t offset) {
    Value index = place[dim] ? add(place[dim], constant(offset)) : constant(offset);
    if (!contraction.isDot() || static_cast<int64_t>(dim) != contraction.vectorDim)
      return index;
    auto type = VectorType::get({contraction.width}, builder.getIndexType());
    return arith::AddIOp::create(builder, loc, splat(builder, loc, index, contraction.width),
                                 vector::StepOp::create(builder, loc, type));
  }

  /// The value of the codes at `offsets`, in registers.
  Value decode(ArrayRef<Value> base, ArrayRef<SmallVector<Value>> extraBases, const Key &offsets, unsigned laneNumber,
               OpFoldResult dotCount, std::map<std::pair<Key, unsigned>, Value> &known) {
    const Lanes &lanes = tile.lanes[laneNumber];
    int64_t width = contraction.isDot() ? contraction.width : lanes.width;
    OpFoldResult count = contraction.isDot() ? dotCount : lanes.count;
    auto isAlongLanes = [&](unsigned number) {
      return llvm::any_of(getSteps(number), [](int64_t step) { return step != 0; });
    };
    unsigned first = op.getFirstDecodeExtra();
    bool anyAlongLanes = isAlongLanes(1);
    for (unsigned number = first; number < contraction.getOutIndex(); ++number)
      anyAlongLanes |= isAlongLanes(number);
    int64_t decoded = anyAlongLanes ? width : 1;
    auto [entry, isNew] =
        known.try_emplace({offsets, anyAlongLanes ? laneNumber : static_cast<unsigned>(width)}, Value());
    if (!isNew)
      return entry->second;
    IRMapping mapping;
    ArrayRef<int64_t> rest = offsets;
    Block &body = op.getDecode().front().front();
    ArrayRef<BlockArgument> indices = op.getDecodeIndices();
    for (auto [position, argument] : llvm::enumerate(body.getArguments().drop_back(indices.size()))) {
      unsigned number = position == 0 ? 1 : first + position - 1;
      ArrayRef<Value> from = position == 0 ? base : ArrayRef<Value>(extraBases[position - 1]);
      Value memref = isPacked(number) ? tile.panels[number] : op->getOperand(number);
      SmallVector<Value> indices = getIndices(from, rest.take_front(from.size()));
      rest = rest.drop_front(from.size());
      Value value = isAlongLanes(number) ? loadVector(builder, loc, memref, indices, getSteps(number), decoded,
                                                      isPacked(number) ? OpFoldResult() : count)
                                         : memref::LoadOp::create(builder, loc, memref, indices).getResult();
      mapping.map(argument, value);
    }
    if (!indices.empty())
      for (auto [argument, dim, offset] : llvm::zip(indices, op.getReductionDims(), rest))
        mapping.map(argument, getReductionIndex(dim, offset));
    Value value = cloneOnLanes(builder, loc, body, mapping, decoded);
    if (anyAlongLanes && contraction.isDot() && dotCount)
      value = clearLanes(value, dotCount);
    return entry->second = splat(builder, loc, value, width);
  }

  /// The offsets of a place of `factor`, those first that earlier reduction dims move: places sorted so are met by each
  /// sum in the order of its taps.
  Key getTapOrder(unsigned factor, const Key &place) {
    ArrayRef<SmallVector<int64_t>> coefficients = contraction.coefficients[factor];
    if (isPacked(factor) || place.size() != coefficients.size())
      return place;
    auto firstReduction = [&](unsigned dim) {
      for (auto [loop, coefficient] : llvm::enumerate(coefficients[dim]))
        if (coefficient != 0 && op.isReduction(loop))
          return static_cast<int64_t>(loop);
      return int64_t(-1);
    };
    auto order = llvm::to_vector(llvm::seq<unsigned>(0, place.size()));
    llvm::stable_sort(order, [&](unsigned a, unsigned b) { return firstReduction(a) < firstReduction(b); });
    return llvm::map_to_vector<6>(order, [&](unsigned dim) { return place[dim]; });
  }

  /// Whether each sum meets its taps in their order.
  static bool isInOrder(const std::vector<Group> &groups) {
    std::map<unsigned, size_t> next;
    for (const Group &group : groups)
      for (const Item &item : group) {
        size_t &least = next[item.sum];
        if (item.tap < least)
          return false;
        least = item.tap;
      }
    return true;
  }

  /// Orders the items so that few values are loaded and few are alive. Either tap by tap, or, where neighbouring taps
  /// read the same rows of one factor (depthwise filters over several rows), row by row of that factor.
  void regroup(std::vector<Group> &groups) {
    auto cost = [](const std::vector<Group> &groups) {
      size_t loads = 0;
      for (const Group &group : groups) {
        std::set<Key> left, right;
        for (const Item &item : group) {
          left.insert(item.left);
          right.insert(item.right);
        }
        loads += left.size() + right.size();
      }
      return loads;
    };
    size_t best = cost(groups);
    std::vector<Group> chosen;
    for (bool byLeft : {true, false}) {
      if (groups.size() == 1)
        break;
      std::map<Key, Group> byKey;
      for (const Group &group : groups)
        for (const Item &item : group)
          byKey[getTapOrder(byLeft ? 0 : 1, byLeft ? item.leftRow : item.rightRow)].push_back(item);
      std::vector<Group> candidate;
      for (auto &entry : byKey)
        candidate.push_back(std::move(entry.second));
      if (op.getInOrder() && !isInOrder(candidate))
        continue;
      if (size_t loads = cost(candidate); loads < best) {
        best = loads;
        chosen = std::move(candidate);
      }
    }
    if (!chosen.empty())
      groups = std::move(chosen);
    // Within a group: the factor with more distinct elements streams by, the other one's stay in registers.
    for (Group &group : groups) {
      std::set<Key> left, right;
      for (const Item &item : group) {
        left.insert(item.left);
        right.insert(item.right);
      }
      bool streamLeft = left.size() >= right.size();
      llvm::sort(group, [&](const Item &a, const Item &b) {
        return streamLeft ? std::tie(a.left, a.right, a.sum) < std::tie(b.left, b.right, b.sum)
                          : std::tie(a.right, a.left, a.sum) < std::tie(b.right, b.left, b.sum);
      });
    }
  }

  Value load(unsigned number, ArrayRef<Value> base, const Key &offsets, unsigned laneNumber, OpFoldResult dotCount,
             std::map<std::pair<Key, unsigned>, Value> &known) {
    const Lanes &lanes = tile.lanes[laneNumber];
    Key steps = getSteps(number);
    bool alongLanes = llvm::any_of(steps, [](int64_t step) { return step != 0; });
    int64_t width = contraction.isDot() ? contraction.width : lanes.width;
    // Vectors of one width share a broadcast; a narrower last one has its own.
    auto [entry, isNew] = known.try_emplace({offsets, alongLanes ? laneNumber : static_cast<unsigned>(width)}, Value());
    if (!isNew)
      return entry->second;
    Value memref = isPacked(number) ? tile.panels[number] : op->getOperand(number);
    SmallVector<Value> indices = getIndices(base, offsets);
    Value value;
    if (isPacked(number)) { // a panel is as wide as its vectors
      value = extend(loadVector(builder, loc, memref, indices, steps, width));
      return entry->second = value;
    }
    if (alongLanes && number == 1)
      askAheadInPlace(memref, indices, steps);
    if (alongLanes)
      value =
          extend(loadVector(builder, loc, memref, indices, steps, width, contraction.isDot() ? dotCount : lanes.count));
    else
      value = splat(builder, loc, extend(memref::LoadOp::create(builder, loc, memref, indices)), width);
    if (alongLanes && contraction.isDot() && dotCount && !isContiguous(memref, steps))
      value = clearLanes(value, dotCount);
    entry->second = value;
    return value;
  }

  /// Zero in the lanes from `count` on.
  Value clearLanes(Value value, OpFoldResult count) {
    auto type = dyn_cast<VectorType>(value.getType());
    if (!type)
      return value;
    Value mask = vector::CreateMaskOp::create(builder, loc, VectorType::get(type.getShape(), builder.getI1Type()),
                                              getValueOrCreateConstantIndexOp(builder, loc, count));
    Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    return arith::SelectOp::create(builder, loc, mask, value, zero);
  }

  std::optional<unsigned> streamed; ///< the loop of which several places are read in one turn, `streamSteps` apart
  int64_t streamSteps = 0;
  size_t parts = 1; ///< in which each sum is kept
  Value target;     ///< what decoded values are stored to; null where they are multiplied
};

} // namespace

void contract::emitDecode(OpBuilder &builder, const Contraction &contraction, const MicroTile &tile, Value panel) {
  Emitter(builder, contraction, tile).runDecode(panel);
}

void contract::emitMicroKernel(OpBuilder &builder, const Contraction &contraction, const MicroTile &tile) {
  Emitter(builder, contraction, tile).run();
}
