// The kernel's AIO context in userspace, at a stage of the series: its five system calls.
//
// All are thread-safe. Contexts are named by an identity that io_setup() hands out and every call
// looks up. Files are the caller's: a table given to each io_submit(), which must outlive the
// requests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "drivers/kioctx/file.h"
#include "drivers/kioctx/stage.h"

namespace aioscope::kioctx {

using AioContextId = std::uint64_t;
struct AioRing;

enum class IocbCommand : std::uint8_t { kPread, kPwrite, kNoop };

// One request. kNoop uses no file.
struct Iocb {
  std::uint64_t data = 0;  // comes back in IoEvent::data, and names the request to io_cancel()
  std::byte* buf = nullptr;
  std::uint64_t offset = 0;  // bytes from the start of the file
  std::uint32_t nbytes = 0;  // bytes
  std::uint32_t fildes = 0;  // number in the FileTable
  IocbCommand opcode = IocbCommand::kNoop;
};

struct IoEvent {
  std::uint64_t data = 0;  // of the Iocb
  std::uint64_t obj = 0;   // which request: the kernel has its address here, we have `data` again
  std::int64_t res = 0;    // bytes, or -errno
  std::int64_t res2 = 0;
};

// `submitted` requests from the front were started. `error` (positive errno) is what stopped the
// next one, 0 if nothing did: EAGAIN the ring is full, EBADF no such file, or
// not opened for that; EINVAL no such context or operation, or an offset or end beyond 2^63 - 1.
struct IoSubmitResult {
  std::uint32_t submitted = 0;
  std::int32_t error = 0;
};

struct ContextInfo {
  std::uint32_t nr_events = 0;  // entries of the ring
  std::uint32_t slots = 0;      // most requests in flight
  std::uint32_t req_batch = 0;  // slots a CPU borrows at a time; 0: slots are not counted per CPU
};

template <Stage S>
struct Aio {
  // Makes a context for at least `nr_events` requests in flight. Returns 0, or -EINVAL for a size
  // of 0, or over 2^23, which is 2^22 where slots are counted per CPU; or -ENOMEM.
  static int io_setup(std::uint32_t nr_events, AioContextId* id);

  // Starts a prefix of `iocbs`.
  static IoSubmitResult io_submit(AioContextId id, const FileTable& files,
                                  std::span<const Iocb> iocbs);

  // Moves up to events.size() events to the front of `events`; blocks until there are `min_nr` or
  // CLOCK_MONOTONIC until_ns has come (0: does not block; INT64_MAX: no end). Returns their number,
  // or -EINTR when none has come yet, or -EINVAL. v3.7 counts time in jiffies: it may return a
  // jiffy early or late.
  static std::int64_t io_getevents(AioContextId id, std::uint32_t min_nr, std::span<IoEvent> events,
                                   std::int64_t until_ns);

  // Cancels the request whose Iocb had `data`. Returns 0: `result` is its event, which will not
  // come by io_getevents(); or, mainline, -EINPROGRESS: its event will come. Or -EINVAL: no such
  // request, or it cannot be cancelled (any more).
  static int io_cancel(AioContextId id, std::uint64_t data, IoEvent* result);

  // Cancels what can be, waits for the rest, and frees the context when the last call in it
  // returns. Returns 0, or -EINVAL: no such context, or, mainline, another io_destroy() came first.
  static int io_destroy(AioContextId id);

  // All zero when there is no such context.
  static ContextInfo io_describe(AioContextId id);
};

// The calls of one stage as a value, for whoever chooses the stage at run time.
struct StageCalls {
  int (*io_setup)(std::uint32_t, AioContextId*);
  IoSubmitResult (*io_submit)(AioContextId, const FileTable&, std::span<const Iocb>);
  std::int64_t (*io_getevents)(AioContextId, std::uint32_t, std::span<IoEvent>, std::int64_t);
  int (*io_cancel)(AioContextId, std::uint64_t, IoEvent*);
  int (*io_destroy)(AioContextId);
  ContextInfo (*io_describe)(AioContextId);
};
template <Stage S>
inline constexpr StageCalls kCallsOf{Aio<S>::io_setup,  Aio<S>::io_submit,  Aio<S>::io_getevents,
                                     Aio<S>::io_cancel, Aio<S>::io_destroy, Aio<S>::io_describe};
// Of kStages, in their order.
extern const std::array<StageCalls, kAllStages> kStageCalls;

// The ring of a context, which its identity tells as in the kernel. A user may reap from it in user
// space: read the events between head and tail, and move head. Not in percpu-rings.
AioRing* ring_of(AioContextId id);

}  // namespace aioscope::kioctx
