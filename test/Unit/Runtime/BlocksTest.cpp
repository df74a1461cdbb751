//===- BlocksTest.cpp - memory that is used again, within bounds ----------------------------===//
#include "../../../lib/Runtime/Blocks.h"

#include "gtest/gtest.h"

#include <cstdint>

using tenon::runtime::Blocks;

TEST(Blocks, LargeOnesAreUsedAgain) {
  Blocks blocks;
  void *first = blocks.take(1 << 20);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  blocks.give(first);
  EXPECT_EQ(blocks.kept(), size_t(1) << 20);
  void *second = blocks.take((1 << 20) - 1000); // a little less
  EXPECT_EQ(second, first);
  EXPECT_EQ(blocks.kept(), 0u);
  void *third = blocks.take(1 << 20); // none waits
  EXPECT_NE(third, second);
  blocks.give(second);
  blocks.give(third);
}

TEST(Blocks, FarTooLargeOnesAreNot) {
  Blocks blocks;
  void *large = blocks.take(8 << 20);
  blocks.give(large);
  void *small = blocks.take(1 << 20);
  EXPECT_NE(small, large);
  EXPECT_EQ(blocks.kept(), size_t(8) << 20);
  blocks.give(small);
}

TEST(Blocks, SmallOnesAndNothing) {
  Blocks blocks;
  blocks.give(blocks.take(100));
  blocks.give(blocks.take(0));
  blocks.give(nullptr);
  EXPECT_EQ(blocks.kept(), 0u);
}

TEST(Blocks, WhatWaitsIsBounded) {
  Blocks blocks;
  std::vector<void *> all;
  for (int i = 0; i < 40; ++i)
    all.push_back(blocks.take((16 << 20) + i * (1 << 20)));
  for (void *memory : all) {
    blocks.give(memory);
    EXPECT_LE(blocks.kept(), Blocks::kMostBytes);
  }
  void *huge = blocks.take(Blocks::kMostBytes + 1);
  size_t before = blocks.kept();
  blocks.give(huge);
  EXPECT_EQ(blocks.kept(), before);
  EXPECT_EQ(blocks.take(size_t(1) << 60), nullptr);
  EXPECT_EQ(blocks.kept(), 0u); // given up in the attempt
}
