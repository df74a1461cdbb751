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
  int64_t rowTile = schedule.getParallel()[2];
  SmallVector<OpFoldResult> lower(3, index(0)), upper{size(op.getQuery(), 0), size(op.getQuery(), 1), queries};
  SmallVector<OpFoldResult> steps{index(1), index(1), index(rowTile)};
  auto forall = scf::ForallOp::create(rewriter, loc, lower, upper, steps, ValueRange{op.getInit()}, std::nullopt);
  rewriter.setInsertionPointToStart(forall.getBody());
  batch = forall.getInductionVar(0);
  head = forall.getInductionVar(1);
  firstRow = forall.getInductionVar(2);
  rows = tileSize(queries, rowTile, firstRow);
  lastRow = sub(add(firstRow, value(rows)), constant(1));
  query = slice(op.getQuery(), {batch, head, firstRow, index(0)}, {index(1), index(1), rows, size(op.getQuery(), 3)},
                /*dropped=*/2);
  width = size(op.getInit(), 3);

  AttentionState state;
  if (softmax) {
    state.highest = fill(empty({rows}, type), -std::numeric_limits<double>::infinity());
    state.sum = fill(empty({rows}, type), 0);
  }
  state.result = fill(empty({rows, width}, type), 0);
  for (unsigned number = 0; number < op.getSources().size(); ++number)
    state = visit(op.getSource(number), state);

  SmallVector<OpFoldResult> offsets{batch, head, firstRow, index(0)}, sizes{index(1), index(1), rows, width};
  Value place = slice(forall.getRegionIterArgs()[0], offsets, sizes, 2);
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

AttentionState AttentionTiler::visit(KVSourceOp source, AttentionState state) {
  Value keys = source.getKeys();
  OpFoldResult count = size(keys, 2);
  if (Value lengths = source.getLengths()) {
    Value length = tensor::ExtractOp::create(rewriter, loc, lengths, ValueRange{batch});
    length = arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), length);
    length = rewriter.createOrFold<arith::MaxSIOp>(loc, length, constant(0));
    count = rewriter.createOrFold<arith::MinSIOp>(loc, length, value(count));
  }
  KeyRange<Value> range{constant(0), value(count)}, full = range;
  if (source.getMask()) {
    range = buildKeyRange(rewriter, loc, *source.getMask(), firstRow, lastRow, value(queries), value(count));
    full = buildFullRange(rewriter, loc, *source.getMask(), firstRow, lastRow, value(queries), value(count));
  }
  // Head h of H reads head h / (H / G) of the source.
  Value shared = arith::DivUIOp::create(rewriter, loc, value(size(op.getQuery(), 1)), value(size(keys, 1)));
  Value group = arith::DivUIOp::create(rewriter, loc, head, shared);
  int64_t tile = schedule.getCache()[3];
  auto loop = scf::ForOp::create(rewriter, loc, range.low, range.high, constant(tile), state.list(),
                                 [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(loop.getBody());
  Value first = loop.getInductionVar();
  OpFoldResult columns = tileSize(getAsOpFoldResult(range.high), tile, first, isConstantIntValue(range.low, 0));
  auto take = [&](Value tensor) {
    return slice(tensor, {batch, group, first, index(0)}, {index(1), index(1), columns, size(tensor, 3)}, 2);
  };
  Value weights = makeScores(take(keys), first, columns);
  if (!softmax)
    weights = normalize(weights);
  if (source.getMask())
    weights = applyMask(source, weights, first, columns, full, value(count));
  AttentionState next = accumulate(weights, take(source.getValues()), AttentionState::from(loop.getRegionIterArgs()));
  scf::YieldOp::create(rewriter, loc, next.list());
  return AttentionState::from(loop.getResults());
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
