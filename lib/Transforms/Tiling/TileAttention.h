//===- TileAttention.h - what the parts of an attention's tiling share --------------------===//
//
// TileAttention.cpp makes the units and the loop over keys, TileAttentionScores.cpp the scores of a tile,
// TileAttentionMask.cpp hides some of them, TileAttentionNormalize.cpp makes weights of them and sums of values.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tenon {

/// What a row of queries carries from tile to tile of the keys, each a tensor over the rows.
struct AttentionState {
  mlir::Value highest, sum; ///< of softmax alone
  mlir::Value result;       ///< rows x E

  llvm::SmallVector<mlir::Value> list() const {
    llvm::SmallVector<mlir::Value> values;
    for (mlir::Value value : {highest, sum, result})
      if (value)
        values.push_back(value);
    return values;
  }
  static AttentionState from(mlir::ValueRange values) {
    if (values.size() == 1)
      return {mlir::Value(), mlir::Value(), values[0]};
    return {values[0], values[1], values[2]};
  }
};

class AttentionTiler {
public:
  AttentionTiler(mlir::IRRewriter &rewriter, AttentionOp op, ScheduleAttr schedule)
      : rewriter(rewriter), op(op), schedule(schedule), loc(op.getLoc()), type(op.getScoreType()),
        softmax(op.getNormalizer() == Normalizer::softmax) {}

  void run();

private:
  //===--------------------------------------------------------------------===//
  // Small things
  //===--------------------------------------------------------------------===//

  mlir::OpFoldResult index(int64_t value) { return rewriter.getIndexAttr(value); }
  mlir::Value constant(int64_t value) { return mlir::arith::ConstantIndexOp::create(rewriter, loc, value); }
  mlir::Value number(double value) {
    return mlir::arith::ConstantOp::create(rewriter, loc, rewriter.getFloatAttr(type, value)).getResult();
  }
  mlir::Value value(mlir::OpFoldResult entry) { return mlir::getValueOrCreateConstantIndexOp(rewriter, loc, entry); }
  mlir::Value add(mlir::Value a, mlir::Value b) { return rewriter.createOrFold<mlir::arith::AddIOp>(loc, a, b); }
  mlir::Value sub(mlir::Value a, mlir::Value b) { return rewriter.createOrFold<mlir::arith::SubIOp>(loc, a, b); }
  mlir::OpFoldResult size(mlir::Value tensor, unsigned dim) {
    auto ranked = llvm::cast<mlir::RankedTensorType>(tensor.getType());
    if (!ranked.isDynamicDim(dim))
      return index(ranked.getDimSize(dim));
    return mlir::tensor::DimOp::create(rewriter, loc, tensor, dim).getResult();
  }
  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type element) {
    return mlir::tensor::EmptyOp::create(rewriter, loc, sizes, element);
  }
  mlir::Value fill(mlir::Value tensor, double with) {
    return mlir::linalg::FillOp::create(rewriter, loc, mlir::ValueRange{number(with)}, mlir::ValueRange{tensor})
        .getResult(0);
  }

  mlir::Value copy(mlir::Value from, mlir::Value to) {
    return mlir::linalg::CopyOp::create(rewriter, loc, mlir::ValueRange{from}, mlir::ValueRange{to}).getResult(0);
  }

  /// min(tile, extent - index), a number where it is always the same: for tiles that start at 0.
  mlir::OpFoldResult tileSize(mlir::OpFoldResult extent, int64_t tile, mlir::Value from, bool fromZero = true) {
    if (auto fixed = mlir::getConstantIntValue(extent); fixed && fromZero) {
      if (*fixed % tile == 0)
        return index(tile);
      if (*fixed < tile)
        return index(*fixed);
    }
    mlir::AffineExpr i = rewriter.getAffineDimExpr(0), n = rewriter.getAffineSymbolExpr(0);
    auto map = mlir::AffineMap::get(1, 1, {rewriter.getAffineConstantExpr(tile), n - i}, rewriter.getContext());
    return mlir::affine::makeComposedFoldedAffineMin(rewriter, loc, map, {from, extent});
  }

  /// A slice without its first `dropped` dims, which have size 1.
  mlir::Value slice(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> offsets,
                    llvm::ArrayRef<mlir::OpFoldResult> sizes, unsigned dropped) {
    llvm::SmallVector<int64_t> shape;
    for (mlir::OpFoldResult entry : sizes.drop_front(dropped))
      shape.push_back(mlir::getConstantIntValue(entry).value_or(mlir::ShapedType::kDynamic));
    llvm::SmallVector<mlir::OpFoldResult> ones(offsets.size(), index(1));
    auto result = mlir::RankedTensorType::get(shape, mlir::getElementTypeOrSelf(tensor.getType()));
    return mlir::tensor::ExtractSliceOp::create(rewriter, loc, result, tensor, offsets, sizes, ones);
  }

  using Body = llvm::function_ref<mlir::Value(llvm::ArrayRef<mlir::Value> inputs, mlir::Value out)>;

  /// An op over (row, column), or over rows alone where `out` has rank 1 and nothing is reduced.
  mlir::Value generic(llvm::ArrayRef<mlir::Value> inputs, mlir::Value out, bool reduces, Body body);

  //===--------------------------------------------------------------------===//
  // Parts
  //===--------------------------------------------------------------------===//

  /// The loop over the keys of one source.
  AttentionState visit(KVSourceOp source, AttentionState state);
  /// A product of tiles: rows of `left` with columns of `right`, both along `steps`.
  mlir::Value contract(mlir::Value left, mlir::Value right, llvm::ArrayRef<unsigned> rightDims,
                       mlir::OpFoldResult columns, llvm::ArrayRef<mlir::Value> extras,
                       llvm::ArrayRef<mlir::AffineMap> extraMaps, mlir::Block *region);
  /// The score's region on scalars. Without `indices` it reads none.
  mlir::Value cloneScore(mlir::Value sum, llvm::ArrayRef<mlir::Value> indices, llvm::ArrayRef<mlir::Value> extras);
  /// The scores of this tile of keys; `first` is its first key.
  mlir::Value makeScores(mlir::Value keys, mlir::Value first, mlir::OpFoldResult columns);
  /// Normalizers that take each score by itself.
  mlir::Value normalize(mlir::Value scores);
  /// Hides what the mask hides, unless every row sees the whole tile.
  mlir::Value applyMask(KVSourceOp source, mlir::Value weights, mlir::Value first, mlir::OpFoldResult columns,
                        KeyRange<mlir::Value> full, mlir::Value count);
  mlir::Value isLowest(mlir::Value score) {
    mlir::Value lowest = number(-std::numeric_limits<double>::infinity());
    return mlir::arith::CmpFOp::create(rewriter, loc, mlir::arith::CmpFPredicate::OEQ, score, lowest);
  }
  /// The state after a tile of weights (of scores, for softmax) and its values.
  AttentionState accumulate(mlir::Value weights, mlir::Value values, AttentionState state);
  /// What the rows have gathered, divided by their sums, in the result's element type.
  mlir::Value finish(AttentionState state, mlir::Value place);

  mlir::IRRewriter &rewriter;
  AttentionOp op;
  ScheduleAttr schedule;
  mlir::Location loc;
  mlir::Type type; ///< of scores and sums
  bool softmax;
  mlir::OpFoldResult queries, rows, width; ///< of the query; of this tile; of the result
  mlir::Value batch, head, firstRow, lastRow, query;
};

} // namespace tenon
