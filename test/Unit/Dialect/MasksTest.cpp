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

/// Without operands. Grids have fewer, as many and more places than there are queries and keys.
const char *const kMasks[] = {
    "#tenon.causal",
    "#tenon.causal<start>",
    "#tenon.window<3, 1>",
    "#tenon.window<0, -1>",
    "#tenon.window<-1, 2, start>",
    "#tenon.prefix<4>",
    "#tenon.prefix<0>",
    "#tenon.dilated<2, 1, 2>",
    "#tenon.dilated<-1, 0, 3>",
    "#tenon.dilated<0, -1, 4, start>",
    "#tenon.dilated<1, 1, 1>",
    "#tenon.strided<2, 1, 1>",
    "#tenon.strided<3, 0, 2>",
    "#tenon.strided<1, 0, 4>",
    "#tenon.window<9223372036854775807, 9223372036854775807>",
    "#tenon.dilated<9223372036854775807, 0, 9223372036854775807>",
    "#tenon.dilated<3, 9223372036854775807, 2>",
    "#tenon.strided<9223372036854775807, 9223372036854775806, 3>",
    "#tenon.strided<9223372036854775807, 1, 2>",
    "#tenon.neighborhood<grid = [9], size = [3]>",
    "#tenon.neighborhood<grid = [7], size = [4], stride = [3], align = start>",
    "#tenon.neighborhood<grid = [9], size = [4], dilation = [2], stride = [2]>",
    "#tenon.neighborhood<grid = [9], size = [3], stride = [2], causal = [1]>",
    "#tenon.neighborhood<grid = [3, 3], size = [2, 2]>",
    "#tenon.neighborhood<grid = [2, 4], size = [1, 2], dilation = [1, 2], align = start>",
    "#tenon.neighborhood<grid = [2, 5], size = [2, 3], stride = [1, 2], causal = [1, 0]>",
    "#tenon.neighborhood<grid = [2, 2, 3], size = [2, 1, 2], causal = [1, 0, 1]>",
    "#tenon.not<#tenon.causal>",
    "#tenon.not<#tenon.window<1, 0>>",
    "#tenon.not<#tenon.prefix<4>>",
    "#tenon.not<#tenon.not<#tenon.prefix<4>>>",
    "#tenon.not<#tenon.any_of<#tenon.prefix<2>, #tenon.window<1, 1>>>",
    "#tenon.not<#tenon.neighborhood<grid = [3, 3], size = [2, 2]>>",
    "#tenon.all_of<#tenon.causal, #tenon.window<2, -1>>",
    "#tenon.any_of<#tenon.prefix<3>, #tenon.window<1, 0>>",
    "#tenon.any_of<#tenon.window<1, 0>, #tenon.strided<4, 0, 1>>",
    "#tenon.any_of<#tenon.prefix<0>, #tenon.all_of<#tenon.causal<start>, #tenon.not<#tenon.prefix<2>>>>",
    "#tenon.per_head<#tenon.causal, #tenon.prefix<2>, #tenon.not<#tenon.strided<2, 0, 2>>>",
    "#tenon.not<#tenon.per_head<#tenon.causal, #tenon.any_of<#tenon.prefix<2>, #tenon.per_head<#tenon.window<1, 1>, "
    "#tenon.prefix<5>>>>>",
};

/// With operands 0 to 3: numbers of documents of queries and of keys, lower and upper bounds.
const char *const kTableMasks[] = {
    "#tenon.document<0, 1>",
    "#tenon.key_interval<2, 3>",
    "#tenon.not<#tenon.document<0, 1>>",
    "#tenon.not<#tenon.key_interval<2, 3>>",
    "#tenon.all_of<#tenon.causal, #tenon.document<0, 1>>",
    "#tenon.any_of<#tenon.prefix<2>, #tenon.key_interval<2, 3>, #tenon.document<0, 1>>",
    "#tenon.per_head<#tenon.document<0, 1>, #tenon.key_interval<2, 3>>",
};

class MasksTest : public testing::Test {
protected:
  MasksTest() { context.loadDialect<TenonDialect, arith::ArithDialect, func::FuncDialect>(); }

  /// Two documents of queries, three of keys, out of order; bounds that differ by head, some beyond the keys.
  static int64_t readTable(unsigned number, int64_t head, int64_t query, int64_t key) {
    if (number < 2)
      return number == 0 ? query / 4 : key / 3 % 3;
    return number == 2 ? query * 2 % 5 - 1 : query * 3 % 7 + 3 + head;
  }

