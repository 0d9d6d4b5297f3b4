// One submitter's operations: its slots, buffers and file, what is in flight, and its latencies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bench/measure/clock.h"
#include "bench/measure/histogram.h"
#include "bench/row.h"
#include "bench/workload/arrivals.h"
#include "bench/workload/random.h"
#include "bench/workload/tag.h"
#include "drivers/driver.h"

namespace aioscope {

// Memory for the blocks of one submitter, page-aligned. Touch it from the thread that uses it.
class Arena {
 public:
  explicit Arena(std::size_t size);  // throws RunError
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  std::span<std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

struct LaneOptions {
  std::uint32_t index = 0;  // of the submitter
  std::uint16_t file = 0;   // what its requests name
  std::uint16_t buffer_region = 0;
  std::uint64_t target_size = 0;  // bytes; 0: no offsets
  std::uint64_t seed = 1;
  std::uint64_t generation = 1;  // of the pattern it writes
  double rate_per_s = 0;         // of this submitter; 0: closed loop
  std::uint64_t operations = std::numeric_limits<std::uint64_t>::max();  // and no more; closed loop
};

// Used by one thread. A slot is free, prepared (taken by prepare(), not yet accepted by the
// context) or in flight; free + prepared + in_flight() == depth always. A tag names a slot and a
// generation, so that a completion that comes twice, late or from nowhere does not match and throws
// InvalidResult.
class Lane {
 public:
  Lane(const Row& row, LatencyMode latency, const LaneOptions& options);

  void touch_memory();

  // Takes free slots for the next batch, if the last one has been accepted whole. Open loop: only
  // for operations whose time has come.
  void prepare() {
    if (free_count_ == 0 || !pending().empty()) return;
    if (arrivals_) {
      prepare_due();
    } else {
      prepare_free();
    }
  }
  std::span<const Request> pending() const {
    return std::span(requests_).subspan(pending_begin_, pending_end_ - pending_begin_);
  }
  // Around a submit call that is timed, before accepted(). Cold.
  void begin_timed_call();
  void end_timed_call(std::uint32_t accepted_count, std::int64_t now_ns);
  void accepted(std::uint32_t count) {
    pending_begin_ += count;
    in_flight_ += count;
    submitted_ += count;
  }
  void drop_pending();  // gives the slots of the prepared requests back

  // A request has come back, `reaped_ns` on the monotonic clock (used for stamped tags only).
  void complete(Tag tag, std::int64_t reaped_ns) {
    const std::uint32_t slot = tag_slot(tag);
    if (slot >= slots_.size() || slots_[slot].tag != tag) [[unlikely]]
      throw_unexpected(tag);
    slots_[slot].tag = 0;
    free_[free_count_++] = slot;
    --in_flight_;
    ++completed_;
    if ((tag & TagLayout::kStamped) != 0) note_latency(reaped_ns - slots_[slot].issued_ns);
    if ((tag & TagLayout::kTimed) != 0) [[unlikely]]
      note_in_flight(slot, reaped_ns);
    if (verify_) [[unlikely]]
      verify(slot, tag);
  }
  // A word of a channel: a tag or a time.
  void take(std::uint64_t word) {
    if (is_time_word(word)) {
      reaped_ns_ = time_of(word);
    } else {
      complete(word, reaped_ns_);
    }
  }
  // After the last complete() of a batch.
  void end_batch() {
    if (run_length_ > 0) flush_latency();
  }

  // Latencies count from now on, or no longer.
  void start_recording();
  void stop_recording();

  bool open_loop() const { return arrivals_.has_value(); }
  void start_arrivals() {
    if (arrivals_) arrivals_->start(monotonic_ns());
  }
  std::int64_t next_arrival_ns() const { return arrivals_->next_ns(); }

