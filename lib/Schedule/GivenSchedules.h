//===- GivenSchedules.h - schedules that the user gives by name -------------------------------------===//
#pragma once
#include "mlir/Support/LLVM.h"

namespace mlir {
class ModuleOp;
}

namespace tenon {
class KernelCalls;
class TargetAttr;

/// Writes the schedules of the module's `tenon.schedules` on the kernels that they name, and takes them out of it.
/// Fails, after errors, for those that cannot be obeyed, and for names of nodes that do not say which kernel is meant.
llvm::LogicalResult takeGivenSchedules(mlir::ModuleOp module, TargetAttr target, const KernelCalls &calls);

/// Fails, after errors, for schedules that are left.
llvm::LogicalResult checkGivenSchedules(mlir::ModuleOp module);

} // namespace tenon
