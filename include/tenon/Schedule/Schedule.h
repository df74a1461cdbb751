//===- Schedule.h - default schedules, and the check of given ones -------------------------===//
#pragma once
#include "mlir/Support/LLVM.h"

namespace mlir::func {
class FuncOp;
}

namespace tenon {
class AttentionOp;
class FftConvOp;
class GroupedMatmulOp;
class KernelCalls;
class ScheduleAttr;
class TargetAttr;
class TileContractOp;
class WinogradInputOp;
class WinogradOutputOp;

/// On a module, a dictionary: the schedules that the user gives by names of kernels or of the model's nodes.
/// AssignSchedules takes out of it what it has found.
inline constexpr llvm::StringLiteral kSchedulesAttr = "tenon.schedules";

/// The schedule of a contraction for `target`: which dim the vectors run along, the register tile, what is packed, and
/// the units of parallel work. A small model of loads and multiply-adds per tile picks the best of the possible tiles.
/// `weights` says of each factor whether it is a weight, which may be packed at load.
ScheduleAttr getDefaultSchedule(TileContractOp op, TargetAttr target, llvm::ArrayRef<bool> weights);

/// Whether `factor` of `op` can be stored by panels: it has elements, and each of its indices is one dim.
bool canPrepack(TileContractOp op, unsigned factor);

/// The schedule of an attention: rows of queries per unit, keys per step, the register tile of both products.
ScheduleAttr getDefaultSchedule(AttentionOp op, TargetAttr target);

/// The schedule of a matmul of groups: rows and columns of a unit, the register tile.
/// `weights` says whether its matrices are a weight, which is packed at load.
ScheduleAttr getDefaultSchedule(GroupedMatmulOp op, TargetAttr target, bool weights);

/// The schedule of one of Winograd's transforms: channels and rows of tiles of a unit.
ScheduleAttr getDefaultSchedule(WinogradInputOp op, TargetAttr target);
ScheduleAttr getDefaultSchedule(WinogradOutputOp op, TargetAttr target);

/// The schedule of a convolution by Fourier transforms: channels of a unit.
ScheduleAttr getDefaultSchedule(FftConvOp op, TargetAttr target);

/// The schedule of any kernel function, as its root op has it (SchedulableOpInterface).
ScheduleAttr getDefaultSchedule(mlir::func::FuncOp kernel, TargetAttr target, const KernelCalls &calls);

/// Whether `schedule` can be obeyed for `kernel` on `target`; an error at the kernel says why not.
llvm::LogicalResult verifySchedule(mlir::func::FuncOp kernel, ScheduleAttr schedule, TargetAttr target,
                                   const KernelCalls &calls);

} // namespace tenon
