//===- TileAttentionLists.cpp - listed keys, and nothing but them --------------------------===//
//
// Blocks of at least a tile's keys are visited one by one where they lie. Of shorter ones, as many as fill a tile are
// gathered: first the list is cut down to the entries that hold keys, so that all tiles but the last are full.
//
//===----------------------------------------------------------------------===//
#include "TileAttention.h"

using namespace mlir;
using namespace tenon;

SmallVector<Value> AttentionTiler::forListedTiles(KeyTile tile, KeyRange<Value> range, ValueRange carried,
                                                  TileBody body) {
  KVSourceOp source = tile.source;
  Value blocks = source.getBlocks(), zero = constant(0), one = constant(1);
  auto make = [&]<typename Op>(Value a, Value b) -> Value { return rewriter.createOrFold<Op>(loc, a, b); };
  auto loop = [&](Value from, Value to, Value step, ValueRange carried,
                  function_ref<SmallVector<Value>(Value, ValueRange)> inside) -> SmallVector<Value> {
    auto made =
        scf::ForOp::create(rewriter, loc, from, to, step, carried, [](OpBuilder &, Location, Value, ValueRange) {});
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(made.getBody());
    scf::YieldOp::create(rewriter, loc, inside(made.getInductionVar(), made.getRegionIterArgs()));
    return made.getResults();
  };
  // Head h of H reads list h / (H / W); units lie within the queries of one list.
  Value heads = value(size(blocks, 1)), all = value(size(op.getQuery(), 1));
  Value sharing = make.operator()<arith::MaxSIOp>(make.operator()<arith::DivUIOp>(all, heads), one);
  tile.list.head = make.operator()<arith::MinSIOp>(make.operator()<arith::DivUIOp>(head, sharing), sub(heads, one));
  tile.list.number = make.operator()<arith::DivUIOp>(firstRow, constant(source.getBlockQueries()));
  tile.list.range = range;
  Value isListed =
      rewriter.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, tile.list.number, value(size(blocks, 2)));
  Value entries = rewriter.createOrFold<arith::SelectOp>(loc, isListed, value(size(blocks, 3)), zero);

  int64_t keys = schedule.getCache()[3], length = source.getBlockKeys();
  Value room = value(countEntryKeys(source));
  if (length >= keys)
    return loop(zero, entries, one, carried, [&](Value entry, ValueRange carried) {
      KeyRange<Value> run = getRun(tile, entry);
      tile.weight = getWeight(tile, entry);
      Value place = sub(make.operator()<arith::MulIOp>(entry, room), run.low);
      return loop(run.low, run.high, constant(keys), carried, [&](Value first, ValueRange carried) {
        tile.first = first;
        tile.place = add(first, place);
        tile.columns = tileSize(run.high, keys, first, /*fromZero=*/false);
        return unlessHidden(tile, carried, body);
      });
    });

  Type i64 = rewriter.getI64Type();
  SmallVector<Value> kept =
      loop(zero, entries, one, ValueRange{empty({size(blocks, 3)}, i64), zero}, [&](Value entry, ValueRange carried) {
        KeyRange<Value> run = getRun(tile, entry);
        Value number = arith::IndexCastOp::create(rewriter, loc, i64, entry);
        Value list = tensor::InsertOp::create(rewriter, loc, number, carried[0], carried[1]);
        Value holds = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::slt, run.low, run.high);
        if (tile.mask && hasHoles(*source.getMask()))
          holds = arith::SelectOp::create(rewriter, loc, tile.mask->classify(run).empty,
                                          arith::ConstantOp::create(rewriter, loc, rewriter.getBoolAttr(false)), holds);
        Value next = arith::SelectOp::create(rewriter, loc, holds, add(carried[1], one), carried[1]);
        return SmallVector<Value>{list, next};
      });
  tile.entries = kept[0];
  int64_t most = keys / length;
  return loop(zero, kept[1], constant(most), carried, [&](Value from, ValueRange carried) {
    OpFoldResult count = tileSize(kept[1], most, from, /*fromZero=*/false);
    tile.from = from;
    tile.to = add(from, value(count));
    tile.place = make.operator()<arith::MulIOp>(from, room);
    tile.columns = count;
    if (length > 1) {
      SmallVector<Value> sum = loop(from, tile.to, one, zero, [&](Value place, ValueRange sum) {
        Value entry = tensor::ExtractOp::create(rewriter, loc, tile.entries, place);
        KeyRange<Value> run = getRun(tile, arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), entry));
        return SmallVector<Value>{add(sum[0], sub(run.high, run.low))};
      });
      // No more than that, which bounds the size of buffers.
      tile.columns = tileSize(sum[0], most * length, zero, /*fromZero=*/false);
    }
    return body(tile, carried);
  });
}

