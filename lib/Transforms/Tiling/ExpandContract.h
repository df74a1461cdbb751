//===- ExpandContract.h - what the parts of the contraction's expansion share ---===//
//
// ExpandContractLoops.cpp makes the loops over tiles, ExpandContractPack.cpp the panels, ExpandContractKernel.cpp what
// runs inside one register tile, ExpandContractAhead.cpp what it prefetches, and ExpandContractEpilogue.cpp what
// becomes of its sums.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Dialect/IR/LinearMaps.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <set>

namespace tenon::contract {

/// A cache line.
inline constexpr int64_t kLineBits = 512;

/// One vector of a register tile: `width` lanes, the first at `offset` along the vector dim. `count`, where given, says
/// how many of them exist.
struct Lanes {
  int64_t offset = 0;
  int64_t width = 1;
  mlir::OpFoldResult count;
};

/// One instance of the register tile.
struct MicroTile {
  /// Per iteration dim: index of the tile's first element. Null for reduction dims.
  llvm::SmallVector<mlir::Value> base;
  /// Per iteration dim: how many elements the tile has; 1 for the vector dim, whose elements are in `lanes`, and for
  /// reduction dims.
  llvm::SmallVector<int64_t> rows;
  /// The vectors along the vector dim; a single lane where there is none.
  llvm::SmallVector<Lanes> lanes;
  /// Per factor: the scratch memory that holds the panel of these lanes, indexed by `Contraction::panelDims` and then
  /// by the offset along the vector dim; null where the factor is read in place.
  mlir::Value panels[2];
  /// Per factor: the parts of the next panel, a cache line wide, that this tile asks for while it computes.
  llvm::SmallVector<mlir::Value> ahead[2];
  /// How many steps of the innermost reduction dim ahead of this tile's they begin; null for none.
  mlir::Value stepsAhead[2];
  /// Where the next tile's elements of a factor that is read in place lie: `step` ahead along `dim`. Each of `tiles`
  /// tiles that read the same elements asks for a share of them; `number` says which this one is, null where it is the
  /// only one.
  struct Next {
    unsigned dim;
    int64_t step;
    mlir::Value number;
    int64_t tiles;
  };
  std::optional<Next> next[2];
  /// Where the first reduction dim runs by chunks: this one's steps, and the memory that holds the sums before and
  /// after, indexed by the parallel dims but the vector dim and then by that one.
  struct Chunk {
    mlir::Value from, to, isFirst, isLast, sums;
  };
  std::optional<Chunk> chunk;
};

/// The op with its maps as coefficients: coefficients[operand][operand dim][iteration dim].
struct Contraction {
  /// The same with a rhs whose panels hold numbers, of all reduction dims.
  Contraction withDecodedPanels() const;
  explicit Contraction(TileContractOp op);
  int64_t getVectorDim() const { return vectorDim; }
  /// Whether lanes hold partial sums.
  bool isDot() const { return vectorDim >= 0 && op.isReduction(vectorDim); }
  unsigned getOutIndex() const { return coefficients.size() - 1; }
  /// Whether the first reduction dim has more steps than one chunk.
  bool hasChunks() const;

  mutable TileContractOp op;
  llvm::SmallVector<llvm::SmallVector<llvm::SmallVector<int64_t>>> coefficients;
  /// Extent of each dim: an index attribute or value.
  llvm::SmallVector<mlir::OpFoldResult> extents;
  int64_t vectorDim;
  int64_t width;
  /// Per factor: the reduction dims it depends on, in order.
  llvm::SmallVector<unsigned> panelDims[2];
  /// Whether register tiles decode what they read of rhs.
  bool decodes;
};

/// Where the elements of a register tile lie in the operands.
class TilePlaces {
public:
  /// Per iteration dim an offset, a coefficient or a step.
  using Key = llvm::SmallVector<int64_t>;

