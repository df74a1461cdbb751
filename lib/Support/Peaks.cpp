//===- Peaks.cpp - what one core of this machine can do ------------------------------------===//
#include "tenon/Support/Peaks.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <immintrin.h>
#include <memory>
#include <sys/mman.h>

namespace {

constexpr int kTurns = 2000; ///< between two looks at the clock

double elapsedSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Multiply-adds per second (as two operations each) of one thread, by independent chains in registers.
__attribute__((target("avx512f"))) double flops512(double seconds) {
  __m512 sum[12], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (__m512 &s : sum)
    asm volatile("" : "=v"(s) : "0"(_mm512_set1_ps(1.0f))); // equal chains would be merged
  auto start = std::chrono::steady_clock::now();
  int64_t turns = 0;
  do {
    for (int i = 0; i < kTurns; ++i)
      for (__m512 &s : sum)
        s = _mm512_fmadd_ps(s, a, b);
    turns += kTurns;
  } while (elapsedSince(start) < seconds);
  double elapsed = elapsedSince(start);
  __m512 total = sum[0];
  for (__m512 &s : sum)
    total = _mm512_add_ps(total, s);
  volatile float sink = _mm512_reduce_add_ps(total);
  (void)sink;
  return turns * 12.0 * 32.0 / elapsed;
}

__attribute__((target("avx2,fma"))) double flops256(double seconds) {
  __m256 sum[12], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (__m256 &s : sum)
    asm volatile("" : "=x"(s) : "0"(_mm256_set1_ps(1.0f)));
  auto start = std::chrono::steady_clock::now();
  int64_t turns = 0;
  do {
    for (int i = 0; i < kTurns; ++i)
      for (__m256 &s : sum)
        s = _mm256_fmadd_ps(s, a, b);
    turns += kTurns;
  } while (elapsedSince(start) < seconds);
  double elapsed = elapsedSince(start);
  __m256 total = sum[0];
  for (__m256 &s : sum)
    total = _mm256_add_ps(total, s);
  volatile float sink = _mm_cvtss_f32(_mm256_castps256_ps128(total));
  (void)sink;
  return turns * 12.0 * 16.0 / elapsed;
}

/// The sum of all words, so that each is read.
__attribute__((target("avx2"))) uint64_t sum256(const uint64_t *memory, size_t words) {
  __m256i sum[8] = {};
  for (size_t i = 0; i + 32 <= words; i += 32)
    for (int j = 0; j < 8; ++j)
      sum[j] = _mm256_add_epi64(sum[j], _mm256_loadu_si256(reinterpret_cast<const __m256i *>(&memory[i + 4 * j])));
  for (int j = 1; j < 8; ++j)
    sum[0] = _mm256_add_epi64(sum[0], sum[j]);
  uint64_t parts[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(parts), sum[0]);
  return parts[0] + parts[1] + parts[2] + parts[3];
}

uint64_t sumAny(const uint64_t *memory, size_t words) {
  uint64_t sum = 0;
  for (size_t i = 0; i < words; ++i)
    sum += memory[i];
  return sum;
}

} // namespace

double tenon::measureFlops(double seconds) {
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    if (__builtin_cpu_supports("avx512f"))
      best = std::max(best, flops512(seconds));
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
      best = std::max(best, flops256(seconds));
  }
  return best;
}

double tenon::measureReads(size_t bytes, double seconds) {
  constexpr size_t kHugePage = size_t(2) << 20;
  bytes = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  std::unique_ptr<uint64_t, decltype(&std::free)> memory(static_cast<uint64_t *>(std::aligned_alloc(kHugePage, bytes)),
                                                         &std::free);
  if (!memory)
    return 0;
  madvise(memory.get(), bytes, MADV_HUGEPAGE);
  std::memset(memory.get(), 1, bytes);
  bool wide = __builtin_cpu_supports("avx2");
  double best = 0;
  auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < 3 || elapsedSince(begin) < seconds; ++round) {
    auto start = std::chrono::steady_clock::now();
    volatile uint64_t sink = wide ? sum256(memory.get(), bytes / 8) : sumAny(memory.get(), bytes / 8);
    (void)sink;
    best = std::max(best, static_cast<double>(bytes) / elapsedSince(start));
  }
  return best;
}
