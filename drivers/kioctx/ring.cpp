#include "drivers/kioctx/ring.h"

#include <cstring>
#include <new>

namespace aioscope::kioctx {

AioRing* alloc_ring(const RingSize& size) {
  const std::size_t bytes = std::size_t{size.nr_pages} * kPageSize;
  void* pages = ::operator new (bytes, std::align_val_t{kPageSize});
  std::memset(pages, 0, bytes);
  auto* ring = ::new (pages) AioRing;
  ring->nr = size.nr_events;
  return ring;
}

void free_ring(AioRing* ring) { ::operator delete (ring, std::align_val_t{kPageSize}); }

}  // namespace aioscope::kioctx
