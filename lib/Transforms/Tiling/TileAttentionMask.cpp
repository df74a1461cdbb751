//===- TileAttentionMask.cpp - what the mask hides within a tile ---------------------------===//
#include "TileAttention.h"

using namespace mlir;
using namespace tenon;

Value AttentionTiler::applyMask(const KeyTile &tile, Value weights) {
  Value first = tile.first, end = add(first, value(tile.columns));
  Value whole = rewriter.createOrFold<arith::AndIOp>(
      loc, rewriter.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, tile.full.low, first),
      rewriter.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, end, tile.full.high));
  auto branch = scf::IfOp::create(rewriter, loc, TypeRange{weights.getType()}, whole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(rewriter, loc, weights);
  rewriter.setInsertionPointToStart(branch.elseBlock());
  Value all = value(queries);
  Value masked = generic({}, weights, false, [&](ArrayRef<Value>, Value weight) -> Value {
    Value row = queryIndex(), column = add(linalg::IndexOp::create(rewriter, loc, rowSizes.size()), first);
    Value seen = buildAllowsKey(rewriter, loc, *KVSourceOp(tile.source).getMask(), row, column, all, tile.count);
    Value hidden = number(elementwise ? 0 : -std::numeric_limits<double>::infinity());
    return arith::SelectOp::create(rewriter, loc, seen, weight, hidden);
  });
  scf::YieldOp::create(rewriter, loc, masked);
  return branch.getResult(0);
}
