//===- WinogradSchedule.cpp - default schedules of Winograd's transforms ---------------------===//
//
// Units of (sample, channel, row of tiles). Both scratch tensors of a unit fit a part of the second cache level.
//
//===----------------------------------------------------------------------===//
#include "Spaces.h"
#include "tenon/Dialect/IR/Winograd.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

namespace {
/// Output tiles of `tile` x `tile`, `rows` x `columns` of them in each of `samples` images. Sizes may be open.
struct Transform {
  MLIRContext *context;
  TargetAttr target;
  int64_t tile, samples, channels, rows, columns;

  static int64_t known(int64_t size) {
    constexpr int64_t kUnknown = 16;
    return ShapedType::isDynamic(size) ? kUnknown : std::max<int64_t>(size, 1);
  }
  int64_t getWidth() const { return target.getVectorElements(Float32Type::get(context)); }
  /// Whole cache lines of channels.
  int64_t getLine() const { return std::max<int64_t>(getWidth(), 64 / sizeof(float)); }
  /// All channels, in whole cache lines, but no more than `most`.
  int64_t getMost(int64_t most) const {
    int64_t all = ShapedType::isDynamic(channels) ? most : channels;
    return std::min<int64_t>(most, llvm::alignTo(std::max<int64_t>(all, 1), getLine()));
  }
  /// Of both scratch tensors.
  int64_t getBytes(int64_t part, int64_t tileRows) const {
    int64_t points = (tile + 2) * (tile + 2) + (tile + 2) * tile;
    return points * tileRows * known(columns) * part * static_cast<int64_t>(sizeof(float));
  }
  int64_t getPart() const {
    constexpr int64_t kChannels = 64;
    int64_t part = getMost(kChannels);
    while (part > getLine() && getBytes(part, 1) > target.getL2Bytes() / 4)
      part -= getLine();
    return part;
  }
  /// Rows of tiles of a unit with so many channels.
  int64_t getTileRows(int64_t part) const {
    constexpr int64_t kLeastUnits = 16;
    int64_t tileRows = 1;
    auto countUnits = [&] {
      return known(samples) * llvm::divideCeil(known(channels), part) * llvm::divideCeil(known(rows), tileRows);
    };
    while (tileRows < known(rows) && getBytes(part, tileRows + 1) <= target.getL2Bytes() / 4 &&
           countUnits() > kLeastUnits)
      ++tileRows;
    return tileRows;
  }
  ScheduleAttr build(int64_t part, int64_t tileRows) const {
    return ScheduleAttr::get(context, /*version=*/1, "winograd", {1, part, tileRows}, {}, {}, {}, {}, {}, {},
                             /*vectorDim=*/1, getWidth());
  }
  ScheduleAttr choose() const {
    int64_t part = getPart();
    return build(part, getTileRows(part));
  }
};
} // namespace

static Transform describe(WinogradInputOp op, TargetAttr target) {
  auto input = cast<ShapedType>(op.getInput().getType()), domain = cast<ShapedType>(op.getInit().getType());
  bool isOpen = ShapedType::isDynamic(domain.getDimSize(2)) || input.isDynamicDim(0);
  int64_t rows = isOpen ? ShapedType::kDynamic : domain.getDimSize(2) / std::max<int64_t>(1, input.getDimSize(0));
  return {
      op.getContext(),     target, static_cast<int64_t>(op.getTile()), input.getDimSize(0), input.getDimSize(1), rows,
      domain.getDimSize(3)};
}

static Transform describe(WinogradOutputOp op, TargetAttr target) {
  auto sums = cast<ShapedType>(op.getSums().getType()), image = cast<ShapedType>(op.getInit().getType());
  ArrayRef<int64_t> sizes = image.getShape().take_back(3);
  int64_t height = sizes[1];
  auto tile = static_cast<int64_t>(op.getTile());
  int64_t rows = ShapedType::isDynamic(height) ? height : llvm::divideCeil(height, tile);
  return {op.getContext(),   target, tile, image.getRank() == 4 ? image.getDimSize(0) : 1, sizes[0], rows,
          sums.getDimSize(3)};
}

ScheduleAttr tenon::getDefaultSchedule(WinogradInputOp op, TargetAttr target) { return describe(op, target).choose(); }

ScheduleAttr tenon::getDefaultSchedule(WinogradOutputOp op, TargetAttr target) { return describe(op, target).choose(); }

static ScheduleSpace makeTransformSpace(const Transform &transform) {
  constexpr int64_t kMostChannels = 256;
  using Before = ArrayRef<AxisValue>;
  // A unit's scratch tensors stay in the second cache level.
  auto fits = [=](int64_t part, int64_t tileRows) {
    return transform.getBytes(part, tileRows) <= transform.target.getL2Bytes();
  };
  ScheduleSpace::Definition made;
  made.axes.push_back({"channels", [=](Before) {
                         return listPowers(transform.getPart(), transform.getLine(), transform.getMost(kMostChannels),
                                           [&](int64_t part) { return fits(part, 1); });
                       }});
  made.axes.push_back({"tile_rows", [=](Before before) {
                         int64_t part = before[0].front();
                         return listPowers(transform.getTileRows(part), 1, Transform::known(transform.rows),
                                           [&](int64_t tileRows) { return fits(part, tileRows); });
                       }});
  made.build = [=](Before choices) { return transform.build(choices[0].front(), choices[1].front()); };
  made.read = [](ScheduleAttr schedule) -> Choices {
    if (schedule.getParallel().size() != 3)
      return {};
    return {{schedule.getParallel()[1]}, {schedule.getParallel()[2]}};
  };
  return ScheduleSpace(std::move(made), transform.choose());
}

ScheduleSpace tenon::makeSpace(WinogradInputOp op, TargetAttr target) {
  return makeTransformSpace(describe(op, target));
}

ScheduleSpace tenon::makeSpace(WinogradOutputOp op, TargetAttr target) {
  return makeTransformSpace(describe(op, target));
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
