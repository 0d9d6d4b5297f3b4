// The records that the kernel writes into the mapped ring of a sampling perf event.
#pragma once

#include <linux/perf_event.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include "bench/measure/perf/perf_event.h"

namespace aioscope {

// One record; valid during the callback that gets it.
struct PerfRecord {
  std::uint32_t type = 0;           // PERF_RECORD_SAMPLE, _LOST, _LOST_SAMPLES, _THROTTLE ...
  std::uint16_t misc = 0;           // PERF_RECORD_MISC_KERNEL ...
  std::span<const std::byte> body;  // behind the header, in one piece
};

// Takes the fields of a record's body one after the other. Once one lies beyond the end, all
// further ones do and ok() is false: a truncated record is never read past its end.
class RecordFields {
 public:
  explicit RecordFields(std::span<const std::byte> body) : rest_(body) {}

  template <typename T>
  T take() {
    T value{};
    const auto bytes = take_bytes(sizeof value);
    if (ok_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::span<const std::byte> take_bytes(std::size_t size) {
    if (size > rest_.size()) ok_ = false;
    if (!ok_) return {};
    const auto bytes = rest_.first(size);
    rest_ = rest_.subspan(size);
    return bytes;
  }
  bool ok() const { return ok_; }

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

// Reads a ring in memory: the control page that the kernel shares, and a power of two of bytes of
// data. One reader at a time; the kernel may write meanwhile.
class PerfRingReader {
 public:
  PerfRingReader(perf_event_mmap_page* control, std::span<const std::byte> data);

  // Hands over every complete record that has been written, in their order, the lost ones' among
  // them, and gives their space back. A record that makes no sense ends the reading: what the ring
  // holds is dropped and counted as corrupt.
  void drain(const std::function<void(const PerfRecord&)>& take);

  std::uint64_t lost() const { return lost_; }  // records that found the ring full
  // Times that the kernel stopped sampling for a moment because it took too long.
  std::uint64_t throttled() const { return throttled_; }
  std::uint64_t corrupt() const { return corrupt_; }  // times that the reading ended

 private:
  std::span<const std::byte> piece(std::uint64_t position, std::size_t size);
  void count_gaps(const PerfRecord& record);

  perf_event_mmap_page* control_;
  std::span<const std::byte> data_;
  std::vector<std::byte> joined_;  // a record that wraps
  std::uint64_t lost_ = 0;
  std::uint64_t throttled_ = 0;
  std::uint64_t corrupt_ = 0;
};

// The ring of an open event, unmapped with the object. `data_bytes` is rounded up to a power of two
// of pages. Memory beyond kernel.perf_event_mlock_kb per CPU and user counts as locked.
class PerfRing {
 public:
  PerfRing(const PerfEvent& event, std::size_t data_bytes);
  PerfRing(const PerfRing&) = delete;
  PerfRing& operator=(const PerfRing&) = delete;
  ~PerfRing();

  bool is_open() const { return memory_ != nullptr; }
  const Refusal& refusal() const { return refusal_; }  // of one that is not open
  // Of one that is open; see PerfRingReader.
  PerfRingReader& reader() { return reader_; }

 private:
  void* memory_ = nullptr;
  std::size_t size_ = 0;
  Refusal refusal_;
  PerfRingReader reader_;
};

}  // namespace aioscope
