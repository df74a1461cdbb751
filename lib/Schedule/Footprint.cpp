//===- Footprint.cpp - what a register tile of a contraction reads -------------------------===//
#include "Footprint.h"

using namespace mlir;
using namespace tenon;

/// Assumed for a size that is not known.
constexpr double kUnknownSize = 256;

double tenon::countLines(ArrayRef<SmallVector<int64_t>> coefficients, ArrayRef<int64_t> shape, const TileShape &tile,
                         int64_t elementBytes) {
  double line = static_cast<double>(kLineBytes) / elementBytes, lines = 1;
  double stride = 1; // elements from one place of a dimension to the next
  bool moves = false;
  for (int64_t position = coefficients.size() - 1; position >= 0; --position) {
    ArrayRef<int64_t> row = coefficients[position];
    int64_t span = 1, distinct = 1; // from the first place to the last one, and how many are read at most
    for (auto [dim, coefficient] : llvm::enumerate(row)) {
      if (coefficient == 0 || dim == tile.outer)
        continue;
      span += coefficient * (tile.counts[dim] - 1);
      distinct *= tile.counts[dim];
    }
    bool last = position + 1 == static_cast<int64_t>(coefficients.size());
    // A run starts anywhere in a line, and so covers a part of one more.
    lines *= last ? std::min<double>((span - 1) / line + 1, distinct) : std::min(span, distinct);
    // Turns that follow each other closely share lines: all of them together read no more than what they pass by.
    if (row[tile.outer] != 0) {
      moves = true;
      lines = std::min(lines, stride * row[tile.outer] / line);
    }
    stride *= ShapedType::isDynamic(shape[position]) ? kUnknownSize : shape[position];
  }
  return moves ? lines : 0;
}
