#include "bench/measure/perf/perf_ring.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <fstream>

namespace aioscope {
namespace {

std::string mlock_limit() {
  std::string value = "unknown";
  std::ifstream("/proc/sys/kernel/perf_event_mlock_kb") >> value;
  return value;
}

std::size_t ring_bytes(std::size_t data_bytes, std::size_t page) {
  return std::bit_ceil(std::max<std::size_t>(1, (data_bytes + page - 1) / page)) * page;
}

}  // namespace

PerfRingReader::PerfRingReader(perf_event_mmap_page* control, std::span<const std::byte> data)
    : control_(control), data_(data) {}

// `size` bytes at `position`, which counts all bytes ever written.
std::span<const std::byte> PerfRingReader::piece(std::uint64_t position, std::size_t size) {
  const std::size_t begin = position & (data_.size() - 1);
  const std::size_t until_end = data_.size() - begin;
  if (size <= until_end) return data_.subspan(begin, size);
  joined_.resize(size);
  std::ranges::copy(data_.subspan(begin), joined_.begin());
  std::ranges::copy(data_.first(size - until_end), joined_.begin() + std::ptrdiff_t(until_end));
  return joined_;
}

void PerfRingReader::count_gaps(const PerfRecord& record) {
  RecordFields fields(record.body);
  if (record.type == PERF_RECORD_LOST) {
    fields.take<std::uint64_t>();  // id of the event
    lost_ += fields.take<std::uint64_t>();
  } else if (record.type == PERF_RECORD_LOST_SAMPLES) {
    lost_ += fields.take<std::uint64_t>();
  } else if (record.type == PERF_RECORD_THROTTLE) {
    ++throttled_;
  }
}

void PerfRingReader::drain(const std::function<void(const PerfRecord&)>& take) {
  using Position = std::atomic_ref<decltype(control_->data_head)>;
  // Acquire pairs with the kernel's barrier between a record and data_head
  // (perf_output_put_handle): what lies before `head` is written whole.
  const std::uint64_t head = Position(control_->data_head).load(std::memory_order_acquire);
  std::uint64_t tail = control_->data_tail;  // only the reader writes it
  if (head - tail > data_.size()) {
    ++corrupt_;
    tail = head;
  }
  while (tail != head) {
    perf_event_header header{};
    const std::uint64_t left = head - tail;
    if (left >= sizeof header) {
      std::memcpy(&header, piece(tail, sizeof header).data(), sizeof header);
    }
    if (header.size < sizeof header || header.size > left) {
      ++corrupt_;
      tail = head;
      break;
    }
    const PerfRecord record{header.type, header.misc,
                            piece(tail, header.size).subspan(sizeof header)};
    count_gaps(record);
    take(record);
    tail += header.size;
  }
  // Release pairs with the kernel's control dependency on data_tail (perf_output_begin): it writes
  // over the records only after they have been read.
  Position(control_->data_tail).store(tail, std::memory_order_release);
}

PerfRing::PerfRing(const PerfEvent& event, std::size_t data_bytes) : reader_(nullptr, {}) {
  const auto page = std::size_t(sysconf(_SC_PAGESIZE));
  const std::size_t data_size = ring_bytes(data_bytes, page);
  void* memory = mmap(nullptr, page + data_size, PROT_READ | PROT_WRITE, MAP_SHARED, event.fd(), 0);
  if (memory == MAP_FAILED) {
    const int error = errno;
    const bool locked = error == EPERM || error == ENOMEM;
    refusal_ = {error,
                fmt::format("mmap of {} kB for a perf ring: {}; kernel.perf_event_mlock_kb is {}",
                            (page + data_size) >> 10, std::strerror(error), mlock_limit()),
                locked ? "sudo sysctl kernel.perf_event_mlock_kb=16384, ulimit -l unlimited, or "
                         "fewer threads"
                       : "see dmesg"};
    return;
  }
  memory_ = memory;
  size_ = page + data_size;
  auto* control = static_cast<perf_event_mmap_page*>(memory);
  reader_ = PerfRingReader(control, {static_cast<const std::byte*>(memory) + page, data_size});
}

PerfRing::~PerfRing() {
  if (memory_ != nullptr) munmap(memory_, size_);
}

}  // namespace aioscope
