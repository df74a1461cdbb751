//===- ContractSchedule.cpp - default schedules of contractions --------------------------------===//
//
// Enumerates vector dims and register tiles and takes the cheapest by a model of what one step of the reduction loads
// and multiplies; then cuts the kernel in units of parallel work. The rates are explained in
// docs/rationale/contractions.md.
//
//===----------------------------------------------------------------------===//
#include "Footprint.h"

#include "tenon/Dialect/IR/LinearMaps.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Schedule/Schedule.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

namespace {

/// Extent assumed for a dim that is not known.
constexpr int64_t kUnknownExtent = 256;
/// Rows over which a packed panel is used, at least where there are as many.
constexpr int64_t kRowsPerPanel = 128;
/// More rows of one factor may fall into one set of the first cache level than that has ways.
constexpr int64_t kMaxRows = 8;
/// Rows of so many bytes, and from so many pages on, are slow to read in place.
constexpr int64_t kLongRow = 2048, kManyPages = 64;
/// What reading a prepacked weight has to save.
constexpr double kPrepackMargin = 1.02;
/// Codes of a word that are taken apart in one turn of the loop.
constexpr int64_t kMaxWord = 16;
/// Second-level caches that a panel of decoded numbers may fill: the third level follows.
constexpr double kMaxDecoded = 4;
/// Rows that make up for decoding a panel of codes to memory first. With 32 registers most of what decodes in register
/// tiles runs beside the multiply-adds; with 16, its constants and parts of groups have no register left.
constexpr int64_t kDecodeRows = 64, kDecodeRowsFewRegisters = 4;
/// A reduction dim of more points is a loop.
constexpr int64_t kMaxUnroll = 9;
/// A reduction dim is worth a loop of its own where at least so much of it is padding.
constexpr double kLeastPadding = 0.06;
/// Multiply-adds of a sum, at least, that pay for loading it and storing it again.
constexpr int64_t kLeastChunkSteps = 64;
/// The part of the first cache level that one tile's chunk may fill: the next tile's is on its way.
constexpr double kChunkPart = 0.5;
/// Panels of a unit, at least, that read what a chunk has of the other factor.
constexpr int64_t kChunkPanels = 2;
/// Register tiles, at least, that read what a chunk keeps near.
constexpr int64_t kLeastChunkTiles = 4;
/// What registers that are all taken cost, in cycles a step.
constexpr double kNoSpareRegister = 0.3;
constexpr int64_t kRowsPerUnit = 32;
constexpr int64_t kMaxUnits = 64, kLeastUnits = 16;
/// Floating-point operations that make a unit worth its start.
constexpr double kUnitFlops = 5e5;

struct Tile {
  int64_t vectorDim = -1;
  int64_t vectors = 1;
  int64_t rowDims[2] = {-1, -1};
  int64_t rows[2] = {1, 1};
  int64_t pack = -1;    // factor, or none
  bool prepack = false; // at load, for a weight
  int64_t chunk = 0;    // of the first reduction dim; 0: all of it
  double cost = 0;
  // Cycles: of a panel's cache line, and, per step, of the other lines that come from the second cache level.
  double panelLine = 0, missCost = 0;
};

class Chooser {
public:
  Chooser(TileContractOp op, TargetAttr target, ArrayRef<bool> weights) : op(op), target(target), weights(weights) {
    for (AffineMap map : op.getMaps())
      coefficients.push_back(*getLinearCoefficients(map));
    for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
      auto [source, position] = op.getExtentSource(dim);
      int64_t size = cast<ShapedType>(source.getType()).getDimSize(position);
      known.push_back(!ShapedType::isDynamic(size));
      // The first of several dims is a batch as a rule, and mostly 1 where it is open.
      bool batch = source == op.getOut() && position == 0 && cast<ShapedType>(source.getType()).getRank() > 2;
      extents.push_back(known.back() ? std::max<int64_t>(size, 1) : batch ? 1 : kUnknownExtent);
      (op.isReduction(dim) ? reductions : parallels).push_back(dim);
    }
    for (unsigned dim : reductions)
      reductionPoints *= extents[dim];
    if (!reductions.empty() && known[reductions.back()] && extents[reductions.back()] <= kMaxUnroll)
      taps = extents[reductions.back()];
    width = target.getVectorElements(op.getAccumulatorType());
    for (unsigned dim : reductions)
      if (isPadded(dim, Tile()))
        padded.push_back(dim);
    bool open = llvm::any_of(parallels, [&](unsigned dim) { return !known[dim] && !dependsOn(1, dim); });
    decodesInTiles = op.hasDecode() && !open && countRows() < getLeastDecodeRows();
    elementBytes = std::max<int64_t>(1, getElementTypeOrSelf(op.getRhs().getType()).getIntOrFloatBitWidth() / 8);
  }

