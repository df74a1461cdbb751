//===- SchedulableOpInterface.h - what schedules a kernel may have --------------------------===//
#pragma once
#include "tenon/Schedule/Space.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace tenon {
class KernelCalls;
} // namespace tenon

#include "tenon/Schedule/SchedulableOpInterface.h.inc"

namespace tenon {

/// Attaches the interface to the root ops of kernels, and to functions, which are the roots of all others.
void registerScheduleModels(mlir::DialectRegistry &registry);

/// The op that decides about `kernel`, whose context has the interface from registerScheduleModels.
SchedulableOpInterface getScheduleRoot(mlir::func::FuncOp kernel);

} // namespace tenon
