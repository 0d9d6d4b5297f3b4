#include "bench/runner.h"

#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "bench/measure/profile/attribution.h"
#include "drivers/registry.h"

namespace aioscope {
namespace {

RunSettings short_settings() {
  RunSettings settings;
  settings.warmup_ns = 20'000'000;
  settings.window_ns = 100'000'000;
  settings.watchdog_ns = 1'000'000'000;
  settings.usable_cpus = 2;
  return settings;
}

Measurement measure(const Row& row, const RunSettings& settings = short_settings(),
                    const std::atomic<bool>& stop = std::atomic<bool>(false)) {
  const Registry registry;
  return run_repetition(
      *registry.find(row.driver), row, settings, stop, [](std::int64_t, std::uint64_t) {},
      [](std::string_view what) { FAIL() << what; });
}

Row null_row(Workload workload, std::uint32_t submitters, std::uint32_t reapers = 1,
             std::uint32_t contexts = 1) {
  Row row;
  row.driver = "null";
  row.workload = workload;
  row.submitters = submitters;
  row.reapers = reapers;
  row.contexts = contexts;
  return row;
}

void expect_sound(const Row& row, const Measurement& m) {
  SCOPED_TRACE(row.name());
  EXPECT_GT(m.operations, 0u);
  EXPECT_EQ(m.submitted, m.completed);
  EXPECT_GE(m.submitted, m.operations);
  EXPECT_EQ(m.thread.size(), row.threads());
  EXPECT_EQ(m.threads, row.threads());
  EXPECT_GE(m.window_ns, 99'000'000u);  // a busy machine may make it longer
  EXPECT_NEAR(m.operations_per_s, double(m.operations) * 1e9 / double(m.window_ns),
              m.operations_per_s * 1e-9);
  EXPECT_FALSE(m.slices_ops_per_s.empty());
  EXPECT_FALSE(m.setup.empty());
  std::uint64_t submitters = 0, operations_in_threads = 0;
  for (const ThreadMeasurement& thread : m.thread) {
    if (thread.role != ThreadRole::kSubmitter && thread.role != ThreadRole::kSubmitterReaper) {
      continue;
    }
    ++submitters;
    operations_in_threads += thread.operations;
  }
  // One operation in about 32 is stamped, and a thread that saw few may have stamped none.
  if (operations_in_threads > 1000) {
    EXPECT_GT(m.latency.count(), 0u);
  }
  EXPECT_EQ(submitters, row.submitters);
  EXPECT_EQ(m.oversubscribed, row.threads() > 2);
}

TEST(Runner, EveryWorkloadInEveryShape) {
  for (const Row& row :
       {null_row(Workload::kPerThread, 1), null_row(Workload::kPerThread, 3),
        null_row(Workload::kShared, 1), null_row(Workload::kShared, 4),
        null_row(Workload::kShared, 2, 3), null_row(Workload::kAggregate, 1),
        null_row(Workload::kAggregate, 3), null_row(Workload::kGrouped, 4, 2, 2),
        null_row(Workload::kGrouped, 2, 1, 4), null_row(Workload::kGrouped, 1, 3, 2)}) {
    expect_sound(row, measure(row));
  }
}

// The thread that takes the records of locks is none of the row's.
TEST(Runner, LooksAtNoThreadOfItsOwn) {
  Attribution attribution(LayerRules::builtin());
  RunSettings settings = short_settings();
  settings.attribution = &attribution;
  settings.profile_hz = 4'000;
  std::size_t threads[2] = {};
  for (const bool locks : {false, true}) {
    settings.trace_locks = locks;
    const Measurement m = measure(null_row(Workload::kShared, 2), settings);
    ASSERT_TRUE(m.profile.has_value());
    ASSERT_EQ(m.kernel_locks.has_value(), locks);
    if (m.profile->event.empty()) GTEST_SKIP() << m.profile->reason;
    threads[locks] = m.profile->threads.size();
    EXPECT_TRUE(m.profile->threads_missed.empty());
    for (const std::string& warning : m.warnings) {
      EXPECT_EQ(warning.find("not traced"), std::string::npos) << warning;
    }
  }
  EXPECT_EQ(threads[0], threads[1]);
}

// The function that calls the C library's is missing in stacks: not the driver's.
[[gnu::noinline]] void sleep_on_a_futex() {
  const timespec moment{0, 1'000};
  std::uint32_t word = 0;
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &moment, nullptr, 0);
}

// The driver null, whose submit calls sleep on a futex.
class SleepingContext final : public Context {
 public:
  explicit SleepingContext(std::unique_ptr<Context> null) : null_(std::move(null)) {}
  SubmitResult submit(std::span<const Request> requests) override {
    sleep_on_a_futex();
    return null_->submit(requests);
  }
  ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) override {
    return null_->reap(out, min, deadline);
  }
  std::string setup() const override { return "sleeps"; }