  Attribute parse(const char *text) {
    Attribute mask = parseAttribute(text, &context);
    EXPECT_TRUE(mask && isMask(mask)) << text;
    return mask;
  }

  void forEachTile(function_ref<void(const char *text, Attribute mask, const MaskRows<int64_t> &rows)> visit) {
    for (ArrayRef<const char *> masks : {ArrayRef(kMasks), ArrayRef(kTableMasks)})
      for (const char *text : masks) {
        Attribute mask = parse(text);
        for (int64_t head = 0, heads = countHeadMasks(mask); head < heads; ++head)
          for (int64_t queries : {1, 4, 9})
            for (int64_t keys : {0, 1, 5, 9, 12})
              for (int64_t first = 0; first < queries; ++first)
                for (int64_t last = first; last < queries; ++last)
                  visit(text, mask, {head, first, last, queries, keys});
      }
  }

  static bool allows(Attribute mask, MaskRows<int64_t> rows, int64_t q, int64_t k) {
    rows.first = rows.last = q;
    return allowsKey(mask, rows, k, readTable);
  }

  MLIRContext context;
};

TEST_F(MasksTest, NoQuerySeesOutsideOfTheKeyRange) {
  forEachTile([&](const char *text, Attribute mask, const MaskRows<int64_t> &rows) {
    KeyRange<int64_t> range = getKeyRange(mask, rows, readTable);
    if (range.low < range.high) {
      EXPECT_GE(range.low, 0) << text;
      EXPECT_LE(range.high, rows.keys) << text;
    }
    for (int64_t q = rows.first; q <= rows.last; ++q)
      for (int64_t k = 0; k < rows.keys; ++k)
        if (k < range.low || k >= range.high) {
          EXPECT_FALSE(allows(mask, rows, q, k)) << text << " " << q << " " << k;
        }
  });
}

/// Of every tile: what is said is so. Masks that say nothing of a tile are slow, those that say something wrong are
/// worse.
TEST_F(MasksTest, EmptyTilesAreEmptyAndFullOnesFull) {
  forEachTile([&](const char *text, Attribute mask, const MaskRows<int64_t> &rows) {
    for (int64_t low = 0; low < rows.keys; ++low)
      for (int64_t high = low + 1; high <= rows.keys; ++high) {
        TileClass<bool> known = classifyTile(mask, rows, {low, high}, readTable);
        for (int64_t q = rows.first; q <= rows.last; ++q)
          for (int64_t k = low; k < high; ++k) {
            bool seen = allows(mask, rows, q, k);
            EXPECT_FALSE(known.empty && seen) << text << " " << q << " " << k << " in " << low << " to " << high;
            EXPECT_FALSE(known.full && !seen) << text << " " << q << " " << k << " in " << low << " to " << high;
          }
      }
  });
}

/// Tiles inside of the key range are known to hold something where there are no holes.
TEST_F(MasksTest, MasksWithoutHolesHaveNone) {
  forEachTile([&](const char *text, Attribute mask, const MaskRows<int64_t> &rows) {
    if (hasHoles(mask))
      return;
    KeyRange<int64_t> range = getKeyRange(mask, rows, readTable);
    for (int64_t low = range.low; low < range.high; ++low)
      for (int64_t high = low + 1; high <= range.high; ++high)
        EXPECT_FALSE(classifyTile(mask, rows, {low, high}, readTable).empty) << text;
  });
}

/// What is said of single masks is all that can be said: an empty tile is known to be one. (Of neighborhoods that is so
/// for single rows and keys without dilation.)
TEST_F(MasksTest, SingleMasksAreExact) {
  forEachTile([&](const char *text, Attribute mask, const MaskRows<int64_t> &rows) {
    bool grid = isa<NeighborhoodAttr>(mask);
    if (!isa<CausalAttr, WindowAttr, PrefixAttr, DilatedAttr, StridedAttr>(mask) &&
        !(grid && rows.first == rows.last && StringRef(text).find("dilation") == StringRef::npos))
      return;
    for (int64_t low = 0; low < rows.keys; ++low)
      for (int64_t high = low + 1; high <= (grid ? low + 1 : rows.keys); ++high) {
        bool any = false, all = true;
        for (int64_t q = rows.first; q <= rows.last; ++q)
          for (int64_t k = low; k < high; ++k) {
            any |= allows(mask, rows, q, k);
            all &= allows(mask, rows, q, k);
          }
        TileClass<bool> known = classifyTile(mask, rows, {low, high}, readTable);
        EXPECT_EQ(known.empty, !any) << text << " rows " << rows.first << " to " << rows.last << " keys " << low
                                     << " to " << high;
        if (!isa<DilatedAttr>(mask))
          EXPECT_EQ(known.full, all) << text << " rows " << rows.first << " to " << rows.last << " keys " << low
                                     << " to " << high;
      }
  });
}

