//===- SpaceTest.cpp - what holds for the schedule spaces of all kinds of kernels ------------------===//
#include "tenon/Analysis/Weights.h"
#include "tenon/Pipelines/Pipelines.h"
#include "tenon/Schedule/SchedulableOpInterface.h"
#include "tenon/Schedule/Schedule.h"
#include "tenon/Schedule/Target.h"

#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <random>
#include <set>

using namespace mlir;
using namespace tenon;

namespace {

/// A contraction of drawn extents: a matmul, or a convolution with a filter that is a weight, or a depthwise one.
std::string drawContraction(std::mt19937 &random) {
  auto pick = [&](std::initializer_list<int> values) {
    return std::to_string(values.begin()[random() % values.size()]);
  };
  std::string m = pick({1, 3, 16, 100}), n = pick({1, 7, 64, 130}), k = pick({1, 2, 9, 64, 600}), text, header;
  switch (random() % 4) {
  case 0: {
    std::string a = "tensor<" + m + "x" + k + "xf32>", b = "tensor<" + k + "x" + n + "xf32>",
                c = "tensor<" + m + "x" + n + "xf32>";
    if (random() % 2)
      a = "tensor<?x" + k + "xf32>", c = "tensor<?x" + n + "xf32>";
    return "func.func private @kernel(%l: " + a + ", %r: " + b + ", %o: " + c + ") -> " + c +
           " attributes {tenon.kernel} {\n  %c = tenon.tile_contract [\"parallel\", \"parallel\", \"reduction\"] "
           "lhs(%l : " +
           a + ") rhs(%r : " + b + ") outs(%o : " + c +
           ") maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] "
           "{\n"
           "  ^bb0(%s: f32):\n    tenon.yield %s : f32\n  } -> " +
           c + "\n  return %c : " + c + "\n}\n";
  }
  case 1: { // codes
    std::string a = "tensor<" + m + "x32x8xf32>", b = "tensor<32x" + n + "xi32>", c = "tensor<" + m + "x" + n + "xf32>";
    return "func.func private @kernel(%l: " + a + ", %r: " + b + ", %o: " + c + ") -> " + c +
           " attributes {tenon.kernel} {\n  %c = tenon.tile_contract [\"parallel\", \"parallel\", \"reduction\", "
           "\"reduction\"] lhs(%l : " +
           a + ") rhs(%r : " + b + ") outs(%o : " + c +
           ") maps [affine_map<(m, n, k, t) -> (m, k, t)>, affine_map<(m, n, k, t) -> (k, n)>, affine_map<(m, n, k, t) "
           "-> "
           "(m, n)>] {\n  ^bb0(%s: f32):\n    tenon.yield %s : f32\n  } decode {\n  ^bb0(%code: i32):\n    %0 = "
           "arith.sitofp %code : i32 to f32\n    tenon.yield %0 : f32\n  } -> " +
           c + "\n  return %c : " + c + "\n}\n";
  }
  case 2: { // a depthwise filter
    std::string w = "tensor<" + m + "x3x3xf32>", x = "tensor<" + m + "x16x16xf32>", y = "tensor<" + m + "x14x14xf32>";
    return "func.func private @kernel(%l: " + w + ", %r: " + x + ", %o: " + y + ") -> " + y +
           " attributes {tenon.kernel} {\n  %c = tenon.tile_contract [\"parallel\", \"parallel\", \"parallel\", "
           "\"reduction\", \"reduction\"] lhs(%l : " +
           w + ") rhs(%r : " + x + ") outs(%o : " + y +
           ") maps [affine_map<(c, h, w, i, j) -> (c, i, j)>, affine_map<(c, h, w, i, j) -> (c, h + i, w + j)>, "
           "affine_map<(c, h, w, i, j) -> (c, h, w)>] {\n  ^bb0(%s: f32):\n    tenon.yield %s : f32\n  } -> " +
           y + "\n  return %c : " + y + "\n}\n";
  }
  default: { // a weight
    std::string w = "tensor<" + n + "x" + k + "x3x3xf32>", x = "tensor<" + k + "x16x16xf32>",
                y = "tensor<" + n + "x14x14xf32>";
    return "tenon.weight @w from \"w.bin\" at 0 length " + std::to_string(4 * 9 * std::stoi(n) * std::stoi(k)) + " : " +
           w + "\nfunc.func @main(%x: " + x + ") -> " + y + " {\n  %w = tenon.load_weight @w : " + w +
           "\n  %e = tensor.empty() : " + y + "\n  %r = tenon.dispatch @kernel ins(%w, %x : " + w + ", " + x +
           ") outs(%e : " + y + ") -> " + y + "\n  return %r : " + y + "\n}\nfunc.func private @kernel(%l: " + w +
           ", %r: " + x + ", %o: " + y + ") -> " + y +
           " attributes {tenon.kernel} {\n  %c = tenon.tile_contract [\"parallel\", \"parallel\", \"parallel\", "
           "\"reduction\", \"reduction\", \"reduction\"] lhs(%l : " +
           w + ") rhs(%r : " + x + ") outs(%o : " + y +
           ") maps [affine_map<(f, h, w, c, i, j) -> (f, c, i, j)>, affine_map<(f, h, w, c, i, j) -> (c, h + i, w + "
           "j)>, "
           "affine_map<(f, h, w, c, i, j) -> (f, h, w)>] {\n  ^bb0(%s: f32):\n    tenon.yield %s : f32\n  } -> " +
           y + "\n  return %c : " + y + "\n}\n";
  }
  }
}

std::string drawAttention(std::mt19937 &random) {
  auto pick = [&](std::initializer_list<const char *> values) {
    return std::string(values.begin()[random() % values.size()]);
  };
  std::string heads = pick({"1", "4", "6", "16"}), groups = heads == "6" ? "3" : "1",
              queries = pick({"1", "5", "97", "?"}), keys = pick({"3", "500", "4096", "?"});
  std::string q = "tensor<1x" + heads + "x" + queries + "x64xf32>", k = "tensor<1x" + groups + "x" + keys + "x64xf32>";
  return "func.func private @kernel(%q: " + q + ", %k: " + k + ", %v: " + k + ", %o: " + q + ") -> " + q +
         " attributes {tenon.kernel} {\n  %s = tenon.kv_source %k, %v " + pick({"", "mask(#tenon.causal) "}) + ": " +
         k + ", " + k + "\n  %r = tenon.attention " + pick({"softmax", "sigmoid", "softmax"}) +
         " %q sources(%s) outs(%o : " + q + ") : " + q +
         " {\n  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):\n    tenon.yield %x : f32\n  } -> " + q +
         "\n  return %r : " + q + "\n}\n";
}

std::string drawGrouped(std::mt19937 &random) {
  auto pick = [&](std::initializer_list<const char *> values) {
    return std::string(values.begin()[random() % values.size()]);
  };
  std::string rows = pick({"5", "40", "1000", "?"}), columns = pick({"3", "48", "520", "?"});
  std::string x = "tensor<" + rows + "x24xf32>", w = "tensor<4x24x" + columns + "xf32>",
              y = "tensor<" + rows + "x" + columns + "xf32>";
  return "func.func private @kernel(%x: " + x + ", %w: " + w + ", %off: tensor<5xi64>, %o: " + y + ") -> " + y +
         " attributes {tenon.kernel} {\n  %r = tenon.grouped_matmul relu %x, %w offsets %off outs(%o : " + y +
         ") : " + x + ", " + w + ", tensor<5xi64> -> " + y + "\n  return %r : " + y + "\n}\n";
}

std::string drawWinograd(std::mt19937 &random) {
  std::string channels = random() % 2 ? "200" : "?", width = random() % 2 ? "10" : "?",
              columns = width == "?" ? "?" : "3";
  std::string x = "tensor<2x" + channels + "x10x" + width + "xf32>",
              v = "tensor<6x6x6x" + columns + "x" + channels + "xf32>";
  bool input = random() % 2;
  const std::string &from = input ? x : v, &to = input ? v : x;
  return "func.func private @kernel(%x: " + from + ", %o: " + to + ") -> " + to +
         " attributes {tenon.kernel} {\n  %r = " +
         (input ? "tenon.winograd_input 4 %x pads [1, 1, 1, 1]" : "tenon.winograd_output 4 %x") + " outs(%o : " + to +
         ") : " + from + " -> " + to + "\n  return %r : " + to + "\n}\n";
}

std::string drawOther(std::mt19937 &random) {
  std::string type = random() % 2 ? "tensor<40x300xf32>" : "tensor<2x?xf32>";
  std::string iterators = "iterator_types = [\"parallel\", \"parallel\"]", map = "affine_map<(i, j) -> (i, j)>";
  return "func.func private @kernel(%a: " + type + ", %o: " + type + ") -> " + type +
         " attributes {tenon.kernel} {\n  %0 = linalg.generic {indexing_maps = [" + map + ", " + map + "], " +
         iterators + "} ins(%a : " + type + ") outs(%o : " + type +
         ") {\n  ^bb0(%x: f32, %y: f32):\n    %1 = math.exp %x : f32\n    linalg.yield %1 : f32\n  } -> " + type +
         "\n  return %0 : " + type + "\n}\n";
}

struct Kernel {
  Kernel(const std::string &text, const char *target) {
    DialectRegistry registry;
    registerAllDialects(registry);
    context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
    context->loadAllAvailableDialects();
    module = parseSourceString<ModuleOp>(text, context.get());
    if (!module)
      return;
    function = module->lookupSymbol<func::FuncOp>("kernel");
    this->target = lookupTarget(context.get(), target);
    calls = std::make_unique<KernelCalls>(*module);
  }
  ScheduleSpace getSpace() { return getScheduleRoot(function).getScheduleSpace(function, target, *calls); }

