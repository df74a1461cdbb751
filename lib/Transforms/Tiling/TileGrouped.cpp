//===- TileGrouped.cpp - matmuls of groups as tiles of their groups --------------------------===//
//
// Reads the schedule and obeys: rows and columns of a tile, the register tile. Which rows a tile has is read from the
// offsets when it runs.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <cmath>

namespace tenon {
#define GEN_PASS_DEF_TILEGROUPED
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

class Tiler {
public:
  Tiler(IRRewriter &rewriter, GroupedMatmulOp op, ScheduleAttr schedule)
      : rewriter(rewriter), op(op), schedule(schedule), loc(op.getLoc()), type(op.getSumType()),
        rowTile(schedule.getCache()[1]), columnTile(schedule.getParallel()[2]) {}

  void run() {
    rewriter.setInsertionPoint(op);
    zero = constant(0);
    one = constant(1);
    depth = size(op.getInput(), 1);
    columns = size(op.getInit(), 1);
    groups = size(op.getWeights(), 0);
    // Without rows to read or to write there is no entry.
    length = value(size(op.getListOperand(), 0));
    for (Value rows : {op.getInput(), op.getInit()}) {
      Value count = value(size(rows, 0));
      Value none = make<arith::CmpIOp>(arith::CmpIPredicate::eq, count, zero);
      length = make<arith::SelectOp>(none, zero, length);
    }
    op.getScatter() ? runScatter() : runRows();
  }

private:
  //===--------------------------------------------------------------------===//
  // Small things
  //===--------------------------------------------------------------------===//

  template <typename OpTy, typename... Args> Value make(Args &&...args) {
    return rewriter.createOrFold<OpTy>(loc, std::forward<Args>(args)...);
  }
  OpFoldResult index(int64_t value) { return rewriter.getIndexAttr(value); }
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(rewriter, loc, value); }
  Value number(double value) {
    return arith::ConstantOp::create(rewriter, loc, rewriter.getFloatAttr(type, value)).getResult();
  }
  Value value(OpFoldResult entry) { return getValueOrCreateConstantIndexOp(rewriter, loc, entry); }
  OpFoldResult size(Value tensor, unsigned dim) {
    auto ranked = cast<RankedTensorType>(tensor.getType());
    if (!ranked.isDynamicDim(dim))
      return index(ranked.getDimSize(dim));
    return tensor::DimOp::create(rewriter, loc, tensor, dim).getResult();
  }
  Value clamp(Value index, Value high) { return make<arith::MaxSIOp>(make<arith::MinSIOp>(index, high), zero); }
  Value load(Value list, Value entry) {
    Value element = tensor::ExtractOp::create(rewriter, loc, list, ValueRange{entry});
    return make<arith::IndexCastOp>(rewriter.getIndexType(), element);
  }

  /// A slice without its first `dropped` dims, which have size 1.
  Value slice(Value tensor, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes, unsigned dropped = 0) {
    SmallVector<int64_t> shape;
    for (OpFoldResult entry : sizes.drop_front(dropped))
      shape.push_back(getConstantIntValue(entry).value_or(ShapedType::kDynamic));
    auto result = RankedTensorType::get(shape, getElementTypeOrSelf(tensor.getType()));
    return tensor::ExtractSliceOp::create(rewriter, loc, result, tensor, offsets, sizes, ones(offsets.size()));
  }
  Value insert(Value part, Value tensor, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes) {
    return tensor::InsertSliceOp::create(rewriter, loc, part, tensor, offsets, sizes, ones(offsets.size()));
  }
  SmallVector<OpFoldResult> ones(unsigned rank) { return SmallVector<OpFoldResult>(rank, index(1)); }

  using Body = function_ref<Value(Value index, Value carried)>;
  /// for i = low to high step `step`: carried = body(i, carried).
  Value loop(Value low, Value high, int64_t step, Value carried, Body body) {
    auto made = scf::ForOp::create(rewriter, loc, low, high, constant(step), ValueRange{carried},
                                   [](OpBuilder &, Location, Value, ValueRange) {});
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(made.getBody());
    scf::YieldOp::create(rewriter, loc, body(made.getInductionVar(), made.getRegionIterArg(0)));
    return made.getResult(0);
  }

  Value extend(Value scalar) {
    if (scalar.getType() == type)
      return scalar;
    return arith::ExtFOp::create(rewriter, loc, type, scalar);
  }

