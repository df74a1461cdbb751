//===- TileAttention.cpp - attention as an online loop over tiles of keys -----------------===//
//
// Reads the schedule and obeys: rows of queries per unit, keys per step, the register tile of both products. Tiles of
// keys that the mask hides from all rows are outside of the loop's bounds, or skipped.
//
//===----------------------------------------------------------------------===//
#include "TileAttention.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tenon {
#define GEN_PASS_DEF_TILEATTENTION
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

void AttentionTiler::run() {
  rewriter.setInsertionPoint(op);
  queries = size(op.getQuery(), 2);
  int64_t heads = schedule.getParallel()[1], rowTile = schedule.getParallel()[2];
  SmallVector<OpFoldResult> upper{size(op.getQuery(), 0), size(op.getQuery(), 1), queries};
  SmallVector<OpFoldResult> steps{index(1), index(heads), index(rowTile)};
  if (op.getPartial()) {
    parts = size(op.getInit(), 3);
    upper.push_back(parts);
    steps.push_back(index(1));
  }
  if (op.keepsScores()) // sizes of scratch memory, known before the units start
    for (unsigned number = 0; number < op.getSources().size(); ++number) {
      KVSourceOp source = op.getSource(number);
      places.push_back(countPlaces(source));
      if (Value blocks = source.getBlocks())
        places.back() =
            rewriter.createOrFold<arith::MulIOp>(loc, value(size(blocks, 3)), value(countEntryKeys(source)));
    }
  SmallVector<OpFoldResult> lower(upper.size(), index(0));
  SmallVector<Value> inits{op.getInit()};
  if (op.getLse())
    inits.push_back(op.getLseInit());
  auto forall = scf::ForallOp::create(rewriter, loc, lower, upper, steps, inits, std::nullopt);
  rewriter.setInsertionPointToStart(forall.getBody());
  batch = forall.getInductionVar(0);
  head = forall.getInductionVar(1);
  firstRow = forall.getInductionVar(2);
  rows = tileSize(queries, rowTile, firstRow);
  lastRow = sub(add(firstRow, value(rows)), constant(1));
  rowSizes = heads > 1 ? SmallVector<OpFoldResult>{index(heads), rows} : SmallVector<OpFoldResult>{rows};
  width = size(op.getInit(), op.getPartial() ? 4 : 3);
  SmallVector<OpFoldResult> offsets{batch, head, firstRow}, sizes{index(1), index(heads), rows};
  query = sliceRows(op.getQuery(), append(offsets, index(0)), append(sizes, size(op.getQuery(), 3)),
                    append(rowSizes, size(op.getQuery(), 3)));
  if (op.getPartial()) {
    part = forall.getInductionVar(3);
    offsets.push_back(part);
    sizes.push_back(index(1));
  }
  if (!getConstantIntValue(rows))
    isFew = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::sle, value(rows),
                                  constant(std::max<int64_t>(1, kFewRows / heads)));

  AttentionState state;
  if (softmax) {
    state.highest =
        op.getSink() ? makeSinks(heads) : fill(empty(rowSizes, type), -std::numeric_limits<double>::infinity());
    state.sum = fill(empty(rowSizes, type), op.getSink() ? 1 : 0);
  }
  state.result = fill(empty(append(rowSizes, width), type), 0);
  if (op.keepsScores())
    state = runPasses(state);
  else
    for (unsigned number = 0; number < op.getSources().size(); ++number)
      state = visit(op.getSource(number), state);

  SmallVector<Value> finished;
  ArrayRef<BlockArgument> outs = forall.getRegionIterArgs();
  SmallVector<OpFoldResult> wide = append(sizes, width), at = append(offsets, index(0));
  finished.push_back(finish(state, sliceRows(outs[0], at, wide, append(rowSizes, width))));
  if (op.getLse())
    finished.push_back(finishSum(state, sliceRows(outs[1], offsets, sizes, rowSizes)));
  rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
  for (auto [number, result] : llvm::enumerate(finished)) {
    ArrayRef<OpFoldResult> from = number == 0 ? at : offsets, extent = number == 0 ? wide : sizes;
    SmallVector<OpFoldResult> ones(from.size(), index(1));
    tensor::ParallelInsertSliceOp::create(rewriter, loc, result, outs[number], from, extent, ones);
  }
  SmallVector<Operation *> sources;
  for (Value source : op.getSources())
    sources.push_back(source.getDefiningOp());
  if (Operation *rule = op.getRuleOp())
    sources.push_back(rule);
  rewriter.replaceOp(op, forall.getResults());
  for (Operation *source : sources)
    if (source->use_empty())
      rewriter.eraseOp(source);
}

Value AttentionTiler::makeSinks(int64_t heads) {
  auto convert = [&](Value sink) -> Value {
    unsigned from = sink.getType().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
    if (from < to)
      return arith::ExtFOp::create(rewriter, loc, type, sink);
    return from > to ? arith::TruncFOp::create(rewriter, loc, type, sink).getResult() : sink;
  };
  Value out = empty(rowSizes, type);
  if (!hasHeads()) {
    Value sink = convert(tensor::ExtractOp::create(rewriter, loc, op.getSink(), ValueRange{head}));
    return linalg::FillOp::create(rewriter, loc, ValueRange{sink}, ValueRange{out}).getResult(0);
  }
  Value sinks = slice(op.getSink(), {head}, {index(heads)}, 0);
  return generic({sinks}, out, false, [&](ArrayRef<Value> inputs, Value) { return convert(inputs[0]); });
}

