//===- ExpandContractLoops.cpp - loops over the register tiles of a contraction -----------===//
//
// Splits each parallel dim in register tiles and what is left over. Extents that are not known become a main loop and
// tails; nothing outside the operands is ever touched.
//
//===----------------------------------------------------------------------===//
#include "ExpandContract.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::contract;

namespace {

/// A run of tiles of one size along a dim: [from, to) in steps of `step`.
struct Piece {
  Value from, to;
  int64_t step;
  /// The only tile, where it is known that there is exactly one.
  bool single = false;
  int64_t elements;
  /// The lanes are counted at run time: what is left of the extent.
  bool counted = false;
};

class Loops {
public:
  /// `coded`, where given, is the contraction whose panels of rhs are decoded to those of `contraction`.
  Loops(OpBuilder &builder, const Contraction &contraction, const Contraction *coded)
      : builder(builder), contraction(contraction), coded(coded), loc(contraction.op.getLoc()) {
    TileContractOp op = contraction.op;
    tile.base.resize(op.getNumLoops());
    tile.rows.assign(op.getNumLoops(), 1);
    tile.lanes.resize(1);
    // Plain loops outside; then the vector dim, so that a panel of the factor with that dim stays in the cache while
    // the rows pass by; then the rows. Plain loops that a packed factor does not move with stay inside its panel.
    auto isRow = [&](unsigned dim) {
      if (op.getRegisterTile(dim) > 1)
        return true;
      auto stays = [&](int64_t factor) { return !op.getMaps()[factor].isFunctionOfDim(dim); };
      return llvm::any_of(op.getPack(), stays) || llvm::any_of(op.getPanels(), stays) || (coded && stays(1));
    };
    auto add = [&](bool rows) {
      for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
        if (!op.isReduction(dim) && static_cast<int64_t>(dim) != contraction.vectorDim && isRow(dim) == rows)
          order.push_back(dim);
    };
    bool hasLanes = contraction.vectorDim >= 0 && !contraction.isDot(), last = hasLanes && slidesInPlace();
    add(/*rows=*/false);
    if (hasLanes && !last)
      order.push_back(contraction.vectorDim);
    add(/*rows=*/true);
    if (last)
      order.push_back(contraction.vectorDim);
  }

  /// Makes the scratch memory of packed factors. A factor that moves with row dims cannot be packed by panels.
  void makePanels() {
    TileContractOp op = contraction.op;
    if (contraction.vectorDim < 0 || contraction.isDot())
      return;
    if (coded)
      panels[1] = makePanel(1, op.getAccumulatorType());
    for (int64_t factor : op.getPack()) {
      if (panels[factor])
        continue;
      AffineMap map = op.getMaps()[factor];
      bool movesWithRows = false;
      for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
        movesWithRows |= !op.isReduction(dim) && static_cast<int64_t>(dim) != contraction.vectorDim &&
                         op.getRegisterTile(dim) > 1 && map.isFunctionOfDim(dim);
      if (movesWithRows || !map.isFunctionOfDim(contraction.vectorDim))
        continue;
      panels[factor] = makePanel(factor, getElementTypeOrSelf(op->getOperand(factor).getType()));
    }
  }

