//===- Optimize.cpp - simplification of Programs ------------------------------------------===//
//
// The order of the phases matters and is fixed here: dims first (so that tensor.dim of intermediate results does not
// keep them alive), then one form for all structured ops, then unit loops, then merging.
//
//===----------------------------------------------------------------------===//
#include "FuseElementwise.h"
#include "tenon/Analysis/LinalgKind.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"

namespace tenon {
#define GEN_PASS_DEF_OPTIMIZE
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// Named ops as generics, so that the phases below know one form. Fills stay: they are looked for by name.
struct GeneralizeNamedOps : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    if (isa<linalg::GenericOp, linalg::FillOp>(op.getOperation()) || !op.hasPureTensorSemantics())
      return rewriter.notifyMatchFailure(op, "a generic already, or a fill");
    return linalg::generalizeNamedOp(rewriter, op);
  }
};

/// A bitcast of a tensor as one of its elements, which merges with its neighbours.
struct BitcastElements : OpRewritePattern<tensor::BitcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::BitcastOp op, PatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "not ranked");
    Location loc = op.getLoc();
    Value empty = tensor::EmptyOp::create(rewriter, loc, tensor::getMixedSizes(rewriter, loc, op.getSource()),
                                          type.getElementType());
    AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
    SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, TypeRange(empty.getType()), ValueRange(op.getSource()), ValueRange(empty),
        ArrayRef<AffineMap>{identity, identity}, iterators, [&](OpBuilder &builder, Location loc, ValueRange elements) {
          Value cast = elements[0];
          if (cast.getType() != type.getElementType())
            cast = arith::BitcastOp::create(builder, loc, type.getElementType(), cast);
          linalg::YieldOp::create(builder, loc, cast);
        });
    return success();
  }
};

/// An op on an expanded tensor works on the tensor before: reshapes move towards the end of a chain. Reductions too, or
/// a normalisation would have one half on each side of a reshape.
bool moveExpansionDown(OpOperand *operand) {
  auto expand = operand->get().getDefiningOp<tensor::ExpandShapeOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!expand || !consumer || consumer.hasIndexSemantics() || consumer.isDpsInit(operand))
    return false;
  LinalgKind kind = classify(consumer);
  if (kind != LinalgKind::Elementwise && kind != LinalgKind::Reduction)
    return false;
  return expand.getSrc().getDefiningOp<linalg::GenericOp>() != nullptr;
}

/// Unit dims that come and go leave the tensor as it was, wherever they stood.
struct FoldUnitReshapes : OpRewritePattern<tensor::CollapseShapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::CollapseShapeOp op, PatternRewriter &rewriter) const override {
    auto expand = op.getSrc().getDefiningOp<tensor::ExpandShapeOp>();
    if (!expand || expand.getSrcType() != op.getResultType())
      return rewriter.notifyMatchFailure(op, "not back to where it came from");
    ArrayRef<int64_t> shape = expand.getResultType().getShape();
    for (auto groups : {expand.getReassociationIndices(), op.getReassociationIndices()})
      for (const ReassociationIndices &group : groups)
        if (llvm::count_if(group, [&](int64_t dim) { return shape[dim] != 1; }) > 1)
          return rewriter.notifyMatchFailure(op, "joins dims");
    rewriter.replaceOp(op, expand.getSrc());
    return success();
  }
};

