// Outcomes that the parts of the engine forbid, looked for in many tries; and each shown by the
// part without what forbids it, in no more tries than that.
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <span>
#include <thread>
#include <vector>

#include "drivers/kioctx/barrier.h"
#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/cpu_ring.h"
#include "drivers/kioctx/percpu_ref.h"
#include "drivers/kioctx/wait_queue.h"
#include "tests/drivers/kioctx/proof/context.h"
#include "tests/drivers/kioctx/proof/interrupts.h"
#include "tests/drivers/kioctx/proof/mutants.h"
#include "tests/drivers/kioctx/proof/proof_options.h"
#include "tests/drivers/kioctx/proof/scheduling.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kRacesAreReported = true;  // a broken variant would end the test there
#else
constexpr bool kRacesAreReported = false;
#endif

// Two threads that begin each try together.
class Together {
 public:
  void meet() {
    const std::uint32_t turn = turn_.load(std::memory_order_acquire);  // pairs: below
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == 1) {       // pairs with the other's
      arrived_.store(0, std::memory_order_relaxed);
      turn_.store(turn + 1, std::memory_order_release);  // pairs with the other's loads
      return;
    }
    for (int spin = 0; turn_.load(std::memory_order_acquire) == turn; ++spin) {  // pairs: above
      if (spin > 1000) sched_yield();
    }
  }

 private:
  std::atomic<std::uint32_t> arrived_{0};
  std::atomic<std::uint32_t> turn_{0};
};

// --- the ring: the event, then the tail ------------------------------------------------------
//
// Forbidden: a reaper sees the tail and not the event behind it. One producer posts tags 1, 2, 3...
// with never more in the ring than it holds, so that each is a value this place never had.
constexpr std::uint64_t kRingTries = 200'000;

std::uint64_t events_before_their_time(const StageCalls& calls, std::uint64_t tries) {
  Context ctx(calls, 64);
  std::uint64_t forbidden = 0;
  std::atomic<bool> found{false};
  std::thread producer([&] {
    number_this_thread(1);
    for (std::uint64_t tag = 1; tag <= tries && !found;) {
      if (ctx.submit(tag)) {
        ++tag;
      } else {
        std::this_thread::yield();
      }
    }
  });
  number_this_thread(2);
  for (std::uint64_t next = 1; next <= tries && !found;) {
    const auto tags = ctx.reap(8);
    for (const std::uint64_t tag : tags) forbidden += tag != next++ ? 1 : 0;
    found = forbidden > 0;
    if (tags.empty()) std::this_thread::yield();
  }
  producer.join();
  return forbidden;
}

TEST(Litmus, TailIsNeverSeenBeforeItsEvent) {
  const RandomScheduling random(proof_options.seed);
  for (std::size_t i = 0; i < kAllStages; ++i) {
    if (kStages[i].stage.percpu_rings) continue;  // below
    EXPECT_EQ(events_before_their_time(kStageCalls[i], kRingTries / kAllStages), 0u)
        << kStages[i].name;
  }
  if (kRacesAreReported) return;
  EXPECT_GT(events_before_their_time(kCallsOf<kNoReadBarrierStage>, kRingTries / kAllStages), 0u);
}

// --- the rings of CPUs -----------------------------------------------------------------------
//
// Forbidden: of the events that two threads post on one CPU, one is lost, comes twice, or comes
// before one that its thread posted earlier.
constexpr std::uint64_t kCpuRingTries = 200'000;

std::uint64_t cpu_ring_errors(std::uint64_t tries) {
  constexpr unsigned kProducers = 2;
  constexpr std::uint32_t kEntries = 64;
  CpuRings rings;
  rings.init(kEntries);
  std::atomic<std::uint64_t> posted{0};  // with those that are about to be
  std::atomic<std::uint64_t> reaped{0};
  std::atomic<bool> gave_up{false};
  std::vector<std::thread> producers;
  const OneCpu pinned;  // which the threads inherit
  for (unsigned p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      number_this_thread(p);
      std::array<CpuEvent, 3> events;
      for (std::uint64_t i = 0; i < tries / kProducers;) {
        const std::uint64_t count = std::min(1 + i % events.size(), tries / kProducers - i);
        posted += count;
        // Acquire: the events were read. Pairs with the reaper.
        while (posted - reaped.load(std::memory_order_acquire) > kEntries) {
          if (gave_up) return;
          sched_yield();
        }
        for (std::uint64_t j = 0; j < count; ++j) events[j] = {.data = i++, .res = p};
        rings.push(std::span(events).first(count));
        random_step();
      }
    });
  }
  std::array<std::uint64_t, kProducers> next{};
  std::uint64_t errors = 0;
  std::int64_t last_ns = monotonic_ns();
  std::array<IoEvent, 16> events;
  while (reaped < tries && errors == 0 && monotonic_ns() - last_ns < 1'000'000'000) {
    const std::uint32_t got = rings.pop(events);
    for (std::uint32_t i = 0; i < got; ++i) {
      errors += next[std::size_t(events[i].res) % kProducers]++ != events[i].data ? 1 : 0;
    }
    if (got > 0) last_ns = monotonic_ns();
    if (got == 0) sched_yield();
    reaped.fetch_add(got, std::memory_order_release);  // pairs with the producers
  }
  if (reaped < tries) ++errors;
  gave_up = true;
  for (std::thread& producer : producers) producer.join();
  return errors;
}

