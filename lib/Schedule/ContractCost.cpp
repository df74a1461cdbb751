//===- ContractCost.cpp - what a register tile of a contraction costs --------------------------===//
//
// Cycles per multiply-add of a tile: what one step of the reduction loads and multiplies, where that comes from, and
// what stores and packing add. docs/rationale/contractions.md explains the rates.
//
//===----------------------------------------------------------------------===//
#include "ContractChooser.h"
#include "Footprint.h"

#include "tenon/Schedule/Schedule.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::schedule;

namespace {
/// Rows of so many bytes, and from so many pages on, are slow to read in place.
constexpr int64_t kLongRow = 1024, kManyPages = 64;
/// What reading a prepacked weight has to save.
constexpr double kPrepackMargin = 1.02;
/// Cycles that a cache line of a weight takes that is read in place: between two runs of a model it is gone from the
/// caches, and only the lines of panels are asked for ahead of time. Weights of less than this part of the second cache
/// level are not worth a second copy.
constexpr double kColdLine = 20, kLeastColdPart = 0.25;
/// More registers than there are that unrolled taps may ask for: LLVM does not keep all that it could.
constexpr int64_t kSharedOverRegisters = 3;
/// A reduction dim is worth a loop of its own where at least so much of it is padding, and more where its taps would be
/// unrolled otherwise.
constexpr double kLeastPadding = 0.02, kLeastPaddingOfTaps = 0.06;
/// Cycles that a multiply-add waits for the one before it, and a little for what comes between.
constexpr double kLatency = 4.5;
/// What a cycle more on one of two threads costs, beside one on both.
constexpr double kUneven = 0.2;
/// Cycles of each load beyond one a cycle.
constexpr double kManyLoads = 0.2;
/// What registers that are all taken cost, in cycles a step.
constexpr double kNoSpareRegister = 0.3;
/// A tile stores all its values at once. Where results do not stay in the second cache level, so many lines wait beside
/// the next tile's work, and each further one takes so many cycles.
constexpr double kLinesAtOnce = 32, kFarLine = 10;
} // namespace

int64_t Chooser::getRowBytes(unsigned operand) const {
  auto shape = cast<ShapedType>(op->getOperand(operand).getType()).getShape();
  for (int64_t dim : llvm::reverse(reductions)) {
    if (!dependsOn(operand, dim))
      continue;
    int64_t stride = 1;
    for (int64_t position = coefficients[operand].size() - 1; position >= 0; --position) {
      if (coefficients[operand][position][dim] != 0)
        return stride * coefficients[operand][position][dim] * elementBytes;
      if (ShapedType::isDynamic(shape[position]))
        return 0;
      stride *= shape[position];
    }
  }
  return 0;
}

double Chooser::getPanelBytes(unsigned factor, const Tile &tile) const {
  double points = 1;
  for (unsigned dim : reductions)
    if (dependsOn(factor, dim))
      points *= extents[dim];
  return points * tile.vectors * width * elementBytes;
}

bool Chooser::isStreamed(unsigned operand) const {
  return weights[operand] && reductionPoints >= 64 &&
         llvm::all_of(parallels, [&](unsigned dim) { return dependsOn(operand, dim) || extents[dim] == 1; });
}

double Chooser::getVectorCost(unsigned operand, const Tile &tile) const {
  if (tile.pack == static_cast<int64_t>(operand)) // rows come back to a panel, which is still near if it is small
    return tile.prepack && tile.chunk == 0 && getPanelBytes(operand, tile) > target.getL2Bytes() * 3 / 4 ? 2 : 1;
  int64_t step = getStep(operand, tile.vectorDim);
  if (step == 1) {
    // Rows a multiple of the page apart fall into one cache set; more pages than the processor knows by heart, each
    // with one line of interest, are slow to find, and no prefetcher goes from one to the next.
    int64_t rowBytes = getRowBytes(operand);
    bool isLong = rowBytes >= kLongRow || (rowBytes == 0 && op.getMaps()[operand].isProjectedPermutation());
    if (reductionPoints < kManyPages || !isLong)
      return isStreamed(operand) ? 1.3 : 1;
    if (rowBytes != 0 && rowBytes % 1024 == 0)
      return 11;
    return reductionPoints * (rowBytes == 0 ? 1 : std::min(1.0, rowBytes / 4096.0)) > kManyPages ? 7 : 1.3;
  }
  return step == 2 ? 3 : 4.0 * width;
}

