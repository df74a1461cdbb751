//===- ModelTest.cpp - loading and running a shared object written by hand ------------------===//
#include "tenon/Runtime/Model.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <thread>

namespace fs = std::filesystem;
using namespace tenon::runtime;

namespace {

class Runtime : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "tenon-runtime-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    base = pattern;
    std::ifstream stream(FIXTURE, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    code = text.str();
    start = code.find("{\"abi\": 1");
    ASSERT_NE(start, std::string::npos);
    manifest = code.c_str() + start;
    std::string weights(64, '\0');
    const float w[3] = {1, 2, 3};
    weights.append(reinterpret_cast<const char *>(w), sizeof(w));
    write("fixture.weights", weights);
  }
  void TearDown() override { fs::remove_all(base); }

  void write(const std::string &name, const std::string &bytes) {
    std::ofstream(base + "/" + name, std::ios::binary) << bytes;
  }
  /// A copy of the fixture with this manifest, in a file of its own.
  std::string withManifest(const std::string &text) {
    std::string bytes = code, name = "model" + std::to_string(count++) + ".so";
    bytes.replace(start, 4096, text + std::string(4096 - text.size(), '\0'));
    write(name, bytes);
    return base + "/" + name;
  }
  std::string replaced(const std::string &from, const std::string &to) {
    std::string text = manifest;
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return withManifest(text.replace(at, from.size(), to));
  }
  /// Code and message of the error that loading `path` gives.
  static std::pair<int32_t, std::string> failure(const std::string &path) {
    try {
      Model model(path, 1, nullptr);
    } catch (const Error &error) {
      return {error.code, error.what()};
    }
    return {TENON_OK, ""};
  }
  static std::pair<int32_t, std::string> runFailure(Model &model, const std::vector<tenon_input> &inputs,
                                                    std::vector<tenon_output> outputs = std::vector<tenon_output>(1)) {
    try {
      model.run(inputs.data(), inputs.size(), outputs.data(), outputs.size());
    } catch (const Error &error) {
      for (const tenon_output &output : outputs)
        EXPECT_EQ(output.owned, 0);
      return {error.code, error.what()};
    }
    for (const tenon_output &output : outputs)
      if (output.owned)
        model.release(output.data);
    return {TENON_OK, ""};
  }
  /// What the fixture computes.
  static float expected(float x, float y, int64_t column) { return (x + y + 1 + column) * 2; }

  std::string base, code, manifest;
  size_t start = 0;
  int count = 0;
  float data[6] = {1, 2, 3, 4, 5, 6};
  int64_t shape[2] = {2, 3};
  tenon_input input{data, TENON_FLOAT32, 2, shape, nullptr};
};

TEST_F(Runtime, Runs) {
  for (int threads : {1, 3}) {
    Model model(withManifest(manifest), threads, nullptr);
    for (int64_t rows : {0, 1, 2, 57}) {
      std::vector<float> x(rows * 3), y(rows * 3);
      for (int64_t i = 0; i < rows * 3; ++i)
        x[i] = i, y[i] = 100 - 2 * i;
      int64_t dims[2] = {rows, 3};
      tenon_input inputs[2] = {{x.data(), TENON_FLOAT32, 2, dims, nullptr},
                               {y.data(), TENON_FLOAT32, 2, dims, nullptr}};
      tenon_output output{};
      model.run(inputs, 2, &output, 1);
      EXPECT_EQ(output.rank, 2);
      EXPECT_EQ(output.shape[0], rows);
      EXPECT_EQ(output.dtype, TENON_FLOAT32);
      EXPECT_EQ(output.owned, 1);
      for (int64_t i = 0; i < rows * 3; ++i)
        EXPECT_EQ(static_cast<float *>(output.data)[i], expected(x[i], y[i], i % 3));
      model.release(output.data);
    }
  }
}

TEST_F(Runtime, CallersMemory) {
  Model model(withManifest(manifest), 1, nullptr);
  tenon_input inputs[2] = {input, input};
  float result[6];
  tenon_output output{};
  output.data = result;
  output.capacity = sizeof(result);
  model.run(inputs, 2, &output, 1);
  EXPECT_EQ(output.data, result);
  EXPECT_EQ(output.owned, 0);
  EXPECT_EQ(result[4], expected(5, 5, 1));
  output.capacity = 20;
  auto [code, message] = runFailure(model, {input, input}, {output});
  EXPECT_EQ(code, TENON_EINVAL);
  EXPECT_EQ(message, "output 'z': shape [2, 3] needs 24 bytes, but the given memory has 20");
}

