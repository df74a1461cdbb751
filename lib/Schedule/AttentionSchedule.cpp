//===- AttentionSchedule.cpp - default schedules of attentions ---------------------------===//
//
// A unit works on some rows of queries of the heads that share keys, as many as keep a tile of scores in the second
// cache level; see docs/rationale/attention.md for the sizes.
//
//===----------------------------------------------------------------------===//
#include "Spaces.h"
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <numeric>

using namespace mlir;
using namespace tenon;

/// Whether heads that share keys may see different ones: what a unit visits is then asked for one head.
static bool differByHead(KVSourceOp source) {
  Attribute mask = source.getMask().value_or(Attribute());
  return countHeadMasks(mask) > 1 || llvm::any_of(getMaskOperands(mask), [&](MaskOperand operand) {
           return source.getMaps()[operand.number].isFunctionOfDim(1);
         });
}

/// How many neighbouring heads read the same head of every source in the same way, and the same lists; 1 where that is
/// not known.
static int64_t countSharingHeads(AttentionOp op) {
  int64_t heads = cast<RankedTensorType>(op.getQuery().getType()).getDimSize(1), sharing = 0;
  for (unsigned number = 0; number < op.getSources().size(); ++number) {
    int64_t groups = cast<RankedTensorType>(op.getSource(number).getKeys().getType()).getDimSize(1);
    if (ShapedType::isDynamic(heads) || ShapedType::isDynamic(groups) || groups == 0 ||
        differByHead(op.getSource(number)))
      return 1;
    sharing = std::gcd(sharing, heads / groups);
    if (Value blocks = op.getSource(number).getBlocks())
      sharing = std::gcd(sharing, heads / std::max<int64_t>(1, cast<RankedTensorType>(blocks.getType()).getDimSize(1)));
  }
  return std::max<int64_t>(1, sharing);
}

/// How many keys all sources have places for, or have in a list; nullopt where that is not known.
static std::optional<int64_t> countKeys(AttentionOp op) {
  int64_t total = 0;
  for (unsigned number = 0; number < op.getSources().size(); ++number) {
    KVSourceOp source = op.getSource(number);
    int64_t keys = cast<RankedTensorType>(source.getKeys().getType()).getDimSize(2), pages = 1;
    if (source.getPages())
      pages = cast<RankedTensorType>(source.getPages().getType()).getShape().back();
    if (ShapedType::isDynamic(keys) || ShapedType::isDynamic(pages))
      return std::nullopt;
    keys *= pages;
    if (Value blocks = source.getBlocks()) {
      int64_t entries = cast<RankedTensorType>(blocks.getType()).getShape().back();
      if (ShapedType::isDynamic(entries))
        return std::nullopt;
      keys = entries * std::min<int64_t>(source.getBlockKeys(), keys);
    }
    total += keys;
  }
  return total;
}

/// How many neighbouring queries share the lists of every source; 0 where all do.
static int64_t countSharingQueries(AttentionOp op) {
  int64_t queries = cast<RankedTensorType>(op.getQuery().getType()).getDimSize(2), sharing = 0;
  for (unsigned number = 0; number < op.getSources().size(); ++number) {
    KVSourceOp source = op.getSource(number);
    int64_t count = source.getBlockQueries();
    if (source.getBlocks() && (ShapedType::isDynamic(queries) || count < queries))
      sharing = std::gcd(sharing, count);
  }
  return sharing;
}

/// How many keys one row may see of a source at most, as far as its mask is a window; nullopt where that is not known.
static std::optional<int64_t> getReach(Attribute mask) {
  if (auto window = dyn_cast_if_present<WindowAttr>(mask))
    return window.getLeft() >= 0 && window.getRight() >= 0 ? std::optional(window.getLeft() + window.getRight() + 1)
                                                           : std::nullopt;
  std::optional<int64_t> reach;
  if (auto all = dyn_cast_if_present<AllOfAttr>(mask))
    for (Attribute part : all.getMasks())
      if (std::optional<int64_t> other = getReach(part))
        reach = std::min(*other, reach.value_or(*other));
  return reach;
}

