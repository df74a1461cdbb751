//===- GroupedSchedule.cpp - default schedules of matmuls of groups --------------------------===//
//
// Tiles over (group, entry of the list, column, K). A unit has as many rows as make its panels of weights worth a copy.
//
//===----------------------------------------------------------------------===//
#include "Spaces.h"
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

static int64_t sizeOf(Value value, unsigned dim) { return cast<ShapedType>(value.getType()).getDimSize(dim); }

/// Columns of a unit that are no more than there are.
static int64_t getColumns(GroupedMatmulOp op, int64_t most) {
  int64_t columns = sizeOf(op.getWeights(), 2);
  return ShapedType::isDynamic(columns) ? most : std::clamp<int64_t>(columns, 1, most);
}

/// Factors that are packed at each run, and at load.
using Packing = std::pair<AxisValue, AxisValue>;

/// Whether panels can be made at load.
static bool canPackAtLoad(GroupedMatmulOp op, bool weights) {
  return weights && cast<ShapedType>(op.getWeights().getType()).getNumElements() > 0;
}

static Packing getPacking(GroupedMatmulOp op, bool weights) {
  constexpr int64_t kRowsPerPanel = 16;
  int64_t length = sizeOf(op.getListOperand(), 0), groups = sizeOf(op.getWeights(), 0);
  // Groups of a few rows read each weight once or twice: where it is.
  bool open = ShapedType::isDynamic(length) || ShapedType::isDynamic(groups);
  if (canPackAtLoad(op, weights))
    return {{}, {1}};
  if (open || length / std::max<int64_t>(groups, 1) >= kRowsPerPanel)
    return {{1}, {}};
  return {};
}

/// Columns of a unit, three quarters of the registers wide and six rows high.
constexpr int64_t kColumns = 256, kRowTile = 6;

static int64_t getVectors(GroupedMatmulOp op, TargetAttr target) {
  int64_t width = target.getVectorElements(op.getSumType());
  return std::min<int64_t>(target.getVectorRegisters() > 16 ? 4 : 2, llvm::divideCeil(getColumns(op, kColumns), width));
}

static int64_t getRows(GroupedMatmulOp op, int64_t most) {
  int64_t length = sizeOf(op.getListOperand(), 0);
  return ShapedType::isDynamic(length) ? most : std::clamp<int64_t>(length, 1, most);
}

static ScheduleAttr build(GroupedMatmulOp op, TargetAttr target, int64_t rows, int64_t rowTile, int64_t vectors,
                          int64_t columnTile, ArrayRef<int64_t> pack, ArrayRef<int64_t> prepack) {
  int64_t width = target.getVectorElements(op.getSumType());
  // Entries that add to one row are taken in turn: the units are columns.
  SmallVector<int64_t> parallel{1, rows, columnTile, 0};
  if (op.getScatter())
    parallel = {0, 0, columnTile, 0};
  return ScheduleAttr::get(op.getContext(), /*version=*/1, "grouped", parallel, {0, rows, 0, 0}, {},
                           {1, rowTile, vectors * width, 1}, {}, pack, prepack, /*vectorDim=*/2, width);
}

ScheduleAttr tenon::getDefaultSchedule(GroupedMatmulOp op, TargetAttr target, bool weights) {
  constexpr int64_t kRows = 128;
  int64_t rows = getRows(op, kRows), vectors = getVectors(op, target);
  int64_t columnTile = llvm::alignTo(getColumns(op, kColumns), vectors * target.getVectorElements(op.getSumType()));
  auto [pack, prepack] = getPacking(op, weights);
  return build(op, target, rows, std::min(rows, kRowTile), vectors, columnTile, pack, prepack);
}

