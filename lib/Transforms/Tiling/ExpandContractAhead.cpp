//===- ExpandContractAhead.cpp - what a register tile asks memory for while it computes ---===//
//
// Panels of weights come from far away, and so do images whose planes are larger than the caches; hardware follows
// neither from row to row.
//
//===----------------------------------------------------------------------===//
#include "ExpandContract.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

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
    if (Value steps = tile.stepsAhead[factor])
      indices[indices.size() - 2] = add(indices[indices.size() - 2], steps);
    for (Value line : tile.ahead[factor])
      memref::PrefetchOp::create(builder, loc, line, indices, /*isWrite=*/false, /*localityHint=*/2,
                                 /*isDataCache=*/true);
  }
}

void TileAsks::askNext(unsigned factor, ArrayRef<Value> base) {
  const MicroTile::Next &next = *tile.next[factor];
  ArrayRef<SmallVector<int64_t>> coefficients = contraction.coefficients[factor];
  int64_t line = kLineBits / getElementTypeOrSelf(op->getOperand(factor).getType()).getIntOrFloatBitWidth();
  // How many places of a row dim's index the loops of the reduction pass by: other turns ask for these.
  auto countPassed = [&](unsigned row) -> int64_t {
    int64_t passed = 1;
    for (unsigned dim : loops)
      for (ArrayRef<int64_t> of : coefficients)
        if (of[row] != 0 && of[dim] != 0)
          passed = std::max(passed, getConstantIntValue(contraction.extents[dim]).value_or(1));
    return passed;
  };
  bool passesBy = countPassed(next.dim) > 1;
  auto isAsked = [&](const Key &row) {
    for (auto [dim, count] : llvm::enumerate(tile.rows)) {
      int64_t passed = count > 1 ? countPassed(dim) : 1;
      bool isLast = row[dim] == count - 1;
      if (passed > 1 && !isLast && (dim == next.dim || row[dim] % passed != 0))
        return false;
    }
    return true;
  };
  // Elements of one run of lines: the first and the last index, by all others.
  std::map<Key, std::pair<int64_t, int64_t>> runs;
  Key steps = getSteps(factor);
  const Lanes &last = tile.lanes.back();
  int64_t reach = steps.empty() ? 0 : steps.back() * (last.offset + last.width - 1);
  for (const Key &row : llvm::make_filter_range(rows, isAsked))
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
    // Along the lines the tile before has asked for all but what it moves on by.
    int64_t end = run.second + (forward == 0 ? 0 : std::max(forward, line));
    int64_t lines = llvm::divideCeil(forward > 0 ? forward : run.second - run.first + 1, line);
    int64_t share = llvm::divideCeil(lines, next.tiles);
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
  // Windows meet an element again and again.
  for (ArrayRef<int64_t> position : contraction.coefficients[1])
    if (llvm::count_if(position, [](int64_t coefficient) { return coefficient != 0; }) > 1)
      return;
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

void contract::askForBlock(OpBuilder &builder, const Contraction &contraction) {
  constexpr int64_t kFewRows = 8, kShortBlock = 32, kShortRowBits = 8 * 4096;
  TileContractOp op = contraction.op;
  Location loc = op.getLoc();
  Value block = op.getRhs();
  auto type = cast<MemRefType>(block.getType());
  auto [strides, offset] = type.getStridesAndOffset();
  std::optional<int64_t> reads = getConstantIntValue(countRows(builder, contraction, 1));
  int64_t bits = type.getElementTypeBitWidth();
  if (!reads || *reads > kFewRows || contraction.decodes || op.hasPanels(1) || type.getRank() != 2 ||
      (!type.isDynamicDim(0) && type.getDimSize(0) > kShortBlock) || type.isDynamicDim(1) || strides[1] != 1 ||
      strides[0] != type.getDimSize(1) || strides[0] * bits > kShortRowBits)
    return;
  auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(builder, loc, value); };
  Value count = builder.createOrFold<memref::DimOp>(loc, block, 0);
  count = builder.createOrFold<arith::MinSIOp>(loc, count, constant(kShortBlock));
  auto loop = scf::ForOp::create(builder, loc, constant(0), count, constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  for (int64_t column = 0; column < type.getDimSize(1); column += kLineBits / bits)
    memref::PrefetchOp::create(builder, loc, block, ValueRange{loop.getInductionVar(), constant(column)},
                               /*isWrite=*/false, /*localityHint=*/2, /*isDataCache=*/true);
}
