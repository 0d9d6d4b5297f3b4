#include "drivers/kioctx/device.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "drivers/kioctx/counts.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

constexpr std::int64_t kMs = 1'000'000;

std::size_t stage_of(std::string_view name) {
  const auto* stage = std::ranges::find(kStages, name, &NamedStage::name);
  return std::size_t(stage - kStages.begin());
}

std::int64_t process_cpu_ns() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec * 1'000'000'000 + used.tv_nsec;
}

std::set<pid_t> threads_of_process() {
  std::set<pid_t> threads;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    threads.insert(pid_t(std::atoi(task.path().filename().c_str())));
  }
  return threads;
}

std::vector<int> usable_cpus(pid_t of) {
  cpu_set_t set;
  EXPECT_EQ(sched_getaffinity(of, sizeof set, &set), 0);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

// A context, and a device that it uses as a file.
class DeviceFixture : public StageFixture {
 protected:
  using StageFixture::StageFixture;

  void open(const std::string& spec, std::uint32_t nr_events = 256) {
    device_ = device_of(parse_device_spec(spec));
    file_ = device_->install(files_);
    setup(nr_events);
  }
  // The device's threads may be putting the file when the last event has been reaped already.
  void TearDown() override {
    if (id_ != 0) destroy();
    device_.reset();
    StageFixture::TearDown();
  }
  std::vector<IoEvent> reap_all(std::uint32_t count) { return reap(count, count, in_ms(30'000)); }

  std::shared_ptr<SimulatedDevice> device_;
  std::uint32_t file_ = 0;
};

class KioctxDevice : public DeviceFixture, public testing::WithParamInterface<std::size_t> {
 protected:
  KioctxDevice() : DeviceFixture(GetParam()) {}

  void submit_many(std::uint32_t count, std::uint64_t first);
  void reap_many(std::vector<std::atomic<int>>& seen, std::atomic<std::uint32_t>& left);
  void expect_each_once(std::span<const std::atomic<int>> seen);

  std::atomic<std::uint64_t> submitted_{0};
};
// Those that complete, count slots and end differently.
INSTANTIATE_TEST_SUITE_P(Stages, KioctxDevice,
                         testing::Values(stage_of("v3.7"), stage_of("lazy-cancel"),
                                         stage_of("series"), stage_of("mainline"),
                                         stage_of("batch-completion"), stage_of("percpu-rings")),
                         stage_test_name);

// `count` reads with data from `first`, in batches, for as long as it takes.
void KioctxDevice::submit_many(std::uint32_t count, std::uint64_t first) {
  constexpr std::uint32_t kBatch = 16;
  for (std::uint32_t done = 0; done < count;) {
    const auto iocbs = reads(file_, std::min(kBatch, count - done), first + done);
    const IoSubmitResult result = submit(iocbs);
    done += result.submitted;
    submitted_ = first + done;
    if (result.submitted < iocbs.size()) {
      ASSERT_EQ(result.error, EAGAIN);
      std::this_thread::yield();
    }
  }
}

void KioctxDevice::reap_many(std::vector<std::atomic<int>>& seen,
                             std::atomic<std::uint32_t>& left) {
  std::vector<IoEvent> events(32);
  while (left > 0) {
    const std::int64_t got = calls().io_getevents(id_, 1, events, in_ms(5));
    ASSERT_GE(got, 0);
    for (std::int64_t i = 0; i < got; ++i) {
      ++seen.at(events[std::size_t(i)].data);
      if (events[std::size_t(i)].res != -ECANCELED) {
        EXPECT_EQ(events[std::size_t(i)].res, 512);
      }
    }
    left -= std::uint32_t(got);
  }
}

void KioctxDevice::expect_each_once(std::span<const std::atomic<int>> seen) {
  EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& times) { return times == 1; }))
      << std::ranges::count_if(seen, [](const auto& times) { return times == 0; }) << " lost";
  EXPECT_EQ(reap(16).size(), 0u) << "came without having been asked for";
}

TEST_P(KioctxDevice, ManyThreadsGetEachRequestBackOnce) {
  constexpr std::uint32_t kSubmitters = 3, kEach = 2000;
  for (const char* spec :
       {"latency=5us,cpus=2", "latency=5us,jitter=40us,cpus=2,coalesce=8", "latency=0ns"}) {
    SCOPED_TRACE(spec);
    open(spec);
    std::vector<std::atomic<int>> seen(kSubmitters * kEach);
    std::atomic<std::uint32_t> left = kSubmitters * kEach;
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < kSubmitters; ++i) {
      threads.emplace_back([&, i] { submit_many(kEach, i * kEach); });
    }
    for (int i = 0; i < 2; ++i) threads.emplace_back([&] { reap_many(seen, left); });
    for (std::thread& thread : threads) thread.join();
    expect_each_once(seen);
    destroy();
  }
}

