// The patches of the series as switches, and the stages: named, cumulative sets of them.
//
// A stage costs nothing at run time: it is a template argument, and the code asks with `if
// constexpr` at the points where two stages differ.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace aioscope::kioctx {

// One switch per patch that has an effect at run time, in the order of the series; all off is v3.7.
struct Stage {
  bool no_retry = false;               // the retry path is gone: run list, worker, kicks
  bool slot_before_file = false;       // a full ring is reported before a bad file
  bool lockless_put = false;           // a request is freed without ctx_lock
  bool refcounting = false;            // `dead` only means "initial reference dropped"
  bool hrtimer_wait = false;           // nanosecond time-outs; waiters are not exclusive
  bool bulk_reap = false;              // a mutex, many events and one store of head per reap
  bool lazy_cancel = false;            // only cancellable requests are listed
  bool active_until_reaped = false;    // a slot stays taken until its event is reaped
  bool no_batch_alloc = false;         // a request at a time, none of it under ctx_lock
  bool own_cachelines = false;         // fields grouped by their writers
  bool percpu_reqs_available = false;  // slots counted per CPU, borrowed in batches
  bool percpu_refcount = false;        // users counted per CPU
  bool xchg_tail = false;              // the tail is the producers' lock

  bool operator==(const Stage&) const = default;
};

inline constexpr Stage kStageV37{};

inline constexpr Stage kStageSeries{
    .no_retry = true,
    .slot_before_file = true,
    .lockless_put = true,
    .refcounting = true,
    .hrtimer_wait = true,
    .bulk_reap = true,
    .lazy_cancel = true,
    .active_until_reaped = true,
    .no_batch_alloc = true,
    .own_cachelines = true,
    .percpu_reqs_available = true,
    .percpu_refcount = true,
    .xchg_tail = true,
};

struct NamedStage {
  std::string_view name;
  Stage stage;
  std::string_view summary;
};

// In the order of the series: each stage has every switch of the stage above it.
inline constexpr std::array<NamedStage, 2> kStages{{
    {"v3.7", kStageV37,
     "the kernel's context before the series, in userspace: ctx_lock around all"},
    {"series", kStageSeries, "the whole series, in userspace: no shared line written on submit"},
}};

}  // namespace aioscope::kioctx
