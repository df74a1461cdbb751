//===- ContractSchedule.cpp - default schedules of contractions --------------------------------===//
//
// Enumerates vector dims and register tiles and takes the cheapest by a model of what one step of the reduction loads
// and multiplies; then cuts the kernel in units of parallel work. The rates are explained in
// docs/rationale/contractions.md.
//
//===----------------------------------------------------------------------===//
#include "ContractChooser.h"
#include "tenon/Schedule/Schedule.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::schedule;

namespace {
/// Extent assumed for a dim that is not known.
constexpr int64_t kUnknownExtent = 256;
/// More rows of one factor may fall into one set of the first cache level than that has ways.
constexpr int64_t kMaxRows = 8;
/// Codes of a word that are taken apart in one turn of the loop.
constexpr int64_t kMaxWord = 16;
/// Second-level caches that a panel of decoded numbers may fill: the third level follows.
constexpr double kMaxDecoded = 4;
/// Rows that make up for decoding a panel of codes to memory first. With 32 registers most of what decodes in register
/// tiles runs beside the multiply-adds; with 16, its constants and parts of groups have no register left.
constexpr int64_t kDecodeRows = 64, kDecodeRowsFewRegisters = 4;
/// A reduction dim of more points is a loop.
constexpr int64_t kMaxUnroll = 9;
/// Panels of a unit, at least, that read what a chunk has of the other factor, where they are narrow.
constexpr int64_t kChunkPanels = 2;
constexpr int64_t kRowsPerUnit = 32;
/// What reading a factor again costs that stays in the second cache level, beside one that comes from further away,
/// with many registers.
constexpr double kNearPart = 0.25;
/// Units that are enough where one more would read panels once more from afar, for few rows.
constexpr int64_t kFewUnits = 8;
constexpr int64_t kMaxUnits = 64, kLeastUnits = 16, kEvenUnits = 8;
/// Units in the second cache level, at least, of a weight that is read once.
constexpr double kUnitsOfCache = 8;
/// The part of the first cache level that a unit's own parts of the image may fill, and those that are copied at once:
/// the stores of a few kilobytes have ended when the first is read.
constexpr double kCopiedPart = 0.5, kCopiedAtOnce = 0.125;
/// Parts, at least, that share the padding that a unit fills once, where there are units enough.
constexpr int64_t kCopiesPerUnit = 4;
/// Floating-point operations that make a unit worth its start.
constexpr double kUnitFlops = 5e5;
} // namespace

Chooser::Chooser(TileContractOp op, TargetAttr target, ArrayRef<bool> weights, bool allOpen)
    : op(op), target(target), weights(weights) {
  for (AffineMap map : op.getMaps())
    coefficients.push_back(*getLinearCoefficients(map));
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
    auto [source, position] = op.getExtentSource(dim);
    int64_t size = cast<ShapedType>(source.getType()).getDimSize(position);
    known.push_back(!ShapedType::isDynamic(size) && (!allOpen || op.isReduction(dim)));
    // The first of several dims is a batch as a rule, and mostly 1 where it is open.
    bool batch = source == op.getOut() && position == 0 && cast<ShapedType>(source.getType()).getRank() > 2;
    extents.push_back(known.back() ? std::max<int64_t>(size, 1) : batch ? 1 : kUnknownExtent);
    (op.isReduction(dim) ? reductions : parallels).push_back(dim);
  }
  for (unsigned dim : reductions)
    reductionPoints *= extents[dim];
  for (unsigned dim : parallels)
    parallelPoints *= extents[dim];
  isOpen = llvm::any_of(parallels, [&](unsigned dim) { return !known[dim]; });
  inOrder = hasSumsAsOpen(op) || llvm::is_contained(known, false);
  if (!reductions.empty() && known[reductions.back()] && extents[reductions.back()] <= kMaxUnroll)
    taps = extents[reductions.back()];
  width = target.getVectorElements(op.getAccumulatorType());
  for (unsigned dim : reductions)
    if (isPadded(dim, Tile()))
      padded.push_back(dim);
  bool open = llvm::any_of(parallels, [&](unsigned dim) { return !known[dim] && !dependsOn(1, dim); });
  decodesInTiles = op.hasDecode() && !open && countRows() < getLeastDecodeRows();
  elementBytes = std::max<int64_t>(1, getElementTypeOrSelf(op.getRhs().getType()).getIntOrFloatBitWidth() / 8);
  for (unsigned factor = 0; factor < 2; ++factor) {
    factorBytes[factor] = getFactorBytes(factor);
    coldCosts[factor] = getColdCost(factor);
  }
  if (!allOpen)
    wantedDot = findWantedDot();
}

