#include "drivers/io_uring/submission_queue.h"

#include <algorithm>
#include <atomic>

namespace aioscope {
namespace {

// Full for now: reap and try again.
bool is_back_pressure(int error) { return error == EAGAIN || error == EBUSY || error == EINTR; }

}  // namespace

SubmissionQueue::SubmissionQueue(RingSetup& setup, const RingRecipe& recipe, std::uint32_t depth)
    : ring_(&setup.ring()),
      khead_(ring_->sq.khead),
      ktail_(ring_->sq.ktail),
      kflags_(ring_->sq.kflags),
      cq_khead_(ring_->cq.khead),
      sqes_(ring_->sq.sqes),
      mask_(ring_->sq.ring_mask),
      entries_(ring_->sq.ring_entries),
      depth_(depth),
      sqpoll_(recipe.sqpoll),
      enter_flags_(setup.enter_flags()),
      operations_(recipe.registered
                      ? std::array<Operation, 3>{{{IORING_OP_READ_FIXED, IOSQE_FIXED_FILE},
                                                  {IORING_OP_WRITE_FIXED, IOSQE_FIXED_FILE},
                                                  {IORING_OP_NOP, 0}}}
                      : std::array<Operation, 3>{{{IORING_OP_READ, 0},
                                                  {IORING_OP_WRITE, 0},
                                                  {IORING_OP_NOP, 0}}}),
      buffer_index_mask_(recipe.registered ? 0xffff : 0),
      targets_(setup.targets()) {
  // Slot i of the queue is always SQE i.
  for (unsigned i = 0; i < entries_; ++i) ring_->sq.array[i] = i;
}

SubmitResult SubmissionQueue::submit(std::span<const Request> requests) {
  SubmitResult result;
  while (result.accepted < requests.size()) {
    const auto rest = requests.subspan(result.accepted);
    const std::size_t count = std::min<std::size_t>(
        rest.size(), room(static_cast<std::uint32_t>(std::min<std::size_t>(rest.size(), depth_))));
    if (count == 0) break;
    const std::uint32_t prepared = prepare(rest.first(count));
    if (prepared == 0) {
      result.error = EBADF;
      break;
    }
    const int error =
        sqpoll_ ? publish_to_thread(prepared, result) : publish_and_enter(prepared, result);
    if (error != 0) {
      result.error = is_back_pressure(error) ? 0 : error;
      break;
    }
  }
  return result;
}

// How many SQEs may be filled: there must be room for their completions, too.
std::uint32_t SubmissionQueue::room(std::uint32_t wanted) {
  if (tail_ - seen_cq_head_ + wanted > depth_) {
    seen_cq_head_ = io_uring_smp_load_acquire(cq_khead_);  // pairs with CompletionQueue::take
  }
  // Pairs with the kernel's release of SQEs it has copied.
  const std::uint32_t free_slots = entries_ - (tail_ - io_uring_smp_load_acquire(khead_));
  return std::min(depth_ - (tail_ - seen_cq_head_), free_slots);
}

// Fills SQEs up to the first request whose file does not exist, and says how many.
std::uint32_t SubmissionQueue::prepare(std::span<const Request> requests) {
  std::uint32_t count = 0;
  for (const Request& request : requests) {
    int target = -1;
    if (request.file < targets_.size()) {
      target = targets_[request.file];
    } else if (request.opcode != Opcode::kNop) {
      break;
    }
    const Operation operation = operations_[static_cast<std::size_t>(request.opcode)];
    io_uring_sqe* sqe = &sqes_[(tail_ + count) & mask_];
    io_uring_prep_rw(operation.opcode, sqe, target, request.buffer, request.length, request.offset);
    sqe->flags = operation.flags;
    sqe->buf_index = request.buffer_region & buffer_index_mask_;
    sqe->user_data = request.tag;
    ++count;
  }
  return count;
}

// The kernel takes SQEs inside this call only. What it leaves is taken back, or it would be
// submitted by a later call although its request was not accepted.
int SubmissionQueue::publish_and_enter(std::uint32_t count, SubmitResult& result) {
  const std::uint32_t first = tail_;
  tail_ += count;
  io_uring_smp_store_release(ktail_, tail_);  // pairs with the kernel's read of the tail
  unsigned flags = enter_flags_;
  // Completion work waits for this thread to enter the kernel: let it be done by this very call.
  if ((IO_URING_READ_ONCE(*kflags_) & IORING_SQ_TASKRUN) != 0) flags |= IORING_ENTER_GETEVENTS;
  const int entered =
      io_uring_enter(static_cast<unsigned>(ring_->enter_ring_fd), count, 0, flags, nullptr);
  ++result.system_calls;
  const std::uint32_t head = io_uring_smp_load_acquire(khead_);  // pairs with the kernel's store
  result.accepted += head - first;
  if (head != tail_) {
    tail_ = head;
    io_uring_smp_store_release(ktail_, tail_);  // as above
  }
  return entered < 0 ? -entered : 0;
}

// The kernel's thread takes the SQEs when it sees the tail, unless it sleeps. Once published they
// cannot be taken back.
int SubmissionQueue::publish_to_thread(std::uint32_t count, SubmitResult& result) {
  tail_ += count;
  result.accepted += count;
  io_uring_smp_store_release(ktail_, tail_);  // pairs with the thread's read of the tail
  // Orders our store of the tail before our read of the flag. The thread sets the flag before its
  // last look at the tail: either it sees the tail, or we see that it sleeps.
  io_uring_smp_mb();
  if ((IO_URING_READ_ONCE(*kflags_) & IORING_SQ_NEED_WAKEUP) == 0) return 0;
  ++result.system_calls;
  const int entered = io_uring_enter(static_cast<unsigned>(ring_->enter_ring_fd), count, 0,
                                     enter_flags_ | IORING_ENTER_SQ_WAKEUP, nullptr);
  return entered < 0 ? -entered : 0;
}

}  // namespace aioscope
