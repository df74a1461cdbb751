//===- MachinePeaks.cpp - a target with what was measured on this machine ------------------===//
#include "MachinePeaks.h"
#include "tenon/Driver/Cache.h"
#include "tenon/Driver/Compile.h"
#include "tenon/Support/Peaks.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <mutex>

using namespace mlir;
using namespace tenon;

namespace {

struct Peaks {
  int64_t gflops = 0, l3 = 0, memory = 0;
};

/// 0 where nothing was measured.
int64_t roundToTwoDigits(double value) {
  if (value <= 0)
    return 0;
  double unit = std::pow(10.0, std::max(0.0, std::floor(std::log10(std::max(value, 1.0))) - 1));
  return std::max<int64_t>(1, std::llround(std::round(value / unit) * unit));
}

Peaks measure(TargetAttr target) {
  constexpr double kSeconds = 0.01, kGiga = 1e9;
  constexpr int64_t kFarBytes = 96 << 20;
  auto reads = [&](int64_t bytes) { return roundToTwoDigits(measureReads(bytes, kSeconds) / kGiga); };
  int64_t third = std::max<int64_t>(1 << 20, std::min(4 * target.getL2Bytes(), target.getL3Bytes() / 2));
  return {roundToTwoDigits(measureFlops(kSeconds) / kGiga), reads(third), reads(kFarBytes)};
}

std::string print(const Peaks &peaks) {
  return std::to_string(peaks.gflops) + " " + std::to_string(peaks.l3) + " " + std::to_string(peaks.memory);
}

std::optional<Peaks> parse(const std::string &text) {
  long long gflops = 0, l3 = 0, memory = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%lld %lld %lld%n", &gflops, &l3, &memory, &end) != 3 ||
      end != static_cast<int>(text.size()) || gflops <= 0 || l3 <= 0 || memory <= 0)
    return std::nullopt;
  return Peaks{gflops, l3, memory};
}

Peaks find(TargetAttr target, ObjectCache *cache) {
  static std::mutex lock;
  static std::map<std::string, Peaks> ofProcess;
  std::string text;
  llvm::raw_string_ostream(text) << target;
  std::string key = cache::KeyBuilder().add("peaks", text).finish();
  std::lock_guard<std::mutex> guard(lock);
  if (cache)
    if (std::optional<std::string> stored = cache->lookup(key))
      if (std::optional<Peaks> peaks = parse(*stored))
        return *peaks;
  auto [entry, isNew] = ofProcess.try_emplace(key);
  if (isNew)
    entry->second = measure(target);
  const Peaks &peaks = entry->second;
  if (cache && peaks.gflops > 0 && peaks.l3 > 0 && peaks.memory > 0)
    cache->store(key, print(peaks));
  return peaks;
}

} // namespace

TargetAttr tenon::withMachinePeaks(TargetAttr host, ObjectCache *cache) {
  Peaks peaks = find(host, cache);
  return TargetAttr::get(host.getContext(), host.getTriple(), host.getCpu(), host.getFeatures(), host.getVectorBits(),
                         host.getVectorRegisters(), host.getL1Bytes(), host.getL2Bytes(), host.getL3Bytes(),
                         host.getVectorFmas(), peaks.gflops, peaks.l3, peaks.memory);
}
