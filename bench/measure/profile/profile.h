// What sampling the stacks of a repetition's threads yields. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/measure/profile/layer_rules.h"

namespace aioscope {

// Of the implementation in the kernel, or of kioctx in its place; and its waits for locks.
inline constexpr LayerId kAioLayers[] = {layer_id("aio core"), layer_id("aio lock wait"),
                                         layer_id("io_uring core"), layer_id("io_uring lock wait")};
inline constexpr LayerId kLockWaitLayers[] = {layer_id("aio lock wait"),
                                              layer_id("io_uring lock wait")};
inline constexpr LayerId kHarnessLayers[] = {layer_id("harness")};
inline constexpr LayerId kInstrumentLayers[] = {layer_id("instrument")};
// An implementation's own work, and its waits for locks.
inline constexpr std::pair<LayerId, LayerId> kLayersWithLocks[] = {
    {layer_id("aio core"), layer_id("aio lock wait")},
    {layer_id("io_uring core"), layer_id("io_uring lock wait")}};

// Samples of a layer by where the CPU was: in the program, or in the kernel.
struct LayerSamples {
  LayerId layer = kUnmatched;
  std::uint64_t user = 0;
  std::uint64_t kernel = 0;
};

struct ProfileMeasurement {
  struct Thread {
    std::string name;  // "submitter 0", or of a driver's own thread what the kernel calls it
    bool of_driver = false;
    std::uint64_t samples = 0;
  };
  struct Stack {
    std::vector<std::string> frames;  // root first; kernel functions end in "_[k]"
    LayerId layer = kUnmatched;
    std::uint64_t samples = 0;
  };
  // Samples of the kernel that say `from` and were waits with interrupts off, which a timer cannot
  // sample: it fires when they go on again, in the unlock.
  struct Moved {
    LayerId from = kUnmatched;
    LayerId to = kUnmatched;
    std::uint64_t samples = 0;
  };
  struct Symbol {
    std::string symbol;
    std::uint64_t samples = 0;
  };

  std::string event;           // "cycles" or "cpu-clock"; empty: nothing could be sampled
  std::string reason;          // why nothing, or why not the kernel, and the cure
  std::string symbols_reason;  // why the kernel's functions have no names, and the cure
  std::string scope;           // "cpus", "threads": what the events were bound to
  bool kernel_sampled = false;
  std::uint32_t frequency_hz = 0;
  std::uint64_t samples = 0;
  std::uint64_t lost = 0;         // by the kernel, for want of room
  std::uint64_t duration_ns = 0;  // for which the events were on
  std::vector<Thread> threads;
  std::vector<std::string> threads_missed;  // began within the window, or could not be sampled
  std::vector<LayerSamples> layers;         // those with samples
  std::vector<Stack> stacks;                // the most frequent ones
  std::uint64_t rest_samples = 0;           // in all other stacks
  std::vector<Moved> moved;                 // `layers` and `stacks` differ by these
  std::vector<Symbol> unmatched;            // sampled functions of stacks that no rule knows

  // The layers can be compared with each other: kernel sampled, and its functions have names.
  bool whole() const { return !event.empty() && kernel_sampled && symbols_reason.empty(); }
  // Samples of these layers over all samples; nullopt when it is not whole or has no samples.
  std::optional<double> share_of(std::span<const LayerId> of_layers) const;
  // Makes `wait_share` of the samples those of waits in the kernel, the layer `to`, by moving what
  // is missing from `from`, which keeps at least 0.
  void move_unseen_waits(LayerId from, LayerId to, double wait_share);
};

// Time that threads were not on a CPU.
struct OffCpuMeasurement {
  // Times over the window, ns; nullopt where it could not be told.
  struct Thread {
    std::string name;
    bool of_driver = false;
    std::uint64_t switches = 0;  // off the CPU
    std::optional<std::uint64_t> completions_ns;
    std::optional<std::uint64_t> lock_ns;
    std::optional<std::uint64_t> other_wait_ns;
    std::optional<std::uint64_t> wait_ns;       // these together
    std::optional<std::uint64_t> preempted_ns;  // left it while it could have gone on
  };
  std::string source;  // "sched:sched_switch", "switch records"; empty: nothing could be had
  std::string reason;  // why nothing, or why not what is waited for, and the cure
  std::uint64_t window_ns = 0;
  std::uint64_t lost = 0;    // records, for want of room
  std::uint64_t stacks = 0;  // switches whose stack was taken
  std::vector<Thread> threads;
};

}  // namespace aioscope