/// The fewest keys of a part of a row: joining it costs nothing beside.
static constexpr int64_t kLeastKeys = 512;

/// Whether the keys of a row may be worked on by several units.
static bool canSplitKeys(AttentionOp op) {
  auto query = cast<RankedTensorType>(op.getQuery().getType());
  if (op.getPartial() || op.hasProbability() || op.keepsScores() || query.isDynamicDim(1) || query.isDynamicDim(2))
    return false;
  return llvm::none_of(llvm::seq<unsigned>(0, op.getSources().size()), [&](unsigned number) {
    KVSourceOp source = op.getSource(number);
    std::optional<int64_t> reach = getReach(source.getMask().value_or(Attribute()));
    return source.getBlocks() || (reach && *reach < 2 * kLeastKeys); // each part would go over the whole list
  });
}

/// The keys of a unit where units over heads and queries alone are too few to keep many threads busy; 0 for all keys.
static int64_t getKeysPerUnit(AttentionOp op, int64_t heads, int64_t rows) {
  constexpr int64_t kEnough = 16, kWanted = 32, kUnknown = 1024;
  auto query = cast<RankedTensorType>(op.getQuery().getType());
  if (!canSplitKeys(op))
    return 0;
  int64_t batches = query.isDynamicDim(0) ? 1 : query.getDimSize(0);
  int64_t units = batches * (query.getDimSize(1) / heads) * llvm::divideCeil(query.getDimSize(2), rows);
  if (units == 0 || units >= kEnough)
    return 0;
  // Parts must not depend on whether sizes are known: one query is a step of decoding, several were open.
  if (hasSumsAsOpen(op))
    return query.getDimSize(2) == 1 ? kUnknown : 0;
  std::optional<int64_t> keys = countKeys(op);
  if (!keys)
    return kUnknown;
  int64_t parts = std::min<int64_t>(llvm::divideCeil(kWanted, units), *keys / kLeastKeys);
  return parts < 2 ? 0 : llvm::divideCeil(*keys, parts);
}

/// Rows of queries of a unit of `heads` heads. Keys are packed once per unit: with several heads it has more rows
/// rather than few queries.
static int64_t getRows(AttentionOp op, TargetAttr target, int64_t heads) {
  constexpr int64_t kRows = 64, kQueries = 32;
  int64_t queries = cast<RankedTensorType>(op.getQuery().getType()).getDimSize(2);
  int64_t most = std::max<int64_t>(kRows / heads, kQueries);
  int64_t rows = ShapedType::isDynamic(queries) ? most : std::clamp<int64_t>(queries, 1, most);
  if (op.keepsScores()) {
    // Their rows stay in the second cache level, beside a tile of keys or values.
    constexpr int64_t kUnknown = 4096;
    int64_t bytes = op.getScoreType().getIntOrFloatBitWidth() / 8 * heads * countKeys(op).value_or(kUnknown);
    rows = std::clamp<int64_t>(target.getL2Bytes() / std::max<int64_t>(bytes, 1), 1, rows);
  }
  // The rows of a unit have one list: the largest part of those that share one.
  if (int64_t shared = countSharingQueries(op))
    for (rows = std::min(rows, shared); shared % rows != 0;)
      --rows;
  return rows;
}

/// Keys of one step.
static constexpr int64_t kKeys = 256;

/// Vectors of a register tile of so many heads and rows: one row leaves registers for more.
static int64_t getVectors(TargetAttr target, int64_t headTile, int64_t rowTile) {
  return rowTile == 1 && headTile == 1 ? 8 : target.getVectorRegisters() > 16 ? 4 : 2;
}

