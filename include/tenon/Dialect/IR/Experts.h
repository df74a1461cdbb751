//===- Experts.h - selection, ragged groups and mixtures of experts ----------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include "tenon/Dialect/IR/ExpertsEnums.h.inc"
#define GET_OP_CLASSES
#include "tenon/Dialect/IR/ExpertsOps.h.inc"

namespace tenon {
/// The pairs that a route has room for per token: `top_k`, or all experts.
inline int64_t getPairsPerToken(RouteOp op) { return op.getTopK() > 0 ? op.getTopK() : op.getNumExperts(); }
} // namespace tenon
