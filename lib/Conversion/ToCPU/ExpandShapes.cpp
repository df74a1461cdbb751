//===- ExpandShapes.cpp - reshapes of buffers that split a dim into several dynamic ones ------===//
//
// Upstream's expand-strided-metadata recomputes the sizes of memref.expand_shape and can't where two of them are
// dynamic. The op carries its sizes, so contiguous buffers need no recomputation.
//
//===----------------------------------------------------------------------===//
#include "tenon/Conversion/ToCPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace tenon {
#define GEN_PASS_DEF_EXPANDSHAPES
#include "tenon/Conversion/ToCPU/Passes.h.inc"
} // namespace tenon

using namespace mlir;

namespace {

struct ExpandShapes : tenon::impl::ExpandShapesBase<ExpandShapes> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation()->walk([&](memref::ExpandShapeOp op) {
      MemRefType type = op.getResultType();
      bool recomputable = llvm::all_of(op.getReassociationIndices(), [&](const ReassociationIndices &group) {
        return llvm::count_if(group, [&](int64_t dim) { return type.isDynamicDim(dim); }) < 2;
      });
      if (recomputable || !type.getLayout().isIdentity())
        return;
      rewriter.setInsertionPoint(op);
      SmallVector<OpFoldResult> sizes = op.getMixedOutputShape(), strides(type.getRank());
      OpFoldResult stride = rewriter.getIndexAttr(1);
      for (int64_t i = type.getRank() - 1; i >= 0; --i) {
        strides[i] = stride;
        if (i == 0)
          break;
        auto asValue = [&](OpFoldResult size) { return getValueOrCreateConstantIndexOp(rewriter, op.getLoc(), size); };
        std::optional<int64_t> knownSize = getConstantIntValue(sizes[i]), knownStride = getConstantIntValue(stride);
        if (knownSize && knownStride)
          stride = rewriter.getIndexAttr(*knownSize * *knownStride);
        else if (knownStride == 1)
          stride = sizes[i];
        else
          stride = arith::MulIOp::create(rewriter, op.getLoc(), asValue(stride), asValue(sizes[i])).getResult();
      }
      auto cast = memref::ReinterpretCastOp::create(
          rewriter, op.getLoc(),
          MemRefType::get(type.getShape(), type.getElementType(), AffineMap(), type.getMemorySpace()), op.getSrc(),
          OpFoldResult(rewriter.getIndexAttr(0)), sizes, strides);
      rewriter.replaceOp(op, cast);
    });
  }
};

} // namespace
