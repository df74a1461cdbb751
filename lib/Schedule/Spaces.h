//===- Spaces.h - the spaces of each family, and the checks of their schedules ------------------===//
//
// What SchedulableOpInterface hands on to. Functions of one name: each in the file of its family.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Schedule/Space.h"

namespace mlir::func {
class FuncOp;
}

namespace tenon {
class FftConvOp;
class GroupedMatmulOp;
class KernelCalls;
class WinogradInputOp;
class WinogradOutputOp;

/// `weights` says of each factor whether it is a weight, which may be packed at load.
ScheduleSpace makeSpace(TileContractOp op, TargetAttr target, llvm::ArrayRef<bool> weights);
ScheduleSpace makeSpace(AttentionOp op, TargetAttr target);
ScheduleSpace makeSpace(GroupedMatmulOp op, TargetAttr target, bool weights);
ScheduleSpace makeSpace(FftConvOp op, TargetAttr target);
ScheduleSpace makeSpace(WinogradInputOp op, TargetAttr target);
ScheduleSpace makeSpace(WinogradOutputOp op, TargetAttr target);
/// Of a kernel of `linalg` ops.
ScheduleSpace makeSpace(mlir::func::FuncOp kernel, TargetAttr target);

/// Whether a schedule can be obeyed; an error at the kernel says why not.
llvm::LogicalResult verifyContractSchedule(mlir::func::FuncOp kernel, TileContractOp op, ScheduleAttr schedule,
                                           TargetAttr target, const KernelCalls &calls);
llvm::LogicalResult verifyAttentionSchedule(mlir::func::FuncOp kernel, AttentionOp op, ScheduleAttr schedule,
                                            TargetAttr target);
llvm::LogicalResult verifyGroupedSchedule(mlir::func::FuncOp kernel, GroupedMatmulOp op, ScheduleAttr schedule,
                                          TargetAttr target, bool weights);
llvm::LogicalResult verifyFftSchedule(mlir::func::FuncOp kernel, ScheduleAttr schedule);
llvm::LogicalResult verifyWinogradSchedule(mlir::func::FuncOp kernel, ScheduleAttr schedule);
llvm::LogicalResult verifyLinalgSchedule(mlir::func::FuncOp kernel, ScheduleAttr schedule);

/// Whether vectors of a schedule that packs factors are some: single elements are expanded without panels.
llvm::LogicalResult verifyPackedWidth(mlir::func::FuncOp kernel, ScheduleAttr schedule);

/// Whether a register tile of so many vectors is one.
llvm::LogicalResult verifyRegisterTile(mlir::func::FuncOp kernel, int64_t vectors, TargetAttr target);

/// The family of a kernel of `linalg` ops, and its default schedule.
llvm::StringRef getLinalgAlgorithm(mlir::func::FuncOp kernel);
ScheduleAttr getLinalgSchedule(mlir::func::FuncOp kernel, TargetAttr target);

/// `first`, then the powers of two from `least` to `most` that `suits` takes, without repetitions.
llvm::SmallVector<AxisValue> listPowers(
    int64_t first, int64_t least, int64_t most, llvm::function_ref<bool(int64_t)> suits = [](int64_t) { return true; });

} // namespace tenon
