//===- SpecializerTest.cpp - which shapes get a copy, when, and what becomes of it ----------------===//
//
// Copies here are the fixture itself: what counts is who runs, not how fast.
//
//===----------------------------------------------------------------------===//
#include "tenon/Runtime/Specializer.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <thread>

namespace fs = std::filesystem;
using namespace tenon::runtime;

namespace {

class Specialize : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "tenon-specializer-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    base = pattern;
    fs::copy_file(FIXTURE, base + "/model.so");
    writeWeights("fixture.weights", {1, 2, 3});
    model = std::make_unique<Model>(base + "/model.so", 2, nullptr);
  }
  void TearDown() override {
    model.reset();
    fs::remove_all(base);
  }

  void writeWeights(const std::string &name, std::vector<float> values) {
    std::string bytes(64, '\0');
    bytes.append(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
    std::ofstream(base + "/" + name, std::ios::binary) << bytes;
  }
  /// The fixture with `from` replaced in its manifest, as another file.
  std::string patched(const std::string &from, const std::string &to) {
    std::ifstream stream(FIXTURE, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    std::string code = text.str(), path = base + "/patched.so";
    size_t at = code.find(from);
    EXPECT_NE(at, std::string::npos);
    EXPECT_EQ(from.size(), to.size());
    std::ofstream(path, std::ios::binary) << code.replace(at, from.size(), to);
    return path;
  }

  std::shared_ptr<Model> copy() { return std::make_shared<Model>(base + "/model.so", *model); }

  /// Runs with `rows` rows; whether the result is right.
  static bool runOnce(Specializer &specializer, int64_t rows, float first = 1) {
    std::vector<float> x(rows * 3, 2), y(rows * 3, 3), z(rows * 3);
    x[0] = first;
    int64_t dims[2] = {rows, 3};
    tenon_input inputs[2] = {{x.data(), TENON_FLOAT32, 2, dims, nullptr}, {y.data(), TENON_FLOAT32, 2, dims, nullptr}};
    tenon_output output{};
    output.data = z.data();
    output.capacity = z.size() * sizeof(float);
    specializer.run(inputs, 2, &output, 1);
    for (int64_t i = 0; i < rows * 3; ++i)
      if (z[i] != (x[i] + y[i] + 1 + i % 3) * 2)
        return false;
    return true;
  }
  static ShapeState stateOf(Specializer &specializer, int64_t rows) {
    for (ShapeState &state : specializer.describe())
      if (state.shapes == Shapes{{rows, 3}, {rows, 3}})
        return state;
    return {};
  }
  /// Runs until the shape is in `wanted`.
  static ShapeState reach(Specializer &specializer, int64_t rows, const std::string &wanted) {
    for (int turn = 0; turn < 5000; ++turn) {
      EXPECT_TRUE(runOnce(specializer, rows));
      if (ShapeState state = stateOf(specializer, rows); state.state == wanted)
        return state;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << rows << " rows are " << stateOf(specializer, rows).state << ", not " << wanted;
    return {};
  }

  std::string base;
  std::unique_ptr<Model> model;
};

TEST_F(Specialize, AfterSoManyRuns) {
  std::atomic<int> made{0};
  Specializer specializer(
      *model,
      [&](const Shapes &shapes, const auto &) {
        EXPECT_EQ(shapes, (Shapes{{5, 3}, {5, 3}}));
        ++made;
        return copy();
      },
      4, 3);
  for (int turn = 0; turn < 2; ++turn)
    EXPECT_TRUE(runOnce(specializer, 5));
  EXPECT_TRUE(runOnce(specializer, 6));
  EXPECT_EQ(stateOf(specializer, 5).state, "counting");
  EXPECT_EQ(made, 0);
  ShapeState state = reach(specializer, 5, "ready");
  EXPECT_EQ(made, 1);
  EXPECT_GE(state.runs, 4); // three, and the one that compared
  EXPECT_EQ(state.hits, 0);
  EXPECT_TRUE(runOnce(specializer, 5));
  EXPECT_EQ(stateOf(specializer, 5).hits, 1);
  EXPECT_EQ(stateOf(specializer, 5).runs, state.runs);
  EXPECT_EQ(stateOf(specializer, 6).state, "counting");
}

TEST_F(Specialize, TheLeastRecentlyUsedGoes) {
  Specializer specializer(*model, [&](const Shapes &, const auto &) { return copy(); }, 2, 1);
  reach(specializer, 2, "ready");
  reach(specializer, 3, "ready");
  EXPECT_TRUE(runOnce(specializer, 2));
  reach(specializer, 4, "ready");
  EXPECT_EQ(stateOf(specializer, 2).state, "ready");
  EXPECT_EQ(stateOf(specializer, 3).state, "counting");
  // It must come twice as often to return.
  EXPECT_TRUE(runOnce(specializer, 3));
  EXPECT_EQ(stateOf(specializer, 3).state, "counting");
  reach(specializer, 3, "ready");
  EXPECT_EQ(stateOf(specializer, 2).state, "counting");
}

TEST_F(Specialize, FailuresAreKept) {
  std::atomic<int> tries{0};
  Specializer specializer(
      *model,
      [&](const Shapes &, const auto &) -> std::shared_ptr<Model> {
        ++tries;
        throw Error(TENON_EUNSUPPORTED, "node 'Conv_1': no such thing");
      },
      4, 2);
  EXPECT_EQ(reach(specializer, 5, "failed").reason, "node 'Conv_1': no such thing");
  for (int turn = 0; turn < 20; ++turn)
    EXPECT_TRUE(runOnce(specializer, 5));
  EXPECT_EQ(tries, 1);
  EXPECT_EQ(stateOf(specializer, 5).state, "failed");
}

TEST_F(Specialize, OtherBitsAreNoCopy) {
  writeWeights("another.weights", {1, 2, 4});
  std::string other = patched("fixture.weights", "another.weights");
  Specializer specializer(
      *model, [&](const Shapes &, const auto &) { return std::make_shared<Model>(other, *model); }, 4, 1);
  EXPECT_EQ(reach(specializer, 2, "failed").reason,
            "output 'z' has other bits: 0x41900000 at element 2, not 0x41800000");
  EXPECT_TRUE(runOnce(specializer, 2));
}

TEST_F(Specialize, CopiesOfOtherModels) {
  auto refuse = [&](const std::string &from, const std::string &to) {
    Specializer specializer(
        *model, [&](const Shapes &, const auto &) { return std::make_shared<Model>(patched(from, to), *model); }, 4, 1);
    return reach(specializer, 2, "failed").reason;
  };
  const std::string wanted = "; expected the request that the model was compiled with",
                    other = "the copy for fixed shapes is of another model: ";
  EXPECT_EQ(refuse("\"name\": \"z\"", "\"name\": \"q\""),
            other + "its output 'q' is not 'z', or of another dtype or shape" + wanted);
  EXPECT_EQ(refuse("\"name\": \"y\", \"dtype\": \"float32\", \"shape\": [\"N\", 3]}",
                   "\"name\": \"y\", \"dtype\": \"float32\", \"shape\": [\"N\", 4]}"),
            other + "its input 'y' is not 'y', or of another dtype or shape" + wanted);
  EXPECT_EQ(refuse("\"cpu\": \"x86-64\"", "\"cpu\": \"x86-65\""),
            other +
                "its target is {\"cpu\":\"x86-65\",\"features\":\"\",\"vector_bits\":128}, not "
                "{\"cpu\":\"x86-64\",\"features\":\"\",\"vector_bits\":128}" +
                wanted);
  EXPECT_NE(refuse("{\"name\": \"x\", \"dtype\": \"float32\", \"shape\": [\"N\", 3]}, ", std::string(54, ' '))
                .find("it has 1 inputs, not 2"),
            std::string::npos);
}

TEST_F(Specialize, EndsWhileItCompiles) {
  std::atomic<bool> started{false}, ended{false};
  {
    Specializer specializer(
        *model,
        [&](const Shapes &, const std::function<bool()> &cancelled) {
          started = true;
          while (!cancelled())
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          ended = true;
          throw Error(TENON_ECANCELLED, "the compile was cancelled");
          return copy();
        },
        4, 1);
    EXPECT_TRUE(runOnce(specializer, 2));
    while (!started)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_FALSE(ended);
  }
  EXPECT_TRUE(ended);
}

TEST_F(Specialize, StopsWhileOthersRun) {
  Specializer specializer(*model, [&](const Shapes &, const auto &) { return copy(); }, 4, 1);
  reach(specializer, 2, "ready");
  std::atomic<bool> done{false};
  std::atomic<int> bad{0};
  std::thread runner([&] {
    while (!done)
      bad += !runOnce(specializer, 2);
  });
  specializer.stop();
  EXPECT_TRUE(specializer.describe().empty());
  EXPECT_TRUE(runOnce(specializer, 2));
  done = true;
  runner.join();
  EXPECT_EQ(bad, 0);
  EXPECT_TRUE(specializer.describe().empty());
}

TEST_F(Specialize, ThreadsWithChangingShapes) {
  std::atomic<int> made{0}, bad{0};
  Specializer specializer(
      *model,
      [&](const Shapes &, const auto &) {
        ++made;
        return copy();
      },
      2, 1);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int turn = 0; turn < 4000; ++turn)
        bad += !runOnce(specializer, 1 + (turn / 50 * 7 + t * 3) % 6, turn % 100);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(bad, 0);
  EXPECT_GT(made, 2);
  int copies = 0;
  for (const ShapeState &state : specializer.describe())
    copies += state.state == "ready" || state.state == "checking";
  EXPECT_LE(copies, 2);
}

TEST_F(Specialize, EverNewShapes) {
  Specializer specializer(
      *model, [&](const Shapes &, const auto &) -> std::shared_ptr<Model> { throw Error(TENON_EUNSUPPORTED, "no"); }, 4,
      2);
  for (int64_t rows = 1; rows < 1000; ++rows)
    EXPECT_TRUE(runOnce(specializer, rows));
  EXPECT_EQ(specializer.describe().size(), Specializer::kMostCounted);
  EXPECT_EQ(stateOf(specializer, 999).runs, 1); // those that came last are known
  EXPECT_EQ(stateOf(specializer, 1).runs, 0);
  for (int64_t rows = 1; rows < 40; ++rows)
    reach(specializer, rows, "failed");
  EXPECT_LE(specializer.describe().size(), Specializer::kMostCounted + Specializer::kMostFailed);
}

TEST_F(Specialize, WrongRunsAreNotCounted) {
  Specializer specializer(*model, [&](const Shapes &, const auto &) { return copy(); }, 4, 2);
  for (int turn = 0; turn < 5; ++turn)
    EXPECT_THROW(runOnce(specializer, 2, 666), Error);
  EXPECT_TRUE(specializer.describe().empty());
  reach(specializer, 2, "ready");
  EXPECT_THROW(runOnce(specializer, 2, 666), Error);
}

TEST_F(Specialize, Profile) {
  Specializer specializer(*model, [&](const Shapes &, const auto &) { return copy(); }, 1, 1);
  reach(specializer, 2, "ready");
  specializer.setProfiling(true);
  for (int turn = 0; turn < 3; ++turn)
    EXPECT_TRUE(runOnce(specializer, 2));
  ShapeState state = stateOf(specializer, 2);
  ASSERT_EQ(state.profile.size(), 1u);
  EXPECT_EQ(state.profile[0].calls, 3);
  EXPECT_EQ(specializer.goneProfile().calls, 0);
  reach(specializer, 3, "ready"); // takes the only place
  EXPECT_EQ(specializer.goneProfile().calls, 3);
  EXPECT_EQ(specializer.goneProfile().flops, 3 * 18);
}

/// Not judged, because the machine may be busy: --gtest_filter=*CallOverhead prints it.
TEST_F(Specialize, CallOverhead) {
  Specializer specializer(*model, [&](const Shapes &, const auto &) { return copy(); }, 4, 1);
  reach(specializer, 2, "ready");
  float x[6] = {1, 2, 3, 4, 5, 6}, result[6];
  int64_t dims[2] = {2, 3};
  tenon_input inputs[2] = {{x, TENON_FLOAT32, 2, dims, nullptr}, {x, TENON_FLOAT32, 2, dims, nullptr}};
  auto measure = [&](auto &&run) {
    double best = 1e9;
    for (int round = 0; round < 50; ++round) {
      auto start = std::chrono::steady_clock::now();
      for (int turn = 0; turn < 1000; ++turn) {
        tenon_output output{};
        output.data = result;
        output.capacity = sizeof(result);
        run(output);
      }
      std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
      best = std::min(best, elapsed.count() / 1000);
    }
    return best;
  };
  std::printf("generic code %.0f ns, through its copy %.0f ns\n",
              measure([&](tenon_output &output) { model->run(inputs, 2, &output, 1); }),
              measure([&](tenon_output &output) { specializer.run(inputs, 2, &output, 1); }));
}

} // namespace