  std::unique_ptr<MLIRContext> context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
  TargetAttr target;
  std::unique_ptr<KernelCalls> calls;
};

class Spaces : public testing::TestWithParam<std::tuple<const char *, int>> {
protected:
  std::string draw() {
    auto [family, seed] = GetParam();
    std::mt19937 random(seed);
    return StringRef(family) == "contraction" ? drawContraction(random)
           : StringRef(family) == "attention" ? drawAttention(random)
           : StringRef(family) == "grouped"   ? drawGrouped(random)
           : StringRef(family) == "winograd"  ? drawWinograd(random)
                                              : drawOther(random);
  }
};

TEST_P(Spaces, hold) {
  std::string text = draw();
  for (const char *target : {"x86-64-v3", "x86-64-v4"}) {
    SCOPED_TRACE(text + target);
    Kernel kernel(text, target);
    ASSERT_TRUE(kernel.module);
    ScheduleSpace space = kernel.getSpace();
    auto verify = [&](ScheduleAttr schedule) {
      return succeeded(verifySchedule(kernel.function, schedule, kernel.target, *kernel.calls));
    };

    // Candidate 0 is the default; all are legal and different, and can be found again.
    constexpr int64_t kWalked = 3000;
    std::set<const void *> seen;
    int64_t number = 0;
    space.enumerate([&](ArrayRef<AxisValue> path) {
      ScheduleCandidate candidate = space.get(path);
      if (number == 0) {
        EXPECT_EQ(candidate.schedule, getDefaultSchedule(kernel.function, kernel.target, *kernel.calls));
      }
      EXPECT_TRUE(verify(candidate.schedule));
      EXPECT_TRUE(seen.insert(candidate.schedule.getAsOpaquePointer()).second);
      EXPECT_EQ(space.find(candidate.schedule), path.vec());
      EXPECT_EQ(candidate.cost.has_value(), space.hasCosts());
      return ++number < kWalked && !testing::Test::HasFailure();
    });
    CandidateCount count = space.count();
    EXPECT_TRUE(count.exact ? count.count >= number : count.count > kWalked);
    if (number < kWalked) {
      EXPECT_EQ(count.count, number);
    }

    // Samples are different, legal, of the space, and the same for the same seed.
    std::vector<ScheduleCandidate> samples = space.sample(200, 7), again = space.sample(200, 7);
    EXPECT_EQ(static_cast<int64_t>(samples.size()), std::min<int64_t>(200, count.count));
    seen.clear();
    for (auto [sample, same] : llvm::zip_equal(samples, again)) {
      EXPECT_EQ(sample.schedule, same.schedule);
      EXPECT_TRUE(seen.insert(sample.schedule.getAsOpaquePointer()).second);
      EXPECT_TRUE(verify(sample.schedule));
      EXPECT_TRUE(space.find(sample.schedule));
    }
    if (count.count > 1000) {
      EXPECT_NE(samples.front().schedule, space.sample(200, 8).front().schedule);
    }

    // A neighbour has another value on one axis, and on later ones only where the old value is none any more.
    for (const ScheduleCandidate &from : ArrayRef(samples).take_front(5)) {
      std::set<const void *> around;
      for (const ScheduleCandidate &neighbour : space.getNeighbours(from.choices)) {
        EXPECT_TRUE(verify(neighbour.schedule));
        EXPECT_TRUE(around.insert(neighbour.schedule.getAsOpaquePointer()).second);
        unsigned changed = 0;
        while (changed < space.getNumAxes() && neighbour.choices[changed] == from.choices[changed])
          ++changed;
        ASSERT_LT(changed, space.getNumAxes());
        for (unsigned axis = changed + 1; axis < space.getNumAxes(); ++axis) {
          SmallVector<AxisValue> values = space.getValues(ArrayRef(neighbour.choices).take_front(axis));
          if (llvm::is_contained(values, from.choices[axis])) {
            EXPECT_EQ(neighbour.choices[axis], from.choices[axis]);
          }
        }
      }
      EXPECT_FALSE(around.count(from.schedule.getAsOpaquePointer()));
    }

    // The best come by cost; the default is hardly dearer than the first.
    std::vector<ScheduleCandidate> best = space.getBest(5);
    ASSERT_FALSE(best.empty());
    for (size_t i = 1; i < best.size(); ++i)
      EXPECT_LE(*best[i - 1].cost, *best[i].cost);
    if (space.hasCosts()) {
      EXPECT_LE(*best.front().cost, *space.getDefault().cost);
    } else {
      EXPECT_EQ(best.front().schedule, space.getDefault().schedule);
    }
  }
}

std::string nameOf(const testing::TestParamInfo<std::tuple<const char *, int>> &info) {
  return std::get<0>(info.param) + std::to_string(std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Contractions, Spaces, testing::Combine(testing::Values("contraction"), testing::Range(0, 12)),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Others, Spaces,
                         testing::Combine(testing::Values("attention", "grouped", "winograd", "elementwise"),
                                          testing::Range(0, 6)),
                         nameOf);

TEST(Space, countStopsAtItsLimit) {
  Kernel kernel(
      "func.func private @kernel(%q: tensor<1x8x97x64xf32>, %o: tensor<1x8x97x64xf32>) -> tensor<1x8x97x64xf32> "
      "attributes {tenon.kernel} {\n  %s = tenon.kv_source %q, %q : tensor<1x8x97x64xf32>, "
      "tensor<1x8x97x64xf32>\n  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x8x97x64xf32>) : "
      "tensor<1x8x97x64xf32> {\n  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):\n    tenon.yield %x "
      ": f32\n  } -> tensor<1x8x97x64xf32>\n  return %r : tensor<1x8x97x64xf32>\n}\n",
      "x86-64-v4");
  ASSERT_TRUE(kernel.module);
  ScheduleSpace space = kernel.getSpace();
  EXPECT_TRUE(space.count().exact);
  CandidateCount some = space.count(10);
  EXPECT_FALSE(some.exact);
  EXPECT_GT(some.count, 10);
  EXPECT_LT(some.count, space.count().count);
  EXPECT_EQ(static_cast<int64_t>(space.sample(1 << 20, 1).size()), space.count().count);
}

TEST(Space, foreignSchedulesAreNotFound) {
  Kernel kernel("func.func private @kernel(%a: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes "
                "{tenon.kernel} {\n  %0 = linalg.exp ins(%a : tensor<64xf32>) outs(%o : tensor<64xf32>) -> "
                "tensor<64xf32>\n  return %0 : tensor<64xf32>\n}\n",
                "x86-64-v4");
  ASSERT_TRUE(kernel.module);
  ScheduleSpace space = kernel.getSpace();
  auto make = [&](StringRef algorithm, int64_t width) {
    return ScheduleAttr::get(kernel.context.get(), 1, algorithm, {}, {}, {}, {}, {}, {}, {}, -1, width);
  };
  EXPECT_TRUE(space.find(make("elementwise", 8)));
  EXPECT_FALSE(space.find(make("elementwise", 1)));
  EXPECT_FALSE(space.find(make("rows", 8)));
}

} // namespace
