//===- Schedulable.cpp - SchedulableOpInterface on the roots of kernels ---------------------------===//
#include "tenon/Schedule/SchedulableOpInterface.h"
#include "Spaces.h"
#include "tenon/Analysis/Weights.h"
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Dialect/IR/Fft.h"
#include "tenon/Dialect/IR/Winograd.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/IR/DialectRegistry.h"

#include "tenon/Schedule/SchedulableOpInterface.cpp.inc"

using namespace mlir;
using namespace tenon;

namespace {

SmallVector<bool, 2> findWeights(func::FuncOp kernel, TileContractOp op, const KernelCalls &calls) {
  return {calls.isWeight(kernel, op.getLhs()), calls.isWeight(kernel, op.getRhs())};
}

struct ContractModel : SchedulableOpInterface::ExternalModel<ContractModel, TileContractOp> {
  StringRef getScheduleAlgorithm(Operation *) const { return "contract"; }
  ScheduleAttr getDefaultSchedule(Operation *op, func::FuncOp kernel, TargetAttr target,
                                  const KernelCalls &calls) const {
    auto root = cast<TileContractOp>(op);
    return tenon::getDefaultSchedule(root, target, findWeights(kernel, root, calls));
  }
  LogicalResult verifySchedule(Operation *op, func::FuncOp kernel, ScheduleAttr schedule, TargetAttr target,
                               const KernelCalls &calls) const {
    return verifyContractSchedule(kernel, cast<TileContractOp>(op), schedule, target, calls);
  }
  ScheduleSpace getScheduleSpace(Operation *op, func::FuncOp kernel, TargetAttr target,
                                 const KernelCalls &calls) const {
    auto root = cast<TileContractOp>(op);
    return makeSpace(root, target, findWeights(kernel, root, calls));
  }
};

struct AttentionModel : SchedulableOpInterface::ExternalModel<AttentionModel, AttentionOp> {
  StringRef getScheduleAlgorithm(Operation *) const { return "attention"; }
  ScheduleAttr getDefaultSchedule(Operation *op, func::FuncOp, TargetAttr target, const KernelCalls &) const {
    return tenon::getDefaultSchedule(cast<AttentionOp>(op), target);
  }
  LogicalResult verifySchedule(Operation *op, func::FuncOp kernel, ScheduleAttr schedule, TargetAttr target,
                               const KernelCalls &) const {
    return verifyAttentionSchedule(kernel, cast<AttentionOp>(op), schedule, target);
  }
  ScheduleSpace getScheduleSpace(Operation *op, func::FuncOp, TargetAttr target, const KernelCalls &) const {
    return makeSpace(cast<AttentionOp>(op), target);
  }
};

struct GroupedModel : SchedulableOpInterface::ExternalModel<GroupedModel, GroupedMatmulOp> {
  StringRef getScheduleAlgorithm(Operation *) const { return "grouped"; }
  ScheduleAttr getDefaultSchedule(Operation *op, func::FuncOp kernel, TargetAttr target,
                                  const KernelCalls &calls) const {
    auto root = cast<GroupedMatmulOp>(op);
    return tenon::getDefaultSchedule(root, target, calls.isWeight(kernel, root.getWeights()));
  }
  LogicalResult verifySchedule(Operation *op, func::FuncOp kernel, ScheduleAttr schedule, TargetAttr target,
                               const KernelCalls &calls) const {
    auto root = cast<GroupedMatmulOp>(op);
    return verifyGroupedSchedule(kernel, root, schedule, target, calls.isWeight(kernel, root.getWeights()));
  }
  ScheduleSpace getScheduleSpace(Operation *op, func::FuncOp kernel, TargetAttr target,
                                 const KernelCalls &calls) const {
    auto root = cast<GroupedMatmulOp>(op);
    return makeSpace(root, target, calls.isWeight(kernel, root.getWeights()));
  }
};

/// Ops whose schedules depend on their shapes and the target alone.
template <typename OpTy> struct TransformModel : SchedulableOpInterface::ExternalModel<TransformModel<OpTy>, OpTy> {
  static constexpr bool kIsFft = std::is_same_v<OpTy, FftConvOp>;
  StringRef getScheduleAlgorithm(Operation *) const { return kIsFft ? "fft" : "winograd"; }
  ScheduleAttr getDefaultSchedule(Operation *op, func::FuncOp, TargetAttr target, const KernelCalls &) const {
    return tenon::getDefaultSchedule(cast<OpTy>(op), target);
  }
  LogicalResult verifySchedule(Operation *, func::FuncOp kernel, ScheduleAttr schedule, TargetAttr,
                               const KernelCalls &) const {
    return kIsFft ? verifyFftSchedule(kernel, schedule) : verifyWinogradSchedule(kernel, schedule);
  }
  ScheduleSpace getScheduleSpace(Operation *op, func::FuncOp, TargetAttr target, const KernelCalls &) const {
    return makeSpace(cast<OpTy>(op), target);
  }
};

/// Kernels of linalg ops: all of them together are the root.
struct FunctionModel : SchedulableOpInterface::ExternalModel<FunctionModel, func::FuncOp> {
  StringRef getScheduleAlgorithm(Operation *op) const { return getLinalgAlgorithm(cast<func::FuncOp>(op)); }
  ScheduleAttr getDefaultSchedule(Operation *, func::FuncOp kernel, TargetAttr target, const KernelCalls &) const {
    return getLinalgSchedule(kernel, target);
  }
  LogicalResult verifySchedule(Operation *, func::FuncOp kernel, ScheduleAttr schedule, TargetAttr,
                               const KernelCalls &) const {
    return verifyLinalgSchedule(kernel, schedule);
  }
  ScheduleSpace getScheduleSpace(Operation *, func::FuncOp kernel, TargetAttr target, const KernelCalls &) const {
    return makeSpace(kernel, target);
  }
};

} // namespace

