// The two sides of the comparison: the kernel's contexts, and ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "drivers/kioctx/kioctx.h"
#include "drivers/kioctx/ring.h"
#include "tests/drivers/kioctx/differential/sequence.h"

namespace aioscope::kioctx {

inline constexpr std::uint32_t kBufferBytes = 4096;
inline constexpr std::uint64_t kBuffers = 2048;  // a request has one of its own until it is reaped

// A request with its place in memory.
struct PlacedRequest {
  RequestSpec spec;
  std::uint64_t tag = 0;
  std::byte* buffer = nullptr;
};

// The five calls with the return values of the system calls: 0 or a count, or -errno.
//
// What kioctx's interface cannot say is not asked: a NULL in the array of iocbs, a reserved field,
// a wrong key, an eventfd, aio_reqprio and rw_flags, a context pointer that is not zero, negative
// counts, an invalid timespec. Nor what a library could answer only by catching its own fault, or
// by knowing where user space ends: an array of events, or bytes that null and zero would have to
// fill, at an address where nothing is.
class World {
 public:
  World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  virtual ~World();

  virtual std::int64_t io_setup(std::uint32_t nr, std::uint64_t& id) = 0;
  virtual std::int64_t io_submit(std::uint64_t id, std::span<const PlacedRequest> requests) = 0;
  // timeout_ns: -1 none.
  virtual std::int64_t io_getevents(std::uint64_t id, std::uint32_t min, std::span<IoEvent> events,
                                    std::int64_t timeout_ns) = 0;
  virtual std::int64_t io_cancel(std::uint64_t id, std::uint64_t tag) = 0;
  virtual std::int64_t io_destroy(std::uint64_t id) = 0;
  // Of a context that is there.
  virtual AioRing& ring(std::uint64_t id) = 0;

  std::byte* buffer(std::uint64_t tag);
  // Where nothing may be read or written.
  std::byte* unmapped() { return unmapped_; }

  // The bytes of the real file, when nothing is in flight, until the next call.
  std::span<const std::byte> real_file();
  // As it was at first.
  void renew_real_file();

 protected:
  int descriptor(TargetFile file) const;  // -1 for kNotOpen

 private:
  int null_, zero_, real_, read_only_, write_only_;
  std::byte* buffers_;
  std::byte* text_;  // of the real file
  std::byte* unmapped_;
};

std::unique_ptr<World> kernel_world();
std::unique_ptr<World> kioctx_world(const StageCalls& stage);

}  // namespace aioscope::kioctx
