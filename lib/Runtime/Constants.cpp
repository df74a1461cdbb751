//===- Constants.cpp - the memory of what a model computes once ----------------------------===//
#include "Constants.h"
#include "Blocks.h"
#include "tenon/Support/Files.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace tenon::runtime {

namespace {

/// What the file starts with; the constants follow, page-aligned.
struct Header {
  char magic[16];
  char identity[32], content[32]; ///< hex digits
  uint64_t bytes;
};
constexpr char kMagic[16] = "tenon constants";
constexpr size_t kHeaderBytes = 4096;
constexpr size_t kMost = size_t(1) << 47;
constexpr size_t kWorthKeeping = 1 << 20; ///< less is computed sooner than found

/// Whether a file of `bytes` may be made in `folder`: it must leave most of the disk to others.
bool hasRoom(const std::string &folder, size_t bytes) {
  struct statvfs disk;
  rlimit limit;
  return statvfs(folder.c_str(), &disk) == 0 && bytes <= disk.f_bavail * disk.f_frsize / 4 &&
         getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes <= limit.rlim_cur;
}

} // namespace

Constants::~Constants() {
  if (mapped)
    munmap(memory, mapped);
  else
    std::free(memory);
  if (file >= 0)
    close(file);
}

void Constants::reserve(int64_t index, size_t bytes) {
  if (places.size() <= static_cast<size_t>(index))
    places.resize(index + 1);
  Place &place = places[index];
  if (place.reserved)
    return;
  place = {total, bytes, true};
  // Damaged sizes must not wrap around: more than kMost is never there.
  total = std::min(kMost + 64, total + (std::min(bytes, kMost) + 63) / 64 * 64);
}

void *Constants::at(int64_t index) const {
  if (index < 0 || static_cast<size_t>(index) >= places.size() || !places[index].reserved || !memory)
    return nullptr;
  return memory + (mapped ? kHeaderBytes : 0) + places[index].offset;
}

void Constants::dropPages() {
  if (mapped)
    madvise(memory, mapped, MADV_DONTNEED);
}

bool Constants::mapKept(const std::string &path, const std::string &identity) {
  int kept = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (kept < 0)
    return false;
  struct stat status;
  size_t size = kHeaderBytes + total;
  void *data = MAP_FAILED;
  if (fstat(kept, &status) == 0 && S_ISREG(status.st_mode) && static_cast<size_t>(status.st_size) == size &&
      status.st_uid == geteuid() && !(status.st_mode & (S_IWGRP | S_IWOTH)))
    data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, kept, 0);
  close(kept);
  if (data == MAP_FAILED)
    return false;
  auto *header = static_cast<const Header *>(data);
  auto *first = static_cast<const char *>(data) + kHeaderBytes;
  if (std::memcmp(header->magic, kMagic, sizeof(kMagic)) != 0 || header->bytes != total ||
      std::string_view(header->identity, 32) != identity ||
      std::string_view(header->content, 32) != hashBytes({first, total})) {
    munmap(data, size);
    return false;
  }
  memory = static_cast<char *>(data);
  mapped = size;
  return true;
}

bool Constants::allocate(const std::string &path) {
  std::string folder = path.substr(0, path.rfind('/'));
  size_t size = kHeaderBytes + total;
  if (!path.empty() && total >= kWorthKeeping && hasRoom(folder, size)) {
    file = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    // Without its blocks, a full disk would end the process at the first write.
    if (file >= 0 && posix_fallocate(file, 0, size) == 0) {
      void *data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
      if (data != MAP_FAILED) {
        memory = static_cast<char *>(data);
        mapped = size;
        return true;
      }
    }
    if (file >= 0)
      close(file);
    file = -1;
  }
  memory = static_cast<char *>(allocateAligned(total));
  return memory != nullptr;
}

void Constants::keep(const std::string &path, const std::string &identity) {
  if (file < 0)
    return;
  auto *header = reinterpret_cast<Header *>(memory);
  std::memcpy(header->magic, kMagic, sizeof(kMagic));
  std::memcpy(header->identity, identity.data(), 32);
  std::memcpy(header->content, hashBytes({memory + kHeaderBytes, total}).data(), 32);
  header->bytes = total;
  mprotect(memory, mapped, PROT_READ);
  // A name appears at once, for a whole file; linkat replaces nothing.
  static std::atomic<int> counter{0};
  std::string temporary = path + "." + std::to_string(getpid()) + "." + std::to_string(counter++),
              open = "/proc/self/fd/" + std::to_string(file);
  if (linkat(AT_FDCWD, open.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) == 0 &&
      rename(temporary.c_str(), path.c_str()) != 0)
    unlink(temporary.c_str());
  close(file);
  file = -1;
}

} // namespace tenon::runtime