TEST_F(Runtime, StridedAndMisalignedInputs) {
  Model model(withManifest(manifest), 1, nullptr);
  float columns[6] = {1, 4, 2, 5, 3, 6}; // the same tensor, column-major
  int64_t strides[2] = {1, 2}, backward[2] = {-3, -1};
  std::vector<char> odd(1 + sizeof(data));
  std::memcpy(odd.data() + 1, data, sizeof(data));
  tenon_input variants[] = {{columns, TENON_FLOAT32, 2, shape, strides},
                            {odd.data() + 1, TENON_FLOAT32, 2, shape, nullptr}};
  for (const tenon_input &variant : variants) {
    tenon_input inputs[2] = {variant, input};
    tenon_output output{};
    model.run(inputs, 2, &output, 1);
    for (int i = 0; i < 6; ++i)
      EXPECT_EQ(static_cast<float *>(output.data)[i], expected(data[i], data[i], i % 3));
    model.release(output.data);
  }
  tenon_input inputs[2] = {{data + 5, TENON_FLOAT32, 2, shape, backward}, input};
  tenon_output output{};
  model.run(inputs, 2, &output, 1);
  EXPECT_EQ(static_cast<float *>(output.data)[0], expected(6, 1, 0));
  model.release(output.data);
}

TEST_F(Runtime, WrongInputs) {
  Model model(withManifest(manifest), 1, nullptr);
  int64_t wide[2] = {2, 4}, other[2] = {1, 3}, negative[2] = {-1, 3}, vector[1] = {3}, huge[2] = {INT64_MAX, 3};
  auto with = [&](const int64_t *dims, int32_t rank) { return tenon_input{data, TENON_FLOAT32, rank, dims, nullptr}; };
  std::pair<tenon_input, const char *> cases[] = {
      {with(wide, 2), "input 'y': expected shape [N, 3], but got [2, 4]"},
      {with(vector, 1), "input 'y': expected shape [N, 3], but got [3]"},
      {with(negative, 2), "input 'y': expected shape [N, 3], but got [-1, 3]"},
      {with(nullptr, -1), "input 'y': expected shape [N, 3], but got []"},
      {with(nullptr, 2), "input 'y': no shape"},
      {with(other, 2), "input 'y': dim 'N' is 1, but an earlier input has 2"},
      {{data, TENON_INT32, 2, shape, nullptr}, "input 'y': expected dtype float32, but got int32"},
      {{data, 99, 2, shape, nullptr}, "input 'y': expected dtype float32, but got unknown"},
      {{nullptr, TENON_FLOAT32, 2, shape, nullptr}, "input 'y': no data"},
  };
  for (auto &[wrong, message] : cases)
    EXPECT_EQ(runFailure(model, {input, wrong}), std::pair(int32_t(TENON_EINVAL), std::string(message)));
  EXPECT_EQ(runFailure(model, {with(huge, 2), with(huge, 2)}).second,
            "input 'x': shape [9223372036854775807, 3] has more elements than memory can hold");
  EXPECT_EQ(runFailure(model, {input}).second, "expected 2 inputs, but got 1");
  EXPECT_EQ(runFailure(model, {input, input}, {}).second, "expected 1 outputs, but got 0");
  EXPECT_EQ(runFailure(model, {input, input}).first, TENON_OK);
}

TEST_F(Runtime, FirstErrorOfTheModelWins) {
  Model model(withManifest(manifest), 1, nullptr);
  data[0] = 666;
  for (int turn = 0; turn < 3; ++turn)
    EXPECT_EQ(runFailure(model, {input, input}),
              std::pair(int32_t(TENON_EDATA), std::string("node 'Gather_3': index out of range")));
  data[0] = 1;
  EXPECT_EQ(runFailure(model, {input, input}).first, TENON_OK);
}

