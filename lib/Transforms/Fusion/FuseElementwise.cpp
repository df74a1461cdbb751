//===- FuseElementwise.cpp - merging elementwise ops into consumers --------------------===//
//
// The decision when to merge; the merging itself is upstream's linalg::fuseElementwiseOps.
//
//===----------------------------------------------------------------------===//
#include "FuseElementwise.h"
#include "tenon/Analysis/LinalgKind.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

using namespace mlir;
using namespace tenon;

namespace {

/// More operands than this would leave a vector loop without registers for pointers.
constexpr unsigned kMaxInputs = 12;
/// The work per element that is repeated rather than stored: about what a load costs.
constexpr int64_t kCheapCost = 2;

/// Whether `producer` reads a contraction's result element by element: it will be that contraction's epilogue.
bool isEpilogue(linalg::GenericOp producer) {
  return llvm::any_of(producer.getDpsInputOperands(), [&](OpOperand *input) {
    Operation *source = input->get().getDefiningOp();
    return source && isContraction(source) && source->hasOneUse() &&
           producer.getMatchingIndexingMap(input).isIdentity();
  });
}

/// Tensors as large as the iteration space that `op` reads.
unsigned countLargeInputs(linalg::GenericOp op) {
  return llvm::count_if(op.getDpsInputOperands(), [&](OpOperand *input) {
    return op.getMatchingIndexingMap(input).getNumResults() == op.getNumLoops();
  });
}

/// Whether `value` depends on weights and constants alone: it is computed at load time, so merging it would be a loss.
bool isLoadTimeConstant(Value value, unsigned depth = 8) {
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return false;
  if (isa<LoadWeightOp>(op))
    return true;
  if (isa<arith::ConstantOp>(op))
    return isa<RankedTensorType>(value.getType());
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return generic.getNumDpsInputs() > 0 && classify(generic) != LinalgKind::Gather &&
           llvm::all_of(generic.getDpsInputs(), [&](Value input) { return isLoadTimeConstant(input, depth - 1); });
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op) &&
         isLoadTimeConstant(op->getOperand(0), depth - 1);
}

struct MergeProducer : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp consumer, PatternRewriter &rewriter) const override {
    for (OpOperand *operand : consumer.getDpsInputOperands())
      if (succeeded(tryMerge(consumer, *operand, rewriter)))
        return success();
    return rewriter.notifyMatchFailure(consumer, "no producer to merge");
  }

  LogicalResult tryMerge(linalg::GenericOp consumer, OpOperand &operand, PatternRewriter &rewriter) const {
    auto producer = operand.get().getDefiningOp<linalg::GenericOp>();
    if (!producer || producer->getBlock() != consumer->getBlock() || producer->getNumResults() != 1 ||
        isContraction(consumer))
      return failure();
    LinalgKind kind = classify(producer);
    if ((kind != LinalgKind::Elementwise && kind != LinalgKind::Gather) || !linalg::areElementwiseOpsFusable(&operand))
      return failure();
    if (consumer.getNumDpsInputs() + producer.getNumDpsInputs() - 1 > kMaxInputs)
      return failure();
    AffineMap map = consumer.getMatchingIndexingMap(&operand);
    AffineMap outMap = producer.getMatchingIndexingMap(producer.getDpsInitOperand(0));
    int64_t cost = getBodyCost(producer);

    // Evaluated once per element, or so cheap that it may be evaluated often.
    bool once = map.isPermutation() && outMap.isPermutation();
    bool cheap = kind == LinalgKind::Elementwise && cost <= 1 && producer.getNumDpsInputs() <= 1;
    if (!once && !(cheap && map.isProjectedPermutation()))
      return rewriter.notifyMatchFailure(consumer, "the consumer would evaluate its producer many times");

    if (isLoadTimeConstant(producer->getResult(0)) && !isLoadTimeConstant(consumer->getResult(0)))
      return rewriter.notifyMatchFailure(consumer, "its producer is computed at load time");

    // An epilogue stays with its contraction, unless the whole merged op can.
    if (isEpilogue(producer) && !(map.isIdentity() && consumer.getNumReductionLoops() == 0 &&
                                  consumer.getMatchingIndexingMap(consumer.getDpsInitOperand(0)).isIdentity()))
      return rewriter.notifyMatchFailure(consumer, "its producer is the epilogue of a contraction");

    if (!producer->hasOneUse()) {
      // Everyone computes it again: only where that reads no more than the result would be.
      bool again = kind == LinalgKind::Elementwise && cost <= kCheapCost && countLargeInputs(producer) <= 1 &&
                   !isEpilogue(producer);
      if (!again)
        return rewriter.notifyMatchFailure(consumer, "its producer is used elsewhere and not cheap");
      rewriter.setInsertionPoint(consumer);
      Operation *copy = rewriter.clone(*producer);
      rewriter.modifyOpInPlace(consumer, [&] { operand.set(copy->getResult(0)); });
      producer = cast<linalg::GenericOp>(copy);
    }
    Location loc = rewriter.getFusedLoc({producer.getLoc(), consumer.getLoc()});
    FailureOr<linalg::ElementwiseOpFusionResult> fused = linalg::fuseElementwiseOps(rewriter, &operand);
    if (failed(fused))
      return failure();
    fused->fusedOp->setLoc(loc);
    for (OpResult result : consumer->getResults())
      rewriter.replaceAllUsesWith(result, fused->replacements.lookup(result));
    rewriter.eraseOp(consumer);
    if (producer->use_empty())
      rewriter.eraseOp(producer);
    return success();
  }
};

