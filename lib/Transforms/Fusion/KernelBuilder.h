//===- KernelBuilder.h - from a group of ops to one tenon.kernel ---------------------===//
//
// Internal to Fusion: how a chosen group becomes an isolated region with destinations. What is grouped is decided in
// FormKernels.cpp.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/Value.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SetVector.h"

namespace mlir {
class IRRewriter;
class Operation;
} // namespace mlir

namespace tenon::fusion {

/// Ops that are copied into every kernel that reads them instead of being computed apart: scalar constants, splats,
/// fills, tensor.empty.
bool isCopiedIntoKernels(mlir::Operation *op);

/// A loop over scalars: it reads and writes single elements and holds no tensor op that would be a kernel itself.
bool isScalarLoop(mlir::Operation *op);

/// Replaces `group` by a tenon.kernel in the place of its last op `root`, whose results become the kernel's.
/// Every use of every other member is inside the group. Emits an error when the group cannot be isolated.
mlir::LogicalResult buildKernel(mlir::IRRewriter &rewriter, mlir::Operation *root,
                                const llvm::SetVector<mlir::Operation *> &group, llvm::StringRef algorithm);

} // namespace tenon::fusion