TEST_F(Runtime, MalformedManifests) {
  for (size_t length = 0; length < manifest.size(); length += 13)
    EXPECT_EQ(failure(withManifest(manifest.substr(0, length))).first, TENON_EIO) << length;
  std::pair<const char *, const char *> cases[] = {{"\"offset\": 64", "\"offset\": -1"},
                                                   {"\"length\": 12", "\"length\": -12"},
                                                   {"\"length\": 12", "\"length\": \"12\""},
                                                   {"\"archive\": \"fixture.weights\"", "\"archive\": \"\""},
                                                   {"\"offset\": 0", "\"offset\": 1234567890123"},
                                                   {"\"kernels\": [{\"name\"", "\"kernels\": [{\"nome\""},
                                                   {"\"inputs\": [{", "\"inputs\": [[], {"},
                                                   {"\"offset\": 64", "\"offset\": 9223372036854775807"},
                                                   {"\"abi\": 1", "\"abi\": []"},
                                                   {"\"target\": {", "\"target\": [], \"t\": {"}};
  for (auto &[from, to] : cases) {
    auto [code, message] = failure(replaced(from, to));
    EXPECT_EQ(code, TENON_EIO) << to << ": " << message;
    EXPECT_NE(message.find("manifest is damaged"), std::string::npos) << message;
  }
  EXPECT_EQ(failure(replaced("\"dtype\": \"float32\"", "\"dtype\": \"float31\"")).second,
            "'x' has the unknown dtype 'float31'");
  EXPECT_EQ(failure(replaced("\"abi\": 1", "\"abi\": 7")),
            std::pair(int32_t(TENON_EUNSUPPORTED),
                      std::string("the model has interface version 7, this run time has 1; compile it again")));
  EXPECT_EQ(failure(replaced("\"vector_bits\": 128", "\"vector_bits\": 1024")).first, TENON_EUNSUPPORTED);
}

TEST_F(Runtime, ConstantsLieBesideTheModel) {
  auto [code, message] = failure(replaced("\"abi\": 1", "\"constants\": \"../x\", \"abi\": 1"));
  EXPECT_EQ(code, TENON_EIO);
  EXPECT_NE(message.find("its constants lie in '../x'"), std::string::npos) << message;
  EXPECT_EQ(failure(replaced("\"length\": 4", "\"length\": 9223372036854775807")),
            std::pair(int32_t(TENON_ENOMEM), std::string("out of memory: no place for the model's constants")));
  // So few are computed sooner than found.
  Model model(replaced("\"abi\": 1", "\"constants\": \"x\", \"abi\": 1"), 1, nullptr);
  EXPECT_FALSE(fs::exists(base + "/x"));
}

TEST_F(Runtime, Weights) {
  std::string path = withManifest(manifest);
  fs::resize_file(base + "/fixture.weights", 75);
  auto [code, message] = failure(path);
  EXPECT_EQ(code, TENON_EIO);
  EXPECT_NE(message.find("are too short: 'w' ends at byte 76 of 75"), std::string::npos) << message;
  fs::resize_file(base + "/fixture.weights", 0);
  EXPECT_EQ(failure(path).first, TENON_EIO);
  fs::remove(base + "/fixture.weights");
  EXPECT_NE(failure(path).second.find("cannot open the weights"), std::string::npos);
  fs::create_directory(base + "/fixture.weights");
  EXPECT_NE(failure(path).second.find("no regular file"), std::string::npos);
}

TEST_F(Runtime, DamagedSharedObjects) {
  EXPECT_EQ(failure(base + "/missing.so").first, TENON_EIO);
  EXPECT_EQ(failure(base).first, TENON_EIO);
  for (size_t part = 0; part < 16; ++part) {
    std::string name = "cut" + std::to_string(part) + ".so";
    write(name, code.substr(0, code.size() * part / 16));
    EXPECT_EQ(failure(base + "/" + name).first, TENON_EIO) << name;
  }
  write("text.so", std::string(5000, 'x'));
  EXPECT_NE(failure(base + "/text.so").second.find("is no shared object, or is cut short"), std::string::npos);
}

TEST_F(Runtime, AReplacedFileIsAnotherModel) {
  std::string path = withManifest(manifest), other = replaced("\"name\": \"z\"", "\"name\": \"result\"");
  Model first(path, 1, nullptr);
  fs::rename(other, path);
  Model second(path, 1, nullptr), third(path, 1, nullptr);
  EXPECT_EQ(first.outputPorts()[0].name, "z");
  EXPECT_EQ(second.outputPorts()[0].name, "result");
  EXPECT_EQ(third.outputPorts()[0].name, "result");
}

