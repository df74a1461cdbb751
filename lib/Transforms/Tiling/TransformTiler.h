//===- TransformTiler.h - what the tiling of all transforms of images has in common -----------===//
//
// Units take a part of an image, turn it so that channels are neighbours, transform it, and run on their part of the
// result what kernel formation put behind it.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tenon {

class TransformTiler {
protected:
  using Sizes = llvm::SmallVector<mlir::OpFoldResult>;

  TransformTiler(mlir::IRRewriter &rewriter, mlir::Location loc)
      : rewriter(rewriter), loc(loc), f32(rewriter.getF32Type()) {}

  mlir::OpFoldResult index(int64_t value) { return rewriter.getIndexAttr(value); }
  mlir::AffineExpr sym(unsigned i) { return rewriter.getAffineSymbolExpr(i); }
  mlir::AffineExpr dim(unsigned i) { return rewriter.getAffineDimExpr(i); }
  mlir::AffineMap map(llvm::ArrayRef<mlir::AffineExpr> results, unsigned dims) {
    return mlir::AffineMap::get(dims, 0, results, rewriter.getContext());
  }
  mlir::OpFoldResult apply(mlir::AffineExpr expr, llvm::ArrayRef<mlir::OpFoldResult> operands);
  mlir::OpFoldResult least(llvm::ArrayRef<mlir::AffineExpr> exprs, llvm::ArrayRef<mlir::OpFoldResult> operands);
  mlir::OpFoldResult most(llvm::ArrayRef<mlir::AffineExpr> exprs, llvm::ArrayRef<mlir::OpFoldResult> operands);
  mlir::OpFoldResult size(mlir::Value tensor, unsigned dim) {
    return mlir::tensor::getMixedSize(rewriter, loc, tensor, dim);
  }
  llvm::SmallVector<mlir::OpFoldResult> ones(unsigned rank) {
    return llvm::SmallVector<mlir::OpFoldResult>(rank, index(1));
  }
  mlir::Value empty(const Sizes &sizes) { return mlir::tensor::EmptyOp::create(rewriter, loc, sizes, f32); }
  /// A tensor of zeros.
  mlir::Value zeros(const Sizes &sizes);
  mlir::Value slice(mlir::Value tensor, const Sizes &offsets, const Sizes &sizes) {
    return mlir::tensor::ExtractSliceOp::create(rewriter, loc, tensor, offsets, sizes, ones(offsets.size()));
  }
  /// Channels, rows and columns of one sample of `images`, without the dim of samples.
  mlir::Value sliceImage(mlir::Value images, const Sizes &offsets, mlir::OpFoldResult channels, mlir::OpFoldResult rows,
                         mlir::OpFoldResult columns);
  mlir::Value copy(mlir::Value from, mlir::Value to, mlir::AffineMap fromMap);
  /// How much of `total` the part of at most `step` that starts at `from` has.
  mlir::OpFoldResult getPart(mlir::OpFoldResult total, int64_t step, mlir::Value from);
  /// Where the loop over the units of `op` and the ops of `chain` behind it goes, and what it writes.
  mlir::Value begin(mlir::Operation *op, llvm::ArrayRef<mlir::linalg::LinalgOp> chain);
  /// Ends a unit of `forall`: turns its `image`, channels innermost, to the part of the result at `offsets` (sample,
  /// channel, row, column), runs the ops of `chain` behind `op` on it, and replaces the last of them by the loop.
  llvm::LogicalResult finish(mlir::scf::ForallOp forall, mlir::Operation *op,
                             llvm::ArrayRef<mlir::linalg::LinalgOp> chain, mlir::Value image, Sizes offsets,
                             Sizes sizes);

  mlir::IRRewriter &rewriter;
  mlir::Location loc;
  mlir::Type f32;
};

/// The kernels whose schedule has `algorithm`.
llvm::SmallVector<mlir::func::FuncOp> findTransformKernels(mlir::ModuleOp module, llvm::StringRef algorithm);
/// The elementwise ops behind `op` in its kernel, in order.
llvm::SmallVector<mlir::linalg::LinalgOp> findChain(mlir::Operation *op);
void eraseDead(mlir::IRRewriter &rewriter, mlir::func::FuncOp kernel);

} // namespace tenon
