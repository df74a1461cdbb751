//===- ExpandLinalg.cpp - linalg ops and copies on buffers to loops ----------------------===//
//
// Which ops are expanded, and with how many lanes. How: LinalgExpander.
//
//===----------------------------------------------------------------------===//
#include "LinalgExpander.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

namespace tenon {
#define GEN_PASS_DEF_EXPANDLINALG
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;

namespace {

class ExpandLinalg : public tenon::impl::ExpandLinalgBase<ExpandLinalg> {
  void runOnOperation() override {
    int64_t registerBits = 256;
    if (auto target = getOperation()->getAttrOfType<tenon::TargetAttr>(tenon::kTargetAttr))
      registerBits = target.getVectorBits();
    for (auto kernel : getOperation().getOps<func::FuncOp>())
      if (kernel->hasAttr(tenon::kKernelAttr) && !kernel.isExternal() && failed(expand(kernel, registerBits)))
        return signalPassFailure();
  }

  LogicalResult expand(func::FuncOp kernel, int64_t registerBits) {
    auto schedule = kernel->getAttrOfType<tenon::ScheduleAttr>(tenon::kScheduleAttr);
    int64_t lanes = schedule && schedule.getAlgorithm() != "contract" ? schedule.getVectorWidth() : 1;
    IRRewriter rewriter(&getContext());
    SmallVector<memref::CopyOp> copies;
    kernel.walk([&](memref::CopyOp copy) { copies.push_back(copy); });
    for (memref::CopyOp copy : copies) {
      auto type = cast<MemRefType>(copy.getTarget().getType());
      rewriter.setInsertionPoint(copy);
      AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
      linalg::GenericOp::create(rewriter, copy.getLoc(), copy.getSource(), copy.getTarget(),
                                ArrayRef<AffineMap>{identity, identity},
                                SmallVector<utils::IteratorType>(type.getRank(), utils::IteratorType::parallel),
                                [](OpBuilder &builder, Location loc, ValueRange arguments) {
                                  linalg::YieldOp::create(builder, loc, arguments.front());
                                });
      rewriter.eraseOp(copy);
    }
    SmallVector<linalg::LinalgOp> ops;
    kernel.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    DenseMap<Operation *, SmallVector<int64_t>> ahead = tenon::findRowsAhead(kernel);
    for (linalg::LinalgOp op : ops) {
      SmallVector<int64_t> distances = ahead.lookup(op);
      tenon::expandAffineInBody(op);
      op = tenon::collapseContiguous(op, rewriter);
      if (succeeded(tenon::expandToVectorLoops(op, registerBits, lanes, distances)))
        continue;
      rewriter.setInsertionPoint(op);
      if (failed(linalg::linalgOpToLoops(rewriter, op)))
        return op->emitError("cannot be expanded to loops");
      rewriter.eraseOp(op);
    }
    return success();
  }
};

} // namespace
