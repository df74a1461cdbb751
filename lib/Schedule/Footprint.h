//===- Footprint.h - what a register tile of a contraction reads ---------------------------===//
#pragma once
#include "tenon/Dialect/IR/LinearMaps.h"
#include "tenon/Dialect/IR/Tenon.h"

namespace tenon {

constexpr int64_t kLineBytes = 64;

/// The shape of a register tile, and the reduction dim that its outermost loop runs over.
struct TileShape {
  /// Per iteration dim: elements of the tile, and whole extents of the reduction dims but for `outer`, where it is 1.
  llvm::SmallVector<int64_t> counts;
  unsigned outer = 0;
};

/// Cache lines of an operand that a register tile reads in one turn of its outermost reduction loop, over all inner
/// reduction dims, each line once. `coefficients[dimension][iteration dim]` is the operand's map, `shape` its sizes, of
/// which some may not be known. Lines that neighbouring turns share are spread over these; 0 where the operand does not
/// move with the loop.
double countLines(llvm::ArrayRef<llvm::SmallVector<int64_t>> coefficients, llvm::ArrayRef<int64_t> shape,
                  const TileShape &tile, int64_t elementBytes);

} // namespace tenon
