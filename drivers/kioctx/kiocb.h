// What a file operation sees of a request, and what it may ask of the context that owns it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "drivers/kioctx/file.h"
#include "drivers/kioctx/list.h"

namespace aioscope::kioctx {

// Called at most once, by the thread that cancels, with the right to the request: it must take the
// request off whatever it waits in, and complete it.
using KiocbCancel = void (*)(Kiocb*);

// An I/O that is done: bytes, or -errno.
struct CompletedKiocb {
  Kiocb* req;
  std::int64_t result;
};

struct KiocbOperations {
  void (*complete)(Kiocb*, std::int64_t result);
  void (*complete_batch)(std::span<CompletedKiocb>);  // all of these operations
  void (*set_cancel_fn)(Kiocb*, KiocbCancel);
  bool (*clear_cancel_fn)(Kiocb*);
  void (*kick)(Kiocb*);
};

struct Kiocb {
  const KiocbOperations* ki_ops;
  File* ki_filp;  // nullptr for a request without a file
  std::byte* ki_buf;
  std::uint64_t ki_pos;     // bytes from the start of the file
  std::uint32_t ki_nbytes;  // bytes
  bool ki_write;
  // For the file's own use while the request is queued.
  std::uint16_t ki_file_queue;  // which of the file's queues it is in
  ListNode ki_file_node;
  std::int64_t ki_due_ns;  // when it will be done, CLOCK_MONOTONIC
};

inline Kiocb* kiocb_of_file_node(ListNode* node) {
  // The node is not the first member, and Kiocb is of standard layout.
  static_assert(std::is_standard_layout_v<Kiocb>);
  return reinterpret_cast<Kiocb*>(reinterpret_cast<char*>(node) - offsetof(Kiocb, ki_file_node));
}

// The I/O is done (bytes, or -errno); the request may be gone when this returns. From any thread.
inline void aio_complete(Kiocb* req, std::int64_t result) { req->ki_ops->complete(req, result); }

// The same for what one interrupt of a device found done, from any contexts; may reorder the span.
// batch-completion posts all events of one context together; the other stages one by one.
void aio_complete_batch(std::span<CompletedKiocb> completed);

// From now on the request may be cancelled, by `cancel`.
inline void kiocb_set_cancel_fn(Kiocb* req, KiocbCancel cancel) {
  req->ki_ops->set_cancel_fn(req, cancel);
}

// The request is about to be worked on and cannot be cancelled any more. False: it is being
// cancelled, belongs to its cancel function, and must not be worked on.
inline bool kiocb_clear_cancel_fn(Kiocb* req) { return req->ki_ops->clear_cancel_fn(req); }

// v3.7: what the file operation waited for has come, when it answered -kEIocbRetry; it will be
// called again, within this call if no thread can be started. Not in stages without retry.
inline void kick_iocb(Kiocb* req) { req->ki_ops->kick(req); }

}  // namespace aioscope::kioctx
