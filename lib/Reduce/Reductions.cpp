//===- Reductions.cpp - how Programs shrink ---------------------------------------------------------===//
//
// Each pattern makes a Program smaller or plainer but keeps it valid; what it computes may change. The reducer keeps a
// change only while the fault shows.
//
//===----------------------------------------------------------------------===//
#include "tenon/Reduce/Reductions.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Reducer/ReductionPatternInterface.h"

using namespace mlir;
using namespace tenon;

namespace {

/// Whatever writes destinations gives them unchanged: kernels, dispatches, linalg ops, register tiles.
struct DropToInits : OpInterfaceRewritePattern<DestinationStyleOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(DestinationStyleOpInterface op, PatternRewriter &rewriter) const override {
    if (op->getNumResults() == 0 || op->getNumResults() != static_cast<unsigned>(op.getNumDpsInits()))
      return rewriter.notifyMatchFailure(op, "needs a destination per result");
    rewriter.replaceOp(op, llvm::to_vector(op.getDpsInits()));
    return success();
  }
};

struct DropBias : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &rewriter) const override {
    if (!op.getBias())
      return rewriter.notifyMatchFailure(op, "has no bias");
    rewriter.modifyOpInPlace(op, [&] { op.getBiasMutable().clear(); });
    return success();
  }
};

/// A whole convolution, pool or resize becomes an empty tensor where its shape is static.
template <typename OpTy> struct DropToEmpty : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpTy op, PatternRewriter &rewriter) const override {
    SmallVector<Value> empty;
    for (Type type : op->getResultTypes()) {
      auto tensorType = cast<RankedTensorType>(type);
      if (!tensorType.hasStaticShape())
        return rewriter.notifyMatchFailure(op, "has a dynamic shape");
      empty.push_back(
          tensor::EmptyOp::create(rewriter, op->getLoc(), tensorType.getShape(), tensorType.getElementType()));
    }
    rewriter.replaceOp(op, empty);
    return success();
  }
};

struct Reductions : DialectReductionPatternInterface {
  explicit Reductions(Dialect *dialect) : DialectReductionPatternInterface(dialect) {}
  void populateReductionPatterns(RewritePatternSet &patterns) const override {
    patterns.add<DropToInits, DropBias, DropToEmpty<ConvOp>, DropToEmpty<PoolOp>, DropToEmpty<ResizeOp>>(
        patterns.getContext());
  }
};

} // namespace

void tenon::registerReductions(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TenonDialect *dialect) { dialect->addInterfaces<Reductions>(); });
}
