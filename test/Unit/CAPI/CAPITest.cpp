//===- CAPITest.cpp - runs the C program, and looks at the libraries' symbols ----------------===//
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>

namespace fs = std::filesystem;

namespace {

int run(const std::string &command) { return std::system(command.c_str()); }

TEST(CAPI, CProgram) {
  std::string pattern = (fs::temp_directory_path() / "tenon-capi-test-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  fs::copy_file(FIXTURE, pattern + "/model.so");
  std::string weights(64, '\0');
  const float w[3] = {1, 2, 3};
  weights.append(reinterpret_cast<const char *>(w), sizeof(w));
  std::ofstream(pattern + "/fixture.weights", std::ios::binary) << weights;
  EXPECT_EQ(run("TENON_CACHE_DIR=" + pattern + "/cache " PROGRAM " " + pattern + "/model.so"), 0);
  EXPECT_EQ(run("cd " + pattern + " && TENON_CACHE_DIR=" + pattern + "/cache " PROGRAM " model.so"), 0);
  fs::remove_all(pattern);
}

TEST(CAPI, ExportsOnlyItsOwnNames) {
  EXPECT_EQ(run("! nm -D --defined-only " LIBRARY " | awk '{print $3}' | grep -v '^tenon_'"), 0);
}

TEST(CAPI, NeedsNoCompiler) { EXPECT_EQ(run("! readelf -d " LIBRARY " | grep NEEDED | grep -iE 'mlir|llvm'"), 0); }

TEST(CAPI, SymbolCheck) {
  EXPECT_EQ(run(CHECKER " " FIXTURE), 0);
  EXPECT_NE(run(CHECKER " " LIBRARY " > /dev/null"), 0); // calls malloc and much else
}

} // namespace
