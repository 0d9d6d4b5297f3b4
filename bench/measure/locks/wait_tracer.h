// Traces the waits of threads through a pair of tracepoints: one where a wait begins, one where it
// ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/measure/locks/wait_log.h"
#include "bench/measure/perf/perf_event.h"
#include "bench/measure/perf/perf_ring.h"
#include "bench/measure/perf/tracefs.h"

namespace aioscope {

// Which waits.
enum class WaitKind : std::uint8_t {
  kKernelLocks,  // lock:contention_begin, lock:contention_end, with kernel stacks
  kFutexes,      // syscalls:sys_enter_futex, syscalls:sys_exit_futex, with user stacks
};

// The records of one tracepoint begin with these bytes; see TracepointFormat.
struct WaitFields {
  std::uint32_t lock_offset = 0;   // 8 bytes: what is waited for
  std::uint32_t flags_offset = 0;  // 4 bytes: the kind of lock, or the futex operation
};

// A record of either tracepoint.
struct WaitRecord {
  std::uint64_t event_id = 0;
  std::int64_t now_ns = 0;
  std::span<const std::byte> stack;  // of addresses, of a begin; not aligned
  std::span<const std::byte> raw;    // the tracepoint's own fields
};
// Those of the event `begin_id` have a stack. nullopt: it makes no sense.
std::optional<WaitRecord> parse_wait_record(const PerfRecord& record, std::uint64_t begin_id);

// Two events and a ring per thread, on between start() and stop(). drain() must be called so often
// that the rings do not fill up, and by one thread at a time; it costs about 0.2 us per event.
class WaitTracer {
 public:
  WaitTracer(WaitKind kind, std::span<const pid_t> threads, const Tracefs& tracefs = Tracefs());

  bool works() const { return refusal_.reason.empty(); }
  const Refusal& refusal() const { return refusal_; }  // of one that does not work
  const std::string& source() const { return begin_name_; }

  void start();
  void drain();
  void disable();  // no records from here on; also while another thread drains
  void stop();     // disables, and drains what is left

  // After stop().
  const WaitLog& log() const { return log_; }
  std::uint64_t events() const { return events_; }  // begins that the kernel counted
  std::uint64_t lost() const { return lost_; }      // begins and ends that found no room

 private:
  struct Source {
    PerfEvent begin, end;
    std::unique_ptr<PerfRing> ring;
    std::uint64_t begin_id = 0;
    std::uint64_t begins = 0;  // records that came
    std::uint64_t ends = 0;
  };

  bool find_tracepoints(const Tracefs& tracefs);
  bool open(Source& source, pid_t thread, std::size_t ring_bytes);
  void take(std::size_t thread, const PerfRecord& record);
  void take_begin(std::size_t thread, const WaitRecord& begin);

  const WaitKind kind_;
  std::string begin_name_, end_name_;
  perf_event_attr begin_attributes_{}, end_attributes_{};
  WaitFields begin_fields_, end_fields_;
  Refusal refusal_;
  std::vector<Source> sources_;
  std::vector<std::uint64_t> stack_;  // scratch
  WaitLog log_;
  std::uint64_t events_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace aioscope
