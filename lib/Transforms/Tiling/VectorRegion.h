//===- VectorRegion.h - the body of a linalg op on several lanes at once --------------===//
#pragma once
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tenon {

/// A value of the body, for all lanes: one scalar that holds for all of them (step 0), a vector, or base + lane * step.
struct Lanes {
  mlir::Value value;
  int64_t step = 0;
};

/// What the lanes of a body may do where some of them are not there.
struct RegionTraits {
  bool vectorizes = true; // every op has a vector form
  bool masks = true;      // lanes past the end may be computed: nothing traps, and they can be left out of loads
  int64_t cost = 0;       // ops, functions counted as many
};
RegionTraits analyseRegion(mlir::Block &body);

/// Clones `body` at the builder's place. `arguments` stand for its arguments; `indices[d]` for linalg.index d. Returns
/// what it yields. With one lane everything is scalar. `count`, where given, says how many of the lanes are there: a
/// body whose traits have `masks` loads no others.
llvm::SmallVector<Lanes> cloneRegion(mlir::OpBuilder &builder, mlir::Block &body, llvm::ArrayRef<Lanes> arguments,
                                     llvm::ArrayRef<Lanes> indices, int64_t lanes, mlir::OpFoldResult count = {});

/// The value as a vector of `lanes` lanes (a scalar for one lane).
mlir::Value asVector(mlir::OpBuilder &builder, mlir::Location loc, Lanes value, int64_t lanes);

} // namespace tenon
