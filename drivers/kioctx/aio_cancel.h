// Cancelling: one helper, used by io_cancel() and by the end of a context.
#pragma once

#include <cerrno>

#include "drivers/kioctx/kioctx_impl.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

// Linear, under ctx_lock.
template <Stage S>
typename Kioctx<S>::Request* Kioctx<S>::lookup_kiocb(std::uint64_t data) {
  for (ListNode* node = this->active_reqs.get_next(); node != &this->active_reqs;
       node = node->get_next()) {
    auto& req = static_cast<Request&>(static_cast<ActiveNode&>(*node));
    if (req.ki_user_data.load(std::memory_order_relaxed) == data) return &req;
  }
  return nullptr;
}

// Needs ctx_lock. Gives the caller the right to call `cancel`, and a reference. 0 or -EINVAL.
//
// The right goes to one thread: whoever takes the function out of ki_cancel, be it a canceller, the
// completion (lazy-cancel), or the file when it begins to work on the request. mainline has no
// value for "cancelled" and lets a completion be: the request posts its event in any case, and is
// off the list so that nobody cancels it twice.
template <Stage S>
int Kioctx<S>::mark_cancelled(Request& req, KiocbCancel& cancel) {
  if constexpr (S.lazy_cancel && !S.event_for_cancelled) {
    cancel = req.ki_cancel.load(std::memory_order_relaxed);
    do {
      if (cancel == nullptr || cancel == kKiocbCancelled) return -EINVAL;
    } while (!req.ki_cancel.compare_exchange_weak(cancel, kKiocbCancelled,
                                                  std::memory_order_acq_rel,
                                                  std::memory_order_relaxed));  // pairs: complete()
  } else {
    cancel = req.ki_cancel.exchange(nullptr, std::memory_order_acq_rel);  // pairs: clear_cancel_fn
    if (cancel == nullptr) return -EINVAL;
    if constexpr (S.event_for_cancelled) {
      req.ActiveNode::remove();
    } else {
      req.ki_flags.fetch_or(FlagFields::kCancelled, std::memory_order_relaxed);
    }
  }
  if constexpr (S.lockless_put) {
    req.ki_users.fetch_add(1, std::memory_order_relaxed);
  } else {
    ++req.ki_users;
  }
  return 0;
}

// Needs ctx_lock, and lets go of it around the cancel function. Returns 0 when that was called:
// then the request completes without an event, but for mainline's -EINPROGRESS. Else -EINVAL.
template <Stage S>
int Kioctx<S>::kiocb_cancel(Request& req, IoEvent* result) {
  KiocbCancel cancel = nullptr;
  if (const int error = mark_cancelled(req, cancel); error != 0) return error;
  this->ctx_lock.unlock();
  const std::uint64_t data = req.ki_user_data.load(std::memory_order_relaxed);
  if constexpr (!S.event_for_cancelled) *result = {data, data, -ECANCELED, 0};
  schedule_point("cancel: marked, not yet told");
  cancel(&req);
  aio_put_req(req);
  this->ctx_lock.lock(LockSite::kCtxLockCancel);
  return S.event_for_cancelled ? -EINPROGRESS : 0;
}

template <Stage S>
int Kioctx<S>::io_cancel(std::uint64_t data, IoEvent* result) {
  const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockCancel);
  Request* req = lookup_kiocb(data);
  return req == nullptr ? -EINVAL : kiocb_cancel(*req, result);
}

// lazy-cancel: only now does the request enter the list, and with it ctx_lock the I/O's path.
template <Stage S>
void Kioctx<S>::set_cancel_fn(Request& req, KiocbCancel cancel) {
  if constexpr (S.lazy_cancel) {
    const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockListed);
    if (req.ActiveNode::get_next() == nullptr) req.ActiveNode::insert_after(&this->active_reqs);
    req.ki_cancel.store(cancel, std::memory_order_release);  // pairs with kiocb_cancel
  } else {
    req.ki_cancel.store(cancel, std::memory_order_release);  // pairs with kiocb_cancel
  }
}

// The gadget driver of 2012, the one file that could cancel, had no such step: there an event is
// lost when the cancel function comes too late.
template <Stage S>
bool Kioctx<S>::clear_cancel_fn(Request& req) {
  KiocbCancel cancel = req.ki_cancel.load(std::memory_order_relaxed);
  do {
    if (cancel == nullptr || cancel == kKiocbCancelled) return false;
  } while (!req.ki_cancel.compare_exchange_weak(cancel, nullptr, std::memory_order_acq_rel,
                                                std::memory_order_relaxed));  // pairs: kiocb_cancel
  return true;
}

}  // namespace aioscope::kioctx