TEST(Litmus, EventsOfOneCpuAreNeitherLostNorReordered) {
  const RandomScheduling random(proof_options.seed);
  EXPECT_EQ(cpu_ring_errors(kCpuRingTries), 0u);
  if (kRacesAreReported) return;
  const MutatedPart mutated(PartMutation::kPercpuInterrupted);
  EXPECT_GT(cpu_ring_errors(kCpuRingTries), 0u);
}

// --- percpu_ref ------------------------------------------------------------------------------
//
// Forbidden: zero is found before kill(), or while somebody holds a reference, or twice, or never.
// Each try takes a new count from atomic to per-CPU to dead, or from atomic to dead, while users
// get and put.
constexpr int kGetsToWrap = 16'384;
int ref_tries() { return int(proof_options.ops / 10); }

void get_and_put(PercpuRef& ref, int times) {
  for (int i = 0; i < times; ++i) {
    ref.get();
    ref.put();
  }
}

struct RefTry {
  PercpuRef ref;
  std::atomic<int> held{1};
  std::atomic<int> zeros{0};
  std::atomic<int> zeros_too_early{0};
  std::atomic<bool> killed{false};
  std::atomic<bool> stop{false};

  void put() {
    held -= 1;
    if (!ref.put()) return;
    zeros += 1;
    if (held != 0 || !killed) zeros_too_early += 1;
  }
  void use(std::uint64_t number) {
    number_this_thread(number);
    while (!stop) {
      held += 1;
      ref.get();
      random_step();
      put();
    }
    put();
  }
};

struct RefOutcomes {
  int never = 0;
  int more_than_once = 0;
  int too_early = 0;
  int sum() const { return never + more_than_once + too_early; }
};

RefOutcomes ref_outcomes(int tries) {
  constexpr int kUsers = 2;
  RefOutcomes outcomes;
  for (int i = 0; i < tries && outcomes.sum() == 0; ++i) {
    RefTry one;
    // All but some gets of the change to per-CPU, so that users make it, or kill() comes before.
    get_and_put(one.ref, kGetsToWrap - kUsers - 40);
    const RandomScheduling random(proof_options.seed + std::uint64_t(i));
    std::vector<std::thread> users;
    for (int user = 0; user < kUsers; ++user) {
      one.held += 1;
      one.ref.get();  // held by the user until it ends
      users.emplace_back([&one, user] { one.use(std::uint64_t(user)); });
    }
    for (int step = 0; step < i % 64; ++step) random_step();
    std::this_thread::sleep_for(std::chrono::microseconds(i % 50));
    one.killed = true;
    one.ref.kill();
    one.stop = i % 2 == 0;
    one.put();
    one.stop = true;
    for (std::thread& user : users) user.join();
    outcomes.never += one.zeros == 0 ? 1 : 0;
    outcomes.more_than_once += one.zeros > 1 ? 1 : 0;
    outcomes.too_early += one.zeros_too_early > 0 ? 1 : 0;
  }
  return outcomes;
}

TEST(Litmus, ZeroIsFoundOnceAndNotBeforeTheEnd) {
  const RefOutcomes outcomes = ref_outcomes(ref_tries());
  EXPECT_EQ(outcomes.never, 0);
  EXPECT_EQ(outcomes.more_than_once, 0);
  EXPECT_EQ(outcomes.too_early, 0);
}

TEST(Litmus, ReferencesAreLostWithoutAGracePeriod) {
  const MutatedPart mutated(PartMutation::kRefNoGracePeriod);
  EXPECT_GT(ref_outcomes(ref_tries()).sum(), 0);
}

TEST(Litmus, ReferencesAreLostToAnInterruptedCounter) {
  const MutatedPart mutated(PartMutation::kPercpuInterrupted);
  EXPECT_GT(ref_outcomes(ref_tries()).sum(), 0);
}

