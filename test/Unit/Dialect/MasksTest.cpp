//===- MasksTest.cpp - what is said of tiles against every pair ------------------------===//
#include "tenon/Dialect/IR/Masks.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace tenon;

namespace {

const char *const kMasks[] = {
    "#tenon.causal",
    "#tenon.causal<start>",
    "#tenon.window<3, 1>",
    "#tenon.window<0, -1>",
    "#tenon.window<-1, 2, start>",
    "#tenon.prefix<4>",
    "#tenon.prefix<0>",
    "#tenon.not<#tenon.causal>",
    "#tenon.all_of<#tenon.causal, #tenon.window<2, -1>>",
    "#tenon.any_of<#tenon.prefix<3>, #tenon.window<1, 0>>",
    "#tenon.any_of<#tenon.prefix<0>, #tenon.all_of<#tenon.causal<start>, #tenon.not<#tenon.prefix<2>>>>",
};

class MasksTest : public testing::Test {
protected:
  MasksTest() { context.loadDialect<TenonDialect, arith::ArithDialect, func::FuncDialect>(); }

  template <typename Visit> void forEachTile(Visit visit) {
    for (const char *text : kMasks) {
      Attribute mask = parseAttribute(text, &context);
      ASSERT_TRUE(mask && isMask(mask)) << text;
      for (int64_t queries : {1, 4, 7})
        for (int64_t keys : {0, 1, 5, 9})
          for (int64_t first = 0; first < queries; ++first)
            for (int64_t last = first; last < queries; ++last)
              visit(text, mask, queries, keys, first, last);
    }
  }

  MLIRContext context;
};

TEST_F(MasksTest, NoQuerySeesOutsideOfTheKeyRange) {
  forEachTile([&](const char *text, Attribute mask, int64_t queries, int64_t keys, int64_t first, int64_t last) {
    KeyRange<int64_t> range = getKeyRange(mask, first, last, queries, keys);
    if (range.low < range.high) {
      EXPECT_GE(range.low, 0) << text;
      EXPECT_LE(range.high, keys) << text;
    }
    for (int64_t q = first; q <= last; ++q)
      for (int64_t k = 0; k < keys; ++k)
        if (k < range.low || k >= range.high) {
          EXPECT_FALSE(allowsKey(mask, q, k, queries, keys)) << text << " " << q << " " << k;
        }
  });
}

TEST_F(MasksTest, EveryQuerySeesTheFullRange) {
  forEachTile([&](const char *text, Attribute mask, int64_t queries, int64_t keys, int64_t first, int64_t last) {
    KeyRange<int64_t> range = getFullRange(mask, first, last, queries, keys);
    for (int64_t q = first; q <= last; ++q)
      for (int64_t k = std::max<int64_t>(range.low, 0); k < std::min(range.high, keys); ++k)
        EXPECT_TRUE(allowsKey(mask, q, k, queries, keys)) << text << " " << q << " " << k;
  });
}

/// Ranges of causal and window masks are tight: an empty tile is known to be one.
TEST_F(MasksTest, RangesOfIntervalsAreTight) {
  for (const char *text :
       {"#tenon.causal", "#tenon.window<3, 1>", "#tenon.all_of<#tenon.causal, #tenon.window<2, -1>>"}) {
    Attribute mask = parseAttribute(text, &context);
    for (int64_t q = 0; q < 7; ++q) {
      KeyRange<int64_t> hull = getKeyRange(mask, q, q, 7, 9), full = getFullRange(mask, q, q, 7, 9);
      for (int64_t k = 0; k < 9; ++k) {
        EXPECT_EQ(allowsKey(mask, q, k, 7, 9), k >= hull.low && k < hull.high) << text;
        EXPECT_EQ(allowsKey(mask, q, k, 7, 9), k >= full.low && k < full.high) << text;
      }
    }
  }
}

/// The parser wants an entry in each list; a builder learns it from the verifier.
TEST_F(MasksTest, ListsHaveAnEntry) {
  std::string message;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) { message = diagnostic.str(); });
  auto emit = [&] { return emitError(UnknownLoc::get(&context)); };
  EXPECT_FALSE(AllOfAttr::getChecked(emit, &context, ArrayRef<Attribute>()));
  EXPECT_EQ(message, "expected at least one mask to combine, but got none");
}

/// The IR folds to the numbers: both come from one rule.
TEST_F(MasksTest, IRSaysTheSame) {
  OpBuilder builder(&context);
  OwningOpRef<ModuleOp> module(ModuleOp::create(builder.getUnknownLoc()));
  builder.setInsertionPointToStart(module->getBody());
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, builder.getUnknownLoc(), value);
  };
  auto number = [](Value value) {
    IntegerAttr attribute;
    EXPECT_TRUE(matchPattern(value, m_Constant(&attribute)));
    return attribute ? attribute.getInt() : -99;
  };
  for (const char *text : kMasks) {
    Attribute mask = parseAttribute(text, &context);
    for (int64_t q = 0; q < 4; ++q) {
      KeyRange<Value> range =
          buildKeyRange(builder, builder.getUnknownLoc(), mask, constant(q), constant(3), constant(4), constant(6));
      KeyRange<int64_t> expected = getKeyRange(mask, q, 3, 4, 6);
      EXPECT_EQ(number(range.low), expected.low) << text;
      EXPECT_EQ(number(range.high), expected.high) << text;
      for (int64_t k = 0; k < 6; ++k) {
        Value seen =
            buildAllowsKey(builder, builder.getUnknownLoc(), mask, constant(q), constant(k), constant(4), constant(6));
        EXPECT_EQ(number(seen) != 0, allowsKey(mask, q, k, 4, 6)) << text;
      }
    }
  }
}

} // namespace