TEST_F(Runtime, ThreadsShareAModel) {
  Model model(withManifest(manifest), 2, nullptr);
  std::atomic<int> bad{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      float mine[6], result[6];
      for (int turn = 0; turn < 300; ++turn) {
        for (int i = 0; i < 6; ++i)
          mine[i] = t * 1000 + turn + i;
        tenon_input inputs[2] = {{mine, TENON_FLOAT32, 2, shape, nullptr}, input};
        tenon_output output{};
        output.data = result;
        output.capacity = sizeof(result);
        model.run(inputs, 2, &output, 1);
        for (int i = 0; i < 6; ++i)
          bad += result[i] != expected(mine[i], data[i], i % 3);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(bad, 0);
}

struct Counters {
  int64_t live = 0, regions = 0;
  bool refuse = false;
};

TEST_F(Runtime, Callbacks) {
  Counters counters;
  tenon_callbacks callbacks{};
  callbacks.struct_size = sizeof(callbacks);
  callbacks.user = &counters;
  callbacks.alloc = [](void *user, size_t bytes, size_t alignment) -> void * {
    auto *counters = static_cast<Counters *>(user);
    if (counters->refuse)
      return nullptr;
    ++counters->live;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  };
  callbacks.free = [](void *user, void *memory) {
    --static_cast<Counters *>(user)->live;
    std::free(memory);
  };
  callbacks.parallel_for = [](void *user, int64_t n, void (*body)(void *, int64_t, int64_t, int32_t), void *state) {
    ++static_cast<Counters *>(user)->regions;
    for (int64_t i = n; i-- > 0;)
      body(state, i, i + 1, i % 2);
  };
  callbacks.workers = 2;
  std::string path = withManifest(manifest);
  {
    Model model(path, 0, &callbacks);
    tenon_input inputs[2] = {input, input};
    tenon_output output{};
    model.run(inputs, 2, &output, 1);
    EXPECT_EQ(counters.regions, 1);
    EXPECT_EQ(static_cast<float *>(output.data)[5], expected(6, 6, 2));
    model.release(output.data);
    counters.refuse = true;
    auto [code, message] = runFailure(model, {input, input});
    EXPECT_EQ(code, TENON_ENOMEM);
    EXPECT_EQ(message, "out of memory: output 'z' needs 24 bytes");
  }
  EXPECT_EQ(counters.live, 0);
  callbacks.struct_size = 4096;
  EXPECT_THROW(Model(path, 0, &callbacks), Error);
  callbacks.struct_size = sizeof(callbacks);
  callbacks.free = nullptr;
  EXPECT_THROW(Model(path, 0, &callbacks), Error);
}

TEST_F(Runtime, Profile) {
  Model model(withManifest(manifest), 1, nullptr);
  runFailure(model, {input, input});
  EXPECT_EQ(model.profile().at(0).calls, 0);
  model.setProfiling(true);
  for (int turn = 0; turn < 3; ++turn)
    runFailure(model, {input, input});
  KernelProfile kernel = model.profile().at(0);
  EXPECT_EQ(kernel.name, "add");
  EXPECT_EQ(kernel.calls, 3);
  EXPECT_EQ(kernel.flops, 3 * 18);
  EXPECT_EQ(kernel.bytes, 3 * 72);
  EXPECT_GE(kernel.nanoseconds, 0);
}

/// Not judged, because the machine may be busy: --gtest_filter=*CallOverhead prints it.
TEST_F(Runtime, CallOverhead) {
  Model model(withManifest(manifest), 1, nullptr);
  tenon_input inputs[2] = {input, input};
  float result[6];
  double best = 1e9;
  for (int round = 0; round < 20; ++round) {
    auto start = std::chrono::steady_clock::now();
    for (int turn = 0; turn < 1000; ++turn) {
      tenon_output output{};
      output.data = result;
      output.capacity = sizeof(result);
      model.run(inputs, 2, &output, 1);
    }
    std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
    best = std::min(best, elapsed.count() / 1000);
  }
  std::printf("call of a trivial model: %.0f ns\n", best);
}

} // namespace
