//===- TileAttentionStorage.cpp - where keys and values lie --------------------------------===//
//
// Contiguous tensors, pages and rings. The last two are one thing: places in pages, of which a ring has one that
// repeats.
//
//===----------------------------------------------------------------------===//
#include "TileAttention.h"

using namespace mlir;
using namespace tenon;

OpFoldResult AttentionTiler::countPlaces(KVSourceOp source) {
  OpFoldResult count = size(source.getKeys(), 2);
  Value pages = source.getPages();
  if (!pages)
    return count;
  OpFoldResult all = size(pages, cast<RankedTensorType>(pages.getType()).getRank() - 1);
  return rewriter.createOrFold<arith::MulIOp>(loc, value(count), value(all));
}

KeyTile AttentionTiler::openSource(KVSourceOp source) {
  KeyTile tile;
  tile.source = source;
  auto make = [&]<typename Op>(Value a, Value b) -> Value { return rewriter.createOrFold<Op>(loc, a, b); };
  // Head h of H reads head h / (H / G) of the source.
  Value heads = value(size(source.getKeys(), 1));
  tile.group =
      make.operator()<arith::DivUIOp>(head, make.operator()<arith::DivUIOp>(value(size(op.getQuery(), 1)), heads));
  auto read = [&](Value tensor, ArrayRef<Value> indices) -> Value {
    Value element = tensor::ExtractOp::create(rewriter, loc, tensor, indices);
    return arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), element);
  };
  tile.count = value(countPlaces(source));
  if (source.getPages()) {
    Value any = rewriter.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, value(size(source.getKeys(), 0)),
                                                     constant(0));
    tile.count = rewriter.createOrFold<arith::SelectOp>(loc, any, tile.count, constant(0));
  }
  if (Value start = source.getStart())
    tile.start = make.operator()<arith::RemUIOp>(make.operator()<arith::MaxSIOp>(read(start, {batch}), constant(0)),
                                                 make.operator()<arith::MaxSIOp>(tile.count, constant(1)));
  if (Value lengths = source.getLengths()) {
    SmallVector<Value> indices{batch, tile.group};
    Value length = read(lengths, ArrayRef(indices).take_front(cast<RankedTensorType>(lengths.getType()).getRank()));
    tile.count = make.operator()<arith::MinSIOp>(make.operator()<arith::MaxSIOp>(length, constant(0)), tile.count);
  }
  openMask(tile);
  return tile;
}

Value AttentionTiler::take(Value tensor, Value group, const KeySegment &segment) {
  return slice(tensor, {segment.page, group, segment.place, index(0)},
               {index(1), index(1), segment.length, size(tensor, 3)}, 2);
}

Value AttentionTiler::gather(Value tensor, const KeyTile &tile) {
  if (isContiguous(tile))
    return take(tensor, tile.group, {batch, tile.first, tile.first, constant(0), tile.columns});
  Value together = empty({tile.columns, size(tensor, 3)}, getElementTypeOrSelf(tensor.getType()));
  return forSegments(tile, together, [&](const KeySegment &segment, Value carried) {
    SmallVector<OpFoldResult> offsets{segment.offset, index(0)}, sizes{segment.length, size(tensor, 3)};
    return insert(copy(take(tensor, tile.group, segment), slice(carried, offsets, sizes, 0)), carried, offsets, sizes);
  });
}

Value AttentionTiler::forSegments(const KeyTile &tile, Value carried, SegmentBody body) {
  if (isContiguous(tile))
    return body({batch, tile.first, tile.first, constant(0), tile.columns}, carried);
  if (!tile.entries)
    return forPages(tile, carried, body);
  return forRuns(tile, carried, [&](const KeyTile &run, Value offset, Value carried) {
    return forSegments(run, carried, [&](KeySegment segment, Value carried) {
      segment.offset = add(offset, segment.offset);
      return body(segment, carried);
    });
  });
}

Value AttentionTiler::forPages(const KeyTile &tile, Value carried, SegmentBody body) {
  KVSourceOp source = tile.source;
  Value pages = source.getPages(), length = value(size(source.getKeys(), 2)), zero = constant(0), one = constant(1);
  auto make = [&]<typename Op>(Value a, Value b) -> Value { return rewriter.createOrFold<Op>(loc, a, b); };
  Value first = tile.start ? add(tile.first, tile.start) : tile.first, end = add(first, value(tile.columns));
  Value lower = make.operator()<arith::DivUIOp>(first, length);
  Value upper = make.operator()<arith::CeilDivUIOp>(end, length);
  auto loop = scf::ForOp::create(rewriter, loc, lower, upper, one, ValueRange{carried},
                                 [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(loop.getBody());
  Value number = loop.getInductionVar(), base = make.operator()<arith::MulIOp>(number, length);
  Value from = make.operator()<arith::MaxSIOp>(base, first);
  Value to = make.operator()<arith::MinSIOp>(add(base, length), end);
  Value offset = sub(from, first);
  KeySegment segment{batch, sub(from, base), add(tile.first, offset), offset, sub(to, from)};
  if (pages) {
    unsigned rank = cast<RankedTensorType>(pages.getType()).getRank();
    if (tile.start) // behind the last page comes the first
      number = make.operator()<arith::RemUIOp>(number, value(size(pages, rank - 1)));
    SmallVector<Value> indices{batch, number};
    if (rank == 3)
      indices = {batch, tile.group, number};
    Value page = tensor::ExtractOp::create(rewriter, loc, pages, indices);
    page = arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), page);
    Value last = sub(value(size(source.getKeys(), 0)), one);
    segment.page = make.operator()<arith::MinSIOp>(make.operator()<arith::MaxSIOp>(page, zero), last);
  }
  scf::YieldOp::create(rewriter, loc, ValueRange{body(segment, loop.getRegionIterArgs()[0])});
  return loop.getResult(0);
}
