// The patches of the series as switches, and the stages: named sets of them.
//
// A stage costs nothing at run time: it is a template argument, and the code asks with `if
// constexpr` at the points where two stages differ.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace aioscope::kioctx {

// The bugs that the series caused and later kernels mended. Built by tests only: a test of a mend
// must fail where the bug is put back.
enum class Mutation : std::uint8_t {
  kNone,
  kNoHeadClamp,       // a reaper trusts the head that the user wrote
  kNoReadBarrier,     // a reaper reads events before it reads the tail
  kSlotAtCompletion,  // a slot comes back when its event is posted, not when that is reaped
  kMissingGet,        // a lookup takes no reference
  kTimerForZero,      // a time-out of 0 arms the timer
  kRingBeforeActive,  // room in the ring is read before the requests that will fill it
  kGetOfTheDead,      // a lookup takes a reference though the last one may be gone
  kStaleMinNr,        // who has reaped some of what it wants is still woken for all of it only
  kWakeBeforePost,    // a completion looks for sleepers, and then posts its event
  kNoWakeNoEvent,     // a cancelled request wakes nobody, not even who waits for the last one
};

struct Stage {
  // One switch per patch that has an effect at run time, in the order of the series; all off is
  // v3.7.
  bool no_retry = false;               // the retry path is gone: run list, worker, kicks
  bool slot_before_file = false;       // a full ring is reported before a bad file
  bool lockless_put = false;           // a request is freed without ctx_lock
  bool refcounting = false;            // `dead` only means "initial reference dropped"
  bool hrtimer_wait = false;           // nanosecond time-outs; waiters are not exclusive
  bool bulk_reap = false;              // a mutex, many events and one store of head per reap
  bool lazy_cancel = false;            // only cancellable requests are listed; completion_lock
  bool active_until_reaped = false;    // a slot stays taken until its event is reaped
  bool no_batch_alloc = false;         // a request at a time, none of it under ctx_lock
  bool flat_ring = false;              // reapers' and completions' fields on lines of their own
  bool own_cachelines = false;         // all fields grouped by their writers
  bool reqs_available = false;         // slots are counted down rather than up
  bool percpu_reqs_available = false;  // slots counted per CPU, borrowed in batches
  bool percpu_refcount = false;        // users counted per CPU
  bool xchg_tail = false;              // the tail is the producers' lock

  // Beyond the series.
  bool batch_completion = false;  // one ring update and one wake-up for all that an interrupt ends
  bool percpu_rings = false;      // each CPU completes into a ring of its own

  // Today's kernel.
  bool table_lookup = false;         // a context is found by its index
  bool slots_at_completion = false;  // completions count, and find out what the user has reaped
  bool min_nr_wakeups = false;       // a sleeper is woken when there are as many as it wants
  bool event_for_cancelled = false;  // a cancelled request posts its event as any other
  bool reqs_refcount = false;        // requests hold a reference: the end waits for that alone

  Mutation mutation = Mutation::kNone;

  bool operator==(const Stage&) const = default;
};

// A patch of the series, and the stage that has it and all before it.
struct Patch {
  std::string_view stage;
  std::string_view subject;
  bool Stage::*adds;
  std::string_view changes;
};

inline constexpr std::array<Patch, 15> kPatches{{
    {"no-retry", "gadget: remove only user of aio retry; aio: remove retry-based AIO",
     &Stage::no_retry,
     "the run list, its worker and kicks are gone; a request is started without ctx_lock retaken"},
    {"slot-before-file", "aio: do fget() after aio_get_req()", &Stage::slot_before_file,
     "the request owns its file; a full ring is reported before a bad file"},
    {"lockless-put", "aio: Make aio_put_req() lockless", &Stage::lockless_put,
     "the submitter drops its reference by one atomic on the request"},
    {"refcounting", "aio: Refcounting cleanup", &Stage::refcounting,
     "nobody tests whether the context is dead under ctx_lock; the last user ends it"},
    {"hrtimer-wait", "aio: Convert read_events() to hrtimers", &Stage::hrtimer_wait,
     "time-outs in nanoseconds; a completion wakes all who wait"},
    {"bulk-reap", "aio: Make aio_read_evt() more efficient", &Stage::bulk_reap,
     "one lock, one copy and one store of head for each call instead of each event"},
    {"lazy-cancel", "aio: Use cancellation list lazily", &Stage::lazy_cancel,
     "only cancellable requests are listed; completions have a lock of their own"},
    {"active-until-reaped", "aio: Change reqs_active to include unreaped completions",
     &Stage::active_until_reaped,
     "reapers give the slots back, so that submitters need not read the ring"},
    {"no-batch-alloc", "aio: Kill batch allocation", &Stage::no_batch_alloc,
     "a slot is one atomic increment; ctx_lock is out of the fast path"},
    {"flat-ring", "aio: Kill struct aio_ring_info", &Stage::flat_ring,
     "reapers' lock and completions' tail on cachelines of their own"},
    {"own-cachelines", "aio: Give shared kioctx fields their own cachelines",
     &Stage::own_cachelines, "what is only read first, then a line for each kind of writer"},
    {"reqs-available", "aio: reqs_active -> reqs_available", &Stage::reqs_available,
     "slots are counted down: an allocator of interchangeable slots"},
    {"percpu-reqs-available", "aio: percpu reqs_available", &Stage::percpu_reqs_available,
     "a CPU borrows slots in batches and counts them alone"},
    {"percpu-refcount", "Generic dynamic per cpu refcounting; aio: Percpu ioctx refcount",
     &Stage::percpu_refcount, "looking a context up writes to no line of another CPU"},
    {"xchg-tail", "aio: use xchg() instead of completion_lock", &Stage::xchg_tail,
     "the tail is the completions' lock: one line moves instead of two"},
}};

