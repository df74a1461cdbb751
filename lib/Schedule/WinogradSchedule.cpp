//===- WinogradSchedule.cpp - default schedules of Winograd's transforms ---------------------===//
//
// Units of (sample, channel, row of tiles). Both scratch tensors of a unit fit a part of the second cache level.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Winograd.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

/// `channels` and tiles of one sample, of which sizes may be open.
static ScheduleAttr choose(MLIRContext *context, TargetAttr target, int64_t tile, int64_t samples, int64_t channels,
                           int64_t rows, int64_t columns) {
  constexpr int64_t kUnknown = 16, kLeastUnits = 16, kChannels = 64;
  auto known = [&](int64_t size) { return ShapedType::isDynamic(size) ? kUnknown : std::max<int64_t>(size, 1); };
  int64_t width = target.getVectorElements(Float32Type::get(context));
  // Whole cache lines of channels.
  int64_t line = std::max<int64_t>(width, 64 / sizeof(float));
  int64_t most = ShapedType::isDynamic(channels) ? kChannels : channels;
  int64_t part = std::min<int64_t>(kChannels, llvm::alignTo(std::max<int64_t>(most, 1), line)), tileRows = 1;
  auto getBytes = [&](int64_t part, int64_t tileRows) {
    int64_t points = (tile + 2) * (tile + 2) + (tile + 2) * tile;
    return points * tileRows * known(columns) * part * static_cast<int64_t>(sizeof(float));
  };
  while (part > line && getBytes(part, 1) > target.getL2Bytes() / 4)
    part -= line;
  auto countUnits = [&] {
    return known(samples) * llvm::divideCeil(known(channels), part) * llvm::divideCeil(known(rows), tileRows);
  };
  while (tileRows < known(rows) && getBytes(part, tileRows + 1) <= target.getL2Bytes() / 4 &&
         countUnits() > kLeastUnits)
    ++tileRows;
  return ScheduleAttr::get(context, /*version=*/1, "winograd", {1, part, tileRows}, {}, {}, {}, {}, {}, {},
                           /*vectorDim=*/1, width);
}

ScheduleAttr tenon::getDefaultSchedule(WinogradInputOp op, TargetAttr target) {
  auto input = cast<ShapedType>(op.getInput().getType()), domain = cast<ShapedType>(op.getInit().getType());
  return choose(op.getContext(), target, op.getTile(), input.getDimSize(0), input.getDimSize(1),
                ShapedType::isDynamic(domain.getDimSize(2)) || input.isDynamicDim(0)
                    ? ShapedType::kDynamic
                    : domain.getDimSize(2) / std::max<int64_t>(1, input.getDimSize(0)),
                domain.getDimSize(3));
}

ScheduleAttr tenon::getDefaultSchedule(WinogradOutputOp op, TargetAttr target) {
  auto sums = cast<ShapedType>(op.getSums().getType()), image = cast<ShapedType>(op.getInit().getType());
  ArrayRef<int64_t> sizes = image.getShape().take_back(3);
  int64_t height = sizes[1];
  auto tile = static_cast<int64_t>(op.getTile());
  return choose(op.getContext(), target, tile, image.getRank() == 4 ? image.getDimSize(0) : 1, sizes[0],
                ShapedType::isDynamic(height) ? height : llvm::divideCeil(height, tile), sums.getDimSize(3));
}

LogicalResult tenon::verifyWinogradSchedule(func::FuncOp kernel, ScheduleAttr schedule) {
  ArrayRef<int64_t> parallel = schedule.getParallel();
  if (parallel.size() != 3 || llvm::is_contained(parallel, 0) || parallel[0] != 1)
    return kernel.emitError(
               "expected 'parallel' of a schedule of Winograd's transforms to be 1 sample, channels and rows "
               "of tiles, but got [")
           << parallel << "]";
  return success();
}
