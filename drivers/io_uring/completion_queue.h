// The reaping side of a ring.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <span>

#include "drivers/driver.h"
#include "drivers/io_uring/ring_setup.h"

namespace aioscope {

class CompletionQueue {
 public:
  // `setup` must outlive this.
  explicit CompletionQueue(RingSetup& setup);

  // Takes what is in the queue, without a system call. One thread at a time.
  std::uint32_t take(std::span<Completion> out);

  // The kernel holds completions that only a call of enter() brings into the queue.
  bool kernel_has_more() const;

  // Enters the kernel and blocks until the queue holds `min` completions or the deadline has
  // passed. Thread-safe; several may wait. 0, or the errno: ETIME, EINTR, or a failure.
  int enter(std::size_t min, Deadline deadline) const;

 private:
  io_uring* const ring_;
  unsigned* const khead_;
  unsigned* const ktail_;
  const unsigned* const sq_kflags_;
  const unsigned* const koverflow_;
  const io_uring_cqe* const cqes_;
  const std::uint32_t mask_;
  const unsigned enter_flags_;

  std::uint32_t head_ = 0;  // of the reaping thread
};

}  // namespace aioscope
