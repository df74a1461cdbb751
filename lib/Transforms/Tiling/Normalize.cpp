//===- Normalize.cpp - kernels in the few forms that tiling knows -------------------===//
//
// Rewrites on tensors in front of tiling; nothing here depends on the schedule.
//
//===----------------------------------------------------------------------===//
#include "tenon/Transforms/Tiling/Normalize.h"

#include "mlir/Dialect/Affine/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace {

/// Sums and differences of sizes, folded where they are constant.
OpFoldResult combine(OpBuilder &builder, Location loc, AffineExpr expr, ArrayRef<OpFoldResult> operands) {
  return affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(operands.size(), 0, expr), operands);
}

Value emptyOf(OpBuilder &builder, Location loc, RankedTensorType type, ValueRange dynamicSizes) {
  return tensor::EmptyOp::create(builder, loc, type, dynamicSizes);
}

SmallVector<utils::IteratorType> parallelLoops(unsigned rank) {
  return SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel);
}

/// tensor.generate -> linalg.generic over linalg.index.
struct ExpandGenerate : OpRewritePattern<tensor::GenerateOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::GenerateOp op, PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getType());
    if (!op.getBody().hasOneBlock())
      return rewriter.notifyMatchFailure(op, "the body has several blocks");
    Value init = emptyOf(rewriter, op.getLoc(), type, op.getDynamicExtents());
    AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
    auto generic = linalg::GenericOp::create(
        rewriter, op.getLoc(), type, ValueRange(), init, identity, parallelLoops(type.getRank()),
        [&](OpBuilder &builder, Location loc, ValueRange) {
          IRMapping mapping;
          for (auto [dim, argument] : llvm::enumerate(op.getBody().getArguments()))
            mapping.map(argument, linalg::IndexOp::create(builder, loc, dim));
          for (Operation &inner : op.getBody().front().without_terminator())
            builder.clone(inner, mapping);
          linalg::YieldOp::create(builder, loc,
                                  mapping.lookupOrDefault(op.getBody().front().getTerminator()->getOperand(0)));
        });
    rewriter.replaceOp(op, generic);
    return success();
  }
};

struct ExpandSplat : OpRewritePattern<tensor::SplatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::SplatOp op, PatternRewriter &rewriter) const override {
    Value init = emptyOf(rewriter, op.getLoc(), cast<RankedTensorType>(op.getType()), op.getDynamicSizes());
    rewriter.replaceOpWithNewOp<linalg::FillOp>(op, op.getInput(), init);
    return success();
  }
};

bool isEmptyTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && llvm::is_contained(tensor.getShape(), 0);
}

/// Values without elements need no computing, and slices of them do not verify.
void dropEmptyTensors(func::FuncOp kernel, RewriterBase &rewriter) {
  for (Operation &op : llvm::make_early_inc_range(kernel.getBody().front())) {
    auto insert = dyn_cast<tensor::InsertSliceOp>(op);
    if (insert && isEmptyTensor(insert.getSourceType())) {
      rewriter.replaceOp(insert, insert.getDest());
      continue;
    }
    auto concat = dyn_cast<tensor::ConcatOp>(op);
    if (concat && llvm::any_of(concat.getInputs().getTypes(), isEmptyTensor) && !isEmptyTensor(concat.getType())) {
      SmallVector<Value> inputs;
      for (Value input : concat.getInputs())
        if (!isEmptyTensor(input.getType()))
          inputs.push_back(input);
      rewriter.setInsertionPoint(concat);
      rewriter.replaceOpWithNewOp<tensor::ConcatOp>(concat, concat.getType(), concat.getDim(), inputs);
      continue;
    }
    if (isa<tensor::EmptyOp>(op) || op.getNumResults() == 0)
      continue;
    for (OpResult result : op.getResults()) {
      if (!isEmptyTensor(result.getType()) || cast<RankedTensorType>(result.getType()).getNumDynamicDims() != 0 ||
          result.use_empty())
        continue;
      rewriter.setInsertionPointAfter(&op);
      auto type = cast<RankedTensorType>(result.getType());
      rewriter.replaceAllUsesWith(
          result, tensor::EmptyOp::create(rewriter, op.getLoc(), type.getShape(), type.getElementType()));
    }
  }
}

