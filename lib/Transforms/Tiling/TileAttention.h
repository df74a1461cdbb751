//===- TileAttention.h - what the parts of an attention's tiling share --------------------===//
//
// TileAttention.cpp makes the units and the loop over keys, TileAttentionLists.cpp that over listed keys,
// TileAttentionStorage.cpp finds keys and values in their storage, TileAttentionScores.cpp makes the scores of a tile,
// TileAttentionMask.cpp hides some of them, TileAttentionNormalize.cpp makes weights of them and sums of values, for
// normalizers that need a row's scores more than once by the passes of TileAttentionPasses.cpp.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <memory>

namespace tenon {

/// What rows of queries carry from tile to tile of the keys, each a tensor over the rows.
struct AttentionState {
  mlir::Value highest, sum; ///< of softmax alone
  mlir::Value result;       ///< rows x E

  llvm::SmallVector<mlir::Value> list() const {
    llvm::SmallVector<mlir::Value> values;
    for (mlir::Value value : {highest, sum, result})
      if (value)
        values.push_back(value);
    return values;
  }
  /// The same entries with other values.
  AttentionState with(mlir::ValueRange values) const {
    AttentionState state = *this;
    unsigned next = 0;
    for (mlir::Value *value : {&state.highest, &state.sum, &state.result})
      if (*value)
        *value = values[next++];
    return state;
  }
};

/// The blocks that a unit's rows see.
struct KeyList {
  mlir::Value head, number;                      ///< which of the lists it is
  KeyRange<mlir::Value> range{nullptr, nullptr}; ///< what the mask lets any row see
};

/// Some keys of one source: `first` to before `first + columns`, or runs of keys from a list.
struct KeyTile {
  KVSourceOp source;
  mlir::Value group;                 ///< the source's head
  mlir::Value count;                 ///< how many keys exist
  std::shared_ptr<MaskEmitter> mask; ///< says what the unit sees; null without a mask
  mlir::Value whole;                 ///< whether every row sees the whole tile; null where that is not asked
  mlir::Value start;                 ///< of a ring, below its capacity; null where there is none
  mlir::Value first;                 ///< null where there are runs
  mlir::Value place;                 ///< of its first score, among those of the source
  mlir::OpFoldResult columns;
  mlir::Value weight; ///< added to scores; null where nothing is
  /// The runs are those of entries `from` to before `to` in the list `entries` of what holds keys; null without runs.
  mlir::Value entries, from, to;
  KeyList list;
};

/// A part of a tile whose keys are neighbours in the storage.
struct KeySegment {
  mlir::Value page, place; ///< the outermost index, and the first key's index within it
  mlir::Value key;         ///< number of its first key
  mlir::Value offset;      ///< from the tile's first key
  mlir::OpFoldResult length;
};

class AttentionTiler {
  /// Up to so many rows, keys are read in place and summed along their depth; more pay for packing them.
  static constexpr int64_t kFewRows = 4;
  /// Blocks of fewer keys are copied together in any case.
  static constexpr int64_t kShortRun = 16;

public:
  AttentionTiler(mlir::IRRewriter &rewriter, AttentionOp op, ScheduleAttr schedule)
      : rewriter(rewriter), op(op), schedule(schedule), loc(op.getLoc()), type(op.getScoreType()),
        softmax(op.getNormalizer() == Normalizer::softmax), elementwise(op.isElementwise()) {}

  void run();

private:
  //===--------------------------------------------------------------------===//
  // Small things
  //===--------------------------------------------------------------------===//

  mlir::OpFoldResult index(int64_t value) { return rewriter.getIndexAttr(value); }
  mlir::Value constant(int64_t value) { return mlir::arith::ConstantIndexOp::create(rewriter, loc, value); }
  mlir::Value number(double value) {
    return mlir::arith::ConstantOp::create(rewriter, loc, rewriter.getFloatAttr(type, value)).getResult();
  }
  mlir::Value value(mlir::OpFoldResult entry) { return mlir::getValueOrCreateConstantIndexOp(rewriter, loc, entry); }
  mlir::Value add(mlir::Value a, mlir::Value b) { return rewriter.createOrFold<mlir::arith::AddIOp>(loc, a, b); }
  mlir::Value sub(mlir::Value a, mlir::Value b) { return rewriter.createOrFold<mlir::arith::SubIOp>(loc, a, b); }
  mlir::OpFoldResult size(mlir::Value tensor, unsigned dim) {
    auto ranked = llvm::cast<mlir::RankedTensorType>(tensor.getType());
    if (!ranked.isDynamicDim(dim))
      return index(ranked.getDimSize(dim));
    return mlir::tensor::DimOp::create(rewriter, loc, tensor, dim).getResult();
  }
  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type element) {
    return mlir::tensor::EmptyOp::create(rewriter, loc, sizes, element);
  }
  mlir::Value fill(mlir::Value tensor, double with) {
    return mlir::linalg::FillOp::create(rewriter, loc, mlir::ValueRange{number(with)}, mlir::ValueRange{tensor})
        .getResult(0);
  }