  void emit() {
    if (!panels[1])
      askForBlock(builder, contraction);
    if (!contraction.hasChunks())
      return emitTiles(0);
    unsigned dim = contraction.op.getReductionDims().front();
    Value extent = getValueOrCreateConstantIndexOp(builder, loc, contraction.extents[dim]);
    Value size = constant(contraction.op.getChunk()), sums = makeSums();
    auto loop = scf::ForOp::create(builder, loc, constant(0), extent, size);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value from = loop.getInductionVar(), next = arith::AddIOp::create(builder, loc, from, size);
    auto compare = [&](arith::CmpIPredicate predicate, Value a, Value b) {
      return arith::CmpIOp::create(builder, loc, predicate, a, b).getResult();
    };
    tile.chunk = MicroTile::Chunk{from, arith::MinSIOp::create(builder, loc, next, extent),
                                  compare(arith::CmpIPredicate::eq, from, constant(0)),
                                  compare(arith::CmpIPredicate::sge, next, extent), sums};
    emitTiles(0);
  }

private:
  /// Whether the factor with the vector dim is read in place and moves with rows as well, as windows of an image do:
  /// then there is no panel to keep, and tiles follow the lines of image and result.
  bool slidesInPlace() {
    TileContractOp op = contraction.op;
    for (unsigned factor = 0; factor < 2; ++factor) {
      AffineMap map = op.getMaps()[factor];
      if (!map.isFunctionOfDim(contraction.vectorDim))
        continue;
      if (op.hasPanels(factor) || llvm::is_contained(op.getPack(), factor) || (factor == 1 && coded))
        return false;
      for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
        if (!op.isReduction(dim) && static_cast<int64_t>(dim) != contraction.vectorDim && op.getRegisterTile(dim) > 1 &&
            map.isFunctionOfDim(dim))
          return true;
    }
    return false;
  }

  void emitTiles(unsigned depth) {
    if (depth == order.size()) {
      for (int64_t factor : contraction.op.getPanels())
        if (!coded || factor != 1)
          tile.ahead[factor] = viewAhead(factor);
      for (unsigned factor = 0; factor < 2; ++factor)
        tile.next[factor] = findNext(factor);
      emitMicroKernel(builder, contraction, tile);
      return;
    }
    unsigned dim = order[depth];
    bool lanes = static_cast<int64_t>(dim) == contraction.vectorDim;
    for (const Piece &piece : split(dim, depth)) {
      OpBuilder::InsertionGuard guard(builder);
      tile.base[dim] = piece.from;
      if (!piece.single) {
        auto loop = scf::ForOp::create(builder, loc, piece.from, piece.to, constant(piece.step));
        builder.setInsertionPointToStart(loop.getBody());
        tile.base[dim] = loop.getInductionVar();
      }
      if (lanes) {
        tile.lanes = getLanes(piece, dim);
        for (int64_t factor : contraction.op.getPanels())
          tile.panels[factor] = viewPanel(factor, piece);
        if (coded) {
          if (!contraction.op.hasPanels(1))
            tile.panels[1] = Value(); // in place
          emitDecode(builder, *coded, tile, panels[1]);
          tile.panels[1] = panels[1];
        }
        for (int64_t factor : contraction.op.getPack())
          if (panels[factor] && !(coded && factor == 1))
            emitPack(builder, contraction, tile, factor, tile.panels[factor] = panels[factor]);
      } else
        tile.rows[dim] = piece.elements;
      emitTiles(depth + 1);
    }
  }

  Value constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

  Value makePanel(unsigned factor, Type element) {
    SmallVector<OpFoldResult> sizes;
    for (unsigned dim : contraction.panelDims[factor])
      sizes.push_back(contraction.extents[dim]);
    sizes.push_back(builder.getIndexAttr(getWhole(contraction.vectorDim)));
    return makeScratch(sizes, element);
  }

  /// The memory for the sums between two chunks, whole vectors.
  Value makeSums() {
    TileContractOp op = contraction.op;
    SmallVector<OpFoldResult> sizes;
    for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
      if (!op.isReduction(dim) && static_cast<int64_t>(dim) != contraction.vectorDim)
        sizes.push_back(getBound(dim));
    sizes.push_back(builder.getIndexAttr(1));
    if (contraction.vectorDim >= 0) {
      int64_t width = contraction.width;
      OpFoldResult extent = getBound(contraction.vectorDim);
      if (std::optional<int64_t> fixed = getConstantIntValue(extent)) {
        sizes.back() = builder.getIndexAttr(llvm::alignTo(*fixed, width));
      } else {
        Value vectors = arith::CeilDivUIOp::create(builder, loc, cast<Value>(extent), constant(width));
        sizes.back() = arith::MulIOp::create(builder, loc, vectors, constant(width)).getResult();
      }
    }
    return makeScratch(sizes, op.getAccumulatorType());
  }