/// Heads and rows of a register tile, six rows of accumulators.
static int64_t getRowTile(int64_t rows) { return std::min<int64_t>(rows, 6); }
static int64_t getHeadTile(int64_t heads, int64_t rows) { return rows == 1 ? std::min<int64_t>(heads, 6) : 1; }

static ScheduleAttr build(AttentionOp op, TargetAttr target, ArrayRef<int64_t> parallel, int64_t keys, int64_t headTile,
                          int64_t rowTile, int64_t vectors) {
  int64_t width = target.getVectorElements(op.getScoreType());
  return ScheduleAttr::get(op.getContext(), /*version=*/1, "attention", parallel, {0, 0, 0, keys}, {},
                           {1, headTile, rowTile, vectors * width}, {}, {}, {}, /*vectorDim=*/3, width);
}

ScheduleAttr tenon::getDefaultSchedule(AttentionOp op, TargetAttr target) {
  constexpr int64_t kHeads = 8;
  int64_t heads = countSharingHeads(op);
  // Heads that read the same keys share a unit: keys come from memory once, and are packed once.
  while (heads > kHeads)
    heads = heads % 2 == 0 ? heads / 2 : 1;
  int64_t rows = getRows(op, target, heads), headTile = getHeadTile(heads, rows), rowTile = getRowTile(rows);
  return build(op, target, {1, heads, rows, getKeysPerUnit(op, heads, rows)}, kKeys, headTile, rowTile,
               getVectors(target, headTile, rowTile));
}

ScheduleSpace tenon::makeSpace(AttentionOp op, TargetAttr target) {
  constexpr int64_t kMostHeads = 16, kMostRows = 256, kMostKeys = 2048, kMostVectors = 8;
  using Before = ArrayRef<AxisValue>;
  int64_t registers = target.getVectorRegisters();
  ScheduleSpace::Definition made;
  made.axes.push_back({"heads", [=](Before) {
                         int64_t sharing = countSharingHeads(op);
                         SmallVector<AxisValue> values;
                         for (int64_t heads = std::min(sharing, kMostHeads); heads > 0; --heads)
                           if (sharing % heads == 0)
                             values.push_back({heads});
                         return values;
                       }});
  made.axes.push_back({"rows", [=](Before before) mutable {
                         int64_t heads = before[0].front(), rows = getRows(op, target, heads), most = kMostRows / heads;
                         int64_t queries = cast<RankedTensorType>(op.getQuery().getType()).getDimSize(2);
                         if (!ShapedType::isDynamic(queries))
                           most = std::min(most, queries);
                         if (op.keepsScores()) // bounded by the cache
                           most = rows;
                         int64_t shared = countSharingQueries(op);
                         return listPowers(rows, 1, most,
                                           [&](int64_t rows) { return shared == 0 || shared % rows == 0; });
                       }});
  made.axes.push_back({"keys", [=](Before) { return listPowers(kKeys, 32, kMostKeys); }});
  made.axes.push_back({"keys_per_unit", [=](Before before) {
                         int64_t byDefault = getKeysPerUnit(op, before[0].front(), before[1].front());
                         SmallVector<AxisValue> values{{byDefault}};
                         auto add = [&](int64_t keys) {
                           if (!llvm::is_contained(values, AxisValue{keys}))
                             values.push_back({keys});
                         };
                         add(0);
                         if (!canSplitKeys(op))
                           return values;
                         std::optional<int64_t> all = countKeys(op);
                         for (int64_t parts = 2; all && parts <= *all / kLeastKeys; parts *= 2)
                           add(llvm::divideCeil(*all, parts));
                         for (int64_t keys = kLeastKeys; !all && keys <= 8 * kLeastKeys; keys *= 2)
                           add(keys);
                         return values;
                       }});
  made.axes.push_back({"head_tile", [=](Before before) {
                         int64_t heads = before[0].front(), byDefault = getHeadTile(heads, before[1].front());
                         return listPowers(byDefault, 1, std::min(heads, registers / 4));
                       }});
  made.axes.push_back({"row_tile", [=](Before before) {
                         int64_t rows = before[1].front(), heads = before[4].front();
                         SmallVector<AxisValue> values;
                         // Those that leave two vectors to three quarters of the registers.
                         int64_t most = std::max<int64_t>(1, std::min(rows, registers * 3 / 8 / heads));
                         int64_t byDefault = std::min(getRowTile(rows), most);
                         values.push_back({byDefault});
                         for (int64_t tile = 1; tile <= std::min<int64_t>(most, 8); ++tile)
                           if (tile != byDefault)
                             values.push_back({tile});
                         return values;
                       }});
  made.axes.push_back({"vectors", [=](Before before) {
                         int64_t heads = before[4].front(), rows = before[5].front();
                         int64_t most = std::clamp<int64_t>(registers * 3 / 4 / (heads * rows), 1, kMostVectors);
                         int64_t byDefault = std::min(getVectors(target, heads, rows), most);
                         return listPowers(byDefault, 1, most);
                       }});
  made.build = [=](Before choices) {
    auto at = [&](unsigned axis) { return choices[axis].front(); };
    return ::build(op, target, {1, at(0), at(1), at(3)}, at(2), at(4), at(5), at(6));
  };
  made.read = [](ScheduleAttr schedule) -> Choices {
    ArrayRef<int64_t> parallel = schedule.getParallel(), tile = schedule.getRegister_();
    if (parallel.size() != 4 || schedule.getCache().size() != 4 || tile.size() != 4)
      return {};
    return {{parallel[1]},
            {parallel[2]},
            {schedule.getCache()[3]},
            {parallel[3]},
            {tile[1]},
            {tile[2]},
            {tile[3] / schedule.getVectorWidth()}};
  };
  return ScheduleSpace(std::move(made), getDefaultSchedule(op, target));
}

