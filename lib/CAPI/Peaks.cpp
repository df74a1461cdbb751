//===- Peaks.cpp - what this machine can do: the roofline's two limits -------------------------===//
#include "Errors.h"
#include "tenon-c/tenon.h"

#include <chrono>
#include <immintrin.h>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace {

double seconds(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Multiply-adds per second (as two operations each) of one thread, by independent chains in registers.
__attribute__((target("avx512f"))) double flops512() {
  __m512 sum[12], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
  for (__m512 &s : sum)
    asm volatile("" : "=v"(s) : "0"(_mm512_set1_ps(1.0f))); // equal chains would be merged
  auto start = std::chrono::steady_clock::now();
  int64_t turns = 0;
  do {
    for (int i = 0; i < 20000; ++i)
      for (__m512 &s : sum)
        s = _mm512_fmadd_ps(s, a, b);
    turns += 20000;
  } while (seconds(start) < 0.05);
  double elapsed = seconds(start);
  __m512 total = sum[0];
  for (__m512 &s : sum)
    total = _mm512_add_ps(total, s);
  volatile float sink = _mm512_reduce_add_ps(total);
  (void)sink;
  return turns * 12.0 * 32.0 / elapsed;
}

__attribute__((target("avx2,fma"))) double flops256() {
  __m256 sum[12], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
  for (__m256 &s : sum)
    asm volatile("" : "=x"(s) : "0"(_mm256_set1_ps(1.0f)));
  auto start = std::chrono::steady_clock::now();
  int64_t turns = 0;
  do {
    for (int i = 0; i < 20000; ++i)
      for (__m256 &s : sum)
        s = _mm256_fmadd_ps(s, a, b);
    turns += 20000;
  } while (seconds(start) < 0.05);
  double elapsed = seconds(start);
  __m256 total = sum[0];
  for (__m256 &s : sum)
    total = _mm256_add_ps(total, s);
  volatile float sink = _mm_cvtss_f32(_mm256_castps256_ps128(total));
  (void)sink;
  return turns * 12.0 * 16.0 / elapsed;
}

double measureFlops() {
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    if (__builtin_cpu_supports("avx512f"))
      best = std::max(best, flops512());
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
      best = std::max(best, flops256());
  }
  return best;
}

/// Bytes read per second, over memory far larger than the caches, in four streams.
double measureBandwidth(const std::vector<uint64_t> &memory) {
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    auto start = std::chrono::steady_clock::now();
    uint64_t sum[4] = {};
    size_t quarter = memory.size() / 4;
    for (size_t i = 0; i < quarter; i += 8)
      for (int s = 0; s < 4; ++s)
        for (int j = 0; j < 8; ++j)
          sum[s] += memory[s * quarter + i + j];
    volatile uint64_t sink = sum[0] + sum[1] + sum[2] + sum[3];
    (void)sink;
    best = std::max(best, memory.size() * 8.0 / seconds(start));
  }
  return best;
}

template <typename Measure> double onThreads(int threads, Measure measure) {
  std::vector<double> results(threads);
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t)
    pool.emplace_back([&, t] { results[t] = measure(); });
  results[0] = measure();
  for (std::thread &thread : pool)
    thread.join();
  double sum = 0;
  for (double result : results)
    sum += result;
  return sum;
}

} // namespace

extern "C" char *tenon_measure_peaks(int32_t threads) {
  threads = threads > 0 ? threads : tenon::runtime::availableCores();
  double flops = onThreads(threads, measureFlops);
  double bandwidth = onThreads(threads, [] {
    std::vector<uint64_t> memory((128 << 20) / 8, 1);
    return measureBandwidth(memory);
  });
  return tenon::capi::copy(
      nlohmann::json{{"threads", threads}, {"flops", flops}, {"bytes_per_second", bandwidth}}.dump());
}
