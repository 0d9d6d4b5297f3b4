#include "bench/workload/lane.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bench/runner.h"
#include "bench/workload/pattern.h"

namespace aioscope {
namespace {

// O_DIRECT wants buffers aligned to the device's logical block; smaller strides waste nothing.
constexpr std::size_t kBufferAlignment = 512;

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

constexpr std::byte kPoison{0xa5};  // what a buffer holds before a verified read

}  // namespace

Arena::Arena(std::size_t size) {
  const std::size_t mapped = round_up(std::max<std::size_t>(size, 1), std::size_t(getpagesize()));
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw RunError(
        fmt::format("no memory for {} bytes of buffers: {}; lower --depth or --block-size", mapped,
                    std::strerror(errno)));
  }
  bytes_ = {static_cast<std::byte*>(memory), mapped};
}

Arena::~Arena() { munmap(bytes_.data(), bytes_.size()); }

Lane::Lane(const Row& row, LatencyMode latency, const LaneOptions& options)
    : row_(row),
      latency_mode_(latency),
      options_(options),
      verify_(row.verify),
      stride_(round_up(row.block_size, kBufferAlignment)),
      block_count_(options.target_size / std::max(row.block_size, 1u)),
      arena_(stride_ * row.depth),
      random_(options.seed),
      slots_(row.depth),
      generations_(row.depth, 0),
      free_(row.depth),
      free_count_(row.depth),
      requests_(row.batch),
      prototype_(make_prototype()),
      plain_(!verify_ && block_count_ == 0 && row.operation != Operation::kMixed &&
             row.operation != Operation::kNop),
      returned_ns_(row.depth) {
  if (options.rate_per_s > 0) arrivals_.emplace(options.rate_per_s, row.arrival, random_.next());
  // The slot with the lowest number is on top.
  for (std::uint32_t i = 0; i < row.depth; ++i) free_[i] = row.depth - 1 - i;
  if (verify_) {
    offsets_.resize(row.depth);
    written_.resize(block_count_);
    if (row.operation == Operation::kMixed) claimed_.resize(block_count_);
  }
  if (block_count_ > 0) next_block_ = random_.below(block_count_);
}

void Lane::touch_memory() { std::memset(arena_.bytes().data(), 0, arena_.bytes().size()); }

bool Lane::is_sample_due(std::uint32_t count) {
  switch (latency_mode_) {
    case LatencyMode::kFull:
      return true;
    case LatencyMode::kOff:
      return false;
    case LatencyMode::kAuto:
    case LatencyMode::kSampled:
      break;
  }
  until_sample_ -= count;
  if (until_sample_ > 0) return false;
  // A random distance, so that the samples cannot march in step with something periodic.
  until_sample_ = count >= kSampleInterval
                      ? 0
                      : std::int64_t(1 + random_.below(std::uint64_t{2} * kSampleInterval));
  return true;
}

void Lane::prepare_free() {
  const auto count =
      std::uint32_t(std::min<std::uint64_t>(std::min(row_.batch, free_count_), left_));
  pending_begin_ = pending_end_ = 0;
  if (count == 0) return;
  left_ -= count;
  const std::int64_t now_ns = is_sample_due(count) ? monotonic_ns() : 0;
  for (std::uint32_t i = 0; i < count; ++i) add_request(now_ns);
  if (!plain_) {
    for (std::uint32_t i = 0; i < count; ++i) vary(requests_[i]);
  }
}

void Lane::prepare_due() {
  pending_begin_ = pending_end_ = 0;
  const std::int64_t now_ns = monotonic_ns();
  while (pending_end_ < row_.batch && free_count_ > 0 && arrivals_->next_ns() <= now_ns) {
    const std::int64_t intended_ns = arrivals_->next_ns();
    if (now_ns - intended_ns > kLateNs) ++late_starts_;
    arrivals_->advance();
    add_request(latency_mode_ == LatencyMode::kOff ? 0 : intended_ns);
    if (!plain_) vary(requests_[pending_end_ - 1]);
  }
}

inline void Lane::add_request(std::int64_t issued_ns) {
  const std::uint32_t slot = free_[--free_count_];
  std::uint32_t& generation = generations_[slot];
  generation = generation == TagLayout::kGenerations ? 1 : generation + 1;
  const Tag tag = prototype_.tag | std::uint64_t{generation} << TagLayout::kSlotBits | slot |
                  (issued_ns != 0 ? TagLayout::kStamped : 0);
  Request& request = requests_[pending_end_++];
  request = prototype_;
  request.tag = tag;
  request.buffer = prototype_.buffer + slot * stride_;
  slots_[slot] = {.tag = tag, .issued_ns = issued_ns};
}

// What differs from one request to the next besides tag and buffer.
void Lane::vary(Request& request) {
  if (row_.operation == Operation::kNop) {
    request.buffer = nullptr;
    return;
  }
  if (row_.operation == Operation::kMixed && random_.below(100) >= row_.read_percent) {
    request.opcode = Opcode::kWrite;
    request.tag |= TagLayout::kWrites;
  }
  if (block_count_ > 0) request.offset = next_offset();
  const std::uint32_t slot = tag_slot(request.tag);
  slots_[slot].tag = request.tag;
  if (!verify_) return;
  offsets_[slot] = request.offset;
  const std::span<std::byte> block(request.buffer, request.length);
  if (request.opcode == Opcode::kWrite) {
    fill_pattern(block, request.offset, options_.generation);
  } else {
    std::ranges::fill(block, kPoison);
  }
}

