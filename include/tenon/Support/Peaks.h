//===- Peaks.h - what one core of this machine can do ---------------------------------------===//
#pragma once
#include <cstddef>

namespace tenon {

/// Operations per second of float32 multiply-adds (two each) in registers: the best of three turns of `seconds` each.
double measureFlops(double seconds);

/// Bytes per second when `bytes` are read again and again for about `seconds`, at least three times; the best time
/// counts. How many they are decides between a cache and main memory. They lie in huge pages where the system has them,
/// as weights do. 0 where there is no memory.
double measureReads(size_t bytes, double seconds);

} // namespace tenon
