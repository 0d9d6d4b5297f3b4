#include "drivers/io_uring/completion_queue.h"

#include <algorithm>
#include <csignal>

#include "drivers/deadline.h"

namespace aioscope {

CompletionQueue::CompletionQueue(RingSetup& setup)
    : ring_(&setup.ring()),
      khead_(ring_->cq.khead),
      ktail_(ring_->cq.ktail),
      sq_kflags_(ring_->sq.kflags),
      koverflow_(ring_->cq.koverflow),
      cqes_(ring_->cq.cqes),
      mask_(ring_->cq.ring_mask),
      enter_flags_(setup.enter_flags() | IORING_ENTER_GETEVENTS) {}

std::uint32_t CompletionQueue::take(std::span<Completion> out) {
  // Pairs with the kernel's release of the completions below the tail.
  const std::uint32_t ready = io_uring_smp_load_acquire(ktail_) - head_;
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(ready, out.size()));
  if (count == 0) return 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const io_uring_cqe& cqe = cqes_[(head_ + i) & mask_];
    out[i] = {.tag = cqe.user_data, .result = cqe.res};
  }
  head_ += count;
  // Pairs with the kernel's read of the head before it writes these entries again, and with
  // SubmissionQueue::room.
  io_uring_smp_store_release(khead_, head_);
  return count;
}

bool CompletionQueue::kernel_has_more() const {
  return (IO_URING_READ_ONCE(*sq_kflags_) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

int CompletionQueue::enter(std::size_t min, Deadline deadline) const {
  __kernel_timespec left{};
  if (!deadline.is_never()) {
    const timespec time = time_left(deadline);
    left = {.tv_sec = time.tv_sec, .tv_nsec = time.tv_nsec};
  }
  // Without a time (ts == 0) it blocks for as long as it takes; with `min` 0 not at all.
  io_uring_getevents_arg argument{
      .sigmask = 0,
      .sigmask_sz = _NSIG / 8,
      .pad = 0,
      .ts = deadline.is_never() || min == 0 ? 0 : reinterpret_cast<std::uint64_t>(&left)};
  const int entered = io_uring_enter2(
      static_cast<unsigned>(ring_->enter_ring_fd), 0, static_cast<unsigned>(min),
      enter_flags_ | IORING_ENTER_EXT_ARG, reinterpret_cast<sigset_t*>(&argument), sizeof argument);
  // Cannot happen as long as submitting is bounded by the CQ's size; if it does, completions are
  // lost.
  if (IO_URING_READ_ONCE(*koverflow_) != 0) return EOVERFLOW;
  return entered < 0 ? -entered : 0;
}

}  // namespace aioscope
