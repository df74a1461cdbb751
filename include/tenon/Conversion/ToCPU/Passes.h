//===- Passes.h - from bufferized kernels and hosts to LLVM ------------------------===//
#pragma once
#include "mlir/Pass/Pass.h"

namespace tenon {
#define GEN_PASS_DECL
#include "tenon/Conversion/ToCPU/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "tenon/Conversion/ToCPU/Passes.h.inc"
} // namespace tenon
