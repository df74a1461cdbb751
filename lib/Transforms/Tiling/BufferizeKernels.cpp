//===- BufferizeKernels.cpp - kernel functions on buffers ---------------------------===//
//
// The step from tensors to memrefs for all kernels, contractions included, and the contract that holds afterwards. What
// is tiled how was decided before.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Transforms/Passes.h"

namespace tenon {
#define GEN_PASS_DEF_BUFFERIZEKERNELS
#define GEN_PASS_DEF_CHECKTILED
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;

namespace {

MemRefType getContiguousType(RankedTensorType type) { return MemRefType::get(type.getShape(), type.getElementType()); }

/// Follows casts and reshapes to the buffer whose bytes `value` shows.
Value getRoot(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<memref::CastOp, memref::ExpandShapeOp, memref::CollapseShapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// Tensor arguments become memrefs behind to_tensor; each result is materialised in its destination argument.
LogicalResult moveToBuffers(func::FuncOp kernel) {
  Block &body = kernel.getBody().front();
  auto terminator = cast<func::ReturnOp>(body.getTerminator());
  unsigned results = terminator.getNumOperands();
  if (results > body.getNumArguments())
    return kernel.emitError("expected a destination argument per result, but got ")
           << results << " results and " << body.getNumArguments() << " arguments";
  unsigned firstDestination = body.getNumArguments() - results;
  for (auto [index, value] : llvm::enumerate(terminator.getOperands()))
    if (!isa<RankedTensorType>(value.getType()) ||
        body.getArgument(firstDestination + index).getType() != value.getType())
      return kernel.emitError("expected result ") << index << " to have the type of its destination argument";

  OpBuilder builder = OpBuilder::atBlockBegin(&body);
  SmallVector<Value> destinations;
  for (BlockArgument argument : body.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    bool destination = argument.getArgNumber() >= firstDestination;
    argument.setType(getContiguousType(type));
    auto tensor = bufferization::ToTensorOp::create(builder, argument.getLoc(), type, argument, /*restrict=*/true,
                                                    /*writable=*/destination);
    argument.replaceAllUsesExcept(tensor.getResult(), tensor);
  }
  builder.setInsertionPoint(terminator);
  for (auto [index, value] : llvm::enumerate(terminator.getOperands()))
    bufferization::MaterializeInDestinationOp::create(builder, terminator.getLoc(), /*result=*/Type(), value,
                                                      body.getArgument(firstDestination + index), /*restrict=*/true,
                                                      /*writable=*/true);
  func::ReturnOp::create(builder, terminator.getLoc());
  terminator.erase();
  kernel.setFunctionType(builder.getFunctionType(body.getArgumentTypes(), {}));
  if (ArrayAttr attributes = kernel.getAllResultAttrs())
    kernel.removeResAttrsAttr();
  return success();
}

/// Ops that read no tensor are done again for every user: each then has its own place to write to.
void separateFills(func::FuncOp kernel, RewriterBase &rewriter) {
  SmallVector<linalg::LinalgOp> fills;
  kernel.walk([&](linalg::LinalgOp op) {
    if (op.hasPureTensorSemantics() && op->getNumResults() == 1 && !op->getResult(0).hasOneUse() &&
        llvm::none_of(op.getDpsInputs(), [](Value input) { return isa<ShapedType>(input.getType()); }))
      fills.push_back(op);
  });
  for (linalg::LinalgOp op : fills)
    for (OpOperand &use : llvm::make_early_inc_range(llvm::drop_begin(op->getResult(0).getUses()))) {
      rewriter.setInsertionPoint(op);
      use.set(rewriter.clone(*op)->getResult(0));
    }
}

class BufferizeKernels : public tenon::impl::BufferizeKernelsBase<BufferizeKernels> {
  void runOnOperation() override {
    OpPassManager cleanup("func.func");
    cleanup.addPass(createCSEPass());
    cleanup.addPass(createCanonicalizerPass());
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!kernel->hasAttr(tenon::kKernelAttr) || kernel.isExternal())
        continue;
      if (llvm::none_of(kernel.getArgumentTypes(), [](Type type) { return isa<TensorType>(type); }) &&
          kernel.getNumResults() == 0)
        continue;
      if (!kernel.getBody().hasOneBlock()) {
        kernel.emitError("expected a kernel of one block");
        return signalPassFailure();
      }
      if (failed(bufferize(kernel)) || failed(runPipeline(cleanup, kernel)))
        return signalPassFailure();
      // Equal views become one value, so that the copies between them show; what only served those goes with them.
      eraseSelfCopies(kernel);
      if (failed(runPipeline(cleanup, kernel)))
        return signalPassFailure();
    }
  }