  std::uint32_t index() const { return options_.index; }
  std::uint32_t in_flight() const { return in_flight_; }
  std::uint32_t free_slots() const { return free_count_; }
  std::uint64_t submitted() const { return submitted_; }
  std::uint64_t completed() const { return completed_; }
  std::uint64_t verified() const { return verified_; }
  std::uint64_t late_starts() const { return late_starts_; }
  const LatencyHistogram& latency() const { return latency_; }
  // From the return of a timed submit call to the reaping, of the operations it submitted.
  std::uint64_t in_flight_ns() const { return in_flight_ns_; }
  std::uint64_t in_flight_timed() const { return in_flight_timed_; }  // operations
  const Arena& arena() const { return arena_; }

  // Reads back every block that was written and compares it; the number that were checked. Throws
  // InvalidResult for a lost write. Nothing may be in flight.
  std::uint64_t verify_written(int fd) const;

 private:
  struct Slot {
    Tag tag = 0;  // 0: not in flight; no tag is 0, since generations start at 1
    std::int64_t issued_ns = 0;
  };
  static constexpr std::int64_t kLateNs = 1'000'000;
  static constexpr std::uint32_t kSampleInterval = 32;  // operations

  void prepare_free();
  void prepare_due();
  void add_request(std::int64_t issued_ns);
  void vary(Request& request);
  Request make_prototype() const;
  bool is_sample_due(std::uint32_t count);
  std::uint64_t next_offset();
  // Verified reads and writes of one run: the block, or the next one of this lane's that has
  // nothing in flight. A read that overtakes a write within a block would find both, which is
  // nobody's fault.
  std::uint64_t claim(std::uint64_t block);
  void release(std::uint32_t slot);
  void note_latency(std::int64_t measured_ns) {
    if (!recording_) return;
    const std::uint64_t latency_ns = measured_ns > 0 ? std::uint64_t(measured_ns) : 0;
    if (latency_ns != run_latency_ns_) flush_latency();
    run_latency_ns_ = latency_ns;
    ++run_length_;
  }
  void note_in_flight(std::uint32_t slot, std::int64_t reaped_ns);
  void flush_latency();
  void verify(std::uint32_t slot, Tag tag);
  [[noreturn]] void throw_unexpected(Tag tag) const;

  const Row& row_;
  const LatencyMode latency_mode_;
  const LaneOptions options_;
  const bool verify_;
  const std::size_t stride_;         // bytes between the buffers of two slots
  const std::uint64_t block_count_;  // of the target; 0: no offsets
  Arena arena_;
  Random random_;
  std::optional<Arrivals> arrivals_;

  std::vector<Slot> slots_;
  std::vector<std::uint32_t> generations_;
  std::vector<std::uint32_t> free_;
  std::uint32_t free_count_ = 0;
  std::uint32_t in_flight_ = 0;
  std::vector<Request> requests_;  // of the current batch
  const Request prototype_;        // what all of them share
  const bool plain_;               // nothing but tag and buffer differs
  std::uint32_t pending_begin_ = 0;
  std::uint32_t pending_end_ = 0;
  std::uint64_t next_block_ = 0;  // sequential
  std::int64_t until_sample_ = 0;
  std::int64_t reaped_ns_ = 0;

  std::uint64_t left_ = options_.operations;  // to prepare
  std::uint64_t submitted_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t verified_ = 0;
  std::uint64_t late_starts_ = 0;

  bool recording_ = false;
  std::uint64_t run_latency_ns_ = 0;  // equal latencies of a batch are recorded at once
  std::uint64_t run_length_ = 0;
  LatencyHistogram latency_;

  std::vector<std::int64_t> returned_ns_;  // of the timed call, per slot; 0: an untimed one
  std::uint64_t in_flight_ns_ = 0;
  std::uint64_t in_flight_timed_ = 0;

  std::vector<std::uint64_t> offsets_;  // of each slot; only to verify
  std::vector<bool> written_;           // per block of the target; only to verify
  std::vector<bool> claimed_;           // likewise, where reads and writes are mixed
};

}  // namespace aioscope