double Chooser::getPackCost(unsigned operand, const Tile &tile) const {
  int64_t step = getStep(operand, tile.vectorDim);
  if (step != 0) { // what it takes to read in place, once, all lines of a row together, and a store
    Tile inPlace = tile;
    inPlace.pack = -1;
    // A panel narrower than a cache line leaves the rest of it for the next one, when it is gone.
    double lines = std::max(1.0, static_cast<double>(kLineBytes) / (tile.vectors * width * elementBytes));
    return (getVectorCost(operand, inPlace) / 2 + getInPlaceCost(operand, inPlace)) * lines + 2;
  }
  // Blocks are transposed in registers along what is contiguous: one reduction dim, or all of them behind the others.
  int64_t run = 1;
  for (int64_t position = coefficients[operand].size() - 1; position >= 0; --position) {
    ArrayRef<int64_t> row = coefficients[operand][position];
    auto isTerm = [&](unsigned dim) {
      for (unsigned other = 0; other < row.size(); ++other)
        if (row[other] != (other == dim ? 1 : 0))
          return false;
      return true;
    };
    auto found = llvm::find_if(reductions, isTerm);
    if (found == reductions.end() || !known[*found])
      break;
    run *= extents[*found];
  }
  return run >= width ? 14 : 6.0 * width;
}

double Chooser::getInPlaceCost(unsigned operand, const Tile &tile) const {
  bool moved = llvm::any_of(reductions, [&](unsigned dim) { return sharesIndex(operand, tile.vectorDim, dim); });
  // Vectors of rows that are no whole lines apart lie across two as well; a small factor is not worth panels for that.
  double small = weights[operand] ? kLeastColdPart * target.getL2Bytes() : target.getL1Bytes();
  moved |= !hasFewRegisters() && getRowBytes(operand) % kLineBytes != 0 && factorBytes[operand] > small;
  return !moved ? 0.1 : hasFewRegisters() ? 0.3 : 0.75;
}

double Chooser::getFactorBytes(unsigned factor) const {
  double bytes = elementBytes;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
    bool tap = op.isReduction(dim) &&
               llvm::any_of(parallels, [&](unsigned parallel) { return sharesIndex(factor, parallel, dim); });
    if (dependsOn(factor, dim) && !tap) // the windows of neighbours are the same elements
      bytes *= extents[dim];
  }
  return bytes;
}

double Chooser::getColdCost(unsigned factor) const {
  double bytes = factorBytes[factor];
  if (!weights[factor] || bytes <= kLeastColdPart * target.getL2Bytes())
    return 0;
  return bytes / kLineBytes * kColdLine / (reductionPoints * parallelPoints);
}

