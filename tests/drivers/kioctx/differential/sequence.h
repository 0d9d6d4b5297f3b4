// A sequence of the five calls, as plain data: what both sides of the comparison are asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aioscope::kioctx {

enum class CallKind : std::uint8_t { kSetup, kSubmit, kGetevents, kUserReap, kCancel, kDestroy };
// kReadOnly is /dev/zero and kWriteOnly /dev/null, opened for that alone.
enum class TargetFile : std::uint8_t { kNull, kZero, kReal, kReadOnly, kWriteOnly, kNotOpen };
enum class Operation : std::uint8_t { kRead, kWrite, kUnknown };
// kUnmapped: an address of user space at which nothing may be read or written.
enum class Buffer : std::uint8_t { kOwn, kUnaligned, kNull, kUnmapped };

struct RequestSpec {
  TargetFile file = TargetFile::kNull;
  Operation operation = Operation::kRead;
  std::uint64_t offset = 0;  // bytes
  std::uint32_t nbytes = 0;  // bytes; over a buffer's size only where no byte is touched
  Buffer buffer = Buffer::kOwn;

  bool operator==(const RequestSpec&) const = default;
};

// io_submit() refuses this request whatever the state of the context.
bool refused(const RequestSpec& request);

// Bytes of memory are written by the operation itself, which in user space cannot fault.
bool fills_memory(const RequestSpec& request);

// How many events io_getevents() is to wait for. `outstanding` are those that have been submitted
// to the context and not been reaped.
enum class Minimum : std::uint8_t { kNone, kOne, kOutstanding, kOneMore, kOverNr };

// Contexts are named by a place; what a place holds is up to the calls before. Fields that a kind
// does not use are as they are here.
struct Call {
  CallKind kind = CallKind::kSetup;
  std::uint32_t place = 0;
  std::uint32_t nr = 0;               // events: of the context, or most to reap
  std::vector<RequestSpec> requests;  // to submit
  Minimum minimum = Minimum::kNone;
  std::int64_t timeout_ns = 0;  // -1: none
  bool null_events = false;     // no array to reap into, where nothing is there to reap
  std::uint64_t tags_back = 0;  // which request to cancel, counted from the newest

  bool operator==(const Call&) const = default;
};

inline constexpr std::uint32_t kPlaces = 3;

using Sequence = std::vector<Call>;

// One line for each call.
std::string to_text(const Sequence& sequence);

// What to_text() has written. Throws std::invalid_argument with the line that is not a call.
Sequence parse_sequence(std::string_view text);

}  // namespace aioscope::kioctx
