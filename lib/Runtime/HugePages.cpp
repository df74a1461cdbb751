//===- HugePages.cpp - memory in huge pages, where the system has them ---------------------===//
#include "HugePages.h"

#include <cstdint>
#include <sys/mman.h>
#include <unistd.h>

namespace tenon::runtime {

void *mapInHugePages(size_t bytes, int file) {
  size_t page = sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
  if (bytes == 0 || size < bytes || size + kHugePage < size)
    return nullptr;
  void *reserved = mmap(nullptr, size + kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED)
    return nullptr;
  auto *first = static_cast<char *>(reserved);
  char *start = first + (kHugePage - reinterpret_cast<uintptr_t>(first) % kHugePage) % kHugePage;
  if (start > first)
    munmap(first, start - first);
  munmap(start + size, first + kHugePage - start);
  void *memory = mmap(start, size, file < 0 ? PROT_READ | PROT_WRITE : PROT_READ,
                      MAP_PRIVATE | MAP_FIXED | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
  if (memory == MAP_FAILED) {
    munmap(start, size);
    return nullptr;
  }
  madvise(memory, size, MADV_HUGEPAGE); // where that fails, pages are small
  return memory;
}

} // namespace tenon::runtime
