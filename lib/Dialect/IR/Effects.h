//===- Effects.h - what ops in destination-passing style do to memory -------------------------===//
#pragma once
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace tenon {

/// Buffers that `op` has as inits are written, all others are read; on tensors there is no effect.
inline void
addDestinationEffects(mlir::DestinationStyleOpInterface op,
                      llvm::SmallVectorImpl<mlir::SideEffects::EffectInstance<mlir::MemoryEffects::Effect>> &effects) {
  for (mlir::OpOperand &operand : op->getOpOperands()) {
    if (!llvm::isa<mlir::MemRefType>(operand.get().getType()))
      continue;
    if (op.isDpsInit(&operand))
      effects.emplace_back(mlir::MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(mlir::MemoryEffects::Read::get(), &operand);
  }
}

} // namespace tenon
