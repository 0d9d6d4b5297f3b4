// A request as its context sees it.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "drivers/kioctx/kiocb.h"
#include "drivers/kioctx/list.h"
#include "drivers/kioctx/stage.h"

namespace aioscope::kioctx {

template <Stage S>
class Kioctx;

// Nodes by the list they are on, so that a cast from node to request is checked.
struct ActiveNode : ListNode {};
struct RunNode : ListNode {};

// The value of ki_cancel that says: cancelled or completed, whichever came first.
inline const auto kKiocbCancelled = reinterpret_cast<KiocbCancel>(~std::uintptr_t{0});

// Until lazy-cancel. Written under ctx_lock, except kCancelled, which is also read outside.
struct FlagFields {
  enum Flags : std::uint32_t { kKicked = 1, kCancelled = 2 };
  std::atomic<std::uint32_t> ki_flags;
};
struct NoFlagFields {};

// v3.7: its place on the run list.
struct NoRunNode {};

// Until no-batch-alloc: a request that is allocated and not yet submitted.
template <class Request>
struct BatchFields {
  Request* ki_batch_next;
};
struct NoBatchFields {};

template <Stage S>
struct AioKiocb : Kiocb,
                  ActiveNode,
                  std::conditional_t<S.no_retry, NoRunNode, RunNode>,
                  std::conditional_t<S.lazy_cancel, NoFlagFields, FlagFields>,
                  std::conditional_t<S.no_batch_alloc, NoBatchFields, BatchFields<AioKiocb<S>>> {
  using Users = std::conditional_t<S.lockless_put, std::atomic<std::int32_t>, std::int32_t>;

  Users ki_users;  // two at first: the submitter's and the completion's
  Kioctx<S>* ki_ctx;
  // In lazy_cancel the state of cancelling too, see kKiocbCancelled.
  std::atomic<KiocbCancel> ki_cancel;
  std::int64_t (*ki_retry)(Kiocb*);
  std::atomic<std::uint64_t> ki_user_data;  // v3.7 lists a request before it is set
};

}  // namespace aioscope::kioctx
