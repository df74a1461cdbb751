//===- ThreadPool.cpp - parallel regions that start fast and park when idle ---------------===//
#include "tenon/Runtime/ThreadPool.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <new>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <system_error>

namespace tenon::runtime {

int availableCores() {
  int cores = 1;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    cores = std::max(1, CPU_COUNT(&set));
  std::ifstream limit("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (limit >> quota >> period && quota != "max" && period > 0)
    cores = std::clamp(static_cast<int>(std::stod(quota) / period + 0.5), 1, cores);
  return cores;
}

static std::atomic<int> forks{0};

int countForks() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1); });
  (void)registered;
  return forks.load();
}

ThreadPool::ThreadPool(int workers) : generation(countForks()) {
  workers = std::min(workers, 1024);
  threads.reserve(std::max(workers - 1, 0));
  ranges = std::make_unique<Range[]>(std::max(workers, 1));
  try {
    for (int worker = 1; worker < workers; ++worker)
      threads.emplace_back([this, worker] { work(worker); });
  } catch (const std::system_error &) {
    // The system gives no more threads; what we have is enough.
  }
}

ThreadPool::~ThreadPool() {
  if (forks.load() != generation) { // nobody to wait for: handles and waiters are the parent's, and are left alone
    new std::vector<std::thread>(std::move(threads));
    new (&wake) std::condition_variable;
    return;
  }
  stop = true;
  {
    std::lock_guard<std::mutex> guard(lock);
  }
  wake.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void ThreadPool::drain(int worker) {
  for (int number = worker, left = workers(); left > 0; number = number + 1 == workers() ? 0 : number + 1, --left) {
    Range &range = ranges[number];
    for (int64_t lo; (lo = range.next.fetch_add(chunk, std::memory_order_relaxed)) < range.end;) {
      int64_t hi = std::min(range.end, lo + chunk), both = range.first + range.end;
      body(state, isBackward ? both - hi : lo, isBackward ? both - lo : hi, worker);
    }
  }
}

/// The parts of `region`: workers inside, whether it is open, its number.
static constexpr uint64_t kOpen = 1 << 16, kInside = kOpen - 1, kOne = kOpen << 1;
static uint64_t numberOf(uint64_t region) { return region / kOne; }

void ThreadPool::work(int worker) {
  using Clock = std::chrono::steady_clock;
  // Spin for about 50 us behind the last region, then park: a model's kernels follow each other closely, calls do not.
  // While others still work the next kernel is yet to come, but that may take long.
  constexpr auto kSpin = std::chrono::microseconds(50), kLongSpin = std::chrono::microseconds(2000);
  uint64_t seen = 0;
  for (;;) {
    auto first = Clock::now(), start = first;
    int turns = 0;
    for (;;) {
      if (stop.load(std::memory_order_relaxed))
        return;
      uint64_t now = region.load(std::memory_order_acquire);
      bool open = (now & kOpen) != 0;
      if (open && numberOf(now) != seen) {
        if (!region.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel))
          continue;
        seen = numberOf(now);
        break;
      }
      __builtin_ia32_pause();
      if (++turns % 64 != 0)
        continue;
      auto time = Clock::now();
      if (open) {
        start = time;
        std::this_thread::yield(); // whoever still works may wait for this core
      }
      if (time - start > kSpin || time - first > kLongSpin) {
        std::unique_lock<std::mutex> guard(lock);
        parked.fetch_add(1);
        wake.wait(guard, [&] { return stop || numberOf(region.load()) != numberOf(now); });
        parked.fetch_sub(1);
        first = start = Clock::now();
      }
    }
    drain(worker);
    region.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::run(int64_t n, Body newBody, void *newState, bool backward) {
  if (n <= 0)
    return;
  if (n == 1 || threads.empty() || forks.load(std::memory_order_relaxed) != generation || busy.exchange(true)) {
    if (!backward)
      return newBody(newState, 0, n, 0);
    for (int64_t item = n; item-- > 0;)
      newBody(newState, item, item + 1, 0);
    return;
  }
  isBackward = backward;
  body = newBody;
  state = newState;
  // About eight chunks a worker: balance against the counter's traffic.
  chunk = std::max<int64_t>(1, n / (8 * static_cast<int64_t>(workers())));
  for (int64_t worker = 0, first = 0, all = workers(); worker < all; ++worker) {
    int64_t end = first + n / all + (worker < n % all);
    ranges[worker].next.store(first, std::memory_order_relaxed);
    ranges[worker].first = first;
    ranges[worker].end = end;
    first = end;
  }
  // Sequentially consistent with `parked`: either the worker sees the region or we see it parked.
  region.store((numberOf(region.load(std::memory_order_relaxed)) + 1) * kOne | kOpen);
  if (parked.load() > 0) {
    {
      std::lock_guard<std::mutex> guard(lock);
    }
    wake.notify_all();
  }
  drain(0);
  region.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (int turns = 1; (region.load(std::memory_order_acquire) & kInside) != 0; ++turns) {
    __builtin_ia32_pause();
    if (turns % 1024 == 0)
      std::this_thread::yield();
  }
  busy.store(false, std::memory_order_release);
}

} // namespace tenon::runtime
