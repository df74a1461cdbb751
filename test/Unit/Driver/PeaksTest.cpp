//===- PeaksTest.cpp - peaks are measured once, and believed only where they can be read ------------===//
#include "../../../lib/Driver/MachinePeaks.h"
#include "tenon/Driver/Compile.h"
#include "tenon/Schedule/Target.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace tenon;

namespace {

struct MapCache : ObjectCache {
  std::optional<std::string> lookup(const std::string &key) override {
    auto found = files.find(key);
    return found == files.end() ? std::nullopt : std::optional<std::string>(found->second);
  }
  void store(const std::string &key, const std::string &object) override { files[key] = object, ++stores; }
  std::map<std::string, std::string> files;
  int stores = 0;
};

struct MachinePeaks : testing::Test {
  MachinePeaks() { context.loadDialect<TenonDialect>(); }
  MLIRContext context;
  MapCache cache;
};

TEST_F(MachinePeaks, AreMeasuredOnceAndStored) {
  TargetAttr host = detectHostTarget(&context), first = withMachinePeaks(host, &cache);
  ASSERT_EQ(cache.files.size(), 1u);
  EXPECT_GT(first.getPeakGflops(), 0);
  EXPECT_GT(first.getL3Gbps(), 0);
  EXPECT_GT(first.getMemoryGbps(), 0);
  EXPECT_EQ(first, withMachinePeaks(host, &cache));
  EXPECT_EQ(cache.stores, 1);
  EXPECT_EQ(first, withMachinePeaks(host, nullptr));
  // Nothing else of the target changes.
  EXPECT_EQ(host.getFeatures(), first.getFeatures());
  EXPECT_EQ(host.getL2Bytes(), first.getL2Bytes());
  EXPECT_EQ(host.getVectorFmas(), first.getVectorFmas());
}

TEST_F(MachinePeaks, OfTheCacheCount) {
  TargetAttr host = detectHostTarget(&context);
  withMachinePeaks(host, &cache);
  cache.files.begin()->second = "1200 340 56";
  TargetAttr target = withMachinePeaks(host, &cache);
  EXPECT_EQ(target.getPeakGflops(), 1200);
  EXPECT_EQ(target.getL3Gbps(), 340);
  EXPECT_EQ(target.getMemoryGbps(), 56);
}

TEST_F(MachinePeaks, ThatMakeNoSenseAreReplaced) {
  TargetAttr host = detectHostTarget(&context), measured = withMachinePeaks(host, &cache);
  for (const char *text : {"", "1", "1 2", "1 2 3 4", "1 2 3x", "0 2 3", "1 -2 3", "a b c"}) {
    cache.files.begin()->second = text;
    EXPECT_EQ(withMachinePeaks(host, &cache), measured) << text;
    EXPECT_NE(cache.files.begin()->second, text);
  }
}

TEST_F(MachinePeaks, SayWhatAMultiplyAddIsWorth) {
  auto target = [&](int64_t gflops, int64_t l3, int64_t memory) {
    return TargetAttr::get(&context, "x86_64-unknown-linux-gnu", "x86-64-v4", "", 512, 32, 32 << 10, 1 << 20, 32 << 20,
                           2, gflops, l3, memory);
  };
  // 32 operations at 160 GFLOP/s take 0.2 ns.
  EXPECT_DOUBLE_EQ(target(160, 100, 20).getBytesPerMultiplyAdd(8 << 20), 20);
  EXPECT_DOUBLE_EQ(target(160, 100, 20).getBytesPerMultiplyAdd(64 << 20), 4);
  // Where they are not known, they are still in order.
  EXPECT_GT(target(0, 0, 0).getBytesPerMultiplyAdd(8 << 20), target(0, 0, 0).getBytesPerMultiplyAdd(64 << 20));
  EXPECT_GT(target(0, 0, 0).getBytesPerMultiplyAdd(64 << 20), 0);
}

} // namespace
