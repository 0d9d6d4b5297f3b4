// Samples the stacks of this process's threads through perf_event_open.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/measure/perf/perf_event.h"
#include "bench/measure/perf/perf_ring.h"

namespace aioscope {

struct SampledThread {
  pid_t tid = 0;
  std::string name;
  bool of_driver = false;
};

// All threads of this process but the calling one: first those of `known`, in their order, then
// what else runs, under the names that the kernel has for them.
std::vector<SampledThread> threads_to_sample(std::vector<SampledThread> known);

// A stack as the kernel wrote it: addresses from the sampled one outwards, PERF_CONTEXT_KERNEL and
// PERF_CONTEXT_USER in front of each part.
using RawStack = std::vector<std::uint64_t>;

struct RawStackHash {
  using is_transparent = void;
  std::size_t operator()(std::span<const std::uint64_t> stack) const;
  std::size_t operator()(const RawStack& stack) const {
    return (*this)(std::span<const std::uint64_t>(stack));
  }
};
struct RawStackEqual {
  using is_transparent = void;
  bool operator()(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) const;
};
using RawStacks = std::unordered_map<RawStack, std::uint64_t, RawStackHash, RawStackEqual>;

// A record of a sampled stack.
struct StackSample {
  pid_t process = 0;
  pid_t thread = 0;
  std::span<const std::byte> stack;  // of addresses; not aligned
};
// nullopt: it makes no sense.
std::optional<StackSample> parse_stack_sample(const PerfRecord& record);

// What the events are bound to.
//   kCpus     one event per CPU that sees whatever runs there; other processes are left out when
//             the samples are read. Nothing happens when the scheduler switches threads, so that a
//             thread that runs in short pieces is seen as often as it runs. Needs more rights.
//   kThreads  one event per thread, which the kernel takes off and puts on the CPU with it. Pieces
//             shorter than the timer can be set (10 us and more) are seen too rarely.
enum class SampleScope { kCpus, kThreads };

// Cycles where the machine counts them, else cpu-clock; not the kernel where this user may not.
// Samples come between start() and stop(). drain() takes what has come; it must be called about ten
// times a second. It is meant for a thread that is not sampled, the one that constructs this, and
// costs it about 1 us per sample.
class StackSampler {
 public:
  // kThreads forces that scope; without it the better one that is allowed is taken.
  StackSampler(std::vector<SampledThread> threads, std::uint32_t frequency_hz,
               SampleScope wanted = SampleScope::kCpus);

  // Whether anything is sampled; else reason() says why not and what to do. Of one that samples but
  // not the kernel, reason() says why not that.
  bool works() const { return !event_.empty(); }
  const std::string& event() const { return event_; }
  const std::string& reason() const { return reason_; }
  bool kernel_sampled() const { return kernel_sampled_; }
  SampleScope scope() const { return scope_; }
  std::uint32_t frequency_hz() const { return frequency_hz_; }

  // Before start(): a thread of this process that is not to be looked at.
  void leave_out(pid_t thread) { left_out_.insert(thread); }

  void start();
  void drain();
  void stop();

  const RawStacks& stacks() const { return stacks_; }
  struct ThreadSamples {
    SampledThread thread;
    std::uint64_t samples = 0;
    bool sampled = true;  // false: it could not be, or began too late
  };
  // Those of the constructor, in their order; then those that began later.
  std::vector<ThreadSamples> threads() const;
  std::uint64_t lost() const;       // by the kernel for want of room, or not understood
  std::uint64_t throttled() const;  // times that the kernel stopped sampling for a moment
  std::uint64_t duration_ns() const { return std::uint64_t(end_ns_ - begin_ns_); }

 private:
  struct Source {
    PerfEvent event;
    std::unique_ptr<PerfRing> ring;
  };

  // Sets attributes_ to what this user may open for (thread, cpu); false and reason_ if nothing.
  bool choose_event(pid_t thread, int cpu);
  bool open(pid_t thread, int cpu);
  void open_cpus();
  void open_threads();
  void take(const PerfRecord& record);
  void give_up(const Refusal& refusal);

  const std::uint32_t frequency_hz_;
  const pid_t process_;
  std::set<pid_t> left_out_;  // the constructing thread among them
  SampleScope scope_ = SampleScope::kCpus;
  perf_event_attr attributes_{};
  std::string event_;
  std::string reason_;
  bool kernel_sampled_ = true;
  std::vector<Source> sources_;
  std::vector<ThreadSamples> threads_;
  std::unordered_map<pid_t, std::size_t> thread_index_;
  RawStacks stacks_;
  RawStack scratch_;
  std::uint64_t broken_ = 0;  // records that made no sense
  std::int64_t begin_ns_ = 0;
  std::int64_t end_ns_ = 0;
};

}  // namespace aioscope
