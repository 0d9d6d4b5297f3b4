#include "bench/measure/profile/sampler.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "bench/measure/clock.h"

namespace aioscope {
namespace {

// Room for a quarter of a second of samples of this size, and drained every tenth.
constexpr std::size_t kBytesPerSample = 1024;
constexpr std::size_t kLeastRing = 64 * 1024;
constexpr std::size_t kMostRing = 4 * 1024 * 1024;

std::size_t ring_bytes(std::uint32_t frequency_hz) {
  return std::clamp(frequency_hz * kBytesPerSample / 4, kLeastRing, kMostRing);
}

perf_event_attr sampling(std::uint32_t type, std::uint64_t config, std::uint32_t frequency_hz) {
  perf_event_attr attributes = event_attributes(type, config);
  attributes.freq = 1;
  attributes.sample_freq = frequency_hz;
  attributes.sample_type = PERF_SAMPLE_CALLCHAIN;
  attributes.disabled = 1;
  attributes.exclude_hv = 1;
  attributes.exclude_guest = 1;
  return attributes;
}

bool is_rights(int error) { return error == EACCES || error == EPERM; }

}  // namespace

std::vector<SampledThread> threads_to_sample(std::vector<SampledThread> known) {
  std::set<pid_t> seen{gettid()};
  for (const SampledThread& thread : known) seen.insert(thread.tid);
  std::vector<SampledThread> others;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", error)) {
    const auto tid = pid_t(std::atoi(entry.path().filename().c_str()));
    if (tid == 0 || seen.contains(tid)) continue;
    std::string name;
    std::getline(std::ifstream(entry.path() / "comm"), name);
    others.push_back({tid, std::move(name), true});
  }
  std::ranges::sort(others, {}, &SampledThread::tid);
  std::ranges::move(others, std::back_inserter(known));
  return known;
}

std::size_t RawStackHash::operator()(std::span<const std::uint64_t> stack) const {
  std::uint64_t hash = stack.size();
  for (const std::uint64_t address : stack) {
    hash = (hash ^ address) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
  }
  return hash;
}

bool RawStackEqual::operator()(std::span<const std::uint64_t> a,
                               std::span<const std::uint64_t> b) const {
  return std::ranges::equal(a, b);
}

StackSampler::StackSampler(std::vector<SampledThread> threads, std::uint32_t frequency_hz)
    : frequency_hz_(frequency_hz) {
  attributes_ = sampling(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, frequency_hz);
  event_ = "cycles";
  PerfEvent trial(attributes_, 0);
  if (!trial.is_open() && !is_rights(trial.refusal().error)) {
    attributes_ = sampling(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, frequency_hz);
    event_ = "cpu-clock";
    trial = PerfEvent(attributes_, 0);
  }
  if (!trial.is_open() && is_rights(trial.refusal().error)) {
    kernel_sampled_ = false;
    reason_ = "the kernel's part is missing: " + trial.refusal().text();
    attributes_.exclude_kernel = 1;
    trial = PerfEvent(attributes_, 0);
    // A PMU that is not there is refused only to those who might have used it.
    if (!trial.is_open() && event_ == "cycles") {
      attributes_ = sampling(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, frequency_hz);
      attributes_.exclude_kernel = 1;
      event_ = "cpu-clock";
      trial = PerfEvent(attributes_, 0);
    }
  }
  if (!trial.is_open()) {
    event_.clear();
    kernel_sampled_ = false;
    reason_ = trial.refusal().text();
    return;
  }
  open(std::move(threads));
}

void StackSampler::open(std::vector<SampledThread> threads) {
  for (SampledThread& thread : threads) {
    Source source{std::move(thread), {}, nullptr, 0};
    if (!open_source(source)) {
      event_.clear();
      sources_.clear();
      return;
    }
    sources_.push_back(std::move(source));
  }
}

// False when nothing can be sampled. A thread that has ended is not, which is no failure.
bool StackSampler::open_source(Source& source) {
  source.event = PerfEvent(attributes_, source.thread.tid);
  if (!source.event.is_open()) {
    if (source.event.refusal().error == ESRCH || source.thread.of_driver) return true;
    reason_ = source.event.refusal().text();
    return false;
  }
  source.ring = std::make_unique<PerfRing>(source.event, ring_bytes(frequency_hz_));
  if (source.ring->is_open()) return true;
  reason_ = source.ring->refusal().text();
  return false;
}

void StackSampler::start() {
  begin_ns_ = end_ns_ = monotonic_ns();
  for (const Source& source : sources_) {
    if (source.ring) ioctl(source.event.fd(), PERF_EVENT_IOC_ENABLE, 0);
  }
}

void StackSampler::stop() {
  for (const Source& source : sources_) {
    if (source.ring) ioctl(source.event.fd(), PERF_EVENT_IOC_DISABLE, 0);
  }
  end_ns_ = monotonic_ns();
  drain();
}

void StackSampler::drain() {
  for (Source& source : sources_) {
    if (!source.ring) continue;
    source.ring->reader().drain([&](const PerfRecord& record) { take(source, record); });
  }
}

void StackSampler::take(Source& source, const PerfRecord& record) {
  if (record.type != PERF_RECORD_SAMPLE) return;
  RecordFields fields(record.body);
  const auto depth = fields.take<std::uint64_t>();
  if (depth > record.body.size() / sizeof(std::uint64_t)) {
    ++broken_;
    return;
  }
  const auto bytes = fields.take_bytes(depth * sizeof(std::uint64_t));
  if (!fields.ok()) {
    ++broken_;
    return;
  }
  scratch_.resize(depth);
  std::memcpy(scratch_.data(), bytes.data(), bytes.size());
  ++source.samples;
  const std::span<const std::uint64_t> stack(scratch_);
  if (const auto at = stacks_.find(stack); at != stacks_.end()) {
    ++at->second;
  } else {
    stacks_.emplace(scratch_, 1);
  }
}

std::vector<StackSampler::ThreadSamples> StackSampler::threads() const {
  std::vector<ThreadSamples> threads;
  for (const Source& source : sources_) {
    threads.push_back({source.thread, source.samples, source.ring != nullptr});
  }
  return threads;
}

std::uint64_t StackSampler::lost() const {
  std::uint64_t lost = broken_;
  for (const Source& source : sources_) {
    if (source.ring) lost += source.ring->reader().lost() + source.ring->reader().corrupt();
  }
  return lost;
}

}  // namespace aioscope
