// Submitting, and v3.7's retries.
#pragma once

#include <algorithm>
#include <new>

#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/kioctx_impl.h"
#include "drivers/kioctx/plug.h"

namespace aioscope::kioctx {

inline constexpr std::uint32_t kKiocbBatchSize = 32;

template <Stage S>
IoSubmitResult Kioctx<S>::do_io_submit(const FileTable& files, std::span<const Iocb> iocbs) {
  IoSubmitResult result;
  KiocbBatch batch{.count = std::uint32_t(iocbs.size())};
  const Plug plug;
  for (const Iocb& iocb : iocbs) {
    result.error = io_submit_one(files, iocb, batch);
    if (result.error != 0) break;
    ++result.submitted;
  }
  if constexpr (!S.no_batch_alloc) kiocb_batch_free(batch);
  return result;
}

// Returns 0, or the positive errno that refused the request.
//
// v3.7: the file first, so that a bad file is reported though the ring is full; and then three
// times ctx_lock: to start the request, after it was started, and to drop the submitter's
// reference.
template <Stage S>
int Kioctx<S>::io_submit_one(const FileTable& files, const Iocb& iocb, KiocbBatch& batch) {
  const bool has_file = iocb.opcode != IocbCommand::kNoop;
  File* file = nullptr;
  if constexpr (!S.slot_before_file) {
    if (has_file && (file = files.fget(iocb.fildes)) == nullptr) return EBADF;
  }
  Request* req = aio_get_req(batch);
  if (req == nullptr) {
    if (file != nullptr) fput(file);
    return EAGAIN;
  }
  if constexpr (S.slot_before_file) {
    if (has_file && (file = files.fget(iocb.fildes)) == nullptr) {
      aio_abort_req(*req);
      return EBADF;
    }
  }
  req->ki_filp = file;
  if (const int error = aio_setup_iocb(*req, iocb); error != 0) {
    aio_abort_req(*req);
    return error;
  }
  if constexpr (S.no_retry) {
    const std::int64_t ret = req->ki_retry(req);
    if (ret != -kEIocbQueued) complete(*req, ret);
  } else {
    if (const int error = submit_locked(*req); error != 0) return error;
  }
  aio_put_req(*req);
  return 0;
}

template <Stage S>
int Kioctx<S>::submit_locked(Request& req) {
  this->ctx_lock.lock(LockSite::kCtxLockSubmit);
  if (is_dead()) {
    this->ctx_lock.unlock();
    aio_abort_req(req);
    return EINVAL;
  }
  aio_run_iocb(req);
  if (!this->run_list.empty()) {
    while (run_iocbs()) {
    }
  }
  this->ctx_lock.unlock();
  return 0;
}

template <Stage S>
int Kioctx<S>::aio_setup_iocb(Request& req, const Iocb& iocb) {
  req.ki_buf = iocb.buf;
  req.ki_pos = iocb.offset;
  req.ki_nbytes = iocb.nbytes;
  req.ki_user_data.store(iocb.data, std::memory_order_relaxed);
  switch (iocb.opcode) {
    case IocbCommand::kPread:
      req.ki_write = false;
      req.ki_retry = req.ki_filp->f_op->aio_read;
      return 0;
    case IocbCommand::kPwrite:
      req.ki_write = true;
      req.ki_retry = req.ki_filp->f_op->aio_write;
      return 0;
    case IocbCommand::kNoop:
      req.ki_retry = [](Kiocb*) -> std::int64_t { return 0; };
      return 0;
  }
  return EINVAL;
}

// A request with a slot in the ring, or nullptr when it is full.
template <Stage S>
typename Kioctx<S>::Request* Kioctx<S>::aio_get_req(KiocbBatch& batch) {
  if constexpr (S.no_batch_alloc) {
    if (!get_reqs_available(this->cpu, this->reqs_available, this->req_batch)) return nullptr;
    return kiocb_alloc();
  } else {
    if (batch.head == nullptr && kiocb_batch_refill(batch) == 0) return nullptr;
    Request* req = batch.head;
    batch.head = req->ki_batch_next;
    return req;
  }
}

// Zeroed in lazy_cancel: "never on a list" is then a null link. v3.7 sets what it needs.
template <Stage S>
typename Kioctx<S>::Request* Kioctx<S>::kiocb_alloc() {
  void* memory = RequestCache<Request>::allocate();
  Request* req = nullptr;
  if constexpr (S.lazy_cancel) {
    req = ::new (memory) Request();
  } else {
    req = ::new (memory) Request;
    req->ki_filp = nullptr;
    req->ki_cancel.store(nullptr, std::memory_order_relaxed);
    req->ki_user_data.store(~std::uint64_t{0}, std::memory_order_relaxed);
    req->ki_retry = nullptr;
    req->ki_flags.store(0, std::memory_order_relaxed);
    req->RunNode::init();
  }
  if constexpr (S.lockless_put) {
    req->ki_users.store(2, std::memory_order_relaxed);
  } else {
    req->ki_users = 2;
  }
  req->ki_ops = &kKiocbOperations;
  req->ki_ctx = this;
  return req;
}

template <Stage S>
void Kioctx<S>::kiocb_free(Request* req) {
  if (req->ki_filp != nullptr) fput(req->ki_filp);
  RequestCache<Request>::free(req);
}

// v3.7: up to 32 requests are allocated without the lock, then get their slots and their places in
// active_reqs under it. The room is what the ring has free, less what is in flight and will come to
// it. That can be below zero: a request that completed at once is counted twice, as an event and as
// active, until its submitter has put it. (The kernel took this for a BUG.)
template <Stage S>
std::uint32_t Kioctx<S>::kiocb_batch_refill(KiocbBatch& batch) {
  std::uint32_t allocated = std::min(batch.count, kKiocbBatchSize);
  for (std::uint32_t i = 0; i < allocated; ++i) {
    Request* req = kiocb_alloc();
    req->ki_batch_next = batch.head;
    batch.head = req;
  }
  const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockAllocBatch);
  const std::uint32_t nr = this->nr_events;
  // Acquire: the reaper has read the events that it moved head past. Pairs with aio_read_evt().
  const std::uint32_t head = this->ring_pages->head.load(std::memory_order_acquire) % nr;
  const std::uint32_t end = this->ring_pages->tail.load(std::memory_order_relaxed);
  const std::int64_t room = std::int64_t((head + nr - 1 - end) % nr) - this->reqs_active;
  const auto avail = std::uint32_t(std::max<std::int64_t>(room, 0));
  for (; batch.head != nullptr && allocated > avail; --allocated) {
    Request* req = batch.head;
    batch.head = req->ki_batch_next;
    RequestCache<Request>::free(req);
  }
  for (Request* req = batch.head; req != nullptr; req = req->ki_batch_next) {
    req->ActiveNode::insert_after(&this->active_reqs);
    ++this->reqs_active;
  }
  batch.count -= allocated;
  return allocated;
}