/// A contraction that starts from something else than zero adds it at its end, as an epilogue.
struct SplitContractionInit : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op, PatternRewriter &rewriter) const override {
    if (!isContraction(op))
      return rewriter.notifyMatchFailure(op, "not a contraction");
    Value init = op.getDpsInits()[0];
    if (isZeroFilled(init))
      return rewriter.notifyMatchFailure(op, "starts from zero already");
    auto type = cast<RankedTensorType>(init.getType());
    Location loc = op.getLoc();
    Value zero = arith::ConstantOp::create(rewriter, loc, rewriter.getZeroAttr(type.getElementType()));
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, init);
    Value empty = tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
    Value filled = linalg::FillOp::create(rewriter, loc, ValueRange(zero), ValueRange(empty)).getResult(0);
    auto product = cast<linalg::GenericOp>(rewriter.clone(*op));
    product.getDpsInitsMutable()[0].set(filled);
    AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
    SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
    auto sum =
        linalg::GenericOp::create(rewriter, loc, TypeRange(type), ValueRange{product.getResult(0), init},
                                  ValueRange(empty), ArrayRef<AffineMap>{identity, identity, identity}, iterators,
                                  [](OpBuilder &builder, Location loc, ValueRange elements) {
                                    Value result =
                                        isa<FloatType>(elements[0].getType())
                                            ? arith::AddFOp::create(builder, loc, elements[0], elements[1]).getResult()
                                            : arith::AddIOp::create(builder, loc, elements[0], elements[1]).getResult();
                                    linalg::YieldOp::create(builder, loc, result);
                                  });
    rewriter.replaceOp(op, sum);
    return success();
  }
};

/// A contraction reads what a transpose reads, in that order: packing, or a dot product, takes it as it lies.
struct ReadThroughTranspose : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op, PatternRewriter &rewriter) const override {
    if (!isContraction(op) || op->hasAttr(kNonzeroAttr))
      return rewriter.notifyMatchFailure(op, "not a contraction, or one that counts on its operands' dims");
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
      AffineMap map = op.getMatchingIndexingMap(operand);
      if (!producer || !isTranspose(producer) || !map.isProjectedPermutation() ||
          isLoadTimeConstant(producer->getResult(0)))
        continue;
      OpOperand &source = *producer.getDpsInputOperands().front();
      AffineMap order = inversePermutation(producer.getMatchingIndexingMap(producer.getDpsInitOperand(0)));
      SmallVector<AffineMap> maps = op.getIndexingMapsArray();
      maps[operand->getOperandNumber()] = producer.getMatchingIndexingMap(&source).compose(order).compose(map);
      rewriter.modifyOpInPlace(op, [&] {
        operand->set(source.get());
        op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
      });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no transpose to read through");
  }

  /// Whether each element goes to one other place as it is.
  static bool isTranspose(linalg::GenericOp op) {
    return op.getNumDpsInputs() == 1 && op.getNumResults() == 1 && op.getNumReductionLoops() == 0 &&
           op.getBody()->getTerminator()->getOperand(0) == op.getBody()->getArgument(0) &&
           llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) { return map.isPermutation(); });
  }
};

} // namespace

void fusion::populateElementwiseFusionPatterns(RewritePatternSet &patterns) {
  patterns.add<MergeProducer, SplitContractionInit, ReadThroughTranspose>(patterns.getContext());
}