  //===--------------------------------------------------------------------===//
  // Tiles
  //===--------------------------------------------------------------------===//

  /// The entries [low, high) of a group.
  std::pair<Value, Value> getGroup(Value group) {
    Value low = clamp(load(op.getOffsets(), group), length);
    Value high = clamp(load(op.getOffsets(), make<arith::AddIOp>(group, one)), length);
    return {low, high};
  }

  /// The rows of the input that `count` entries from `first` on read.
  Value takeRows(Value first, Value count) {
    SmallVector<OpFoldResult> sizes{count, depth};
    if (!op.getRows())
      return slice(op.getInput(), {first, index(0)}, sizes);
    Value scratch =
        tensor::EmptyOp::create(rewriter, loc, {index(rowTile), depth}, getElementTypeOrSelf(op.getInput().getType()));
    Value last = make<arith::SubIOp>(value(size(op.getInput(), 0)), one);
    scratch = loop(zero, count, 1, scratch, [&](Value i, Value carried) {
      Value row = clamp(load(op.getRows(), make<arith::AddIOp>(first, i)), last);
      SmallVector<OpFoldResult> to{i, index(0)}, one{index(1), depth};
      Value from = slice(op.getInput(), {row, index(0)}, one), place = slice(carried, to, one);
      Value copied = linalg::CopyOp::create(rewriter, loc, ValueRange{from}, ValueRange{place}).getResult(0);
      return insert(copied, carried, to, one);
    });
    return slice(scratch, {index(0), index(0)}, sizes);
  }

  /// The weights of a group for `width` columns from `column` on: K x columns, or panels of them.
  Value takeColumns(Value group, Value column, OpFoldResult width) {
    if (op.getPanels() == 0)
      return slice(op.getWeights(), {group, index(0), column}, {index(1), depth, width}, 1);
    int64_t panel = op.getPanels();
    AffineExpr d = rewriter.getAffineDimExpr(0);
    auto apply = [&](AffineExpr expr, OpFoldResult of) {
      return affine::makeComposedFoldedAffineApply(rewriter, loc, expr, {of});
    };
    return slice(op.getWeights(), {group, apply(d.floorDiv(panel), column), index(0), index(0)},
                 {index(1), apply(d.ceilDiv(panel), width), depth, index(panel)}, 1);
  }