OpFoldResult AttentionTiler::countEntryKeys(KVSourceOp source) {
  OpFoldResult count = countPlaces(source);
  return tileSize(count, source.getBlockKeys(), constant(0));
}

KeyRange<Value> AttentionTiler::getRun(const KeyTile &tile, Value entry) {
  KVSourceOp source = tile.source;
  auto make = [&]<typename Op>(Value a, Value b) -> Value { return rewriter.createOrFold<Op>(loc, a, b); };
  Value length = constant(source.getBlockKeys());
  Value block = tensor::ExtractOp::create(rewriter, loc, source.getBlocks(),
                                          ValueRange{batch, tile.list.head, tile.list.number, entry});
  block = arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), block);
  // Negative numbers are large ones too.
  Value exists = arith::CmpIOp::create(rewriter, loc, arith::CmpIPredicate::ult, block,
                                       make.operator()<arith::CeilDivUIOp>(tile.count, length));
  Value first =
      make.operator()<arith::MulIOp>(arith::SelectOp::create(rewriter, loc, exists, block, constant(0)), length);
  Value low = make.operator()<arith::MaxSIOp>(first, tile.list.range.low);
  Value high = make.operator()<arith::MinSIOp>(add(first, length), tile.list.range.high);
  return {low, arith::SelectOp::create(rewriter, loc, exists, high, constant(0))};
}

Value AttentionTiler::getWeight(const KeyTile &tile, Value entry) {
  Value weights = KVSourceOp(tile.source).getBlockWeights();
  if (!weights)
    return {};
  Value weight =
      tensor::ExtractOp::create(rewriter, loc, weights, ValueRange{batch, tile.list.head, tile.list.number, entry});
  return weight.getType() == type ? weight : arith::ExtFOp::create(rewriter, loc, type, weight).getResult();
}

Value AttentionTiler::forRuns(const KeyTile &tile, Value carried,
                              function_ref<Value(const KeyTile &run, Value offset, Value carried)> body) {
  auto loop = scf::ForOp::create(rewriter, loc, tile.from, tile.to, constant(1), ValueRange{carried, constant(0)},
                                 [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(loop.getBody());
  Value entry = tensor::ExtractOp::create(rewriter, loc, tile.entries, loop.getInductionVar());
  entry = arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), entry);
  KeyRange<Value> range = getRun(tile, entry);
  KeyTile run = tile;
  run.entries = Value();
  run.first = range.low;
  // No more than a block, which bounds the size of buffers.
  int64_t length = KVSourceOp(tile.source).getBlockKeys();
  run.columns = length == 1 ? index(1) : tileSize(sub(range.high, range.low), length, constant(0), /*fromZero=*/false);
  run.weight = getWeight(tile, entry);
  Value offset = loop.getRegionIterArgs()[1];
  Value next = body(run, offset, loop.getRegionIterArgs()[0]);
  scf::YieldOp::create(rewriter, loc, ValueRange{next, add(offset, value(run.columns))});
  return loop.getResult(0);
}

Value AttentionTiler::mapRuns(const KeyTile &tile, Value scores,
                              function_ref<Value(const KeyTile &run, Value part)> body) {
  if (!tile.entries)
    return body(tile, scores);
  return forRuns(tile, scores, [&](const KeyTile &run, Value offset, Value carried) {
    SmallVector<OpFoldResult> offsets(rowSizes.size(), index(0)), sizes = append(rowSizes, run.columns);
    offsets.push_back(offset);
    return insert(body(run, slice(carried, offsets, sizes, 0)), carried, offsets, sizes);
  });
}
