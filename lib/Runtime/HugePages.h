//===- HugePages.h - memory in huge pages, where the system has them -----------------------===//
//
// What a model reads and writes in one run takes more pages than a processor keeps translations for, and where pages
// are scattered, neighbours fall into the same few sets of a cache. Neither happens inside a huge page.
//
//===----------------------------------------------------------------------===//
#pragma once
#include <cstddef>

namespace tenon::runtime {

constexpr size_t kHugePage = 2 << 20; ///< bytes

/// Maps `bytes` of `file` from its start, read-only, or with -1 zeros to write, at the start of a huge page, and asks
/// for such pages. A file has them where it was written in whole ones, or is read from a disk that allows it. NULL when
/// there is no memory; to be given back with munmap.
void *mapInHugePages(size_t bytes, int file = -1);

} // namespace tenon::runtime
