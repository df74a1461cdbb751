//===- SliceCopies.h - parts of copies along a dim that they leave in place ------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tenon {

/// Whether what copies make `value` of can be made for any range of `dim` alone, each element of which they leave where
/// it is: fills, insertions and slices that have all of that dim, and elements computed from their places. Its extent
/// must be known.
bool canSliceCopies(mlir::Value value, int64_t dim);

/// Calls `visit` with each block argument that slices of `value` along `dim` are slices of, and the dim that this is
/// there.
void visitSlicedArguments(mlir::Value value, int64_t dim, llvm::function_ref<void(mlir::BlockArgument, int64_t)> visit);

/// The dim of what `view` collapses that is `dim` of its result, beside dims of one element; -1 where it is of several
/// dims, or sizes are not known.
int64_t findUncollapsed(mlir::tensor::CollapseShapeOp view, int64_t dim);

/// Makes `size` elements of `dim` from `offset` on, of a value for which that can be done, without the others.
mlir::Value sliceCopies(mlir::OpBuilder &builder, mlir::Value value, int64_t dim, mlir::OpFoldResult offset,
                        mlir::OpFoldResult size);

/// The fill that insertions alone make `value` of; null where it is made otherwise. They write the same places of each
/// part along a dim for which that can be made, so that one filled part serves all parts, one after the other.
mlir::linalg::FillOp findFill(mlir::Value value);

/// That fill, for `size` elements of the dim that is `dim` of `value`.
mlir::Value sliceFill(mlir::OpBuilder &builder, mlir::Value value, int64_t dim, mlir::OpFoldResult size);

/// The same as sliceCopies, made in the first elements of `filled`, which sliceFill or an earlier part has left.
/// Returns what has as many elements of `dim` as `filled`, of which those beyond `size` mean nothing, and what is left
/// of `filled`.
std::pair<mlir::Value, mlir::Value> sliceCopiesInto(mlir::OpBuilder &builder, mlir::Value filled, mlir::Value value,
                                                    int64_t dim, mlir::OpFoldResult offset, mlir::OpFoldResult size);

} // namespace tenon
