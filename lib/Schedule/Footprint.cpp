//===- Footprint.cpp - what a register tile of a contraction reads -------------------------===//
#include "Footprint.h"

using namespace mlir;
using namespace tenon;

double tenon::countLines(ArrayRef<SmallVector<int64_t>> coefficients, const TileShape &tile, int64_t elementBytes) {
  bool moves = false;
  double lines = 1;
  for (auto [position, row] : llvm::enumerate(coefficients)) {
    int64_t span = 1, distinct = 1; // from the first place to the last one, and how many are read at most
    for (auto [dim, coefficient] : llvm::enumerate(row)) {
      if (coefficient == 0 || dim == tile.outer)
        continue;
      span += coefficient * (tile.counts[dim] - 1);
      distinct *= tile.counts[dim];
    }
    int64_t advance = row[tile.outer];
    moves |= advance != 0;
    if (position + 1 != coefficients.size()) {
      lines *= std::min(span, distinct);
      continue;
    }
    double line = static_cast<double>(kLineBytes) / elementBytes;
    // A run starts anywhere in a line, and so covers a part of one more; runs of neighbouring turns may overlap.
    double run = (span - 1) / line + 1;
    lines *= advance == 0 ? std::min<double>(run, distinct) : std::min(run, advance / line);
  }
  return moves ? lines : 0;
}
