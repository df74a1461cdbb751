//===- CacheTest.cpp - what cannot be trusted is a miss, and nothing harms the cache ----------===//
#include "tenon/Driver/Cache.h"
#include "tenon/Support/Files.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace tenon;

namespace {

class Cache : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "tenon-cache-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    base = pattern;
    setenv("TENON_CACHE_DIR", (base + "/cache").c_str(), 1);
    std::string warning;
    auto opened = cache::openDirectory(warning);
    ASSERT_TRUE(opened) << warning;
    root = *opened;
  }
  void TearDown() override {
    unsetenv("TENON_CACHE_LIMIT");
    fs::remove_all(base);
  }
  static void write(const std::string &path, const std::string &text) { std::ofstream(path) << text; }
  std::string put(const std::string &key, const std::string &text,
                  const std::vector<cache::OutsideFile> &outside = {}) {
    std::string directory = cache::beginModel(root).value();
    write(directory + "/model.so", text);
    return cache::commitModel(root, key, directory, outside).value().sharedObject;
  }
  std::string base, root;
};

TEST_F(Cache, EveryPartOfTheKeyMatters) {
  const std::vector<std::string> names = {"model",  "weights",  "options",  "target", "precision",
                                          "shapes", "compiler", "schedule", "abi"};
  auto key = [&](int changed, int left, int renamed) {
    cache::KeyBuilder builder;
    for (int i = 0; i < static_cast<int>(names.size()); ++i)
      if (i != left)
        builder.add(names[i] + (i == renamed ? "2" : ""), "value " + std::to_string(i) + (i == changed ? "!" : ""));
    return builder.finish();
  };
  std::set<std::string> keys = {key(-1, -1, -1)};
  EXPECT_EQ(key(-1, -1, -1), *keys.begin());
  for (int i = 0; i < static_cast<int>(names.size()); ++i) {
    EXPECT_TRUE(keys.insert(key(i, -1, -1)).second) << names[i] << " changed";
    EXPECT_TRUE(keys.insert(key(-1, i, -1)).second) << names[i] << " left out";
    EXPECT_TRUE(keys.insert(key(-1, -1, i)).second) << names[i] << " renamed";
  }
  EXPECT_NE(cache::KeyBuilder().add("a", "bc").finish(), cache::KeyBuilder().add("ab", "c").finish());
}

TEST_F(Cache, CheckedFiles) {
  std::string path = root + "/kernels/k.o", bytes(1000, 'x');
  EXPECT_FALSE(cache::readChecked(path));
  ASSERT_TRUE(cache::writeChecked(path, bytes));
  EXPECT_EQ(cache::readChecked(path), bytes);
  ASSERT_TRUE(cache::writeChecked(path, ""));
  EXPECT_EQ(cache::readChecked(path), "");
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 077, 0u);
}

TEST_F(Cache, DamagedFilesAreMissesAndReplaced) {
  std::string path = root + "/kernels/k.o", bytes(200, 'x');
  for (int position = 0; position < 232; position += 29) {
    ASSERT_TRUE(cache::writeChecked(path, bytes));
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(position);
    file.put('!');
    file.close();
    EXPECT_FALSE(cache::readChecked(path)) << "byte " << position;
  }
  for (int size : {0, 1, 31, 32, 100, 231}) {
    ASSERT_TRUE(cache::writeChecked(path, bytes));
    fs::resize_file(path, size);
    EXPECT_FALSE(cache::readChecked(path)) << size << " bytes left";
  }
  ASSERT_TRUE(cache::writeChecked(path, bytes));
  EXPECT_EQ(cache::readChecked(path), bytes);
}

TEST_F(Cache, Models) {
  EXPECT_FALSE(cache::findModel(root, "key"));
  std::string path = put("key", "code");
  ASSERT_TRUE(cache::findModel(root, "key"));
  EXPECT_EQ(cache::findModel(root, "key")->sharedObject, path);
  write(path, "c0de");
  EXPECT_FALSE(cache::findModel(root, "key"));
  put("key", "code");
  EXPECT_TRUE(cache::findModel(root, "key"));
  fs::remove(path);
  EXPECT_FALSE(cache::findModel(root, "key"));
}

