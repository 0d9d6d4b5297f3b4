#include "bench/measure/profile/attribution.h"

#include <linux/perf_event.h>

#include <algorithm>
#include <cmath>

namespace aioscope {
namespace {

constexpr std::string_view kKernelSuffix = "_[k]";

bool is_marker(std::uint64_t address) { return address >= std::uint64_t(PERF_CONTEXT_MAX); }

std::string_view base_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

// Functions by name; what has none goes by its object.
std::string label_of(std::string_view plain, std::string_view object, bool kernel) {
  std::string label(plain);
  if (plain.empty()) {
    const std::string_view name = base_name(object);
    label = name.empty()            ? (kernel ? "[kernel]" : "[unknown]")
            : name.starts_with('[') ? std::string(name)
                                    : "[" + std::string(name) + "]";
  }
  if (kernel) label += kKernelSuffix;
  return label;
}

template <typename T>
void keep_most_frequent(std::vector<T>& items, std::size_t most) {
  std::ranges::stable_sort(items, std::greater{}, &T::samples);
  if (items.size() > most) items.resize(most);
}

}  // namespace

std::optional<double> ProfileMeasurement::share_of(std::span<const LayerId> of_layers) const {
  if (!whole() || samples == 0) return std::nullopt;
  std::uint64_t found = 0;
  for (const LayerSamples& layer : layers) {
    if (std::ranges::find(of_layers, layer.layer) != of_layers.end()) {
      found += layer.user + layer.kernel;
    }
  }
  return double(found) / double(samples);
}

void ProfileMeasurement::move_unseen_waits(LayerId from, LayerId to, double wait_share) {
  const auto at = [this](LayerId id) {
    return std::ranges::find(layers, id, &LayerSamples::layer);
  };
  if (at(from) == layers.end()) return;
  const double seen = at(to) == layers.end() ? 0 : double(at(to)->kernel);
  const double missing = std::round(wait_share * double(samples) - seen);
  const double most = std::min(missing, double(at(from)->kernel));
  if (!(most >= 1)) return;
  if (at(to) == layers.end()) {
    layers.push_back({.layer = to});
    std::ranges::sort(layers, {}, &LayerSamples::layer);
  }
  const auto count = std::uint64_t(most);
  at(from)->kernel -= count;
  at(to)->kernel += count;
  moved.push_back({from, to, count});
}

std::uint32_t Attribution::frame_of(std::uint64_t address, bool kernel) {
  const auto [at, is_new] = by_address_.try_emplace(address, 0);
  if (!is_new) return at->second;
  return at->second =
             frame_of({kernel ? symbols_.kernel(address) : symbols_.user(address), kernel});
}

std::uint32_t Attribution::frame_of(const NamedFrame& named) {
  const auto& [symbol, kernel] = named;
  const auto [at, is_new] = by_name_.try_emplace({symbol.object + ' ' + symbol.name, kernel},
                                                 std::uint32_t(frames_.size()));
  if (!is_new) return at->second;
  const std::string plain =
      kernel ? std::string(without_suffix(symbol.name)) : short_name(symbol.name);
  const LayerFrame frame{kernel, symbol.name, plain, base_name(symbol.object)};
  frames_.push_back({label_of(plain, symbol.object, kernel), {rules_.match(frame), kernel}});
  return at->second;
}

Attribution::NamedStack Attribution::name(std::span<const std::uint64_t> raw) {
  std::vector<std::uint32_t> frames;
  bool kernel = false;
  bool known_space = false;
  for (const std::uint64_t address : raw) {
    if (is_marker(address)) {
      known_space = address == std::uint64_t(PERF_CONTEXT_KERNEL) ||
                    address == std::uint64_t(PERF_CONTEXT_USER);
      kernel = address == std::uint64_t(PERF_CONTEXT_KERNEL);
      continue;
    }
    if (!known_space || address == 0) continue;
    // A caller's address is where it goes on, which may be behind its end: a byte back is the call.
    frames.push_back(frame_of(frames.empty() ? address : address - 1, kernel));
  }
  return stack_of(std::move(frames));
}

Attribution::NamedStack Attribution::name(std::span<const NamedFrame> named) {
  std::vector<std::uint32_t> frames;
  for (const NamedFrame& frame : named) frames.push_back(frame_of(frame));
  return stack_of(std::move(frames));
}

Attribution::NamedStack Attribution::stack_of(std::vector<std::uint32_t> frames) const {
  NamedStack stack{.frames = std::move(frames)};
  const std::vector<LayerRules::MatchedFrame> frames_matched = matched(stack);
  stack.in_kernel = !frames_matched.empty() && frames_matched[0].kernel;
  stack.layer = rules_.layer_of(frames_matched);
  stack.wait = LayerRules::wait_of(frames_matched);
  return stack;
}

std::vector<LayerRules::MatchedFrame> Attribution::matched(const NamedStack& stack) const {
  std::vector<LayerRules::MatchedFrame> matched;
  for (const std::uint32_t frame : stack.frames) matched.push_back(frames_[frame].matched);
  return matched;
}

LayerId Attribution::wait_layer(const NamedStack& stack) const {
  return rules_.layer_of_wait(matched(stack));
}

std::string Attribution::wait_site(const NamedStack& stack) const {
  using Action = LayerRules::Rule::Action;
  for (std::size_t i = 0; i < stack.frames.size(); ++i) {
    const Frame& frame = frames_[stack.frames[i]];
    const LayerRules::Rule* rule =
        i == 0 ? frame.matched.match.as_leaf : frame.matched.match.as_caller;
    const bool on_the_way = rule != nullptr && !frame.matched.kernel &&
                            (rule->action == Action::kCaller || (i == 0 && rule->leaf_only));
    const bool passed_over = on_the_way || (rule != nullptr && rule->action == Action::kLock);
    if (passed_over && i + 1 < stack.frames.size()) continue;
    std::string_view label = frame.label;
    if (label.ends_with(kKernelSuffix)) label.remove_suffix(kKernelSuffix.size());
    return std::string(label);
  }
  return "[unknown]";
}

ProfileMeasurement Attribution::profile_of(const StackSampler& sampler) {
  ProfileMeasurement profile;
  profile.event = sampler.event();
  profile.reason = sampler.reason();
  profile.kernel_sampled = sampler.kernel_sampled();
  profile.frequency_hz = sampler.frequency_hz();
  profile.lost = sampler.lost();
  profile.duration_ns = sampler.duration_ns();
  profile.scope = sampler.scope() == SampleScope::kCpus ? "cpus" : "threads";
  for (const auto& [thread, samples, sampled] : sampler.threads()) {
    if (sampled) {
      profile.threads.push_back({thread.name, thread.of_driver, samples});
    } else {
      profile.threads_missed.push_back(thread.name);
    }
  }

  std::map<NamedStack, std::uint64_t> stacks;
  for (const auto& [raw, samples] : sampler.stacks()) stacks[name(raw)] += samples;
  std::vector<LayerSamples> layers(kLayerNames.size());
  std::map<std::uint32_t, std::uint64_t> unmatched;
  for (const auto& [stack, samples] : stacks) {
    profile.samples += samples;
    (stack.in_kernel ? layers[stack.layer].kernel : layers[stack.layer].user) += samples;
    if (stack.layer == kUnmatched && !stack.frames.empty()) unmatched[stack.frames[0]] += samples;
    auto& kept = profile.stacks.emplace_back();
    kept.layer = stack.layer;
    kept.samples = samples;
    for (auto frame = stack.frames.rbegin(); frame != stack.frames.rend(); ++frame) {
      kept.frames.push_back(label(*frame));
    }
  }
  for (std::size_t id = 0; id < layers.size(); ++id) {
    layers[id].layer = LayerId(id);
    if (layers[id].user + layers[id].kernel > 0) profile.layers.push_back(layers[id]);
  }
  for (const auto& [frame, samples] : unmatched) {
    profile.unmatched.push_back({label(frame), samples});
  }
  keep_most_frequent(profile.unmatched, kMostUnmatched);
  keep_most_frequent(profile.stacks, kMostStacks);
  profile.rest_samples = profile.samples;
  for (const auto& stack : profile.stacks) profile.rest_samples -= stack.samples;
  if (profile.kernel_sampled && profile.samples > 0) {
    profile.symbols_reason = symbols_.kernel_reason();
  }
  return profile;
}

}  // namespace aioscope
