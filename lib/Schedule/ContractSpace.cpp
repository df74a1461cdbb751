//===- ContractSpace.cpp - the schedules that a contraction may have -----------------------------===//
//
// The register tiles are those that the chooser compares; each may be cut in chunks, unrolled and cut in units
// otherwise than the chooser would.
//
//===----------------------------------------------------------------------===//
#include "ContractChooser.h"
#include "Spaces.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::schedule;

SmallVector<SmallVector<int64_t>> Chooser::getUnrolls(const Tile &tile) const {
  SmallVector<SmallVector<int64_t>> lists{getUnroll(tile)};
  auto add = [&](SmallVector<int64_t> list) {
    llvm::sort(list);
    if (!llvm::is_contained(lists, list))
      lists.push_back(std::move(list));
  };
  add({});
  if (op.hasDecode())
    return lists;
  // The innermost reduction dims, as long as the code is no longer than what the chooser makes at most.
  SmallVector<int64_t> list;
  int64_t points = tile.vectors * tile.rows[0] * tile.rows[1];
  for (int64_t dim : llvm::reverse(reductions)) {
    if (op.isOfPhases(dim))
      continue;
    if (dim == tile.vectorDim || (tile.chunk > 0 && dim == reductions.front()) || !known[dim])
      break;
    points *= extents[dim];
    if (points > getMostUnrolled(tile))
      break;
    list.push_back(dim);
    add(list);
  }
  return lists;
}

SmallVector<SmallVector<int64_t>> Chooser::getParallels(const Tile &tile) const {
  constexpr int64_t kMostUnits = 256, kMostPieces = 16;
  SmallVector<SmallVector<int64_t>> cuts{getParallel(tile)};
  auto add = [&](SmallVector<int64_t> cut) {
    if (!llvm::is_contained(cuts, cut))
      cuts.push_back(std::move(cut));
  };
  // More and fewer units, cut as the chooser cuts.
  for (int64_t units = 1; units <= kMostUnits; units *= 2)
    add(getParallel(tile, units));
  // Panels and rows, each in so many pieces of whole register tiles.
  int64_t lanes = isDot(tile) ? -1 : tile.vectorDim, rows = tile.rowDims[0] >= 0 ? tile.rowDims[0] : tile.rowDims[1];
  for (int64_t lanePieces = 1; lanePieces <= (lanes < 0 ? 1 : kMostPieces); lanePieces *= 2)
    for (int64_t rowPieces = 1; rowPieces <= (rows < 0 ? 1 : kMostPieces); rowPieces *= 2) {
      SmallVector<int64_t> cut(op.getNumLoops(), 0);
      auto divide = [&](int64_t dim, int64_t pieces, int64_t whole) {
        int64_t size = llvm::alignTo(llvm::divideCeil(extents[dim], pieces), whole);
        if (pieces > 1 && size < extents[dim])
          cut[dim] = size;
      };
      if (lanes >= 0)
        divide(lanes, lanePieces, tile.vectors * width);
      if (rows >= 0)
        divide(rows, rowPieces, getRows(tile, rows));
      add(std::move(cut));
    }
  return cuts;
}

SmallVector<int64_t> Chooser::getAllDecodeRows(const Tile &tile) const {
  SmallVector<int64_t> all{getDecodeRows(tile)};
  bool moves =
      llvm::any_of(llvm::seq(2), [&](int64_t slot) { return tile.rows[slot] > 1 && dependsOn(1, tile.rowDims[slot]); });
  if (!op.hasDecode() || tile.vectorDim < 0 || isDot(tile) || !dependsOn(1, tile.vectorDim) || moves)
    return all;
  bool open = llvm::any_of(parallels, [&](unsigned dim) { return !known[dim] && !dependsOn(1, dim); });
  // Of a known number of rows, only whether there are so many makes a difference.
  for (int64_t rows :
       open ? std::initializer_list<int64_t>{0, 1, 16, getLeastDecodeRows()} : std::initializer_list<int64_t>{0, 1})
    if (!llvm::is_contained(all, rows))
      all.push_back(rows);
  return all;
}

namespace {

/// Positions of axes; those before kChunk say which register tile.
constexpr unsigned kChunk = 5, kUnroll = 6, kParallel = 7, kDecodeRows = 8;

/// What the axes of a contraction are read from: the tiles as a tree over the first axes, and the chooser.
class Contract {
public:
  Contract(TileContractOp op, TargetAttr target, ArrayRef<bool> weights) : chooser(op, target, weights) {
    nodes.emplace_back();
    chooser.forEachTile([&](Tile tile) {
      if (chooser.settle(tile))
        add(tile);
    });
    Tile chosen;
    byDefault = chooser.choose(&chosen);
    chooser.settle(chosen); // what its rows were before may have had another cost
    add(chosen, /*replaces=*/true);
  }

  SmallVector<AxisValue> getTileValues(ArrayRef<AxisValue> before) const { return find(before)->values; }

  Tile getTile(ArrayRef<AxisValue> choices) const {
    Tile tile = tiles[find(choices.take_front(kChunk))->tile];
    if (choices.size() > kChunk)
      tile.chunk = choices[kChunk].front();
    return tile;
  }