LogicalResult tenon::verifyAttentionSchedule(func::FuncOp kernel, AttentionOp op, ScheduleAttr schedule,
                                             TargetAttr target) {
  for (ArrayRef<int64_t> tiles : {schedule.getParallel(), schedule.getCache(), schedule.getRegister_()})
    if (tiles.size() != 4)
      return kernel.emitError("expected tile lists of an attention's schedule to have 4 entries, but got ")
             << tiles.size();
  int64_t heads = schedule.getParallel()[1];
  if (heads < 1 || countSharingHeads(op) % heads != 0)
    return kernel.emitError("expected the heads of a unit of an attention to divide the ")
           << countSharingHeads(op) << " that share keys, but got " << heads;
  int64_t shared = countSharingQueries(op), rows = schedule.getParallel()[2];
  if (shared != 0 && (rows < 1 || shared % rows != 0))
    return kernel.emitError("expected the rows of a unit of an attention to divide the ")
           << shared << " queries that share a list, but got " << rows;
  if (schedule.getParallel()[2] < 1 || schedule.getCache()[3] < 1)
    return kernel.emitError(
               "expected an attention's schedule to have rows of queries in 'parallel' and keys in 'cache', "
               "but got ")
           << schedule.getParallel()[2] << " and " << schedule.getCache()[3];
  if (schedule.getParallel()[3] != 0 && (op.getPartial() || op.hasProbability() || op.keepsScores()))
    return kernel.emitError(
               "expected all keys in a unit of an attention that is of parts already, or whose weights need "
               "all scores of a row, but got ")
           << schedule.getParallel()[3];
  if (schedule.getRegister_()[1] < 1 || schedule.getRegister_()[2] < 1 ||
      schedule.getRegister_()[3] < schedule.getVectorWidth())
    return kernel.emitError("expected an attention's register tile to have a row and a vector, but got ")
           << schedule.getRegister_()[2] << " and " << schedule.getRegister_()[3];
  ArrayRef<int64_t> registers = schedule.getRegister_();
  return verifyRegisterTile(kernel, registers[1] * registers[2] * (registers[3] / schedule.getVectorWidth()), target);
}
