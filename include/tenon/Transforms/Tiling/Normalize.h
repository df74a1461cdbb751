//===- Normalize.h - kernels in the few forms that tiling knows ---------------------===//
#pragma once
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

namespace tenon {

/// Leaves generic ops, slices and empties: generalises named ops, takes concat, pad, generate, splat and softmax apart,
/// turns element-wise tensor arithmetic into generics, and fuses element-wise producers into their consumers.
llvm::LogicalResult normalizeKernel(mlir::func::FuncOp kernel);

/// Merges neighbouring dims that every op of the kernel walks together (contiguous arguments make them one run of
/// memory). Arguments are collapsed at the top, results expanded at the end. Returns, per generic op that was rebuilt,
/// which of its former loops each loop stands for.
llvm::DenseMap<mlir::Operation *, llvm::SmallVector<mlir::ReassociationIndices>>
collapseKernelDims(mlir::func::FuncOp kernel);

} // namespace tenon