struct ExpandConcat : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ConcatOp op, PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> pieces = op.decomposeOperation(rewriter);
    if (failed(pieces))
      return rewriter.notifyMatchFailure(op, "upstream does not take it apart");
    rewriter.replaceOp(op, *pieces);
    return success();
  }
};

struct ExpandSoftmax : OpRewritePattern<linalg::SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::SoftmaxOp op, PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> pieces = op.decomposeOperation(rewriter);
    if (failed(pieces))
      return rewriter.notifyMatchFailure(op, "upstream does not take it apart");
    rewriter.replaceOp(op, *pieces);
    return success();
  }
};

/// tensor.pad with a constant value -> fills of the borders and an insert of the middle: each element is written once.
struct ExpandPad : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::PadOp op, PatternRewriter &rewriter) const override {
    Value value = op.getConstantPaddingValue();
    if (!value)
      return rewriter.notifyMatchFailure(op, "the padding depends on the position");
    Location loc = op.getLoc();
    rewriter.setInsertionPoint(op);
    RankedTensorType type = op.getResultType();
    int64_t rank = type.getRank();
    SmallVector<OpFoldResult> low = op.getMixedLowPad(), high = op.getMixedHighPad(),
                              inner = tensor::getMixedSizes(rewriter, loc, op.getSource());
    AffineExpr a = rewriter.getAffineDimExpr(0), b = rewriter.getAffineDimExpr(1), c = rewriter.getAffineDimExpr(2);
    SmallVector<OpFoldResult> sizes;
    SmallVector<Value> dynamic;
    for (int64_t dim = 0; dim < rank; ++dim) {
      sizes.push_back(type.isDynamicDim(dim) ? combine(rewriter, loc, a + b + c, {low[dim], inner[dim], high[dim]})
                                             : OpFoldResult(rewriter.getIndexAttr(type.getDimSize(dim))));
      if (type.isDynamicDim(dim))
        dynamic.push_back(getValueOrCreateConstantIndexOp(rewriter, loc, sizes.back()));
    }
    Value result = emptyOf(rewriter, loc, type, dynamic);
    OpFoldResult zero = rewriter.getIndexAttr(0);
    SmallVector<OpFoldResult> strides(rank, rewriter.getIndexAttr(1));
    auto fill = [&](SmallVector<OpFoldResult> offsets, SmallVector<OpFoldResult> extents) {
      if (llvm::any_of(extents, [](OpFoldResult size) { return isConstantIntValue(size, 0); }))
        return;
      Value border = tensor::ExtractSliceOp::create(rewriter, loc, result, offsets, extents, strides);
      AffineMap identity = rewriter.getMultiDimIdentityMap(rank);
      auto generic = linalg::GenericOp::create(
          rewriter, loc, border.getType(), ValueRange(), border, identity, parallelLoops(rank),
          [&](OpBuilder &builder, Location, ValueRange) { linalg::YieldOp::create(builder, loc, value); });
      border = generic.getResult(0);
      result = tensor::InsertSliceOp::create(rewriter, loc, border, result, offsets, extents, strides);
    };
    for (int64_t dim = 0; dim < rank; ++dim) {
      SmallVector<OpFoldResult> offsets(rank, zero), extents = sizes;
      for (int64_t before = 0; before < dim; ++before) {
        offsets[before] = low[before];
        extents[before] = inner[before];
      }
      extents[dim] = low[dim];
      fill(offsets, extents);
      offsets[dim] = combine(rewriter, loc, a + b, {low[dim], inner[dim]});
      extents[dim] = high[dim];
      fill(offsets, extents);
    }
    if (isEmptyTensor(op.getSourceType()))
      rewriter.replaceOp(op, result);
    else
      rewriter.replaceOpWithNewOp<tensor::InsertSliceOp>(op, op.getSource(), result, low, inner, strides);
    return success();
  }
};

