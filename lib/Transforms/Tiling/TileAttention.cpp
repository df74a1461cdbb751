//===- TileAttention.cpp - attention as an online loop over tiles of keys -----------------===//
//
// Reads the schedule and obeys: rows of queries per unit, keys per step, the register tile of both products. Tiles of
// keys that the mask hides from all rows are outside of the loop's bounds.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tenon {
#define GEN_PASS_DEF_TILEATTENTION
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// What a row of queries carries from tile to tile of the keys, each a tensor over the rows.
struct State {
  Value highest, sum; ///< of softmax alone
  Value result;       ///< rows x E

  SmallVector<Value> list() const {
    SmallVector<Value> values;
    for (Value value : {highest, sum, result})
      if (value)
        values.push_back(value);
    return values;
  }
  static State from(ValueRange values) {
    if (values.size() == 1)
      return {Value(), Value(), values[0]};
    return {values[0], values[1], values[2]};
  }
};

class Tiler {
public:
  Tiler(IRRewriter &rewriter, AttentionOp op, ScheduleAttr schedule)
      : rewriter(rewriter), op(op), schedule(schedule), loc(op.getLoc()), type(op.getScoreType()),
        softmax(op.getNormalizer() == Normalizer::softmax) {}

  void run() {
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

    State state;
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

private:
  //===--------------------------------------------------------------------===//
  // Small things
  //===--------------------------------------------------------------------===//

  OpFoldResult index(int64_t value) { return rewriter.getIndexAttr(value); }
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(rewriter, loc, value); }
  Value number(double value) {
    return arith::ConstantOp::create(rewriter, loc, rewriter.getFloatAttr(type, value)).getResult();
  }
  Value value(OpFoldResult entry) { return getValueOrCreateConstantIndexOp(rewriter, loc, entry); }
  Value add(Value a, Value b) { return rewriter.createOrFold<arith::AddIOp>(loc, a, b); }
  Value sub(Value a, Value b) { return rewriter.createOrFold<arith::SubIOp>(loc, a, b); }
  OpFoldResult size(Value tensor, unsigned dim) {
    auto ranked = cast<RankedTensorType>(tensor.getType());
    if (!ranked.isDynamicDim(dim))
      return index(ranked.getDimSize(dim));
    return tensor::DimOp::create(rewriter, loc, tensor, dim).getResult();
  }
  Value empty(ArrayRef<OpFoldResult> sizes, Type element) {
    return tensor::EmptyOp::create(rewriter, loc, sizes, element);
  }
  Value fill(Value tensor, double with) {
    return linalg::FillOp::create(rewriter, loc, ValueRange{number(with)}, ValueRange{tensor}).getResult(0);
  }

  Value copy(Value from, Value to) {
    return linalg::CopyOp::create(rewriter, loc, ValueRange{from}, ValueRange{to}).getResult(0);
  }

  /// min(tile, extent - index), a number where it is always the same: for tiles that start at 0.
  OpFoldResult tileSize(OpFoldResult extent, int64_t tile, Value from, bool fromZero = true) {
    if (auto fixed = getConstantIntValue(extent); fixed && fromZero) {
      if (*fixed % tile == 0)
        return index(tile);
      if (*fixed < tile)
        return index(*fixed);
    }
    AffineExpr i = rewriter.getAffineDimExpr(0), n = rewriter.getAffineSymbolExpr(0);
    auto map = AffineMap::get(1, 1, {rewriter.getAffineConstantExpr(tile), n - i}, rewriter.getContext());
    return affine::makeComposedFoldedAffineMin(rewriter, loc, map, {from, extent});
  }

  /// A slice without its first `dropped` dims, which have size 1.
  Value slice(Value tensor, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes, unsigned dropped) {
    SmallVector<int64_t> shape;
    for (OpFoldResult entry : sizes.drop_front(dropped))
      shape.push_back(getConstantIntValue(entry).value_or(ShapedType::kDynamic));
    SmallVector<OpFoldResult> ones(offsets.size(), index(1));
    auto result = RankedTensorType::get(shape, getElementTypeOrSelf(tensor.getType()));
    return tensor::ExtractSliceOp::create(rewriter, loc, result, tensor, offsets, sizes, ones);
  }

