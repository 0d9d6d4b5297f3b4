// The bugs that the series caused and later kernels mended. Each test is one check with two halves:
// the stages that have the mend pass it, and the bug put back is caught by it, every time.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "drivers/kioctx/kioctx_impl.h"
#include "drivers/kioctx/rcu.h"
#include "tests/drivers/kioctx/pending_file.h"
#include "tests/drivers/kioctx/proof/context.h"
#include "tests/drivers/kioctx/proof/interrupts.h"
#include "tests/drivers/kioctx/proof/mutants.h"
#include "tests/drivers/kioctx/proof/scheduling.h"

namespace aioscope::kioctx {
namespace {

using std::chrono::milliseconds;
using Tags = std::vector<std::uint64_t>;

// A check says what went wrong, or nothing.
using Check = std::string (*)(const StageCalls&);

template <class Which>
void expect_in_stages(Which which, Check check, const std::string& verdict) {
  int stages = 0;
  for (std::size_t i = 0; i < kAllStages; ++i) {
    if (!which(kStages[i].stage)) continue;
    ++stages;
    EXPECT_EQ(check(kStageCalls[i]), verdict) << kStages[i].name;
  }
  EXPECT_GT(stages, 0);
}

bool has_one_ring(const Stage& stage) { return !stage.percpu_rings; }
bool any(const Stage&) { return true; }

// --- head %= nr_events (CVE-2014-0206) ------------------------------------------------------

// The user, who may write head, points it behind the ring.
std::string head_behind_the_ring(const StageCalls& calls) {
  Context ctx(calls, 128);
  for (std::uint64_t tag = 0; tag < 5; ++tag) ctx.submit(tag);
  ctx.ring().head.store(ctx.nr() + 3);
  const Tags tags = ctx.reap(2);
  ctx.ring().head.store(0);  // so that all slots come back
  const Tags first = ctx.reap(3);
  if (first != Tags{0, 1, 2}) return "lost the ring";
  return tags == Tags{3, 4} ? "" : "gave out memory behind the ring";
}

TEST(Mended, HeadIsReducedToTheRing) {
  expect_in_stages(has_one_ring, head_behind_the_ring, "");
  EXPECT_EQ(head_behind_the_ring(kCallsOf<kNoHeadClampStage>), "gave out memory behind the ring");
}

// --- the read barrier after the tail (2ff396be602f) -----------------------------------------

// A completion comes between the reaper's look at head and its look at the tail.
std::string completed_while_reaping(const StageCalls& calls) {
  Context ctx(calls, 8);
  const AtPlace now("reap: head read, tail not", [&] { ctx.submit(42); });
  const Tags tags = ctx.reap(1);
  if (!now.happened()) return "was not interrupted";
  return tags == Tags{42} ? "" : "read an event before it was there";
}

TEST(Mended, EventsAreReadAfterTheTail) {
  const auto bulk = [](const Stage& stage) { return has_one_ring(stage) && stage.bulk_reap; };
  expect_in_stages(bulk, completed_while_reaping, "");
  EXPECT_EQ(completed_while_reaping(kCallsOf<kNoReadBarrierStage>),
            "read an event before it was there");
}

// --- slots of events that user space reaped (f8567a3845ac) ----------------------------------

std::string reaped_in_user_space(const StageCalls& calls) {
  Context ctx(calls, 64);
  const std::uint32_t nr = ctx.nr();
  AioRing& ring = ctx.ring();
  for (std::uint32_t tag = 0; tag < 3 * nr; ++tag) {
    if (!ctx.submit(tag)) {
      // Back to where each event is reaped by the call, or the end would wait for the slots.
      ring.head.store((ring.tail.load() + nr - tag) % nr);
      ctx.reap(tag);
      return "slots leak";
    }
    const std::uint32_t head = ring.head.load();
    if (head == ring.tail.load() || ring.events()[head].data != tag) return "no event";
    ring.head.store((head + 1) % nr);
  }
  return "";
}

bool reapers_return_slots(const Stage& stage) {
  return stage.active_until_reaped && !stage.slots_at_completion;
}

TEST(Mended, UserSpaceReapingReturnsSlots) {
  const auto mended = [](const Stage& stage) { return !reapers_return_slots(stage); };
  expect_in_stages(mended, reaped_in_user_space, "");
  EXPECT_EQ(reaped_in_user_space(kCallsOf<kSlotsByReapersStage>), "slots leak");
}

// As it was when the series was merged: that is what a stage is for.
TEST(Mended, UserSpaceReapingLeaksSlotsWhereTheSeriesDid) {
  const auto leaks = [](const Stage& stage) {
    return has_one_ring(stage) && reapers_return_slots(stage);
  };
  expect_in_stages(leaks, reaped_in_user_space, "slots leak");
}

// --- the ring overrun that the refill caused (d856f32a86b2) ---------------------------------

std::string submitted_and_not_reaped(const StageCalls& calls) {
  Context ctx(calls, 64);
  const std::uint32_t nr = ctx.nr();
  Tags accepted;
  for (std::uint64_t tag = 0; tag < 2 * nr; ++tag) {
    if (ctx.submit(tag)) accepted.push_back(tag);
  }
  Tags reaped;
  for (Tags some = ctx.reap(nr); !some.empty(); some = ctx.reap(nr)) {
    reaped.insert(reaped.end(), some.begin(), some.end());
  }
  std::ranges::sort(reaped);
  return reaped == accepted ? "" : "the ring was overrun";
}

TEST(Mended, RingIsNotOverrun) {
  expect_in_stages(any, submitted_and_not_reaped, "");
  EXPECT_EQ(submitted_and_not_reaped(kCallsOf<kSlotAtCompletionStage>), "the ring was overrun");
  EXPECT_EQ(submitted_and_not_reaped(kCallsOf<kMainlineSlotAtCompletionStage>),
            "the ring was overrun");
}

// The other overrun: lazy-cancel's submitters read the ring without stopping completions. All
// slots but none are taken, one of them by a request in flight, and that completes in between.
std::string completed_while_counting(const StageCalls& calls) {
  PendingFile device;
  Context ctx(calls, 1);
  const std::uint32_t file = device.install(ctx.files());
  const std::uint32_t slots = ctx.nr() - 1;
  std::uint32_t accepted = ctx.submit(file, 0) ? 1 : 0;
  while (accepted < slots && ctx.submit(accepted)) ++accepted;
  if (accepted != slots) return "has too few slots";
  const AtPlace now("submit: one half counted", [&] { device.complete_one(); });
  if (ctx.submit(slots)) ++accepted;
  if (!now.happened()) return "was not interrupted";
  return ctx.reap(ctx.nr()).size() == accepted ? "" : "the ring was overrun";
}

TEST(Mended, ACompletionIsNotMissedBetweenRingAndRequests) {
  const auto counts_both = [](const Stage& stage) { return stage == kLazyCancelStage; };
  expect_in_stages(counts_both, completed_while_counting, "");
  EXPECT_EQ(completed_while_counting(kCallsOf<kRingBeforeActiveStage>), "the ring was overrun");
}

// --- per-CPU counts that interrupts took part in (0c36b390a546, 263782c1c95b) ----------------

// Signals arrive in a thread that counts, and count too. Returns what is missing in the end.
struct Counted {
  std::int64_t refs_missing = 0;
  std::int64_t slots_missing = 0;
  std::uint64_t interrupts = 0;
};
Counted count_under_interrupts() {
  constexpr std::uint64_t kInterrupts = 5'000;
#if defined(__SANITIZE_THREAD__)
  constexpr std::uint64_t kMostAdds = 1'000'000;  // it delivers no signal before the end
#else
  constexpr std::uint64_t kMostAdds = UINT64_MAX;
#endif
  constexpr std::uint32_t kSlots = 400;
  constexpr std::uint32_t kBatch = 8;
  PercpuSlot* refs = alloc_percpu();
  PercpuSlot* slots = alloc_percpu();
  std::atomic<std::uint32_t> global{kSlots};
  const auto count = [&] {
    percpu_add(refs, 1);
    if (get_reqs_available(slots, global, kBatch)) put_reqs_available(slots, global, kBatch, 1);
  };
  // What one interrupt gets the next one puts, so that each by itself changes the number.
  bool holds_slot = false;
  const auto count_in_interrupt = [&] {
    percpu_add(refs, 1);
    if (holds_slot) {
      put_reqs_available(slots, global, kBatch, 1);
      holds_slot = false;
    } else {
      holds_slot = get_reqs_available(slots, global, kBatch);
    }
  };
  Counted counted;
  std::uint64_t adds = 0;
  {
    Interrupts interrupts(count_in_interrupt);
    while (interrupts.handled() < kInterrupts && adds < kMostAdds) {
      for (int i = 0; i < 100; ++i) count();
      adds += 100;
    }
    counted.interrupts = interrupts.stop();
  }
  counted.refs_missing = std::int64_t(adds + counted.interrupts) - std::int64_t(percpu_sum(refs));
  counted.slots_missing =
      std::int64_t{kSlots} - global - (holds_slot ? 1 : 0) - std::int64_t(percpu_sum(slots));
  free_percpu(refs);
  free_percpu(slots);
  return counted;
}

TEST(Mended, InterruptsLoseNoPerCpuCounts) {
  const Counted counted = count_under_interrupts();
  EXPECT_EQ(counted.refs_missing, 0);
  EXPECT_EQ(counted.slots_missing, 0);
#if !defined(__SANITIZE_THREAD__)
  const MutatedPart mutated(PartMutation::kPercpuInterrupted);
  // A slot is lost or won, as the interrupt put or got one: in the end these may be as many.
  constexpr int kTries = 10;
  int refs_lost = 0;
  int slots_lost = 0;
  for (int i = 0; i < kTries && (refs_lost == 0 || slots_lost == 0); ++i) {
    const Counted broken = count_under_interrupts();
    refs_lost += broken.refs_missing != 0 ? 1 : 0;
    slots_lost += broken.slots_missing != 0 ? 1 : 0;
  }
  EXPECT_GT(refs_lost, 0);
  EXPECT_GT(slots_lost, 0);
#endif
}

// --- the end of a context, told by slots that the user can move (8d25f7de755e) ---------------

// The user writes a tail as if all requests had their events, and one is still in flight.
std::string ended_by_the_user(const StageCalls& calls) {
  PendingFile device;
  Context ctx(calls, 64);
  ctx.submit(device.install(ctx.files()), 1);
  ctx.ring().tail.store(5);
  // What is freed too early lives until the request has completed.
  std::atomic<bool> completed{false};
  const AtPlace freed("end: freed", [&] {
    while (!completed) std::this_thread::yield();
  });
  std::atomic<bool> ended{false};
  std::thread destroyer([&] {
    ctx.destroy();
    ended = true;
  });
  std::this_thread::sleep_for(milliseconds(50));
  const bool early = ended;
  device.complete_all();
  completed = true;
  destroyer.join();
  rcu_barrier();
  return early ? "ended before its last request" : "";
}

TEST(Mended, EndWaitsForTheRequestsWhateverTheRingSays) {
  const auto mended = [](const Stage& stage) { return stage.reqs_refcount; };
  expect_in_stages(mended, ended_by_the_user, "");
  EXPECT_EQ(ended_by_the_user(kCallsOf<kSlotsTellTheEndStage>), "ended before its last request");
}

// --- the end that sleeps on (03e04f048d27) --------------------------------------------------

// A file whose cancelled requests end when the test says so.
struct LateCanceller {
  std::atomic<Kiocb*> cancelled{nullptr};

