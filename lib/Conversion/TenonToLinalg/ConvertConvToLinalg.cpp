//===- ConvertConvToLinalg.cpp - the pass over tenon.conv, tenon.pool and tenon.resize -----===//
#include "Common.h"
#include "tenon/Conversion/TenonToLinalg/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"

namespace tenon {
#define GEN_PASS_DEF_CONVERTCONVTOLINALG
#include "tenon/Conversion/TenonToLinalg/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

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
    if (!ok)
      signalPassFailure();
  }
};

} // namespace
