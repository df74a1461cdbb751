//===- Blocks.cpp - large blocks of memory, used again ------------------------------------===//
#include "Blocks.h"

#include <cstdlib>

namespace tenon::runtime {

void *allocateAligned(size_t bytes) {
  if (bytes > (size_t(1) << 47))
    return nullptr;
  return std::aligned_alloc(64, (bytes + 63) / 64 * 64 + (bytes == 0 ? 64 : 0));
}

Blocks::~Blocks() {
  for (const Block &block : waiting)
    std::free(block.memory);
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
    block = {allocateAligned(bytes), bytes};
    if (!block.memory && !waiting.empty()) { // what waits may be what is missing
      for (const Block &other : waiting)
        std::free(other.memory);
      waiting.clear();
      waitingBytes = 0;
      block.memory = allocateAligned(bytes);
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
    return std::free(memory);
  while (waiting.size() >= kMostBlocks || waitingBytes + block.bytes > kMostBytes) {
    waitingBytes -= waiting.front().bytes;
    std::free(waiting.front().memory);
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