/// Windows as in the paper on generalised neighbourhood attention: spelled out from the left for one dim of 12 places.
TEST_F(MasksTest, WindowsOfNeighborhoods) {
  auto see = [&](const char *text, int64_t q) {
    std::string line;
    for (int64_t k = 0; k < 12; ++k)
      line += allowsKey(parse(text), {0, q, q, 12, 12}, k, readTable) ? 'x' : '.';
    return line;
  };
  const char *plain = "#tenon.neighborhood<grid = [12], size = [5]>";
  EXPECT_EQ(see(plain, 0), "xxxxx.......");
  EXPECT_EQ(see(plain, 5), "...xxxxx....");
  EXPECT_EQ(see(plain, 11), ".......xxxxx");
  const char *strided = "#tenon.neighborhood<grid = [12], size = [5], stride = [4]>"; // leaders 2, 6, 10
  EXPECT_EQ(see(strided, 3), "xxxxx.......");
  EXPECT_EQ(see(strided, 4), "....xxxxx...");
  EXPECT_EQ(see(strided, 8), ".......xxxxx");
  const char *dilated = "#tenon.neighborhood<grid = [12], size = [2], dilation = [5]>"; // of 3, 3, 2, 2, 2 places each
  EXPECT_EQ(see(dilated, 0), "x....x......");
  EXPECT_EQ(see(dilated, 11), "......x....x");
  EXPECT_EQ(see(dilated, 9), "....x....x..");
  const char *causal =
      "#tenon.neighborhood<grid = [12], size = [4], stride = [2], causal = [1]>"; // leaders 1, 3, 5, ..
  EXPECT_EQ(see(causal, 0), "x...........");
  EXPECT_EQ(see(causal, 4), "..xxx.......");
  EXPECT_EQ(see(causal, 5), "..xxxx......");
}

TEST_F(MasksTest, MasksOfHeads) {
  Attribute mask = parse("#tenon.not<#tenon.per_head<#tenon.causal, #tenon.per_head<#tenon.prefix<1>, "
                         "#tenon.prefix<2>, #tenon.prefix<3>>>>");
  EXPECT_EQ(countHeadMasks(mask), 6);
  EXPECT_EQ(getMaskOfHead(mask, 4), parse("#tenon.not<#tenon.causal>"));
  EXPECT_EQ(getMaskOfHead(mask, 5), parse("#tenon.not<#tenon.prefix<3>>"));
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
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module(ModuleOp::create(loc));
  builder.setInsertionPointToStart(module->getBody());
  auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(builder, loc, value); };
  auto number = [](Value value) {
    IntegerAttr attribute;
    EXPECT_TRUE(matchPattern(value, m_Constant(&attribute)));
    return attribute ? attribute.getInt() : -99;
  };
  for (const char *text : kMasks) {
    Attribute mask = parse(text);
    for (int64_t q = 0; q < 4; ++q) {
      MaskRows<int64_t> rows{q % 3, q, 3, 4, 9};
      MaskRows<Value> values{constant(rows.head), constant(q), constant(3), constant(4), constant(9)};
      MaskEmitter emitter(builder, loc, mask, values, nullptr);
      KeyRange<Value> range = emitter.getKeyRange();
      KeyRange<int64_t> expected = getKeyRange(mask, rows, readTable);
      EXPECT_EQ(number(range.low), expected.low) << text;
      EXPECT_EQ(number(range.high), expected.high) << text;
      for (int64_t k = 0; k < 9; ++k) {
        auto along = [&](bool ofKeys, function_ref<Value(Value)> compute) { return compute(constant(ofKeys ? k : q)); };
        MaskRows<Value> pair = values;
        pair.last = pair.first;
        Value seen = buildAllowsKey(builder, loc, mask, pair, constant(k), {nullptr, along});
        EXPECT_EQ(number(seen) != 0, allows(mask, rows, q, k)) << text << " " << q << " " << k;
        TileClass<Value> known = emitter.classify({constant(k), constant(std::min<int64_t>(k + 3, 9))});
        TileClass<bool> wanted = classifyTile(mask, rows, {k, std::min<int64_t>(k + 3, 9)}, readTable);
        EXPECT_EQ(number(known.empty) != 0, wanted.empty) << text;
        EXPECT_EQ(number(known.full) != 0, wanted.full) << text;
      }
    }
  }
}

} // namespace
