//===- AssignSchedules.cpp - a schedule on each kernel ----------------------------------------===//
#include "tenon/Analysis/Weights.h"
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Dialect/IR/Winograd.h"
#include "tenon/Schedule/Passes.h"
#include "tenon/Schedule/Schedule.h"
#include "tenon/Schedule/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tenon {
#define GEN_PASS_DEF_ASSIGNSCHEDULES
#include "tenon/Schedule/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

/// The lowering family of a kernel: by its root, or as kernel formation named it.
static StringRef getAlgorithm(func::FuncOp kernel) {
  if (!kernel.getBody().getOps<TileContractOp>().empty())
    return "contract";
  if (!kernel.getBody().getOps<AttentionOp>().empty())
    return "attention";
  if (!kernel.getBody().getOps<GroupedMatmulOp>().empty())
    return "grouped";
  if (!kernel.getBody().getOps<WinogradInputOp>().empty() || !kernel.getBody().getOps<WinogradOutputOp>().empty())
    return "winograd";
  if (auto formed = kernel->getAttrOfType<StringAttr>("tenon.algorithm"))
    if (llvm::is_contained({"rows", "elementwise", "copy"}, formed.getValue()))
      return formed.getValue();
  bool reduces = false, computes = false;
  kernel.walk([&](linalg::LinalgOp op) {
    reduces |= op.getNumReductionLoops() > 0;
    computes |= !isa<linalg::TransposeOp, linalg::CopyOp, linalg::FillOp>(op.getOperation());
  });
  kernel.walk([&](linalg::SoftmaxOp) { reduces = true; });
  return reduces ? "rows" : computes ? "elementwise" : "copy";
}

/// The widest float that the kernel computes with decides how many elements a vector has; f32 where there is none.
static Type getVectorElement(func::FuncOp kernel) {
  Type widest = Float32Type::get(kernel.getContext());
  kernel.walk([&](linalg::LinalgOp op) {
    for (Type type : op->getResultTypes())
      if (getElementTypeOrSelf(type).isF64())
        widest = getElementTypeOrSelf(type);
  });
  return widest;
}

ScheduleAttr tenon::getDefaultSchedule(func::FuncOp kernel, TargetAttr target, const KernelCalls &calls) {
  for (auto op : kernel.getBody().getOps<TileContractOp>())
    return getDefaultSchedule(op, target, {calls.isWeight(kernel, op.getLhs()), calls.isWeight(kernel, op.getRhs())});
  for (auto op : kernel.getBody().getOps<AttentionOp>())
    return getDefaultSchedule(op, target);
  for (auto op : kernel.getBody().getOps<GroupedMatmulOp>())
    return getDefaultSchedule(op, target, calls.isWeight(kernel, op.getWeights()));
  for (auto op : kernel.getBody().getOps<WinogradInputOp>())
    return getDefaultSchedule(op, target);
  for (auto op : kernel.getBody().getOps<WinogradOutputOp>())
    return getDefaultSchedule(op, target);
  return ScheduleAttr::get(kernel.getContext(), /*version=*/1, getAlgorithm(kernel), {}, {}, {}, {}, {}, {}, {},
                           /*vectorDim=*/-1, target.getVectorElements(getVectorElement(kernel)));
}

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

LogicalResult tenon::verifySchedule(func::FuncOp kernel, ScheduleAttr schedule, TargetAttr target,
                                    const KernelCalls &calls) {
  StringRef algorithm = getAlgorithm(kernel);
  bool contract = algorithm == "contract", attention = algorithm == "attention", grouped = algorithm == "grouped";
  // Rows, elementwise and copy are tiled by one pass.
  if (algorithm != schedule.getAlgorithm())
    for (StringRef own : {"contract", "attention", "grouped", "winograd"})
      if (algorithm == own || schedule.getAlgorithm() == own)
        return kernel.emitError("expected a schedule with algorithm '")
               << algorithm << "', but got '" << schedule.getAlgorithm() << "'";
  if (attention)
    return verifyAttentionSchedule(kernel, schedule);
  if (grouped) {
    GroupedMatmulOp op = *kernel.getBody().getOps<GroupedMatmulOp>().begin();
    return verifyGroupedSchedule(kernel, op, schedule, calls.isWeight(kernel, op.getWeights()));
  }
  if (algorithm == "winograd")
    return verifyWinogradSchedule(kernel, schedule);
  if (!contract)
    return success();
  TileContractOp op = *kernel.getBody().getOps<TileContractOp>().begin();
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
  if (SmallVector<unsigned> reductions = op.getReductionDims(); !schedule.getCache().empty() && !reductions.empty())
    if (int64_t first = reductions.front(), tile = schedule.getCache()[first]; tile != 0)
      if (llvm::is_contained(schedule.getUnroll(), first) || (vectorDim >= 0 && op.isReduction(vectorDim)) ||
          !schedule.getPack().empty() || op.hasDecode())
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
  // More accumulators than registers would live in memory; four times as many are no schedule but an accident.
  if (registers > 4 * target.getVectorRegisters())
    return kernel.emitError("expected a register tile of at most ")
           << 4 * target.getVectorRegisters() << " vectors, but got " << registers;
  if ((!schedule.getPack().empty() || !schedule.getPrepack().empty()) && (vectorDim < 0 || op.isReduction(vectorDim)))
    return kernel.emitError("expected a parallel 'vector_dim' where factors are packed, but got ") << vectorDim;
  return verifyPrepack(kernel, op, schedule, calls);
}

namespace {

class AssignSchedules : public tenon::impl::AssignSchedulesBase<AssignSchedules> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    TargetAttr target = getTarget(module);
    if (!target)
      return signalPassFailure();
    bool failedAny = false;
    KernelCalls calls(module);
    for (auto kernel : module.getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(kKernelAttr) || kernel.isExternal())
        continue;
      if (auto given = kernel->getAttr(kScheduleAttr)) {
        auto schedule = dyn_cast<ScheduleAttr>(given);
        if (!schedule)
          kernel.emitError("expected '") << kScheduleAttr << "' to be a #tenon.schedule, but got " << given;
        failedAny |= !schedule || failed(verifySchedule(kernel, schedule, target, calls));
        continue;
      }
      kernel->setAttr(kScheduleAttr, getDefaultSchedule(kernel, target, calls));
    }
    if (failedAny)
      signalPassFailure();
  }
};

} // namespace