  static LateCanceller& of(Kiocb* req) {
    return *static_cast<LateCanceller*>(req->ki_filp->private_data);
  }
  static std::int64_t start(Kiocb* req) {
    kiocb_set_cancel_fn(req, [](Kiocb* late) { of(late).cancelled = late; });
    return -kEIocbQueued;
  }
};
constexpr FileOperations kLateCanceller{LateCanceller::start, LateCanceller::start};

// The last request is cancelled by the end itself, and is gone only when that sleeps.
std::string last_request_without_event(const StageCalls& calls) {
  LateCanceller file;
  Context ctx(calls, 8);
  ctx.submit(ctx.files().install(kLateCanceller, &file), 1);
  std::atomic<bool> ended{false};
  std::thread destroyer([&] {
    ctx.destroy();
    ended = true;
  });
  while (file.cancelled == nullptr) std::this_thread::yield();
  std::this_thread::sleep_for(milliseconds(30));
  aio_complete(file.cancelled, -ECANCELED);
  for (int ms = 0; ms < 1000 && !ended; ++ms) std::this_thread::sleep_for(milliseconds(1));
  const bool sleeps_on = !ended;
  while (!ended) {
    interrupt(destroyer);  // which makes it look again
    std::this_thread::sleep_for(milliseconds(1));
  }
  destroyer.join();
  return sleeps_on ? "sleeps on" : "";
}

TEST(Mended, LastRequestWakesTheEndThoughItHasNoEvent) {
  expect_in_stages(any, last_request_without_event, "");
  EXPECT_EQ(last_request_without_event(kCallsOf<kNoWakeNoEventStage>), "sleeps on");
}

// --- a missing get (687b0ad2751c) ------------------------------------------------------------

std::string used_once(const StageCalls& calls) {
  rcu_barrier();
  const PassCount freed("end: freed");
  Context ctx(calls, 8);
  ctx.nr();
  rcu_barrier();
  if (freed.passes() != 0) {
    ctx.abandon();
    return "freed while in use";
  }
  ctx.destroy();
  rcu_barrier();
  return freed.passes() == 1 ? "" : "not freed";
}

TEST(Mended, ACallHoldsAReference) {
  expect_in_stages(any, used_once, "");
  EXPECT_EQ(used_once(kCallsOf<kMissingGetStage>), "freed while in use");
  current_mm<kMissingGetStage>.ioctx_list = nullptr;  // what was freed is in it
}

// --- lookup against destroy (baf10564fbb6) ---------------------------------------------------

std::string destroyed_while_looked_up(const StageCalls& calls) {
  Context ctx(calls, 8);
  const AioContextId id = ctx.id();
  const PassCount ends("end: last user gone");
  // The end goes on until it waits for this lookup, or to its end.
  std::atomic<bool> waits_or_ended{false};
  const AtPlace dying("ref: dying, grace period to come", [&] { waits_or_ended = true; });
  std::thread destroyer;
  const AtPlace now("lookup: found, no reference yet", [&] {
    destroyer = std::thread([&] {
      ctx.destroy();
      waits_or_ended = true;
    });
    while (!waits_or_ended) std::this_thread::yield();
  });
  bool found = false;
  {
    const RcuReadGuard guard;  // what is used after its end lives until here
    found = calls.io_describe(id).nr_events != 0;
  }
  if (!now.happened()) return "was not interrupted";
  destroyer.join();
  if (ends.passes() != 1) return "ended twice";
  return found ? "found after its end" : "";
}

TEST(Mended, WhatHasEndedIsNotFound) {
  const auto mended = [](const Stage& stage) { return stage.table_lookup; };
  expect_in_stages(mended, destroyed_while_looked_up, "");
  EXPECT_EQ(destroyed_while_looked_up(kCallsOf<kGetOfTheDeadStage>), "ended twice");
}

// --- a time-out of 0 (5f785de58873) ----------------------------------------------------------

std::string reaped_without_waiting(const StageCalls& calls) {
  Context ctx(calls, 8);
  const PassCount sleeps("wait: about to sleep");
  std::array<IoEvent, 1> events;
  if (calls.io_getevents(ctx.id(), 1, events, 0) != 0) return "found an event";
  return sleeps.passes() == 0 ? "" : "went to sleep";
}

TEST(Mended, TimeOutOfZeroSetsNoTimer) {
  expect_in_stages(any, reaped_without_waiting, "");
  EXPECT_EQ(reaped_without_waiting(kCallsOf<kTimerForZeroStage>), "went to sleep");
}

}  // namespace
}  // namespace aioscope::kioctx
