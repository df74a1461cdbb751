//===- ContractCaches.cpp - where a register tile's elements come from ----------------------------===//
//
// Cache lines of a step of the reduction, what those from beyond the first cache level cost, and the chunks that keep
// them near.
//
//===----------------------------------------------------------------------===//
#include "ContractChooser.h"
#include "Footprint.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::schedule;

namespace {
/// Multiply-adds of a sum, at least, that pay for loading it and storing it again.
constexpr int64_t kLeastChunkSteps = 64;
/// The fewest that a chunk of any schedule has.
constexpr int64_t kLeastSteps = 16;
/// The part of the first cache level that one tile's chunk may fill, with few registers and with many: the next tile's
/// is on its way.
constexpr double kChunkPart = 0.5, kChunkPartOfMany = 0.7;
/// The part of the second cache level, where only what lies further away costs time.
constexpr double kFarChunkPart = 0.125;
/// The part of the second cache level that a tile may read and stay there: it asks for as much for the next one.
constexpr double kStayingPart = 0.375;
/// Cycles of one of lines that are apart from step to step; in chunks the next tile finds what it shares of those.
constexpr double kApartLine = 0.9;
/// Cycles a step that chunks save at least.
constexpr double kChunkGain = 0.1;
/// Register tiles, at least, that read what a chunk keeps near.
constexpr int64_t kLeastChunkTiles = 4;
} // namespace

double Chooser::getNearLine() const { return taps > 1 && !hasFewRegisters() ? 0.4 : 0.3; }

bool Chooser::hasSteps(const Tile &tile) const {
  return !reductions.empty() && !isDot(tile) && known[reductions.front()];
}

Chooser::Lines Chooser::countTileLines(const Tile &tile) const {
  Lines lines;
  unsigned outer = reductions.front();
  TileShape shape;
  shape.outer = outer;
  shape.counts.assign(op.getNumLoops(), 1);
  for (unsigned dim : reductions)
    if (dim != outer)
      lines.inner *= shape.counts[dim] = extents[dim];
  for (unsigned slot = 0; slot < 2; ++slot)
    if (tile.rowDims[slot] >= 0)
      shape.counts[tile.rowDims[slot]] = tile.rows[slot];
  if (tile.vectorDim >= 0)
    shape.counts[tile.vectorDim] = std::min(extents[tile.vectorDim], tile.vectors * width);
  double panel = 0;
  for (unsigned operand = 0; operand < 2; ++operand) {
    if (tile.pack == static_cast<int64_t>(operand))
      panel = getPanelBytes(operand, tile) / extents[outer] / kLineBytes;
    else {
      double count = countLines(coefficients[operand], cast<ShapedType>(op->getOperand(operand).getType()).getShape(),
                                shape, elementBytes);
      lines.others += count;
      if (!dependsOn(operand, tile.vectorDim) && !isUnitStride(operand, outer))
        lines.apart += count;
    }
  }
  lines.stepBytes = (panel + lines.others) * kLineBytes;
  placeSteps(lines, extents[outer]);
  for (unsigned dim : parallels)
    if (dim != static_cast<unsigned>(tile.vectorDim))
      lines.tiles *= std::ceil(static_cast<double>(extents[dim]) / shape.counts[dim]);
  return lines;
}

void Chooser::placeSteps(Lines &lines, int64_t steps) const {
  double bytes = lines.stepBytes * steps;
  // A line of the second cache level takes about as long as two multiply-adds, which few vectors leave idle. With many
  // registers there are more of them to each line: where two end in a cycle, lines of that level are felt a little, and
  // else only those from further away.
  lines.isFar = bytes > target.getL2Bytes() * kStayingPart;
  lines.isFelt = hasFewRegisters() || target.getVectorFmas() >= 2;
  lines.isNear = lines.isFelt ? bytes <= target.getL1Bytes() : !lines.isFar;
}

void Chooser::placeWhole(Tile &tile, const Lines &lines) const {
  tile.chunk = 0;
  tile.panelLine = getNearLine();
  tile.missCost = 0;
  if (lines.isNear)
    return;
  if (lines.isFar || hasFewRegisters()) {
    tile.panelLine = 1;
    tile.missCost = lines.others / lines.inner * (lines.isFar ? 3 : 0.5);
  } else {
    tile.missCost = lines.apart / lines.inner * kApartLine;
  }
}

double Chooser::getSumCost(const Tile &tile, const Lines &lines, int64_t chunk) {
  return static_cast<double>(tile.vectors * tile.rows[0] * tile.rows[1]) / (chunk * lines.inner);
}

void Chooser::placeChunk(Tile &tile, const Lines &lines, int64_t chunk) const {
  tile.chunk = chunk;
  tile.panelLine = getNearLine();
  tile.missCost =
      getSumCost(tile, lines, chunk) +
      (hasFewRegisters() ? lines.others : kApartLine / 2 * lines.apart + (lines.isFar ? 0.3 : 0) * lines.others) /
          lines.inner;
}

bool Chooser::canChunk(const Tile &tile) const {
  bool packsAtRun = tile.pack >= 0 && !tile.prepack;
  return hasSteps(tile) && !op.isOfPhases(reductions.front()) && !isOpen && !packsAtRun && !op.hasDecode() &&
         tile.vectorDim >= 0;
}

void Chooser::placeInCaches(Tile &tile) const {
  if (!hasSteps(tile)) {
    placeWhole(tile, Lines());
    return;
  }
  Lines lines = countTileLines(tile);
  placeWhole(tile, lines);
  if (lines.isNear)
    return;
  int64_t extent = extents[reductions.front()];
  double room = hasFewRegisters() ? target.getL1Bytes() * kChunkPart
                : lines.isFelt    ? target.getL1Bytes() * kChunkPartOfMany
                                  : target.getL2Bytes() * kFarChunkPart;
  int64_t chunk =
      std::max<int64_t>(llvm::PowerOf2Ceil(llvm::divideCeil(kLeastChunkSteps, lines.inner)), room / lines.stepBytes);
  if (hasFewRegisters())
    chunk = llvm::bit_floor(static_cast<uint64_t>(chunk));
  else // equal pieces
    chunk = llvm::divideCeil(extent, llvm::divideCeil(extent, chunk));
  if (!canChunk(tile) || lines.tiles < kLeastChunkTiles || chunk * 2 > extent ||
      chunk * lines.stepBytes > target.getL2Bytes() / 4)
    return;
  Tile chunked = tile;
  placeChunk(chunked, lines, chunk);
  double count = tile.pack >= 0 ? tile.vectors * width * elementBytes / kLineBytes : 0; // of the panel, a step
  if (hasFewRegisters() ||
      chunked.missCost + chunked.panelLine * count + kChunkGain < tile.missCost + tile.panelLine * count)
    tile = chunked;
}

SmallVector<int64_t> Chooser::getChunks(const Tile &tile) const {
  SmallVector<int64_t> chunks{tile.chunk};
  auto add = [&](int64_t chunk) {
    if (!llvm::is_contained(chunks, chunk))
      chunks.push_back(chunk);
  };
  add(0);
  if (!canChunk(tile))
    return chunks;
  int64_t extent = extents[reductions.front()], inner = reductionPoints / extent;
  for (int64_t pieces = 2; pieces * kLeastSteps <= reductionPoints && pieces <= extent; pieces *= 2)
    if (int64_t chunk = llvm::divideCeil(extent, pieces); chunk * inner >= kLeastSteps)
      add(chunk);
  return chunks;
}