  /// The extent of a dim, or what it is at most in any unit of work.
  OpFoldResult getBound(unsigned dim) {
    OpFoldResult extent = contraction.extents[dim];
    if (getConstantIntValue(extent))
      return extent;
    FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
        presburger::BoundType::UB, cast<Value>(extent), /*stopCondition=*/nullptr, /*closedUB=*/true);
    return succeeded(bound) ? OpFoldResult(builder.getIndexAttr(*bound)) : extent;
  }

  Value makeScratch(ArrayRef<OpFoldResult> sizes, Type element) {
    SmallVector<int64_t> shape;
    SmallVector<Value> dynamic;
    dispatchIndexOpFoldResults(sizes, dynamic, shape);
    return memref::AllocOp::create(builder, loc, MemRefType::get(shape, element), dynamic,
                                   builder.getI64IntegerAttr(64));
  }

  /// The panel of the tile's lanes in a factor that is stored by panels. Where the extent is not known, what is left of
  /// it goes vector by vector, from somewhere in the last panel on.
  Value viewPanel(unsigned factor, const Piece &piece) {
    int64_t whole = getWhole(contraction.vectorDim);
    Value first = tile.base[contraction.vectorDim];
    Value panel = arith::DivUIOp::create(builder, loc, first, constant(whole));
    wholePanel = getConstantIntValue(contraction.extents[contraction.vectorDim]) || piece.step == whole;
    if (wholePanel)
      return viewLanes(factor, panel, builder.getIndexAttr(0), whole);
    Value lane = arith::RemUIOp::create(builder, loc, first, constant(whole));
    return viewLanes(factor, panel, lane, contraction.width);
  }

