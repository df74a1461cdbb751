//===- Weights.cpp - which values are weights -------------------------------------------===//
#include "tenon/Analysis/Weights.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace tenon;

LoadWeightOp tenon::findWeight(Value value, SmallVectorImpl<Operation *> *views) {
  SmallVector<Operation *> path;
  Operation *op = value.getDefiningOp();
  for (; isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op); op = op->getOperand(0).getDefiningOp())
    path.push_back(op);
  auto load = dyn_cast_or_null<LoadWeightOp>(op);
  if (load && views)
    views->append(path.rbegin(), path.rend());
  return load;
}

KernelCalls::KernelCalls(ModuleOp module) {
  SymbolTable symbols(module);
  module.walk([&](DispatchOp dispatch) {
    auto kernel = symbols.lookup<func::FuncOp>(dispatch.getKernel());
    if (!kernel)
      return;
    llvm::BitVector here(dispatch->getNumOperands());
    auto caller = dispatch->getParentOfType<func::FuncOp>();
    for (auto [index, operand] : llvm::enumerate(dispatch->getOperands()))
      here[index] = caller && caller.getName() != kInitFunction && findWeight(operand);
    calls[kernel].push_back(dispatch);
    auto [known, isFirst] = weights.try_emplace(kernel, here);
    if (!isFirst)
      known->second &= here;
  });
}

ArrayRef<DispatchOp> KernelCalls::getCalls(func::FuncOp kernel) const {
  auto known = calls.find(kernel);
  return known == calls.end() ? ArrayRef<DispatchOp>() : ArrayRef<DispatchOp>(known->second);
}

bool KernelCalls::isWeight(func::FuncOp kernel, Value value) const {
  auto argument = dyn_cast<BlockArgument>(value);
  auto known = weights.find(kernel);
  return argument && argument.getOwner() == &kernel.getBody().front() && known != weights.end() &&
         known->second.test(argument.getArgNumber());
}