std::optional<bool> Chooser::findWantedDot() const {
  if (!hasSumsAsOpen(op))
    return std::nullopt;
  // Where one factor has no dims of its own, these were open and are 1 now rather than never there.
  auto hasOwn = [&](unsigned factor) {
    return llvm::any_of(parallels, [&](unsigned dim) { return dependsOn(factor, dim) && !dependsOn(1 - factor, dim); });
  };
  if (!hasOwn(0) || !hasOwn(1))
    return false;
  Chooser open(op, target, weights, /*allOpen=*/true);
  return open.isDot(open.chooseTile());
}

Tile Chooser::chooseTile() const {
  Tile best;
  best.cost = std::numeric_limits<double>::max();
  forEachTile([&](Tile tile) {
    // What can be packed once is not packed at each run.
    if (tile.pack >= 0 && !tile.prepack && canPrepack(tile.pack))
      return;
    if (settle(tile) && tile.cost < best.cost * 0.999)
      best = tile;
  });
  if (best.cost == std::numeric_limits<double>::max())
    return Tile();
  return best;
}

ScheduleAttr Chooser::choose(Tile *chosen) const {
  Tile tile = chooseTile();
  SmallVector<int64_t> unroll = getUnroll(tile);
  if (unrollsWindow(tile))
    lowerRows(tile);
  if (chosen)
    *chosen = tile;
  return build(tile, unroll, getParallel(tile), getDecodeRows(tile));
}

void Chooser::forEachTile(function_ref<void(Tile)> visit) const {
  if (wantedDot != true)
    for (unsigned dim : parallels)
      if (extents[dim] > 1 || parallels.size() == 1)
        tryVectorDim(dim, visit);
  if (wantedDot != false)
    for (unsigned dim : reductions)
      if (isUnitStride(0, dim) && isUnitStride(1, dim) && !op.isOfPhases(dim))
        tryVectorDim(dim, visit);
}

void Chooser::tryVectorDim(unsigned vectorDim, function_ref<void(Tile)> visit) const {
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
      tryRows(tile, visit);
    }
}

void Chooser::tryRows(Tile tile, function_ref<void(Tile)> visit) const {
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
        visit(tile);
        for (tile.pack = 0; !dot && tile.pack < 2; ++tile.pack)
          for (bool prepack : {true, false}) {
            tile.prepack = prepack;
            if ((!prepack || canPrepack(tile.pack)) && canPack(tile))
              visit(tile);
          }
      }
  }
}

bool Chooser::sharesRows(const Tile &tile, int64_t dim) const {
  for (unsigned operand = 0; operand < 2; ++operand)
    for (unsigned slot = 0; slot < 2; ++slot)
      if (tile.rowDims[slot] >= 0 && tile.rows[slot] > 1 && sharesIndex(operand, tile.rowDims[slot], dim))
        return true;
  return false;
}

bool Chooser::isDepthwise(const Tile &tile) const {
  if (tile.vectorDim < 0 || isDot(tile))
    return false;
  for (unsigned operand = 0; operand < 2; ++operand)
    if (!dependsOn(operand, tile.vectorDim) && !dependsOn(operand, tile.rowDims[0]) &&
        !dependsOn(operand, tile.rowDims[1]))
      return llvm::any_of(reductions, [&](unsigned dim) { return sharesRows(tile, dim); });
  return false;
}

bool Chooser::hasOpenTile(const Tile &tile) const {
  return llvm::any_of(ArrayRef<int64_t>{tile.vectorDim, tile.rowDims[0], tile.rowDims[1]},
                      [&](int64_t dim) { return dim >= 0 && !known[dim]; });
}

bool Chooser::unrollsWindow(const Tile &tile) const {
  return isDepthwise(tile) && reductionPoints <= 64 && tile.chunk == 0 &&
         llvm::all_of(reductions, [&](unsigned dim) { return known[dim]; });
}

int64_t Chooser::getMostUnrolled(const Tile &tile) const {
  return (hasFewRegisters() ? 320 : 800) / (hasOpenTile(tile) ? 4 : 1);
}

