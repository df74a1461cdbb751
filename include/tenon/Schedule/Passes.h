//===- Passes.h - choosing schedules ----------------------------------------------------===//
#pragma once
#include "mlir/Pass/Pass.h"

#include <functional>

namespace tenon {
#define GEN_PASS_DECL
#include "tenon/Schedule/Passes.h.inc"

struct SpaceSummary;
struct SummaryOptions;

/// Called with the name of a kernel and what there is to say of its schedule space.
using SpaceListener = std::function<void(llvm::StringRef, const SpaceSummary &)>;

/// `tenon-print-spaces` with a listener in the place of standard output.
std::unique_ptr<mlir::Pass> createPrintSpaces(const SummaryOptions &options, SpaceListener listener);

#define GEN_PASS_REGISTRATION
#include "tenon/Schedule/Passes.h.inc"
} // namespace tenon
