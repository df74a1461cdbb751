//===- ThreadPool.h - parallel regions that start fast and park when idle ----------------===//
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace tenon::runtime {

/// Cores that affinity and the cgroup's quota allow this process; at least 1.
int availableCores();

/// How often this process is the child of a fork since it was first asked: threads do not survive that.
int countForks();

/// A fixed set of workers; the caller of `run` is worker 0. Each begins with its share of the items, in order, and then
/// helps the others; balance does not change results: an item's result does not depend on who runs it.
class ThreadPool {
public:
  explicit ThreadPool(int workers);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  using Body = void (*)(void *state, int64_t lo, int64_t hi, int32_t worker);
  /// Runs body over [0, n). A second caller at the same time, nested or in another thread, runs its items alone, as
  /// worker 0 of its own call; so does a process that was forked from the pool's, which has no workers.
  /// `backward`: every worker begins with the last items of its share.
  void run(int64_t n, Body body, void *state, bool backward = false);
  int workers() const { return static_cast<int>(threads.size()) + 1; }

private:
  void work(int worker);
  void drain(int worker);

  std::vector<std::thread> threads;
  std::atomic<bool> busy{false}; // set by the caller whose region runs
  const int generation;          // forks before this pool
  std::mutex lock;               // guards parking
  std::condition_variable wake;
  /// The number of the last region, whether it is open, and how many workers are in it. A worker enters an open region
  /// only, and the caller waits for those alone that have entered: one that sleeps delays nobody.
  std::atomic<uint64_t> region{0};
  std::atomic<int> parked{0};
  std::atomic<bool> stop{false};
  /// The items that a worker begins with; when these are done it takes what is left of others'. Kernel after kernel a
  /// worker so finds its part of the data in its own cache.
  struct alignas(64) Range {
    std::atomic<int64_t> next{0}; // as if the region ran forward
    int64_t first = 0, end = 0;
  };
  std::unique_ptr<Range[]> ranges; // per worker
  int64_t chunk = 1;
  bool isBackward = false;
  Body body = nullptr;
  void *state = nullptr;
};

} // namespace tenon::runtime
