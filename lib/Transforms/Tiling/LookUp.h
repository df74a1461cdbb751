//===- LookUp.h - tenon.look_up as permutations of registers ------------------------===//
#pragma once
#include "tenon/Dialect/IR/Formats.h"

namespace tenon {

/// The value of a look-up on a scalar or vector. `target` may be null.
mlir::Value expandLookUp(mlir::OpBuilder &builder, LookUpOp op, TargetAttr target);

} // namespace tenon