// Whatever is cancelled while its end comes, ends once: by its event, or by what io_cancel() says.
TEST_P(KioctxDevice, CancellingRacesWithTheEnd) {
  constexpr std::uint32_t kMost = 100'000, kLeast = 2000, kAtATime = 100;
  open("latency=5us,jitter=50us,cpus=2,coalesce=4,cancel=yes");
  std::vector<std::atomic<int>> seen(kMost);
  std::atomic<std::uint32_t> left = kMost, cancelled = 0;
  std::thread reaper([&] { reap_many(seen, left); });
  std::thread canceller([&] {
    IoEvent event;
    for (std::uint64_t data = 0; left > 0; ++data) {
      // One of the newest, most of which still wait.
      const int error = calls().io_cancel(id_, submitted_ - 1 - data % 8, &event);
      if (error == 0) {
        ++seen.at(event.data);
        --left;
      }
      if (error != -EINVAL) ++cancelled;
    }
  });
  std::uint32_t count = 0;
  // Until the canceller has had a CPU for a while.
  for (; count < kLeast || (cancelled < 20 && count < kMost); count += kAtATime) {
    submit_many(kAtATime, count);
  }
  left -= kMost - count;
  reaper.join();
  canceller.join();
  expect_each_once(std::span(seen).first(count));
  EXPECT_GT(cancelled, 0u);
  EXPECT_LT(cancelled, count);
}

TEST_P(KioctxDevice, WhatWaitsCanBeCancelledIfTheDeviceSaysSo) {
  open("latency=10s,cancel=yes");
  ASSERT_EQ(submit(reads(file_, 4)).submitted, 4u);
  IoEvent event;
  const bool posted = stage().event_for_cancelled;
  ASSERT_EQ(calls().io_cancel(id_, 2, &event), posted ? -EINPROGRESS : 0);
  if (posted) event = reap_all(1).at(0);
  EXPECT_EQ(event.data, 2u);
  EXPECT_EQ(event.res, -ECANCELED);
  EXPECT_EQ(calls().io_cancel(id_, 2, &event), -EINVAL) << "cancelled twice";
  const std::int64_t begin = monotonic_ns();
  destroy();  // cancels the others
  EXPECT_LT(monotonic_ns() - begin, 5000 * kMs);
}

TEST_P(KioctxDevice, WhatWaitsCannotBeCancelledOtherwise) {
  open("latency=50ms");
  ASSERT_EQ(submit(reads(file_, 1)).submitted, 1u);
  IoEvent event;
  EXPECT_EQ(calls().io_cancel(id_, 0, &event), -EINVAL);
  EXPECT_EQ(reap_all(1).size(), 1u);
}

TEST_P(KioctxDevice, AContextWaitsForItsRequestsWhenItEnds) {
  open("latency=30ms,coalesce=4,cpus=2");
  const std::int64_t begin = monotonic_ns();
  ASSERT_EQ(submit(reads(file_, 32)).submitted, 32u);
  destroy();
  EXPECT_GE(monotonic_ns() - begin, 30 * kMs);
}