// v3.7 and the first `count` patches.
constexpr Stage stage_with_patches(std::size_t count) {
  Stage stage;
  for (std::size_t i = 0; i < count; ++i) stage.*kPatches[i].adds = true;
  return stage;
}

constexpr Stage without(Stage stage, bool Stage::*patch) {
  stage.*patch = false;
  return stage;
}

inline constexpr Stage kStageV37{};
inline constexpr Stage kStageSeries = stage_with_patches(kPatches.size());

inline constexpr Stage kStageBatchCompletion = [] {
  Stage stage = kStageSeries;
  stage.batch_completion = true;
  return stage;
}();

// The tail is gone, and with it the lock that it was.
inline constexpr Stage kStagePercpuRings = [] {
  Stage stage = without(kStageBatchCompletion, &Stage::xchg_tail);
  stage.percpu_rings = true;
  stage.min_nr_wakeups = true;
  return stage;
}();

inline constexpr Stage kStageMainline = [] {
  Stage stage = without(kStageSeries, &Stage::xchg_tail);
  stage.table_lookup = true;
  stage.slots_at_completion = true;
  stage.min_nr_wakeups = true;
  stage.event_for_cancelled = true;
  stage.reqs_refcount = true;
  return stage;
}();

struct NamedStage {
  std::string_view name;
  Stage stage;
  std::string_view summary;
  std::string_view subject;  // of the patch that ends the stage; "" where there is none
};

inline constexpr std::size_t kSeriesStages = kPatches.size() + 1;
inline constexpr std::size_t kAllStages = kSeriesStages + 3 + 6;

// The series in its order, each stage with every switch of the one before it; then what came after
// it; then the series with one patch left out, for those that can be.
inline constexpr std::array<NamedStage, kAllStages> kStages = [] {
  std::array<NamedStage, kAllStages> stages{};
  std::size_t at = 0;
  stages[at++] = {"v3.7", kStageV37, "the kernel's context before the series: ctx_lock around all",
                  ""};
  for (std::size_t i = 0; i + 1 < kPatches.size(); ++i) {
    stages[at++] = {kPatches[i].stage, stage_with_patches(i + 1), kPatches[i].changes,
                    kPatches[i].subject};
  }
  stages[at++] = {"series", kStageSeries,
                  "the whole series, ended by xchg-tail: no shared line written on submit",
                  kPatches.back().subject};
  stages[at++] = {"batch-completion", kStageBatchCompletion,
                  "one ring update and one wake-up for all that an interrupt completes",
                  "block/aio: batch completion (2013, after the series, not merged)"};
  stages[at++] = {"percpu-rings", kStagePercpuRings,
                  "completions write to no line that another CPU writes: a ring for each CPU", ""};
  stages[at++] = {
      "mainline", kStageMainline,
      "what the kernel does today: completion_lock, refill of slots, wake-ups by min_nr", ""};
  const auto leave_out = [&](std::string_view name, bool Stage::*patch, std::string_view summary) {
    stages[at++] = {name, without(kStageSeries, patch), summary, ""};
  };
  leave_out("series-without-hrtimer-wait", &Stage::hrtimer_wait,
            "the series with exclusive waiters and time-outs in jiffies");
  leave_out("series-without-bulk-reap", &Stage::bulk_reap,
            "the series with one event for each turn of ring_lock");
  leave_out("series-without-own-cachelines", &Stage::own_cachelines,
            "the series with the layout of flat-ring");
  leave_out("series-without-percpu-reqs-available", &Stage::percpu_reqs_available,
            "the series with one atomic count of slots");
  leave_out("series-without-percpu-refcount", &Stage::percpu_refcount,
            "the series with one atomic count of users");
  leave_out("series-without-xchg-tail", &Stage::xchg_tail,
            "the series with completion_lock: what was merged, and the percpu patches");
  return stages;
}();
static_assert(!kStages.back().name.empty());

}  // namespace aioscope::kioctx