ScheduleSpace tenon::makeSpace(GroupedMatmulOp op, TargetAttr target, bool weights) {
  constexpr int64_t kRows = 128, kMostRows = 512, kMostTile = 8, kMostVectors = 4, kMostColumns = 1024;
  using Before = ArrayRef<AxisValue>;
  int64_t width = target.getVectorElements(op.getSumType());
  ScheduleSpace::Definition made;
  made.axes.push_back({"rows", [=](Before) { return listPowers(getRows(op, kRows), 1, getRows(op, kMostRows)); }});
  made.axes.push_back({"row_tile", [=](Before before) {
                         int64_t most = std::min(before[0].front(), kMostTile);
                         SmallVector<AxisValue> values{{std::min(before[0].front(), kRowTile)}};
                         for (int64_t tile = 1; tile <= most; ++tile)
                           if (tile != values.front().front())
                             values.push_back({tile});
                         return values;
                       }});
  made.axes.push_back({"vectors", [=](Before before) {
                         int64_t most = target.getVectorRegisters() * 3 / 4 / before[1].front();
                         int64_t byDefault = std::min(getVectors(op, target), most);
                         SmallVector<AxisValue> values{{byDefault}};
                         for (int64_t vectors = 1; vectors <= std::min(most, kMostVectors); ++vectors)
                           if (vectors != byDefault && (vectors - 1) * width < getColumns(op, kMostColumns))
                             values.push_back({vectors});
                         return values;
                       }});
  made.axes.push_back({"columns", [=](Before before) {
                         int64_t lanes = before[2].front() * width;
                         SmallVector<AxisValue> values{
                             {static_cast<int64_t>(llvm::alignTo(getColumns(op, kColumns), lanes))}};
                         for (int64_t columns = lanes; columns < getColumns(op, kMostColumns) + lanes; columns *= 2)
                           if (columns != values.front().front())
                             values.push_back({columns});
                         return values;
                       }});
  made.axes.push_back({"pack", [=](Before) {
                         auto [pack, prepack] = getPacking(op, weights);
                         SmallVector<AxisValue> values{pack};
                         values.push_back(pack.empty() ? AxisValue{1} : AxisValue());
                         return values;
                       }});
  made.axes.push_back({"prepack", [=](Before before) {
                         if (!before[4].empty() || !canPackAtLoad(op, weights))
                           return SmallVector<AxisValue>{AxisValue()};
                         return SmallVector<AxisValue>{AxisValue{1}, AxisValue()};
                       }});
  made.build = [=](Before choices) {
    auto at = [&](unsigned axis) { return choices[axis].front(); };
    return ::build(op, target, at(0), at(1), at(2), at(3), choices[4], choices[5]);
  };
  made.read = [](ScheduleAttr schedule) -> Choices {
    ArrayRef<int64_t> parallel = schedule.getParallel(), tile = schedule.getRegister_();
    if (parallel.size() != 4 || schedule.getCache().size() != 4 || tile.size() != 4)
      return {};
    return {{schedule.getCache()[1]},
            {tile[1]},
            {tile[2] / schedule.getVectorWidth()},
            {parallel[2]},
            AxisValue(schedule.getPack()),
            AxisValue(schedule.getPrepack())};
  };
  return ScheduleSpace(std::move(made), getDefaultSchedule(op, target, weights));
}

LogicalResult tenon::verifyGroupedSchedule(func::FuncOp kernel, GroupedMatmulOp op, ScheduleAttr schedule,
                                           TargetAttr target, bool weights) {
  for (ArrayRef<int64_t> tiles : {schedule.getParallel(), schedule.getCache(), schedule.getRegister_()})
    if (tiles.size() != 4)
      return kernel.emitError("expected tile lists of a schedule of groups to have 4 entries, but got ")
             << tiles.size();
  int64_t rows = schedule.getCache()[1], columns = schedule.getParallel()[2], lanes = schedule.getRegister_()[2];
  if (rows < 1 || columns < 1 || lanes < 1 || columns % lanes != 0 || lanes % schedule.getVectorWidth() != 0)
    return kernel.emitError("expected a schedule of groups to have rows in 'cache' and columns in 'parallel' of whole "
                            "register tiles of whole vectors, but got ")
           << rows << ", " << columns << " and " << lanes;
  ArrayRef<int64_t> registers = schedule.getRegister_();
  if (registers[0] > 1 || registers[1] < 1 || registers[3] > 1)
    return kernel.emitError(
               "expected the register tile of a schedule of groups to be of one group, a row or more, columns "
               "and one step of K, but got [")
           << registers << "]";
  if (failed(verifyRegisterTile(kernel, registers[1] * (lanes / schedule.getVectorWidth()), target)) ||
      failed(verifyPackedWidth(kernel, schedule)))
    return failure();
  for (ArrayRef<int64_t> factors : {schedule.getPack(), schedule.getPrepack()})
    for (int64_t factor : factors)
      if (factor != 1)
        return kernel.emitError("expected a schedule of groups to pack the weights alone, 1, but got ") << factor;
  if (!schedule.getPrepack().empty() && op.getPanels() == 0 &&
      (!weights || cast<ShapedType>(op.getWeights().getType()).getNumElements() == 0))
    return kernel.emitError(
               "expected the weights of groups in 'prepack' to have elements and to be weights at each call "
               "of the kernel, but got ")
           << op.getWeights().getType();
  if (schedule.getVectorDim() != 2)
    return kernel.emitError("expected 'vector_dim' of a schedule of groups to be 2, the columns, but got ")
           << schedule.getVectorDim();
  return success();
}