  /// y of `count` entries from `first` on, in `width` columns from `column` on, written to `place`.
  Value contract(Value group, Value first, Value count, Value column, OpFoldResult width, Value place) {
    MLIRContext *context = rewriter.getContext();
    Value left = takeRows(first, count);
    Value right = takeColumns(group, column, width);
    bool panels = op.getPanels() > 0;
    SmallVector<Value> extras;
    SmallVector<AffineMap> maps{AffineMap::getMultiDimMapWithTargets(3, {0, 2}, context),
                                panels ? AffineMap::getMultiDimMapWithTargets(3, {1, 2}, context)
                                       : AffineMap::getMultiDimMapWithTargets(3, {2, 1}, context)};
    if (op.getBiases()) {
      extras.push_back(slice(op.getBiases(), {group, column}, {index(1), width}, 1));
      maps.push_back(AffineMap::getMultiDimMapWithTargets(3, {1}, context));
    }
    AffineMap both = AffineMap::getMultiDimMapWithTargets(3, {0, 1}, context);
    if (op.getFactors()) {
      extras.push_back(slice(op.getFactors(), {first, column}, {count, width}));
      maps.push_back(both);
    }
    maps.push_back(both);
    SmallVector<Attribute> iterators{rewriter.getStringAttr("parallel"), rewriter.getStringAttr("parallel"),
                                     rewriter.getStringAttr("reduction")};
    auto made = TileContractOp::create(rewriter, loc, place.getType(), left, right, extras, place,
                                       rewriter.getAffineMapArrayAttr(maps), rewriter.getArrayAttr(iterators));
    made.setRegister_(schedule.getRegister_().drop_front());
    made.setVectorDim(schedule.getVectorDim() - 1);
    made.setVectorWidth(schedule.getVectorWidth());
    if (panels)
      made.setPanels({1});
    else
      made.setPack(schedule.getPack());
    Block &epilogue = made.getEpilogue().emplaceBlock();
    Value sum = epilogue.addArgument(type, loc);
    for (Value extra : extras)
      epilogue.addArgument(getElementTypeOrSelf(extra.getType()), loc);
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(&epilogue);
    unsigned next = 1;
    if (op.getBiases())
      sum = arith::AddFOp::create(rewriter, loc, sum, extend(epilogue.getArgument(next++)));
    sum = activate(sum);
    if (op.getFactors())
      sum = arith::MulFOp::create(rewriter, loc, sum, extend(epilogue.getArgument(next++)));
    Type element = getElementTypeOrSelf(place.getType());
    if (element.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
      sum = arith::TruncFOp::create(rewriter, loc, element, sum);
    else if (element != type)
      sum = arith::ExtFOp::create(rewriter, loc, element, sum);
    YieldOp::create(rewriter, loc, sum);
    return made.getResult();
  }

  Value activate(Value x) {
    auto multiply = [&](Value a, Value b) { return arith::MulFOp::create(rewriter, loc, a, b).getResult(); };
    auto add = [&](Value a, Value b) { return arith::AddFOp::create(rewriter, loc, a, b).getResult(); };
    switch (op.getActivation()) {
    case Activation::identity:
      return x;
    case Activation::relu:
      return arith::MaximumFOp::create(rewriter, loc, x, number(0));
    case Activation::relu_squared: {
      Value positive = arith::MaximumFOp::create(rewriter, loc, x, number(0));
      return multiply(positive, positive);
    }
    case Activation::silu: {
      Value power = math::ExpOp::create(rewriter, loc, arith::NegFOp::create(rewriter, loc, x).getResult());
      return arith::DivFOp::create(rewriter, loc, x, add(power, number(1)));
    }
    case Activation::gelu: {
      Value erf = math::ErfOp::create(rewriter, loc, multiply(x, number(std::sqrt(0.5))));
      return multiply(multiply(x, number(0.5)), add(erf, number(1)));
    }
    case Activation::gelu_tanh: {
      Value cube = multiply(multiply(x, x), multiply(x, number(0.044715)));
      Value tanh = math::TanhOp::create(rewriter, loc, multiply(add(x, cube), number(std::sqrt(2 / M_PI))));
      return multiply(multiply(x, number(0.5)), add(tanh, number(1)));
    }
    }
    llvm_unreachable("all activations are above");
  }

  /// min(tile, extent - from).
  OpFoldResult tileSize(OpFoldResult extent, int64_t tile, Value from) {
    if (auto fixed = getConstantIntValue(extent)) {
      if (*fixed % tile == 0)
        return index(tile);
      if (*fixed < tile)
        return index(*fixed);
    }
    AffineExpr i = rewriter.getAffineDimExpr(0), n = rewriter.getAffineSymbolExpr(0);
    auto map = AffineMap::get(1, 1, {rewriter.getAffineConstantExpr(tile), n - i}, rewriter.getContext());
    return affine::makeComposedFoldedAffineMin(rewriter, loc, map, {from, extent});
  }

  //===--------------------------------------------------------------------===//
  // Rows of the list
  //===--------------------------------------------------------------------===//

  void runRows() {
    SmallVector<OpFoldResult> lower(3, index(0)), upper{groups, length, columns};
    SmallVector<OpFoldResult> steps{index(1), index(rowTile), index(columnTile)};
    auto forall = scf::ForallOp::create(
        rewriter, loc, lower,
        getAsOpFoldResult(llvm::map_to_vector(upper, [&](OpFoldResult entry) { return value(entry); })), steps,
        ValueRange{op.getInit()}, std::nullopt);
    rewriter.setInsertionPointToStart(forall.getBody());
    Value group = forall.getInductionVar(0), column = forall.getInductionVar(2);
    auto [low, high] = getGroup(group);
    // Beyond the group's end: no rows, at a place that exists.
    Value first = make<arith::MinSIOp>(make<arith::AddIOp>(low, forall.getInductionVar(1)), length);
    Value count = clamp(make<arith::SubIOp>(high, first), constant(rowTile));
    OpFoldResult width = tileSize(columns, columnTile, column);
    SmallVector<OpFoldResult> offsets{first, column}, sizes{count, width};
    Value place = slice(forall.getRegionIterArgs()[0], offsets, sizes);
    Value result = contract(group, first, count, column, width, place);
    rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
    tensor::ParallelInsertSliceOp::create(rewriter, loc, result, forall.getRegionIterArgs()[0], offsets, sizes,
                                          ones(2));
    rewriter.replaceOp(op, forall.getResults());
  }

  //===--------------------------------------------------------------------===//
  // Rows of the result
  //===--------------------------------------------------------------------===//

  void runScatter() {
    auto fill = op.getInit().getDefiningOp<linalg::FillOp>();
    Value init = fill ? fill.getOutputs()[0] : op.getInit();
    auto forall = scf::ForallOp::create(rewriter, loc, {index(0)}, {columns}, {index(columnTile)}, ValueRange{init},
                                        std::nullopt);
    rewriter.setInsertionPointToStart(forall.getBody());
    Value column = forall.getInductionVar(0);
    OpFoldResult width = tileSize(columns, columnTile, column), rows = size(op.getInit(), 0);
    SmallVector<OpFoldResult> offsets{index(0), column}, sizes{rows, width};
    Value place = slice(forall.getRegionIterArgs()[0], offsets, sizes);
    if (fill) // each unit its own columns
      place = linalg::FillOp::create(rewriter, loc, ValueRange{fill.getInputs()[0]}, ValueRange{place}).getResult(0);
    Value last = make<arith::SubIOp>(value(rows), one);
    Value result = loop(zero, value(groups), 1, place, [&](Value group, Value carried) {
      auto [low, high] = getGroup(group);
      return loop(low, high, rowTile, carried, [&, high = high](Value first, Value carried) {
        // As an affine op: the room that the product takes is bounded by the tile.
        Value count = value(tileSize(high, rowTile, first));
        Value scratch = tensor::EmptyOp::create(rewriter, loc, {index(rowTile), index(columnTile)}, type);
        Value product =
            contract(group, first, count, column, width, slice(scratch, {index(0), index(0)}, {count, width}));
        return loop(zero, count, 1, carried, [&](Value i, Value carried) {
          Value entry = make<arith::AddIOp>(first, i);
          Value row = clamp(load(op.getScatter(), entry), last);
          return addRow(slice(product, {i, index(0)}, {index(1), width}), entry, carried, {row, index(0)},
                        {index(1), width});
        });
      });
    });
    rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
    tensor::ParallelInsertSliceOp::create(rewriter, loc, result, forall.getRegionIterArgs()[0], offsets, sizes,
                                          ones(2));
    rewriter.replaceOp(op, forall.getResults());
    if (fill && fill->use_empty())
      rewriter.eraseOp(fill);
  }

  /// `result` with `row`, times the entry's scale, added at a place.
  Value addRow(Value row, Value entry, Value result, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes) {
    Value place = slice(result, offsets, sizes), scale;
    if (op.getScales())
      scale = extend(tensor::ExtractOp::create(rewriter, loc, op.getScales(), ValueRange{entry}));
    AffineMap identity = rewriter.getMultiDimIdentityMap(2);
    SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
    auto sum = linalg::GenericOp::create(
        rewriter, loc, TypeRange{place.getType()}, ValueRange{row}, ValueRange{place},
        ArrayRef<AffineMap>{identity, identity}, iterators, [&](OpBuilder &b, Location loc, ValueRange v) {
          Value term = v[0];
          if (scale)
            term = arith::MulFOp::create(b, loc, term, scale);
          linalg::YieldOp::create(b, loc, arith::AddFOp::create(b, loc, v[1], term).getResult());
        });
    return insert(sum.getResult(0), result, offsets, sizes);
  }

  IRRewriter &rewriter;
  GroupedMatmulOp op;
  ScheduleAttr schedule;
  Location loc;
  FloatType type; ///< of sums
  int64_t rowTile, columnTile;
  OpFoldResult depth, columns, groups;
  Value length, zero, one;
};

class TileGrouped : public tenon::impl::TileGroupedBase<TileGrouped> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      if (!kernel->hasAttr(kKernelAttr) || !schedule || schedule.getAlgorithm() != "grouped")
        continue;
      IRRewriter rewriter(&getContext());
      for (GroupedMatmulOp op : llvm::to_vector(kernel.getBody().getOps<GroupedMatmulOp>())) {
        if (!schedule.getPrepack().empty() && op.getPanels() == 0) {
          op.emitError("expected weights in 'prepack' to be stored by panels: 'tenon-pack-weights' has not run");
          return signalPassFailure();
        }
        Tiler(rewriter, op, schedule).run();
      }
    }
  }
};

} // namespace