TEST_F(Cache, OutsideFilesMustHoldWhatTheyHeld) {
  std::string weights = base + "/weights", other = base + "/other";
  write(weights, "1234");
  auto when = fs::last_write_time(weights);
  put("key", "code", {{weights, stampFile(weights)}});
  EXPECT_TRUE(cache::findModel(root, "key"));
  write(weights, "1235"); // as long as before, and as old
  fs::last_write_time(weights, when);
  EXPECT_FALSE(cache::findModel(root, "key"));
  write(other, "1234");
  fs::rename(other, weights);
  EXPECT_TRUE(cache::findModel(root, "key"));
  fs::remove(weights);
  EXPECT_FALSE(cache::findModel(root, "key"));
}

TEST_F(Cache, WhatChangedMeanwhileIsNotPublished) {
  std::string weights = base + "/weights";
  write(weights, "1234");
  std::string stamp = stampFile(weights), directory = cache::beginModel(root).value();
  write(directory + "/model.so", "code");
  write(base + "/other", "1234");
  fs::rename(base + "/other", weights);
  EXPECT_FALSE(cache::commitModel(root, "key", directory, {{weights, stamp}}));
  EXPECT_TRUE(fs::exists(directory + "/model.so"));
  EXPECT_FALSE(cache::findModel(root, "key"));
}

TEST_F(Cache, HashesOfLargeFilesAreNotedUntilTheyChange) {
  std::string path = base + "/large", text(2 << 20, 'x');
  write(path, text);
  std::string before = cache::hashContent(root, path);
  EXPECT_EQ(before, hashBytes(text));
  EXPECT_TRUE(fs::is_empty(root + "/hashes")) << "a file that was written just now may change unseen";
  EXPECT_EQ(cache::hashContent(root, path, -1), before);
  ASSERT_FALSE(fs::is_empty(root + "/hashes"));
  std::string note = fs::directory_iterator(root + "/hashes")->path();
  std::string known = cache::readChecked(note).value();
  ASSERT_TRUE(cache::writeChecked(note, known.substr(0, known.size() - 4) + "beef"));
  EXPECT_NE(cache::hashContent(root, path), before) << "the note was not read";
  auto when = fs::last_write_time(path);
  text[5] = 'y';
  write(path, text);
  fs::last_write_time(path, when);
  EXPECT_EQ(cache::hashContent(root, path), hashBytes(text));
  fs::remove(path);
  EXPECT_EQ(cache::hashContent(root, path), "");
}

TEST_F(Cache, DirectoriesOfOthersAreRefused) {
  std::string warning;
  for (const std::string &part : {root, root + "/models", root + "/kernels"}) {
    for (mode_t mode : {0777, 0770}) {
      ASSERT_EQ(chmod(part.c_str(), mode), 0);
      warning.clear();
      EXPECT_FALSE(cache::openDirectory(warning)) << part;
      EXPECT_NE(warning.find("others may write to it"), std::string::npos) << warning;
    }
    chmod(part.c_str(), 0700);
  }
  if (geteuid() == 0) {
    ASSERT_EQ(chown(root.c_str(), 12345, 12345), 0);
    EXPECT_FALSE(cache::openDirectory(warning));
    ASSERT_EQ(chown(root.c_str(), 0, 0), 0);
  }
  EXPECT_TRUE(cache::openDirectory(warning)) << warning;
  setenv("TENON_CACHE_DIR", "/dev/null/cache", 1);
  EXPECT_FALSE(cache::openDirectory(warning));
}

TEST_F(Cache, KilledWriters) {
  std::string path = root + "/kernels/k.o";
  for (int round = 0; round < 8; ++round) {
    pid_t child = fork();
    if (child == 0)
      for (int turn = 0;; ++turn) {
        cache::writeChecked(path, std::string(1 << 20, 'a' + turn % 26));
        std::string directory = cache::beginModel(root).value_or("");
        write(directory + "/model.so", std::string(1 << 18, 'a' + turn % 26));
        cache::commitModel(root, "key", directory, {});
      }
    std::this_thread::sleep_for(std::chrono::milliseconds(15 + 7 * round));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    if (fs::exists(path)) {
      auto bytes = cache::readChecked(path);
      ASSERT_TRUE(bytes);
      EXPECT_EQ(*bytes, std::string(1 << 20, (*bytes)[0]));
    }
    if (auto entry = cache::findModel(root, "key")) {
      EXPECT_EQ(fs::file_size(entry->sharedObject), 1u << 18);
    }
  }
  EXPECT_TRUE(cache::writeChecked(path, "new"));
  EXPECT_EQ(cache::readChecked(path), "new");
}