// The one try that matters, made to happen: a put() sees DYING and is overtaken by the whole end.
int zeros_of_a_put_overtaken_by_the_end() {
  PercpuRef ref;
  get_and_put(ref, kGetsToWrap);
  ref.get();
  std::atomic<int> zeros{0};
  std::atomic<bool> user_is_there{false};
  std::atomic<bool> ended{false};
  std::thread user;
  const AtPlace saw_dying("ref: atomic to be lowered", [&] {
    user_is_there = true;
    while (!ended) sched_yield();
  });
  const AtPlace dying("ref: dying, not summed", [&] {
    user = std::thread([&] { zeros += ref.put() ? 1 : 0; });
    while (!user_is_there) sched_yield();
  });
  ref.kill();
  zeros += ref.put() ? 1 : 0;
  ended = true;
  user.join();
  return zeros;
}

TEST(Litmus, APutOvertakenByTheEndFindsZero) {
  EXPECT_EQ(zeros_of_a_put_overtaken_by_the_end(), 1);
  const MutatedPart mutated(PartMutation::kRefStateReadBefore);
  EXPECT_EQ(zeros_of_a_put_overtaken_by_the_end(), 0);
}

// And the users' two puts while the counters are not in the sum yet. The last of the gets above was
// the last in the atomic, and its put the first in the counters: these hold one less than there
// are.
bool finds_zero_while_dying() {
  PercpuRef ref;
  get_and_put(ref, kGetsToWrap);
  ref.get();
  ref.get();
  bool zero = false;
  const AtPlace dying("ref: dying, not summed", [&] {
    zero = ref.put();
    zero |= ref.put();
  });
  ref.kill();
  ref.put();
  return zero;
}

TEST(Litmus, APutBeforeTheSumFindsNoZero) {
  EXPECT_FALSE(finds_zero_while_dying());
  const MutatedPart mutated(PartMutation::kRefZeroWhileDying);
  EXPECT_TRUE(finds_zero_while_dying());
}

// --- the wait queue --------------------------------------------------------------------------
//
// Forbidden: the sleeper sleeps, the condition holds, and nobody wakes it. Both begin each try
// together; the sleeper has given up when its time-out comes.
constexpr int kWaitTries = 20'000;

enum class Waiter { kLooksAgain, kLooksOnce };
enum class Waker { kPostsFirst, kLooksFirst };  // the latter: as a CPU may without the barrier

// The engine's two kinds of queue, with the words that its completions use.
struct Queue {
  WaitQueueHead head;
  void prepare(WaitQueueEntry& entry) { head.prepare_to_wait(entry); }
  bool has_sleeper() const { return head.active(); }
  void wake() { head.wake_up(); }
  void finish(WaitQueueEntry& entry) { head.finish_wait(entry); }
};
struct MinQueue {
  MinWaitQueueHead head;
  void prepare(WaitQueueEntry& entry) { head.prepare_to_wait(entry, 1); }
  bool has_sleeper() const { return head.wants(1); }
  void wake() { head.wake_up_for(1); }
  void finish(WaitQueueEntry& entry) { head.finish_wait(entry); }
};

template <class Q>
int lost_wakeups(Waiter waiter, Waker waker, int tries) {
  constexpr std::int64_t kGiveUpNs = 100'000'000;
  Q queue;
  Together together;
  alignas(kCacheline) std::atomic<bool> condition{false};
  std::atomic<int> lost{0};
  std::atomic<bool> enough{false};
  std::thread other([&] {
    number_this_thread(1);
    for (int i = 0; i < tries; ++i) {
      together.meet();
      if (enough) return;
      for (int spin = i % 64; spin > 0; --spin) cpu_relax();
      random_step();
      const bool seen_early = waker == Waker::kLooksFirst && queue.has_sleeper();
      if (waker == Waker::kLooksFirst) random_step();
      condition.store(true, std::memory_order_relaxed);
      random_step();
      smp_mb();  // pairs with prepare()
      const bool seen = waker == Waker::kLooksFirst ? seen_early : queue.has_sleeper();
      if (seen) queue.wake();
      together.meet();
    }
  });
  number_this_thread(2);
  for (int i = 0; i < tries; ++i) {
    condition.store(false, std::memory_order_relaxed);
    enough = lost > 0;
    together.meet();
    if (enough) break;
    for (int spin = (i / 64) % 64; spin > 0; --spin) cpu_relax();
    WaitQueueEntry entry(true);
    bool there = waiter == Waiter::kLooksOnce && condition.load(std::memory_order_relaxed);
    random_step();
    const std::int64_t until_ns = monotonic_ns() + kGiveUpNs;
    while (!there) {
      queue.prepare(entry);
      random_step();
      if (waiter == Waiter::kLooksAgain) there = condition.load(std::memory_order_relaxed);
      if (there) break;
      const int woken = schedule_until(entry, until_ns);
      there = condition.load(std::memory_order_relaxed);
      if (woken != -ETIMEDOUT) continue;
      lost += there ? 1 : 0;
      there = true;
    }
    queue.finish(entry);
    together.meet();
  }
  other.join();
  return lost;
}

