//===- ContractChooser.h - the choice of a contraction's schedule -----------------------------===//
//
// ContractSchedule.cpp enumerates register tiles and cuts the kernel in units; ContractCost.cpp has the model that
// compares tiles, ContractCaches.cpp its part about caches; ContractSpace.cpp makes a space of what can be chosen.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Analysis/OwnParts.h"
#include "tenon/Dialect/IR/LinearMaps.h"
#include "tenon/Dialect/IR/Tenon.h"

namespace tenon::schedule {

/// Rows over which a packed panel is used, at least where there are as many.
inline constexpr int64_t kRowsPerPanel = 128;
/// Rows over which a panel is used that comes from further away than the second cache level, in units cut by rows.
inline constexpr int64_t kRowsPerFarPanel = 96;

struct Tile {
  int64_t vectorDim = -1;
  int64_t vectors = 1;
  int64_t rowDims[2] = {-1, -1};
  int64_t rows[2] = {1, 1};
  int64_t pack = -1;    // factor, or none
  bool prepack = false; // at load, for a weight
  int64_t chunk = 0;    // of the first reduction dim; 0: all of it
  double cost = 0;
  bool unrolls = false; // the taps of the last reduction dim
  // Cycles: of a panel's cache line, and, per step, of the other lines that come from the second cache level.
  double panelLine = 0, missCost = 0;
};

class Chooser {
public:
  /// `allOpen`: no extent of a parallel dim is looked at.
  Chooser(TileContractOp op, TargetAttr target, llvm::ArrayRef<bool> weights, bool allOpen = false);

  /// The default schedule, and its tile.
  ScheduleAttr choose(Tile *chosen = nullptr) const;

  /// Calls `visit` with each register tile, not settled yet.
  void forEachTile(llvm::function_ref<void(Tile)> visit) const;

  /// Finds the chunk that suits a tile, whether its taps are unrolled, and its cost; false where the registers do not
  /// hold it, or several rows would split what comes from memory.
  bool settle(Tile &tile) const;

  /// The cost of a settled tile with another chunk, or with the taps of the last reduction dim unrolled or not.
  double getCost(Tile tile, int64_t chunk, bool unrolls) const;

  /// The chunks of the first reduction dim that a settled tile may have, its own first; 0: all of it.
  llvm::SmallVector<int64_t> getChunks(const Tile &tile) const;

  /// The reduction dims that are unrolled.
  llvm::SmallVector<int64_t> getUnroll(const Tile &tile) const;
  /// The lists of reduction dims that may be unrolled, the one of `getUnroll` first.
  llvm::SmallVector<llvm::SmallVector<int64_t>> getUnrolls(const Tile &tile) const;

  /// Of what units copy for themselves: how many fill that part of the first cache level, at least one.
  int64_t countOwn(const OwnIndex &own, double part) const;
  /// Cuts the parallel dims until there are enough units of enough work, or `wantedUnits`.
  llvm::SmallVector<int64_t> getParallel(const Tile &tile, std::optional<double> wantedUnits = std::nullopt) const;
  /// The tiles of a unit that there may be, those of `getParallel` first.
  llvm::SmallVector<llvm::SmallVector<int64_t>> getParallels(const Tile &tile) const;

  /// From how many rows on panels of codes are decoded once.
  int64_t getDecodeRows(const Tile &tile) const;
  /// The numbers that make a difference, the one of `getDecodeRows` first.
  llvm::SmallVector<int64_t> getAllDecodeRows(const Tile &tile) const;

  ScheduleAttr build(const Tile &tile, llvm::ArrayRef<int64_t> unroll, llvm::ArrayRef<int64_t> parallel,
                     int64_t decodeRows) const;

  TileContractOp getOp() const { return op; }
  int64_t getWidth() const { return width; }
  /// The reduction dim whose taps `Tile::unrolls` speaks of; -1 where there is none.
  int64_t getTapDim() const { return reductions.empty() ? -1 : reductions.back(); }

private:
  /// Cache lines that a register tile reads in one step of the first reduction dim.
  struct Lines {
    /// Those outside of panels, and of these the ones of rows that lie apart from step to step.
    double others = 0, apart = 0;
    double stepBytes = 0;
    int64_t inner = 1;  // steps of the other reduction dims
    double tiles = 1;   // register tiles that read the same panel
    bool isNear = true; // nothing from beyond the first cache level is felt
    bool isFar = false, isFelt = false;
  };

