//===- Fft.h - convolution with long filters by Fourier transforms ---------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include "tenon/Dialect/IR/FftEnums.h.inc"
#define GET_OP_CLASSES
#include "tenon/Dialect/IR/FftOps.h.inc"

namespace tenon {

/// The most elements of a transform along one dim.
inline constexpr int64_t kMostFftPoints = 64;

/// Transforms of `size` elements compute `tile` results along one dim of a convolution.
struct FftPlan {
  int64_t size, tile, tiles;
};

/// The best plan for one dim of a convolution: `extent` elements, `before` zeros in front of them, `taps` of the filter
/// (at most kMostFftPoints), `results`. All results are one tile where a transform is long enough for that; what it
/// wraps around are zeros then. Otherwise tiles overlap by taps - 1.
FftPlan planFft(int64_t extent, int64_t before, int64_t taps, int64_t results);

/// Operations on numbers of one transform of `size` complex numbers, roughly.
double countFftOperations(int64_t size);
/// Its time in multiply-adds, as measured: what registers do not hold goes through the first cache level.
double estimateFftCost(int64_t size);

} // namespace tenon