  TilePlaces(mlir::OpBuilder &builder, const Contraction &contraction, const MicroTile &tile);
  bool isPacked(unsigned number) const { return number < 2 && tile.panels[number]; }
  /// The index of each dim of operand `number` at `place`, without constant offsets.
  llvm::SmallVector<mlir::Value> getBase(unsigned number);
  /// Constant offset per dim of operand `number` for these offsets per iteration dim; `row` and `tap` may be empty.
  Key getOffsets(unsigned number, const Key &row, const Key &tap, int64_t lane);
  /// By how much each index of operand `number` moves from lane to lane.
  Key getSteps(unsigned number);
  llvm::SmallVector<mlir::Value> getIndices(llvm::ArrayRef<mlir::Value> base, llvm::ArrayRef<int64_t> offsets);

protected:
  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);

  mlir::OpBuilder &builder;
  const Contraction &contraction;
  const MicroTile &tile;
  TileContractOp op;
  mlir::Location loc;
  /// Per iteration dim: the index that loops have reached; null for 0.
  llvm::SmallVector<mlir::Value> place;
};

/// What the steps of a register tile prefetch.
class TileAsks : public TilePlaces {
public:
  using TilePlaces::TilePlaces;

protected:
  /// Prefetches what of the next panel belongs to `tap`, unless it is in `asked`.
  void askAhead(llvm::ArrayRef<mlir::Value> leftBase, llvm::ArrayRef<mlir::Value> rightBase, const Key &tap,
                std::set<std::pair<unsigned, Key>> &asked);
  /// Prefetches what the next tile reads of a factor at this point of the reduction and this one does not.
  void askNext(unsigned factor, llvm::ArrayRef<mlir::Value> base);
  /// Few rows read each element of the right factor once, so it comes from memory: prefetches what lies a page ahead,
  /// where hardware does not look.
  void askAheadInPlace(mlir::Value memref, llvm::ArrayRef<mlir::Value> indices, const Key &steps);

  /// Offsets per iteration dim: of the tile's rows, and of the points of the reduction that are unrolled.
  llvm::SmallVector<Key> rows, taps;
  llvm::SmallVector<unsigned> loops; ///< the other reduction dims, outermost first
};

/// The ops of a region on vectors of `width` lanes, or on scalars where that is 1; the yielded value. `mapping` has the
/// arguments, scalars stand for all lanes.
mlir::Value cloneOnLanes(mlir::OpBuilder &builder, mlir::Location loc, mlir::Block &body, mlir::IRMapping &mapping,
                         int64_t width);

/// Runs the epilogue on the sums of a tile, one per row and vector of lanes, and stores its results. `rows` holds the
/// offsets of each row per iteration dim.
void emitEpilogue(mlir::OpBuilder &builder, const Contraction &contraction, const MicroTile &tile,
                  llvm::ArrayRef<TilePlaces::Key> rows, llvm::ArrayRef<mlir::Value> sums);

/// How often an element of `factor` is read: the extents of the parallel dims that it does not move with.
mlir::OpFoldResult countRows(mlir::OpBuilder &builder, const Contraction &contraction, unsigned factor);

/// Prefetches a short block of the right factor that few rows read, a page of keys or values: hardware takes some lines
/// to see that there is a stream.
void askForBlock(mlir::OpBuilder &builder, const Contraction &contraction);

/// Copies the panel of `factor` that belongs to the tile's lanes to `panel`. The tile's base has all parallel dims that
/// the factor depends on.
void emitPack(mlir::OpBuilder &builder, const Contraction &contraction, const MicroTile &tile, unsigned factor,
              mlir::Value panel);

/// Decodes the panel of rhs that belongs to the tile's lanes to `panel`, indexed by all reduction dims and the lane.
void emitDecode(mlir::OpBuilder &builder, const Contraction &contraction, const MicroTile &tile, mlir::Value panel);

/// Emits the loops over all register tiles. `coded`, where given, is the contraction whose panels of rhs are decoded to
/// those of `contraction`; `packs`: factors that are to be packed are.
void emitTileLoops(mlir::OpBuilder &builder, const Contraction &contraction, const Contraction *coded, bool packs);

/// Emits the sums, the epilogue and the stores of one tile.
void emitMicroKernel(mlir::OpBuilder &builder, const Contraction &contraction, const MicroTile &tile);

} // namespace tenon::contract
