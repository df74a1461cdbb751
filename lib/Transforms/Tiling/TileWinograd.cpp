//===- TileWinograd.cpp - Winograd's transforms as units of tile rows and channels ---------===//
//
// Reads the schedule and obeys. A unit turns its part of the input so that channels are neighbours, pads it, and
// transforms it along rows and along columns; or the other way round for the result, followed by what kernel formation
// put behind it.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Winograd.h"
#include "TransformTiler.h"
#include "tenon/Transforms/Passes.h"

namespace tenon {
#define GEN_PASS_DEF_TILEWINOGRAD
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

class Tiler : TransformTiler {
public:
  Tiler(IRRewriter &rewriter, Location loc, ScheduleAttr schedule, int64_t tile)
      : TransformTiler(rewriter, loc), schedule(schedule), tile(tile), window(tile + 2),
        matrices(getWinogradMatrices(tile)) {}

  void run(WinogradInputOp op);
  /// `chain` are the elementwise ops behind it, each the only reader of the one before.
  LogicalResult run(WinogradOutputOp op, ArrayRef<linalg::LinalgOp> chain);

private:
  Value transform(Value in, Value out, AffineMap inMap, AffineMap outMap, const SmallMatrix &matrix) {
    return TileTransformOp::create(
               rewriter, loc, out.getType(), in, out, rewriter.getAffineMapArrayAttr({inMap, outMap}),
               rewriter.getI64IntegerAttr(matrix.rows), rewriter.getDenseF64ArrayAttr(matrix.values))
        .getResult();
  }

  /// A loop over units of (batch, channel, tile row); leaves the builder in it.
  scf::ForallOp openUnits(OpFoldResult batch, OpFoldResult channelCount, OpFoldResult tileRowCount, Value init) {
    ArrayRef<int64_t> parallel = schedule.getParallel();
    SmallVector<OpFoldResult> lower(3, index(0)), upper{batch, channelCount, tileRowCount},
        steps{index(1), index(parallel[1]), index(parallel[2])};
    auto forall = scf::ForallOp::create(rewriter, loc, lower, upper, steps, ValueRange{init}, std::nullopt);
    rewriter.setInsertionPointToStart(forall.getBody());
    sample = forall.getInductionVar(0);
    firstChannel = forall.getInductionVar(1);
    firstRow = forall.getInductionVar(2);
    channels = getPart(channelCount, parallel[1], forall.getInductionVar(1));
    rows = getPart(tileRowCount, parallel[2], forall.getInductionVar(2));
    return forall;
  }

