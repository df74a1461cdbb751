//===- OutlineKernels.cpp - kernels as functions ----------------------------------------===//
//
// Kernels become private functions; those that print alike are the same.
//
//===----------------------------------------------------------------------===//
#include "tenon/Analysis/Cost.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

namespace tenon {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// The operators in `loc` ("node (Operator)"), in lower case: what a reader of a profile looks for.
void collectOperators(Location loc, llvm::SetVector<StringRef> &operators) {
  if (auto name = dyn_cast<NameLoc>(loc)) {
    StringRef text = name.getName().getValue();
    if (text.consume_back(")"))
      if (size_t open = text.rfind('('); open != StringRef::npos)
        operators.insert(text.substr(open + 1));
  } else if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location inner : fused.getLocations())
      collectOperators(inner, operators);
  }
}

std::string getHint(KernelOp kernel) {
  llvm::SetVector<StringRef> operators;
  collectOperators(kernel.getLoc(), operators);
  std::string hint;
  for (StringRef name : operators.getArrayRef().take_front(3)) {
    hint += "_";
    for (char c : name)
      hint += llvm::isAlnum(c) ? llvm::toLower(c) : '_';
  }
  if (hint.empty())
    if (auto algorithm = kernel->getAttrOfType<StringAttr>("tenon.algorithm"))
      hint = "_" + algorithm.getValue().str();
  return hint;
}

class OutlineKernels : public tenon::impl::OutlineKernelsBase<OutlineKernels> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::StringMap<func::FuncOp> known;
    SmallVector<KernelOp> kernels;
    module.walk([&](KernelOp kernel) { kernels.push_back(kernel); });
    IRRewriter rewriter(&getContext());
    unsigned next = 0;
    for (auto function : module.getOps<func::FuncOp>())
      next += function->hasAttr(kKernelAttr);

    for (KernelOp kernel : kernels) {
      std::string text = print(kernel);
      func::FuncOp &function = known[text];
      if (!function) {
        function = outline(rewriter, kernel, "k" + std::to_string(next++) + getHint(kernel));
        symbols.insert(function);
      }
      rewriter.setInsertionPoint(kernel);
      auto dispatch = DispatchOp::create(rewriter, kernel.getLoc(), kernel.getResultTypes(), function.getSymName(),
                                         kernel.getInputs(), kernel.getInits());
      if (Attribute nodes = kernel->getAttr("tenon.nodes"))
        dispatch->setAttr("tenon.nodes", nodes);
      rewriter.replaceOp(kernel, dispatch);
    }
  }

  /// What makes kernels equal: types, ops, attributes and data flow; not names and places in the model.
  std::string print(KernelOp kernel) {
    auto copy = cast<KernelOp>(kernel->cloneWithoutRegions());
    IRMapping mapping;
    kernel.getBody().cloneInto(&copy.getBody(), mapping);
    copy->removeAttr("tenon.nodes");
    SmallVector<Value> none;
    std::string text;
    llvm::raw_string_ostream stream(text);
    for (Type type : kernel->getOperandTypes())
      stream << type << ";";
    stream << copy.getInputs().size() << copy->getDiscardableAttrDictionary();
    OpPrintingFlags flags;
    flags.useLocalScope().printGenericOpForm().skipRegions(false).enableDebugInfo(false);
    AsmState state(copy, flags);
    for (Operation &op : copy.getBody().front()) {
      op.print(stream, state);
      stream << "\n";
    }
    copy->destroy();
    return text;
  }

  func::FuncOp outline(IRRewriter &rewriter, KernelOp kernel, const std::string &name) {
    auto type = rewriter.getFunctionType(kernel.getBody().getArgumentTypes(), kernel.getResultTypes());
    auto function = func::FuncOp::create(kernel.getLoc(), name, type);
    function.setPrivate();
    function->setAttr(kKernelAttr, rewriter.getUnitAttr());
    for (StringRef kept : {"tenon.algorithm", "tenon.nodes", "tenon.schedule"})
      if (Attribute attribute = kernel->getAttr(kept))
        function->setAttr(kept, attribute);
    IRMapping mapping;
    kernel.getBody().cloneInto(&function.getBody(), mapping);
    Block &body = function.getBody().front();
    Operation *yield = body.getTerminator();
    rewriter.setInsertionPoint(yield);
    func::ReturnOp::create(rewriter, yield->getLoc(), yield->getOperands());
    rewriter.eraseOp(yield);
    setCostAttributes(function);
    return function;
  }
};

} // namespace
