//===- Cost.h - floating-point operations and bytes of a kernel -------------------===//
#pragma once
#include "mlir/IR/Builders.h"
#include <utility>

namespace mlir::func {
class FuncOp;
}

namespace tenon {
class DispatchOp;

/// Work of one execution of a kernel. A multiply-add counts as two operations; transcendental functions as one. Bytes
/// are those of every input read once and every result written once.
struct KernelCost {
  /// nullopt where the size depends on dynamic dims.
  std::optional<int64_t> flops, bytes;
};
KernelCost getKernelCost(mlir::func::FuncOp kernel);

/// Attributes of a kernel function that keep its counts as polynomials in the dims of its arguments.
inline constexpr llvm::StringLiteral kFlopsAttr = "tenon.flops";
inline constexpr llvm::StringLiteral kBytesAttr = "tenon.bytes";
/// Writes them; on tensors, before the kernel is scheduled.
void setCostAttributes(mlir::func::FuncOp kernel);

/// The same as index values, in terms of the dims of the dispatch's operands; ops are made at the builder's insertion
/// point (tensor.dim or memref.dim, and arithmetic). What is inside data-dependent loops counts once.
std::pair<mlir::Value, mlir::Value> buildFlopsBytes(mlir::OpBuilder &builder, DispatchOp dispatch,
                                                    mlir::func::FuncOp kernel);

} // namespace tenon
