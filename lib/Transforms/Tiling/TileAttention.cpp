//===- TileAttention.cpp - attention as an online loop over tiles of keys -----------------===//
//
// Reads the schedule and obeys: rows of queries per unit, keys per step, the register tile of both products. Tiles of
// keys that the mask hides from all rows are outside of the loop's bounds.
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
  SmallVector<OpFoldResult> lower(3, index(0)), upper{size(op.getQuery(), 0), size(op.getQuery(), 1), queries};
  SmallVector<OpFoldResult> steps{index(1), index(heads), index(rowTile)};
  auto forall = scf::ForallOp::create(rewriter, loc, lower, upper, steps, ValueRange{op.getInit()}, std::nullopt);
  rewriter.setInsertionPointToStart(forall.getBody());
  batch = forall.getInductionVar(0);
  head = forall.getInductionVar(1);
  firstRow = forall.getInductionVar(2);
  rows = tileSize(queries, rowTile, firstRow);
  lastRow = sub(add(firstRow, value(rows)), constant(1));
  rowSizes = heads > 1 ? SmallVector<OpFoldResult>{index(heads), rows} : SmallVector<OpFoldResult>{rows};
  unsigned dropped = 3 - rowSizes.size();
  width = size(op.getInit(), 3);
  SmallVector<OpFoldResult> offsets{batch, head, firstRow, index(0)}, sizes{index(1), index(heads), rows, width};
  query = slice(op.getQuery(), offsets, {index(1), index(heads), rows, size(op.getQuery(), 3)}, dropped);
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
  for (unsigned number = 0; number < op.getSources().size(); ++number)
    state = visit(op.getSource(number), state);

  Value place = slice(forall.getRegionIterArgs()[0], offsets, sizes, dropped);
  Value finished = finish(state, place);
  rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
  SmallVector<OpFoldResult> ones(4, index(1));
  tensor::ParallelInsertSliceOp::create(rewriter, loc, finished, forall.getRegionIterArgs()[0], offsets, sizes, ones);
  SmallVector<Operation *> sources;
  for (Value source : op.getSources())
    sources.push_back(source.getDefiningOp());
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
  unsigned rank = cast<RankedTensorType>(out.getType()).getRank() + (reduces ? 1 : 0);
  MLIRContext *context = rewriter.getContext();
  auto getMap = [&](Value tensor) {
    return AffineMap::getMultiDimIdentityMap(rank, context)
        .getMajorSubMap(cast<RankedTensorType>(tensor.getType()).getRank());
  };
  SmallVector<AffineMap> maps = llvm::map_to_vector(inputs, getMap);
  maps.push_back(getMap(out));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  if (reduces)
    iterators.back() = utils::IteratorType::reduction;
  auto made = linalg::GenericOp::create(rewriter, loc, TypeRange{out.getType()}, inputs, ValueRange{out}, maps,
                                        iterators, [&](OpBuilder &builder, Location, ValueRange arguments) {
                                          OpBuilder::InsertionGuard guard(rewriter);
                                          rewriter.setInsertionPointToEnd(builder.getInsertionBlock());
                                          SmallVector<Value> values(arguments);
                                          Value result = body(ArrayRef(values).drop_back(), values.back());
                                          linalg::YieldOp::create(rewriter, loc, result);
                                        });
  return made.getResult(0);
}

SmallVector<Value> AttentionTiler::forTiles(KVSourceOp source, ValueRange carried, TileBody body) {
  KeyTile tile = openSource(source);
  KeyRange<Value> range{constant(0), tile.count};
  tile.full = range;
  if (source.getMask()) {
    range = buildKeyRange(rewriter, loc, *source.getMask(), firstRow, lastRow, value(queries), tile.count);
    tile.full = buildFullRange(rewriter, loc, *source.getMask(), firstRow, lastRow, value(queries), tile.count);
  }
  int64_t keys = schedule.getCache()[3];
  auto loop = scf::ForOp::create(rewriter, loc, range.low, range.high, constant(keys), carried,
                                 [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(loop.getBody());
  tile.first = loop.getInductionVar();
  tile.columns = tileSize(getAsOpFoldResult(range.high), keys, tile.first, isConstantIntValue(range.low, 0));
  scf::YieldOp::create(rewriter, loc, body(tile, loop.getRegionIterArgs()));
  return loop.getResults();
}

AttentionState AttentionTiler::visit(KVSourceOp source, AttentionState state) {
  return state.with(forTiles(source, state.list(), [&](const KeyTile &tile, ValueRange carried) {
    Value weights = makeScores(tile);
    if (!softmax)
      weights = normalize(weights);
    if (source.getMask())
      weights = applyMask(tile, weights);
    return accumulate(tile, weights, state.with(carried)).list();
  }));
}

namespace {

/// What the evaluator computes and no tiling is written for; each goes from here when its tiling comes.
LogicalResult checkCompiles(AttentionOp op) {
  auto refuse = [&](StringRef what) { return op.emitError("attention with ") << what << " is not compiled yet"; };
  if (op.getNormalizer() == Normalizer::entmax || op.getNormalizer() == Normalizer::user)
    return refuse(("normalizer " + stringifyNormalizer(op.getNormalizer())).str());
  if (op.getLse())
    return refuse("'lse'");
  if (op.hasProbability())
    return refuse("'probability'");
  if (op.getPartial())
    return refuse("'partial'");
  return success();
}

class TileAttention : public tenon::impl::TileAttentionBase<TileAttention> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      if (!kernel->hasAttr(kKernelAttr) || !schedule || schedule.getAlgorithm() != "attention")
        continue;
      IRRewriter rewriter(&getContext());
      for (AttentionOp op : llvm::to_vector(kernel.getBody().getOps<AttentionOp>())) {
        if (failed(checkCompiles(op)))
          return signalPassFailure();
        AttentionTiler(rewriter, op, schedule).run();
      }
    }
  }
};

} // namespace
