//===- PrepareLinalg.cpp - linalg ops on buffers, made ready for expansion ---------------===//
#include "LinalgExpander.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

using namespace mlir;

/// affine.apply and the like inside bodies become arithmetic, which has a vector form.
void tenon::expandAffineInBody(linalg::LinalgOp op) {
  op->walk([](Operation *inner) {
    OpBuilder builder(inner);
    if (auto apply = dyn_cast<affine::AffineApplyOp>(inner)) {
      std::optional<SmallVector<Value>> values =
          affine::expandAffineMap(builder, apply.getLoc(), apply.getAffineMap(), apply.getOperands());
      if (values) {
        apply.getResult().replaceAllUsesWith(values->front());
        apply.erase();
      }
      return;
    }
    if (!isa<affine::AffineMinOp, affine::AffineMaxOp>(inner))
      return;
    bool minimum = isa<affine::AffineMinOp>(inner);
    AffineMap map = minimum ? cast<affine::AffineMinOp>(inner).getMap() : cast<affine::AffineMaxOp>(inner).getMap();
    std::optional<SmallVector<Value>> values =
        affine::expandAffineMap(builder, inner->getLoc(), map, inner->getOperands());
    if (!values)
      return;
    Value result = values->front();
    for (Value value : ArrayRef<Value>(*values).drop_front())
      result = minimum ? arith::MinSIOp::create(builder, inner->getLoc(), result, value).getResult()
                       : arith::MaxSIOp::create(builder, inner->getLoc(), result, value).getResult();
    inner->getResult(0).replaceAllUsesWith(result);
    inner->erase();
  });
}

/// Merges neighbouring loops where all operands are known to be contiguous across them.
linalg::LinalgOp tenon::collapseContiguous(linalg::LinalgOp op, RewriterBase &rewriter) {
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  SmallVector<ReassociationIndices> groups;
  llvm::SmallDenseSet<unsigned>
      seen; // loops whose number the body looks at: a merged one would have to be divided again
  op->walk([&](linalg::IndexOp index) { seen.insert(index.getDim()); });
  auto joins = [&](unsigned loop) { // with the one before
    if (iterators[loop] != iterators[loop - 1] || seen.contains(loop) || seen.contains(loop - 1))
      return false;
    ReassociationIndices pair{static_cast<int64_t>(loop) - 1, static_cast<int64_t>(loop)};
    for (OpOperand &operand : op->getOpOperands()) {
      AffineMap map = op.getMatchingIndexingMap(&operand);
      if (!map.isProjectedPermutation() || !linalg::isDimSequencePreserved(map, pair))
        return false;
      auto type = dyn_cast<MemRefType>(operand.get().getType());
      if (!type)
        continue;
      for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
        if (cast<AffineDimExpr>(expr).getPosition() != loop)
          continue;
        SmallVector<int64_t> strides;
        int64_t offset;
        if (failed(type.getStridesAndOffset(strides, offset)) || dim == 0)
          return false;
        int64_t inner = strides[dim], outer = strides[dim - 1], size = type.getDimSize(dim);
        bool identity = type.getLayout().isIdentity();
        if (!identity && (ShapedType::isDynamic(inner) || ShapedType::isDynamic(outer) || ShapedType::isDynamic(size) ||
                          outer != inner * size))
          return false;
      }
    }
    return true;
  };
  bool any = false;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    bool together = loop > 0 && joins(loop);
    any |= together;
    if (together)
      groups.back().push_back(loop);
    else
      groups.push_back({static_cast<int64_t>(loop)});
  }
  if (!any)
    return op;
  rewriter.setInsertionPoint(op);
  FailureOr<linalg::CollapseResult> collapsed = linalg::collapseOpIterationDims(op, groups, rewriter);
  if (failed(collapsed))
    return op;
  rewriter.eraseOp(op);
  return collapsed->collapsedOp;
}