void Chooser::lowerRows(Tile &tile) const {
  int64_t *rows = tile.rowDims[0] >= 0 && tile.rows[0] > 1 ? &tile.rows[0] : &tile.rows[1];
  while (*rows > 2 && reductionPoints * tile.vectors * tile.rows[0] * tile.rows[1] > getMostUnrolled(tile))
    *rows = hasOpenTile(tile) ? *rows / 2 : *rows - 1;
}

SmallVector<int64_t> Chooser::getUnroll(const Tile &tile) const {
  SmallVector<int64_t> unroll;
  if (unrollsWindow(tile)) {
    // Windows that move along the lanes share no loads: a loop over them is shorter code and as fast. It is the outer
    // one, so sums in order do without.
    llvm::copy_if(reductions, std::back_inserter(unroll), [&](unsigned dim) {
      return !op.isOfPhases(dim) &&
             (inOrder || (!sharesIndex(0, tile.vectorDim, dim) && !sharesIndex(1, tile.vectorDim, dim)));
    });
    return unroll;
  }
  if (op.hasDecode()) {
    // The numbers in a word are taken out of a register, each by a shift of its own.
    for (unsigned dim : reductions)
      if (known[dim] && extents[dim] <= kMaxWord && !dependsOn(1, dim))
        unroll.push_back(dim);
    return unroll;
  }
  if (spillsUnrolled(tile) || op.isOfPhases(reductions.back())) // these are unrolled anyway
    return unroll;
  // The innermost dim alone: one more makes code longer, not faster.
  int64_t most =
      (hasFewRegisters() ? 128 : 160) / (hasOpenTile(tile) ? 2 : 1) / (tile.vectors * tile.rows[0] * tile.rows[1]);
  for (int64_t dim : llvm::reverse(reductions)) {
    if (dim == tile.vectorDim)
      continue;
    bool isLoop =
        (tile.chunk > 0 && dim == reductions.front()) || (llvm::is_contained(padded, dim) && isPadded(dim, tile));
    if (known[dim] && extents[dim] <= std::min(most, kMaxUnroll) && !isLoop)
      unroll.push_back(dim);
    break;
  }
  return unroll;
}

int64_t Chooser::getLeastPanels(const Tile &tile) const {
  return tile.chunk > 0 && hasFewRegisters() ? kChunkPanels : 1;
}

int64_t Chooser::getLanePieces(const Tile &tile, unsigned lanes, double units) const {
  int64_t most = std::max<int64_t>(1, extents[tile.vectorDim] / (getLeastPanels(tile) * tile.vectors * width)),
          pieces = 1;
  double other = factorBytes[1 - lanes];
  if (!hasFewRegisters() && other <= target.getL2Bytes() / 2)
    other *= kNearPart;
  auto getTraffic = [&](int64_t count) { return factorBytes[lanes] * std::ceil(units / count) + other * count; };
  for (int64_t count = 2; count <= std::min<int64_t>(most, std::ceil(units)); ++count)
    if (getTraffic(count) < getTraffic(pieces))
      pieces = count;
  return pieces;
}

double Chooser::getUnits(const Tile &tile) const {
  double wanted = std::min<double>(kMaxUnits, 2 * reductionPoints * parallelPoints / kUnitFlops);
  if (tile.chunk > 0) { // what lies in memory between two chunks stays near
    double bytes = parallelPoints * op.getAccumulatorType().getIntOrFloatBitWidth() / 8;
    wanted = std::max(std::min<double>(wanted, kLeastUnits), bytes * 4 / target.getL2Bytes());
  }
  if (isOpen)
    wanted = std::max<double>(wanted, kLeastUnits); // it may be more than assumed
  // One row times a weight: in a loop, what the step before read last is still in the second cache level.
  if (tile.prepack && tile.vectorDim >= 0 && parallelPoints == extents[tile.vectorDim])
    wanted =
        std::max(wanted, std::min<double>(kMaxUnits, factorBytes[tile.pack] * kUnitsOfCache / target.getL2Bytes()));
  return wanted;
}

int64_t Chooser::countOwn(const OwnIndex &own, double part) const {
  int64_t elements = cast<ShapedType>(op->getOperand(own.factor).getType()).getNumElements();
  int64_t bytes = std::max<int64_t>(1, elements / own.size) * elementBytes;
  return std::clamp<int64_t>(target.getL1Bytes() * part / bytes, 1, own.size);
}