  mlir::Value copy(mlir::Value from, mlir::Value to) {
    return mlir::linalg::CopyOp::create(rewriter, loc, mlir::ValueRange{from}, mlir::ValueRange{to}).getResult(0);
  }

  /// min(tile, extent - index), a number where it is always the same: for tiles that start at 0.
  mlir::OpFoldResult tileSize(mlir::OpFoldResult extent, int64_t tile, mlir::Value from, bool fromZero = true) {
    if (auto fixed = mlir::getConstantIntValue(extent); fixed && fromZero) {
      if (*fixed % tile == 0)
        return index(tile);
      if (*fixed < tile)
        return index(*fixed);
    }
    mlir::AffineExpr i = rewriter.getAffineDimExpr(0), n = rewriter.getAffineSymbolExpr(0);
    auto map = mlir::AffineMap::get(1, 1, {rewriter.getAffineConstantExpr(tile), n - i}, rewriter.getContext());
    return mlir::affine::makeComposedFoldedAffineMin(rewriter, loc, map, {from, extent});
  }

  /// A slice without its first `dropped` dims, which have size 1.
  mlir::Value slice(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> offsets,
                    llvm::ArrayRef<mlir::OpFoldResult> sizes, unsigned dropped) {
    llvm::SmallVector<int64_t> shape;
    for (mlir::OpFoldResult entry : sizes.drop_front(dropped))
      shape.push_back(mlir::getConstantIntValue(entry).value_or(mlir::ShapedType::kDynamic));
    llvm::SmallVector<mlir::OpFoldResult> ones(offsets.size(), index(1));
    auto result = mlir::RankedTensorType::get(shape, mlir::getElementTypeOrSelf(tensor.getType()));
    return mlir::tensor::ExtractSliceOp::create(rewriter, loc, result, tensor, offsets, sizes, ones);
  }

  /// A slice of the shape of tensors over rows, `sizes` without some dims of size 1.
  mlir::Value sliceRows(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> offsets,
                        llvm::ArrayRef<mlir::OpFoldResult> sizes, llvm::ArrayRef<mlir::OpFoldResult> kept) {
    llvm::SmallVector<int64_t> shape;
    for (mlir::OpFoldResult entry : kept)
      shape.push_back(mlir::getConstantIntValue(entry).value_or(mlir::ShapedType::kDynamic));
    llvm::SmallVector<mlir::OpFoldResult> ones(offsets.size(), index(1));
    auto result = mlir::RankedTensorType::get(shape, mlir::getElementTypeOrSelf(tensor.getType()));
    return mlir::tensor::ExtractSliceOp::create(rewriter, loc, result, tensor, offsets, sizes, ones);
  }
  mlir::Value insert(mlir::Value part, mlir::Value into, llvm::ArrayRef<mlir::OpFoldResult> offsets,
                     llvm::ArrayRef<mlir::OpFoldResult> sizes) {
    llvm::SmallVector<mlir::OpFoldResult> ones(offsets.size(), index(1));
    return mlir::tensor::InsertSliceOp::create(rewriter, loc, part, into, offsets, sizes, ones);
  }
  /// `outer` and then one size more: of tensors over rows.
  llvm::SmallVector<mlir::OpFoldResult> append(llvm::ArrayRef<mlir::OpFoldResult> outer, mlir::OpFoldResult last) {
    llvm::SmallVector<mlir::OpFoldResult> sizes(outer);
    sizes.push_back(last);
    return sizes;
  }
  bool hasHeads() const { return rowSizes.size() > 1; }
  /// The indices of a row in a body over rows: its head and its query.
  mlir::Value headIndex() { return hasHeads() ? add(mlir::linalg::IndexOp::create(rewriter, loc, 0), head) : head; }
  mlir::Value queryIndex() { return add(mlir::linalg::IndexOp::create(rewriter, loc, rowSizes.size() - 1), firstRow); }
  /// That of a column's key; `first` is the first column's, null where nothing reads it.
  mlir::Value keyIndex(mlir::Value first) {
    mlir::Value column = mlir::linalg::IndexOp::create(rewriter, loc, rowSizes.size());
    return first ? add(column, first) : column;
  }