  using Body = function_ref<Value(ArrayRef<Value> inputs, Value out)>;

  /// An op over (row, column), or over rows alone where `out` has rank 1 and nothing is reduced.
  Value generic(ArrayRef<Value> inputs, Value out, bool reduces, Body body) {
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

  //===--------------------------------------------------------------------===//
  // Sources
  //===--------------------------------------------------------------------===//

  /// The loop over the keys of one source.
  State visit(KVSourceOp source, State state) {
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
    State next = accumulate(weights, take(source.getValues()), State::from(loop.getRegionIterArgs()));
    scf::YieldOp::create(rewriter, loc, next.list());
    return State::from(loop.getResults());
  }

  /// A product of tiles: rows of `left` with columns of `right`, both along `steps`.
  Value contract(Value left, Value right, ArrayRef<unsigned> rightDims, OpFoldResult columns, ArrayRef<Value> extras,
                 ArrayRef<AffineMap> extraMaps, Block *region) {
    MLIRContext *context = rewriter.getContext();
    SmallVector<AffineMap> maps{AffineMap::getMultiDimMapWithTargets(3, {0, 2}, context),
                                AffineMap::getMultiDimMapWithTargets(3, rightDims, context)};
    llvm::append_range(maps, extraMaps);
    maps.push_back(AffineMap::getMultiDimMapWithTargets(3, {0, 1}, context));
    SmallVector<Attribute> iterators{rewriter.getStringAttr("parallel"), rewriter.getStringAttr("parallel"),
                                     rewriter.getStringAttr("reduction")};
    Value out = empty({rows, columns}, type);
    auto made = TileContractOp::create(rewriter, loc, out.getType(), left, right, extras, out,
                                       rewriter.getAffineMapArrayAttr(maps), rewriter.getArrayAttr(iterators));
    // One row: sums along the reduction where that is what lies contiguous.
    int64_t rowTile = schedule.getRegister_()[2], lanes = schedule.getRegister_()[3];
    bool dot = rowTile == 1 && rightDims[1] == 2;
    int64_t vectors = std::max<int64_t>(1, lanes / schedule.getVectorWidth());
    made.setRegister_(dot ? SmallVector<int64_t>{1, vectors, schedule.getVectorWidth()}
                          : SmallVector<int64_t>{rowTile, lanes, 1});
    made.setVectorDim(dot ? 2 : 1);
    made.setVectorWidth(schedule.getVectorWidth());
    if (!dot && rightDims[1] == 2)
      made.setPack({1});
    Block &epilogue = made.getEpilogue().emplaceBlock();
    Value sum = epilogue.addArgument(type, loc);
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(&epilogue);
    if (!region) {
      YieldOp::create(rewriter, loc, sum);
      return made.getResult();
    }
    SmallVector<Value> arguments{sum};
    for (Value extra : extras)
      arguments.push_back(epilogue.addArgument(getElementTypeOrSelf(extra.getType()), loc));
    YieldOp::create(rewriter, loc, cloneScore(sum, {}, ArrayRef(arguments).drop_front()));
    return made.getResult();
  }

  /// The score's region on scalars. Without `indices` it reads none.
  Value cloneScore(Value sum, ArrayRef<Value> indices, ArrayRef<Value> extras) {
    Block &region = op.getScore().front();
    IRMapping mapping;
    mapping.map(region.getArgument(0), sum);
    for (auto [argument, index] : llvm::zip(region.getArguments().drop_front(1), indices))
      mapping.map(argument, index);
    for (auto [argument, extra] : llvm::zip(region.getArguments().drop_front(5), extras))
      mapping.map(argument, extra);
    for (Operation &inner : region.without_terminator())
      rewriter.clone(inner, mapping);
    return mapping.lookupOrDefault(region.getTerminator()->getOperand(0));
  }

  /// The scores of this tile of keys; `first` is its first key.
  Value makeScores(Value keys, Value first, OpFoldResult columns) {
    SmallVector<Value> extras;
    SmallVector<AffineMap> maps;
    for (auto [extra, map] : llvm::zip(op.getExtras(), op.getMaps())) {
      SmallVector<OpFoldResult> offsets, sizes, ones(map.getNumResults(), index(1));
      SmallVector<int64_t> shape;
      SmallVector<unsigned> dims;
      for (AffineExpr expr : map.getResults()) {
        auto dim = dyn_cast<AffineDimExpr>(expr);
        unsigned position = dim ? dim.getPosition() : 0;
        bool kept = dim && position >= 2;
        offsets.push_back(!dim            ? index(0)
                          : position == 0 ? OpFoldResult(batch)
                          : position == 1 ? OpFoldResult(head)
                          : position == 2 ? OpFoldResult(firstRow)
                                          : OpFoldResult(first));
        sizes.push_back(!kept ? index(1) : position == 2 ? rows : columns);
        if (!kept)
          continue;
        shape.push_back(getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
        dims.push_back(position - 2);
      }
      auto result = RankedTensorType::get(shape, getElementTypeOrSelf(extra.getType()));
      extras.push_back(tensor::ExtractSliceOp::create(rewriter, loc, result, extra, offsets, sizes, ones));
      maps.push_back(AffineMap::getMultiDimMapWithTargets(3, dims, rewriter.getContext()));
    }
    bool indexed = false;
    for (unsigned number = 0; number < 4; ++number)
      indexed |= op.readsIndex(number);
    if (!indexed)
      return contract(query, keys, {1, 2}, columns, extras, maps, &op.getScore().front());
    Value scores = contract(query, keys, {1, 2}, columns, {}, {}, nullptr);
    SmallVector<AffineMap> flat;
    for (AffineMap map : maps)
      flat.push_back(AffineMap::get(2, 0, map.getResults(), rewriter.getContext()));
    flat.push_back(rewriter.getMultiDimIdentityMap(2));
    SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
    auto made = linalg::GenericOp::create(
        rewriter, loc, TypeRange{scores.getType()}, extras, ValueRange{scores}, flat, iterators,
        [&](OpBuilder &builder, Location, ValueRange arguments) {
          OpBuilder::InsertionGuard guard(rewriter);
          rewriter.setInsertionPointToEnd(builder.getInsertionBlock());
          Value row = add(linalg::IndexOp::create(rewriter, loc, 0), firstRow);
          Value column = add(linalg::IndexOp::create(rewriter, loc, 1), first);
          SmallVector<Value> values(arguments);
          linalg::YieldOp::create(rewriter, loc,
                                  cloneScore(values.back(), {batch, head, row, column}, ArrayRef(values).drop_back()));
        });
    return made.getResult(0);
  }

  /// Normalizers that take each score by itself.
  Value normalize(Value scores) {
    if (op.getNormalizer() == Normalizer::none)
      return scores;
    return generic({}, scores, false, [&](ArrayRef<Value>, Value score) -> Value {
      if (op.getNormalizer() == Normalizer::relu)
        return arith::MaximumFOp::create(rewriter, loc, score, number(0));
      Value power = math::ExpOp::create(rewriter, loc, arith::NegFOp::create(rewriter, loc, score).getResult());
      return arith::DivFOp::create(rewriter, loc, number(1),
                                   arith::AddFOp::create(rewriter, loc, number(1), power).getResult());
    });
  }

  /// Hides what the mask hides, unless every row sees the whole tile.
  Value applyMask(KVSourceOp source, Value weights, Value first, OpFoldResult columns, KeyRange<Value> full,
                  Value count) {
    Value end = add(first, value(columns));
    Value whole = rewriter.createOrFold<arith::AndIOp>(
        loc, rewriter.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, full.low, first),
        rewriter.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, end, full.high));
    auto branch = scf::IfOp::create(rewriter, loc, TypeRange{weights.getType()}, whole, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(rewriter, loc, weights);
    rewriter.setInsertionPointToStart(branch.elseBlock());
    Value all = value(queries);
    Value masked = generic({}, weights, false, [&](ArrayRef<Value>, Value weight) -> Value {
      Value row = add(linalg::IndexOp::create(rewriter, loc, 0), firstRow);
      Value column = add(linalg::IndexOp::create(rewriter, loc, 1), first);
      Value seen = buildAllowsKey(rewriter, loc, *source.getMask(), row, column, all, count);
      Value hidden = number(softmax ? -std::numeric_limits<double>::infinity() : 0);
      return arith::SelectOp::create(rewriter, loc, seen, weight, hidden);
    });
    scf::YieldOp::create(rewriter, loc, masked);
    return branch.getResult(0);
  }

  Value isLowest(Value score) {
    Value lowest = number(-std::numeric_limits<double>::infinity());
    return arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OEQ, score, lowest);
  }