double Chooser::getStepCost(const Tile &tile, int64_t vectors, int64_t rows0, int64_t rows1) const {
  double multiplies = static_cast<double>(vectors * rows0 * rows1), loads = 0, besides = 0, instructions = 0;
  for (unsigned operand = 0; operand < 2; ++operand) {
    double count = 1, loaded = 1; // taps that are unrolled load what they share once
    for (auto [dim, rows] : {std::pair(tile.rowDims[0], rows0), std::pair(tile.rowDims[1], rows1)})
      if (dependsOn(operand, dim)) {
        count *= rows;
        loaded *= tile.unrolls && sharesIndex(operand, dim, reductions.back()) ? (rows + taps - 1.0) / taps : rows;
      }
    bool lanes = dependsOn(operand, tile.vectorDim);
    instructions += lanes ? loaded * vectors : loaded;
    if (lanes)
      count *= vectors * getVectorCost(operand, tile);
    loads += count;
    // Loads are never quite free beside the multiply-adds, least of all whole lines of a panel.
    bool panel = lanes && tile.pack == static_cast<int64_t>(operand) && (tile.prepack || hasFewRegisters());
    besides += count * (panel   ? tile.panelLine * width * elementBytes / kLineBytes
                        : lanes ? getInPlaceCost(operand, tile)
                                : 0.03);
  }
  besides += tile.missCost;
  if (!hasFewRegisters())
    besides += kManyLoads * std::max(0.0, instructions - multiplies / 2);
  // Two multiply-adds and two loads a cycle. A loop costs most of a cycle a turn.
  double turn = hasFewRegisters() ? 0.4 : tile.unrolls ? 0.3 : 0.7;
  if (!tile.unrolls && taps == 2) // LLVM unrolls a loop of two turns itself, and spills
    turn += 4;
  return std::max({multiplies / 2, kLatency, loads / 2}) + besides + turn / (tile.unrolls ? taps : 1);
}

std::pair<int64_t, int64_t> Chooser::countRegisters(const Tile &tile) const {
  int64_t counts[2];
  for (unsigned operand = 0; operand < 2; ++operand) {
    counts[operand] = (dependsOn(operand, tile.rowDims[0]) ? tile.rows[0] : 1) *
                      (dependsOn(operand, tile.rowDims[1]) ? tile.rows[1] : 1);
    if (dependsOn(operand, tile.vectorDim))
      counts[operand] *= tile.vectors;
  }
  int64_t sums = tile.vectors * tile.rows[0] * tile.rows[1], used = sums + std::min(counts[0], counts[1]) + 1;
  if (decodesInTiles && dependsOn(1, tile.vectorDim)) // words and parts of groups
    used += tile.vectors * op.getNumDecodeExtras();
  if (hasPartialVector(tile) && hasFewRegisters())
    ++used; // the mask
  return {used, sums};
}

bool Chooser::hasPartialVector(const Tile &tile) const {
  return tile.vectorDim >= 0 && known[tile.vectorDim] &&
         !llvm::isPowerOf2_64(std::max<int64_t>(1, extents[tile.vectorDim] % width));
}

bool Chooser::spillsUnrolled(const Tile &tile) const {
  if (taps == 1)
    return false;
  int64_t live = tile.vectors * tile.rows[0] * tile.rows[1] + tile.vectors;
  for (unsigned operand = 0; operand < 2; ++operand) {
    if (dependsOn(operand, tile.vectorDim))
      continue;
    int64_t shared = 0, rows = 1;
    for (unsigned slot = 0; slot < 2; ++slot)
      if (dependsOn(operand, tile.rowDims[slot]) && sharesIndex(operand, tile.rowDims[slot], reductions.back()))
        shared = tile.rows[slot] + taps - 1;
      else if (dependsOn(operand, tile.rowDims[slot]))
        rows *= tile.rows[slot];
    live += shared * rows;
  }
  return live > target.getVectorRegisters() + kSharedOverRegisters;
}

SmallVector<std::pair<double, int64_t>, 2> Chooser::getPieces(int64_t dim, int64_t tile) const {
  if (dim < 0)
    return {{1.0, 1}};
  if (!known[dim])
    return {{static_cast<double>(extents[dim]) / tile, tile}};
  SmallVector<std::pair<double, int64_t>, 2> pieces;
  if (extents[dim] / tile > 0)
    pieces.push_back({static_cast<double>(extents[dim] / tile), tile});
  if (extents[dim] % tile != 0)
    pieces.push_back({1.0, extents[dim] % tile});
  return pieces;
}

