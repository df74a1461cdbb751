//===- TileAttentionMask.cpp - what the mask hides within a tile ---------------------------===//
#include "TileAttention.h"

using namespace mlir;
using namespace tenon;

Value AttentionTiler::applyMask(KVSourceOp source, Value weights, Value first, OpFoldResult columns,
                                KeyRange<Value> full, Value count) {
  Value end = add(first, value(columns));
  Value whole = rewriter.createOrFold<arith::AndIOp>(
      loc, rewriter.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, full.low, first),
      rewriter.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::sle, end, full.high));
  auto branch = scf::IfOp::create(rewriter, loc, TypeRange{weights.getType()}, whole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(rewriter, loc, weights);
  rewriter.setInsertionPointToStart(branch.elseBlock());
  Value all = value(queries);
  Value masked = generic({}, weights, false, [&](ArrayRef<Value>, Value weight) -> Value {
    Value row = add(linalg::IndexOp::create(rewriter, loc, 0), firstRow);
    Value column = add(linalg::IndexOp::create(rewriter, loc, 1), first);
    Value seen = buildAllowsKey(rewriter, loc, *source.getMask(), row, column, all, count);
    Value hidden = number(softmax ? -std::numeric_limits<double>::infinity() : 0);
    return arith::SelectOp::create(rewriter, loc, seen, weight, hidden);
  });
  scf::YieldOp::create(rewriter, loc, masked);
  return branch.getResult(0);
}
