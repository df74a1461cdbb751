//===- Peaks.h - what one core of this machine can do ---------------------------------------===//
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tenon {

/// Operations per second of float32 multiply-adds (two each) in registers: the best of three turns of `seconds` each.
double measureFlops(double seconds);

/// Bytes per second that come from `memory` when it is read again and again for about `seconds`, at least three times;
/// the best time counts. How large it is decides between a cache and main memory.
double measureReads(const std::vector<uint64_t> &memory, double seconds);

} // namespace tenon
