//===- GivenSchedules.cpp - schedules that the user gives by name -----------------------------------===//
//
// Kernels are made in two rounds, and only after the second is it known that a name is none.
//
//===----------------------------------------------------------------------===//
#include "GivenSchedules.h"
#include "tenon/Analysis/Weights.h"
#include "tenon/Schedule/SchedulableOpInterface.h"
#include "tenon/Schedule/Schedule.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tenon;

/// The nodes of the model that run in `kernel`, at any of its calls: equal kernels are one function.
static llvm::SetVector<StringRef> getNodes(func::FuncOp kernel, const KernelCalls &calls) {
  llvm::SetVector<StringRef> nodes;
  auto add = [&](Operation *op) {
    if (auto names = op->getAttrOfType<ArrayAttr>("tenon.nodes"))
      for (auto name : names.getAsRange<StringAttr>())
        nodes.insert(name.getValue());
  };
  add(kernel);
  for (DispatchOp call : calls.getCalls(kernel))
    add(call);
  return nodes;
}

static SmallVector<func::FuncOp> getKernels(ModuleOp module) {
  return llvm::to_vector(llvm::make_filter_range(module.getOps<func::FuncOp>(), [](func::FuncOp function) {
    return function->hasAttr(kKernelAttr) && !function.isExternal();
  }));
}

/// The first names, and how many more there are.
static std::string list(ArrayRef<std::string> names) {
  constexpr size_t kShown = 20;
  std::string text = llvm::join(names.take_front(kShown), ", ");
  if (names.size() > kShown)
    text += " and " + std::to_string(names.size() - kShown) + " more";
  return names.empty() ? "none" : text;
}

/// The kernels that a name may mean: the one so called, or those with this node and the schedule's algorithm.
static LogicalResult findKernel(ModuleOp module, StringRef name, ScheduleAttr schedule, const KernelCalls &calls,
                                func::FuncOp &found) {
  SmallVector<func::FuncOp> candidates;
  SmallVector<std::string> others;
  for (func::FuncOp kernel : getKernels(module)) {
    if (kernel.getName() == name) {
      found = kernel;
      return success();
    }
    if (!getNodes(kernel, calls).contains(name))
      continue;
    StringRef algorithm = getScheduleRoot(kernel).getScheduleAlgorithm();
    others.push_back((kernel.getName() + " (" + algorithm + ")").str());
    if (algorithm == schedule.getAlgorithm())
      candidates.push_back(kernel);
  }
  if (others.empty()) // perhaps the name of a kernel that is made later
    return success();
  if (candidates.size() != 1)
    return module.emitError("expected node '")
           << name << "' to be in one kernel with algorithm '" << schedule.getAlgorithm()
           << "', that of the schedule given for it, but got " << candidates.size() << " among " << list(others)
           << ": name a kernel instead";
  found = candidates.front();
  return success();
}

LogicalResult tenon::takeGivenSchedules(ModuleOp module, TargetAttr target, const KernelCalls &calls) {
  auto given = module->getAttrOfType<DictionaryAttr>(kSchedulesAttr);
  if (!given)
    return success();
  bool failedAny = false;
  SmallVector<NamedAttribute> left;
  llvm::DenseMap<Operation *, NamedAttribute> taken;
  for (NamedAttribute entry : given) {
    StringRef name = entry.getName();
    auto schedule = dyn_cast<ScheduleAttr>(entry.getValue());
    if (!schedule) {
      failedAny = true;
      module.emitError("expected a #tenon.schedule for '") << name << "', but got " << entry.getValue();
      continue;
    }
    func::FuncOp kernel;
    if (failed(findKernel(module, name, schedule, calls, kernel))) {
      failedAny = true;
      continue;
    }
    if (!kernel) {
      left.push_back(entry);
      continue;
    }
    auto [before, isFirst] = taken.try_emplace(kernel, entry);
    if (!isFirst && before->second.getValue() != schedule) {
      failedAny = true;
      kernel.emitError("expected one schedule for kernel '")
          << kernel.getName() << "', but got one by the name '" << before->second.getName().getValue()
          << "' and another by '" << name << "'";
      continue;
    }
    std::string reason;
    LogicalResult legal = failure();
    {
      ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
        reason = diagnostic.str();
        return success();
      });
      legal = verifySchedule(kernel, schedule, target, calls);
    }
    if (failed(legal)) {
      failedAny = true;
      kernel.emitError("kernel '") << kernel.getName() << "' cannot have the schedule that is given by the name '"
                                   << name << "', " << schedule << ": " << reason;
      continue;
    }
    kernel->setAttr(kScheduleAttr, schedule);
  }
  if (left.empty())
    module->removeAttr(kSchedulesAttr);
  else
    module->setAttr(kSchedulesAttr, DictionaryAttr::get(module.getContext(), left));
  return failure(failedAny);
}

LogicalResult tenon::checkGivenSchedules(ModuleOp module) {
  auto left = module->getAttrOfType<DictionaryAttr>(kSchedulesAttr);
  if (!left)
    return success();
  KernelCalls calls(module);
  SmallVector<std::string> kernels, nodes;
  llvm::SetVector<StringRef> seen;
  for (func::FuncOp kernel : getKernels(module)) {
    kernels.push_back(kernel.getName().str());
    for (StringRef node : getNodes(kernel, calls))
      if (seen.insert(node))
        nodes.push_back(node.str());
  }
  for (NamedAttribute entry : left)
    module.emitError("a schedule is given for '")
        << entry.getName().getValue() << "', but no kernel or node has this name; kernels: " << list(kernels)
        << "; nodes: " << list(nodes);
  return failure();
}
