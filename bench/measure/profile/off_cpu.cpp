#include "bench/measure/profile/off_cpu.h"

#include <sys/ioctl.h>

#include <cerrno>
#include <ctime>
#include <variant>

#include "bench/measure/clock.h"
#include "bench/measure/perf/tracefs.h"
#include "bench/measure/usage.h"

namespace aioscope {
namespace {

// A tenth of a second of 100 000 switches, 32 bytes in and out, and stacks.
constexpr std::size_t kRingBytes = 512 * 1024;
constexpr std::string_view kTracepoint = "sched:sched_switch";

perf_event_attr with_switches(std::uint32_t type, std::uint64_t config) {
  perf_event_attr attributes = event_attributes(type, config);
  attributes.disabled = 1;
  attributes.context_switch = 1;
  attributes.sample_id_all = 1;
  attributes.sample_type = PERF_SAMPLE_TIME;
  attributes.use_clockid = 1;
  attributes.clockid = CLOCK_MONOTONIC;
  return attributes;
}

}  // namespace

void SwitchAccount::stack(std::span<const std::uint64_t> stack) {
  stack_.assign(stack.begin(), stack.end());
}

void SwitchAccount::account(std::uint64_t now_ns) {
  const std::uint64_t passed_ns = now_ns > last_ns_ ? now_ns - last_ns_ : 0;
  last_ns_ = now_ns;
  if (state_ == State::kPreempted) preempted_ns_ += passed_ns;
  if (state_ != State::kWaiting) return;
  wait_ns_ += passed_ns;
  if (!stack_.empty()) waits_[stack_] += passed_ns;
}

void SwitchAccount::switch_out(std::uint64_t now_ns, bool could_go_on) {
  if (state_ != State::kUnknown && state_ != State::kRunning) gap();
  last_ns_ = now_ns;
  known_ = true;
  ++switches_;
  state_ = could_go_on ? State::kPreempted : State::kWaiting;
}

void SwitchAccount::switch_in(std::uint64_t now_ns) {
  // One that was off since before the beginning: nobody saw why.
  if (!known_ && !lost_) state_ = State::kWaiting;
  account(now_ns);
  known_ = true;
  state_ = State::kRunning;
  stack_.clear();
}

void SwitchAccount::gap() {
  lost_ = true;
  state_ = State::kUnknown;
  stack_.clear();
}

void SwitchAccount::end(std::uint64_t now_ns, std::optional<std::uint64_t> cpu_ns) {
  if (!known_ && !lost_ && cpu_ns) {
    // It ran all the time, or not at all.
    const std::uint64_t passed_ns = now_ns > last_ns_ ? now_ns - last_ns_ : 0;
    state_ = *cpu_ns < passed_ns / 2 ? State::kWaiting : State::kRunning;
    known_ = true;
  }
  account(now_ns);
  state_ = State::kUnknown;
  stack_.clear();
}

OffCpuRecorder::OffCpuRecorder(std::vector<SampledThread> threads, std::uint32_t stacks_hz) {
  choose_event(stacks_hz);
  if (!source_.empty()) open(std::move(threads));
}

void OffCpuRecorder::choose_event(std::uint32_t stacks_hz) {
  const auto id = Tracefs().id(kTracepoint);
  if (const auto* number = std::get_if<std::uint64_t>(&id)) {
    attributes_ = with_switches(PERF_TYPE_TRACEPOINT, *number);
    attributes_.sample_type |= PERF_SAMPLE_CALLCHAIN;
    attributes_.freq = 1;
    attributes_.sample_freq = stacks_hz;
    const PerfEvent trial(attributes_, 0);
    if (trial.is_open()) {
      source_ = kTracepoint;
      return;
    }
    reason_ = trial.refusal().text();
  } else {
    reason_ = std::get<Refusal>(id).text();
  }
  reason_ = "what is waited for is not known: " + reason_;
  attributes_ = with_switches(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY);
  attributes_.exclude_kernel = 1;
  const PerfEvent trial(attributes_, 0);
  if (trial.is_open()) {
    source_ = "switch records";
  } else {
    reason_ = trial.refusal().text();
  }
}

void OffCpuRecorder::open(std::vector<SampledThread> threads) {
  for (SampledThread& thread : threads) {
    Source source{std::move(thread), {}, nullptr, {}, 0, {}};
    source.event = PerfEvent(attributes_, source.thread.tid);
    if (source.event.is_open()) {
      source.ring = std::make_unique<PerfRing>(source.event, kRingBytes);
    }
    const bool refused =
        source.ring == nullptr ? source.event.refusal().error != ESRCH : !source.ring->is_open();
    if (refused) {
      reason_ =
          source.ring == nullptr ? source.event.refusal().text() : source.ring->refusal().text();
      source_.clear();
      sources_.clear();
      return;
    }
    if (source.ring) sources_.push_back(std::move(source));
  }
}

void OffCpuRecorder::start() {
  begin_ns_ = end_ns_ = monotonic_ns();
  for (Source& source : sources_) {
    source.account.begin(std::uint64_t(begin_ns_));
    source.cpu_begin_ns = cpu_ns_of(source.thread.tid);
    ioctl(source.event.fd(), PERF_EVENT_IOC_ENABLE, 0);
  }
}

void OffCpuRecorder::stop() {
  for (const Source& source : sources_) ioctl(source.event.fd(), PERF_EVENT_IOC_DISABLE, 0);
  end_ns_ = monotonic_ns();
  drain();
  for (Source& source : sources_) {
    const auto cpu_end_ns = cpu_ns_of(source.thread.tid);
    const bool both = source.cpu_begin_ns && cpu_end_ns;
    source.account.end(std::uint64_t(end_ns_),
                       both ? std::optional(*cpu_end_ns - *source.cpu_begin_ns) : std::nullopt);
  }
}

void OffCpuRecorder::drain() {
  for (Source& source : sources_) {
    source.ring->reader().drain([&](const PerfRecord& record) { take(source, record); });
  }
}

void OffCpuRecorder::take(Source& source, const PerfRecord& record) {
  RecordFields fields(record.body);
  if (record.type == PERF_RECORD_SWITCH) {
    const auto now_ns = fields.take<std::uint64_t>();
    if (!fields.ok()) return;
    if ((record.misc & PERF_RECORD_MISC_SWITCH_OUT) != 0) {
      source.account.switch_out(now_ns, (record.misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT) != 0);
    } else {
      source.account.switch_in(now_ns);
    }
  } else if (record.type == PERF_RECORD_SAMPLE) {
    fields.take<std::uint64_t>();  // its time; the switch has its own
    const auto depth = fields.take<std::uint64_t>();
    if (!fields.ok() || depth > record.body.size() / sizeof(std::uint64_t)) return;
    const auto bytes = fields.take_bytes(depth * sizeof(std::uint64_t));
    if (!fields.ok()) return;
    RawStack stack(depth);
    std::memcpy(stack.data(), bytes.data(), bytes.size());
    source.account.stack(stack);
    ++source.stacks;
  } else if (record.type == PERF_RECORD_LOST) {
    source.account.gap();
  }
}

OffCpuMeasurement OffCpuRecorder::measurement(Attribution& attribution) const {
  OffCpuMeasurement result;
  result.source = source_;
  result.reason = reason_;
  result.window_ns = std::uint64_t(end_ns_ - begin_ns_);
  const bool with_stacks = source_ == kTracepoint;
  for (const Source& source : sources_) {
    const SwitchAccount& account = source.account;
    auto& thread = result.threads.emplace_back();
    thread.name = source.thread.name;
    thread.of_driver = source.thread.of_driver;
    thread.switches = account.switches();
    result.lost += source.ring->reader().lost() + source.ring->reader().corrupt();
    result.stacks += source.stacks;
    if (!account.known()) continue;
    thread.preempted_ns = account.preempted_ns();
    thread.wait_ns = account.wait_ns();
    if (!with_stacks) continue;
    double by_kind[3] = {}, seen = 0;
    for (const auto& [stack, waited_ns] : account.waits()) {
      by_kind[std::size_t(attribution.name(stack).wait)] += double(waited_ns);
      seen += double(waited_ns);
    }
    if (seen == 0 && account.wait_ns() > 0) continue;
    const double scale = seen == 0 ? 0 : double(account.wait_ns()) / seen;
    thread.completions_ns = std::uint64_t(by_kind[0] * scale);
    thread.lock_ns = std::uint64_t(by_kind[1] * scale);
    thread.other_wait_ns = account.wait_ns() - *thread.completions_ns - *thread.lock_ns;
  }
  return result;
}

}  // namespace aioscope
