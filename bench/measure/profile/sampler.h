// Samples stacks of threads of this process through perf_event_open.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
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

// One event per thread, which are on between start() and stop(): cycles where the machine counts
// them, else cpu-clock. Not the kernel where this user may not. drain() takes what has come; it
// must be called about ten times a second. It is meant for a thread that is not sampled, and costs
// it about 1 us per sample.
class StackSampler {
 public:
  StackSampler(std::vector<SampledThread> threads, std::uint32_t frequency_hz);

  // Whether anything is sampled; else reason() says why not and what to do. Of one that samples but
  // not the kernel, reason() says why not that.
  bool works() const { return !event_.empty(); }
  const std::string& event() const { return event_; }
  const std::string& reason() const { return reason_; }
  bool kernel_sampled() const { return kernel_sampled_; }

  void start();
  void drain();
  void stop();

  const RawStacks& stacks() const { return stacks_; }
  struct ThreadSamples {
    SampledThread thread;
    std::uint64_t samples = 0;
    bool sampled = false;  // false: it had ended
  };
  std::vector<ThreadSamples> threads() const;
  std::uint64_t lost() const;
  std::uint64_t duration_ns() const { return std::uint64_t(end_ns_ - begin_ns_); }

 private:
  struct Source {
    SampledThread thread;
    PerfEvent event;
    std::unique_ptr<PerfRing> ring;
    std::uint64_t samples = 0;
  };

  void open(std::vector<SampledThread> threads);
  bool open_source(Source& source);
  void take(Source& source, const PerfRecord& record);

  const std::uint32_t frequency_hz_;
  perf_event_attr attributes_{};
  std::string event_;
  std::string reason_;
  bool kernel_sampled_ = true;
  std::vector<Source> sources_;
  RawStacks stacks_;
  RawStack scratch_;
  std::uint64_t broken_ = 0;  // records that made no sense
  std::int64_t begin_ns_ = 0;
  std::int64_t end_ns_ = 0;
};

}  // namespace aioscope