TEST_P(KioctxDevice, ContextsOfOneSpecificationShareADevice) {
  open("latency=3ms,coalesce=8");
  AioContextId other = 0;
  ASSERT_EQ(calls().io_setup(64, &other), 0);
  EXPECT_EQ(device_of(parse_device_spec("coalesce=8,latency=3000us")), device_);
  EXPECT_NE(device_of(parse_device_spec("coalesce=4,latency=3ms")), device_);
  ASSERT_EQ(submit(reads(file_, 20, 100)).submitted, 20u);
  ASSERT_EQ(calls().io_submit(other, files_, reads(file_, 20, 200)).submitted, 20u);
  for (const IoEvent& event : reap_all(20)) EXPECT_EQ(event.data / 100, 1u);
  std::vector<IoEvent> events(20);
  EXPECT_EQ(calls().io_getevents(other, 20, events, in_ms(30'000)), 20);
  for (const IoEvent& event : events) EXPECT_EQ(event.data / 100, 2u);
  EXPECT_EQ(calls().io_destroy(other), 0);
}

class KioctxDeviceOnSeries : public DeviceFixture {
 protected:
  KioctxDeviceOnSeries() : DeviceFixture(stage_of("series")) {}

  // From the submission of one request to its event.
  std::int64_t time_one() {
    const std::int64_t begin = monotonic_ns();
    EXPECT_EQ(submit(reads(file_, 1)).submitted, 1u);
    EXPECT_EQ(reap_all(1).size(), 1u);
    return monotonic_ns() - begin;
  }
  std::uint32_t failures_of(const std::string& spec, std::uint32_t count);
};

TEST_F(KioctxDeviceOnSeries, NothingEndsBeforeItsTime) {
  open("latency=2ms");
  for (int i = 0; i < 10; ++i) EXPECT_GE(time_one(), 2 * kMs);
}

TEST_F(KioctxDeviceOnSeries, AnEarlierOneWakesTheDevice) {
  // Of a thousand the first is due within a few of 10000 ms.
  open("latency=0ns,jitter=10s,cancel=yes", 1000);
  for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(submit(reads(file_, 1, i)).submitted, 1u);
  const std::int64_t begin = monotonic_ns();
  EXPECT_EQ(reap_all(1).size(), 1u);
  EXPECT_LT(monotonic_ns() - begin, 3000 * kMs);
}

TEST_F(KioctxDeviceOnSeries, JitterMakesSomeLaterAndChangesTheirOrder) {
  open("latency=1ms,jitter=6ms");
  std::int64_t longest_ns = 0;
  for (int i = 0; i < 20; ++i) {
    const std::int64_t took_ns = time_one();
    EXPECT_GE(took_ns, 1 * kMs);
    longest_ns = std::max(longest_ns, took_ns);
  }
  EXPECT_GE(longest_ns, 4 * kMs);
  ASSERT_EQ(submit(reads(file_, 32)).submitted, 32u);
  EXPECT_FALSE(std::ranges::is_sorted(reap_all(32), {}, &IoEvent::data));
}

TEST_F(KioctxDeviceOnSeries, WithoutJitterTheOrderStays) {
  open("latency=1ms,coalesce=4");
  for (std::uint32_t i = 0; i < 32; i += 8) ASSERT_EQ(submit(reads(file_, 8, i)).submitted, 8u);
  EXPECT_TRUE(std::ranges::is_sorted(reap_all(32), {}, &IoEvent::data));
}

// How many of `count` requests fail, all others having their bytes.
std::uint32_t KioctxDeviceOnSeries::failures_of(const std::string& spec, std::uint32_t count) {
  open(spec);
  std::uint32_t failed = 0;
  for (std::uint32_t done = 0; done < count; done += 100) {
    EXPECT_EQ(submit(reads(file_, 100)).submitted, 100u);
    for (const IoEvent& event : reap_all(100)) {
      if (event.res == -EIO) {
        ++failed;
      } else {
        EXPECT_EQ(event.res, 512);
      }
    }
  }
  destroy();
  device_.reset();
  return failed;
}

TEST_F(KioctxDeviceOnSeries, RequestsFailAtTheRateThatWasAskedFor) {
  EXPECT_EQ(failures_of("latency=0ns,error-rate=0", 1000), 0u);
  EXPECT_EQ(failures_of("latency=0ns,error-rate=1", 1000), 1000u);
  // 2000 of 20000 with a standard deviation of 42.4: within 4 of them.
  const std::uint32_t failed = failures_of("latency=0ns,error-rate=0.1,coalesce=8", 20'000);
  EXPECT_NEAR(failed, 2000, 170);
  EXPECT_EQ(failures_of("latency=0ns,error-rate=0.1,coalesce=8", 20'000), failed)
      << "not the same again";
}

TEST_F(KioctxDeviceOnSeries, ThreadsHaveACpuEachFromTheEndOfTheProcesss) {
  const auto before = threads_of_process();
  // As a harness does it: the thread that opens is pinned, the process is not.
  std::thread([&] {
    const OneCpu pinned;
    open("cpus=1024");
  }).join();
  std::vector<int> expected = usable_cpus(getpid());
  std::ranges::reverse(expected);
  EXPECT_EQ(device_->cpus(), expected);
  std::vector<int> pinned_to;
  std::vector<pid_t> own;
  for (const pid_t thread : threads_of_process()) {
    if (before.contains(thread)) continue;
    const auto cpus = usable_cpus(thread);
    ASSERT_EQ(cpus.size(), 1u);
    pinned_to.push_back(cpus[0]);
    own.push_back(thread);
  }
  std::ranges::sort(pinned_to, std::greater<>());
  EXPECT_EQ(pinned_to, expected);
  destroy();
  device_.reset();
  for (const pid_t thread : own) EXPECT_FALSE(threads_of_process().contains(thread));
}

TEST_F(KioctxDeviceOnSeries, IdleThreadsUseNoCpu) {
  open("latency=10s,cpus=2,cancel=yes");
  for (const bool something_waits : {false, true}) {
    if (something_waits) {
      ASSERT_EQ(submit(reads(file_, 8)).submitted, 8u);
    }
    const std::int64_t begin = process_cpu_ns();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    EXPECT_LT(process_cpu_ns() - begin, 30 * kMs) << something_waits;
  }
}

// What the device's threads count until 64 requests, submitted and due together, have ended.
CountSums counted(std::string_view stage, const std::string& spec) {
  constexpr std::uint32_t kCount = 64;
  const StageCalls& calls = kStageCalls[stage_of(stage)];
  CountSums sums = service_counts();
  FileTable files;
  auto device = device_of(parse_device_spec(spec));
  const std::vector<Iocb> iocbs(
      kCount, {.nbytes = 512, .fildes = device->install(files), .opcode = IocbCommand::kPread});
  AioContextId id = 0;
  EXPECT_EQ(calls.io_setup(kCount, &id), 0);
  EXPECT_EQ(calls.io_submit(id, files, iocbs).submitted, kCount);
  std::vector<IoEvent> events(kCount);
  EXPECT_EQ(calls.io_getevents(id, kCount, events, in_ms(30'000)), kCount);
  EXPECT_EQ(calls.io_destroy(id), 0);
  device.reset();  // its thread ends, and counts no more
  const CountSums end = service_counts();
  for (std::size_t i = 0; i < kLockSites; ++i) {
    sums.locks[i].acquisitions = end.locks[i].acquisitions - sums.locks[i].acquisitions;
  }
  sums.shared_rmw = end.shared_rmw - sums.shared_rmw;
  sums.wakeups = end.wakeups - sums.wakeups;
  return sums;
}

std::uint64_t ring_updates(const CountSums& sums) {
  return sums.locks[std::size_t(LockSite::kTail)].acquisitions;
}

TEST(KioctxCoalescing, AnInterruptUpdatesTheRingOnceAndWakesOnce) {
  const CountSums one_by_one = counted("batch-completion", "latency=5ms,coalesce=1");
  EXPECT_EQ(ring_updates(one_by_one), 64u);
  const CountSums coalesced = counted("batch-completion", "latency=5ms,coalesce=8");
  EXPECT_EQ(ring_updates(coalesced), 8u);
  EXPECT_LE(coalesced.wakeups, 8u + 4u) << "of its reaper, and perhaps of a lock's waiter";
  EXPECT_LT(coalesced.shared_rmw, one_by_one.shared_rmw / 3);
  EXPECT_EQ(ring_updates(counted("batch-completion", "latency=5ms,coalesce=64")), 1u);
}

TEST(KioctxCoalescing, StagesBeforeItPostOneByOneStill) {
  EXPECT_EQ(ring_updates(counted("series", "latency=5ms,coalesce=8")), 64u);
}

}  // namespace
}  // namespace aioscope::kioctx
