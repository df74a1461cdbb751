//===- AttentionSchedule.cpp - default schedules of attentions ---------------------------===//
//
// A unit works on one head and some rows of queries, as many as keep a tile of scores in the second cache level; see
// docs/rationale/attention.md for the sizes.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace tenon;

ScheduleAttr tenon::getDefaultSchedule(AttentionOp op, TargetAttr target) {
  constexpr int64_t kRows = 64, kKeys = 256;
  int64_t queries = cast<RankedTensorType>(op.getQuery().getType()).getDimSize(2);
  int64_t width = target.getVectorElements(op.getScoreType());
  int64_t rows = ShapedType::isDynamic(queries) ? kRows : std::clamp<int64_t>(queries, 1, kRows);
  // Six rows of accumulators; one row leaves registers for more vectors.
  int64_t rowTile = std::min<int64_t>(rows, 6);
  int64_t vectors = target.getVectorRegisters() > 16 ? 4 : 2;
  return ScheduleAttr::get(op.getContext(), /*version=*/1, "attention", {1, 1, rows, 0}, {0, 0, 0, kKeys}, {},
                           {1, 1, rowTile, vectors * width}, {}, {}, {}, /*vectorDim=*/3, width);
}

LogicalResult tenon::verifyAttentionSchedule(func::FuncOp kernel, ScheduleAttr schedule) {
  for (ArrayRef<int64_t> tiles : {schedule.getParallel(), schedule.getCache(), schedule.getRegister_()})
    if (tiles.size() != 4)
      return kernel.emitError("expected tile lists of an attention's schedule to have 4 entries, but got ")
             << tiles.size();
  if (schedule.getParallel()[2] < 1 || schedule.getCache()[3] < 1)
    return kernel.emitError(
               "expected an attention's schedule to have rows of queries in 'parallel' and keys in 'cache', "
               "but got ")
           << schedule.getParallel()[2] << " and " << schedule.getCache()[3];
  if (schedule.getRegister_()[2] < 1 || schedule.getRegister_()[3] < schedule.getVectorWidth())
    return kernel.emitError("expected an attention's register tile to have a row and a vector, but got ")
           << schedule.getRegister_()[2] << " and " << schedule.getRegister_()[3];
  return success();
}
