//===- Experts.h - building blocks of the experts family's lowering ---------------------===//
#pragma once
#include "Common.h"
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Dialect/IR/Lists.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tenon::tolinalg {

void lower(mlir::IRRewriter &rewriter, TopKOp op);
void lower(mlir::IRRewriter &rewriter, SortOp op);
void lower(mlir::IRRewriter &rewriter, SegmentReduceOp op);
void lower(mlir::IRRewriter &rewriter, RouteOp op);
/// Contractions, a softmax, and ops that choose.
void lower(mlir::IRRewriter &rewriter, SelectBlocksOp op);
/// Routes, matmuls of groups and a sum in the place of a mixture of experts.
void decompose(mlir::IRRewriter &rewriter, MoeOp op);
/// Sums that several entries add to are kept in the sums' type.
void widen(mlir::IRRewriter &rewriter, GroupedMatmulOp op);

/// A TensorBuilder with reductions and loops over scalars.
struct LoopBuilder : TensorBuilder {
  LoopBuilder(mlir::OpBuilder &b, mlir::Location loc) : TensorBuilder{b, loc} {}

  template <typename OpTy, typename... Args> Value make(Args &&...args) {
    return b.createOrFold<OpTy>(loc, std::forward<Args>(args)...);
  }
  Value at(int64_t value) { return mlir::arith::ConstantIndexOp::create(b, loc, value); }
  Value toIndex(Value integer) {
    return integer.getType().isIndex() ? integer : make<mlir::arith::IndexCastOp>(b.getIndexType(), integer);
  }
  Value toI64(Value index) { return make<mlir::arith::IndexCastOp>(b.getI64Type(), index); }
  Value clamp(Value index, Value low, Value high) {
    return make<mlir::arith::MaxSIOp>(make<mlir::arith::MinSIOp>(index, high), low);
  }
  Value compare(mlir::arith::CmpIPredicate predicate, Value x, Value y) {
    return make<mlir::arith::CmpIOp>(predicate, x, y);
  }
  Value load(Value tensor, mlir::ValueRange indices) {
    return mlir::tensor::ExtractOp::create(b, loc, tensor, indices);
  }
  Value store(Value scalar, Value tensor, mlir::ValueRange indices) {
    return mlir::tensor::InsertOp::create(b, loc, scalar, tensor, indices);
  }
  /// Whether `x` is larger than `y`: NaN is larger than every number, 1 of i1 than 0.
  Value isLarger(Value x, Value y);

  using LoopBody = llvm::function_ref<llvm::SmallVector<Value>(Value index, llvm::ArrayRef<Value> carried)>;
  /// for i in [low, high): carried = body(i, carried).
  llvm::SmallVector<Value> loop(Value low, Value high, llvm::ArrayRef<Value> carried, LoopBody body);
  /// A sum or the like over the last `reduced` dims of the loops, from `init`: `body` gets the inputs' elements and the
  /// value so far.
  Value reduce(llvm::ArrayRef<OpFoldResult> sizes, Value init, mlir::ValueRange inputs,
               llvm::ArrayRef<mlir::AffineMap> maps, unsigned reduced, Body body);
};

} // namespace tenon::tolinalg
