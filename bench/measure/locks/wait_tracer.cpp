#include "bench/measure/locks/wait_tracer.h"

#include <linux/futex.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace aioscope {
namespace {

// A ring holds about 20,000 waits, which a drain every few milliseconds keeps far from full.
constexpr std::size_t kMostRingBytes = std::size_t{4} << 20;
constexpr std::size_t kLeastRingBytes = std::size_t{64} << 10;
constexpr std::size_t kAllRingBytes = std::size_t{128} << 20;
constexpr std::uint16_t kStackDepth = 16;  // frames; the function that waits is among the first

std::size_t ring_bytes_for(std::size_t threads) {
  return std::clamp(kAllRingBytes / std::max<std::size_t>(1, threads), kLeastRingBytes,
                    kMostRingBytes);
}

perf_event_attr sampled(std::uint64_t id, std::uint64_t sample_type) {
  perf_event_attr attributes = event_attributes(PERF_TYPE_TRACEPOINT, id);
  attributes.sample_period = 1;
  attributes.sample_type =
      PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW | sample_type;
  attributes.disabled = 1;
  attributes.use_clockid = 1;
  attributes.clockid = CLOCK_MONOTONIC;  // the same on every CPU
  return attributes;
}

template <typename T>
std::optional<T> value_at(std::span<const std::byte> raw, std::uint32_t offset) {
  if (offset + sizeof(T) > raw.size()) return std::nullopt;
  T value;
  std::memcpy(&value, raw.data() + offset, sizeof value);
  return value;
}

std::uint64_t count_of(const PerfEvent& event) {
  std::uint64_t count = 0;
  return read(event.fd(), &count, sizeof count) == ssize_t(sizeof count) ? count : 0;
}

bool is_futex_wait(std::uint32_t operation) {
  switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI:
      return true;
    default:
      return false;
  }
}

}  // namespace

WaitTracer::WaitTracer(WaitKind kind, std::span<const pid_t> threads, const Tracefs& tracefs)
    : kind_(kind),
      begin_name_(kind == WaitKind::kKernelLocks ? "lock:contention_begin"
                                                 : "syscalls:sys_enter_futex"),
      end_name_(kind == WaitKind::kKernelLocks ? "lock:contention_end" : "syscalls:sys_exit_futex"),
      log_(threads.size()) {
  if (!find_tracepoints(tracefs)) return;
  const bool kernel = kind == WaitKind::kKernelLocks;
  begin_attributes_.sample_max_stack = kStackDepth;
  begin_attributes_.exclude_callchain_user = kernel;
  begin_attributes_.exclude_callchain_kernel = !kernel;
  std::size_t ring_bytes = ring_bytes_for(threads.size());
  for (const pid_t thread : threads) {
    Source source;
    while (!open(source, thread, ring_bytes)) {
      if (refusal_.error == ESRCH) break;  // it has ended
      const bool too_large = source.begin.is_open() && ring_bytes > kLeastRingBytes &&
                             (refusal_.error == EPERM || refusal_.error == ENOMEM);
      if (!too_large) {
        sources_.clear();
        return;
      }
      ring_bytes /= 2;
      source = {};
    }
    refusal_ = {};
    sources_.push_back(std::move(source));
  }
}

bool WaitTracer::find_tracepoints(const Tracefs& tracefs) {
  const bool locks = kind_ == WaitKind::kKernelLocks;
  const struct {
    const std::string& name;
    const char* lock;   // field; nullptr: has none
    const char* flags;  // likewise
    std::uint64_t sample_type;
    perf_event_attr& attributes;
    WaitFields& fields;
  } wanted[] = {
      {begin_name_, locks ? "lock_addr" : "uaddr", locks ? "flags" : "op", PERF_SAMPLE_CALLCHAIN,
       begin_attributes_, begin_fields_},
      {end_name_, locks ? "lock_addr" : nullptr, nullptr, 0, end_attributes_, end_fields_}};
  for (const auto& tracepoint : wanted) {
    const auto found = tracefs.format(tracepoint.name);
    if (const auto* refusal = std::get_if<Refusal>(&found)) {
      refusal_ = *refusal;
      return false;
    }
    const auto& format = std::get<TracepointFormat>(found);
    const TracepointField* lock = tracepoint.lock ? format.find(tracepoint.lock) : nullptr;
    const TracepointField* flags = tracepoint.flags ? format.find(tracepoint.flags) : nullptr;
    if ((tracepoint.lock && (!lock || lock->size != 8)) ||
        (tracepoint.flags && (!flags || flags->size < 4))) {
      refusal_ = {0, tracepoint.name + ": this kernel records it without " + tracepoint.lock,
                  "use another kernel"};
      return false;
    }
    tracepoint.attributes = sampled(format.id, tracepoint.sample_type);
    tracepoint.fields = {lock ? lock->offset : 0, flags ? flags->offset : 0};
  }
  return true;
}