  using Body = llvm::function_ref<mlir::Value(llvm::ArrayRef<mlir::Value> inputs, mlir::Value out)>;
  using Bodies = llvm::function_ref<llvm::SmallVector<mlir::Value>(llvm::ArrayRef<mlir::Value> inputs,
                                                                   llvm::ArrayRef<mlir::Value> outs)>;

  /// An op over (row, column), or over rows alone where `out` has rank 1 and nothing is reduced.
  mlir::Value generic(llvm::ArrayRef<mlir::Value> inputs, mlir::Value out, bool reduces, Body body);
  /// The same with several results, all of one rank.
  llvm::SmallVector<mlir::Value> generic(llvm::ArrayRef<mlir::Value> inputs, llvm::ArrayRef<mlir::Value> outs,
                                         bool reduces, Bodies bodies);

  //===--------------------------------------------------------------------===//
  // Parts
  //===--------------------------------------------------------------------===//

  /// The sinks of the unit's `heads`, for each row: as a score that is seen before all others.
  mlir::Value makeSinks(int64_t heads);
  using TileBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(const KeyTile &tile, mlir::ValueRange carried)>;

  /// Runs `body` on tile after tile of the source's keys that a row of the unit may see; returns what is carried. Every
  /// pass over keys goes through here.
  llvm::SmallVector<mlir::Value> forTiles(KVSourceOp source, mlir::ValueRange carried, TileBody body);
  /// What of a range of keys belongs to the unit's part.
  KeyRange<mlir::Value> takePart(KeyRange<mlir::Value> range, mlir::Value count);
  /// The state after the keys of one source.
  AttentionState visit(KVSourceOp source, AttentionState state);

  /// Whether keys are neighbours as their numbers are.
  static bool isContiguous(KVSourceOp source) { return !source.getPages() && !source.getStart(); }
  /// How many keys the storage has places for.
  mlir::OpFoldResult countPlaces(KVSourceOp source);
  /// Whether the keys of a tile may be read where they are.
  static bool isContiguous(const KeyTile &tile) { return !tile.entries && isContiguous(tile.source); }
  /// Whether rows read the keys of a tile that are not contiguous where they are, run by run, rather than copied
  /// together.
  static bool readsInPlace(const KeyTile &tile, bool few) {
    return few && !(tile.entries && KVSourceOp(tile.source).getBlockKeys() < kShortRun);
  }
  /// Sets what a tile says of its source: group, count, start.
  KeyTile openSource(KVSourceOp source);
  mlir::Value take(mlir::Value tensor, mlir::Value group, const KeySegment &segment);
  /// The tile's rows of `tensor`, the source's keys or values, where they are, or copied together.
  mlir::Value gather(mlir::Value tensor, const KeyTile &tile);
  using SegmentBody = llvm::function_ref<mlir::Value(const KeySegment &segment, mlir::Value carried)>;
  /// Runs `body` on segment after segment of the tile.
  mlir::Value forSegments(const KeyTile &tile, mlir::Value carried, SegmentBody body);
  mlir::Value forPages(const KeyTile &tile, mlir::Value carried, SegmentBody body);

  /// The loop over the listed keys of a source.
  llvm::SmallVector<mlir::Value> forListedTiles(KeyTile tile, KeyRange<mlir::Value> range, mlir::ValueRange carried,
                                                TileBody body);
  /// The most keys that an entry of the source's lists stands for.
  mlir::OpFoldResult countEntryKeys(KVSourceOp source);
  /// What entry `entry` of a list stands for, within the list's range; empty where that is nothing.
  KeyRange<mlir::Value> getRun(const KeyTile &tile, mlir::Value entry);
  mlir::Value getWeight(const KeyTile &tile, mlir::Value entry);
  /// Runs `body` on each run of a tile, which lies at `offset` in it.
  mlir::Value
  forRuns(const KeyTile &tile, mlir::Value carried,
          llvm::function_ref<mlir::Value(const KeyTile &run, mlir::Value offset, mlir::Value carried)> body);
  /// Scores (or weights) with `body` of each run's in their place.
  mlir::Value mapRuns(const KeyTile &tile, mlir::Value scores,
                      llvm::function_ref<mlir::Value(const KeyTile &run, mlir::Value part)> body);