  LogicalResult bufferize(func::FuncOp kernel) {
    if (failed(moveToBuffers(kernel)))
      return failure();
    IRRewriter rewriter(&getContext());
    separateFills(kernel, rewriter);
    // Twice: a piece of an empty that found its place in the first round is an empty that finds its own in the second.
    for (int round = 0; round < 2; ++round) {
      if (failed(bufferization::eliminateEmptyTensors(rewriter, kernel)))
        return kernel.emitError("tensor.empty elimination failed");
      RewritePatternSet patterns(&getContext());
      tensor::populateFoldTensorEmptyPatterns(patterns);
      if (round == 0 && failed(applyPatternsGreedily(kernel, std::move(patterns))))
        return kernel.emitError("folding of empty tensors does not end");
    }
    bufferization::OneShotBufferizationOptions options;
    options.allowReturnAllocsFromLoops = true;
    options.bufferAlignment = 64;
    options.unknownTypeConverterFn = [](TensorType type, Attribute,
                                        const bufferization::BufferizationOptions &) -> BaseMemRefType {
      return getContiguousType(cast<RankedTensorType>(type));
    };
    bufferization::BufferizationState state;
    return bufferization::runOneShotBufferize(kernel, options, state);
  }

  static void eraseSelfCopies(func::FuncOp kernel) {
    kernel.walk([](memref::CopyOp copy) {
      // Reshapes show all bytes of their root in the same order.
      if (getRoot(copy.getSource()) == getRoot(copy.getTarget()))
        copy.erase();
    });
  }
};

class CheckTiled : public tenon::impl::CheckTiledBase<CheckTiled> {
  void runOnOperation() override {
    bool failed = false;
    for (auto kernel : getOperation().getOps<func::FuncOp>())
      if (kernel->hasAttr(tenon::kKernelAttr) && !kernel.isExternal())
        failed |= !check(kernel);
    if (failed)
      signalPassFailure();
  }

  bool check(func::FuncOp kernel) {
    if (!kernel.getBody().hasOneBlock() || kernel.getNumResults() != 0)
      return kernel.emitError("expected a kernel on buffers: one block and no results"), false;
    for (auto [index, type] : llvm::enumerate(kernel.getArgumentTypes()))
      if (auto memref = dyn_cast<MemRefType>(type);
          isa<TensorType>(type) || (memref && !memref.getLayout().isIdentity()))
        return kernel.emitError("expected argument ")
                   << index << " to be a scalar or a contiguous memref, but got " << type,
               false;
    bool good = true;
    int64_t copied = 0;
    kernel.walk([&](Operation *op) {
      if (llvm::any_of(op->getResultTypes(), llvm::IsaPred<TensorType>)) {
        op->emitError("expected a kernel without tensors");
        good = false;
      }
      if (isa<memref::AllocOp, memref::AllocaOp>(op))
        ++allocations;
      if (isa<memref::CopyOp>(op)) {
        ++copies;
        ++copied;
      }
    });
    kernel->setAttr("tenon.copies", IntegerAttr::get(IntegerType::get(&getContext(), 64), copied));
    return good;
  }
};

} // namespace
