//===- TileAttentionMask.cpp - which tiles are visited, and what is hidden within one ------===//
//
// The rules are in lib/Dialect/IR/MaskRules.cpp. Here they are asked: once per unit for a range of keys, once per tile
// whether it is empty or full, and pair by pair in what is neither.
//
//===----------------------------------------------------------------------===//
#include "TileAttention.h"

using namespace mlir;
using namespace tenon;

void AttentionTiler::openMask(KeyTile &tile) {
  KVSourceOp source = tile.source;
  if (!source.getMask())
    return;
  auto read = [this, source](unsigned number, Value head, Value query, Value key) mutable -> Value {
    Value at[] = {batch, head, query, key};
    SmallVector<Value> indices;
    for (AffineExpr result : source.getMaps()[number].getResults())
      indices.push_back(isa<AffineDimExpr>(result) ? at[cast<AffineDimExpr>(result).getPosition()] : constant(0));
    Value element = tensor::ExtractOp::create(rewriter, loc, source.getMaskOperands()[number], indices);
    return arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), element);
  };
  MaskRows<Value> rows{head, firstRow, lastRow, value(queries), tile.count};
  tile.mask = std::make_shared<MaskEmitter>(rewriter, loc, *source.getMask(), rows, read);
}

SmallVector<Value> AttentionTiler::unlessHidden(KeyTile &tile, ValueRange carried, TileBody body) {
  if (!tile.mask)
    return body(tile, carried);
  KVSourceOp source = tile.source;
  TileClass<Value> known = tile.mask->classify({tile.first, add(tile.first, value(tile.columns))});
  if (!source.hasPredicate())
    tile.whole = known.full;
  if (!hasHoles(*source.getMask()))
    return body(tile, carried);
  auto branch = scf::IfOp::create(rewriter, loc, TypeRange(carried.getTypes()), known.empty, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(rewriter, loc, carried);
  rewriter.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(rewriter, loc, body(tile, carried));
  return branch.getResults();
}

Value AttentionTiler::applyMask(const KeyTile &tile, Value weights) {
  KVSourceOp source = tile.source;
  if (!source.isMasked())
    return weights;
  if (tile.entries)
    return mapRuns(tile, weights, [&](KeyTile run, Value part) {
      if (tile.mask && !source.hasPredicate())
        run.whole = tile.mask->classify({run.first, add(run.first, value(run.columns))}).full;
      return applyMask(run, part);
    });
  OpBuilder::InsertionGuard guard(rewriter);
  scf::IfOp whole;
  if (tile.whole) {
    whole = scf::IfOp::create(rewriter, loc, TypeRange{weights.getType()}, tile.whole, /*withElseRegion=*/true);
    rewriter.setInsertionPointToStart(whole.thenBlock());
    scf::YieldOp::create(rewriter, loc, weights);
    rewriter.setInsertionPointToStart(whole.elseBlock());
  }
  Attribute mask = source.getMask().value_or(Attribute());
  int64_t count = countHeadMasks(mask);
  Value masked;
  if (count == 1) {
    masked = hide(tile, mask, weights);
  } else { // a test for each head: a unit has one
    Value which = arith::RemUIOp::create(rewriter, loc, head, constant(count));
    SmallVector<int64_t> cases = llvm::to_vector(llvm::seq<int64_t>(0, count - 1));
    auto choice = scf::IndexSwitchOp::create(rewriter, loc, TypeRange{weights.getType()}, which, cases, count - 1);
    OpBuilder::InsertionGuard guard(rewriter);
    for (int64_t number = 0; number < count; ++number) {
      Region &region = number < count - 1 ? choice.getCaseRegions()[number] : choice.getDefaultRegion();
      rewriter.setInsertionPointToStart(&region.emplaceBlock());
      scf::YieldOp::create(rewriter, loc, hide(tile, getMaskOfHead(mask, number), weights));
    }
    masked = choice.getResult(0);
  }
  if (!whole)
    return masked;
  scf::YieldOp::create(rewriter, loc, masked);
  return whole.getResult(0);
}

Value AttentionTiler::hide(const KeyTile &tile, Attribute mask, Value weights) {
  KVSourceOp source = tile.source;
  Value all = value(queries), first = tile.first;
  unsigned column = rowSizes.size();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  SmallVector<std::optional<unsigned>> operands(source.getMaskOperands().size()); // their places among the inputs
  SmallVector<unsigned> tables;                                                   // and those of what is computed along
  auto wantOperand = [&](unsigned number) {
    if (operands[number])
      return;
    operands[number] = inputs.size();
    auto [part, map] =
        takeExtras(source.getMaskOperands()[number], source.getMaps()[number], first, tile.columns).front();
    inputs.push_back(part);
    maps.push_back(map);
  };
  // Once without pairs, to know what the test wants to have at hand; the test itself is dropped.
  if (mask) {
    Block dropped;
    OpBuilder::InsertPoint here = rewriter.saveInsertionPoint();
    auto outside = [&](function_ref<void()> build) {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.restoreInsertionPoint(here);
      build();
    };
    auto read = [&](unsigned number) {
      outside([&] { wantOperand(number); });
      return first;
    };
    auto along = [&](bool ofKeys, function_ref<Value(Value)> compute) {
      outside([&] {
        Value out = empty(ofKeys ? tile.columns : rows, rewriter.getI64Type());
        Value table = generic({}, out, false, [&](ArrayRef<Value>, Value) -> Value {
          Value at = add(linalg::IndexOp::create(rewriter, loc, 0), ofKeys ? first : firstRow);
          return arith::IndexCastOp::create(rewriter, loc, rewriter.getI64Type(), compute(at));
        });
        tables.push_back(inputs.size());
        inputs.push_back(table);
        maps.push_back(AffineMap::get(column + 1, 0, rewriter.getAffineDimExpr(ofKeys ? column : column - 1)));
      });
      return first;
    };
    rewriter.setInsertionPointToStart(&dropped);
    buildAllowsKey(rewriter, loc, mask, {head, firstRow, firstRow, all, tile.count}, first, {read, along});
    rewriter.restoreInsertionPoint(here);
  }
  if (source.hasPredicate())
    for (unsigned number = 0; number < operands.size(); ++number)
      wantOperand(number);

  return overPairs(inputs, maps, weights, [&](ArrayRef<Value> elements, Value weight) -> Value {
    auto toIndex = [&](Value element) -> Value {
      return arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), element);
    };
    unsigned next = 0;
    auto read = [&](unsigned number) { return toIndex(elements[*operands[number]]); };
    auto along = [&](bool, function_ref<Value(Value)>) { return toIndex(elements[tables[next++]]); };
    Value row = queryIndex(), key = add(linalg::IndexOp::create(rewriter, loc, column), first);
    MaskRows<Value> pair{headIndex(), row, row, all, tile.count};
    Value seen = mask ? buildAllowsKey(rewriter, loc, mask, pair, key, {read, along}) : Value();
    if (source.hasPredicate()) {
      IRMapping mapping;
      Block &region = source.getPredicate().front().front();
      mapping.map(region.getArguments().take_front(4), ValueRange{batch, headIndex(), row, key});
      for (auto [number, argument] : llvm::enumerate(region.getArguments().drop_front(4)))
        mapping.map(argument, elements[*operands[number]]);
      for (Operation &inner : region.without_terminator())
        rewriter.clone(inner, mapping);
      Value also = mapping.lookupOrDefault(region.getTerminator()->getOperand(0));
      seen = seen ? arith::AndIOp::create(rewriter, loc, seen, also).getResult() : also;
    }
    Value hidden = this->number(elementwise ? 0 : -std::numeric_limits<double>::infinity());
    return arith::SelectOp::create(rewriter, loc, seen, weight, hidden);
  });
}
