//===- Blocks.h - large blocks of memory, used again ------------------------------------===//
//
// The kernel hands out large blocks page by page, each zeroed at its first touch: a result of 64 MiB costs more time to
// get than to compute. What a model gives back is therefore kept for the next call, within bounds. Blocks of some
// mebibytes lie in huge pages.
//
//===----------------------------------------------------------------------===//
#pragma once
#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace tenon::runtime {

/// 64-byte aligned memory; NULL when there is none. Free it with std::free.
void *allocateAligned(size_t bytes);

class Blocks {
public:
  /// Smaller blocks go straight to the C library, which keeps its own.
  static constexpr size_t kLarge = 256 << 10;
  /// Bytes and blocks that wait for use at most; the oldest go first.
  static constexpr size_t kMostBytes = 128 << 20, kMostBlocks = 16;

  Blocks() = default;
  Blocks(const Blocks &) = delete;
  Blocks &operator=(const Blocks &) = delete;
  ~Blocks();

  /// Memory of at least `bytes`, 64-byte aligned, with any contents; NULL when there is none.
  void *take(size_t bytes);
  /// Takes back what `take` gave. May be called from any thread.
  void give(void *memory);
  /// Bytes that wait for use.
  size_t kept() const;

private:
  struct Block {
    void *memory;
    size_t bytes;
  };
  static Block make(size_t bytes);
  static void free(const Block &block);
  mutable std::mutex lock;
  std::unordered_map<void *, size_t> taken; ///< large ones
  std::vector<Block> waiting;               ///< the oldest first
  size_t waitingBytes = 0;
};

} // namespace tenon::runtime
