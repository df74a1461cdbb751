//===- ContractTile.cpp - the loops around contractions, by the schedule -------------===//
//
// Reads the schedule and obeys: parallel tiles, cache loops in their order, then the register tile as attributes for
// the expansion. Nothing is chosen here.
//
//===----------------------------------------------------------------------===//
#include "SliceCopies.h"
#include "tenon/Analysis/OwnParts.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <set>

namespace tenon {
#define GEN_PASS_DEF_TILECONTRACT
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

class Tiler {
public:
  Tiler(IRRewriter &rewriter, TileContractOp op, ScheduleAttr schedule)
      : rewriter(rewriter), op(op), schedule(schedule) {
    for (Range range : op.getIterationDomain(rewriter)) {
      std::set<int64_t> known;
      if (auto extent = getConstantIntValue(range.size))
        known.insert(*extent);
      extents.push_back(std::move(known));
    }
  }

  LogicalResult run() {
    int64_t loops = op.getNumLoops();
    for (ArrayRef<int64_t> tiles : {schedule.getParallel(), schedule.getCache(), schedule.getRegister_()})
      if (!tiles.empty() && static_cast<int64_t>(tiles.size()) != loops)
        return op.emitError("expected tile lists of the schedule to have ")
               << loops << " entries, but got " << tiles.size();
    for (bool cache : {false, true}) // cache tiles of the first reduction dim are chunks, which the expansion makes
      for (auto [dim, tile] : llvm::enumerate(cache ? schedule.getCache() : schedule.getParallel()))
        if (tile != 0 && op.isReduction(dim) && !(cache && dim == op.getReductionDims().front()))
          return op.emitError("expected reduction dim ")
                 << dim << " not to be tiled outside of registers, but got tile " << tile;
    for (int64_t factor : schedule.getPrepack())
      if (!op.hasPanels(factor))
        return op.emitError("expected factor ")
               << factor << " in 'prepack' to be stored by panels: 'tenon-pack-weights' has not run";
    annotate();
    own = findOwnCopy(op);
    if (own && !canSliceCopies(op->getOperand(own->factor), own->position))
      own.reset();
    if (own)
      copied = op->getOperand(own->factor);
    TileContractOp tiled = makeForall(op);
    for (int64_t dim : getCacheOrder())
      tiled = makeFor(tiled, dim);
    tiled.setTails(getTails());
    return success();
  }

private:
  /// The cache loops: those of `order` first, then the others in their own order.
  SmallVector<int64_t> getCacheOrder() {
    SmallVector<int64_t> dims;
    auto add = [&](int64_t dim) {
      if (dim < static_cast<int64_t>(schedule.getCache().size()) && schedule.getCache()[dim] != 0 &&
          !op.isReduction(dim) && !llvm::is_contained(dims, dim))
        dims.push_back(dim);
    };
    for (int64_t dim : schedule.getOrder())
      add(dim);
    for (int64_t dim = 0; dim < static_cast<int64_t>(op.getNumLoops()); ++dim)
      add(dim);
    return dims;
  }

  void annotate() {
    SmallVector<int64_t> registers(schedule.getRegister_());
    for (int64_t &tile : registers)
      tile = std::max<int64_t>(tile, 1);
    op.setRegister_(registers);
    op.setVectorDim(schedule.getVectorDim());
    op.setVectorWidth(schedule.getVectorWidth());
    SmallVector<int64_t> unroll;
    for (int64_t dim : schedule.getUnroll())
      if (op.isReduction(dim))
        unroll.push_back(dim);
    op.setUnroll(unroll);
    if (schedule.getVectorDim() >= 0 && !op.isReduction(schedule.getVectorDim()))
      op.setPack(schedule.getPack());
    if (SmallVector<unsigned> reductions = op.getReductionDims(); !schedule.getCache().empty() && !reductions.empty())
      op.setChunk(schedule.getCache()[reductions.front()]);
    if (schedule.getVectorDim() >= 0 && !op.isReduction(schedule.getVectorDim()) && op.hasDecode())
      op.setDecodeRows(schedule.getDecodeRows());
    op.setInOrder(schedule.getInOrder());
  }

  /// What the extent of a dim can be inside tiles of `tile`.
  void noteTile(unsigned dim, int64_t tile) {
    std::set<int64_t> inside;
    for (int64_t extent : extents[dim]) {
      if (extent >= tile)
        inside.insert(tile);
      if (extent % tile != 0)
        inside.insert(extent % tile);
    }
    extents[dim] = std::move(inside);
  }

  SmallVector<int64_t> getTails() {
    SmallVector<int64_t> tails;
    for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
      int64_t whole = op.getRegisterTile(dim);
      std::set<int64_t> rests;
      for (int64_t extent : extents[dim])
        if (extent % whole != 0)
          rests.insert(extent % whole);
      bool known = !extents[dim].empty() && rests.size() <= 1;
      tails.push_back(!known ? -1 : rests.empty() ? 0 : *rests.begin());
    }
    return tails;
  }

