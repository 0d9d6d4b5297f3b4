#include "bench/measure/profile/sampler.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

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
  attributes.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_CALLCHAIN;
  attributes.disabled = 1;
  attributes.exclude_idle = 1;
  attributes.exclude_hv = 1;
  attributes.exclude_guest = 1;
  return attributes;
}

// "" when the thread has ended.
std::string comm_of(pid_t tid) {
  std::string name;
  std::ifstream file("/proc/self/task/" + std::to_string(tid) + "/comm");
  std::getline(file, name);
  return name;
}

}  // namespace

std::vector<SampledThread> threads_to_sample(std::vector<SampledThread> known) {
  std::set<pid_t> seen{gettid()};
  for (const SampledThread& thread : known) seen.insert(thread.tid);
  std::vector<SampledThread> others;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", error)) {
    const auto tid = pid_t(std::atoi(entry.path().filename().c_str()));
    if (tid == 0 || seen.contains(tid)) continue;
    others.push_back({tid, comm_of(tid), true});
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

StackSampler::StackSampler(std::vector<SampledThread> threads, std::uint32_t frequency_hz,
                           SampleScope wanted)
    : frequency_hz_(frequency_hz), process_(getpid()), left_out_{gettid()}, scope_(wanted) {
  for (SampledThread& thread : threads) {
    thread_index_[thread.tid] = threads_.size();
    threads_.push_back({std::move(thread), 0, true});
  }
  if (wanted == SampleScope::kCpus && choose_event(-1, 0) && kernel_sampled_) {
    open_cpus();
    if (works()) return;
  }
  scope_ = SampleScope::kThreads;
  if (choose_event(0, -1)) open_threads();
}

bool StackSampler::choose_event(pid_t thread, int cpu) {
  const std::pair<const char*, perf_event_attr> events[] = {
      {"cycles", sampling(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, frequency_hz_)},
      {"cpu-clock", sampling(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, frequency_hz_)}};
  event_.clear();
  reason_.clear();
  for (const bool user_only : {false, true}) {
    for (const auto& [name, attributes] : events) {
      attributes_ = attributes;
      attributes_.exclude_kernel = user_only ? 1 : 0;
      const PerfEvent trial(attributes_, thread, nullptr, cpu);
      if (trial.is_open()) {
        event_ = name;
        kernel_sampled_ = !user_only;
        reason_ = user_only ? "the kernel's part is missing: " + reason_ : "";
        return true;
      }
      // What keeps cpu-clock away is what counts: the machine need not have cycles.
      if (!user_only) reason_ = trial.refusal().text();
    }
  }
  kernel_sampled_ = false;
  return false;
}

bool StackSampler::open(pid_t thread, int cpu) {
  Source source{PerfEvent(attributes_, thread, nullptr, cpu), nullptr};
  if (!source.event.is_open()) {
    // A CPU that is off and a thread that has ended have nothing to sample.
    if (source.event.refusal().error == ENODEV || source.event.refusal().error == ESRCH) {
      return false;
    }
    give_up(source.event.refusal());
    return false;
  }
  source.ring = std::make_unique<PerfRing>(source.event, ring_bytes(frequency_hz_));
  if (!source.ring->is_open()) {
    give_up(source.ring->refusal());
    return false;
  }
  sources_.push_back(std::move(source));
  return true;
}

void StackSampler::open_cpus() {
  const auto count = int(sysconf(_SC_NPROCESSORS_CONF));
  for (int cpu = 0; cpu < count && works(); ++cpu) open(-1, cpu);
}

void StackSampler::open_threads() {
  for (ThreadSamples& thread : threads_) {
    thread.sampled = open(thread.thread.tid, -1);
    if (!works()) return;
  }
}

void StackSampler::give_up(const Refusal& refusal) {
  reason_ = refusal.text();
  event_.clear();
  kernel_sampled_ = false;
  sources_.clear();
}

void StackSampler::start() {
  begin_ns_ = end_ns_ = monotonic_ns();
  for (const Source& source : sources_) ioctl(source.event.fd(), PERF_EVENT_IOC_ENABLE, 0);
}

void StackSampler::stop() {
  for (const Source& source : sources_) ioctl(source.event.fd(), PERF_EVENT_IOC_DISABLE, 0);
  end_ns_ = monotonic_ns();
  drain();
  std::vector<SampledThread> known;
  for (const ThreadSamples& thread : threads_) known.push_back(thread.thread);
  std::vector<SampledThread> now = threads_to_sample(std::move(known));
  for (std::size_t i = threads_.size(); i < now.size(); ++i) {
    if (left_out_.contains(now[i].tid)) continue;
    threads_.push_back({std::move(now[i]), 0, false});
  }
}

void StackSampler::drain() {
  for (Source& source : sources_) {
    source.ring->reader().drain([&](const PerfRecord& record) { take(record); });
  }
}

std::optional<StackSample> parse_stack_sample(const PerfRecord& record) {
  RecordFields fields(record.body);
  StackSample sample;
  sample.process = fields.take<pid_t>();
  sample.thread = fields.take<pid_t>();
  const auto depth = fields.take<std::uint64_t>();
  if (depth > record.body.size() / sizeof(std::uint64_t)) return std::nullopt;
  sample.stack = fields.take_bytes(depth * sizeof(std::uint64_t));
  if (!fields.ok()) return std::nullopt;
  return sample;
}

void StackSampler::take(const PerfRecord& record) {
  if (record.type != PERF_RECORD_SAMPLE) return;
  const auto sample = parse_stack_sample(record);
  if (!sample) {
    ++broken_;
    return;
  }
  if (sample->process != process_ || left_out_.contains(sample->thread)) return;
  const auto [index, is_new] = thread_index_.try_emplace(sample->thread, threads_.size());
  if (is_new) threads_.push_back({{sample->thread, comm_of(sample->thread), true}, 0, true});
  ++threads_[index->second].samples;
  scratch_.resize(sample->stack.size() / sizeof(std::uint64_t));
  if (!sample->stack.empty()) {
    std::memcpy(scratch_.data(), sample->stack.data(), sample->stack.size());
  }
  const std::span<const std::uint64_t> stack(scratch_);
  if (const auto at = stacks_.find(stack); at != stacks_.end()) {
    ++at->second;
  } else {
    stacks_.emplace(scratch_, 1);
  }
}

std::vector<StackSampler::ThreadSamples> StackSampler::threads() const { return threads_; }

std::uint64_t StackSampler::lost() const {
  std::uint64_t lost = broken_;
  for (const Source& source : sources_) {
    lost += source.ring->reader().lost() + source.ring->reader().corrupt();
  }
  return lost;
}

std::uint64_t StackSampler::throttled() const {
  std::uint64_t throttled = 0;
  for (const Source& source : sources_) throttled += source.ring->reader().throttled();
  return throttled;
}

}  // namespace aioscope
