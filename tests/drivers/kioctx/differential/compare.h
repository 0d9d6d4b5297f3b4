// Plays a sequence in two worlds, call by call, and finds the first that they answer differently.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "tests/drivers/kioctx/differential/sequence.h"
#include "tests/drivers/kioctx/differential/world.h"

namespace aioscope::kioctx {

struct Difference {
  std::size_t call = 0;  // its index in the sequence
  std::string text;      // what the two sides answered
};

// What was compared, added up over sequences.
struct Compared {
  std::uint64_t calls = 0;  // system calls made on each side
  std::uint64_t requests = 0;
  std::uint64_t events = 0;
  std::uint64_t refused = 0;  // io_submit() that stopped at a request or refused the first
  std::uint64_t full = 0;     // of these, for want of a slot
};

enum class Rules : std::uint8_t {
  kTodays,
  // Of all stages, whose rings differ in size and whose slots come back at different times: no
  // context is filled beyond what was asked for, and rings are not looked at.
  kOfAllStages,
};

// Compared are the return values, the events in their order with data, res, res2 and obj, what was
// read, where head and tail of the ring stand, and in the end the bytes of the real file. Both
// worlds are left without contexts, and their files as they were at first.
//
// Not asked, because the answer depends on when something completes or on which CPU:
// - while requests on real files are in flight, io_getevents() waits for all of them, their events
//   are compared as a set, and nothing is cancelled or reaped in user space;
// - a context that had such requests is not filled up, since its slots may lie on other CPUs;
// - a context that is gone is used only until the next one is made, which may have its address.
std::optional<Difference> compare(const Sequence& sequence, Rules rules, World& kernel, World& ours,
                                  Compared* compared);

}  // namespace aioscope::kioctx