 private:
  const std::unique_ptr<Context> null_;
};

// The first of a number of operations is seen as well as the last.
TEST(Runner, LooksBeforeTheFirstOfANumberOfOperations) {
  const Registry registry;
  static const Driver* const null = registry.find("null");
  Driver driver = *null;
  driver.open = [](const ContextOptions& options) -> std::unique_ptr<Context> {
    return std::make_unique<SleepingContext>(null->open(options));
  };
  Attribution attribution(LayerRules::builtin());
  RunSettings settings = short_settings();
  settings.attribution = &attribution;
  settings.trace_locks = true;
  settings.operations = 1;
  const std::atomic<bool> stop{false};
  const Measurement m = run_repetition(
      driver, null_row(Workload::kPerThread, 4), settings, stop, [](std::int64_t, std::uint64_t) {},
      [](std::string_view) { FAIL() << "hang"; });
  ASSERT_TRUE(m.futex_waits);
  if (!m.futex_waits->traced()) GTEST_SKIP() << m.futex_waits->reason;
  std::uint64_t seen = 0;
  for (const WaitSite& site : m.futex_waits->sites) {
    if (site.layer == "driver library") seen += site.contended;
  }
  EXPECT_EQ(seen, 4u);
}

TEST(Runner, EveryOperationAndTarget) {
  for (const Operation operation :
       {Operation::kRead, Operation::kWrite, Operation::kMixed, Operation::kNop}) {
    for (const FileKind kind : {FileKind::kNull, FileKind::kZero}) {
      Row row = null_row(Workload::kPerThread, 1);
      row.operation = operation;
      row.target.kind = kind;
      expect_sound(row, measure(row));
    }
  }
}

TEST(Runner, DepthOneAndBatchesLargerThanTheDepth) {
  for (const Workload workload : {Workload::kPerThread, Workload::kShared, Workload::kAggregate}) {
    Row row = null_row(workload, 2);
    row.depth = 1;
    row.batch = 64;
    expect_sound(row, measure(row));
    row.depth = 100;
    row.batch = 7;
    expect_sound(row, measure(row));
  }
}

TEST(Runner, OpenLoopKeepsItsRate) {
  for (const Workload workload : {Workload::kPerThread, Workload::kShared, Workload::kAggregate}) {
    for (const Arrival arrival : {Arrival::kConstant, Arrival::kPoisson}) {
      Row row = null_row(workload, 2);
      row.rate_per_s = 20'000;
      row.arrival = arrival;
      RunSettings settings = short_settings();
      settings.window_ns = 500'000'000;
      const Measurement m = measure(row, settings);
      // A closed loop does millions; a busy machine may hold a thread back for a while.
      EXPECT_GT(m.operations_per_s, 5'000) << row.name();
      EXPECT_LT(m.operations_per_s, 60'000) << row.name();
      EXPECT_EQ(m.latency_mode, "full");
    }
  }
}

TEST(Runner, CpuTimeAndThroughputAgreeForABusyThread) {
  const Measurement m = measure(null_row(Workload::kPerThread, 1));
  const double wall_ns_per_op = 1e9 / m.operations_per_s;
  // One thread that never blocks cannot use more CPU than the time that passed.
  EXPECT_LE(m.cpu_user_ns_per_op + m.cpu_system_ns_per_op, wall_ns_per_op * 1.5);
  EXPECT_GT(m.cpu_user_ns_per_op, 0);
}

std::uint64_t acquisitions(const Measurement& m, std::string_view site) {
  for (const auto& found : m.driver_counts.value().lock_sites) {
    if (found.site == site) return found.acquisitions;
  }
  return 0;
}

// What v3.7 does for each request, in numbers that differ only by what the edges of the window cut.
TEST(Runner, TakesWhatTheDriverCountsOfItself) {
  Row row = null_row(Workload::kPerThread, 2);
  row.driver = "kioctx@v3.7";
  const Measurement m = measure(row);
  const double operations = double(m.driver_counts.value().operations);
  EXPECT_GT(operations, 1000);
  const double slack = 2 * row.depth;
  for (const char* site : {"ctx_lock/submit", "ctx_lock/put", "ctx_lock/complete"}) {
    EXPECT_NEAR(double(acquisitions(m, site)), operations, slack) << site;
  }
  EXPECT_NEAR(double(acquisitions(m, "ctx_lock/alloc-batch")), operations / row.batch, slack);
  EXPECT_EQ(acquisitions(m, "tail/complete"), 0u);
  EXPECT_NEAR(double(m.driver_counts->allocations.value()), operations, 2 * slack);
}

// Requests of a real file are completed by threads of the driver.
TEST(Runner, CountsTheDriversOwnThreads) {
  const std::string path = testing::TempDir() + "counts.dat";
  make_target_file(path, 1 << 20, false);
  Row row = null_row(Workload::kPerThread, 1);
  row.driver = "kioctx@series";
  row.target = {.kind = FileKind::kFile, .path = path, .spec = ""};
  row.buffered = true;
  RunSettings settings = short_settings();
  settings.window_ns = 500'000'000;  // its edges, on a busy machine, are ms away from each other
  const Measurement m = measure(row, settings);
  EXPECT_NEAR(double(acquisitions(m, "tail/complete")), double(m.driver_counts->operations),
              2 * row.depth + 0.05 * double(m.driver_counts->operations));
  std::remove(path.c_str());
}

Row device_row(Workload workload, std::uint32_t submitters, const std::string& spec) {
  Row row = null_row(workload, submitters);
  row.driver = "kioctx@series";
  row.target = {.kind = FileKind::kDevice, .path = "", .spec = spec};
  return row;
}

TEST(Runner, CountsTheErrorsThatADeviceWasAskedFor) {
  for (const Workload workload : {Workload::kPerThread, Workload::kShared, Workload::kAggregate}) {
    const Row row = device_row(workload, 2, "latency=5us,coalesce=8,error-rate=0.2");
    SCOPED_TRACE(row.name());
    const Measurement m = measure(row);
    const double operations = double(m.operations);
    EXPECT_NEAR(double(m.failed_operations), 0.2 * operations, 0.05 * operations + 100);
    EXPECT_NEAR(double(m.bytes), 512 * 0.8 * operations, 512 * (0.05 * operations + 1000));
    ASSERT_EQ(m.warnings.size(), 1u);
    EXPECT_NE(m.warnings[0].find("error-rate"), std::string::npos);
  }
  const Measurement m = measure(device_row(Workload::kPerThread, 1, "latency=5us"));
  EXPECT_EQ(m.failed_operations, 0u);
  EXPECT_TRUE(m.warnings.empty());
}

TEST(Runner, TheThreadsOfADeviceNeedCpusToo) {
  EXPECT_FALSE(measure(device_row(Workload::kPerThread, 1, "cpus=1")).oversubscribed);
  EXPECT_TRUE(measure(device_row(Workload::kPerThread, 1, "cpus=2")).oversubscribed);
  Row without = device_row(Workload::kPerThread, 1, "cpus=2");
  without.driver = "null";
  EXPECT_FALSE(measure(without).oversubscribed);
}

// The workers that serve a file, and the kernel's thread of a ring.
TEST(Runner, TheThreadsOfADriverNeedCpusToo) {
  const std::string path = testing::TempDir() + "workers.dat";
  make_target_file(path, 1 << 20, false);
  Row row = null_row(Workload::kPerThread, 1);
  row.driver = "kioctx@series";
  row.target = {.kind = FileKind::kFile, .path = path, .spec = ""};
  row.buffered = true;
  row.depth = 1;  // and one worker
  EXPECT_FALSE(measure(row).oversubscribed);
  row.depth = 2;
  EXPECT_TRUE(measure(row).oversubscribed);
  RunSettings settings = short_settings();
  settings.injection = {.locks = 1};  // hides no thread
  EXPECT_TRUE(measure(row, settings).oversubscribed);
  std::remove(path.c_str());

  Row ring = null_row(Workload::kPerThread, 2);
  ring.driver = "io_uring@sqpoll";
  const Registry registry;
  if (!registry.find(ring.driver)->probe().usable) GTEST_SKIP() << "no io_uring here";
  EXPECT_TRUE(measure(ring).oversubscribed);
}

TEST(Runner, OnlyDriversThatCountHaveCounts) {
  EXPECT_FALSE(measure(null_row(Workload::kPerThread, 1)).driver_counts.has_value());
  Row row = null_row(Workload::kShared, 2);
  row.driver = "io_uring";
  const Registry registry;
  if (!registry.find(row.driver)->probe().usable) GTEST_SKIP() << "no io_uring here";
  const Measurement m = measure(row);
  EXPECT_GT(acquisitions(m, "ring/submit"), 0u);
  EXPECT_GT(acquisitions(m, "ring/reap"), 0u);
  EXPECT_FALSE(m.driver_counts->shared_rmw.has_value());
}

TEST(Runner, EachSubmitterDoesItsNumberOfOperations) {
  RunSettings settings = short_settings();
  settings.operations = 1'000;
  for (const Row& row :
       {null_row(Workload::kPerThread, 2), null_row(Workload::kShared, 3),
        null_row(Workload::kAggregate, 2), null_row(Workload::kGrouped, 4, 2, 2)}) {
    SCOPED_TRACE(row.name());
    const Measurement m = measure(row, settings);
    EXPECT_EQ(m.operations, 1'000u * row.submitters);
    EXPECT_EQ(m.submitted, m.operations);
    EXPECT_GT(m.window_ns, 0u);
    EXPECT_EQ(m.system_calls_source, "driver");
    for (const ThreadMeasurement& thread : m.thread) {
      if (thread.role == ThreadRole::kSubmitter || thread.role == ThreadRole::kSubmitterReaper) {
        EXPECT_EQ(thread.operations, 1'000u);
      }
    }
  }
}

// Of a stage without anything per CPU: what those count depends on where the thread has been.
TEST(Runner, TheSameOperationsTakeTheSameLocks) {
  Row row = null_row(Workload::kPerThread, 1);
  row.driver = "kioctx@v3.7";
  RunSettings settings = short_settings();
  settings.operations = 10'000;
  const Measurement first = measure(row, settings);
  const Measurement second = measure(row, settings);
  ASSERT_TRUE(first.driver_counts && second.driver_counts);
  EXPECT_GT(first.driver_counts->shared_rmw.value_or(0), 10'000u);
  EXPECT_EQ(first.driver_counts->shared_rmw, second.driver_counts->shared_rmw);
  EXPECT_GT(acquisitions(first, "ctx_lock/submit"), 0u);
  EXPECT_EQ(acquisitions(first, "ctx_lock/submit"), acquisitions(second, "ctx_lock/submit"));
}

TEST(Runner, InjectsWhatItSays) {
  for (const Workload workload : {Workload::kPerThread, Workload::kShared}) {
    Row row = null_row(workload, 2);
    RunSettings settings = short_settings();
    settings.operations = 3'200;
    settings.injection = {.delay_ns = 2'000, .locks = 3, .calls = 1, .calls_per_operation = 2};
    const Measurement slowed = measure(row, settings);
    ASSERT_TRUE(slowed.driver_counts);
    ASSERT_EQ(slowed.driver_counts->lock_sites.size(), 1u);
    EXPECT_EQ(slowed.driver_counts->lock_sites[0].site, kInjectedLockSite);
    EXPECT_EQ(slowed.driver_counts->lock_sites[0].acquisitions, 3 * slowed.operations);
    EXPECT_GT(slowed.system_calls_per_op, 2.0);
    EXPECT_LT(slowed.system_calls_per_op, 3.1);  // a submit call starts 1 to 32
    // CPU time, which a busy machine does not make less.
    EXPECT_GT(slowed.cpu_user_ns_per_op + slowed.cpu_system_ns_per_op, 1'500.0);
    EXPECT_FALSE(slowed.warnings.empty());
  }
}

TEST(Runner, LatencyCanBeOff) {
  Row row = null_row(Workload::kPerThread, 1);
  row.latency = LatencyMode::kOff;
  const Measurement m = measure(row);
  EXPECT_EQ(m.latency.count(), 0u);
  EXPECT_TRUE(std::isnan(m.latency.percentile_ns(0.5)));
  EXPECT_EQ(m.latency_mode, "off");
}

TEST(Runner, StopEndsTheRepetitionEarly) {
  RunSettings settings = short_settings();
  settings.window_ns = 60'000'000'000;
  std::atomic<bool> stop{false};
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop = true;
  });
  const auto start = std::chrono::steady_clock::now();
  const Measurement m = measure(null_row(Workload::kShared, 2), settings, stop);
  stopper.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  EXPECT_EQ(m.submitted, m.completed);
  EXPECT_LT(m.window_ns, 20'000'000'000u);
}

TEST(Runner, PinsItsThreads) {
  RunSettings settings = short_settings();
  settings.cpus = {0};
  const Measurement m = measure(null_row(Workload::kPerThread, 2), settings);
  for (const ThreadMeasurement& thread : m.thread) EXPECT_EQ(thread.cpu, 0);
  settings.cpus = {100'000 % CPU_SETSIZE};  // no such CPU
  EXPECT_THROW(measure(null_row(Workload::kPerThread, 2), settings), RunError);
}

TEST(Runner, AThreadThatCannotBeStartedIsSaidAndNothingHangs) {
  // Stacks need address space; a limit just above what is used leaves room for a few.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve the whole address space";
#endif
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  rlimit tight = before;
  tight.rlim_cur = pages * 4096 + (64 << 20);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  EXPECT_THROW(measure(null_row(Workload::kPerThread, 64)), RunError);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
}

TEST(Runner, CountsEachThreadInItsWindow) {
  const std::string names[] = {"task-clock", "page-faults:u", "context-switches:u"};
  RunSettings settings = short_settings();
  settings.counters = find_counters(names);
  const Measurement m = measure(null_row(Workload::kPerThread, 2), settings);
  ASSERT_EQ(m.counters.size(), 3u);
  if (!settings.counters[0].usable()) GTEST_SKIP() << settings.counters[0].refusal.text();
  std::uint64_t cpu_ns = 0, operations = 0;
  for (const ThreadMeasurement& thread : m.thread) {
    cpu_ns += thread.user_ns + thread.system_ns;
    operations += thread.operations;
  }
  const CounterMeasurement& clock = m.counters[0];
  ASSERT_TRUE(clock.value && clock.per_op);
  EXPECT_NEAR(double(*clock.value), double(cpu_ns), 0.1 * double(cpu_ns));
  EXPECT_DOUBLE_EQ(*clock.per_op, double(*clock.value) / double(operations));
  EXPECT_EQ(clock.enabled_ns, clock.running_ns);
  EXPECT_TRUE(clock.in_ns);
  EXPECT_TRUE(m.counters[1].value.has_value());
  EXPECT_EQ(m.counters[2].value, std::nullopt);
  EXPECT_FALSE(m.counters[2].reason.empty());
}

TEST(Runner, ACounterThatAThreadCannotHaveFailsTheRepetitionUnlessBestEffort) {
  RunSettings settings = short_settings();
  Counter counter = find_counters(std::vector<std::string>{"page-faults:u"})[0];
  if (!counter.usable()) GTEST_SKIP() << counter.refusal.text();
  counter.attributes.config = 1u << 20;  // was there when it was tried, and is not any more
  settings.counters = {counter};
  try {
    measure(null_row(Workload::kShared, 2), settings);
    FAIL() << "measured without the counter";
  } catch (const RunError& error) {
    EXPECT_NE(std::string(error.what()).find("counter page-faults:u of thread 1: perf_event_open"),
              std::string::npos)
        << error.what();
  }
  settings.counters_best_effort = true;
  const Measurement m = measure(null_row(Workload::kShared, 2), settings);
  EXPECT_EQ(m.counters[0].value, std::nullopt);
  EXPECT_NE(m.counters[0].reason.find("perf_event_open"), std::string::npos);
}

TEST(Runner, SplitsTheLatency) {
  Row row = null_row(Workload::kPerThread, 1);
  row.latency = LatencyMode::kFull;
  const Measurement own = measure(row);
  const LatencySplit& split = own.latency_split;
  // Every call of the window.
  EXPECT_NEAR(double(split.calls_timed),
              double(own.thread[0].submit_calls + own.thread[0].reap_calls),
              0.01 * double(split.calls_timed));
  EXPECT_GT(split.submit_call_ns_per_op, 0);
  EXPECT_GT(split.reap_call_ns_per_op, 0);
  EXPECT_GT(split.in_flight_ns_per_op, 0);
  EXPECT_LE(split.in_flight_ns_per_op, own.latency.mean_ns());

  row.latency = LatencyMode::kSampled;
  const Measurement sampled = measure(row);
  EXPECT_GT(sampled.latency_split.calls_timed, 0u);
  EXPECT_LT(sampled.latency_split.calls_timed, sampled.thread[0].submit_calls);

  // Submitters and reapers are other threads.
  EXPECT_GT(measure(null_row(Workload::kShared, 2)).latency_split.in_flight_ns_per_op, 0);

  row.latency = LatencyMode::kOff;
  const Measurement off = measure(row);
  EXPECT_EQ(off.latency_split.calls_timed, 0u);
  EXPECT_TRUE(std::isnan(off.latency_split.submit_call_ns_per_op));
  EXPECT_TRUE(std::isnan(off.latency_split.in_flight_ns_per_op));
  EXPECT_TRUE(std::isnan(off.latency_split.reap_call_ns_per_op));
}

}  // namespace
}  // namespace aioscope
