//===- Cache.cpp - compiled models and kernel objects on disk -------------------------------===//
#include "tenon/Driver/Cache.h"
#include "tenon/Support/Files.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace tenon::cache {

KeyBuilder &KeyBuilder::add(std::string_view name, std::string_view value) {
  // Lengths keep parts apart: ("a", "bc") is not ("ab", "c").
  text += std::to_string(name.size()) + ":" + std::string(name) + "=" + std::to_string(value.size()) + ":" +
          std::string(value) + ";";
  return *this;
}

std::string KeyBuilder::finish() const { return hashBytes(text); }

std::optional<std::string> openDirectory(std::string &warning) {
  std::string root;
  if (const char *directory = std::getenv("TENON_CACHE_DIR"); directory && *directory)
    root = directory;
  else if (const char *base = std::getenv("XDG_CACHE_HOME"); base && *base)
    root = std::string(base) + "/tenon";
  else if (const char *home = std::getenv("HOME"); home && *home)
    root = std::string(home) + "/.cache/tenon";
  else {
    warning = "no cache: set TENON_CACHE_DIR or HOME";
    return std::nullopt;
  }
  std::error_code code;
  for (const char *part : {"", "/models", "/kernels", "/hashes"}) {
    bool made = fs::create_directories(root + part, code);
    if (code) {
      warning = "no cache: cannot make '" + root + part + "': " + code.message();
      return std::nullopt;
    }
    if (made)
      chmod((root + part).c_str(), 0700);
    struct stat status;
    if (stat((root + part).c_str(), &status) != 0 || status.st_uid != geteuid() ||
        (status.st_mode & (S_IWGRP | S_IWOTH))) {
      warning = "no cache: '" + root + part + "' belongs to another user, or others may write to it";
      return std::nullopt;
    }
  }
  fs::space_info space = fs::space(root, code);
  if (!code && space.available < (16u << 20)) {
    warning = "no cache: the disk of '" + root + "' is full";
    return std::nullopt;
  }
  return root;
}

static std::optional<std::string> readAll(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    return std::nullopt;
  std::ostringstream text;
  text << stream.rdbuf();
  return stream.bad() ? std::nullopt : std::optional<std::string>(text.str());
}

std::optional<std::string> readChecked(const std::string &path) {
  std::optional<std::string> bytes = readAll(path);
  if (!bytes || bytes->size() < 32)
    return std::nullopt;
  std::string sum = bytes->substr(bytes->size() - 32);
  bytes->resize(bytes->size() - 32);
  if (hashBytes(*bytes) != sum)
    return std::nullopt;
  std::error_code code;
  fs::last_write_time(path, fs::file_time_type::clock::now(), code); // for eviction
  return bytes;
}

/// Whether `path` is being written, or was when its writer ended.
static bool isTemporary(const fs::path &path) { return path.filename().string().find(".tmp.") != std::string::npos; }

/// Whether the writer of a temporary file is gone. Another container's ids mean nothing here: give it an hour.
static bool isAbandoned(const fs::path &path) {
  std::error_code code;
  auto age = fs::file_time_type::clock::now() - fs::last_write_time(path, code);
  if (code || age < std::chrono::hours(1))
    return false;
  std::string name = path.filename().string();
  pid_t writer = std::atoi(name.c_str() + name.find(".tmp.") + 5);
  return age > std::chrono::hours(24) || (kill(writer, 0) != 0 && errno == ESRCH);
}

bool writeChecked(const std::string &path, std::string_view bytes) {
  NewFile file(path, 0600);
  file.write(bytes);
  file.write(hashBytes(bytes));
  return file.publish();
}

std::string hashContent(const std::string &root, const std::string &path, int64_t settled) {
  constexpr int64_t kSmall = 1 << 20; // hashed sooner than looked up
  struct stat status;
  std::string stamp = stampFile(path);
  if (root.empty() || stat(path.c_str(), &status) != 0 || status.st_size < kSmall)
    return hashFile(path);
  std::string note = root + "/hashes/" + hashBytes(fs::absolute(path).string());
  if (std::optional<std::string> known = readChecked(note); known && known->size() == stamp.size() + 33)
    if (known->compare(0, stamp.size(), stamp) == 0)
      return known->substr(stamp.size() + 1);
  std::string hash = hashFile(path);
  // A write within the clock's granularity, or through a mapping that is already dirty, leaves no later time.
  auto age = [&](const timespec &when) { return std::time(nullptr) - when.tv_sec; };
  if (!hash.empty() && age(status.st_ctim) > settled && age(status.st_mtim) > settled && stampFile(path) == stamp)
    writeChecked(note, stamp + " " + hash);
  return hash;
}