struct Generalize : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    if (isa<linalg::GenericOp>(op))
      return failure();
    return linalg::generalizeNamedOp(rewriter, op);
  }
};

/// Whether computing the body again for every element of a broadcast costs next to nothing.
bool isCheap(linalg::GenericOp op) {
  unsigned count = 0;
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (isa<arith::DivFOp, arith::RemFOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
            tensor::ExtractOp>(inner) ||
        isa<math::MathDialect>(inner.getDialect()) || inner.getNumRegions() != 0)
      return false;
    ++count;
  }
  return count <= 2;
}

/// Which element-wise producers move into their consumers.
bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || producer->getBlock() != consumer->getBlock())
    return false;
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  if (!map.isProjectedPermutation(/*allowZeroInResults=*/true))
    return false;
  bool repeats = map.getNumResults() < consumer.getNumLoops() || !map.isPermutation();
  if (repeats && !isCheap(producer))
    return false;
  bool onlyUser = llvm::all_of(producer->getUsers(), [&](Operation *user) { return user == consumer.getOperation(); });
  if (onlyUser)
    return true;
  return repeats && producer.getBody()->without_terminator().empty();
}

/// Producers that others use too, later on: computed by the consumer, which walks the same loops, as one more result of
/// it.
bool shouldShare(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  return producer && consumer && producer->getBlock() == consumer->getBlock() && consumer.hasPureTensorSemantics() &&
         linalg::areElementwiseOpsFusable(operand) && consumer.getMatchingIndexingMap(operand).isIdentity() &&
         llvm::all_of(producer.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isProjectedPermutation(true); }) &&
         llvm::all_of(producer.getDpsInits(), [](Value init) { return init.getDefiningOp<tensor::EmptyOp>(); }) &&
         llvm::all_of(producer->getUsers(), [&](Operation *user) {
           return user == consumer.getOperation() ||
                  (user->getBlock() == consumer->getBlock() && consumer->isBeforeInBlock(user));
         });
}

bool shareOne(func::FuncOp kernel, RewriterBase &rewriter) {
  for (Operation &op : kernel.getBody().front())
    for (OpOperand &operand : op.getOpOperands()) {
      if (!shouldShare(&operand))
        continue;
      Operation *producer = operand.get().getDefiningOp();
      rewriter.setInsertionPoint(&op);
      FailureOr<linalg::ElementwiseOpFusionResult> fused = linalg::fuseElementwiseOps(rewriter, &operand);
      if (failed(fused))
        continue;
      for (auto [old, now] : fused->replacements)
        old.replaceUsesWithIf(now, [&](OpOperand &use) { return use.getOwner() != producer && use.getOwner() != &op; });
      rewriter.eraseOp(&op);
      if (producer->use_empty())
        rewriter.eraseOp(producer);
      return true;
    }
  return false;
}

} // namespace

LogicalResult tenon::normalizeKernel(func::FuncOp kernel) {
  MLIRContext *context = kernel.getContext();
  GreedyRewriteConfig config;
  IRRewriter rewriter(context);
  dropEmptyTensors(kernel, rewriter);
  {
    RewritePatternSet patterns(context);
    patterns.add<ExpandGenerate, ExpandSplat, ExpandConcat, ExpandSoftmax, ExpandPad, Generalize>(context);
    linalg::populateElementwiseToLinalgConversionPatterns(patterns);
    memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
    if (failed(applyPatternsGreedily(kernel, std::move(patterns), config)))
      return kernel.emitError("normalisation of the kernel does not end");
  }
  RewritePatternSet patterns(context);
  linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
  memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
  linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
  if (failed(applyPatternsGreedily(kernel, std::move(patterns), config)))
    return kernel.emitError("fusion inside the kernel does not end");
  while (shareOne(kernel, rewriter)) {
  }
  return success();
}
