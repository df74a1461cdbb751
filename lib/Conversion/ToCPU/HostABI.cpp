//===- HostABI.cpp - host functions as calls of the run time ----------------------------===//
//
// Runs on control-flow form, where a failed call can leave the function at once.
//
//===----------------------------------------------------------------------===//
#include "ABI.h"
#include "tenon/Analysis/Cost.h"
#include "tenon/Conversion/ToCPU/Passes.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon-c/runtime.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace tenon {
#define GEN_PASS_DEF_HOSTABI
#include "tenon/Conversion/ToCPU/Passes.h.inc"
} // namespace tenon

using namespace mlir;

namespace {

class HostABI : public tenon::impl::HostABIBase<HostABI> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::StringMap<int64_t> kernelIndex;
    for (auto function : module.getOps<func::FuncOp>())
      if (function.isExternal() && function->hasAttr(tenon::kKernelAttr))
        kernelIndex.try_emplace(function.getName(), kernelIndex.size());
    for (auto function : llvm::to_vector(module.getOps<func::FuncOp>()))
      if (!function.isExternal())
        lower(function, kernelIndex);
    // Kernels are called by address with the entry's signature.
    Type pointer = LLVM::LLVMPointerType::get(&getContext());
    OpBuilder builder(&getContext());
    for (auto function : llvm::to_vector(module.getOps<func::FuncOp>())) {
      if (function.isExternal() && function->hasAttr(tenon::kKernelAttr)) {
        builder.setInsertionPoint(function);
        LLVM::LLVMFuncOp::create(builder, function.getLoc(), function.getName(),
                                 LLVM::LLVMFunctionType::get(builder.getI32Type(), {pointer, pointer}));
        function.erase();
      } else if (function.getName() == "main") {
        function.setName("tenon_model_run");
        function.setPublic();
      } else if (function.getName() == "tenon_init") {
        function.setName("tenon_model_init");
        function.setPublic();
      }
    }
    for (auto weight : llvm::make_early_inc_range(module.getOps<tenon::WeightOp>()))
      weight.erase();
  }

  void lower(func::FuncOp function, const llvm::StringMap<int64_t> &kernelIndex) {
    Location loc = function.getLoc();
    OpBuilder builder(function);
    Type pointer = LLVM::LLVMPointerType::get(&getContext()), i64 = builder.getI64Type(), i32 = builder.getI32Type();
    Block &entry = function.getBody().front();
    Value call = entry.getArgument(0);
    auto constant = [&](Type type, int64_t v) -> Value {
      return LLVM::ConstantOp::create(builder, loc, type, builder.getIntegerAttr(type, v));
    };

    // One word array serves all dispatches: a kernel has read it when it returns.
    unsigned most = 1;
    function.walk([&](tenon::DispatchOp dispatch) {
      unsigned words = 0;
      for (Type type : dispatch->getOperandTypes())
        words += tenon::abi::getWordCount(type).value_or(0);
      most = std::max(most, words);
    });
    builder.setInsertionPointToStart(&entry);
    Value words = LLVM::AllocaOp::create(builder, loc, pointer, i64, constant(i64, most));

    Block *exit = nullptr;
    auto getExit = [&] {
      if (!exit) {
        OpBuilder::InsertionGuard guard(builder);
        exit = builder.createBlock(&function.getBody(), function.getBody().end(), {i32}, {loc});
        func::ReturnOp::create(builder, loc, exit->getArgument(0));
      }
      return exit;
    };
    /// Ends the current block before `op` with a jump to the exit unless `ok`; goes on in a new block.
    auto leaveUnless = [&](Operation *op, Value ok, Value status) {
      Block *block = op->getBlock(), *rest = block->splitBlock(op);
      builder.setInsertionPointToEnd(block);
      cf::CondBranchOp::create(builder, op->getLoc(), ok, rest, ValueRange(), getExit(), ValueRange(status));
      builder.setInsertionPointToStart(rest);
    };

    SmallVector<Operation *> work;
    function.walk([&](Operation *op) {
      if (isa<tenon::DispatchOp, cf::AssertOp>(op))
        work.push_back(op);
    });
    for (Operation *op : work) {
      builder.setInsertionPoint(op);
      if (auto dispatch = dyn_cast<tenon::DispatchOp>(op)) {
        unsigned word = 0;
        for (Value operand : op->getOperands())
          tenon::abi::storeArgument(builder, op->getLoc(), words, operand, word);
        auto kernel = getOperation().lookupSymbol<func::FuncOp>(dispatch.getKernel());
        auto [flops, bytes] = tenon::buildFlopsBytes(builder, dispatch, kernel);
        auto number = [&](Value count) {
          return arith::IndexCastOp::create(builder, op->getLoc(), i64, count).getResult();
        };
        Value index = constant(i64, kernelIndex.lookup(dispatch.getKernel()));
        Value address = LLVM::AddressOfOp::create(builder, op->getLoc(), pointer, dispatch.getKernel());
        auto status =
            LLVM::CallOp::create(builder, op->getLoc(), tenon::abi::getRuntimeFunction(getOperation(), "dispatch"),
                                 ValueRange{call, index, address, words, number(flops), number(bytes)});
        Value ok = arith::CmpIOp::create(builder, op->getLoc(), arith::CmpIPredicate::eq, status.getResult(),
                                         constant(i32, 0));
        leaveUnless(op, ok, status.getResult());
        op->erase();
        continue;
      }
      auto check = cast<cf::AssertOp>(op);
      Block *block = op->getBlock(), *rest = block->splitBlock(op);
      Block *fail = builder.createBlock(&function.getBody(), function.getBody().end());
      Value text = LLVM::createGlobalString(op->getLoc(), builder, "tenon_message_" + std::to_string(messages++),
                                            (check.getMsg() + StringRef("\0", 1)).str(), LLVM::Linkage::Internal);
      Value code = constant(i32, op->hasAttr("tenon.memory") ? TENON_ENOMEM : TENON_EDATA);
      auto status = LLVM::CallOp::create(builder, op->getLoc(), tenon::abi::getRuntimeFunction(getOperation(), "error"),
                                         ValueRange{call, code, text});
      cf::BranchOp::create(builder, op->getLoc(), getExit(), ValueRange(status.getResult()));
      builder.setInsertionPointToEnd(block);
      cf::CondBranchOp::create(builder, op->getLoc(), check.getArg(), rest, ValueRange(), fail, ValueRange());
      op->erase();
    }
  }

  int64_t messages = 0;
};

} // namespace
