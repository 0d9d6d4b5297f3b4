#include "bench/measure/locks/lock_observer.h"

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "bench/measure/clock.h"
#include "tests/bench/fake_root.h"
#include "tests/bench/mutate.h"

namespace aioscope {
namespace {

NamedSite no_name(std::span<const std::uint64_t> stack) {
  return {"depth " + std::to_string(stack.size()), ""};
}

// Threads that sleep on futexes which nobody wakes.
class Crowd {
 public:
  explicit Crowd(int count) : tids_(std::size_t(count)) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, i] { body(i); });
    }
    while (ready_ < count) std::this_thread::yield();
  }
  ~Crowd() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  std::span<const pid_t> tids() const { return tids_; }

 private:
  void body(int index) {
    tids_[std::size_t(index)] = gettid();
    ++ready_;
    std::uint32_t word = 0;
    const timespec moment{0, 200'000};
    while (!stop_) {
      // A futex that nobody wakes: a wait of 0.2 ms.
      syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &moment, nullptr, 0);
    }
  }

  std::vector<pid_t> tids_;
  std::vector<std::thread> threads_;
  std::atomic<int> ready_{0};
  std::atomic<bool> stop_{false};
};

TEST(LockObserver, SeesWaitsOnFutexes) {
  const Crowd crowd(2);
  LockObserver observer(crowd.tids());
  const std::int64_t begin_ns = monotonic_ns();
  observer.start();
  sleep_until_ns(begin_ns + 50'000'000);
  observer.stop();
  const double window_ns = double(monotonic_ns() - begin_ns);
  const LockWaits waits = observer.futex_waits(no_name, 10);
  if (!waits.traced()) GTEST_SKIP() << waits.reason;
  EXPECT_EQ(waits.source, "syscalls:sys_enter_futex");
  EXPECT_EQ(waits.lost, 0u);
  EXPECT_EQ(waits.operations, 10u);
  ASSERT_FALSE(waits.sites.empty());
  EXPECT_EQ(waits.sites[0].kind, "futex");
  EXPECT_NE(waits.sites[0].site, "depth 0");
  EXPECT_GT(waits.contended(), 10u);
  EXPECT_GE(waits.events, waits.contended());
  EXPECT_LE(waits.unfinished, 2u);
  // Nothing else is what the two threads do.
  EXPECT_LT(double(waits.wait_ns()), 2 * window_ns);
  EXPECT_GT(double(waits.wait_ns()), 0.5 * window_ns);
  EXPECT_GE(waits.sites[0].wait_ns_p50.value_or(0), 190'000);
  EXPECT_GT(observer.own_usage().user_ns + observer.own_usage().system_ns, 0u);
}

TEST(LockObserver, CountsNothingOutsideOfItsWindow) {
  const Crowd crowd(1);
  LockObserver observer(crowd.tids());
  sleep_until_ns(monotonic_ns() + 20'000'000);  // a hundred waits
  const std::int64_t begin_ns = monotonic_ns();
  observer.start();
  observer.stop();
  const std::int64_t window_ns = monotonic_ns() - begin_ns;
  const LockWaits waits = observer.futex_waits(no_name, 1);
  if (!waits.traced()) GTEST_SKIP() << waits.reason;
  EXPECT_LE(waits.contended(), std::uint64_t(window_ns / 200'000 + 2));
}

TEST(LockObserver, SurvivesThreadsThatHaveEnded) {
  pid_t ended = 0;
  std::thread([&] { ended = gettid(); }).join();
  LockObserver observer({&ended, 1});
  observer.start();
  observer.stop();
  const LockWaits waits = observer.kernel_locks(no_name, 1);
  EXPECT_EQ(waits.contended(), 0u);
  EXPECT_NE(waits.source.empty(), waits.reason.empty());
}

TEST(WaitTracer, SaysWhyItDoesNotWork) {
  const FakeRoot root;
  std::filesystem::create_directories(root.path() / "sys/kernel/tracing");
  const pid_t self = gettid();
  WaitTracer tracer(WaitKind::kKernelLocks, {&self, 1}, Tracefs(root.path()));
  EXPECT_FALSE(tracer.works());
  EXPECT_NE(tracer.refusal().text().find("tracefs is not mounted"), std::string::npos);
  tracer.start();
  tracer.drain();
  tracer.stop();
  EXPECT_EQ(tracer.events(), 0u);
}

TEST(WaitTracer, RefusesARecordWithoutTheLock) {
  const FakeRoot root;
  const std::string directory = "sys/kernel/tracing/events/lock/";
  for (const std::string name : {"contention_begin", "contention_end"}) {
    root.write(directory + name + "/format",
               "name: " + name +
                   "\nID: 1\nformat:\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n");
  }
  const pid_t self = gettid();
  const WaitTracer tracer(WaitKind::kKernelLocks, {&self, 1}, Tracefs(root.path()));
  EXPECT_FALSE(tracer.works());
  EXPECT_NE(tracer.refusal().reason.find("lock_addr"), std::string::npos)
      << tracer.refusal().reason;
}

PerfRecord record_of(std::string_view body) {
  return {PERF_RECORD_SAMPLE, 0, std::as_bytes(std::span(body))};
}

std::string packed(std::initializer_list<std::uint64_t> words) {
  return {reinterpret_cast<const char*>(words.begin()), words.size() * sizeof(std::uint64_t)};
}

TEST(WaitRecord, OfABeginHasAStack) {
  // id, time, two addresses, and 4 + 12 bytes of the tracepoint
  const std::string begin = packed({7, 1'000, 2, 0xa, 0xb, 12 | 5ull << 32, 6});
  const auto parsed = parse_wait_record(record_of(begin), 7);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->now_ns, 1'000);
  EXPECT_EQ(parsed->stack.size(), 16u);
  EXPECT_EQ(parsed->raw.size(), 12u);
  EXPECT_EQ(std::to_integer<int>(parsed->raw[0]), 5);
  EXPECT_EQ(parse_wait_record(record_of(begin), 8)->raw.size(), 2u) << "an end's has none";
  EXPECT_FALSE(parse_wait_record(record_of(begin.substr(0, 50)), 7));
  EXPECT_FALSE(parse_wait_record(record_of(packed({7, 1'000, ~0ull})), 7));
  EXPECT_FALSE(parse_wait_record(record_of(""), 7));
}

TEST(WaitRecord, SurvivesMutants) {
  const std::string begin = packed({7, 1'000, 2, 0xa, 0xb, 12 | 5ull << 32, 6});
  int good = 0, bad = 0;
  for_each_mutant(begin, 20'000, [&](const std::string& text) {
    // Of its exact size, so that AddressSanitizer sees a read past its end.
    const std::vector<char> body(text.begin(), text.end());
    const PerfRecord record{PERF_RECORD_SAMPLE, 0, std::as_bytes(std::span(body))};
    const auto parsed = parse_wait_record(record, 7);
    ++(parsed ? good : bad);
    if (!parsed) return;
    ASSERT_LE(parsed->stack.size() + parsed->raw.size(), body.size());
    ASSERT_EQ(parsed->stack.size() % 8, 0u);
    std::uint64_t sum = 0;
    for (const std::byte byte : parsed->stack) sum += std::to_integer<std::uint64_t>(byte);
    for (const std::byte byte : parsed->raw) sum += std::to_integer<std::uint64_t>(byte);
    ASSERT_LE(sum, 255 * body.size());
  });
  EXPECT_GT(good, 1'000);
  EXPECT_GT(bad, 1'000);
}

}  // namespace
}  // namespace aioscope
