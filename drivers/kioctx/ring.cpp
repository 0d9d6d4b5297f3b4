#include "drivers/kioctx/ring.h"

#include <cstring>
#include <new>

namespace aioscope::kioctx {

AioRing* alloc_ring(const RingSize& size, std::uint32_t pages_behind) {
  const std::size_t bytes = std::size_t{size.nr_pages} * kPageSize;
  const std::size_t behind = std::size_t{pages_behind} * kPageSize;
  void* pages = ::operator new (bytes + behind, std::align_val_t{kPageSize});
  std::memset(pages, 0, bytes);
  std::memset(static_cast<std::byte*>(pages) + bytes, kBehindTheRing, behind);
  auto* ring = ::new (pages) AioRing;
  ring->nr = size.nr_events;
  return ring;
}

void free_ring(AioRing* ring) { ::operator delete (ring, std::align_val_t{kPageSize}); }

}  // namespace aioscope::kioctx
