//===- Passes.h - op families to linalg ----------------------------------------------===//
#pragma once
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace tenon {
#define GEN_PASS_DECL
#include "tenon/Conversion/TenonToLinalg/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "tenon/Conversion/TenonToLinalg/Passes.h.inc"
} // namespace tenon