  ScheduleAttr schedule;
  int64_t tile, window;
  WinogradMatrices matrices;
  OpFoldResult sample, firstChannel, firstRow; ///< of the unit: where it starts
  OpFoldResult channels, rows;                 ///< and how many channels and rows of tiles it has
};

void Tiler::run(WinogradInputOp op) {
  rewriter.setInsertionPoint(op);
  Value input = op.getInput();
  ArrayRef<int64_t> pads = op.getPads();
  OpFoldResult height = size(input, 2), width = size(input, 3), columns = size(op.getInit(), 3);
  // A result of no rows has no tiles, however few rows the input has.
  AffineExpr least0 = rewriter.getAffineConstantExpr(0);
  OpFoldResult resultRows = most({sym(0) + (pads[0] + pads[2] - 2), least0}, {height});
  OpFoldResult tileRows = apply(sym(0).ceilDiv(tile), {resultRows});
  scf::ForallOp forall = openUnits(size(input, 0), size(input, 1), tileRows, op.getInit());

  // The windows' rows, of which some at the edges are not in the input.
  OpFoldResult paddedRows = apply(sym(0) * tile + 2, {rows}), paddedColumns = apply(sym(0) * tile + 2, {columns});
  OpFoldResult first = apply(sym(0) * tile - pads[0], {firstRow});
  OpFoldResult low = most({sym(0), least0}, {first});
  OpFoldResult high = least({sym(0) + sym(1), sym(2)}, {first, paddedRows, height});
  OpFoldResult count = apply(sym(0) - sym(1), {high, low});
  Value padded = zeros({paddedRows, paddedColumns, channels});
  Value part = sliceImage(input, {sample, firstChannel, low, index(0)}, channels, count, width);
  Sizes offsets{apply(sym(0) - sym(1), {low, first}), index(pads[1]), index(0)}, sizes{count, width, channels};
  Value turned = copy(part, slice(padded, offsets, sizes), map({dim(2), dim(0), dim(1)}, 3));
  padded = tensor::InsertSliceOp::create(rewriter, loc, turned, padded, offsets, sizes, ones(3));

  // Dims (y, x, c) and k or i, then (i, y, x, c) and k or j.
  Value byRows = transform(padded, empty({index(window), rows, paddedColumns, channels}),
                           map({dim(0) * tile + dim(3), dim(1), dim(2)}, 4), map({dim(3), dim(0), dim(1), dim(2)}, 4),
                           matrices.input);
  Sizes places{index(0), index(0), apply(sym(0) * sym(1) + sym(2), {sample, tileRows, firstRow}), index(0),
               firstChannel};
  Sizes extents{index(window), index(window), rows, columns, channels};
  Value destination = forall.getRegionIterArgs()[0];
  Value both =
      transform(byRows, slice(destination, places, extents), map({dim(0), dim(1), dim(2) * tile + dim(4), dim(3)}, 5),
                map({dim(0), dim(4), dim(1), dim(2), dim(3)}, 5), matrices.input);
  rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(rewriter, loc, both, destination, places, extents, ones(5));
  rewriter.replaceOp(op, forall.getResults());
}

LogicalResult Tiler::run(WinogradOutputOp op, ArrayRef<linalg::LinalgOp> chain) {
  Value init = begin(op, chain);
  // Without the dim of samples there is one.
  unsigned rank = cast<RankedTensorType>(init.getType()).getRank(), one = 4 - rank;
  OpFoldResult height = size(init, 2 - one), width = size(init, 3 - one), columns = size(op.getSums(), 3);
  OpFoldResult tileRows = apply(sym(0).ceilDiv(tile), {height});
  scf::ForallOp forall = openUnits(one ? index(1) : size(init, 0), size(init, 1 - one), tileRows, init);

  Sizes places{index(0), index(0), apply(sym(0) * sym(1) + sym(2), {sample, tileRows, firstRow}), index(0),
               firstChannel};
  Value sums = slice(op.getSums(), places, {index(window), index(window), rows, columns, channels});
  // Dims (j, y, x, f) and i or p, then (p, y, x, f) and j or q.
  Value byRows = transform(sums, empty({index(tile), index(window), rows, columns, channels}),
                           map({dim(4), dim(0), dim(1), dim(2), dim(3)}, 5),
                           map({dim(4), dim(0), dim(1), dim(2), dim(3)}, 5), matrices.output);
  Value both = transform(byRows, empty({rows, index(tile), columns, index(tile), channels}),
                         map({dim(0), dim(4), dim(1), dim(2), dim(3)}, 5),
                         map({dim(1), dim(0), dim(2), dim(4), dim(3)}, 5), matrices.output);
  both = tensor::CollapseShapeOp::create(rewriter, loc, both, ArrayRef<ReassociationIndices>{{0, 1}, {2, 3}, {4}});
  OpFoldResult first = apply(sym(0) * tile, {firstRow});
  OpFoldResult count = apply(sym(0) * tile, {rows});
  if (auto known = getConstantIntValue(height); !known || *known % tile != 0)
    count = least({sym(0), sym(1) - sym(2)}, {count, height, first});
  Value image = slice(both, {index(0), index(0), index(0)}, {count, width, channels});

  Sizes offsets{sample, firstChannel, first, index(0)}, sizes{index(1), channels, count, width};
  return finish(forall, op, chain, image, offsets, sizes);
}

class TileWinograd : public tenon::impl::TileWinogradBase<TileWinograd> {
  void runOnOperation() override {
    for (func::FuncOp kernel : findTransformKernels(getOperation(), "winograd")) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      IRRewriter rewriter(&getContext());
      for (auto op : llvm::to_vector(kernel.getBody().getOps<WinogradInputOp>()))
        Tiler(rewriter, op.getLoc(), schedule, op.getTile()).run(op);
      for (auto op : llvm::to_vector(kernel.getBody().getOps<WinogradOutputOp>()))
        if (failed(Tiler(rewriter, op.getLoc(), schedule, op.getTile()).run(op, findChain(op))))
          return signalPassFailure();
      eraseDead(rewriter, kernel);
    }
  }
};

} // namespace