template <class Q>
class WaitLitmus : public testing::Test {};
using Queues = testing::Types<Queue, MinQueue>;
TYPED_TEST_SUITE(WaitLitmus, Queues);

TYPED_TEST(WaitLitmus, NoWakeUpIsLost) {
  EXPECT_EQ(lost_wakeups<TypeParam>(Waiter::kLooksAgain, Waker::kPostsFirst, kWaitTries), 0);
  const RandomScheduling random(proof_options.seed);
  EXPECT_EQ(lost_wakeups<TypeParam>(Waiter::kLooksAgain, Waker::kPostsFirst, kWaitTries), 0);
}

TYPED_TEST(WaitLitmus, AWakeUpIsLostByAWaiterWhoDoesNotLookAgain) {
  const RandomScheduling random(proof_options.seed);
  EXPECT_GT(lost_wakeups<TypeParam>(Waiter::kLooksOnce, Waker::kPostsFirst, kWaitTries), 0);
}

TYPED_TEST(WaitLitmus, AWakeUpIsLostByAWakerWhoLooksFirst) {
  const RandomScheduling random(proof_options.seed);
  EXPECT_GT(lost_wakeups<TypeParam>(Waiter::kLooksAgain, Waker::kLooksFirst, kWaitTries), 0);
}

// The same of whole contexts. Forbidden: a reaper sleeps on when there are as many events as it
// wants. It wants 1, 2 or 3, which are completed one at a time.
std::uint64_t sleeper_tries() { return proof_options.ops / 20; }

int sleeps_slept_through(const StageCalls& calls, std::uint64_t tries, std::int64_t patience_ns) {
  Context ctx(calls, 8);
  Together together;
  int lost = 0;
  std::atomic<bool> enough{false};
  std::thread submitter([&] {
    number_this_thread(1);
    for (std::uint64_t i = 0; i < tries; ++i) {
      together.meet();
      if (enough) return;
      for (std::uint64_t event = 0; event <= i % 3; ++event) {
        random_step();
        while (!ctx.submit(i)) std::this_thread::yield();
      }
    }
  });
  number_this_thread(2);
  std::array<IoEvent, 3> events;
  for (std::uint64_t i = 0; i < tries; ++i) {
    enough = lost > 0;
    together.meet();
    if (enough) break;
    const auto wanted = std::uint32_t(i % 3 + 1);
    std::uint32_t have = 0;
    while (have < wanted) {
      const std::int64_t until_ns = monotonic_ns() + patience_ns;
      const auto got = calls.io_getevents(ctx.id(), wanted - have, events, until_ns);
      have += std::uint32_t(std::max<std::int64_t>(got, 0));
      lost += monotonic_ns() >= until_ns ? 1 : 0;
    }
  }
  submitter.join();
  return lost;
}

TEST(Litmus, NoEventIsSleptThrough) {
  const RandomScheduling random(proof_options.seed);
  for (std::size_t i = 0; i < kAllStages; ++i) {
    EXPECT_EQ(sleeps_slept_through(kStageCalls[i], sleeper_tries(), 5'000'000'000), 0)
        << kStages[i].name;
  }
  constexpr std::int64_t kSoonNs = 100'000'000;
  EXPECT_GT(sleeps_slept_through(kCallsOf<kWakeBeforePostStage>, sleeper_tries(), kSoonNs), 0);
  EXPECT_GT(sleeps_slept_through(kCallsOf<kStaleMinNrStage>, sleeper_tries(), kSoonNs), 0);
}

// And made to happen: who wants two has reaped one of them when it goes to sleep.
bool sleeps_through_the_second(const StageCalls& calls, std::int64_t patience_ns) {
  Context ctx(calls, 8);
  const AtPlace first("reap: queued, not looked again", [&] { ctx.submit(1); });
  const AtPlace second("wait: about to sleep", [&] { ctx.submit(2); });
  std::array<IoEvent, 2> events;
  const std::int64_t until_ns = monotonic_ns() + patience_ns;
  EXPECT_EQ(calls.io_getevents(ctx.id(), 2, events, until_ns), 2);
  EXPECT_TRUE(first.happened() && second.happened());
  return monotonic_ns() >= until_ns;
}

TEST(Litmus, WhoHasSomeIsWokenForTheRest) {
  for (std::size_t i = 0; i < kAllStages; ++i) {
    if (!kStages[i].stage.hrtimer_wait) continue;  // they reap one at a time
    EXPECT_FALSE(sleeps_through_the_second(kStageCalls[i], 5'000'000'000)) << kStages[i].name;
  }
  EXPECT_TRUE(sleeps_through_the_second(kCallsOf<kStaleMinNrStage>, 100'000'000));
}

}  // namespace
}  // namespace aioscope::kioctx