  /// While the row tiles of one panel compute, each asks for its share of the cache lines of the next panel: a weight
  /// comes from far away as a rule, and its first use would wait for it. The unit's last panel of a chunk is followed
  /// by the first one's next chunk. A panel that one tile reads is a stream: hardware follows it once it knows its
  /// page, and asking for every line costs more than it brings.
  SmallVector<Value> viewAhead(unsigned factor) {
    constexpr int64_t kFarBytes = 32 * 1024, kAheadBytes = 8 * 1024, kLinesPerAsk = 8, kFewLines = 2;
    auto type = cast<MemRefType>(contraction.op->getOperand(factor).getType());
    int64_t elementBytes = std::max<int64_t>(1, type.getElementTypeBitWidth() / 8), bytes = elementBytes;
    for (int64_t size : type.getShape().drop_front())
      bytes *= ShapedType::isDynamic(size) ? 1 : size;
    int64_t whole = getWhole(contraction.vectorDim), line = kLineBits / 8 / elementBytes;
    if (bytes < kFarBytes || whole < line || !wholePanel)
      return {};
    auto [number, tiles] =
        numberTiles(ArrayRef(order)
                        .drop_while([&](unsigned dim) { return static_cast<int64_t>(dim) != contraction.vectorDim; })
                        .drop_front());
    int64_t columns = whole / line, share = llvm::divideCeil(columns, tiles);
    Value next = arith::DivUIOp::create(builder, loc, tile.base[contraction.vectorDim], constant(whole));
    bool isStream = share == columns && !tile.chunk;
    tile.stepsAhead[factor] = isStream ? constant(kAheadBytes / (whole * elementBytes)) : Value();
    if (!isStream)
      next = builder.createOrFold<arith::AddIOp>(loc, next, constant(1));
    if (tile.chunk) {
      OpFoldResult extent = contraction.extents[contraction.vectorDim];
      Value panels = builder.createOrFold<arith::CeilDivUIOp>(
          loc, getValueOrCreateConstantIndexOp(builder, loc, extent), constant(whole));
      Value wraps = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, next, panels);
      Value more = arith::XOrIOp::create(builder, loc, tile.chunk->isLast,
                                         arith::ConstantIntOp::create(builder, loc, /*value=*/1, /*width=*/1));
      wraps = arith::AndIOp::create(builder, loc, wraps, more);
      next = arith::SelectOp::create(builder, loc, wraps, constant(0), next);
      tile.stepsAhead[factor] =
          arith::SelectOp::create(builder, loc, wraps, constant(countChunkSteps(factor)), constant(0));
    }
    // Hardware follows a stream between asks that are some lines apart, but does not between those of short steps.
    int64_t lines = llvm::divideCeil(whole, line), asked = isStream ? lines : share;
    int64_t apart = isStream && lines > kFewLines ? kLinesPerAsk : 1;
    SmallVector<Value> views;
    for (int64_t position = 0; position < asked; position += apart) {
      Value lane = constant(std::min(position * line, whole - line)); // the last line may be a part of one
      if (number && share < columns) {
        Value column = arith::MulIOp::create(builder, loc, number, constant(share));
        column = arith::AddIOp::create(builder, loc, column, constant(position));
        column = arith::RemUIOp::create(builder, loc, column, constant(columns));
        lane = arith::MulIOp::create(builder, loc, column, constant(line));
      }
      views.push_back(viewLanes(factor, next, lane, line));
    }
    return views;
  }

  /// Steps of `factor` in one chunk.
  int64_t countChunkSteps(unsigned factor) {
    int64_t steps = contraction.op.getChunk();
    for (unsigned dim : contraction.panelDims[factor])
      if (dim != contraction.op.getReductionDims().front())
        steps *= getConstantIntValue(contraction.extents[dim]).value_or(1);
    return steps;
  }

  /// The number of this tile among those of the loops over `dims`, null where there are none, and how many these are at
  /// least.
  std::pair<Value, int64_t> numberTiles(ArrayRef<unsigned> dims) {
    Value number;
    int64_t tiles = 1;
    for (unsigned dim : dims) {
      std::optional<int64_t> fixed = getConstantIntValue(contraction.extents[dim]);
      tiles *= fixed ? llvm::divideCeil(*fixed, getWhole(dim)) : 1;
      Value size = constant(getWhole(dim)), index = arith::DivUIOp::create(builder, loc, tile.base[dim], size);
      if (number) {
        Value extent = getValueOrCreateConstantIndexOp(builder, loc, contraction.extents[dim]);
        Value count = arith::CeilDivUIOp::create(builder, loc, extent, size);
        index = arith::AddIOp::create(builder, loc, arith::MulIOp::create(builder, loc, number, count), index);
      }
      number = index;
    }
    return {number, std::max<int64_t>(1, tiles)};
  }

  /// Where a factor that is read in place goes on with the next tile, if no hardware prefetcher finds that: from step
  /// to step of the reduction its elements lie in other lines.
  std::optional<MicroTile::Next> findNext(unsigned factor) {
    constexpr int64_t kFarBytes = 32 * 1024, kLongRun = 16;
    TileContractOp op = contraction.op;
    if (tile.panels[factor] || op.hasPanels(factor) || (factor == 1 && contraction.decodes) || contraction.isDot())
      return std::nullopt;
    auto type = cast<MemRefType>(op->getOperand(factor).getType());
    auto [strides, offset] = type.getStridesAndOffset();
    if (strides.empty() || strides.back() != 1)
      return std::nullopt;
    int64_t bytes = std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
    for (int64_t size : type.getShape())
      bytes *= ShapedType::isDynamic(size) ? kFarBytes : size;
    if (bytes < kFarBytes)
      return std::nullopt;
    for (unsigned dim : contraction.panelDims[factor]) {
      std::optional<int64_t> extent = getConstantIntValue(contraction.extents[dim]);
      if (contraction.coefficients[factor].back()[dim] != 0 && (!extent || *extent >= kLongRun))
        return std::nullopt; // one run of lines
    }
    for (auto [position, dim] : llvm::enumerate(llvm::reverse(order))) {
      if (!op.getMaps()[factor].isFunctionOfDim(dim))
        continue;
      auto [number, tiles] = numberTiles(ArrayRef(order).take_back(position));
      return MicroTile::Next{dim, getWhole(dim), number, tiles};
    }
    return std::nullopt;
  }

  /// `width` lanes from `lane` on of panel number `panel`, all reduction steps.
  Value viewLanes(unsigned factor, Value panel, OpFoldResult lane, int64_t width) {
    TileContractOp op = contraction.op;
    Value stored = op->getOperand(factor);
    auto type = cast<MemRefType>(stored.getType());
    SmallVector<OpFoldResult> offsets, sizes, strides(type.getRank(), builder.getIndexAttr(1));
    SmallVector<int64_t> shape;
    for (AffineExpr expr : op.getMaps()[factor].getResults()) {
      unsigned dim = cast<AffineDimExpr>(expr).getPosition();
      if (op.isReduction(dim)) {
        offsets.push_back(builder.getIndexAttr(0));
        sizes.push_back(contraction.extents[dim]);
        shape.push_back(getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
        continue;
      }
      offsets.push_back(static_cast<int64_t>(dim) == contraction.vectorDim ? panel : tile.base[dim]);
      sizes.push_back(builder.getIndexAttr(1));
    }
    offsets.push_back(lane);
    sizes.push_back(builder.getIndexAttr(width));
    shape.push_back(width);
    auto view = memref::SubViewOp::inferRankReducedResultType(shape, type, offsets, sizes, strides);
    return memref::SubViewOp::create(builder, loc, cast<MemRefType>(view), stored, offsets, sizes, strides);
  }

  /// The vectors of a piece: whole ones, then one of exactly what is left where that is a power of two, else a partial.
  SmallVector<Lanes> getLanes(const Piece &piece, unsigned dim) {
    SmallVector<Lanes> lanes;
    int64_t width = contraction.width;
    if (piece.counted) {
      Value end = getValueOrCreateConstantIndexOp(builder, loc, contraction.extents[dim]);
      lanes.push_back({0, width, arith::SubIOp::create(builder, loc, end, tile.base[dim]).getResult()});
      return lanes;
    }
    int64_t offset = 0;
    for (; offset + width <= piece.elements; offset += width)
      lanes.push_back({offset, width, {}});
    if (int64_t rest = piece.elements - offset; rest > 0) {
      if (llvm::isPowerOf2_64(rest))
        lanes.push_back({offset, rest, {}});
      else
        lanes.push_back({offset, width, builder.getIndexAttr(rest)});
    }
    return lanes;
  }

  /// The register tile of `dim`, whole vectors along the vector dim.
  int64_t getWhole(unsigned dim) {
    int64_t whole = contraction.op.getRegisterTile(dim);
    if (static_cast<int64_t>(dim) != contraction.vectorDim)
      return whole;
    return std::max(contraction.width, whole / contraction.width * contraction.width);
  }

  /// Whether some of `count` neighbours of `dim` from `from` on meet padding in taps that are unrolled, and others do
  /// not.
  bool isAtEdge(unsigned dim, int64_t from, int64_t count) {
    TileContractOp op = contraction.op;
    if (count == 1 || contraction.isDot())
      return false;
    for (const NonzeroRange &range : op.getNonzeroRanges()) {
      ArrayRef<int64_t> row = contraction.coefficients[range.factor][range.dimension];
      bool known = !range.start || isConstantIntValue(range.start, 0);
      int64_t reach = 0;
      for (auto [other, coefficient] : llvm::enumerate(row)) {
        if (coefficient == 0 || other == dim)
          continue;
        std::optional<int64_t> extent = getConstantIntValue(contraction.extents[other]);
        known &= extent && llvm::is_contained(op.getUnroll(), static_cast<int64_t>(other));
        reach += coefficient * (extent.value_or(1) - 1);
      }
      if (row[dim] != 0 && known && reach > 0 &&
          (row[dim] * from < range.first || row[dim] * (from + count - 1) + reach >= range.end))
        return true;
    }
    return false;
  }

  /// Points of the reduction that are unrolled.
  int64_t countTaps() {
    int64_t taps = 1;
    for (int64_t dim : contraction.op.getUnroll())
      taps *= getConstantIntValue(contraction.extents[dim]).value_or(1);
    return taps;
  }

  SmallVector<Piece> split(unsigned dim, unsigned depth) {
    constexpr int64_t kShortTile = 16; // rows by taps; decoding is long code
    TileContractOp op = contraction.op;
    bool lanes = static_cast<int64_t>(dim) == contraction.vectorDim;
    int64_t whole = getWhole(dim);
    SmallVector<Piece> pieces;
    if (auto extent = getConstantIntValue(contraction.extents[dim])) {
      int64_t mainEnd = *extent / whole * whole;
      // Tiles at the edges whose place is known leave out the taps in the padding, each by itself.
      auto add = [&](int64_t from, int64_t to) {
        if (from < to)
          pieces.push_back({constant(from), constant(to), whole, to - from == whole, whole, false});
      };
      int64_t first = !lanes && isAtEdge(dim, 0, whole) ? std::min(whole, mainEnd) : 0, last = mainEnd;
      if (!lanes && mainEnd - first > whole && isAtEdge(dim, mainEnd - whole, whole))
        last -= whole;
      add(0, first);
      add(first, last);
      add(last, mainEnd);
      if (mainEnd < *extent)
        pieces.push_back({constant(mainEnd), {}, 1, true, *extent - mainEnd, false});
      return pieces;
    }
    Value end = cast<Value>(contraction.extents[dim]), from = constant(0);
    auto until = [&](int64_t size) -> Value {
      if (size == 1)
        return end;
      Value left = arith::SubIOp::create(builder, loc, end, from);
      return arith::SubIOp::create(builder, loc, end, arith::RemUIOp::create(builder, loc, left, constant(size)));
    };
    auto add = [&](int64_t size, bool last) {
      Value to = last ? end : until(size);
      pieces.push_back({from, to, size, false, size, false});
      from = to;
    };
    int64_t tail = op.getTails().empty() ? -1 : op.getTails()[dim];
    add(whole, tail == 0);
    if (tail > 0) // what is left is nothing or this
      add(tail, true);
    if (tail >= 0)
      return pieces;
    if (lanes) {
      if (whole > contraction.width)
        add(contraction.width, false);
      pieces.push_back({from, end, contraction.width, false, contraction.width, true});
      return pieces;
    }
    // The innermost rows that are left are one tile, as long as the code for all sizes is short; else tails are halves
    // of halves. Other rows go one by one.
    bool innermost = depth + 1 == order.size();
    if (innermost && !op.hasDecode() && whole * countTaps() <= kShortTile) {
      Value rest = arith::SubIOp::create(builder, loc, end, from);
      for (int64_t size = whole - 1; size > 0; --size) {
        Value same = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, rest, constant(size));
        Value to = arith::SelectOp::create(builder, loc, same, end, from);
        pieces.push_back({from, to, size, false, size, false});
      }
      return pieces;
    }
    if (innermost)
      for (int64_t size = llvm::bit_floor(static_cast<uint64_t>(std::max<int64_t>(whole - 1, 1))); size > 1; size /= 2)
        add(size, false);
    if (whole > 1)
      add(1, true);
    return pieces;
  }

  OpBuilder &builder;
  const Contraction &contraction, *coded;
  Location loc;
  SmallVector<unsigned> order;
  MicroTile tile;
  Value panels[2];
  bool wholePanel = false; ///< the tile's lanes start a panel
};

} // namespace

void contract::emitTileLoops(OpBuilder &builder, const Contraction &contraction, const Contraction *coded, bool packs) {
  Loops loops(builder, contraction, coded);
  if (packs)
    loops.makePanels();
  loops.emit();
}