TEST_F(Cache, TwoProcessesShare) {
  auto work = [&] {
    bool ok = true;
    for (int turn = 0; turn < 100; ++turn) {
      std::string key = "key" + std::to_string(turn % 7), path = root + "/kernels/" + key + ".o";
      ok = ok && cache::writeChecked(path, key);
      auto bytes = cache::readChecked(path);
      ok = ok && bytes && *bytes == key;
      std::string directory = cache::beginModel(root).value_or("");
      write(directory + "/model.so", key);
      ok = ok && cache::commitModel(root, key, directory, {}) && cache::findModel(root, key);
    }
    return ok;
  };
  pid_t child = fork();
  if (child == 0)
    _exit(work() ? 0 : 1);
  EXPECT_TRUE(work());
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Cache, FullDisk) {
  pid_t child = fork();
  if (child == 0) {
    // A limit on file size fails writes in the middle, as a full disk does.
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit{4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::string path = root + "/kernels/k.o";
    bool refused = !cache::writeChecked(path, std::string(100000, 'x'));
    _exit(refused && fs::is_empty(root + "/kernels") ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Cache, EvictionDropsWhatWasUnusedLongest) {
  auto age = [&](const std::string &path, int hours) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  for (int i = 0; i < 4; ++i) {
    std::string path = root + "/kernels/" + std::to_string(i) + ".o";
    ASSERT_TRUE(cache::writeChecked(path, std::string(1000, 'x')));
    age(path, 10 - i);
  }
  put("old", std::string(1000, 'x'));
  age(root + "/models/old/entry", 20);
  put("kept", std::string(1000, 'x'));
  age(root + "/models/kept/entry", 30);
  ASSERT_TRUE(cache::readChecked(root + "/kernels/0.o")); // used now
  std::string writing = cache::beginModel(root).value();
  setenv("TENON_CACHE_LIMIT", "1000000", 1);
  cache::evict(root);
  EXPECT_TRUE(cache::findModel(root, "old"));
  age(root + "/models/old/entry", 20);
  age(root + "/models/kept/entry", 30);
  setenv("TENON_CACHE_LIMIT", "3300", 1);
  cache::evict(root, "kept");
  EXPECT_FALSE(fs::exists(root + "/models/old"));
  EXPECT_TRUE(fs::exists(root + "/models/kept"));
  EXPECT_FALSE(fs::exists(root + "/kernels/1.o"));
  EXPECT_TRUE(fs::exists(root + "/kernels/0.o"));
  EXPECT_TRUE(fs::exists(writing));
}

TEST_F(Cache, EvictionIsNotDoneAllTheTime) {
  setenv("TENON_CACHE_LIMIT", "0", 1);
  put("one", "code");
  cache::evictSometimes(root, "");
  EXPECT_FALSE(cache::findModel(root, "one"));
  put("two", "code");
  cache::evictSometimes(root, "");
  EXPECT_TRUE(cache::findModel(root, "two"));
  fs::last_write_time(root + "/evicted", fs::file_time_type::clock::now() - std::chrono::minutes(2));
  cache::evictSometimes(root, "");
  EXPECT_FALSE(cache::findModel(root, "two"));
}

TEST_F(Cache, AbandonedTemporariesGo) {
  std::string recent = root + "/kernels/k.o.tmp.999999999.1.0", old = root + "/models/new.tmp.999999999.1.0";
  write(recent, "x");
  fs::create_directory(old);
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  cache::evict(root);
  EXPECT_TRUE(fs::exists(recent));
  EXPECT_FALSE(fs::exists(old));
}

} // namespace