bool WaitTracer::open(Source& source, pid_t thread, std::size_t ring_bytes) {
  source.begin = PerfEvent(begin_attributes_, thread);
  if (!source.begin.is_open()) {
    refusal_ = source.begin.refusal();
    return false;
  }
  source.end = PerfEvent(end_attributes_, thread);
  if (!source.end.is_open()) {
    refusal_ = source.end.refusal();
    return false;
  }
  source.ring = std::make_unique<PerfRing>(source.begin, ring_bytes);
  if (!source.ring->is_open()) {
    refusal_ = source.ring->refusal();
    return false;
  }
  if (ioctl(source.end.fd(), PERF_EVENT_IOC_SET_OUTPUT, source.begin.fd()) != 0 ||
      ioctl(source.begin.fd(), PERF_EVENT_IOC_ID, &source.begin_id) != 0) {
    refusal_ = {errno, std::string("ioctl of a perf event: ") + std::strerror(errno), "see dmesg"};
    return false;
  }
  return true;
}

void WaitTracer::start() {
  // The end first, so that no begin is without one.
  for (const Source& source : sources_) {
    if (!source.ring) continue;
    ioctl(source.end.fd(), PERF_EVENT_IOC_ENABLE, 0);
    ioctl(source.begin.fd(), PERF_EVENT_IOC_ENABLE, 0);
  }
}

void WaitTracer::drain() {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (!sources_[i].ring) continue;
    sources_[i].ring->reader().drain([&](const PerfRecord& record) { take(i, record); });
  }
}

void WaitTracer::disable() {
  for (const Source& source : sources_) {
    if (!source.ring) continue;
    ioctl(source.begin.fd(), PERF_EVENT_IOC_DISABLE, 0);
    ioctl(source.end.fd(), PERF_EVENT_IOC_DISABLE, 0);
  }
}

void WaitTracer::stop() {
  disable();
  drain();
  for (const Source& source : sources_) {
    if (!source.ring) continue;
    const std::uint64_t begins = count_of(source.begin);
    const std::uint64_t ends = count_of(source.end);
    // The kernel tells of losses only with the next record that fits; its counts know all.
    lost_ += begins - std::min(begins, source.begins) + ends - std::min(ends, source.ends);
    events_ += begins;
  }
}

std::optional<WaitRecord> parse_wait_record(const PerfRecord& record, std::uint64_t begin_id) {
  RecordFields fields(record.body);
  WaitRecord wait;
  wait.event_id = fields.take<std::uint64_t>();
  wait.now_ns = fields.take<std::int64_t>();
  if (wait.event_id == begin_id) {
    const auto depth = fields.take<std::uint64_t>();
    if (depth > record.body.size() / sizeof(std::uint64_t)) return std::nullopt;
    wait.stack = fields.take_bytes(depth * sizeof(std::uint64_t));
  }
  wait.raw = fields.take_bytes(fields.take<std::uint32_t>());
  if (!fields.ok()) return std::nullopt;
  return wait;
}

void WaitTracer::take(std::size_t thread, const PerfRecord& record) {
  Source& source = sources_[thread];
  if (record.type == PERF_RECORD_LOST) log_.forget(thread);
  if (record.type != PERF_RECORD_SAMPLE) return;
  // One that makes no sense is missing in these sums, and so counts as lost.
  const auto wait = parse_wait_record(record, source.begin_id);
  if (!wait) return;
  if (wait->event_id == source.begin_id) {
    ++source.begins;
    take_begin(thread, *wait);
    return;
  }
  ++source.ends;
  const bool locks = kind_ == WaitKind::kKernelLocks;
  // A thread waits for one futex at a time.
  const auto lock = locks ? value_at<std::uint64_t>(wait->raw, end_fields_.lock_offset) : 0;
  if (lock) log_.end(thread, wait->now_ns, *lock);
}

void WaitTracer::take_begin(std::size_t thread, const WaitRecord& begin) {
  stack_.resize(begin.stack.size() / sizeof(std::uint64_t));
  if (!begin.stack.empty()) std::memcpy(stack_.data(), begin.stack.data(), begin.stack.size());
  const auto lock = value_at<std::uint64_t>(begin.raw, begin_fields_.lock_offset);
  const auto flags = value_at<std::uint32_t>(begin.raw, begin_fields_.flags_offset);
  if (!lock || !flags) return;
  if (kind_ == WaitKind::kKernelLocks) {
    log_.begin(thread, begin.now_ns, *lock, *flags, stack_);
  } else if (is_futex_wait(*flags)) {
    log_.begin(thread, begin.now_ns, 0, 0, stack_);
  }
}

}  // namespace aioscope