  /// min(tile, extent - index), or the tile itself where it divides the extent.
  OpFoldResult getTileSize(Location loc, OpFoldResult extent, int64_t tile, Value index) {
    auto fixed = getConstantIntValue(extent);
    if (fixed && *fixed % tile == 0)
      return rewriter.getIndexAttr(tile);
    AffineExpr i = rewriter.getAffineDimExpr(0), n = rewriter.getAffineSymbolExpr(0);
    auto map = AffineMap::get(1, 1, {rewriter.getAffineConstantExpr(tile), n - i}, rewriter.getContext());
    return affine::makeComposedFoldedAffineMin(rewriter, loc, map, {index, extent});
  }

  /// Replaces `whole`, whose out is `destination` inside the loop, by its tile; returns the tile.
  TileContractOp makeTile(TileContractOp whole, Value destination, ArrayRef<OpFoldResult> offsets,
                          ArrayRef<OpFoldResult> sizes, SmallVectorImpl<OpFoldResult> &outOffsets,
                          SmallVectorImpl<OpFoldResult> &outSizes) {
    SmallVector<Value> operands(whole.getOperands());
    operands[whole.getOutMutable().getOperandNumber()] = destination;
    auto inner = cast<TileContractOp>(mlir::clone(rewriter, whole.getOperation(), whole->getResultTypes(), operands));
    FailureOr<TilingResult> tiled = inner.getTiledImplementation(rewriter, offsets, sizes);
    SmallVector<OpFoldResult> positions, extents;
    (void)inner.getResultTilePosition(rewriter, 0, offsets, sizes, positions, extents);
    outOffsets.append(positions);
    outSizes.append(extents);
    rewriter.eraseOp(inner);
    return cast<TileContractOp>(tiled->tiledOps[0]);
  }

  TileContractOp makeForall(TileContractOp whole) {
    SmallVector<int64_t> dims;
    for (auto [dim, tile] : llvm::enumerate(schedule.getParallel()))
      if (tile != 0)
        dims.push_back(dim);
    if (dims.empty())
      return whole;
    Location loc = whole.getLoc();
    rewriter.setInsertionPoint(whole);
    SmallVector<Range> domain = whole.getIterationDomain(rewriter);
    SmallVector<OpFoldResult> lower, upper, steps, offsets, sizes, outOffsets, outSizes;
    for (int64_t dim : dims) {
      lower.push_back(rewriter.getIndexAttr(0));
      upper.push_back(domain[dim].size);
      steps.push_back(rewriter.getIndexAttr(schedule.getParallel()[dim]));
    }
    auto forall = scf::ForallOp::create(rewriter, loc, lower, upper, steps, ValueRange{whole.getOut()}, std::nullopt);
    rewriter.setInsertionPointToStart(forall.getBody());
    for (Range range : domain) {
      offsets.push_back(rewriter.getIndexAttr(0));
      sizes.push_back(range.size);
    }
    for (auto [number, dim] : llvm::enumerate(dims)) {
      int64_t tile = schedule.getParallel()[dim];
      offsets[dim] = forall.getInductionVar(number);
      sizes[dim] = getTileSize(loc, domain[dim].size, tile, forall.getInductionVar(number));
      noteTile(dim, tile);
    }
    TileContractOp tiled = makeTile(whole, forall.getRegionIterArgs()[0], offsets, sizes, outOffsets, outSizes);
    if (own && !loopsOverParts())
      makeOwnCopies(tiled);
    rewriter.setInsertionPointToEnd(forall.getTerminator().getBody());
    SmallVector<OpFoldResult> strides(outOffsets.size(), rewriter.getIndexAttr(1));
    tensor::ParallelInsertSliceOp::create(rewriter, loc, tiled.getResult(), forall.getRegionIterArgs()[0], outOffsets,
                                          outSizes, strides);
    rewriter.replaceOp(whole, forall.getResults());
    op = tiled;
    return tiled;
  }

  /// Whether a unit goes through its parts of what the kernel copies in a loop, in one place that is filled once.
  bool loopsOverParts() const {
    return own && own->dim < schedule.getCache().size() && schedule.getCache()[own->dim] != 0 && findFill(copied);
  }

  /// The operand of `tiled` that is a part of what the kernel copies.
  tensor::ExtractSliceOp getPart(TileContractOp tiled) const {
    return tiled->getOperand(own->factor).getDefiningOp<tensor::ExtractSliceOp>();
  }

