// The completion ring that the kernel maps into user memory, read without a system call.
#pragma once

#include <libaio.h>

#include <atomic>
#include <cstdint>
#include <span>

#include "drivers/driver.h"

namespace aioscope {

// An io_context_t is the address of this ring. The kernel writes the events and then `tail`;
// whoever takes events writes `head`. The kernel does the latter under a lock that user space
// cannot take, so that one thread at a time may reap, by pop() or by io_getevents.
class UserRing {
 public:
  // Throws SetupFailure when the ring is not of the one layout known here.
  explicit UserRing(io_context_t context);

  std::uint32_t pop_single_consumer(std::span<Completion> out);

 private:
  // The kernel's struct aio_ring, which is part of its ABI by these very checks.
  struct Header {
    std::uint32_t id;
    std::uint32_t nr;  // entries
    std::uint32_t head;
    std::uint32_t tail;
    std::uint32_t magic;
    std::uint32_t compat_features;
    std::uint32_t incompat_features;
    std::uint32_t header_length;
  };
  static_assert(sizeof(Header) == 32, "the events start 32 bytes into the ring");

  Header* header_;
  const io_event* events_;
};

}  // namespace aioscope