  double getCost(ArrayRef<AxisValue> choices) const {
    Tile tile = getTile(choices.take_front(kChunk));
    Tile chunked = getTile(choices.take_front(kChunk + 1));
    bool isOwn = choices.size() <= kUnroll || choices[kUnroll] == AxisValue(chooser.getUnroll(chunked));
    bool unrolls = isOwn ? tile.unrolls : llvm::is_contained(choices[kUnroll], chooser.getTapDim());
    return chooser.getCost(tile, chunked.chunk, unrolls);
  }

  ScheduleAttr build(ArrayRef<AxisValue> choices) const {
    return chooser.build(getTile(choices), choices[kUnroll], choices[kParallel], choices[kDecodeRows].front());
  }

  Choices read(ScheduleAttr schedule) const {
    TileContractOp op = chooser.getOp();
    int64_t vectorDim = schedule.getVectorDim(), first = -1;
    if (SmallVector<unsigned> reductions = op.getReductionDims(); !reductions.empty())
      first = reductions.front();
    AxisValue rows(op.getNumLoops(), 1);
    int64_t vectors = 1;
    for (auto [dim, size] : llvm::enumerate(schedule.getRegister_()))
      if (static_cast<int64_t>(dim) == vectorDim)
        vectors = size / schedule.getVectorWidth();
      else
        rows[dim] = size;
    int64_t chunk = first < 0 || schedule.getCache().empty() ? 0 : schedule.getCache()[first];
    return {{vectorDim},
            {vectors},
            rows,
            AxisValue(schedule.getPack()),
            AxisValue(schedule.getPrepack()),
            {chunk},
            AxisValue(schedule.getUnroll()),
            AxisValue(schedule.getParallel()),
            {schedule.getDecodeRows()}};
  }

  Chooser chooser;
  ScheduleAttr byDefault;

private:
  struct Node {
    SmallVector<AxisValue> values;
    SmallVector<unsigned> children;
    unsigned tile = 0;
  };

  Choices getChoices(const Tile &tile) const {
    AxisValue rows(chooser.getOp().getNumLoops(), 1), pack, prepack;
    for (unsigned slot = 0; slot < 2; ++slot)
      if (tile.rowDims[slot] >= 0)
        rows[tile.rowDims[slot]] = tile.rows[slot];
    if (tile.pack >= 0)
      (tile.prepack ? prepack : pack).push_back(tile.pack);
    return {{tile.vectorDim}, {tile.vectors}, rows, pack, prepack};
  }

  void add(const Tile &tile, bool replaces = false) {
    unsigned node = 0;
    bool isNew = false;
    for (AxisValue &value : getChoices(tile)) {
      auto *found = llvm::find(nodes[node].values, value);
      unsigned position = found - nodes[node].values.begin();
      if (found == nodes[node].values.end()) {
        nodes[node].values.push_back(std::move(value));
        nodes[node].children.push_back(nodes.size());
        nodes.emplace_back();
        isNew = true;
      }
      node = nodes[node].children[position];
    }
    // Two pairs of row dims may make the same tile, where one of them has a single row.
    if (isNew) {
      nodes[node].tile = tiles.size();
      tiles.push_back(tile);
    } else if (replaces || tile.cost < tiles[nodes[node].tile].cost)
      tiles[nodes[node].tile] = tile;
  }

  const Node *find(ArrayRef<AxisValue> path) const {
    unsigned node = 0;
    for (const AxisValue &value : path) {
      auto *found = llvm::find(nodes[node].values, value);
      if (found == nodes[node].values.end())
        return nullptr;
      node = nodes[node].children[found - nodes[node].values.begin()];
    }
    return &nodes[node];
  }

  std::vector<Node> nodes;
  std::vector<Tile> tiles;
};

} // namespace

ScheduleSpace tenon::makeSpace(TileContractOp op, TargetAttr target, ArrayRef<bool> weights) {
  auto contract = std::make_shared<Contract>(op, target, weights);
  ScheduleSpace::Definition made;
  for (StringRef name : {"vector_dim", "vectors", "rows", "pack", "prepack"})
    made.axes.push_back({name.str(), [=](ArrayRef<AxisValue> before) { return contract->getTileValues(before); }});
  using Before = ArrayRef<AxisValue>;
  auto addLists = [&](StringRef name, auto getLists) {
    made.axes.push_back({name.str(), [=](Before before) {
                           return llvm::map_to_vector(getLists(contract->getTile(before)), [](const auto &list) {
                             return AxisValue(list.begin(), list.end());
                           });
                         }});
  };
  auto addNumbers = [&](StringRef name, auto getNumbers) {
    made.axes.push_back({name.str(), [=](Before before) {
                           return llvm::map_to_vector(getNumbers(contract->getTile(before)),
                                                      [](int64_t number) { return AxisValue{number}; });
                         }});
  };
  addNumbers("chunk", [=](const Tile &tile) { return contract->chooser.getChunks(tile); });
  addLists("unroll", [=](const Tile &tile) { return contract->chooser.getUnrolls(tile); });
  addLists("parallel", [=](const Tile &tile) { return contract->chooser.getParallels(tile); });
  addNumbers("decode_rows", [=](const Tile &tile) { return contract->chooser.getAllDecodeRows(tile); });
  made.build = [=](Before choices) { return contract->build(choices); };
  made.read = [=](ScheduleAttr schedule) { return contract->read(schedule); };
  made.getCost = [=](Before choices) { return contract->getCost(choices); };
  made.costAxes = kUnroll; // units are not in the model, and what is unrolled besides is hardly felt
  return ScheduleSpace(std::move(made), contract->byDefault);
}