SmallVector<int64_t> Chooser::getParallel(const Tile &tile, std::optional<double> wantedUnits) const {
  SmallVector<int64_t> tiles(op.getNumLoops(), 0);
  if (std::optional<OwnIndex> own = findOwnCopy(op)) { // as much of the copy as stays near
    int64_t most = countOwn(*own, kCopiedPart);
    most = std::max(most, std::min(own->size / kLeastUnits, kCopiesPerUnit * most));
    if (wantedUnits)
      most = std::ceil(own->size / *wantedUnits);
    bool lanes = static_cast<int64_t>(own->dim) == tile.vectorDim;
    tiles[own->dim] =
        llvm::alignTo(std::clamp<int64_t>(most, 1, own->size), lanes ? tile.vectors * width : getRows(tile, own->dim));
    return tiles;
  }
  double wanted = wantedUnits.value_or(getUnits(tile)), units = 1;
  auto cutTo = [&](double wanted, int64_t dim, int64_t granule, int64_t step) {
    if (wanted <= units * 1.5)
      return;
    auto getSize = [&](int64_t pieces) {
      int64_t size = std::max<int64_t>(granule, llvm::alignTo(llvm::divideCeil(extents[dim], pieces), granule));
      if (known[dim])
        size = llvm::alignTo(llvm::divideCeil(extents[dim], llvm::divideCeil(extents[dim], size)), step);
      return size;
    };
    int64_t pieces = std::ceil(wanted / units), size = getSize(pieces);
    // Of few units two threads should have as much: three would leave one thread waiting.
    auto getHalf = [&](int64_t size) { return llvm::divideCeil(llvm::divideCeil(extents[dim], size), 2) * size; };
    if (known[dim] && units == 1 && llvm::divideCeil(extents[dim], size) < kEvenUnits)
      for (int64_t more = pieces + 1; more <= pieces + kEvenUnits; ++more)
        if (getHalf(getSize(more)) * 20 < getHalf(size) * 19)
          size = getSize(more);
    auto leavesFew = [&] { return known[dim] && size * 4 >= extents[dim] * 3; };
    while (leavesFew() && size > granule)
      size = getSize(++pieces);
    if (leavesFew()) // no unit for a few rows
      return;
    tiles[dim] = size;
    units *= llvm::divideCeil(extents[dim], size);
  };
  auto cut = [&](int64_t dim, int64_t granule, int64_t step) { cutTo(wanted, dim, granule, step); };
  // Windows: whole lines of the image, a few of them, are read and written as they lie in memory; where vectors run
  // along the lines, if other dims read the image again.
  bool byLines = tile.vectorDim >= 0 && !slides(tile.vectorDim);
  auto *line = llvm::find_if(parallels, [&](unsigned dim) { return slides(dim); });
  bool hasLines = tile.vectorDim >= 0 && line != parallels.end() && static_cast<int64_t>(*line) != tile.vectorDim &&
                  (byLines || isReadAgain(dependsOn(0, *line) ? 0 : 1));
  if (tile.chunk > 0 || tile.prepack) {                    // a panel is read for as many rows as there are
    unsigned lanes = dependsOn(1, tile.vectorDim) ? 1 : 0; // the factor that moves with the lanes
    double rows = 1;
    for (unsigned dim : parallels)
      if (static_cast<int64_t>(dim) != tile.vectorDim) {
        if (dependsOn(lanes, dim) && dependsOn(1 - lanes, dim))
          cut(dim, 1, 1);
        else
          rows *= extents[dim];
      }
    if (byLines || !hasLines)
      cutTo(units * getLanePieces(tile, lanes, wanted / units), tile.vectorDim,
            getLeastPanels(tile) * tile.vectors * width, tile.vectors * width);
    if (factorBytes[lanes] > target.getL2Bytes() / 2)
      wanted = std::min(wanted, std::max<double>(kFewUnits, units * std::floor(rows / kRowsPerFarPanel)));
  }
  for (unsigned dim : parallels)
    if (dim != tile.vectorDim && dim != tile.rowDims[0] && dim != tile.rowDims[1] && tiles[dim] == 0)
      cut(dim, 1, 1);
  if (hasLines && tiles[*line] == 0)
    cut(*line, getRows(tile, *line), getRows(tile, *line));
  // Rows in good numbers, so that what a unit reads of the other factor is used often; fewer only where units lack.
  bool copies = (tile.pack >= 0 && !tile.prepack) || getDecodeRows(tile) > 0;
  for (int64_t least : {copies ? kRowsPerPanel : kRowsPerUnit, int64_t(1)}) {
    if (least == 1 && units >= kLeastUnits)
      break;
    // A panel is copied once per unit that uses it: fewer columns rather than fewer rows.
    if (copies)
      cut(tile.vectorDim, tile.vectors * width, tile.vectors * width);
    for (unsigned slot = 0; slot < 2; ++slot)
      if (int64_t dim = tile.rowDims[slot]; dim >= 0 && tiles[dim] == 0 && (least == 1 || !byLines || !slides(dim)))
        cut(dim, tile.rows[slot] * std::max<int64_t>(1, least / tile.rows[slot]), tile.rows[slot]);
    if (tile.vectorDim >= 0 && !isDot(tile) && tiles[tile.vectorDim] == 0)
      cut(tile.vectorDim, tile.vectors * width, tile.vectors * width);
  }
  return tiles;
}

