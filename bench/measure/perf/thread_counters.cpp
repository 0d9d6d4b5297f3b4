#include "bench/measure/perf/thread_counters.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "bench/measure/perf/pmu_sharing.h"

namespace aioscope {
namespace {

// read() of a group: number of events, time enabled, time running, and a value for each.
constexpr std::size_t kGroupHead = 3;

// Scaled to the whole time; the threads' sum is of such.
double estimate(const CounterReading& reading) {
  if (reading.running_ns == reading.enabled_ns) return double(reading.value);
  return double(reading.value) * double(reading.enabled_ns) / double(reading.running_ns);
}

}  // namespace

CounterReading operator-(const CounterReading& later, const CounterReading& earlier) {
  return {later.value - earlier.value, later.enabled_ns - earlier.enabled_ns,
          later.running_ns - earlier.running_ns};
}

ThreadCounters::ThreadCounters(std::span<const Counter> counters, pid_t thread)
    : thread_(thread), begin_(counters.size()), end_(counters.size()) {
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const Counter& counter = counters[i];
    if (!counter.usable()) continue;
    Refusal why;
    const auto joins = [&](Group& group) {
      return may_share(counters[group.counters.front()], counter) && join(group, counter, i, why);
    };
    if (std::ranges::any_of(groups_, joins)) continue;
    Group alone;
    if (join(alone, counter, i, why)) {
      groups_.push_back(std::move(alone));
    } else {
      failures_.push_back({i, std::move(why)});
    }
  }
  std::size_t most = 0;
  for (const Group& group : groups_) most = std::max(most, group.events.size());
  buffer_.resize(kGroupHead + most);
}

// A PMU with too few counters refuses a member, and then a group of its own takes turns.
bool ThreadCounters::join(Group& group, const Counter& counter, std::size_t index, Refusal& why) {
  perf_event_attr attributes = counter.attributes;
  attributes.read_format =
      PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  PerfEvent event(attributes, thread_, group.events.empty() ? nullptr : &group.events.front());
  if (!event.is_open()) {
    why = event.refusal();
    return false;
  }
  group.events.push_back(std::move(event));
  group.counters.push_back(index);
  return true;
}

void ThreadCounters::read_groups(Readings& readings) {
  for (const Group& group : groups_) {
    const std::size_t size = (kGroupHead + group.events.size()) * sizeof(std::uint64_t);
    const ssize_t got = read(group.events.front().fd(), buffer_.data(), size);
    const bool whole = got == ssize_t(size) && buffer_[0] == group.events.size();
    for (std::size_t i = 0; i < group.counters.size(); ++i) {
      std::optional<CounterReading>& reading = readings[group.counters[i]];
      reading.reset();
      if (whole) reading = CounterReading{buffer_[kGroupHead + i], buffer_[1], buffer_[2]};
    }
  }
}

std::optional<CounterReading> ThreadCounters::window(std::size_t counter) const {
  if (!begin_[counter] || !end_[counter]) return std::nullopt;
  return *end_[counter] - *begin_[counter];
}

CounterMeasurement sum_windows(std::span<const CounterReading> windows, std::uint64_t operations) {
  CounterMeasurement sum;
  double value = 0;
  for (const CounterReading& window : windows) {
    if (window.enabled_ns > 0 && window.running_ns == 0) {
      return {.reason =
                  "the PMU's counters were taken all the time; ask for fewer, and sudo sysctl "
                  "kernel.nmi_watchdog=0"};
    }
    sum.enabled_ns += window.enabled_ns;
    sum.running_ns += window.running_ns;
    sum.scaled = sum.scaled || window.running_ns < window.enabled_ns;
    value += estimate(window);
  }
  sum.value = std::uint64_t(std::llround(value));
  if (operations > 0) sum.per_op = value / double(operations);
  return sum;
}

std::vector<CounterMeasurement> sum_counters(std::span<const Counter> counters,
                                             std::span<const ThreadCounters> threads,
                                             std::uint64_t operations) {
  std::vector<CounterMeasurement> sums;
  for (std::size_t i = 0; i < counters.size(); ++i) {
    std::string reason = counters[i].refusal.text();
    std::vector<CounterReading> windows;
    for (const ThreadCounters& thread : threads) {
      if (!reason.empty()) break;
      const auto window = thread.window(i);
      const auto failure =
          std::ranges::find(thread.failures(), i, &ThreadCounters::Failure::counter);
      if (failure != thread.failures().end()) {
        reason = failure->refusal.text();
      } else if (!window) {
        reason = "the counter could not be read: its PMU gave it up";
      } else {
        windows.push_back(*window);
      }
    }
    CounterMeasurement& sum = sums.emplace_back();
    if (reason.empty()) {
      sum = sum_windows(windows, operations);
    } else {
      sum.reason = std::move(reason);
    }
    sum.name = counters[i].name;
    sum.in_ns = counters[i].kind() == CounterKind::kClock;
  }
  return sums;
}

}  // namespace aioscope
