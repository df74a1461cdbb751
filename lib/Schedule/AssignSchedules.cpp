//===- AssignSchedules.cpp - a schedule on each kernel ----------------------------------------===//
#include "GivenSchedules.h"
#include "tenon/Analysis/Weights.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Schedule/Passes.h"
#include "tenon/Schedule/Schedule.h"
#include "tenon/Schedule/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tenon {
#define GEN_PASS_DEF_ASSIGNSCHEDULES
#define GEN_PASS_DEF_CHECKSCHEDULES
#include "tenon/Schedule/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

class AssignSchedules : public tenon::impl::AssignSchedulesBase<AssignSchedules> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    TargetAttr target = getTarget(module);
    if (!target)
      return signalPassFailure();
    KernelCalls calls(module);
    bool failedAny = failed(takeGivenSchedules(module, target, calls));
    for (auto kernel : module.getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(kKernelAttr) || kernel.isExternal())
        continue;
      if (auto given = kernel->getAttr(kScheduleAttr)) {
        auto schedule = dyn_cast<ScheduleAttr>(given);
        if (!schedule)
          kernel.emitError("expected '") << kScheduleAttr << "' to be a #tenon.schedule, but got " << given;
        failedAny |= !schedule || failed(verifySchedule(kernel, schedule, target, calls));
        continue;
      }
      kernel->setAttr(kScheduleAttr, getDefaultSchedule(kernel, target, calls));
    }
    if (failedAny)
      signalPassFailure();
  }
};

class CheckSchedules : public tenon::impl::CheckSchedulesBase<CheckSchedules> {
  void runOnOperation() override {
    if (failed(checkGivenSchedules(getOperation())))
      signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
