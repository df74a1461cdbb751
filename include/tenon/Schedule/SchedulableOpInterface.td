//===- SchedulableOpInterface.td - what schedules a kernel may have -------------------------===//
#ifndef TENON_SCHEDULE_SCHEDULABLEOPINTERFACE
#define TENON_SCHEDULE_SCHEDULABLEOPINTERFACE

include "mlir/IR/Interfaces.td"

def SchedulableOpInterface : OpInterface<"SchedulableOpInterface"> {
  let description = [{
    The op that decides how a kernel is scheduled: its root, or the function itself where a kernel is made of `linalg` ops
    alone. The Schedule room attaches the implementations (registerScheduleModels); all decisions and checks of schedules go
    through them. `kernel` is the function that holds the op, `calls` says which of its arguments are weights.
  }];
  let cppNamespace = "::tenon";
  let methods = [
    InterfaceMethod<"The kernel's family, `algorithm` of its schedules.",
      "::llvm::StringRef", "getScheduleAlgorithm", (ins)>,
    InterfaceMethod<"The schedule that a kernel gets where none is given.",
      "::tenon::ScheduleAttr", "getDefaultSchedule",
      (ins "::mlir::func::FuncOp":$kernel, "::tenon::TargetAttr":$target, "const ::tenon::KernelCalls &":$calls)>,
    InterfaceMethod<"Whether lowering can obey a schedule of this family; an error at the kernel says why not.",
      "::llvm::LogicalResult", "verifySchedule",
      (ins "::mlir::func::FuncOp":$kernel, "::tenon::ScheduleAttr":$schedule, "::tenon::TargetAttr":$target,
           "const ::tenon::KernelCalls &":$calls)>,
    InterfaceMethod<"All schedules that a search may try. Weights must not have been packed yet.",
      "::tenon::ScheduleSpace", "getScheduleSpace",
      (ins "::mlir::func::FuncOp":$kernel, "::tenon::TargetAttr":$target, "const ::tenon::KernelCalls &":$calls)>
  ];
}

#endif // TENON_SCHEDULE_SCHEDULABLEOPINTERFACE
