//===- Files.cpp - what a file holds and whether it is still the same ---------------------===//
#include "tenon/Support/Files.h"

#define XXH_INLINE_ALL
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>
#include <xxhash.h>

static std::string format(XXH128_hash_t hash) {
  char text[33];
  std::snprintf(text, sizeof(text), "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

std::string tenon::hashBytes(std::string_view bytes) { return format(XXH3_128bits(bytes.data(), bytes.size())); }

std::string tenon::hashFile(const std::string &path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return "";
  std::vector<char> piece(1 << 20);
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  ssize_t count;
  while ((count = read(file, piece.data(), piece.size())) != 0) {
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      break;
    XXH3_128bits_update(&state, piece.data(), count);
  }
  close(file);
  return count == 0 ? format(XXH3_128bits_digest(&state)) : "";
}

static std::string format(const struct stat &status) {
  auto time = [](const timespec &when) { return std::to_string(when.tv_sec) + "." + std::to_string(when.tv_nsec); };
  return std::to_string(status.st_dev) + " " + std::to_string(status.st_ino) + " " + std::to_string(status.st_size) +
         " " + time(status.st_mtim) + " " + time(status.st_ctim);
}

std::string tenon::stampFile(const std::string &path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 ? format(status) : "";
}

std::string tenon::stampFile(int descriptor) {
  struct stat status;
  return fstat(descriptor, &status) == 0 ? format(status) : "";
}

std::string tenon::temporaryName(const std::string &base) {
  static std::atomic<int> counter{0};
  // The time keeps names apart where process ids repeat: containers that share a folder.
  auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return base + ".tmp." + std::to_string(getpid()) + "." + std::to_string(now) + "." + std::to_string(counter++);
}

tenon::NewFile::NewFile(std::string path, int mode) : path(std::move(path)), temporary(temporaryName(this->path)) {
  descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (descriptor < 0)
    failure = errno;
}

tenon::NewFile::~NewFile() {
  if (descriptor < 0)
    return;
  close(descriptor);
  unlink(temporary.c_str());
}

void tenon::NewFile::write(std::string_view bytes) {
  while (!failure && !bytes.empty()) {
    ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written > 0)
      bytes.remove_prefix(written);
    else if (written == 0 || errno != EINTR)
      failure = written == 0 ? EIO : errno;
  }
}

bool tenon::NewFile::publish() {
  if (descriptor < 0)
    return false;
  if (close(descriptor) != 0 && !failure) // some file systems find out here that there is no room
    failure = errno;
  descriptor = -1;
  if (!failure && rename(temporary.c_str(), path.c_str()) == 0)
    return true;
  if (!failure)
    failure = errno;
  unlink(temporary.c_str());
  return false;
}
