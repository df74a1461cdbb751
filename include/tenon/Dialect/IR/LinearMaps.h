//===- LinearMaps.h - sums of dims with constant coefficients -------------------===//
//
// The indexing maps of tenon.tile_contract: each result is `sum of coefficient[d] * d`. Reading such maps lives here.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/AffineMap.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace tenon {

/// The coefficient of each dim in `expr`, a sum of dims with coefficients of at least 0 and without constant part;
/// nullopt for any other expression.
std::optional<llvm::SmallVector<int64_t>> getLinearCoefficients(mlir::AffineExpr expr, unsigned numDims);

/// Coefficients of all results; nullopt where a result is not linear or the map has symbols.
std::optional<llvm::SmallVector<llvm::SmallVector<int64_t>>> getLinearCoefficients(mlir::AffineMap map);

} // namespace tenon
