// What the harness packs into the 64 bits that name a request.
#pragma once

#include <cstdint>

#include "drivers/driver.h"

namespace aioscope {

//   63      always 0, so that a word of a channel is either a tag or a time (bit 63 set)
//   62..48  submitter
//   47      the request writes
//   46      the request carries a time stamp
//   45      the request was submitted by a timed call
//   44..20  generation of the slot, from 1: a tag is not used again for 2^25 - 1 uses of its slot
//   19..0   slot
struct TagLayout {
  static constexpr unsigned kSlotBits = 20;
  static constexpr unsigned kGenerationBits = 25;
  static constexpr std::uint32_t kMostSlots = 1u << kSlotBits;
  static constexpr std::uint32_t kMostSubmitters = 1u << 15;
  static constexpr std::uint32_t kGenerations = (1u << kGenerationBits) - 1;
  static constexpr std::uint64_t kTimed = 1ull << 45;
  static constexpr std::uint64_t kStamped = 1ull << 46;
  static constexpr std::uint64_t kWrites = 1ull << 47;
  static constexpr std::uint64_t kWantsTime = kTimed | kStamped;  // when it is reaped
  static constexpr unsigned kSubmitterShift = 48;
};

constexpr std::uint32_t tag_slot(Tag tag) { return tag & (TagLayout::kMostSlots - 1); }
constexpr std::uint32_t tag_submitter(Tag tag) {
  return static_cast<std::uint32_t>(tag >> TagLayout::kSubmitterShift);
}

// A word of a channel: a tag, or the time at which the tags behind it were reaped.
constexpr std::uint64_t kTimeWord = 1ull << 63;
constexpr std::uint64_t time_word(std::int64_t monotonic_ns) {
  return kTimeWord | std::uint64_t(monotonic_ns);
}
constexpr bool is_time_word(std::uint64_t word) { return (word & kTimeWord) != 0; }
constexpr std::int64_t time_of(std::uint64_t word) { return std::int64_t(word & ~kTimeWord); }

}  // namespace aioscope
