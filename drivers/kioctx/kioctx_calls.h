// Aio's calls, to be instantiated for a stage: the only includer of all parts of a context.
#pragma once

#include <cerrno>
#include <new>

// IWYU pragma: begin_exports
#include "drivers/kioctx/aio_cancel.h"
#include "drivers/kioctx/aio_complete.h"
#include "drivers/kioctx/aio_read_events.h"
#include "drivers/kioctx/aio_retry.h"
#include "drivers/kioctx/aio_setup.h"
#include "drivers/kioctx/aio_submit.h"
// IWYU pragma: end_exports
#include "drivers/kioctx/kioctx.h"

namespace aioscope::kioctx {

inline constexpr std::uint32_t kMaxEvents = 0x10000000 / kIoEventBytes;

// A context found by its identity, for the length of one call.
template <Stage S>
class FoundIoctx {
 public:
  explicit FoundIoctx(AioContextId id) : ctx_(Kioctx<S>::lookup_ioctx(id)) {}
  FoundIoctx(const FoundIoctx&) = delete;
  FoundIoctx& operator=(const FoundIoctx&) = delete;
  ~FoundIoctx() {
    if (ctx_ != nullptr) ctx_->put_ioctx();
  }
  explicit operator bool() const { return ctx_ != nullptr; }
  Kioctx<S>* operator->() const { return ctx_; }

 private:
  Kioctx<S>* const ctx_;
};

template <Stage S>
int Aio<S>::io_setup(std::uint32_t nr_events, AioContextId* id) {
  // Of the ring that is made.
  const std::uint32_t most = S.percpu_reqs_available ? kMaxEvents / 2 : kMaxEvents;
  if (nr_events == 0 || nr_events > most) return -EINVAL;
  try {
    Kioctx<S>* ctx = Kioctx<S>::ioctx_alloc(nr_events);
    *id = ctx->id();
    ctx->put_ioctx();
    return 0;
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
}

template <Stage S>
IoSubmitResult Aio<S>::io_submit(AioContextId id, const FileTable& files,
                                 std::span<const Iocb> iocbs) {
  const FoundIoctx<S> ctx(id);
  if (!ctx) return {.error = EINVAL};
  return ctx->do_io_submit(files, iocbs);
}

template <Stage S>
std::int64_t Aio<S>::io_getevents(AioContextId id, std::uint32_t min_nr, std::span<IoEvent> events,
                                  std::int64_t until_ns) {
  const FoundIoctx<S> ctx(id);
  if (!ctx || min_nr > events.size()) return -EINVAL;
  return ctx->read_events(min_nr, events, until_ns);
}

template <Stage S>
int Aio<S>::io_cancel(AioContextId id, std::uint64_t data, IoEvent* result) {
  const FoundIoctx<S> ctx(id);
  return ctx ? ctx->io_cancel(data, result) : -EINVAL;
}

template <Stage S>
int Aio<S>::io_destroy(AioContextId id) {
  std::atomic<std::uint32_t> all_done{0};
  {
    const FoundIoctx<S> ctx(id);
    if (!ctx) return -EINVAL;
    if (const int error = ctx->kill_ioctx(all_done); error != 0) return error;
  }
  if constexpr (S.reqs_refcount) {
    // Acquire: pairs with free_ioctx_reqs().
    while (all_done.load(std::memory_order_acquire) == 0) futex_wait(&all_done, 0, kForever);
  }
  return 0;
}

template <Stage S>
ContextInfo Aio<S>::io_describe(AioContextId id) {
  const FoundIoctx<S> ctx(id);
  return ctx ? ctx->info() : ContextInfo{};
}

}  // namespace aioscope::kioctx