  /// The state after a tile of weights (of scores, for softmax) and its values.
  State accumulate(Value weights, Value values, State state) {
    State next;
    Value scale;
    if (softmax) {
      // In memory of its own: what was the highest is read once more.
      Value highest = copy(state.highest, empty({rows}, type));
      highest = generic({weights}, highest, true, [&](ArrayRef<Value> inputs, Value before) -> Value {
        return arith::MaximumFOp::create(rewriter, loc, inputs[0], before);
      });
      // What was summed under the old highest score; rows that have seen nothing keep their zeros.
      scale =
          generic({state.highest, highest}, empty({rows}, type), false, [&](ArrayRef<Value> inputs, Value) -> Value {
            Value power = math::ExpOp::create(rewriter, loc,
                                              arith::SubFOp::create(rewriter, loc, inputs[0], inputs[1]).getResult());
            return arith::SelectOp::create(rewriter, loc, isLowest(inputs[1]), number(1), power);
          });
      next.highest = copy(highest, state.highest);
      weights = generic({highest}, weights, false, [&](ArrayRef<Value> inputs, Value score) -> Value {
        Value power =
            math::ExpOp::create(rewriter, loc, arith::SubFOp::create(rewriter, loc, score, inputs[0]).getResult());
        return arith::SelectOp::create(rewriter, loc, isLowest(inputs[0]), number(0), power);
      });
      Value before = generic({scale}, state.sum, false, [&](ArrayRef<Value> inputs, Value sum) -> Value {
        return arith::MulFOp::create(rewriter, loc, sum, inputs[0]);
      });
      next.sum = generic({weights}, before, true, [&](ArrayRef<Value> inputs, Value sum) -> Value {
        return arith::AddFOp::create(rewriter, loc, inputs[0], sum);
      });
    }
    Value product = contract(weights, values, {2, 1}, width, {}, {}, nullptr);
    SmallVector<Value> inputs{product};
    if (softmax)
      inputs.push_back(scale);
    next.result = generic(inputs, state.result, false, [&](ArrayRef<Value> inputs, Value sum) -> Value {
      Value before = softmax ? arith::MulFOp::create(rewriter, loc, sum, inputs[1]).getResult() : sum;
      return arith::AddFOp::create(rewriter, loc, inputs[0], before);
    });
    return next;
  }