  bool dependsOn(unsigned operand, int64_t dim) const {
    return dim >= 0 && llvm::any_of(coefficients[operand], [&](llvm::ArrayRef<int64_t> row) { return row[dim] != 0; });
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
  int64_t getRowBytes(unsigned operand) const;

  /// Bytes of one panel of `factor`: all reduction steps of a register tile's lanes.
  double getPanelBytes(unsigned factor, const Tile &tile) const;

  /// Whether each element of a weight is read once: then it comes from memory, and what the prefetchers make of its
  /// order counts.
  bool isStreamed(unsigned operand) const;

  /// Cost of one vector of `operand` along `dim`, in loads.
  double getVectorCost(unsigned operand, const Tile &tile) const;

  /// Cost of copying one vector to a panel.
  double getPackCost(unsigned operand, const Tile &tile) const;

  /// What a vector read in place costs beside the multiply-adds. Where taps move it, it lies across two cache lines
  /// more often than not, which takes two loads.
  double getInPlaceCost(unsigned operand, const Tile &tile) const;

  /// Bytes of all elements of `factor`.
  double getFactorBytes(unsigned factor) const;

  /// Cycles per multiply-add that a weight takes which is read in place, its cache lines being cold.
  double getColdCost(unsigned factor) const;

  /// 256-bit targets: little is left beside the accumulators.
  bool hasFewRegisters() const { return target.getVectorRegisters() <= 16; }

  bool isDot(const Tile &tile) const { return tile.vectorDim >= 0 && op.isReduction(tile.vectorDim); }

  /// Cycles of one reduction step of a tile with `vectors` vectors and these rows.
  double getStepCost(const Tile &tile, int64_t vectors, int64_t rows0, int64_t rows1) const;

  /// Cycles of a panel's cache line from the first or second level.
  double getNearLine() const;

  /// Whether a tile takes steps of a first reduction dim, as many as are known.
  bool hasSteps(const Tile &tile) const;
  Lines countTileLines(const Tile &tile) const;
  /// Finds which cache level holds what `steps` steps read.
  void placeSteps(Lines &lines, int64_t steps) const;
  /// The sums of a tile are loaded and stored again between two chunks: one cycle each.
  static double getSumCost(const Tile &tile, const Lines &lines, int64_t chunk);
  /// Finds what lines from further away cost, without chunks and with chunks.
  void placeWhole(Tile &tile, const Lines &lines) const;
  void placeChunk(Tile &tile, const Lines &lines, int64_t chunk) const;
  /// Whether the first reduction dim may be cut.
  bool canChunk(const Tile &tile) const;
  /// Cuts the first reduction dim in chunks where a tile reads more than the first cache level holds, and finds what
  /// lines from further away cost.
  void placeInCaches(Tile &tile) const;

  /// Vector registers that a tile takes, and its accumulators.
  std::pair<int64_t, int64_t> countRegisters(const Tile &tile) const;

  /// Whether the last vector is masked.
  bool hasPartialVector(const Tile &tile) const;

  /// Whether taps, once unrolled, ask for many more registers than there are: neighbouring taps read the same elements,
  /// which LLVM loads once and keeps.
  bool spillsUnrolled(const Tile &tile) const;

  /// Whether two dims move one index of `operand`.
  bool sharesIndex(unsigned operand, int64_t a, int64_t b) const {
    return llvm::any_of(coefficients[operand], [&](llvm::ArrayRef<int64_t> row) { return row[a] != 0 && row[b] != 0; });
  }

  /// Whether windows move along parallel dim `dim`: an operand has one index for it and for some taps.
  bool slides(unsigned dim) const {
    return llvm::any_of(reductions, [&](unsigned reduction) {
      return extents[reduction] > 1 && (sharesIndex(0, dim, reduction) || sharesIndex(1, dim, reduction));
    });
  }

  /// Whether a parallel dim leaves `factor` where it is.
  bool isReadAgain(unsigned factor) const {
    return llvm::any_of(parallels, [&](unsigned dim) { return extents[dim] > 1 && !dependsOn(factor, dim); });
  }

  /// Pieces of an extent: whole tiles and what is left.
  llvm::SmallVector<std::pair<double, int64_t>, 2> getPieces(int64_t dim, int64_t tile) const;

  /// Cost of storing one vector: where its lanes are far apart, lane by lane, or as blocks transposed with the rows.
  double getStoreCost(const Tile &tile) const;

  double getExtent(int64_t dim) const { return dim < 0 ? 1 : extents[dim]; }

  /// Whether rows of a dot product would make several streams of an operand that comes from memory, each element once.
  bool splitsStream(const Tile &tile) const;

  /// The cost of a tile with all its fields.
  double getCost(Tile tile) const;

  std::optional<bool> findWantedDot() const;

  /// The cheapest tile, before its rows are lowered.
  Tile chooseTile() const;

  void tryVectorDim(unsigned vectorDim, llvm::function_ref<void(Tile)> visit) const;

  void tryRows(Tile tile, llvm::function_ref<void(Tile)> visit) const;

  /// Whether the panels of `factor` can be made at load.
  bool canPrepack(unsigned factor) const;

  bool canPack(const Tile &tile) const;

  /// Whether reduction dim `dim` shares an index with a row dim of several rows: its taps then read the same elements.
  bool sharesRows(const Tile &tile, int64_t dim) const;

  /// The part of reduction dim `reduction` that register tiles meet, the rest being padding: 1 where nothing is known.
  double getMetPart(unsigned reduction, const Tile &tile) const;
  /// The part of the unrolled taps that is no padding, where several rows of a tile move with them: each row leaves out
  /// its own.
  double getUnrolledPart(const Tile &tile) const;
  /// Whether enough of `reduction` is padding for a loop of its own, which then is not unrolled.
  bool isPadded(unsigned reduction, const Tile &tile) const;

  /// Rows alone in one factor and nothing to reuse of the other (a depthwise filter): taps that rows share are
  /// unrolled, so that each element is loaded once for all rows that read it.
  bool isDepthwise(const Tile &tile) const;
  /// Whether the taps of such a filter are unrolled but along the lanes, as few as they are; and how many multiply-adds
  /// in a row are not too much code. Of a tile with more, rows are left out.
  bool unrollsWindow(const Tile &tile) const;
  int64_t getMostUnrolled(const Tile &tile) const;
  void lowerRows(Tile &tile) const;

  /// Whether a dim of the register tile has an open extent: the code is there several times then, for all sorts of
  /// tails.
  bool hasOpenTile(const Tile &tile) const;

  /// Rows of the register tile along a dim other than the vector dim.
  static int64_t getRows(const Tile &tile, int64_t dim) {
    return dim == tile.rowDims[0] ? tile.rows[0] : dim == tile.rowDims[1] ? tile.rows[1] : 1;
  }

  /// Panels of a unit, at least.
  int64_t getLeastPanels(const Tile &tile) const;

  /// In how many of `units` pieces to cut the vector dim, so that units read little in all: each factor is read once
  /// for each piece of the dims that it does not move with.
  int64_t getLanePieces(const Tile &tile, unsigned lanes, double units) const;

  /// How many units there should be.
  double getUnits(const Tile &tile) const;

  int64_t getLeastDecodeRows() const;
  /// How often an element of rhs is read.
  int64_t countRows() const;

  mutable TileContractOp op; // an op handle has no const accessors
  TargetAttr target;
  llvm::SmallVector<bool, 2> weights; // per factor
  llvm::SmallVector<llvm::SmallVector<llvm::SmallVector<int64_t>>> coefficients;
  llvm::SmallVector<int64_t> extents;
  llvm::SmallVector<bool> known;
  llvm::SmallVector<unsigned> parallels, reductions;
  llvm::SmallVector<unsigned>
      padded; // reduction dims of which a part worth leaving out is padding, with tiles of one row
  int64_t reductionPoints = 1, width = 1, elementBytes = 4;
  double parallelPoints = 1;
  double factorBytes[2] = {0, 0}, coldCosts[2] = {0, 0}; // per factor, all of it
  bool isOpen = false;                                   // some parallel dim is not known
  bool inOrder = false;                                  // some dim is not known, or sums are to be as if
  bool decodesInTiles = false;                           // every register tile, for certain
  int64_t taps = 1; // of the innermost reduction, where it is short enough to be unrolled
  /// Whether lanes hold partial sums, where sums are to be as if dims were open: as they do with all parallel dims
  /// open.
  std::optional<bool> wantedDot;
};

} // namespace tenon::schedule
