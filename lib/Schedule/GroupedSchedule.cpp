//===- GroupedSchedule.cpp - default schedules of matmuls of groups --------------------------===//
//
// Tiles over (group, entry of the list, column, K). A unit has as many rows as make its panels of weights worth a copy.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

ScheduleAttr tenon::getDefaultSchedule(GroupedMatmulOp op, TargetAttr target, bool weights) {
  constexpr int64_t kRows = 128, kColumns = 256, kRowsPerPanel = 16;
  auto sizeOf = [](Value value, unsigned dim) { return cast<ShapedType>(value.getType()).getDimSize(dim); };
  int64_t length = sizeOf(op.getListOperand(), 0), columns = sizeOf(op.getWeights(), 2);
  int64_t groups = sizeOf(op.getWeights(), 0), width = target.getVectorElements(op.getSumType());
  int64_t rows = ShapedType::isDynamic(length) ? kRows : std::clamp<int64_t>(length, 1, kRows);
  // Six rows of accumulators, three quarters of the registers.
  int64_t lanes = (target.getVectorRegisters() > 16 ? 4 : 2) * width;
  int64_t wanted = ShapedType::isDynamic(columns) ? kColumns : std::clamp<int64_t>(columns, 1, kColumns);
  lanes = std::min<int64_t>(lanes, llvm::alignTo(wanted, width));
  int64_t columnTile = llvm::alignTo(wanted, lanes);
  // Groups of a few rows read each weight once or twice: where it is.
  bool open = ShapedType::isDynamic(length) || ShapedType::isDynamic(groups);
  SmallVector<int64_t> pack, prepack;
  if (weights && cast<ShapedType>(op.getWeights().getType()).getNumElements() > 0)
    prepack.push_back(1);
  else if (open || length / std::max<int64_t>(groups, 1) >= kRowsPerPanel)
    pack.push_back(1);
  // Entries that add to one row are taken in turn: the units are columns.
  SmallVector<int64_t> parallel{1, rows, columnTile, 0};
  if (op.getScatter())
    parallel = {0, 0, columnTile, 0};
  return ScheduleAttr::get(op.getContext(), /*version=*/1, "grouped", parallel, {0, rows, 0, 0}, {},
                           {1, std::min<int64_t>(rows, 6), lanes, 1}, {}, pack, prepack, /*vectorDim=*/2, width);
}

LogicalResult tenon::verifyGroupedSchedule(func::FuncOp kernel, GroupedMatmulOp op, ScheduleAttr schedule,
                                           bool weights) {
  for (ArrayRef<int64_t> tiles : {schedule.getParallel(), schedule.getCache(), schedule.getRegister_()})
    if (tiles.size() != 4)
      return kernel.emitError("expected tile lists of a schedule of groups to have 4 entries, but got ")
             << tiles.size();
  int64_t rows = schedule.getCache()[1], columns = schedule.getParallel()[2], lanes = schedule.getRegister_()[2];
  if (rows < 1 || columns < 1 || lanes < 1 || columns % lanes != 0 || lanes % schedule.getVectorWidth() != 0)
    return kernel.emitError("expected a schedule of groups to have rows in 'cache' and columns in 'parallel' of whole "
                            "register tiles of whole vectors, but got ")
           << rows << ", " << columns << " and " << lanes;
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
