//===- FftSchedule.cpp - default schedules of convolutions by Fourier transforms --------------===//
//
// Units of (sample, channel, tile). Spectra of a unit lie in the second cache level, so units have few channels.
//
//===----------------------------------------------------------------------===//
#include "Spaces.h"
#include "tenon/Dialect/IR/Fft.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

/// Channels of one cache line, or of one vector where that is longer.
static int64_t getLine(FftConvOp op, TargetAttr target) {
  return std::max<int64_t>(target.getVectorElements(Float32Type::get(op.getContext())), 64 / sizeof(float));
}

static ScheduleAttr build(FftConvOp op, TargetAttr target, int64_t channels) {
  return ScheduleAttr::get(op.getContext(), /*version=*/1, "fft", {1, channels, 0, 0}, {}, {}, {}, {}, {}, {},
                           /*vectorDim=*/1, target.getVectorElements(Float32Type::get(op.getContext())));
}

ScheduleAttr tenon::getDefaultSchedule(FftConvOp op, TargetAttr target) {
  return build(op, target, getLine(op, target));
}

ScheduleSpace tenon::makeSpace(FftConvOp op, TargetAttr target) {
  ScheduleSpace::Definition made;
  int64_t line = getLine(op, target);
  int64_t all = llvm::alignTo(cast<ShapedType>(op.getInput().getType()).getDimSize(1), line);
  // Both spectra of a unit.
  int64_t channelBytes = 4 * sizeof(float) * (op.getSizes()[1] / 2 + 1) * op.getSizes()[0];
  made.axes.push_back({"channels", [=](ArrayRef<AxisValue>) {
                         return listPowers(line, line, std::max(all, line), [=](int64_t channels) {
                           return channels * channelBytes <= target.getL2Bytes();
                         });
                       }});
  made.build = [=](ArrayRef<AxisValue> choices) { return build(op, target, choices[0].front()); };
  made.read = [](ScheduleAttr schedule) -> Choices {
    if (schedule.getParallel().size() != 4)
      return {};
    return {{schedule.getParallel()[1]}};
  };
  return ScheduleSpace(std::move(made), build(op, target, line));
}

LogicalResult tenon::verifyFftSchedule(func::FuncOp kernel, ScheduleAttr schedule) {
  ArrayRef<int64_t> parallel = schedule.getParallel();
  if (parallel.size() != 4 || parallel[0] != 1 || parallel[1] == 0 || parallel[2] != 0 || parallel[3] != 0)
    return kernel.emitError(
               "expected 'parallel' of a schedule of Fourier transforms to be 1 sample, channels, and 0 for "
               "rows and columns, whose tiles the transforms give, but got [")
           << parallel << "]";
  return success();
}
