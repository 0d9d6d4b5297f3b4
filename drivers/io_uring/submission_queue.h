// The submitting side of a ring. Not thread-safe: liburing does not lock, and neither does this.
#pragma once

#include <liburing.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "drivers/driver.h"
#include "drivers/io_uring/ring_setup.h"

namespace aioscope {

class SubmissionQueue {
 public:
  // `setup` must outlive this.
  SubmissionQueue(RingSetup& setup, const RingRecipe& recipe, std::uint32_t depth);

  SubmitResult submit(std::span<const Request> requests);

 private:
  struct Operation {
    std::uint8_t opcode;
    std::uint8_t flags;
  };

  std::uint32_t room(std::uint32_t wanted);
  std::uint32_t prepare(std::span<const Request> requests);
  int publish_and_enter(std::uint32_t count, SubmitResult& result);
  int publish_to_thread(std::uint32_t count, SubmitResult& result);

  // liburing's own fields of the ring, copied here to keep what submitters write off the reapers'
  // cachelines. `ring_` itself is written by nobody after it was set up.
  io_uring* const ring_;
  unsigned* const khead_;
  unsigned* const ktail_;
  const unsigned* const kflags_;
  const unsigned* const cq_khead_;
  io_uring_sqe* const sqes_;
  const std::uint32_t mask_;
  const std::uint32_t entries_;
  const std::uint32_t depth_;
  const bool sqpoll_;
  const unsigned enter_flags_;
  const std::array<Operation, 3> operations_;  // by Opcode
  const std::uint16_t buffer_index_mask_;      // 0 unless buffers are registered
  const std::vector<int> targets_;

  // Counts the requests ever submitted, as the CQ's head counts those ever reaped: the difference
  // is what is in flight.
  std::uint32_t tail_ = 0;
  std::uint32_t seen_cq_head_ = 0;
};

}  // namespace aioscope