template <Stage S>
void Kioctx<S>::kiocb_batch_free(KiocbBatch& batch) {
  if (batch.head == nullptr) return;
  const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockFreeBatch);
  while (batch.head != nullptr) {
    Request* req = batch.head;
    batch.head = req->ki_batch_next;
    req->ActiveNode::remove();
    RequestCache<Request>::free(req);
    --this->reqs_active;
  }
  if (this->reqs_active == 0 && is_dead()) this->wait.wake_up_all();
}

// Undoes aio_get_req(): no event will come for this request.
template <Stage S>
void Kioctx<S>::aio_abort_req(Request& req) {
  if constexpr (S.percpu_reqs_available) {
    put_reqs_available(this->cpu, this->reqs_available, this->req_batch, 1);
  }
  aio_put_req(req);
  // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): of two references the first put frees nothing
  aio_put_req(req);
}

template <Stage S>
void Kioctx<S>::aio_put_req(Request& req) {
  if constexpr (S.lockless_put) {
    // Release: what was done with the reference; acquire: what the other holder did, before the
    // end.
    if (req.ki_users.fetch_sub(1, std::memory_order_acq_rel) == 1) kiocb_free(&req);
  } else {
    const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockPut);
    aio_put_req_locked(req);
  }
}

template <Stage S>
void Kioctx<S>::aio_put_req_locked(Request& req) {
  if (--req.ki_users != 0) return;
  req.ActiveNode::remove();
  kiocb_free(&req);
  --this->reqs_active;
  if (this->reqs_active == 0 && is_dead()) this->wait.wake_up_all();
}

