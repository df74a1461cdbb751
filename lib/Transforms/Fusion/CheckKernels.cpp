//===- CheckKernels.cpp - what hosts may hold ------------------------------------------===//
#include "tenon/Dialect/IR/Formats.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tenon {
#define GEN_PASS_DEF_CHECKKERNELS
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

bool isHostOp(Operation *op) {
  if (isa<LoadWeightOp, KernelOp, DispatchOp, JoinOp, cf::AssertOp, func::ReturnOp, func::CallOp, func::FuncOp>(op))
    return true;
  if (isa<scf::SCFDialect>(op->getDialect()))
    return !isa<scf::ForallOp, scf::ParallelOp>(op);
  if (isa<tensor::EmptyOp, tensor::DimOp, tensor::CastOp, tensor::ExtractOp, tensor::FromElementsOp,
          tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ReshapeOp, bufferization::AllocTensorOp,
          bufferization::MaterializeInDestinationOp>(op))
    return true;
  if (isa<arith::ConstantOp>(op))
    return true;
  if (isa<arith::SelectOp>(op))
    return true;
  return (isa<arith::ArithDialect, math::MathDialect>(op->getDialect()) || isa<tenon::LookUpOp>(op)) &&
         llvm::none_of(op->getResultTypes(), llvm::IsaPred<ShapedType>);
}

class CheckKernels : public tenon::impl::CheckKernelsBase<CheckKernels> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function->hasAttr(kKernelAttr))
        continue;
      WalkResult walk = function.walk<WalkOrder::PreOrder>([&](Operation *op) {
        if (!isHostOp(op))
          return op->emitError("expected only shapes, scalars, control flow and kernels on the host, but got '")
                     << op->getName() << "'",
                 WalkResult::interrupt();
        return isa<KernelOp>(op) ? WalkResult::skip() : WalkResult::advance();
      });
      if (walk.wasInterrupted())
        return signalPassFailure();
    }
  }
};

} // namespace
