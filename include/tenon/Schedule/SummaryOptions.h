//===- SummaryOptions.h - what to tell of a schedule space; without MLIR, for requests to the compiler -===//
#pragma once
#include <cstdint>

namespace tenon {

/// How many candidates: the cheapest by estimate, and drawn ones.
struct SummaryOptions {
  int64_t best = 3, samples = 0;
  uint64_t seed = 0;
};

} // namespace tenon