  /// Runs `body` for what pays with few rows, or with many; where their number is not known both are made. The result
  /// has type `type`.
  mlir::Value byRows(mlir::Type type, llvm::function_ref<mlir::Value(bool few)> body);
  /// `out` = rows of `left` times `right`: [columns, steps], or where `turned` [steps, columns].
  mlir::Value contract(mlir::Value left, mlir::Value right, bool turned, bool few, mlir::Value out,
                       llvm::ArrayRef<mlir::Value> extras, llvm::ArrayRef<mlir::AffineMap> extraMaps,
                       mlir::Block *region);
  /// A region of the op on scalars, a score or a weight. Without `indices` it reads none.
  mlir::Value cloneRegion(mlir::Block &region, mlir::Value value, llvm::ArrayRef<mlir::Value> indices,
                          llvm::ArrayRef<mlir::Value> extras);
  /// What is read of `tensors` at (b, h, q, k) by their maps, for the unit's rows and the keys from `first` on; each
  /// with its map from (rows, a column).
  llvm::SmallVector<std::pair<mlir::Value, mlir::AffineMap>> takeExtras(mlir::ValueRange tensors,
                                                                        llvm::ArrayRef<mlir::AffineMap> maps,
                                                                        mlir::Value first, mlir::OpFoldResult columns);
  /// An op over rows and columns; inputs are read by `maps`, `out` in full.
  mlir::Value overPairs(llvm::ArrayRef<mlir::Value> inputs, llvm::ArrayRef<mlir::AffineMap> maps, mlir::Value out,
                        Body body);
  /// The scores of a tile, in `out`.
  mlir::Value makeScores(const KeyTile &tile, mlir::Value out);
  /// The scores of keys that lie together, in `out`; `first` is the first of them, which may be null where the region
  /// does not read keys.
  mlir::Value makeScores(mlir::Value keys, mlir::Value first, mlir::OpFoldResult columns, bool few, mlir::Value out);
  /// The score's region on products.
  mlir::Value runScore(mlir::Value scores, mlir::Value first, mlir::OpFoldResult columns);
  /// Whether a region of the op sees the number of a key.
  bool readsKeys(mlir::Block &region);
  using Weigh = llvm::function_ref<mlir::Value(mlir::Value score, llvm::ArrayRef<mlir::Value> state)>;
  /// Weights in `out`, which may be the scores: by `weigh` from scores and the state of their rows, then by the
  /// probability region.
  mlir::Value weigh(const KeyTile &tile, mlir::Value scores, llvm::ArrayRef<mlir::Value> state, mlir::Value out,
                    Weigh body);
  /// Weights in the place of scores, for normalizers that take each score by itself.
  mlir::Value normalize(const KeyTile &tile, mlir::Value scores);
  /// What the mask says of the unit's rows, built where it may be asked of every tile.
  void openMask(KeyTile &tile);
  /// What `body` makes of the tile, `carried` where the mask hides it from all rows. Sets `tile.whole`.
  llvm::SmallVector<mlir::Value> unlessHidden(KeyTile &tile, mlir::ValueRange carried, TileBody body);
  /// Hides what mask and predicate hide, unless every row sees the whole tile.
  mlir::Value applyMask(const KeyTile &tile, mlir::Value weights);
  mlir::Value hide(const KeyTile &tile, mlir::Attribute mask, mlir::Value weights);
  mlir::Value isLowest(mlir::Value score) {
    mlir::Value lowest = number(-std::numeric_limits<double>::infinity());
    return mlir::arith::CmpFOp::create(rewriter, loc, mlir::arith::CmpFPredicate::OEQ, score, lowest);
  }
  /// The state after a tile of weights (of scores, for softmax) and its values.
  AttentionState accumulate(const KeyTile &tile, mlir::Value weights, AttentionState state);
  /// `sums`, each row times its scale where there is one, and the product of weights and values.
  mlir::Value addProduct(const KeyTile &tile, mlir::Value weights, mlir::Value scale, mlir::Value sums);
  /// What the rows have gathered, divided by their sums, in the result's element type.
  mlir::Value finish(AttentionState state, mlir::Value place);
  /// The logarithm of what a softmax has summed.
  mlir::Value finishSum(AttentionState state, mlir::Value place);
  mlir::Value exp(mlir::Value a) { return mlir::math::ExpOp::create(rewriter, loc, a); }
  /// e^(a - most), where `most` is at least `a`.
  mlir::Value expBelow(mlir::Value a, mlir::Value most) {
    auto power = mlir::math::ExpOp::create(rewriter, loc, subf(a, most));
    power->setAttr(kNonpositiveAttr, rewriter.getUnitAttr());
    return power;
  }
  mlir::Value subf(mlir::Value a, mlir::Value b) { return mlir::arith::SubFOp::create(rewriter, loc, a, b); }
  mlir::Value mulf(mlir::Value a, mlir::Value b) { return mlir::arith::MulFOp::create(rewriter, loc, a, b); }
  mlir::Value divf(mlir::Value a, mlir::Value b) { return mlir::arith::DivFOp::create(rewriter, loc, a, b); }
  mlir::Value addf(mlir::Value a, mlir::Value b) { return mlir::arith::AddFOp::create(rewriter, loc, a, b); }
  mlir::Value select(mlir::Value c, mlir::Value a, mlir::Value b) {
    return mlir::arith::SelectOp::create(rewriter, loc, c, a, b);
  }
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value a, mlir::Value b) {
    return mlir::arith::CmpFOp::create(rewriter, loc, predicate, a, b);
  }

  //===--------------------------------------------------------------------===//
  // Several passes
  //===--------------------------------------------------------------------===//

  /// All passes over the keys: the result's sums, and of a softmax the highest score and the sum.
  AttentionState runPasses(AttentionState state);
  /// Runs `body` on tile after tile of the scores that were kept of all sources.
  llvm::SmallVector<mlir::Value>
  forScores(mlir::ValueRange carried,
            llvm::function_ref<llvm::SmallVector<mlir::Value>(const KeyTile &tile, mlir::Value scores,
                                                              mlir::ValueRange carried)>
                body);
  /// Takes a tile of scores into the state of a softmax; returns highest score and sum.
  llvm::SmallVector<mlir::Value> foldSoftmax(mlir::Value scores, mlir::ValueRange state);
  /// The highest score of each row.
  mlir::Value foldHighest(mlir::Value scores, mlir::Value highest);
  /// The threshold of each row of an entmax, relative to the row's highest score, and the sum of what is above it.
  llvm::SmallVector<mlir::Value> solveEntmax(mlir::Value highest);
  /// Sums over the row of what exceeds the threshold: to the power 1 / (alpha - 1), and to one less.
  llvm::SmallVector<mlir::Value> sumEntmax(mlir::Value highest, mlir::Value threshold);
  /// What a score of an entmax weighs before division by the sum, and that over what exceeds the threshold.
  std::pair<mlir::Value, mlir::Value> exceed(mlir::Value score, mlir::Value highest, mlir::Value threshold);
  /// A region of the user's rule on scalars.
  llvm::SmallVector<mlir::Value> cloneRule(mlir::Region &region, llvm::ArrayRef<mlir::Value> arguments);
  /// The states of the lanes of a user's rule, joined to one per row.
  llvm::SmallVector<mlir::Value> joinLanes(llvm::SmallVector<mlir::Value> lanes);

  mlir::IRRewriter &rewriter;
  AttentionOp op;
  ScheduleAttr schedule;
  mlir::Location loc;
  mlir::Type type; ///< of scores and sums
  bool softmax, elementwise;
  mlir::OpFoldResult queries, rows, width; ///< of the query; of this unit; of the result
  /// The unit's heads, where it has several, and its rows of queries: the outer dims of all tensors over rows.
  llvm::SmallVector<mlir::OpFoldResult> rowSizes;
  mlir::Value batch, head, firstRow, lastRow, query;
  mlir::Value isFew; ///< whether there are few rows, where that is not known
  /// Of partial results, the unit's part and how many there are; null for all keys.
  mlir::Value part;
  mlir::OpFoldResult parts;
  /// Of several passes: the places of each source, as many as it may have keys, and the scores of the unit's rows.
  llvm::SmallVector<mlir::OpFoldResult> places;
  llvm::SmallVector<mlir::Value> kept;
};

} // namespace tenon