double Chooser::getStoreCost(const Tile &tile) const {
  unsigned out = coefficients.size() - 1;
  if (tile.vectorDim < 0 || isUnitStride(out, tile.vectorDim))
    return 1;
  for (unsigned slot = 0; slot < 2; ++slot)
    if (int64_t dim = tile.rowDims[slot]; dim >= 0 && isUnitStride(out, dim))
      if (int64_t rows = tile.rows[slot]; rows > 1 && rows <= width) {
        double cost = 2.0 * llvm::Log2_64_Ceil(rows) + 2.0 * width / rows;
        if (parallelPoints * elementBytes <= target.getL2Bytes())
          return cost;
        double bytes = rows * elementBytes, values = tile.vectors * tile.rows[0] * tile.rows[1];
        double lines = kLineBytes % (rows * elementBytes) == 0 ? 1 : 1 + (bytes - elementBytes) / kLineBytes;
        lines *= values * width / rows;
        return cost + kFarLine * std::max(0.0, lines - kLinesAtOnce) / values;
      }
  return 3.0 * width;
}

bool Chooser::splitsStream(const Tile &tile) const {
  for (unsigned operand = 0; operand < 2; ++operand) {
    bool readOnce = llvm::all_of(parallels, [&](unsigned dim) { return dependsOn(operand, dim) || extents[dim] == 1; });
    double bytes = elementBytes * reductionPoints * parallelPoints;
    for (unsigned slot = 0; slot < 2 && readOnce && bytes > target.getL2Bytes(); ++slot)
      if (tile.rows[slot] > 1 && dependsOn(operand, tile.rowDims[slot]))
        return true;
  }
  return false;
}

bool Chooser::settle(Tile &tile) const {
  auto [used, sums] = countRegisters(tile);
  int64_t registers = target.getVectorRegisters();
  if (used > (hasFewRegisters() ? registers : registers - 2) || sums > registers * 3 / 4)
    return false;
  if (isDot(tile) && splitsStream(tile))
    return false;
  tile.unrolls = taps > 1 && !spillsUnrolled(tile) && !isPadded(reductions.back(), tile);
  placeInCaches(tile);
  tile.cost = getCost(tile);
  return true;
}

double Chooser::getCost(Tile tile, int64_t chunk, bool unrolls) const {
  tile.unrolls = unrolls && taps > 1 && !spillsUnrolled(tile);
  if (chunk != tile.chunk) {
    Lines lines = hasSteps(tile) ? countTileLines(tile) : Lines(), part = lines;
    if (chunk > 0)
      placeSteps(part, chunk);
    if (chunk > 0 && part.isNear) {
      placeChunk(tile, lines, chunk);
    } else { // a chunk that the caches do not hold is loaded like the whole, and its sums besides
      placeWhole(tile, part);
      if (chunk > 0)
        tile.missCost += getSumCost(tile, lines, chunk);
    }
  }
  return getCost(tile);
}

double Chooser::getCost(Tile tile) const {
  if (countRegisters(tile).first == target.getVectorRegisters())
    tile.missCost += kNoSpareRegister;
  bool dot = isDot(tile);
  double steps = dot ? std::ceil(getExtent(tile.vectorDim) / width) / getExtent(tile.vectorDim) : 1;
  double cost = 0, vectorCount = 0;
  SmallVector<std::pair<double, int64_t>, 2> vectorPieces{{1.0, 1}};
  if (!dot && tile.vectorDim >= 0) {
    vectorPieces.clear();
    for (auto [count, elements] : getPieces(tile.vectorDim, tile.vectors * width)) {
      vectorPieces.push_back({count, static_cast<int64_t>(llvm::divideCeil(elements, width))});
      vectorCount += count * vectorPieces.back().second;
    }
  }
  for (auto [vectorTiles, vectors] : vectorPieces)
    for (auto [tiles0, rows0] : getPieces(tile.rowDims[0], tile.rows[0]))
      for (auto [tiles1, rows1] : getPieces(tile.rowDims[1], tile.rows[1])) {
        double count = vectorTiles * tiles0 * tiles1;
        cost += count * getStepCost(tile, vectors, rows0, rows1) * steps;
        double values = static_cast<double>(vectors * rows0 * rows1);
        cost += count * values * (dot ? 10 : getStoreCost(tile)) / reductionPoints;
      }
  for (unsigned dim : padded)
    if (isPadded(dim, tile))
      cost *= getMetPart(dim, tile);
  if (tile.unrolls)
    cost *= getUnrolledPart(tile);
  // Where units are panels, and the rows too few to cut, two threads have as much where panels are even in number.
  double rows = parallelPoints / getExtent(tile.vectorDim);
  if (tile.prepack && rows < 2 * kRowsPerFarPanel && factorBytes[tile.pack] > target.getL2Bytes() / 2) {
    int64_t panels = std::ceil(getExtent(tile.vectorDim) / (tile.vectors * width));
    cost *= 1 + kUneven * (llvm::alignTo(panels, 2) * tile.vectors * width / getExtent(tile.vectorDim) - 1);
  }
  // Dims that are plain loops multiply everything alike, except that they are different dims from tile to tile.
  double covered = getExtent(tile.rowDims[0]) * getExtent(tile.rowDims[1]) * (dot ? 1 : getExtent(tile.vectorDim));
  if (tile.prepack) // a second copy of the weight in memory should be worth it
    cost *= kPrepackMargin;
  else if (tile.pack >= 0) {
    double rows = getExtent(tile.rowDims[0]) * getExtent(tile.rowDims[1]);
    cost += vectorCount * getPackCost(tile.pack, tile) * std::ceil(rows / kRowsPerPanel);
  }
  cost /= covered;
  for (unsigned factor = 0; factor < 2; ++factor)
    if (!dot && !(tile.prepack && tile.pack == static_cast<int64_t>(factor)))
      cost += coldCosts[factor];
  return cost;
}

