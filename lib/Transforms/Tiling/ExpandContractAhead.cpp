//===- ExpandContractAhead.cpp - what a register tile asks memory for while it computes ---===//
//
// Panels of weights come from far away, and so do images whose planes are larger than the caches; hardware follows
// neither from row to row.
//
//===----------------------------------------------------------------------===//
#include "ExpandContract.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <map>
#include <set>

using namespace mlir;
using namespace tenon;
using namespace tenon::contract;

void TileAsks::askAhead(ArrayRef<Value> leftBase, ArrayRef<Value> rightBase, const Key &tap,
                        std::set<std::pair<unsigned, Key>> &asked) {
  for (unsigned factor = 0; factor < 2; ++factor) {
    Key offsets = getOffsets(factor, {}, tap, 0);
    if (tile.ahead[factor].empty() || !asked.insert({factor, offsets}).second)
      continue;
    SmallVector<Value> indices = getIndices(factor == 0 ? leftBase : rightBase, offsets);
    if (int64_t steps = tile.stepsAhead[factor])
      indices[indices.size() - 2] = add(indices[indices.size() - 2], constant(steps));
    for (Value line : tile.ahead[factor])
      memref::PrefetchOp::create(builder, loc, line, indices, /*isWrite=*/false, /*localityHint=*/2,
                                 /*isDataCache=*/true);
  }
}

void TileAsks::askNext(unsigned factor, ArrayRef<Value> base) {
  const MicroTile::Next &next = *tile.next[factor];
  ArrayRef<SmallVector<int64_t>> coefficients = contraction.coefficients[factor];
  int64_t line = 64 * 8 / getElementTypeOrSelf(op->getOperand(factor).getType()).getIntOrFloatBitWidth();
  // Elements of one run of lines: their last index, by all others.
  std::map<Key, std::pair<int64_t, int64_t>> runs;
  // Where a loop of the reduction passes by the rows of the window, its other turns ask for the others.
  bool passesBy = llvm::any_of(loops, [&](unsigned dim) {
    return llvm::any_of(coefficients, [&](ArrayRef<int64_t> of) { return of[next.dim] != 0 && of[dim] != 0; });
  });
  Key steps = getSteps(factor);
  const Lanes &last = tile.lanes.back();
  int64_t reach = steps.empty() ? 0 : steps.back() * (last.offset + last.width - 1);
  for (const Key &row : passesBy ? ArrayRef(rows).take_back() : ArrayRef(rows))
    for (const Key &tap : taps) {
      Key key = getOffsets(factor, row, tap, 0);
      int64_t from = key.pop_back_val();
      auto [entry, isNew] = runs.try_emplace(key, from, from + reach);
      if (!isNew)
        entry->second = {std::min(entry->second.first, from), std::max(entry->second.second, from + reach)};
    }
  Value memref = op->getOperand(factor);
  for (const auto &[key, run] : runs) {
    Key offsets = key;
    for (auto [position, offset] : llvm::enumerate(offsets))
      offset += next.step * coefficients[position][next.dim];
    int64_t forward = next.step * coefficients.back()[next.dim];
    if (offsets != key && !passesBy && runs.contains(offsets))
      continue; // this tile has the row
    int64_t end = run.second + (forward == 0 ? 0 : std::max(forward, line));
    int64_t lines = llvm::divideCeil(run.second - run.first + 1, line), share = llvm::divideCeil(lines, next.tiles);
    offsets.push_back(end);
    for (int64_t position = 0; position < share; ++position) {
      SmallVector<Value> indices = getIndices(base, offsets);
      Value back = constant(position * line);
      if (next.number && share < lines) {
        Value number = builder.createOrFold<arith::AddIOp>(
            loc, builder.createOrFold<arith::MulIOp>(loc, next.number, constant(share)), constant(position));
        back = builder.createOrFold<arith::MulIOp>(
            loc, builder.createOrFold<arith::RemUIOp>(loc, number, constant(lines)), constant(line));
      }
      indices.back() = builder.createOrFold<arith::SubIOp>(loc, indices.back(), back);
      memref::PrefetchOp::create(builder, loc, memref, indices, /*isWrite=*/false, /*localityHint=*/2,
                                 /*isDataCache=*/true);
    }
  }
}

void TileAsks::askAheadInPlace(Value memref, ArrayRef<Value> indices, const Key &steps) {
  constexpr int64_t kAheadBytes = 4096;
  constexpr size_t kFewRows = 4;
  std::set<Key> leftRows;
  for (const Key &row : rows)
    leftRows.insert(getOffsets(0, row, {}, 0));
  auto type = cast<MemRefType>(memref.getType());
  auto [strides, offset] = type.getStridesAndOffset();
  int64_t outer = type.getRank() - 2;
  if (contraction.isDot() || outer < 0 || leftRows.size() > kFewRows || !isContiguous(memref, steps) ||
      ShapedType::isDynamic(strides[outer]))
    return;
  int64_t rowBytes = strides[outer] * type.getElementTypeBitWidth() / 8;
  if (rowBytes == 0 || rowBytes > kAheadBytes)
    return;
  SmallVector<Value> ahead(indices);
  ahead[outer] = add(ahead[outer], constant(llvm::divideCeil(kAheadBytes, rowBytes)));
  memref::PrefetchOp::create(builder, loc, memref, ahead, /*isWrite=*/false, /*localityHint=*/3,
                             /*isDataCache=*/true);
}
