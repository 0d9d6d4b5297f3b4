// The completion ring: a header and events in whole pages, which the kernel maps into its user.
#pragma once

#include <atomic>
#include <cstdint>

#include "drivers/kioctx/kioctx.h"
#include "drivers/kioctx/reqs_available.h"

namespace aioscope::kioctx {

// The producers own `tail`, the reapers `head`: both in one line, with the first event right
// behind. Full when one entry is left, so that full and empty differ: nr - 1 events at most.
//
//   producer: event, then tail (release)  ->  reaper: tail (acquire), then event
//   reaper: event read, then head (release) or its slot put  ->  producer: slot got, then event
//
// The user may write all of it. What is read from `head` is therefore reduced to the ring.
struct AioRing {
  std::uint32_t id = 0;
  std::uint32_t nr = 0;  // entries
  std::atomic<std::uint32_t> head{0};
  std::atomic<std::uint32_t> tail{0};
  std::uint32_t magic = kMagic;
  std::uint32_t compat_features = 1;
  std::uint32_t incompat_features = 0;
  std::uint32_t header_length = kRingHeaderBytes;

  static constexpr std::uint32_t kMagic = 0xa10a10a1;

  IoEvent* events() { return reinterpret_cast<IoEvent*>(this + 1); }
};
static_assert(sizeof(AioRing) == kRingHeaderBytes);
static_assert(sizeof(IoEvent) == kIoEventBytes);

// Whole zeroed pages, and `pages_behind` of something that no event holds, for a test that reads
// there. Throws std::bad_alloc.
AioRing* alloc_ring(const RingSize& size, std::uint32_t pages_behind = 0);
inline constexpr int kBehindTheRing = 0x5e;
void free_ring(AioRing* ring);

}  // namespace aioscope::kioctx