double Chooser::getMetPart(unsigned reduction, const Tile &tile) const {
  double part = 1;
  for (const NonzeroRange &range : op.getNonzeroRanges()) {
    ArrayRef<int64_t> row = coefficients[range.factor][range.dimension];
    if (row[reduction] == 0 || !known[reduction])
      continue;
    int64_t dim = -1, others = 0;
    for (unsigned other = 0; other < row.size(); ++other)
      if (row[other] != 0 && other != reduction) {
        dim = other;
        ++others;
      }
    if (others != 1 || !known[dim] || op.isReduction(dim))
      continue;
    int64_t elements = dim == tile.rowDims[0] ? tile.rows[0] : dim == tile.rowDims[1] ? tile.rows[1] : 1;
    if (dim == tile.vectorDim)
      elements = tile.vectors * width;
    double met = 0;
    for (int64_t from = 0; from < extents[dim]; from += elements) {
      int64_t last = std::min(from + elements, extents[dim]) - 1, step = row[reduction];
      auto above = [&](int64_t value) { return llvm::divideCeilSigned(value, step); };
      int64_t low = std::max<int64_t>(0, above(range.first - row[dim] * last));
      int64_t high = std::min(extents[reduction], above(range.end - row[dim] * from));
      met += std::max<int64_t>(0, high - low) * (last + 1 - from);
    }
    part *= met / (static_cast<double>(extents[dim]) * extents[reduction]);
  }
  return part;
}

double Chooser::getUnrolledPart(const Tile &tile) const {
  for (unsigned slot = 0; slot < 2; ++slot)
    for (unsigned factor = 0; factor < 2; ++factor)
      if (int64_t dim = tile.rowDims[slot]; tile.rows[slot] > 1 && sharesIndex(factor, dim, reductions.back()))
        return getMetPart(reductions.back(), Tile());
  return 1;
}

bool Chooser::isPadded(unsigned reduction, const Tile &tile) const {
  bool unrolls = reduction == reductions.back() && taps > 1;
  return getMetPart(reduction, tile) <= 1 - (unrolls ? kLeastPaddingOfTaps : kLeastPadding);
}

bool Chooser::canPack(const Tile &tile) const {
  unsigned factor = tile.pack;
  if (!dependsOn(factor, tile.vectorDim) || dependsOn(factor, tile.rowDims[0]) || dependsOn(factor, tile.rowDims[1]))
    return false;
  return tile.prepack || getPanelBytes(factor, tile) <= target.getL2Bytes() * 3 / 4;
}
