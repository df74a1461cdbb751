//===- Passes.h - choosing schedules ----------------------------------------------------===//
#pragma once
#include "mlir/Pass/Pass.h"

namespace tenon {
#define GEN_PASS_DECL
#include "tenon/Schedule/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "tenon/Schedule/Passes.h.inc"
} // namespace tenon
