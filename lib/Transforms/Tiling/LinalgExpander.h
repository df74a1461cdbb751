//===- LinalgExpander.h - one linalg op on buffers to loops over vector registers --------===//
#pragma once
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tenon {

/// affine.apply and the like inside the body become arithmetic, which has a vector form.
void expandAffineInBody(mlir::linalg::LinalgOp op);

/// Merges neighbouring loops where all operands are known to be contiguous across them; returns the op that stands for
/// `op`.
mlir::linalg::LinalgOp collapseContiguous(mlir::linalg::LinalgOp op, mlir::RewriterBase &rewriter);

/// Replaces `op` by loops. `registerBits` is the width of a vector register; `lanes`, where it is not 1, what the
/// schedule says. Failure: nothing was made, and plain loops must do.
llvm::LogicalResult expandToVectorLoops(mlir::linalg::LinalgOp op, int64_t registerBits, int64_t lanes);

} // namespace tenon
