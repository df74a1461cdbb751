//===- ConvertConvToLinalg.cpp - the pass over tenon.conv, tenon.pool and tenon.resize -----===//
#include "Common.h"
#include "tenon/Conversion/TenonToLinalg/Passes.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace tenon {
#define GEN_PASS_DEF_CONVERTCONVTOLINALG
#include "tenon/Conversion/TenonToLinalg/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// Host programs speak arith only: affine.apply, affine.min and affine.max become index arithmetic.
void expandAffine(Operation *root) {
  SmallVector<Operation *> ops;
  root->walk([&](Operation *op) {
    if (isa<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>(op))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    OpBuilder builder(op);
    auto expand = [&](AffineMap map) {
      return *affine::expandAffineMap(builder, op->getLoc(), map, op->getOperands());
    };
    Value result;
    if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
      result = expand(apply.getAffineMap()).front();
    } else {
      auto minimum = dyn_cast<affine::AffineMinOp>(op);
      for (Value value : expand(minimum ? minimum.getAffineMap() : cast<affine::AffineMaxOp>(op).getAffineMap())) {
        if (!result)
          result = value;
        else if (minimum)
          result = arith::MinSIOp::create(builder, op->getLoc(), result, value);
        else
          result = arith::MaxSIOp::create(builder, op->getLoc(), result, value);
      }
    }
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  }
}

struct ConvertConvToLinalg : tenon::impl::ConvertConvToLinalgBase<ConvertConvToLinalg> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<ConvOp, PoolOp, ResizeOp>(op))
        ops.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    bool ok = true;
    for (Operation *op : ops) {
      LogicalResult lowered = success();
      if (auto conv = dyn_cast<ConvOp>(op))
        lowered = tolinalg::lower(rewriter, conv);
      else if (auto pool = dyn_cast<PoolOp>(op))
        lowered = tolinalg::lower(rewriter, pool);
      else
        lowered = tolinalg::lower(rewriter, cast<ResizeOp>(op));
      ok &= succeeded(lowered);
    }
    expandAffine(getOperation());
    if (!ok)
      signalPassFailure();
  }
};

} // namespace
