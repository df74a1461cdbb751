//===- LinalgExpander.h - one linalg op on buffers to loops over vector registers --------===//
#pragma once
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tenon {

/// affine.apply and the like inside the body become arithmetic, which has a vector form.
void expandAffineInBody(mlir::linalg::LinalgOp op);

/// Merges neighbouring loops where all operands are known to be contiguous across them; returns the op that stands for
/// `op`.
mlir::linalg::LinalgOp collapseContiguous(mlir::linalg::LinalgOp op, mlir::RewriterBase &rewriter);

/// Replaces `op` by loops. `registerBits` is the width of a vector register; `lanes`, where it is not 1, what the
/// schedule says. `ahead`, where given, says per operand how many elements further the next unit of work finds its own:
/// they are prefetched; 0 for none. Failure: nothing was made, and plain loops must do.
llvm::LogicalResult expandToVectorLoops(mlir::linalg::LinalgOp op, int64_t registerBits, int64_t lanes,
                                        llvm::ArrayRef<int64_t> ahead);

/// The ops of a kernel on buffers that are to prefetch, with that list of distances.
llvm::DenseMap<mlir::Operation *, llvm::SmallVector<int64_t>> findRowsAhead(mlir::func::FuncOp kernel);

} // namespace tenon