  ScheduleAttr choose() {
    best.cost = std::numeric_limits<double>::max();
    for (unsigned dim : parallels)
      if (extents[dim] > 1 || parallels.size() == 1)
        tryVectorDim(dim);
    for (unsigned dim : reductions)
      if (isUnitStride(0, dim) && isUnitStride(1, dim))
        tryVectorDim(dim);
    if (best.cost == std::numeric_limits<double>::max())
      best = Tile();
    return build();
  }

private:
  bool dependsOn(unsigned operand, int64_t dim) const {
    return dim >= 0 && llvm::any_of(coefficients[operand], [&](ArrayRef<int64_t> row) { return row[dim] != 0; });
  }
  /// Elements between neighbours along `dim` where the last index alone moves; 0 where others move too.
  int64_t getStep(unsigned operand, int64_t dim) const {
    int64_t step = 0;
    for (auto [position, row] : llvm::enumerate(coefficients[operand])) {
      if (row[dim] == 0)
        continue;
      if (position + 1 != coefficients[operand].size())
        return 0;
      step = row[dim];
    }
    return step;
  }
  bool isUnitStride(unsigned operand, int64_t dim) const { return getStep(operand, dim) == 1; }

  /// Bytes from one step of the innermost reduction dim of `operand` to the next; 0 where that is not known.
  int64_t getRowBytes(unsigned operand) const {
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

  /// Bytes of one panel of `factor`: all reduction steps of a register tile's lanes.
  double getPanelBytes(unsigned factor, const Tile &tile) const {
    double points = 1;
    for (unsigned dim : reductions)
      if (dependsOn(factor, dim))
        points *= extents[dim];
    return points * tile.vectors * width * elementBytes;
  }

  /// Whether each element of a weight is read once: then it comes from memory, and what the prefetchers make of its
  /// order counts.
  bool isStreamed(unsigned operand) const {
    return weights[operand] && reductionPoints >= 64 &&
           llvm::all_of(parallels, [&](unsigned dim) { return dependsOn(operand, dim) || extents[dim] == 1; });
  }

  /// Cost of one vector of `operand` along `dim`, in loads.
  double getVectorCost(unsigned operand, const Tile &tile) const {
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

  /// Cost of copying one vector to a panel.
  double getPackCost(unsigned operand, const Tile &tile) const {
    int64_t step = getStep(operand, tile.vectorDim);
    if (step != 0) { // what it takes to read in place, once, all lines of a row together, and a store
      Tile inPlace = tile;
      inPlace.pack = -1;
      return getVectorCost(operand, inPlace) / 2 + 2;
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

  /// What a vector read in place costs beside the multiply-adds. Where taps move it, it lies across two cache lines
  /// more often than not, which takes two loads.
  double getInPlaceCost(unsigned operand, const Tile &tile) const {
    bool moved = llvm::any_of(reductions, [&](unsigned dim) { return sharesIndex(operand, tile.vectorDim, dim); });
    return moved && target.getVectorRegisters() <= 16 ? 0.3 : 0.1;
  }

  bool isDot(const Tile &tile) const { return tile.vectorDim >= 0 && op.isReduction(tile.vectorDim); }

  /// Cycles of one reduction step of a tile with `vectors` vectors and these rows.
  double getStepCost(const Tile &tile, int64_t vectors, int64_t rows0, int64_t rows1) const {
    double multiplies = static_cast<double>(vectors * rows0 * rows1), loads = 0, besides = 0;
    for (unsigned operand = 0; operand < 2; ++operand) {
      double count =
          (dependsOn(operand, tile.rowDims[0]) ? rows0 : 1) * (dependsOn(operand, tile.rowDims[1]) ? rows1 : 1);
      bool lanes = dependsOn(operand, tile.vectorDim);
      if (lanes)
        count *= vectors * getVectorCost(operand, tile);
      loads += count;
      // Loads are never quite free beside the multiply-adds, least of all whole lines of a panel.
      bool panel =
          lanes && tile.pack == static_cast<int64_t>(operand) && (tile.prepack || target.getVectorRegisters() <= 16);
      besides += count * (panel   ? tile.panelLine * width * elementBytes / kLineBytes
                          : lanes ? getInPlaceCost(operand, tile)
                                  : 0.03);
    }
    besides += tile.missCost;
    // Two multiply-adds and two loads a cycle; a multiply-add waits four cycles for the one before it. A loop costs
    // most of a cycle a turn.
    double turn = target.getVectorRegisters() > 16 ? 0.7 : 0.4;
    bool loops = spillsUnrolled(tile);
    if (loops && taps == 2) // LLVM unrolls a loop of two turns itself, and spills
      turn += 4;
    return std::max({multiplies / 2, 4.0, loads / 2}) + besides + turn / (loops ? 1 : taps);
  }

  /// Cuts the first reduction dim in chunks where a tile reads more than the first cache level holds, and finds what
  /// lines from further away cost.
  void placeInCaches(Tile &tile) const {
    tile.panelLine = 0.3;
    tile.missCost = 0;
    tile.chunk = 0;
    if (reductions.empty() || isDot(tile) || !known[reductions.front()])
      return;
    unsigned outer = reductions.front();
    TileShape shape;
    shape.outer = outer;
    shape.counts.assign(op.getNumLoops(), 1);
    int64_t inner = 1;
    for (unsigned dim : reductions)
      if (dim != outer)
        inner *= shape.counts[dim] = extents[dim];
    for (unsigned slot = 0; slot < 2; ++slot)
      if (tile.rowDims[slot] >= 0)
        shape.counts[tile.rowDims[slot]] = tile.rows[slot];
    if (tile.vectorDim >= 0)
      shape.counts[tile.vectorDim] = std::min(extents[tile.vectorDim], tile.vectors * width);
    double panel = 0, others = 0; // lines per step of the first reduction dim
    for (unsigned operand = 0; operand < 2; ++operand) {
      if (tile.pack == static_cast<int64_t>(operand))
        panel = getPanelBytes(operand, tile) / extents[outer] / kLineBytes;
      else
        others += countLines(coefficients[operand], cast<ShapedType>(op->getOperand(operand).getType()).getShape(),
                             shape, elementBytes);
    }
    double stepBytes = (panel + others) * kLineBytes, bytes = stepBytes * extents[outer];
    bool fewRegisters = target.getVectorRegisters() <= 16;
    if (bytes <= target.getL1Bytes())
      return;
    bool isFar = bytes > target.getL2Bytes() / 2;
    // Narrow vectors leave less time for each line.
    tile.panelLine = fewRegisters || isFar ? 1 : 0.3;
    tile.missCost = others / inner * (isFar ? 3 : fewRegisters ? 0.5 : 0.2);
    int64_t chunk = llvm::bit_floor(static_cast<uint64_t>(std::max(1.0, target.getL1Bytes() * kChunkPart / stepBytes)));
    chunk = std::max<int64_t>(chunk, llvm::PowerOf2Ceil(llvm::divideCeil(kLeastChunkSteps, inner)));
    double tiles = 1; // that read the same panel
    for (unsigned dim : parallels)
      if (dim != static_cast<unsigned>(tile.vectorDim))
        tiles *= std::ceil(static_cast<double>(extents[dim]) / shape.counts[dim]);
    bool open = llvm::any_of(parallels, [&](unsigned dim) { return !known[dim]; });
    bool packsAtRun = tile.pack >= 0 && !tile.prepack;
    if (open || packsAtRun || op.hasDecode() || tile.vectorDim < 0 || tiles < kLeastChunkTiles ||
        chunk * 2 > extents[outer] || chunk * stepBytes > target.getL2Bytes() / 4)
      return;
    tile.chunk = chunk;
    tile.panelLine = 0.3;
    // The sums are loaded and stored again: one cycle each.
    double sums = static_cast<double>(tile.vectors * tile.rows[0] * tile.rows[1]);
    tile.missCost = sums / (chunk * inner) + others / inner * (fewRegisters ? 1 : 0.3);
  }

  /// Vector registers that a tile takes, and its accumulators.
  std::pair<int64_t, int64_t> countRegisters(const Tile &tile) const {
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
    if (hasPartialVector(tile) && target.getVectorRegisters() <= 16)
      ++used; // the mask
    return {used, sums};
  }

  /// Whether the last vector is masked.
  bool hasPartialVector(const Tile &tile) const {
    return tile.vectorDim >= 0 && known[tile.vectorDim] &&
           !llvm::isPowerOf2_64(std::max<int64_t>(1, extents[tile.vectorDim] % width));
  }

  bool fitsRegisters(const Tile &tile) const {
    auto [used, sums] = countRegisters(tile);
    int64_t registers = target.getVectorRegisters();
    return used <= (registers > 16 ? registers - 2 : registers) && sums <= registers * 3 / 4;
  }

  /// Whether taps, once unrolled, ask for many more registers than there are: neighbouring taps read the same elements,
  /// which LLVM loads once and keeps.
  bool spillsUnrolled(const Tile &tile) const {
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
    return live > target.getVectorRegisters() + 4;
  }

  /// Whether two dims move one index of `operand`.
  bool sharesIndex(unsigned operand, int64_t a, int64_t b) const {
    return llvm::any_of(coefficients[operand], [&](ArrayRef<int64_t> row) { return row[a] != 0 && row[b] != 0; });
  }

  /// Pieces of an extent: whole tiles and what is left.
  SmallVector<std::pair<double, int64_t>, 2> getPieces(int64_t dim, int64_t tile) const {
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

  /// Cost of storing one vector whose lanes are far apart: lane by lane, or as blocks transposed with the rows.
  double getScatterCost(const Tile &tile) const {
    for (unsigned slot = 0; slot < 2; ++slot)
      if (int64_t dim = tile.rowDims[slot]; dim >= 0 && isUnitStride(coefficients.size() - 1, dim))
        if (int64_t rows = tile.rows[slot]; rows > 1 && rows <= width)
          return 2.0 * llvm::Log2_64_Ceil(rows) + 2.0 * width / rows;
    return 3.0 * width;
  }

  double getExtent(int64_t dim) const { return dim < 0 ? 1 : extents[dim]; }

  void evaluate(Tile tile) {
    if (!fitsRegisters(tile))
      return;
    placeInCaches(tile);
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
          bool scattered = !dot && tile.vectorDim >= 0 && !isUnitStride(coefficients.size() - 1, tile.vectorDim);
          cost += count * values * (dot ? 10 : scattered ? getScatterCost(tile) : 1) / reductionPoints;
        }
    for (unsigned dim : padded)
      if (double part = getMetPart(dim, tile); part <= 1 - kLeastPadding)
        cost *= part;
    // Dims that are plain loops multiply everything alike, except that they are different dims from tile to tile.
    double covered = getExtent(tile.rowDims[0]) * getExtent(tile.rowDims[1]) * (dot ? 1 : getExtent(tile.vectorDim));
    if (tile.prepack) // a second copy of the weight in memory should be worth it
      cost *= kPrepackMargin;
    else if (tile.pack >= 0) {
      double rows = getExtent(tile.rowDims[0]) * getExtent(tile.rowDims[1]);
      cost += vectorCount * getPackCost(tile.pack, tile) * std::ceil(rows / kRowsPerPanel);
    }
    tile.cost = cost / covered;
    if (tile.cost < best.cost * 0.999)
      best = tile;
  }

  void tryVectorDim(unsigned vectorDim) {
    SmallVector<int64_t> candidates{-1};
    for (unsigned dim : parallels)
      if (dim != vectorDim && extents[dim] > 1)
        candidates.push_back(dim);
    for (size_t i = 0; i < candidates.size(); ++i)
      for (size_t j = i == 0 ? 0 : i + 1; j < candidates.size(); ++j) {
        Tile tile;
        tile.vectorDim = vectorDim;
        tile.rowDims[0] = candidates[i];
        tile.rowDims[1] = i == 0 && j == 0 ? -1 : candidates[j];
        tryRows(tile);
      }
  }

  void tryRows(Tile tile) {
    bool dot = isDot(tile);
    auto limit = [&](int64_t dim) { return dim < 0 ? 1 : std::min(extents[dim], kMaxRows); };
    // Codes, scales and sums of more vectors than four would not fit the registers.
    int64_t maxVectors = dot ? 1 : tile.rowDims[0] < 0 && tile.rowDims[1] < 0 && !op.hasDecode() ? 8 : 4;
    for (tile.vectors = 1; tile.vectors <= maxVectors; ++tile.vectors) {
      if (!dot && tile.vectors > 1 && (tile.vectors - 1) * width >= extents[tile.vectorDim])
        break;
      for (tile.rows[0] = 1; tile.rows[0] <= limit(tile.rowDims[0]); ++tile.rows[0])
        for (tile.rows[1] = 1; tile.rows[1] <= limit(tile.rowDims[1]); ++tile.rows[1]) {
          if (tile.vectors * tile.rows[0] * tile.rows[1] > target.getVectorRegisters() * 3 / 4)
            break;
          // Tails of open extents are halves of halves.
          auto suits = [&](int64_t dim, int64_t count) { return dim < 0 || known[dim] || llvm::isPowerOf2_64(count); };
          if (!suits(tile.rowDims[0], tile.rows[0]) || !suits(tile.rowDims[1], tile.rows[1]))
            continue;
          tile.pack = -1;
          tile.prepack = false;
          evaluate(tile);
          for (tile.pack = 0; !dot && tile.pack < 2; ++tile.pack) {
            tile.prepack = weights[tile.pack] && canPrepack(op, tile.pack);
            if (canPack(tile))
              evaluate(tile);
          }
        }
    }
  }

  bool canPack(const Tile &tile) const {
    unsigned factor = tile.pack;
    if (!dependsOn(factor, tile.vectorDim) || dependsOn(factor, tile.rowDims[0]) || dependsOn(factor, tile.rowDims[1]))
      return false;
    return tile.prepack || getPanelBytes(factor, tile) <= target.getL2Bytes() * 3 / 4;
  }

  /// Whether reduction dim `dim` shares an index with a row dim of several rows: its taps then read the same elements.
  bool sharesRows(int64_t dim) const {
    for (unsigned operand = 0; operand < 2; ++operand)
      for (unsigned slot = 0; slot < 2; ++slot)
        if (best.rowDims[slot] >= 0 && best.rows[slot] > 1 && sharesIndex(operand, best.rowDims[slot], dim))
          return true;
    return false;
  }

  /// The part of reduction dim `reduction` that register tiles meet, the rest being padding: 1 where nothing is known.
  double getMetPart(unsigned reduction, const Tile &tile) const {
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
  bool isPadded(unsigned reduction, const Tile &tile) const { return getMetPart(reduction, tile) <= 1 - kLeastPadding; }
  /// Whether units that cut `dim` would not know any more where the padding is.
  bool bearsPadding(int64_t dim) const {
    for (const NonzeroRange &range : op.getNonzeroRanges())
      for (unsigned reduction : padded)
        if (coefficients[range.factor][range.dimension][dim] != 0 &&
            coefficients[range.factor][range.dimension][reduction] != 0 && isPadded(reduction, best))
          return true;
    return false;
  }

  /// Rows alone in one factor and nothing to reuse of the other (a depthwise filter): all taps are unrolled, so that
  /// each element is loaded once for all rows and taps that read it.
  bool isDepthwise() const {
    if (best.vectorDim < 0 || isDot(best))
      return false;
    for (unsigned operand = 0; operand < 2; ++operand)
      if (!dependsOn(operand, best.vectorDim) && !dependsOn(operand, best.rowDims[0]) &&
          !dependsOn(operand, best.rowDims[1]))
        return llvm::any_of(reductions, [&](unsigned dim) { return sharesRows(dim); });
    return false;
  }

  /// Whether a dim of the register tile has an open extent: the code is there several times then, for all sorts of
  /// tails.
  bool hasOpenTile() const {
    return llvm::any_of(ArrayRef<int64_t>{best.vectorDim, best.rowDims[0], best.rowDims[1]},
                        [&](int64_t dim) { return dim >= 0 && !known[dim]; });
  }

  SmallVector<int64_t> getUnroll() {
    SmallVector<int64_t> unroll;
    int64_t registers = target.getVectorRegisters();
    if (isDepthwise() && reductionPoints <= 64 && best.chunk == 0) {
      int64_t limit = (registers > 16 ? 800 : 320) / (hasOpenTile() ? 4 : 1);
      bool all = llvm::all_of(reductions, [&](unsigned dim) { return known[dim]; });
      int64_t *rows = best.rowDims[0] >= 0 && best.rows[0] > 1 ? &best.rows[0] : &best.rows[1];
      if (all) {
        while (*rows > 2 && reductionPoints * best.vectors * best.rows[0] * best.rows[1] > limit)
          *rows = hasOpenTile() ? *rows / 2 : *rows - 1;
        return SmallVector<int64_t>(reductions.begin(), reductions.end());
      }
    }
    if (op.hasDecode()) {
      // The numbers in a word are taken out of a register, each by a shift of its own.
      for (unsigned dim : reductions)
        if (known[dim] && extents[dim] <= kMaxWord && !dependsOn(1, dim))
          unroll.push_back(dim);
      return unroll;
    }
    if (spillsUnrolled(best))
      return unroll;
    int64_t budget =
        (registers > 16 ? 160 : 128) / (hasOpenTile() ? 2 : 1) / (best.vectors * best.rows[0] * best.rows[1]);
    for (int64_t dim : llvm::reverse(reductions)) {
      if (dim == best.vectorDim)
        continue;
      if (best.chunk > 0 && dim == reductions.front())
        break;
      if (!known[dim] || extents[dim] > kMaxUnroll || extents[dim] > budget || (!unroll.empty() && sharesRows(dim)) ||
          (llvm::is_contained(padded, dim) && isPadded(dim, best)))
        break;
      budget /= extents[dim];
      unroll.push_back(dim);
    }
    llvm::sort(unroll);
    return unroll;
  }

  /// Rows of the register tile along a dim other than the vector dim.
  int64_t getRows(int64_t dim) const {
    return dim == best.rowDims[0] ? best.rows[0] : dim == best.rowDims[1] ? best.rows[1] : 1;
  }

  /// In how many of `units` pieces to cut the vector dim, so that units read little in all: each factor is read once
  /// for each piece of the dims that it does not move with.
  int64_t getLanePieces(unsigned lanes, double units) const {
    double bytes[2] = {1, 1};
    for (unsigned factor = 0; factor < 2; ++factor)
      for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
        if (dependsOn(factor, dim) && (!op.isReduction(dim) || dependsOn(lanes, dim)))
          bytes[factor] *= extents[dim];
    int64_t most = std::max<int64_t>(1, extents[best.vectorDim] / (kChunkPanels * best.vectors * width)), pieces = 1;
    auto getTraffic = [&](int64_t count) { return bytes[lanes] * std::ceil(units / count) + bytes[1 - lanes] * count; };
    for (int64_t count = 2; count <= std::min<int64_t>(most, std::ceil(units)); ++count)
      if (getTraffic(count) < getTraffic(pieces))
        pieces = count;
    return pieces;
  }

  /// Cuts the parallel dims until there are enough units of enough work.
  SmallVector<int64_t> getParallel() const {
    SmallVector<int64_t> tiles(op.getNumLoops(), 0);
    double flops = 2.0 * reductionPoints;
    for (unsigned dim : parallels)
      flops *= extents[dim];
    double wanted = std::min<double>(kMaxUnits, flops / kUnitFlops), units = 1;
    if (best.chunk > 0) { // what lies in memory between two chunks stays near
      double bytes = flops / 2 / reductionPoints * op.getAccumulatorType().getIntOrFloatBitWidth() / 8;
      wanted = std::max(std::min<double>(wanted, kLeastUnits), bytes * 4 / target.getL2Bytes());
    }
    if (llvm::any_of(parallels, [&](unsigned dim) { return !known[dim]; }))
      wanted = std::max<double>(wanted, kLeastUnits); // it may be more than assumed
    auto cut = [&](int64_t dim, int64_t granule, int64_t step) {
      if (wanted <= units * 1.5 || bearsPadding(dim))
        return;
      int64_t pieces = std::ceil(wanted / units);
      int64_t tile = std::max<int64_t>(granule, llvm::alignTo(llvm::divideCeil(extents[dim], pieces), granule));
      if (known[dim])
        tile = llvm::alignTo(llvm::divideCeil(extents[dim], llvm::divideCeil(extents[dim], tile)), step);
      if (known[dim] && tile * 4 >= extents[dim] * 3) // no unit for a few rows
        return;
      tiles[dim] = tile;
      units *= llvm::divideCeil(extents[dim], tile);
    };
    if (best.chunk > 0) {
      unsigned lanes = dependsOn(1, best.vectorDim) ? 1 : 0; // the factor that moves with the lanes
      for (unsigned dim : parallels)
        if (static_cast<int64_t>(dim) != best.vectorDim && dependsOn(lanes, dim) && dependsOn(1 - lanes, dim))
          cut(dim, 1, 1);
      int64_t pieces = getLanePieces(lanes, wanted / units), granule = kChunkPanels * best.vectors * width;
      double all = wanted;
      wanted = units * pieces;
      cut(best.vectorDim, granule, best.vectors * width);
      wanted = all;
      for (unsigned dim : parallels)
        if (tiles[dim] == 0 && static_cast<int64_t>(dim) != best.vectorDim)
          for (int64_t rows = getRows(dim); rows > 0; rows = 0)
            cut(dim, rows, rows);
      return tiles;
    }
    for (unsigned dim : parallels)
      if (dim != best.vectorDim && dim != best.rowDims[0] && dim != best.rowDims[1])
        cut(dim, 1, 1);
    // Rows in good numbers, so that what a unit reads of the other factor is used often; fewer only where units lack.
    bool copies = (best.pack >= 0 && !best.prepack) || getDecodeRows() > 0;
    for (int64_t least : {copies ? kRowsPerPanel : kRowsPerUnit, int64_t(1)}) {
      if (least == 1 && units >= kLeastUnits)
        break;
      // A panel is copied once per unit that uses it: fewer columns rather than fewer rows.
      if (copies)
        cut(best.vectorDim, best.vectors * width, best.vectors * width);
      for (unsigned slot = 0; slot < 2; ++slot)
        if (int64_t dim = best.rowDims[slot]; dim >= 0 && tiles[dim] == 0)
          cut(dim, best.rows[slot] * std::max<int64_t>(1, least / best.rows[slot]), best.rows[slot]);
      if (best.vectorDim >= 0 && !isDot(best) && tiles[best.vectorDim] == 0)
        cut(best.vectorDim, best.vectors * width, best.vectors * width);
    }
    return tiles;
  }

  int64_t getLeastDecodeRows() const {
    return target.getVectorRegisters() > 16 ? kDecodeRows : kDecodeRowsFewRegisters;
  }
  /// How often an element of rhs is read.
  int64_t countRows() const {
    int64_t rows = 1;
    for (unsigned dim : parallels)
      if (!dependsOn(1, dim))
        rows *= extents[dim];
    return rows;
  }

  /// From how many rows on panels of codes are decoded once.
  int64_t getDecodeRows() const {
    if (!op.hasDecode() || best.vectorDim < 0 || isDot(best) || !dependsOn(1, best.vectorDim))
      return 0;
    double bytes = static_cast<double>(reductionPoints) * best.vectors * target.getVectorBits() / 8;
    if (bytes > kMaxDecoded * target.getL2Bytes())
      return 0;
    int64_t least = getLeastDecodeRows();
    bool open = llvm::any_of(parallels, [&](unsigned dim) { return !known[dim] && !dependsOn(1, dim); });
    for (unsigned slot = 0; slot < 2; ++slot)
      if (best.rowDims[slot] >= 0 && best.rows[slot] > 1 && dependsOn(1, best.rowDims[slot]))
        return 0;
    return open ? least : countRows() >= least ? 1 : 0;
  }

  ScheduleAttr build() {
    SmallVector<int64_t> registers(op.getNumLoops(), 1), cache, pack, prepack;
    bool vector = best.vectorDim >= 0;
    SmallVector<int64_t> unroll = getUnroll(); // may lower the number of rows
    if (vector)
      registers[best.vectorDim] = best.vectors * width;
    for (unsigned slot = 0; slot < 2; ++slot)
      if (best.rowDims[slot] >= 0)
        registers[best.rowDims[slot]] = best.rows[slot];
    if (best.chunk > 0) {
      cache.assign(op.getNumLoops(), 0);
      cache[reductions.front()] = best.chunk;
    }
    if (best.pack >= 0)
      (best.prepack ? prepack : pack).push_back(best.pack);
    return ScheduleAttr::get(op.getContext(), /*version=*/1, "contract", getParallel(), cache, {}, registers, unroll,
                             pack, prepack, best.vectorDim, vector ? width : 1, getDecodeRows());
  }

  mutable TileContractOp op; // an op handle has no const accessors
  TargetAttr target;
  ArrayRef<bool> weights; // per factor
  SmallVector<SmallVector<SmallVector<int64_t>>> coefficients;
  SmallVector<int64_t> extents;
  SmallVector<bool> known;
  SmallVector<unsigned> parallels, reductions;
  SmallVector<unsigned> padded; // reduction dims of which a part worth leaving out is padding, with tiles of one row
  int64_t reductionPoints = 1, width = 1, elementBytes = 4;
  bool decodesInTiles = false; // every register tile, for certain
  int64_t taps = 1;            // of the innermost reduction, where it is short enough to be unrolled
  Tile best;
};

} // namespace

bool tenon::canPrepack(TileContractOp op, unsigned factor) {
  auto type = cast<ShapedType>(op->getOperand(factor).getType());
  return type.hasStaticShape() && type.getNumElements() > 0 && op.getMaps()[factor].isProjectedPermutation();
}

ScheduleAttr tenon::getDefaultSchedule(TileContractOp op, TargetAttr target, ArrayRef<bool> weights) {
  return Chooser(op, target, weights).choose();
}