int64_t Chooser::getLeastDecodeRows() const {
  return target.getVectorRegisters() > 16 ? kDecodeRows : kDecodeRowsFewRegisters;
}

int64_t Chooser::countRows() const {
  int64_t rows = 1;
  for (unsigned dim : parallels)
    if (!dependsOn(1, dim))
      rows *= extents[dim];
  return rows;
}

int64_t Chooser::getDecodeRows(const Tile &tile) const {
  if (!op.hasDecode() || tile.vectorDim < 0 || isDot(tile) || !dependsOn(1, tile.vectorDim))
    return 0;
  double bytes = static_cast<double>(reductionPoints) * tile.vectors * target.getVectorBits() / 8;
  if (bytes > kMaxDecoded * target.getL2Bytes())
    return 0;
  int64_t least = getLeastDecodeRows();
  bool open = llvm::any_of(parallels, [&](unsigned dim) { return !known[dim] && !dependsOn(1, dim); });
  for (unsigned slot = 0; slot < 2; ++slot)
    if (tile.rowDims[slot] >= 0 && tile.rows[slot] > 1 && dependsOn(1, tile.rowDims[slot]))
      return 0;
  return open ? least : countRows() >= least ? 1 : 0;
}

ScheduleAttr Chooser::build(const Tile &tile, ArrayRef<int64_t> unroll, ArrayRef<int64_t> parallel,
                            int64_t decodeRows) const {
  SmallVector<int64_t> registers(op.getNumLoops(), 1), cache, pack, prepack;
  bool vector = tile.vectorDim >= 0;
  if (vector)
    registers[tile.vectorDim] = tile.vectors * width;
  for (unsigned slot = 0; slot < 2; ++slot)
    if (tile.rowDims[slot] >= 0)
      registers[tile.rowDims[slot]] = tile.rows[slot];
  std::optional<OwnIndex> own = findOwnCopy(op);
  if (tile.chunk > 0 || own)
    cache.assign(op.getNumLoops(), 0);
  if (tile.chunk > 0)
    cache[reductions.front()] = tile.chunk;
  if (own) // one part takes the place of the one before, inside of the same padding
    cache[own->dim] = llvm::alignTo(countOwn(*own, kCopiedAtOnce), registers[own->dim]);
  if (tile.pack >= 0)
    (tile.prepack ? prepack : pack).push_back(tile.pack);
  return ScheduleAttr::get(op.getContext(), /*version=*/1, "contract", parallel, cache, {}, registers, unroll, pack,
                           prepack, tile.vectorDim, vector ? width : 1, decodeRows, inOrder);
}

bool Chooser::canPrepack(unsigned factor) const { return weights[factor] && tenon::canPrepack(op, factor); }

bool tenon::canPrepack(TileContractOp op, unsigned factor) {
  auto type = cast<ShapedType>(op->getOperand(factor).getType());
  return type.hasStaticShape() && type.getNumElements() > 0 && op.getMaps()[factor].isProjectedPermutation();
}

ScheduleAttr tenon::getDefaultSchedule(TileContractOp op, TargetAttr target, ArrayRef<bool> weights) {
  return Chooser(op, target, weights).choose();
}
