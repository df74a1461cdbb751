//===- Common.h - building blocks of the convolution family's lowering -----------------===//
//
// Small helpers on tensors with static and dynamic sizes: windows, reshapes, element-wise ops. Nothing here knows an op
// of the tenon dialect; what a family computes lives in its own file.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace tenon::tolinalg {

using mlir::OpFoldResult;
using mlir::Value;
using Sizes = llvm::SmallVector<OpFoldResult>;

/// Replaces the op by linalg and tensor ops; emits an error that names the constraint where that is not possible.
mlir::LogicalResult lower(mlir::IRRewriter &rewriter, ConvOp op);
mlir::LogicalResult lower(mlir::IRRewriter &rewriter, PoolOp op);
mlir::LogicalResult lower(mlir::IRRewriter &rewriter, ResizeOp op);
/// A transposed convolution as an ordinary one and an interleaving copy.
mlir::LogicalResult lowerTransposed(mlir::IRRewriter &rewriter, ConvOp op);
/// A convolution whose `algorithm` is one of Winograd's, with elements in result and sum.
mlir::LogicalResult lowerWinograd(mlir::IRRewriter &rewriter, ConvOp op);
/// One whose `algorithm` is fft.
mlir::LogicalResult lowerFft(mlir::IRRewriter &rewriter, ConvOp op);

/// Builds ops at one place, at one location.
struct TensorBuilder {
  mlir::OpBuilder &b;
  mlir::Location loc;

  using Body = llvm::function_ref<Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

  /// Index arithmetic that folds where the operands are known: an affine expression of symbols s0, s1, ...
  OpFoldResult apply(mlir::AffineExpr expr, llvm::ArrayRef<OpFoldResult> operands);
  OpFoldResult max(OpFoldResult x, int64_t least);
  OpFoldResult min(OpFoldResult x, OpFoldResult y);
  OpFoldResult product(llvm::ArrayRef<OpFoldResult> sizes);
  mlir::AffineExpr sym(unsigned i) { return b.getAffineSymbolExpr(i); }
  mlir::AffineExpr dim(unsigned i) { return b.getAffineDimExpr(i); }
  OpFoldResult index(int64_t value) { return b.getIndexAttr(value); }
  Value indexValue(OpFoldResult size) { return getValueOrCreateConstantIndexOp(b, loc, size); }

  Sizes sizesOf(Value tensor) { return mlir::tensor::getMixedSizes(b, loc, tensor); }
  Value constant(mlir::Type type, double value);
  Value empty(llvm::ArrayRef<OpFoldResult> sizes, mlir::Type element);
  Value filled(llvm::ArrayRef<OpFoldResult> sizes, Value scalar);

  /// An op with only parallel loops whose result map is the identity: `body` gets the inputs' elements.
  Value elementwise(llvm::ArrayRef<OpFoldResult> sizes, mlir::Type element, mlir::ValueRange inputs,
                    llvm::ArrayRef<mlir::AffineMap> maps, Body body);
  /// Sums of products of `lhs` and `rhs` over one index, the last of the maps' dims; the others are the result's.
  Value contract(Value lhs, Value rhs, llvm::ArrayRef<mlir::AffineMap> maps, llvm::ArrayRef<OpFoldResult> sizes);
  /// An image, channels first, plus a number per channel; `image` itself where `bias` is null.
  Value addBias(Value image, Value bias);
  /// A copy with dims in the order `order`: result dim i is dim order[i] of `tensor`.
  Value transpose(Value tensor, llvm::ArrayRef<int64_t> order);
  /// Merges dims: group i of `groups` becomes dim i.
  Value collapse(Value tensor, llvm::ArrayRef<mlir::ReassociationIndices> groups);
  /// Splits dims: dim i becomes the dims groups[i] of `sizes`.
  Value expand(Value tensor, llvm::ArrayRef<mlir::ReassociationIndices> groups, llvm::ArrayRef<OpFoldResult> sizes);
  /// Removes dim `position`, whose size is 1.
  Value dropUnitDim(Value tensor, int64_t position);
  /// Dim i of the result has size max(0, size + low[i] + high[i]); new elements are `padding`. Negative entries crop.
  Value window(Value tensor, llvm::ArrayRef<int64_t> low, llvm::ArrayRef<OpFoldResult> high, Value padding);
  Value window(Value tensor, llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> high, Value padding);
  /// Every stride-th element from `offset` on, `sizes` of them, per dim.
  Value slice(Value tensor, llvm::ArrayRef<OpFoldResult> offsets, llvm::ArrayRef<OpFoldResult> sizes,
              llvm::ArrayRef<int64_t> strides);
  /// Casts to a type of other static sizes if needed.
  Value castTo(Value tensor, mlir::Type type);
  /// Converts a scalar to `type` (floats and signed integers).
  Value convert(Value scalar, mlir::Type type);
};

/// Sizes of result `number` of `op`.
Sizes resultSizes(mlir::OpBuilder &b, mlir::Operation *op, unsigned number = 0);

/// The number that `size` is known to be.
inline std::optional<int64_t> known(OpFoldResult size) { return mlir::getConstantIntValue(size); }

} // namespace tenon::tolinalg
