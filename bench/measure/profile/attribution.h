// Makes a profile of sampled stacks: names for addresses, a layer for each stack.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/measure/profile/layer_rules.h"
#include "bench/measure/profile/profile.h"
#include "bench/measure/profile/sampler.h"
#include "bench/measure/symbols/symbols.h"

namespace aioscope {

// Keeps what it has looked up, so that one serves all repetitions of a run. The first use reads the
// kernel's symbols, about 0.1 s: not within a measured window. Not thread-safe.
class Attribution {
 public:
  static constexpr std::size_t kMostStacks = 128;
  static constexpr std::size_t kMostUnmatched = 20;

  explicit Attribution(LayerRules rules) : rules_(std::move(rules)) {}

  // After stop().
  ProfileMeasurement profile_of(const StackSampler& sampler);

  // From the sampled function outwards, indices for label(); and the layer.
  struct NamedStack {
    std::vector<std::uint32_t> frames;
    LayerId layer = kUnmatched;
    LayerRules::Wait wait = LayerRules::Wait::kOther;  // if the thread left its CPU here
    bool in_kernel = false;
    // All else follows from the frames.
    bool operator<(const NamedStack& other) const { return frames < other.frames; }
  };
  NamedStack name(std::span<const std::uint64_t> raw);
  // Of a stack of another tool, whose functions have names already.
  struct NamedFrame {
    Symbol symbol;
    bool kernel = false;
  };
  NamedStack name(std::span<const NamedFrame> named);
  const std::string& label(std::uint32_t frame) const { return frames_[frame].label; }
  // The function that waits with this stack for a lock: the first that is no lock's own function,
  // by the rules. Of a program's stack, which is in a futex call, neither the C library's way into
  // the kernel nor what has `caller`. Without the suffix of the kernel's.
  std::string wait_site(const NamedStack& stack) const;
  // The layer that waiting with this stack belongs to. Of a futex in the kernel it is not known:
  // kUnmatched.
  LayerId wait_layer(const NamedStack& stack) const;
  Symbols& symbols() { return symbols_; }

 private:
  struct Frame {
    std::string label;
    LayerRules::MatchedFrame matched;
  };
  std::uint32_t frame_of(std::uint64_t address, bool kernel);
  std::uint32_t frame_of(const NamedFrame& named);
  NamedStack stack_of(std::vector<std::uint32_t> frames) const;
  std::vector<LayerRules::MatchedFrame> matched(const NamedStack& stack) const;

  const LayerRules rules_;
  Symbols symbols_;
  std::vector<Frame> frames_;
  std::map<std::pair<std::string, bool>, std::uint32_t> by_name_;  // "OBJECT FUNCTION", kernel
  std::unordered_map<std::uint64_t, std::uint32_t> by_address_;    // kernel and user do not overlap
};

}  // namespace aioscope