  /// What the rows have gathered, divided by their sums, in the result's element type.
  Value finish(State state, Value place) {
    SmallVector<Value> inputs{state.result};
    if (softmax)
      inputs.push_back(state.sum);
    Type element = getElementTypeOrSelf(place.getType());
    return generic(inputs, place, false, [&](ArrayRef<Value> inputs, Value) -> Value {
      Value result = inputs[0];
      if (softmax) {
        Value none = arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OEQ, inputs[1], number(0));
        result = arith::DivFOp::create(rewriter, loc, result,
                                       arith::SelectOp::create(rewriter, loc, none, number(1), inputs[1]).getResult());
      }
      if (element.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
        return arith::TruncFOp::create(rewriter, loc, element, result);
      if (element != type)
        return arith::ExtFOp::create(rewriter, loc, element, result);
      return result;
    });
  }

  IRRewriter &rewriter;
  AttentionOp op;
  ScheduleAttr schedule;
  Location loc;
  Type type; ///< of scores and sums
  bool softmax;
  OpFoldResult queries, rows, width; ///< of the query; of this tile; of the result
  Value batch, head, firstRow, lastRow, query;
};

class TileAttention : public tenon::impl::TileAttentionBase<TileAttention> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      if (!kernel->hasAttr(kKernelAttr) || !schedule || schedule.getAlgorithm() != "attention")
        continue;
      IRRewriter rewriter(&getContext());
      for (AttentionOp op : llvm::to_vector(kernel.getBody().getOps<AttentionOp>()))
        Tiler(rewriter, op, schedule).run();
    }
  }
};

} // namespace
