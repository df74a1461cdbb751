//===- ConvertFormatsToLinalg.cpp - the pass over tenon.dequantize and tenon.quantize -----===//
#include "FormatElements.h"
#include "tenon/Analysis/LinalgKind.h"
#include "tenon/Conversion/TenonToLinalg/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"

namespace tenon {
#define GEN_PASS_DEF_CONVERTFORMATSTOLINALG
#include "tenon/Conversion/TenonToLinalg/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// What may stand between codes and a contraction: it makes each element of one other, as transposes do.
bool isStep(linalg::LinalgOp op) {
  return op && op.getNumDpsInputs() == 1 && op->getNumResults() == 1 && op.getNumReductionLoops() == 0;
}

/// The contractions that read `value`, itself or transposed.
void collectContractions(Value value, llvm::SetVector<Operation *> &found) {
  for (Operation *user : value.getUsers()) {
    auto op = dyn_cast<linalg::LinalgOp>(user);
    if (!op)
      continue;
    if (isContraction(op))
      found.insert(op);
    else if (isStep(op))
      collectContractions(op->getResult(0), found);
  }
}

struct ConvertFormatsToLinalg : tenon::impl::ConvertFormatsToLinalgBase<ConvertFormatsToLinalg> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    tolinalg::unpackWeights(rewriter, getOperation());
    SmallVector<DequantizeOp> dequantizes;
    getOperation().walk([&](DequantizeOp op) { dequantizes.push_back(op); });
    for (DequantizeOp op : dequantizes) {
      llvm::SetVector<Operation *> contractions;
      collectContractions(op.getResult(), contractions);
      for (Operation *contraction : contractions)
        tolinalg::fuseIntoContraction(rewriter, op, cast<linalg::LinalgOp>(contraction));
      eraseUnread(rewriter, op.getResult());
      if (op.use_empty())
        rewriter.eraseOp(op);
      else
        tolinalg::lower(rewriter, op);
    }
    SmallVector<QuantizeOp> quantizes;
    getOperation().walk([&](QuantizeOp op) { quantizes.push_back(op); });
    for (QuantizeOp op : quantizes)
      tolinalg::lower(rewriter, op);
  }

  /// Transposes that nobody reads any more.
  static void eraseUnread(IRRewriter &rewriter, Value value) {
    for (Operation *user : llvm::to_vector(value.getUsers())) {
      if (!isStep(dyn_cast<linalg::LinalgOp>(user)))
        continue;
      eraseUnread(rewriter, user->getResult(0));
      if (isOpTriviallyDead(user))
        rewriter.eraseOp(user);
    }
  }
};

} // namespace
