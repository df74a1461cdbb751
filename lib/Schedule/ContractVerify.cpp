//===- ContractVerify.cpp - whether a contraction's schedule can be obeyed -----------------------===//
#include "Spaces.h"
#include "tenon/Analysis/Weights.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

/// Factors in `prepack` are weights, or are stored by panels already; tiles hold whole panels.
static LogicalResult verifyPrepack(func::FuncOp kernel, TileContractOp op, ScheduleAttr schedule,
                                   const KernelCalls &calls) {
  int64_t vectorDim = schedule.getVectorDim();
  for (int64_t factor : schedule.getPrepack()) {
    AffineMap map = op.getMaps()[factor];
    if (!op.hasPanels(factor) && !calls.isWeight(kernel, op->getOperand(factor)))
      return kernel.emitError("expected factor ")
             << factor << " in 'prepack' to be a weight at each call of the kernel";
    if (!canPrepack(op, factor) || !map.isFunctionOfDim(vectorDim))
      return kernel.emitError("expected factor ")
             << factor << " in 'prepack' to have elements, and a map of distinct dims with 'vector_dim', but got "
             << op->getOperand(factor).getType() << " and " << AffineMapAttr::get(map);
    if (schedule.getRegister_().empty())
      return kernel.emitError("expected a register tile where factors are packed at load");
    int64_t width = schedule.getRegister_()[vectorDim];
    if (width < 1)
      return kernel.emitError("expected a register tile of whole vectors where factors are packed at load, but got ")
             << width;
    for (ArrayRef<int64_t> tiles : {schedule.getParallel(), schedule.getCache()})
      if (!tiles.empty() && tiles[vectorDim] % width != 0)
        return kernel.emitError("expected tiles of whole panels, of ")
               << width << " elements each, but got " << tiles[vectorDim];
    for (auto [dim, tile] : llvm::enumerate(schedule.getRegister_()))
      if (tile > 1 && static_cast<int64_t>(dim) != vectorDim && map.isFunctionOfDim(dim))
        return kernel.emitError("expected register tile 1 for dim ")
               << dim << " of factor " << factor << " in 'prepack', but got " << tile;
  }
  return success();
}

LogicalResult tenon::verifyPackedWidth(func::FuncOp kernel, ScheduleAttr schedule) {
  if ((!schedule.getPack().empty() || !schedule.getPrepack().empty()) && schedule.getVectorWidth() < 2)
    return kernel.emitError("expected vectors of two elements or more where factors are packed, but got "
                            "'vector_width' ")
           << schedule.getVectorWidth();
  return success();
}

LogicalResult tenon::verifyRegisterTile(func::FuncOp kernel, int64_t vectors, TargetAttr target) {
  // More accumulators than registers would live in memory; four times as many are no schedule but an accident.
  if (vectors > 4 * target.getVectorRegisters())
    return kernel.emitError("expected a register tile of at most ")
           << 4 * target.getVectorRegisters() << " vectors, but got " << vectors;
  return success();
}

LogicalResult tenon::verifyContractSchedule(func::FuncOp kernel, TileContractOp op, ScheduleAttr schedule,
                                            TargetAttr target, const KernelCalls &calls) {
  int64_t loops = op.getNumLoops();
  for (ArrayRef<int64_t> tiles : {schedule.getParallel(), schedule.getCache(), schedule.getRegister_()})
    if (!tiles.empty() && static_cast<int64_t>(tiles.size()) != loops)
      return kernel.emitError("expected tile lists of the schedule to have ")
             << loops << " entries, but got " << tiles.size();
  for (bool cache : {false, true}) // cache tiles of the first reduction dim are chunks
    for (auto [dim, tile] : llvm::enumerate(cache ? schedule.getCache() : schedule.getParallel()))
      if (tile != 0 && op.isReduction(dim) && !(cache && dim == op.getReductionDims().front()))
        return kernel.emitError("expected reduction dim ")
               << dim << " not to be tiled outside of registers, but got tile " << tile;
  for (int64_t dim : schedule.getUnroll())
    if (dim >= loops || !op.isReduction(dim))
      return kernel.emitError("expected 'unroll' of the schedule to list reduction dims, but got ") << dim;
  int64_t vectorDim = schedule.getVectorDim();
  if (vectorDim >= 0 && op.isOfPhases(vectorDim))
    return kernel.emitError("expected 'vector_dim' of the schedule not to be a dim of the phases of a filter, but got ")
           << vectorDim;
  if (schedule.getInOrder() && !op.hasDecode()) {
    bool isInside = false; // of the loops
    for (int64_t dim : op.getReductionDims()) {
      bool isUnrolled = op.isOfPhases(dim) || llvm::is_contained(schedule.getUnroll(), dim);
      if (isInside && !isUnrolled && dim != vectorDim)
        return kernel.emitError("expected 'unroll' of a schedule with 'in_order' to list the last reduction dims, but "
                                "reduction dim ")
               << dim << " is a loop";
      isInside |= isUnrolled;
    }
  }
  if (SmallVector<unsigned> reductions = op.getReductionDims(); !schedule.getCache().empty() && !reductions.empty())
    if (int64_t first = reductions.front(), tile = schedule.getCache()[first]; tile != 0)
      if (llvm::is_contained(schedule.getUnroll(), first) || op.isOfPhases(first) ||
          (vectorDim >= 0 && op.isReduction(vectorDim)) || !schedule.getPack().empty() || op.hasDecode())
        return kernel.emitError("expected a cache tile of reduction dim ")
               << first
               << " only where it is not in 'unroll', 'vector_dim' is a parallel dim, no factor is in 'pack' and "
               << "there are no codes, but got " << tile;
  if (vectorDim >= loops)
    return kernel.emitError("expected 'vector_dim' of the schedule below ") << loops << ", but got " << vectorDim;
  int64_t registers = 1;
  for (auto [dim, tile] : llvm::enumerate(schedule.getRegister_())) {
    if (static_cast<int64_t>(dim) == vectorDim) {
      if (tile % schedule.getVectorWidth() != 0)
        return kernel.emitError("expected a register tile of whole vectors of ")
               << schedule.getVectorWidth() << " elements along 'vector_dim', but got " << tile;
      registers *= std::max<int64_t>(1, llvm::divideCeil(tile, schedule.getVectorWidth()));
      continue;
    }
    if (op.isReduction(dim) && tile > 1)
      return kernel.emitError("expected register tile 1 for reduction dim ") << dim << ", but got " << tile;
    registers *= std::max<int64_t>(1, tile);
  }
  if (failed(verifyRegisterTile(kernel, registers, target)))
    return failure();
  if ((!schedule.getPack().empty() || !schedule.getPrepack().empty()) && (vectorDim < 0 || op.isReduction(vectorDim)))
    return kernel.emitError("expected a parallel 'vector_dim' where factors are packed, but got ") << vectorDim;
  if (failed(verifyPackedWidth(kernel, schedule)))
    return failure();
  return verifyPrepack(kernel, op, schedule, calls);
}