  /// Where `part` starts in `copied`, which it may be a slice of a slice of.
  SmallVector<OpFoldResult> getOffsets(tensor::ExtractSliceOp part) {
    SmallVector<OpFoldResult> offsets(part.getSourceType().getRank(), rewriter.getIndexAttr(0));
    AffineExpr a = rewriter.getAffineDimExpr(0), b = rewriter.getAffineDimExpr(1);
    for (auto slice = part; slice; slice = slice.getSource() == copied
                                               ? tensor::ExtractSliceOp()
                                               : slice.getSource().getDefiningOp<tensor::ExtractSliceOp>())
      for (auto [total, offset] : llvm::zip(offsets, slice.getMixedOffsets()))
        total = affine::makeComposedFoldedAffineApply(rewriter, part.getLoc(), a + b, {total, offset});
    return offsets;
  }

  /// Takes `part`, which starts at `offsets`, out of `made`, which has no more of the dim that units have to
  /// themselves.
  void takePart(tensor::ExtractSliceOp part, SmallVector<OpFoldResult> offsets, Value made) {
    offsets[own->position] = rewriter.getIndexAttr(0);
    rewriter.replaceOpWithNewOp<tensor::ExtractSliceOp>(part, part.getType(), made, offsets, part.getMixedSizes(),
                                                        part.getMixedStrides());
  }

  /// A unit makes its part of what the kernel copies instead of taking it from the whole.
  void makeOwnCopies(TileContractOp tiled) {
    tensor::ExtractSliceOp part = getPart(tiled);
    if (!part || part.getType().getRank() != part.getSourceType().getRank())
      return;
    rewriter.setInsertionPoint(part);
    SmallVector<OpFoldResult> offsets = getOffsets(part);
    takePart(part, offsets,
             sliceCopies(rewriter, copied, own->position, offsets[own->position], part.getMixedSizes()[own->position]));
  }

  TileContractOp makeFor(TileContractOp whole, int64_t dim) {
    Location loc = whole.getLoc();
    int64_t tile = schedule.getCache()[dim];
    rewriter.setInsertionPoint(whole);
    SmallVector<Range> domain = whole.getIterationDomain(rewriter);
    SmallVector<OpFoldResult> offsets, sizes, outOffsets, outSizes;
    auto constant = [&](int64_t value) { return arith::ConstantIndexOp::create(rewriter, loc, value).getResult(); };
    SmallVector<Value> carried{whole.getOut()};
    bool makesParts = loopsOverParts() && dim == own->dim;
    if (makesParts)
      carried.push_back(sliceFill(rewriter, copied, own->position, rewriter.getIndexAttr(tile)));
    auto loop =
        scf::ForOp::create(rewriter, loc, constant(0), getValueOrCreateConstantIndexOp(rewriter, loc, domain[dim].size),
                           constant(tile), carried, [](OpBuilder &, Location, Value, ValueRange) {});
    rewriter.setInsertionPointToStart(loop.getBody());
    for (Range range : domain) {
      offsets.push_back(rewriter.getIndexAttr(0));
      sizes.push_back(range.size);
    }
    offsets[dim] = loop.getInductionVar();
    sizes[dim] = getTileSize(loc, domain[dim].size, tile, loop.getInductionVar());
    noteTile(dim, tile);
    TileContractOp tiled = makeTile(whole, loop.getRegionIterArgs()[0], offsets, sizes, outOffsets, outSizes);
    SmallVector<OpFoldResult> strides(outOffsets.size(), rewriter.getIndexAttr(1));
    SmallVector<Value> yielded{tensor::InsertSliceOp::create(
        rewriter, loc, tiled.getResult(), loop.getRegionIterArgs()[0], outOffsets, outSizes, strides)};
    if (makesParts) {
      tensor::ExtractSliceOp part = getPart(tiled);
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPoint(part);
      SmallVector<OpFoldResult> places = getOffsets(part);
      auto [made, left] = sliceCopiesInto(rewriter, loop.getRegionIterArgs()[1], copied, own->position,
                                          places[own->position], part.getMixedSizes()[own->position]);
      takePart(part, places, made);
      yielded.push_back(left);
    }
    scf::YieldOp::create(rewriter, loc, yielded);
    rewriter.replaceOp(whole, loop.getResults().take_front());
    op = tiled;
    return tiled;
  }

  IRRewriter &rewriter;
  TileContractOp op;
  ScheduleAttr schedule;
  /// What units copy for themselves, and the whole of it; none where they copy nothing.
  std::optional<OwnIndex> own;
  Value copied;
  /// Per dim: all extents that the tiles may have; empty where that is not known.
  SmallVector<std::set<int64_t>> extents;
};

class TileContract : public tenon::impl::TileContractBase<TileContract> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      if (!kernel->hasAttr(kKernelAttr) || !schedule || schedule.getAlgorithm() != "contract")
        continue;
      SmallVector<TileContractOp> ops(kernel.getBody().getOps<TileContractOp>());
      IRRewriter rewriter(&getContext());
      for (TileContractOp op : ops) {
        rewriter.setInsertionPoint(op);
        if (failed(Tiler(rewriter, op, schedule).run()))
          return signalPassFailure();
      }
    }
  }
};

} // namespace