Value AttentionTiler::generic(ArrayRef<Value> inputs, Value out, bool reduces, Body body) {
  return generic(
             inputs, ArrayRef(out), reduces,
             [&](ArrayRef<Value> inputs, ArrayRef<Value> outs) { return SmallVector<Value>{body(inputs, outs[0])}; })
      .front();
}

SmallVector<Value> AttentionTiler::generic(ArrayRef<Value> inputs, ArrayRef<Value> outs, bool reduces, Bodies bodies) {
  unsigned rank = cast<RankedTensorType>(outs[0].getType()).getRank() + (reduces ? 1 : 0);
  MLIRContext *context = rewriter.getContext();
  auto getMap = [&](Value tensor) {
    return AffineMap::getMultiDimIdentityMap(rank, context)
        .getMajorSubMap(cast<RankedTensorType>(tensor.getType()).getRank());
  };
  SmallVector<AffineMap> maps = llvm::map_to_vector(inputs, getMap);
  llvm::append_range(maps, llvm::map_range(outs, getMap));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  if (reduces)
    iterators.back() = utils::IteratorType::reduction;
  auto made = linalg::GenericOp::create(rewriter, loc, ValueRange(outs).getTypes(), inputs, outs, maps, iterators,
                                        [&](OpBuilder &builder, Location, ValueRange arguments) {
                                          OpBuilder::InsertionGuard guard(rewriter);
                                          rewriter.setInsertionPointToEnd(builder.getInsertionBlock());
                                          SmallVector<Value> values(arguments);
                                          linalg::YieldOp::create(rewriter, loc,
                                                                  bodies(ArrayRef(values).take_front(inputs.size()),
                                                                         ArrayRef(values).drop_front(inputs.size())));
                                        });
  return made.getResults();
}

SmallVector<Value> AttentionTiler::forTiles(KVSourceOp source, ValueRange carried, TileBody body) {
  KeyTile tile = openSource(source);
  KeyRange<Value> range{constant(0), tile.count};
  if (tile.mask)
    range = tile.mask->getKeyRange();
  int64_t keys = schedule.getCache()[3];
  bool whole = false; // tiles of a part
  if (part) {
    KeyRange<Value> all = range;
    range = takePart(range, tile.count);
    auto low = getConstantIntValue(all.low), high = getConstantIntValue(all.high), number = getConstantIntValue(parts);
    whole = low && high && number && *low == 0 && *high % (*number * keys) == 0 && *high / *number % 64 == 0;
  }
  if (source.getBlocks())
    return forListedTiles(tile, range, carried, body);
  auto loop = scf::ForOp::create(rewriter, loc, range.low, range.high, constant(keys), carried,
                                 [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(loop.getBody());
  tile.first = tile.place = loop.getInductionVar();
  tile.columns =
      whole ? index(keys) : tileSize(getAsOpFoldResult(range.high), keys, tile.first, isConstantIntValue(range.low, 0));
  scf::YieldOp::create(rewriter, loc, unlessHidden(tile, loop.getRegionIterArgs(), body));
  return loop.getResults();
}

KeyRange<Value> AttentionTiler::takePart(KeyRange<Value> range, Value count) {
  auto make = [&]<typename Op>(Value a, Value b) -> Value { return rewriter.createOrFold<Op>(loc, a, b); };
  constexpr int64_t kMultiple = 64; // of a part's keys, as the op's description has it
  Value whole = constant(kMultiple), each = make.operator()<arith::CeilDivUIOp>(count, value(parts));
  each = make.operator()<arith::MulIOp>(make.operator()<arith::CeilDivUIOp>(each, whole), whole);
  Value low = make.operator()<arith::MulIOp>(part, each);
  return {make.operator()<arith::MaxSIOp>(range.low, low), make.operator()<arith::MinSIOp>(range.high, add(low, each))};
}

AttentionState AttentionTiler::visit(KVSourceOp source, AttentionState state) {
  return state.with(forTiles(source, state.list(), [&](const KeyTile &tile, ValueRange carried) {
    Value weights = makeScores(tile, empty(append(rowSizes, tile.columns), type));
    if (elementwise)
      weights = normalize(tile, weights);
    weights = applyMask(tile, weights);
    return accumulate(tile, weights, state.with(carried)).list();
  }));
}

namespace {

class TileAttention : public tenon::impl::TileAttentionBase<TileAttention> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      if (!kernel->hasAttr(kKernelAttr) || !schedule || schedule.getAlgorithm() != "attention")
        continue;
      IRRewriter rewriter(&getContext());
      for (AttentionOp op : llvm::to_vector(kernel.getBody().getOps<AttentionOp>()))
        AttentionTiler(rewriter, op, schedule).run();
    }
  }
};

} // namespace
