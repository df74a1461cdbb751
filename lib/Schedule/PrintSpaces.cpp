//===- PrintSpaces.cpp - what schedules each kernel may have --------------------------------------===//
#include "tenon/Analysis/Weights.h"
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Schedule/Passes.h"
#include "tenon/Schedule/SchedulableOpInterface.h"
#include "tenon/Schedule/Target.h"

namespace tenon {
#define GEN_PASS_DEF_PRINTSPACES
#include "tenon/Schedule/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

/// Whether weights of the kernel are in the form that its schedule asked for.
static bool isPacked(func::FuncOp kernel) {
  return llvm::any_of(kernel.getBody().getOps<TileContractOp>(), [](auto op) { return !op.getPanels().empty(); }) ||
         llvm::any_of(kernel.getBody().getOps<GroupedMatmulOp>(), [](auto op) { return op.getPanels() > 0; });
}

namespace {

class PrintSpaces : public tenon::impl::PrintSpacesBase<PrintSpaces> {
public:
  using PrintSpacesBase::PrintSpacesBase;
  PrintSpaces(const SummaryOptions &options, SpaceListener listener) : listener(std::move(listener)) {
    best = options.best;
    samples = options.samples;
    seed = options.seed;
  }

private:
  void runOnOperation() override {
    ModuleOp module = getOperation();
    TargetAttr target = getTarget(module);
    if (!target)
      return signalPassFailure();
    KernelCalls calls(module);
    for (auto kernel : module.getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(kKernelAttr) || kernel.isExternal() || isPacked(kernel))
        continue;
      ScheduleSpace space = getScheduleRoot(kernel).getScheduleSpace(kernel, target, calls);
      auto used = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      SpaceSummary summary = summarize(space, used ? used : space.getDefault().schedule,
                                       {best, samples, static_cast<uint64_t>(int64_t(seed))});
      if (listener)
        listener(kernel.getName(), summary);
      else
        printSpace(llvm::outs(), kernel.getName(), summary);
    }
    markAllAnalysesPreserved();
  }

  SpaceListener listener;
};

} // namespace

std::unique_ptr<Pass> tenon::createPrintSpaces(const SummaryOptions &options, SpaceListener listener) {
  return std::make_unique<PrintSpaces>(options, std::move(listener));
}
