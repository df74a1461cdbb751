//===- BlocksTest.cpp - memory that is used again, within bounds ----------------------------===//
#include "../../../lib/Runtime/Blocks.h"
#include "../../../lib/Runtime/HugePages.h"

#include "gtest/gtest.h"

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

using tenon::runtime::Blocks;
using tenon::runtime::kHugePage;

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

/// The flags of the mapping that holds `memory`, as the system lists them.
static std::string getMappingFlags(const void *memory) {
  std::ifstream list("/proc/self/smaps");
  auto address = reinterpret_cast<uintptr_t>(memory);
  bool inside = false;
  for (std::string line; std::getline(list, line);) {
    unsigned long from, to;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2)
      inside = from <= address && address < to;
    else if (inside && line.rfind("VmFlags:", 0) == 0)
      return line + " ";
  }
  return "";
}

TEST(Blocks, HugePages) {
  Blocks blocks;
  size_t bytes = 2 * kHugePage + 123;
  void *block = blocks.take(bytes);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % kHugePage, 0u);
  std::memset(block, 1, bytes);
  if (std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled")) {
    EXPECT_NE(getMappingFlags(block).find(" hg "), std::string::npos);
  }
  blocks.give(block);
  // Not half as much again where whole pages are far more than asked for.
  EXPECT_LT(blocks.kept(), 3 * kHugePage);
  EXPECT_EQ(blocks.take(bytes), block);
  blocks.give(block);
  // Whole ones where that is little more.
  void *other = blocks.take(8 * kHugePage - 5000);
  blocks.give(other);
  EXPECT_GE(blocks.kept(), 10 * kHugePage);
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
