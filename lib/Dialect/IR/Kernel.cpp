//===- Kernel.cpp - tenon.kernel, tenon.yield, tenon.dispatch, tenon.join ----------===//
#include "Effects.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace tenon;

/// One result per tensor among `inits`, of its type.
static LogicalResult verifyResults(Operation *op, ValueRange inits) {
  SmallVector<Type> expected;
  for (Type type : inits.getTypes())
    if (isa<TensorType>(type))
      expected.push_back(type);
  if (expected.size() != op->getNumResults())
    return op->emitOpError("expected one result per tensor init, ")
           << expected.size() << ", but got " << op->getNumResults();
  for (auto [index, want, got] : llvm::enumerate(expected, op->getResultTypes()))
    if (want != got)
      return op->emitOpError("expected result ") << index << " to have its init's type " << want << ", but got " << got;
  return success();
}

LogicalResult KernelOp::verify() {
  SmallVector<Value> operands(getInputs());
  llvm::append_range(operands, getInits());
  Block &block = getBody().front();
  if (block.getNumArguments() != operands.size()) // (C1)
    return emitOpError("expected one block argument per operand, ")
           << operands.size() << ", but got " << block.getNumArguments();
  for (auto [index, operand, argument] : llvm::enumerate(operands, block.getArguments()))
    if (operand.getType() != argument.getType()) // (C1)
      return emitOpError("expected block argument ")
             << index << " to have the operand's type " << operand.getType() << ", but got " << argument.getType();
  if (failed(verifyResults(*this, getInits()))) // (C2)
    return failure();
  auto yield = cast<YieldOp>(block.getTerminator());
  if (yield.getValues().getTypes() != getResultTypes()) // (C3)
    return emitOpError("expected the yielded values to have the result types");
  for (Operation &op : block)
    if (isa<KernelOp, DispatchOp>(op)) // (C4)
      return emitOpError("expected no '") << op.getName() << "' inside a kernel";
  return success();
}

LogicalResult DispatchOp::verify() { return verifyResults(*this, getInits()); } // (C3)

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<func::FuncOp>(*this, getKernelAttr());
  if (!kernel || !kernel->hasAttr(kKernelAttr)) // (C1)
    return emitOpError("expected a function with the attribute '")
           << kKernelAttr << "', but " << getKernelAttr() << " names none";
  SmallVector<Value> operands(getInputs());
  llvm::append_range(operands, getInits());
  if (kernel.getNumArguments() < operands.size()) // (C2)
    return emitOpError("expected at most ") << kernel.getNumArguments() << " operands, but got " << operands.size();
  for (auto [index, operand] : llvm::enumerate(operands)) {
    Type want = kernel.getArgumentTypes()[index], got = operand.getType();
    auto wantShaped = dyn_cast<ShapedType>(want), gotShaped = dyn_cast<ShapedType>(got);
    bool same = want == got || (wantShaped && gotShaped && wantShaped.getElementType() == gotShaped.getElementType() &&
                                wantShaped.getShape() == gotShaped.getShape());
    if (!same) // (C2)
      return emitOpError("expected operand ") << index << " of type " << want << ", but got " << got;
  }
  return success();
}

void DispatchOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand &operand : getInputsMutable())
    if (isa<MemRefType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  for (OpOperand &operand : getInitsMutable())
    if (isa<MemRefType>(operand.get().getType())) {
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    }
}

LogicalResult JoinOp::verify() {
  auto whole = cast<ShapedType>(getInit().getType());
  int64_t elements = 0;
  for (Type type : getOperandTypes()) {
    auto shaped = cast<ShapedType>(type);
    if (!shaped.hasStaticShape() || shaped.getElementType() != whole.getElementType() ||
        !shaped.getElementType().isIntOrFloat() || shaped.getElementTypeBitWidth() % 8 != 0) // (C1)
      return emitOpError("expected static shapes and one element type of whole bytes, but got ") << type;
    elements += shaped.getNumElements();
  }
  elements -= whole.getNumElements();
  if (elements != whole.getNumElements()) // (C2)
    return emitOpError("expected inputs of ") << whole.getNumElements() << " elements together, but got " << elements;
  return verifyResults(*this, getInit()); // (C3)
}

void JoinOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  addDestinationEffects(*this, effects);
}
