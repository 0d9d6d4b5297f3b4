// v3.7's retries: a file operation may ask to be called again, and until no-retry every request is
// run under the rules that this needs.
#pragma once

#include <cerrno>

#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/kioctx_impl.h"

namespace aioscope::kioctx {

// ctx_lock is taken to start the request and again after it was started.
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

// Under ctx_lock, which is let go of around the file operation. While that runs, the run list's
// links are null: a kick then finds "not empty" and only leaves its mark, which is looked at
// afterwards.
template <Stage S>
void Kioctx<S>::aio_run_iocb(Request& req) {
  req.ki_flags.fetch_and(~FlagFields::kKicked, std::memory_order_relaxed);
  req.RunNode::set_next(nullptr);
  req.RunNode::prev = nullptr;
  this->ctx_lock.unlock();

  std::int64_t ret = -EINTR;
  if ((req.ki_flags.load(std::memory_order_relaxed) & FlagFields::kCancelled) == 0) {
    ret = req.ki_retry(&req);
  }
  if (ret != -kEIocbRetry && ret != -kEIocbQueued) complete(req, ret);

  this->ctx_lock.lock(LockSite::kCtxLockStarted);
  if (ret != -kEIocbRetry) return;
  req.RunNode::init();
  if ((req.ki_flags.load(std::memory_order_relaxed) & FlagFields::kKicked) != 0) {
    req.RunNode::insert_before(&this->run_list);
    this->wq.queue(kJiffyNs);
  }
}

// Under ctx_lock: runs everything on the run list. Returns whether more has come meanwhile.
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

// From any thread. The worker comes in a jiffy when somebody waits for events, else in a tenth of a
// second; meanwhile a reaper or a submitter may run the request.
template <Stage S>
void Kioctx<S>::kick(Request& req) {
  if constexpr (!S.no_retry) {
    const RcuReadGuard guard;  // once run, the request does not keep the context
    bool queued = false;
    this->ctx_lock.lock(LockSite::kCtxLockRetry);
    const auto flags = req.ki_flags.fetch_or(FlagFields::kKicked, std::memory_order_relaxed);
    if ((flags & FlagFields::kKicked) == 0 && req.RunNode::empty()) {
      req.RunNode::insert_before(&this->run_list);
      queued = true;
    }
    this->ctx_lock.unlock();
    if (queued) this->wq.queue(this->wait.active() ? kJiffyNs : kHz / 10 * kJiffyNs);
  }
}

}  // namespace aioscope::kioctx
