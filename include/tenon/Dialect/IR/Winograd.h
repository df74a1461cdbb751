//===- Winograd.h - convolution by Winograd's minimal filtering ------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#define GET_OP_CLASSES
#include "tenon/Dialect/IR/WinogradOps.h.inc"

namespace tenon {

/// A small matrix in row-major order.
struct SmallMatrix {
  int64_t rows, columns;
  llvm::SmallVector<double> values;
  double at(int64_t row, int64_t column) const { return values[row * columns + column]; }
};

/// The matrices of F(m, 3), which computes m results y of a filter g of 3 taps over m + 2 elements d with m + 2
/// multiplications: y = output * ((filter * g) .* (input * d)). Input and output matrices are exact in f32.
struct WinogradMatrices {
  SmallMatrix input, filter, output;
};
/// `tile` is m: 2 or 4.
WinogradMatrices getWinogradMatrices(int64_t tile);

} // namespace tenon