void tenon::registerScheduleModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, TenonDialect *) {
    TileContractOp::attachInterface<ContractModel>(*context);
    AttentionOp::attachInterface<AttentionModel>(*context);
    GroupedMatmulOp::attachInterface<GroupedModel>(*context);
    FftConvOp::attachInterface<TransformModel<FftConvOp>>(*context);
    WinogradInputOp::attachInterface<TransformModel<WinogradInputOp>>(*context);
    WinogradOutputOp::attachInterface<TransformModel<WinogradOutputOp>>(*context);
  });
  registry.addExtension(
      +[](MLIRContext *context, func::FuncDialect *) { func::FuncOp::attachInterface<FunctionModel>(*context); });
}

SchedulableOpInterface tenon::getScheduleRoot(func::FuncOp kernel) {
  for (Operation &op : kernel.getBody().front())
    if (auto root = dyn_cast<SchedulableOpInterface>(op))
      return root;
  return cast<SchedulableOpInterface>(kernel.getOperation());
}

ScheduleAttr tenon::getDefaultSchedule(func::FuncOp kernel, TargetAttr target, const KernelCalls &calls) {
  return getScheduleRoot(kernel).getDefaultSchedule(kernel, target, calls);
}

LogicalResult tenon::verifySchedule(func::FuncOp kernel, ScheduleAttr schedule, TargetAttr target,
                                    const KernelCalls &calls) {
  SchedulableOpInterface root = getScheduleRoot(kernel);
  StringRef algorithm = root.getScheduleAlgorithm();
  // Rows, elementwise and copy are tiled by one pass.
  bool isLinalg = isa<func::FuncOp>(root.getOperation());
  bool suits = isLinalg ? llvm::is_contained({"rows", "elementwise", "copy"}, schedule.getAlgorithm())
                        : schedule.getAlgorithm() == algorithm;
  if (!suits)
    return kernel.emitError("expected a schedule with algorithm '")
           << algorithm << "', but got '" << schedule.getAlgorithm() << "'";
  return root.verifySchedule(kernel, schedule, target, calls);
}

SmallVector<AxisValue> tenon::listPowers(int64_t first, int64_t least, int64_t most,
                                         function_ref<bool(int64_t)> suits) {
  SmallVector<AxisValue> values{{first}};
  for (int64_t value = least; value <= most; value *= 2)
    if (value != first && suits(value))
      values.push_back({value});
  return values;
}
