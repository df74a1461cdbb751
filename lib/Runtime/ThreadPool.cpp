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

/// How often this process is the child of a fork since the first pool was made: threads do not survive that.
static std::atomic<int> forks{0};

static int countForks() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1); });
  (void)registered;
  return forks.load();
}

ThreadPool::ThreadPool(int workers) : generation(countForks()) {
  workers = std::min(workers, 1024);
  threads.reserve(std::max(workers - 1, 0));
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
    epoch.fetch_add(1);
  }
  wake.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void ThreadPool::drain(int worker) {
  for (int64_t lo; (lo = next.fetch_add(chunk, std::memory_order_relaxed)) < count;)
    body(state, lo, std::min(count, lo + chunk), worker);
}

void ThreadPool::work(int worker) {
  uint64_t seen = 0;
  for (;;) {
    // Spin for about 50 us, then park: a model's kernels follow each other closely, calls do not.
    auto start = std::chrono::steady_clock::now();
    int turns = 0;
    while (epoch.load(std::memory_order_acquire) == seen) {
      __builtin_ia32_pause();
      if (++turns % 64 == 0 && std::chrono::steady_clock::now() - start > std::chrono::microseconds(50)) {
        std::unique_lock<std::mutex> guard(lock);
        parked.fetch_add(1);
        wake.wait(guard, [&] { return epoch.load() != seen; });
        parked.fetch_sub(1);
      }
    }
    seen = epoch.load(std::memory_order_acquire);
    if (stop)
      return;
    drain(worker);
    running.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::run(int64_t n, Body newBody, void *newState) {
  if (n <= 0)
    return;
  if (n == 1 || threads.empty() || forks.load(std::memory_order_relaxed) != generation || busy.exchange(true)) {
    newBody(newState, 0, n, 0);
    return;
  }
  body = newBody;
  state = newState;
  count = n;
  // About eight chunks a worker: balance against the counter's traffic.
  chunk = std::max<int64_t>(1, n / (8 * static_cast<int64_t>(workers())));
  next.store(0, std::memory_order_relaxed);
  running.store(static_cast<int>(threads.size()), std::memory_order_relaxed);
  epoch.fetch_add(1); // sequentially consistent with `parked`: either the worker sees the epoch or we see it parked
  if (parked.load() > 0) {
    {
      std::lock_guard<std::mutex> guard(lock);
    }
    wake.notify_all();
  }
  drain(0);
  while (running.load(std::memory_order_acquire) != 0)
    __builtin_ia32_pause();
  busy.store(false, std::memory_order_release);
}

} // namespace tenon::runtime