Request Lane::make_prototype() const {
  Request request;
  request.tag = std::uint64_t{options_.index} << TagLayout::kSubmitterShift;
  request.file = options_.file;
  request.buffer_region = options_.buffer_region;
  request.buffer = arena_.bytes().data();
  request.length = row_.operation == Operation::kNop ? 0 : row_.block_size;
  switch (row_.operation) {
    case Operation::kRead:
    case Operation::kMixed:
      request.opcode = Opcode::kRead;
      break;
    case Operation::kNop:
      request.opcode = Opcode::kNop;
      break;
    case Operation::kWrite:
      request.opcode = Opcode::kWrite;
      request.tag |= TagLayout::kWrites;
      break;
  }
  return request;
}

std::uint64_t Lane::next_offset() {
  std::uint64_t block = next_block_;
  if (row_.pattern == AccessPattern::kRandom) {
    block = random_.below(block_count_);
  } else {
    next_block_ = block + 1 == block_count_ ? 0 : block + 1;
  }
  return (claimed_.empty() ? block : claim(block)) * row_.block_size;
}

// There always is one: a lane has at least as many blocks as it has slots (check_target), and the
// slot that asks has none in flight.
std::uint64_t Lane::claim(std::uint64_t block) {
  const std::uint64_t own = block_count_ / row_.submitters;
  std::uint64_t at = block % own;
  while (claimed_[at * row_.submitters + options_.index]) at = at + 1 == own ? 0 : at + 1;
  block = at * row_.submitters + options_.index;
  claimed_[block] = true;
  return block;
}

void Lane::release(std::uint32_t slot) {
  if (!claimed_.empty()) claimed_[offsets_[slot] / row_.block_size] = false;
}

void Lane::begin_timed_call() {
  for (Request& request : std::span(requests_).subspan(pending_begin_, pending().size())) {
    request.tag |= TagLayout::kTimed;
    slots_[tag_slot(request.tag)].tag = request.tag;
    returned_ns_[tag_slot(request.tag)] = 0;
  }
}

void Lane::end_timed_call(std::uint32_t accepted_count, std::int64_t now_ns) {
  for (const Request& request : pending().first(accepted_count)) {
    returned_ns_[tag_slot(request.tag)] = now_ns;
  }
}

void Lane::note_in_flight(std::uint32_t slot, std::int64_t reaped_ns) {
  const std::int64_t returned_ns = returned_ns_[slot];
  if (!recording_ || returned_ns == 0) return;
  // On a shared context it may be reaped before the submit call returns.
  in_flight_ns_ += std::uint64_t(std::max<std::int64_t>(0, reaped_ns - returned_ns));
  ++in_flight_timed_;
}

void Lane::drop_pending() {
  for (const Request& request : pending()) {
    release(tag_slot(request.tag));
    slots_[tag_slot(request.tag)].tag = 0;
    free_[free_count_++] = tag_slot(request.tag);
  }
  pending_begin_ = pending_end_;
}

void Lane::flush_latency() {
  if (run_length_ > 0) latency_.record(run_latency_ns_, run_length_);
  run_length_ = 0;
}

void Lane::start_recording() {
  latency_.reset();
  in_flight_ns_ = in_flight_timed_ = 0;
  run_length_ = 0;
  recording_ = true;
}

void Lane::stop_recording() {
  flush_latency();
  recording_ = false;
}

void Lane::verify(std::uint32_t slot, Tag tag) {
  const std::uint64_t offset = offsets_[slot];
  release(slot);
  if ((tag & TagLayout::kWrites) != 0) {  // read back at the end, where there is what to read
    if (block_count_ > 0) written_[offset / row_.block_size] = true;
    return;
  }
  if (row_.target.kind == FileKind::kNull) return;  // has no bytes
  const std::span<const std::byte> block(arena_.bytes().data() + slot * stride_, row_.block_size);
  const bool right =
      row_.target.kind == FileKind::kFile ? check_pattern(block, offset) : all_zero(block);
  if (!right) {
    throw InvalidResult(
        fmt::format("wrong data: a read of {} bytes at offset {} returned other bytes "
                    "than were written there; the driver or the device is broken",
                    row_.block_size, offset));
  }
  ++verified_;
}

std::uint64_t Lane::verify_written(int fd) const {
  std::uint64_t checked = 0;
  const Arena buffer(row_.block_size);
  const std::span<std::byte> block = buffer.bytes().first(row_.block_size);
  for (std::uint64_t i = 0; i < written_.size(); ++i) {
    if (!written_[i]) continue;
    const std::uint64_t offset = i * row_.block_size;
    const ssize_t size = pread(fd, block.data(), block.size(), off_t(offset));
    if (size != ssize_t(block.size()) ||
        !check_pattern_generation(block, offset, options_.generation)) {
      throw InvalidResult(
          fmt::format("lost write: the block of {} bytes at offset {} does not hold "
                      "what was written; the driver or the device is broken",
                      row_.block_size, offset));
    }
    ++checked;
  }
  return checked;
}

void Lane::throw_unexpected(Tag tag) const {
  const std::uint32_t slot = tag_slot(tag);
  const bool known =
      tag_submitter(tag) == options_.index && slot < slots_.size() && generations_[slot] != 0;
  throw InvalidResult(fmt::format(
      "{} (tag {:#x}); the driver breaks the contract that each tag comes back exactly once",
      known ? "a completion came back more than once"
            : "a completion came back that was never "
              "submitted",
      tag));
}

}  // namespace aioscope