// v3.7, under ctx_lock, which is let go of around the file operation. While that runs, the run
// list's links are null: a kick then finds "not empty" and only leaves its mark, which is looked at
// afterwards.
template <Stage S>
void Kioctx<S>::aio_run_iocb(Request& req) {
  using Flags = RetryFields::Flags;
  req.ki_flags.fetch_and(~Flags::kKicked, std::memory_order_relaxed);
  req.RunNode::set_next(nullptr);
  req.RunNode::prev = nullptr;
  this->ctx_lock.unlock();

  std::int64_t ret = -EINTR;
  if ((req.ki_flags.load(std::memory_order_relaxed) & Flags::kCancelled) == 0) {
    ret = req.ki_retry(&req);
  }
  if (ret != -kEIocbRetry && ret != -kEIocbQueued) complete(req, ret);

  this->ctx_lock.lock(LockSite::kCtxLockStarted);
  if (ret != -kEIocbRetry) return;
  req.RunNode::init();
  if ((req.ki_flags.load(std::memory_order_relaxed) & Flags::kKicked) != 0) {
    req.RunNode::insert_before(&this->run_list);
    this->wq.queue(kJiffyNs);
  }
}

// v3.7, under ctx_lock: runs everything on the run list. Returns whether more has come meanwhile.
template <Stage S>
bool Kioctx<S>::run_iocbs() {
  ListHead kicked;
  kicked.take_all(this->run_list);
  while (!kicked.empty()) {
    auto& req = static_cast<Request&>(static_cast<RunNode&>(*kicked.get_next()));
    req.RunNode::remove();
    ++req.ki_users;
    aio_run_iocb(req);
    aio_put_req_locked(req);
  }
  return !this->run_list.empty();
}

template <Stage S>
void Kioctx<S>::aio_run_all_iocbs() {
  const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockRetry);
  while (run_iocbs()) {
  }
}

template <Stage S>
void Kioctx<S>::aio_kick_handler(void* context) {
  if constexpr (!S.no_retry) {
    auto& ctx = *static_cast<Kioctx*>(context);
    ctx.ctx_lock.lock(LockSite::kCtxLockRetry);
    const bool requeue = ctx.run_iocbs();
    ctx.ctx_lock.unlock();
    if (requeue) ctx.wq.queue(0);
  }
}

// v3.7: from any thread. The worker comes in a jiffy when somebody waits for events, else in a
// tenth of a second; meanwhile a reaper or a submitter may run the request.
template <Stage S>
void Kioctx<S>::kick(Request& req) {
  if constexpr (!S.no_retry) {
    const RcuReadGuard guard;  // once run, the request does not keep the context
    bool queued = false;
    this->ctx_lock.lock(LockSite::kCtxLockRetry);
    const auto flags =
        req.ki_flags.fetch_or(RetryFields::Flags::kKicked, std::memory_order_relaxed);
    if ((flags & RetryFields::Flags::kKicked) == 0 && req.RunNode::empty()) {
      req.RunNode::insert_before(&this->run_list);
      queued = true;
    }
    this->ctx_lock.unlock();
    if (queued) this->wq.queue(this->wait.active() ? kJiffyNs : kHz / 10 * kJiffyNs);
  }
}

}  // namespace aioscope::kioctx
