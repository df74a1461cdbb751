//===- Peaks.cpp - what this machine can do: the roofline's two limits -------------------------===//
#include "tenon/Support/Peaks.h"
#include "Errors.h"
#include "tenon-c/tenon.h"

#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace {

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
  double flops = onThreads(threads, [] { return tenon::measureFlops(0.05); });
  double bandwidth = onThreads(threads, [] { return tenon::measureReads(128 << 20, 0); });
  return tenon::capi::copy(
      nlohmann::json{{"threads", threads}, {"flops", flops}, {"bytes_per_second", bandwidth}}.dump());
}