std::optional<ModelEntry> findModel(const std::string &root, const std::string &key) {
  std::string directory = root + "/models/" + key;
  std::optional<std::string> record = readChecked(directory + "/entry");
  if (!record)
    return std::nullopt;
  // Lines "hash name" for files of the entry and "hash /path" for outside files.
  std::istringstream lines(*record);
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 34)
      return std::nullopt;
    std::string name = line.substr(33);
    if (hashContent(root, name[0] == '/' ? name : directory + "/" + name) != line.substr(0, 32))
      return std::nullopt;
  }
  return ModelEntry{directory + "/model.so"};
}

std::optional<std::string> beginModel(const std::string &root) {
  std::string directory = temporaryName(root + "/models/new");
  std::error_code code;
  fs::remove_all(directory, code);
  return fs::create_directory(directory, code) ? std::optional<std::string>(directory) : std::nullopt;
}

std::optional<ModelEntry> commitModel(const std::string &root, const std::string &key, const std::string &directory,
                                      const std::vector<OutsideFile> &outside) {
  std::string record;
  std::error_code code;
  for (const fs::directory_entry &file : fs::directory_iterator(directory, code)) {
    std::string hash = hashFile(file.path());
    if (hash.empty())
      return std::nullopt;
    record += hash + " " + file.path().filename().string() + "\n";
  }
  for (const OutsideFile &file : outside) {
    std::string hash = hashContent(root, file.path);
    if (hash.empty() || stampFile(file.path) != file.stamp || file.path.find('\n') != std::string::npos)
      return std::nullopt; // changed since the compiler read it: what was compiled belongs to no content
    record += hash + " " + file.path + "\n";
  }
  if (!writeChecked(directory + "/entry", record))
    return std::nullopt;
  std::string final = root + "/models/" + key;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (rename(directory.c_str(), final.c_str()) == 0)
      return ModelEntry{final + "/model.so"};
    if (std::optional<ModelEntry> other = findModel(root, key)) { // another process was faster
      fs::remove_all(directory, code);
      return other;
    }
    std::string old = temporaryName(root + "/models/old"); // damaged: out of the way
    if (rename(final.c_str(), old.c_str()) == 0)
      fs::remove_all(old, code);
  }
  return std::nullopt;
}

void evictSometimes(const std::string &root, const std::string &keep) {
  std::string mark = root + "/evicted";
  std::error_code code;
  auto age = fs::file_time_type::clock::now() - fs::last_write_time(mark, code);
  if (!code && age >= std::chrono::seconds(0) && age < std::chrono::minutes(1))
    return;
  writeChecked(mark, "");
  evict(root, keep);
}

void evict(const std::string &root, const std::string &keep) {
  int64_t limit = int64_t(4) << 30;
  if (const char *text = std::getenv("TENON_CACHE_LIMIT"); text && *text)
    limit = std::strtoll(text, nullptr, 10);
  struct Item {
    fs::file_time_type used;
    fs::path path;
    int64_t bytes;
  };
  std::vector<Item> items;
  std::vector<fs::path> abandoned;
  int64_t total = 0;
  std::error_code code;
  for (const char *part : {"/models", "/kernels", "/hashes", "/arrays"})
    for (const fs::directory_entry &entry : fs::directory_iterator(root + part, code)) {
      if (isTemporary(entry.path())) { // another process may be writing it
        if (isAbandoned(entry.path()))
          abandoned.push_back(entry.path());
        continue;
      }
      Item item{entry.last_write_time(code), entry.path(), 0};
      if (entry.is_directory(code)) {
        item.used = fs::last_write_time(entry.path() / "entry", code);
        for (const fs::directory_entry &file : fs::directory_iterator(entry.path(), code))
          item.bytes += file.file_size(code);
      } else {
        item.bytes = entry.file_size(code);
      }
      total += item.bytes;
      items.push_back(std::move(item));
    }
  for (const fs::path &path : abandoned)
    fs::remove_all(path, code);
  if (total <= limit)
    return;
  std::sort(items.begin(), items.end(), [](const Item &a, const Item &b) { return a.used < b.used; });
  for (const Item &item : items) {
    if (total <= limit)
      break;
    if (!keep.empty() && item.path.filename() == keep)
      continue;
    fs::remove_all(item.path, code);
    total -= item.bytes;
  }
}

} // namespace tenon::cache
