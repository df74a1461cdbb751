//===- LinalgSchedule.cpp - schedules of kernels of linalg ops ------------------------------------===//
//
// Lowering reads how many elements a vector has, and the tile of a unit of work where there is one; else it cuts the
// kernel by itself.
//
//===----------------------------------------------------------------------===//
#include "Spaces.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace tenon;

/// As kernel formation named it, or by its ops.
StringRef tenon::getLinalgAlgorithm(func::FuncOp kernel) {
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

ScheduleAttr tenon::getLinalgSchedule(func::FuncOp kernel, TargetAttr target) {
  return ScheduleAttr::get(kernel.getContext(), /*version=*/1, getLinalgAlgorithm(kernel), {}, {}, {}, {}, {}, {}, {},
                           /*vectorDim=*/-1, target.getVectorElements(getVectorElement(kernel)));
}

/// The loops of the last op, of which the schedule speaks; null where tiling takes the op apart first.
static linalg::LinalgOp getLastOp(func::FuncOp kernel) {
  linalg::LinalgOp last;
  for (Operation &op : kernel.getBody().front()) {
    if (isa<linalg::SoftmaxOp>(op))
      last = {};
    else if (auto found = dyn_cast<linalg::LinalgOp>(op))
      last = found;
  }
  return last;
}

/// The parallel loops that a unit may have a part of, for certain: the kernel is one op, each loop walks one dim of the
/// result. Tiling cuts other kernels as well, by what it finds once they are in its form.
static SmallVector<unsigned> getCutLoops(func::FuncOp kernel) {
  SmallVector<linalg::LinalgOp> ops(kernel.getBody().getOps<linalg::LinalgOp>());
  SmallVector<unsigned> loops;
  if (ops.size() != 1 || !isa<linalg::GenericOp>(ops.front().getOperation()) || ops.front()->getNumResults() != 1)
    return loops;
  linalg::LinalgOp op = ops.front();
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!type || !map.isProjectedPermutation() ||
      !llvm::is_contained(kernel.getBody().front().getTerminator()->getOperands(), op->getResult(0)))
    return loops;
  for (AffineExpr expr : map.getResults())
    loops.push_back(cast<AffineDimExpr>(expr).getPosition());
  llvm::sort(loops);
  return loops;
}

ScheduleSpace tenon::makeSpace(func::FuncOp kernel, TargetAttr target) {
  constexpr int64_t kMostPieces = 64, kMostWidth = 64;
  using Before = ArrayRef<AxisValue>;
  ScheduleAttr byDefault = getLinalgSchedule(kernel, target);
  int64_t width = byDefault.getVectorWidth();
  ScheduleSpace::Definition made;
  made.axes.push_back({"vector_width", [=](Before) {
                         return listPowers(width, std::max<int64_t>(2, width / 4), std::min(2 * width, kMostWidth));
                       }});
  made.axes.push_back({"parallel", [=](Before) {
                         SmallVector<AxisValue> values{AxisValue()}; // as tiling cuts by itself
                         SmallVector<unsigned> loops = getCutLoops(kernel);
                         if (loops.empty())
                           return values;
                         linalg::LinalgOp op = getLastOp(kernel);
                         SmallVector<int64_t> extents = op.getStaticLoopRanges();
                         if (llvm::any_of(loops, [&](unsigned loop) { return ShapedType::isDynamic(extents[loop]); }))
                           return values; // all of these would have to be cut
                         for (unsigned loop : loops)
                           for (int64_t pieces = 2; pieces <= kMostPieces; pieces *= 2) {
                             AxisValue tiles(op.getNumLoops(), 0);
                             if (extents[loop] < pieces)
                               break;
                             tiles[loop] = llvm::divideCeil(extents[loop], pieces);
                             if (!llvm::is_contained(values, tiles))
                               values.push_back(tiles);
                           }
                         return values;
                       }});
  MLIRContext *context = kernel.getContext();
  StringRef algorithm = byDefault.getAlgorithm();
  made.build = [=](Before choices) {
    return ScheduleAttr::get(context, /*version=*/1, algorithm, choices[1], {}, {}, {}, {}, {}, {}, /*vectorDim=*/-1,
                             choices[0].front());
  };
  made.read = [](ScheduleAttr schedule) -> Choices {
    return {{schedule.getVectorWidth()}, AxisValue(schedule.getParallel())};
  };
  return ScheduleSpace(std::move(made), byDefault);
}

LogicalResult tenon::verifyLinalgSchedule(func::FuncOp kernel, ScheduleAttr schedule) {
  ArrayRef<int64_t> parallel = schedule.getParallel();
  linalg::LinalgOp last = getLastOp(kernel);
  if (parallel.empty() || !last)
    return success();
  if (parallel.size() != last.getNumLoops())
    return kernel.emitError("expected 'parallel' of the schedule to have ")
           << last.getNumLoops() << " entries, the loops of the kernel's last op, but got " << parallel.size();
  for (auto [loop, tile] : llvm::enumerate(parallel))
    if (tile != 0 && last.getIteratorTypesArray()[loop] != utils::IteratorType::parallel)
      return kernel.emitError("expected reduction loop ") << loop << " not to be cut, but got tile " << tile;
  // What a unit computes may wait in scratch memory, whose size is known before it starts.
  for (unsigned loop : getCutLoops(kernel))
    if (ShapedType::isDynamic(last.getStaticLoopRanges()[loop]) && parallel[loop] == 0)
      return kernel.emitError(
                 "expected each loop of open extent to be cut where one is, since a unit's size has a bound, but "
                 "got tile 0 for loop ")
             << loop;
  return success();
}
