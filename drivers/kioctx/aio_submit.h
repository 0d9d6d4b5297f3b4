// Submitting.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <new>

#include "drivers/kioctx/aio_slots.h"
#include "drivers/kioctx/kioctx_impl.h"
#include "drivers/kioctx/plug.h"

namespace aioscope::kioctx {

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
  if constexpr (S.percpu_rings) post_events(batch.done);
  return result;
}

// Returns 0, or the positive errno that refused the request. Until slot-before-file the file comes
// first, so that a bad file is reported though the ring is full.
template <Stage S>
int Kioctx<S>::io_submit_one(const FileTable& files, const Iocb& iocb, KiocbBatch& batch) {
  const bool has_file = iocb.opcode != IocbCommand::kNoop;
  File* file = nullptr;
  if constexpr (!S.slot_before_file) {
    if (has_file && (file = get_file(files, iocb.fildes)) == nullptr) return EBADF;
  }
  Request* req = aio_get_req(batch);
  if (req == nullptr) {
    if (file != nullptr) put_file(file);
    return EAGAIN;
  }
  if constexpr (S.slot_before_file) {
    if (has_file && (file = get_file(files, iocb.fildes)) == nullptr) {
      aio_abort_req(*req);
      return EBADF;
    }
  }
  req->ki_filp = file;
  if (const int error = aio_setup_iocb(*req, iocb); error != 0) {
    aio_abort_req(*req);
    return error;
  }
  return start_request(*req, batch);
}

// Starts the request and drops the submitter's reference. How often ctx_lock is taken to start it:
// v3.7 twice, until refcounting once, then not at all.
template <Stage S>
int Kioctx<S>::start_request(Request& req, [[maybe_unused]] KiocbBatch& batch) {
  if constexpr (!S.no_retry) {
    if (const int error = submit_locked(req); error != 0) return error;
  } else {
    if constexpr (!S.refcounting) {
      this->ctx_lock.lock(LockSite::kCtxLockSubmit);
      const bool refused = is_dead();
      this->ctx_lock.unlock();
      if (refused) {
        aio_abort_req(req);
        return EINVAL;
      }
    }
    const std::int64_t ret = req.ki_retry(&req);
    if (ret != -kEIocbQueued) {
      if constexpr (S.percpu_rings) {
        complete_inline(req, ret, batch);
        return 0;
      }
      complete(req, ret);
    }
  }
  aio_put_req(req);
  return 0;
}

// The most that one request transfers; the kernel's MAX_RW_COUNT.
inline constexpr std::uint32_t kMaxRwCount = INT32_MAX & ~(kPageSize - 1);

// Offsets are signed, and so is the end of what is transferred: rw_verify_area.
inline int rw_verify_area(const Iocb& iocb) {
  const bool beyond = iocb.offset > std::uint64_t{INT64_MAX} - std::min(iocb.nbytes, kMaxRwCount);
  return beyond ? EINVAL : 0;
}

template <Stage S>
int Kioctx<S>::aio_setup_iocb(Request& req, const Iocb& iocb) {
  req.ki_buf = iocb.buf;
  req.ki_pos = iocb.offset;
  req.ki_nbytes = std::min(iocb.nbytes, kMaxRwCount);
  req.ki_user_data.store(iocb.data, std::memory_order_relaxed);
  switch (iocb.opcode) {
    case IocbCommand::kPread:
      if (!req.ki_filp->allows(FileAccess::kRead)) return EBADF;
      req.ki_write = false;
      req.ki_retry = req.ki_filp->f_op->aio_read;
      return rw_verify_area(iocb);
    case IocbCommand::kPwrite:
      if (!req.ki_filp->allows(FileAccess::kWrite)) return EBADF;
      req.ki_write = true;
      req.ki_retry = req.ki_filp->f_op->aio_write;
      return rw_verify_area(iocb);
    case IocbCommand::kNoop:
      req.ki_retry = [](Kiocb*) -> std::int64_t { return 0; };
      return 0;
  }
  return EINVAL;
}

// A request with a slot in the ring; nullptr when that is full, or there is no memory.
template <Stage S>
typename Kioctx<S>::Request* Kioctx<S>::aio_get_req(KiocbBatch& batch) {
  if constexpr (S.no_batch_alloc) {
    if (!get_slot()) return nullptr;
    Request* req = kiocb_alloc();
    if (req == nullptr) {
      put_slots(1);
      return nullptr;
    }
    if constexpr (S.reqs_refcount) this->reqs.get();
    return req;
  } else {
    if (batch.head == nullptr && kiocb_batch_refill(batch) == 0) return nullptr;
    Request* req = batch.head;
    batch.head = req->ki_batch_next;
    return req;
  }
}

// Zeroed in lazy-cancel: "never on a list" is then a null link. Before, it sets what it needs.
template <Stage S>
typename Kioctx<S>::Request* Kioctx<S>::kiocb_alloc() {
  void* memory = RequestCache<Request>::allocate();
  if (memory == nullptr) return nullptr;
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
    if constexpr (!S.no_retry) req->RunNode::init();
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
  if (req->ki_filp != nullptr) put_file(req->ki_filp);
  RequestCache<Request>::free(req);
  if constexpr (S.reqs_refcount) {
    if (this->reqs.put()) free_ioctx_reqs();
  }
}

// Undoes aio_get_req(): no event will come for this request.
template <Stage S>
void Kioctx<S>::aio_abort_req(Request& req) {
  if constexpr (S.no_batch_alloc) {
    put_slots(1);
  } else if constexpr (S.lockless_put) {
    const SpinLockGuard guard(this->ctx_lock, LockSite::kCtxLockFreeBatch);
    unbatch(req);
    wake_teardown();
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
  unbatch(req);
  kiocb_free(&req);
  wake_teardown();
}

}  // namespace aioscope::kioctx
