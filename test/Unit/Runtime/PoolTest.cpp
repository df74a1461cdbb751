//===- PoolTest.cpp - regions cover their items once, whoever calls and however often --------===//
#include "tenon/Runtime/ThreadPool.h"

#include <chrono>
#include <gtest/gtest.h>
#include <numeric>
#include <sys/wait.h>
#include <unistd.h>

using tenon::runtime::ThreadPool;

namespace {

/// How often each item ran; two workers of the same number at the same time are a failure.
struct Counts {
  explicit Counts(int64_t n, int workers) : items(n), inside(workers) {}
  std::vector<std::atomic<int>> items;
  std::vector<std::atomic<int>> inside;
  std::atomic<bool> clash{false};

  static void body(void *state, int64_t lo, int64_t hi, int32_t worker) {
    auto *counts = static_cast<Counts *>(state);
    if (counts->inside[worker]++ != 0)
      counts->clash = true;
    for (int64_t i = lo; i < hi; ++i)
      counts->items[i]++;
    counts->inside[worker]--;
  }
  bool allOnce() const {
    for (const std::atomic<int> &item : items)
      if (item != 1)
        return false;
    return !clash;
  }
};

TEST(Pool, CoversItemsOnce) {
  for (int workers : {1, 2, 5}) {
    ThreadPool pool(workers);
    for (int64_t n : {1, 2, 7, 64, 1000}) {
      Counts counts(n, workers);
      pool.run(n, Counts::body, &counts);
      EXPECT_TRUE(counts.allOnce()) << workers << " workers, " << n << " items";
    }
  }
}

TEST(Pool, BackwardCoversItemsOnceToo) {
  for (int workers : {1, 2, 5}) {
    ThreadPool pool(workers);
    for (int64_t n : {1, 2, 7, 64, 1000}) {
      Counts counts(n, workers);
      pool.run(n, Counts::body, &counts, /*backward=*/true);
      EXPECT_TRUE(counts.allOnce()) << workers << " workers, " << n << " items";
    }
  }
}

TEST(Pool, BackwardStartsAtTheEnd) {
  ThreadPool pool(1);
  std::vector<int64_t> order;
  auto note = [](void *state, int64_t lo, int64_t hi, int32_t) {
    for (int64_t i = lo; i < hi; ++i)
      static_cast<std::vector<int64_t> *>(state)->push_back(i);
  };
  pool.run(4, note, &order, /*backward=*/true);
  EXPECT_EQ(order, (std::vector<int64_t>{3, 2, 1, 0}));
}

TEST(Pool, NoItemsNoCalls) {
  ThreadPool pool(2);
  auto never = [](void *, int64_t, int64_t, int32_t) { ADD_FAILURE(); };
  pool.run(0, never, nullptr);
  pool.run(-3, never, nullptr);
}

TEST(Pool, ManyRegionsWithAndWithoutParking) {
  ThreadPool pool(3);
  for (int region = 0; region < 2000; ++region) {
    Counts counts(10, 3);
    pool.run(10, Counts::body, &counts);
    ASSERT_TRUE(counts.allOnce()) << region;
    if (region % 500 == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(2)); // the workers park
  }
}

// More workers than cores, and pauses about as long as they spin: some come late to a region, or when it is over and
// what it worked on is gone.
TEST(Pool, WorkersThatComeLate) {
  ThreadPool pool(16);
  for (int region = 0; region < 400; ++region) {
    Counts counts(2 + region % 39, 16);
    pool.run(counts.items.size(), Counts::body, &counts);
    ASSERT_TRUE(counts.allOnce()) << region;
    std::this_thread::sleep_for(std::chrono::microseconds(region % 4 * 30));
  }
}

TEST(Pool, CallersFromSeveralThreads) {
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<int> bad{0};
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int region = 0; region < 200; ++region) {
        Counts counts(33, 3);
        pool.run(33, Counts::body, &counts);
        bad += !counts.allOnce();
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(bad, 0);
}

TEST(Pool, NestedRegions) {
  ThreadPool pool(3);
  struct State {
    ThreadPool &pool;
    std::atomic<int> items{0};
  } state{pool};
  pool.run(
      8,
      [](void *opaque, int64_t lo, int64_t hi, int32_t) {
        for (int64_t i = lo; i < hi; ++i)
          static_cast<State *>(opaque)->pool.run(
              5,
              [](void *inner, int64_t from, int64_t to, int32_t) { static_cast<State *>(inner)->items += to - from; },
              opaque);
      },
      &state);
  EXPECT_EQ(state.items, 40);
}

TEST(Pool, ForkedProcessRunsAlone) {
  ThreadPool pool(3);
  Counts before(50, 3);
  pool.run(50, Counts::body, &before);
  pid_t child = fork();
  if (child == 0) {
    alarm(10);
    Counts counts(50, 3);
    pool.run(50, Counts::body, &counts);
    bool ok = counts.allOnce();
    {
      ThreadPool own(2);
      Counts more(50, 2);
      own.run(50, Counts::body, &more);
      ok = ok && more.allOnce();
    }
    pool.~ThreadPool();
    _exit(ok ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Pool, CoresAreCounted) { EXPECT_GE(tenon::runtime::availableCores(), 1); }

/// Not judged, because the machine may be busy: --gtest_filter=*RegionStart prints it.
TEST(Pool, RegionStart) {
  ThreadPool pool(2);
  auto nothing = [](void *, int64_t, int64_t, int32_t) {};
  double best = 1e9;
  for (int round = 0; round < 20; ++round) {
    auto start = std::chrono::steady_clock::now();
    for (int region = 0; region < 1000; ++region)
      pool.run(2, nothing, nullptr);
    std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
    best = std::min(best, elapsed.count() / 1000);
  }
  std::printf("region of two workers: %.0f ns\n", best);
}

} // namespace