class Optimize : public tenon::impl::OptimizeBase<Optimize> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet dims(context);
    addCanonicalization(dims);
    memref::populateResolveRankedShapedTypeResultDimsPatterns(dims);
    linalg::populateElementwiseToLinalgConversionPatterns(dims);
    dims.add<GeneralizeNamedOps, BitcastElements>(context);
    dimPatterns = std::move(dims);

    RewritePatternSet unit(context);
    addCanonicalization(unit);
    linalg::ControlDropUnitDims control;
    linalg::populateFoldUnitExtentDimsPatterns(unit, control);
    linalg::populateFoldUnitExtentDimsCanonicalizationPatterns(unit, control);
    unitPatterns = std::move(unit);

    mergePatterns = makeMergePatterns(context, /*fuse=*/true);
    plainPatterns = makeMergePatterns(context, /*fuse=*/false);
    return success();
  }

  static FrozenRewritePatternSet makeMergePatterns(MLIRContext *context, bool fuse) {
    RewritePatternSet merge(context);
    addCanonicalization(merge);
    // Reshapes that have moved leave dims and destinations of the old shape behind.
    memref::populateResolveRankedShapedTypeResultDimsPatterns(merge);
    tensor::populateFoldTensorEmptyPatterns(merge);
    linalg::populateInlineConstantOperandsPatterns(merge);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(merge);
    linalg::populateFoldReshapeOpsByCollapsingPatterns(merge, moveExpansionDown);
    merge.add<FoldUnitReshapes>(context);
    if (fuse)
      fusion::populateElementwiseFusionPatterns(merge);
    return std::move(merge);
  }

  static void addCanonicalization(RewritePatternSet &patterns) {
    MLIRContext *context = patterns.getContext();
    for (StringRef name : {"linalg", "tensor", "arith", "scf", "affine", "tenon", "cf"})
      if (Dialect *dialect = context->getLoadedDialect(name))
        dialect->getCanonicalizationPatterns(patterns);
    for (RegisteredOperationName op : context->getRegisteredOperations()) {
      StringRef dialect = op.getDialectNamespace();
      if (dialect == "linalg" || dialect == "tensor" || dialect == "arith" || dialect == "scf" || dialect == "affine" ||
          dialect == "tenon" || dialect == "cf")
        op.getCanonicalizationPatterns(patterns, context);
    }
  }

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    const FrozenRewritePatternSet &merge = getOperation()->hasAttr(kUnfusedAttr) ? plainPatterns : mergePatterns;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal() || function->hasAttr(kKernelAttr))
        continue;
      shareDims(function);
      // No set of patterns should go in circles; if one does, the program is still right where it was stopped.
      int64_t ops = 0;
      function.walk([&](Operation *) { ++ops; });
      auto config = GreedyRewriteConfig().setMaxNumRewrites(10000 + 200 * ops);
      for (const FrozenRewritePatternSet *patterns :
           std::initializer_list<const FrozenRewritePatternSet *>{&dimPatterns, &unitPatterns, &merge}) {
        (void)applyPatternsGreedily(function, *patterns, config);
        DominanceInfo dominance(function);
        eliminateCommonSubExpressions(rewriter, dominance, function);
      }
      // Common subexpressions make new single uses.
      (void)applyPatternsGreedily(function, merge, config);
    }
  }

  /// Arguments' dims of one name are equal (the caller is checked at the boundary): all are read off the first.
  void shareDims(func::FuncOp function) {
    if (function.getBody().empty())
      return;
    llvm::StringMap<std::pair<unsigned, int64_t>> first;
    DenseMap<std::pair<unsigned, int64_t>, std::pair<unsigned, int64_t>> leader;
    for (unsigned index = 0; index < function.getNumArguments(); ++index) {
      auto type = dyn_cast<RankedTensorType>(function.getArgument(index).getType());
      auto names = function.getArgAttrOfType<ArrayAttr>(index, kDimsAttr);
      if (!type || !names || static_cast<int64_t>(names.size()) != type.getRank())
        continue;
      for (auto [dim, attribute] : llvm::enumerate(names)) {
        auto name = dyn_cast<StringAttr>(attribute);
        if (!name || name.empty() || !type.isDynamicDim(dim))
          continue;
        auto [place, isNew] = first.try_emplace(name.getValue(), index, dim);
        if (!isNew)
          leader[{index, dim}] = place->second;
      }
    }
    if (leader.empty())
      return;
    OpBuilder builder(&function.getBody().front(), function.getBody().front().begin());
    SmallVector<tensor::DimOp> reads;
    function.walk([&](tensor::DimOp read) { reads.push_back(read); });
    for (tensor::DimOp read : reads) {
      auto argument = dyn_cast<BlockArgument>(read.getSource());
      std::optional<int64_t> dim = read.getConstantIndex();
      if (!argument || !dim || argument.getOwner() != &function.getBody().front())
        continue;
      auto found = leader.find({argument.getArgNumber(), *dim});
      if (found == leader.end())
        continue;
      auto [otherArgument, otherDim] = found->second;
      Value shared = tensor::DimOp::create(builder, read.getLoc(), function.getArgument(otherArgument), otherDim);
      read.replaceAllUsesWith(shared);
      read.erase();
    }
  }

  FrozenRewritePatternSet dimPatterns, unitPatterns, mergePatterns, plainPatterns;
};

} // namespace
