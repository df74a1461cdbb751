//===- ConvTest.cpp - what tenon.conv, tenon.pool and tenon.resize compute, by hand -------------===//
#include "ConvFamily.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;
using testing::ElementsAre;

namespace {

/// Parses a function body that uses %x, %w and %b of the given types, and finds its one op of a kind.
class ConvReference : public testing::Test {
protected:
  ConvReference() { context.loadDialect<TenonDialect, func::FuncDialect, arith::ArithDialect>(); }

  template <typename OpTy> OpTy parse(const std::string &arguments, const std::string &body) {
    module = parseSourceString<ModuleOp>("func.func @f(" + arguments + ") {\n" + body + "\nreturn\n}",
                                         ParserConfig(&context));
    OpTy found;
    if (module)
      module->walk([&](OpTy op) { found = op; });
    return found;
  }

  static Numbers counting(ArrayRef<int64_t> shape, int start = 1) {
    Numbers numbers(shape);
    for (Number &value : numbers.values)
      value = start++;
    return numbers;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(ConvReference, StridedWithPadsAndBias) {
  auto op = parse<ConvOp>(
      "%x: tensor<1x1x5xf32>, %w: tensor<1x1x3xf32>, %b: tensor<1xf32>",
      "%y = tenon.conv %x, %w bias %b strides [2] dilations [1] pads [1, 1] groups 1 : tensor<1x1x5xf32>, "
      "tensor<1x1x3xf32>, tensor<1xf32> -> tensor<1x1x3xf32>");
  ASSERT_TRUE(op);
  Numbers bias({1}, 100);
  // 0 1 [2] .. with weights 1 2 3
  EXPECT_THAT(evaluate(op, counting({1, 1, 5}), counting({1, 1, 3}), &bias).values, ElementsAre(108, 120, 114));
}

TEST_F(ConvReference, TransposedSpreads) {
  auto op = parse<ConvOp>(
      "%x: tensor<1x1x2xf32>, %w: tensor<1x1x3xf32>",
      "%y = tenon.conv %x, %w strides [2] dilations [1] pads [0, 0] groups 1 transposed : tensor<1x1x2xf32>, "
      "tensor<1x1x3xf32> -> tensor<1x1x5xf32>");
  ASSERT_TRUE(op);
  EXPECT_THAT(evaluate(op, counting({1, 1, 2}), counting({1, 1, 3}), nullptr).values, ElementsAre(1, 2, 5, 4, 6));
}

TEST_F(ConvReference, GroupsPerSampleChannelsLast) {
  auto op =
      parse<ConvOp>("%x: tensor<2x1x2xf32>, %w: tensor<2x2x1x1xf32>",
                    "%y = tenon.conv %x, %w strides [1] dilations [1] pads [0, 0] groups 2 per_sample channels_last : "
                    "tensor<2x1x2xf32>, tensor<2x2x1x1xf32> -> tensor<2x1x2xf32>");
  ASSERT_TRUE(op);
  EXPECT_THAT(evaluate(op, counting({2, 1, 2}), counting({2, 2, 1, 1}, 10), nullptr).values,
              ElementsAre(10, 22, 36, 52));
}

TEST_F(ConvReference, IntegersWrap) {
  auto op = parse<ConvOp>("%x: tensor<1x1x1xi8>, %w: tensor<1x1x1xi8>",
                          "%y = tenon.conv %x, %w strides [1] dilations [1] pads [0, 0] groups 1 : tensor<1x1x1xi8>, "
                          "tensor<1x1x1xi8> -> tensor<1x1x1xi8>");
  ASSERT_TRUE(op);
  EXPECT_THAT(evaluate(op, Numbers({1, 1, 1}, 100), Numbers({1, 1, 1}, 2), nullptr).values, ElementsAre(-56));
}

TEST_F(ConvReference, HalfRounds) {
  Type f16 = Float16Type::get(&context), bf16 = BFloat16Type::get(&context);
  EXPECT_EQ(roundTo(f16, 2049), 2048);
  EXPECT_EQ(roundTo(bf16, 257), 256);
  EXPECT_EQ(roundTo(bf16, 259), 260);
}

TEST_F(ConvReference, PoolMaxWithIndices) {
  auto op = parse<PoolOp>("%x: tensor<1x2x3xf32>",
                          "%y, %i = tenon.pool max %x kernel [2] strides [2] dilations [1] pads [0, 0] ceil_mode "
                          ": tensor<1x2x3xf32> -> tensor<1x2x2xf32>, tensor<1x2x2xi64>");
  ASSERT_TRUE(op);
  SmallVector<Numbers> results = evaluate(op, counting({1, 2, 3}));
  EXPECT_THAT(results[0].values, ElementsAre(2, 3, 5, 6));
  EXPECT_THAT(results[1].values, ElementsAre(1, 2, 4, 5));
}

TEST_F(ConvReference, PoolAverageCountsWhatItSees) {
  auto op = parse<PoolOp>("%x: tensor<1x1x3xf32>",
                          "%y = tenon.pool average %x kernel [2] strides [1] dilations [1] pads [1, 1] "
                          ": tensor<1x1x3xf32> -> tensor<1x1x4xf32>");
  ASSERT_TRUE(op);
  EXPECT_THAT(evaluate(op, counting({1, 1, 3}))[0].values, ElementsAre(1, 1.5, 2.5, 3));
}

TEST_F(ConvReference, ResizeLinear) {
  auto op = parse<ResizeOp>("%x: tensor<2xf32>",
                            "%y = tenon.resize linear %x scales [2.0] coordinates half_pixel rounding floor "
                            ": tensor<2xf32> -> tensor<4xf32>");
  ASSERT_TRUE(op);
  EXPECT_THAT(evaluate(op, counting({2}), {}).values, ElementsAre(1, 1.25, 1.75, 2));
}

TEST_F(ConvReference, ResizeCropsOutside) {
  auto op =
      parse<ResizeOp>("%x: tensor<3xf32>",
                      "%y = tenon.resize nearest %x scales [] coordinates crop_and_resize rounding floor "
                      "{roi = array<f32: 0.5, 1.5>, extrapolation_value = 9.0 : f32} : tensor<3xf32> -> tensor<3xf32>");
  ASSERT_TRUE(op);
  EXPECT_THAT(evaluate(op, counting({3}), {}).values, ElementsAre(2, 3, 9));
}

} // namespace
