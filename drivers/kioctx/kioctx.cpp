#include "drivers/kioctx/kioctx.h"

#include <cstddef>

#include "drivers/kioctx/aio_cancel.h"
#include "drivers/kioctx/aio_complete.h"
#include "drivers/kioctx/aio_read_events.h"
#include "drivers/kioctx/aio_setup.h"
#include "drivers/kioctx/aio_submit.h"

namespace aioscope::kioctx {
namespace {

using V37 = PackedFields<Kioctx<kStageV37>, Mm<kStageV37>>;
static_assert(offsetof(V37, ctx_lock) == 1 * kCacheline,
              "v3.7: what the lookup reads and writes fills line 0, with the wait queue in it");
static_assert(offsetof(V37, ring_pages) == 2 * kCacheline,
              "v3.7: ctx_lock and all that it guards but the tail fill line 1");
static_assert(offsetof(V37, tail) < 3 * kCacheline,
              "v3.7: the reapers' lock and the completions' tail share line 2");

using Series = OwnCachelineFields<Kioctx<kStageSeries>, Mm<kStageSeries>>;
static_assert(offsetof(Series, reqs_available) % kCacheline == 0 &&
                  offsetof(Series, ctx_lock) == offsetof(Series, reqs_available) + kCacheline,
              "series: slots are borrowed by every CPU, and nothing else lies on their line");
static_assert(offsetof(Series, ring_lock) == offsetof(Series, ctx_lock) + kCacheline,
              "series: a cancellable request disturbs neither submitters nor reapers");
static_assert(offsetof(Series, wait) / kCacheline == offsetof(Series, ring_lock) / kCacheline,
              "series: completions read `wait` from the line of the reapers' mutex, as they did");
static_assert(offsetof(Series, tail) == offsetof(Series, ring_lock) + kCacheline &&
                  sizeof(Series) == offsetof(Series, tail) + kCacheline,
              "series: the tail, which is a lock, moves between completions with nothing else");

constexpr std::uint32_t kMaxEvents = 0x10000000 / kIoEventBytes;

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

}  // namespace

template <Stage S>
int Aio<S>::io_setup(std::uint32_t nr_events, AioContextId* id) {
  if (nr_events == 0 || nr_events > kMaxEvents) return -EINVAL;
  Kioctx<S>* ctx = Kioctx<S>::ioctx_alloc(nr_events);
  *id = ctx->id();
  ctx->put_ioctx();
  return 0;
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
  const FoundIoctx<S> ctx(id);
  if (!ctx) return -EINVAL;
  ctx->kill_ioctx();
  return 0;
}

template <Stage S>
ContextInfo Aio<S>::io_describe(AioContextId id) {
  const FoundIoctx<S> ctx(id);
  return ctx ? ctx->info() : ContextInfo{};
}

template struct Aio<kStageV37>;
template struct Aio<kStageSeries>;

}  // namespace aioscope::kioctx
