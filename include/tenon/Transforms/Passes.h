//===- Passes.h - from Programs to tiled kernels --------------------------------===//
#pragma once
#include "mlir/Pass/Pass.h"

namespace tenon {
#define GEN_PASS_DECL
#include "tenon/Transforms/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon
