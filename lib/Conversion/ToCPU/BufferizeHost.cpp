//===- BufferizeHost.cpp - the host program on buffers --------------------------------===//
#include "tenon/Conversion/ToCPU/Passes.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"

namespace tenon {
#define GEN_PASS_DEF_BUFFERIZEHOST
#include "tenon/Conversion/ToCPU/Passes.h.inc"
} // namespace tenon

using namespace mlir;

namespace {

class BufferizeHost : public tenon::impl::BufferizeHostBase<BufferizeHost> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder builder(&getContext());
    for (auto function : module.getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      // The caller's inputs are never written, but for those that he gives away.
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        function.setArgAttr(i, bufferization::BufferizationDialect::kWritableAttrName,
                            builder.getBoolAttr(function.getArgAttr(i, tenon::kDonatedAttr) != nullptr));
    }
    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.allowReturnAllocsFromLoops = true;
    options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(module, options, state)))
      return signalPassFailure();
  }
};

} // namespace
