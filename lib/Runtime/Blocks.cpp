//===- Blocks.cpp - large blocks of memory, used again ------------------------------------===//
#include "Blocks.h"
#include "HugePages.h"

#include <cstdlib>
#include <sys/mman.h>

namespace tenon::runtime {

void *allocateAligned(size_t bytes) {
  if (bytes > (size_t(1) << 47))
    return nullptr;
  return std::aligned_alloc(64, (bytes + 63) / 64 * 64 + (bytes == 0 ? 64 : 0));
}

Blocks::~Blocks() {
  for (const Block &block : waiting)
    free(block);
}

Blocks::Block Blocks::make(size_t bytes) {
  if (bytes < kHugePage || bytes > (size_t(1) << 47))
    return {allocateAligned(bytes), bytes};
  // Whole huge pages, unless these would be much more than what is asked for.
  size_t whole = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  if (whole <= bytes + bytes / 4)
    bytes = whole;
  return {mapInHugePages(bytes), bytes};
}

void Blocks::free(const Block &block) {
  if (block.bytes < kHugePage)
    std::free(block.memory);
  else if (block.memory)
    munmap(block.memory, block.bytes);
}

void *Blocks::take(size_t bytes) {
  if (bytes < kLarge)
    return allocateAligned(bytes);
  std::lock_guard<std::mutex> guard(lock);
  // The smallest that fits and wastes little.
  auto best = waiting.end();
  for (auto it = waiting.begin(); it != waiting.end(); ++it)
    if (it->bytes >= bytes && it->bytes <= bytes + bytes / 4 && (best == waiting.end() || it->bytes < best->bytes))
      best = it;
  Block block;
  if (best != waiting.end()) {
    block = *best;
    waiting.erase(best);
    waitingBytes -= block.bytes;
  } else {
    block = make(bytes);
    if (!block.memory && !waiting.empty()) { // what waits may be what is missing
      for (const Block &other : waiting)
        free(other);
      waiting.clear();
      waitingBytes = 0;
      block = make(bytes);
    }
  }
  if (block.memory)
    taken.emplace(block.memory, block.bytes);
  return block.memory;
}

void Blocks::give(void *memory) {
  if (!memory)
    return;
  std::lock_guard<std::mutex> guard(lock);
  auto found = taken.find(memory);
  if (found == taken.end())
    return std::free(memory);
  Block block{memory, found->second};
  taken.erase(found);
  if (block.bytes > kMostBytes)
    return free(block);
  while (waiting.size() >= kMostBlocks || waitingBytes + block.bytes > kMostBytes) {
    waitingBytes -= waiting.front().bytes;
    free(waiting.front());
    waiting.erase(waiting.begin());
  }
  waiting.push_back(block);
  waitingBytes += block.bytes;
}

size_t Blocks::kept() const {
  std::lock_guard<std::mutex> guard(lock);
  return waitingBytes;
}

} // namespace tenon::runtime
