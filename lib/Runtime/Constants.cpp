//===- Constants.cpp - the memory of what a model computes once ----------------------------===//
#include "Constants.h"
#include "Blocks.h"
#include "HugePages.h"
#include "tenon/Support/Files.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
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

Constants::~Constants() { free(); }

void Constants::free() {
  if (mapped)
    munmap(mapping, mapped);
  else
    std::free(memory);
}

void Constants::take(void *file, size_t size) {
  mapping = file;
  mapped = size;
  memory = static_cast<char *>(file) + kHeaderBytes;
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
  return memory + places[index].offset;
}

bool Constants::mapKept(const std::string &path, const std::string &identity) {
  int kept = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (kept < 0)
    return false;
  struct stat status;
  size_t size = kHeaderBytes + total;
  void *data = nullptr;
  if (fstat(kept, &status) == 0 && S_ISREG(status.st_mode) && static_cast<size_t>(status.st_size) == size &&
      status.st_uid == geteuid() && !(status.st_mode & (S_IWGRP | S_IWOTH)))
    data = mapInHugePages(size, kept);
  close(kept);
  if (!data)
    return false;
  auto *header = static_cast<const Header *>(data);
  auto *first = static_cast<const char *>(data) + kHeaderBytes;
  if (std::memcmp(header->magic, kMagic, sizeof(kMagic)) != 0 || header->bytes != total ||
      std::string_view(header->identity, 32) != identity ||
      std::string_view(header->content, 32) != hashBytes({first, total})) {
    munmap(data, size);
    return false;
  }
  take(data, size);
  return true;
}

bool Constants::allocate() {
  if (total >= kHugePage) {
    mapping = memory = static_cast<char *>(mapInHugePages(total));
    mapped = memory ? total : 0;
  } else {
    memory = static_cast<char *>(allocateAligned(total));
  }
  return memory != nullptr;
}

bool Constants::write(int file, const std::string &identity) const {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  std::memcpy(header.identity, identity.data(), sizeof(header.identity));
  std::memcpy(header.content, hashBytes({memory, total}).data(), sizeof(header.content));
  header.bytes = total;
  std::string start(kHeaderBytes, '\0');
  std::memcpy(start.data(), &header, sizeof(header));
  // A huge page at a time: the system keeps a file in memory in the pieces that it was written in.
  for (size_t done = 0, size = kHeaderBytes + total; done < size;) {
    iovec parts[2] = {{start.data() + std::min(done, kHeaderBytes), kHeaderBytes - std::min(done, kHeaderBytes)}, {}};
    size_t from = std::max(done, kHeaderBytes) - kHeaderBytes, end = (done / kHugePage + 1) * kHugePage;
    parts[1] = {memory + from, std::min(end, size) - kHeaderBytes - from};
    ssize_t written = pwritev(file, parts, 2, static_cast<off_t>(done));
    if (written == 0 || (written < 0 && errno != EINTR))
      return false;
    done += std::max<ssize_t>(written, 0);
  }
  return true;
}

void Constants::keep(const std::string &path, const std::string &identity) {
  std::string folder = path.substr(0, path.rfind('/'));
  size_t size = kHeaderBytes + total;
  if (total < kWorthKeeping || !hasRoom(folder, size))
    return;
  int file = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0)
    return;
  // A name appears at once, for a whole file; linkat replaces nothing.
  static std::atomic<int> counter{0};
  std::string temporary = path + "." + std::to_string(getpid()) + "." + std::to_string(counter++),
              open = "/proc/self/fd/" + std::to_string(file);
  if (write(file, identity) && linkat(AT_FDCWD, open.c_str(), AT_FDCWD, temporary.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    if (rename(temporary.c_str(), path.c_str()) != 0)
      unlink(temporary.c_str());
    if (void *data = mapInHugePages(size, file)) {
      free();
      take(data, size);
    }
  }
  close(file);
}

} // namespace tenon::runtime
