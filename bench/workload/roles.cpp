// What the threads of a repetition do.
//
//   submitter           submits; its slots come back through the collectors' channels
//   reaper              reaps shared contexts and sends each tag back to its submitter
//   submitter+reaper    submits to and reaps from a context of its own; in the workload aggregate
//   it
//                       hands every completion to the consumer and gets its slots back from it
//   consumer            takes the completions of all submitters
//
// No thread writes a cacheline that another one reads or writes once per operation: requests, slots
// and latencies belong to the submitter, and tags travel in batches (channel.h).
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bench/measure/clock.h"
#include "bench/workload/call_sampler.h"
#include "bench/workload/rig.h"

namespace aioscope {
namespace {

// How long a thread may block before it looks at the phase again.
constexpr std::int64_t kLookAroundNs = 20'000'000;
// How long a submitter waits when the context is full though it has free slots of its own.
constexpr std::int64_t kBackPressureNs = 100'000;

// How often a thread lets others run before it sleeps: about as long as sleeping and waking take.
int yields_before_sleep(const Row& row) { return row.on_device() || row.rate_per_s > 0 ? 0 : 16; }

class Role {
 public:
  Role(Rig& rig, std::uint32_t thread)
      : rig_(rig),
        plan_(rig.layout.threads[thread]),
        meter_(*rig.meters[thread]),
        yields_(yields_before_sleep(rig.row)),
        submit_sampler_(rig.latency, rig.row.batch, 2 * std::uint64_t{thread}),
        reap_sampler_(rig.latency, rig.row.batch, 2 * std::uint64_t{thread} + 1) {}

 protected:
  // A deadline about kLookAroundNs ahead that rarely reads the clock: it is renewed when a wait has
  // come to nothing, and whenever the time is known anyway.
  Deadline deadline() const { return Deadline::at(look_around_ns_); }
  void renew_deadline(std::int64_t now_ns) { look_around_ns_ = now_ns + kLookAroundNs; }

  // Inlined by force, as before every operation of batch 1 a call more is a tenth of the harness.
  [[gnu::always_inline]] ReapResult reap(Context& context, std::span<Completion> out,
                                         std::size_t min, Deadline until) {
    const std::uint64_t call = ++meter_.counts.reap_calls;
    const ReapResult result = reap_sampler_.due(call) ? timed_reap(context, out, min, until)
                                                      : context.reap(out, min, until);
    meter_.counts.system_calls += result.system_calls;
    if (result.error != 0) [[unlikely]]
      throw_reap_error(result.error);
    if (result.count == 0) renew_deadline(monotonic_ns());
    return result;
  }

  void check(const Completion& completion) {
    const bool wrote = (completion.tag & TagLayout::kWrites) != 0;
    const std::int64_t expected = wrote ? rig_.expected.write : rig_.expected.read;
    if (completion.result != expected) [[unlikely]] {
      if (completion.result == -EIO && rig_.errors_expected) {
        ++meter_.counts.failed_operations;
        return;
      }
      rig_.note_bad_result(completion, expected);
    }
    meter_.counts.bytes += std::uint64_t(expected);
  }

  // Submits what the lane has prepared; the number accepted.
  std::uint32_t submit(Context& context, Lane& lane) {
    const std::span<const Request> pending = lane.pending();
    const std::uint64_t call = ++meter_.counts.submit_calls;
    const SubmitResult result =
        submit_sampler_.due(call) ? timed_submit(context, lane) : context.submit(pending);
    meter_.counts.system_calls += result.system_calls;
    lane.accepted(result.accepted);
    meter_.publish_started(lane.submitted());
    if (result.accepted < pending.size()) ++meter_.counts.short_submits;
    if (result.error != 0) [[unlikely]] {
      rig_.note_bad_result({.result = -result.error}, 0);
      lane.drop_pending();
    }
    return result.accepted;
  }

  // Until `ready` or the time is over; see Parker. May return early.
  template <typename Ready>
  void wait(Parker& parker, std::int64_t timeout_ns, Ready&& ready) {
    for (int i = 0; i < yields_; ++i) {
      sched_yield();
      meter_.add_harness_calls(1);
      if (ready()) return;
    }
    parker.prepare();
    if (ready() || timeout_ns <= 0) return parker.cancel();
    parker.park(timeout_ns);
    meter_.add_harness_calls(1);
  }

  bool abandoned() const { return rig_.control.phase() == Phase::kAbandoned; }

  Rig& rig_;
  const ThreadPlan& plan_;
  Meter& meter_;
  const int yields_;
  std::int64_t look_around_ns_ = 0;

 private:
  [[gnu::noinline]] ReapResult timed_reap(Context& context, std::span<Completion> out,
                                          std::size_t min, Deadline until) {
    const std::int64_t begin_ns = monotonic_ns();
    const ReapResult result = context.reap(out, min, until);
    meter_.counts.timed_reaps.add(monotonic_ns() - begin_ns, result.count);
    reap_sampler_.advance(meter_.counts.reap_calls);
    return result;
  }
  [[gnu::noinline]] SubmitResult timed_submit(Context& context, Lane& lane) {
    lane.begin_timed_call();
    const std::int64_t begin_ns = monotonic_ns();
    const SubmitResult result = context.submit(lane.pending());
    const std::int64_t end_ns = monotonic_ns();
    meter_.counts.timed_submits.add(end_ns - begin_ns, result.accepted);
    lane.end_timed_call(result.accepted, end_ns);
    submit_sampler_.advance(meter_.counts.submit_calls);
    return result;
  }
  [[noreturn]] void throw_reap_error(int error) const {
    throw RunError(fmt::format("reaping failed: {} (errno {}); the context is unusable",
                               std::strerror(error), error));
  }

  CallSampler submit_sampler_;
  CallSampler reap_sampler_;
};

// Sends tags back to their submitters, a batch at a time.
class Distributor {
 public:
  Distributor(Rig& rig, Meter& meter, std::uint32_t collector)
      : rig_(rig),
        meter_(meter),
        channels_(rig.credits[collector]),
        seen_(rig.layout.submitters, kUntouched),
        worth_waking_(slots_worth_waking_for(rig.row, rig.layout.collectors)) {}

  // `now_ns` is 0 until somebody needs the time.
  void add(Tag tag, std::int64_t& now_ns) {
    const std::uint32_t submitter = tag_submitter(tag);
    if (submitter >= seen_.size()) [[unlikely]]
      throw_foreign(tag);
    ChannelSpsc& channel = *channels_[submitter];
    if (seen_[submitter] == kUntouched) {
      seen_[submitter] = kTouched;
      touched_.push_back(submitter);
    }
    bool fits = true;
    if ((tag & TagLayout::kWantsTime) != 0 && seen_[submitter] == kTouched) {
      if (now_ns == 0) now_ns = monotonic_ns();
      fits = channel.push(time_word(now_ns));
      seen_[submitter] = kTimed;
    }
    if (!(fits && channel.push(tag))) [[unlikely]]
      throw_overflow();
  }
  void flush() {
    const bool draining = rig_.control.phase() >= Phase::kDraining;
    for (const std::uint32_t submitter : touched_) {
      const std::size_t waiting = channels_[submitter]->publish();
      if ((waiting >= worth_waking_ || draining) && rig_.lane_parkers[submitter]->wake()) {
        meter_.add_harness_calls(1);
      }
      seen_[submitter] = kUntouched;
    }
    touched_.clear();
  }

 private:
  enum Seen : std::uint8_t { kUntouched, kTouched, kTimed };

  [[noreturn]] static void throw_foreign(Tag tag) {
    throw InvalidResult(
        fmt::format("a completion came back that was never submitted (tag {:#x}); the driver "
                    "breaks the contract "
                    "that each tag comes back exactly once",
                    tag));
  }
  [[noreturn]] static void throw_overflow() {
    throw InvalidResult(
        "more completions came back than were submitted; the driver breaks the contract that each "
        "tag comes back exactly once");
  }

  Rig& rig_;
  Meter& meter_;
  std::vector<std::unique_ptr<ChannelSpsc>>& channels_;
  std::vector<Seen> seen_;
  std::vector<std::uint32_t> touched_;
  const std::size_t worth_waking_;
};

// The submitting half that two roles share: slots come back through channels.
class Submitting : public Role {
 public:
  Submitting(Rig& rig, std::uint32_t thread)
      : Role(rig, thread),
        lane_(*rig.lanes[plan_.index]),
        parker_(*rig.lane_parkers[plan_.index]) {}

 protected:
  void observe(Phase phase) {
    if (!meter_.observe(phase)) return;
    if (meter_.in_window()) {
      lane_.start_recording();
    } else {
      lane_.stop_recording();
    }
  }
  bool collect_credits() {
    std::size_t words = 0;
    for (auto& of_collector : rig_.credits) {
      words += of_collector[lane_.index()]->drain([&](std::uint64_t word) { lane_.take(word); });
    }
    if (words > 0) {
      lane_.end_batch();
      note_completed();
    }
    return words > 0;
  }
  void note_completed() {
    meter_.counts.operations = lane_.completed();
    if (lane_.completed() == rig_.operations) {
      rig_.lanes_complete.fetch_add(1, std::memory_order_relaxed);
    }
  }
  void wait_for_credits(std::int64_t timeout_ns) {
    wait(parker_, timeout_ns, [this] {
      return std::ranges::any_of(rig_.credits, [this](const auto& of_collector) {
        return of_collector[lane_.index()]->waiting() > 0;
      });
    });
  }
  // Nothing can be submitted now: sleep until a slot comes back or the next start is due.
  void wait_to_submit() {
    std::int64_t timeout_ns = kLookAroundNs;
    if (lane_.open_loop() && lane_.free_slots() > 0) {
      timeout_ns = std::min(timeout_ns, lane_.next_arrival_ns() - monotonic_ns());
    } else if (lane_.free_slots() > 0 && lane_.in_flight() > 0) {
      timeout_ns = kBackPressureNs;  // the last of its operations may be too few to wake it
    }
    wait_for_credits(timeout_ns);
  }

  Lane& lane_;
  Parker& parker_;
};

class Submitter : public Submitting {
 public:
  using Submitting::Submitting;

  void run() {
    lane_.start_arrivals();
    for (std::size_t turn = 0;; ++turn) {
      const Phase phase = rig_.control.phase();
      observe(phase);
      if (phase >= Phase::kDraining) break;
      collect_credits();
      lane_.prepare();
      if (lane_.pending().empty()) {
        wait_to_submit();
        continue;
      }
      Context& context = *rig_.contexts[plan_.contexts[turn % plan_.contexts.size()]];
      if (submit(context, lane_) == 0) wait_for_credits(kBackPressureNs);
    }
    lane_.drop_pending();
    while (lane_.in_flight() > 0 && !abandoned()) {
      if (!collect_credits()) wait_for_credits(kLookAroundNs);
    }
    rig_.submitters_done.fetch_add(1, std::memory_order_release);  // pairs with Reaper::run
  }
};

class Reaper : public Role {
 public:
  Reaper(Rig& rig, std::uint32_t thread)
      : Role(rig, thread), distributor_(rig, meter_, plan_.index), out_(rig.row.batch) {}

  void run() {
    std::size_t turn = 0;
    while (true) {
      const Phase phase = rig_.control.phase();
      meter_.observe(phase);
      if (phase == Phase::kAbandoned) return;
      // Pairs with the release in Submitter::run: nothing is in flight any more.
      if (rig_.submitters_done.load(std::memory_order_acquire) == rig_.layout.submitters) break;
      const std::size_t min = phase >= Phase::kDraining ? 1 : rig_.row.reap_min;
      if (plan_.contexts.size() == 1) {
        handle(reap(*rig_.contexts[plan_.contexts[0]], out_, min, deadline()).count);
      } else {
        reap_in_turn(turn);
      }
    }
    for (const auto context : plan_.contexts) {
      if (reap(*rig_.contexts[context], out_, 0, Deadline::poll()).count > 0) {
        throw InvalidResult(
            "a completion came back after every request had; the driver breaks the contract that "
            "each tag comes back exactly once");
      }
    }
  }

 private:
  // Several contexts, one thread: it can block on one of them only, and not for long.
  void reap_in_turn(std::size_t& turn) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < plan_.contexts.size(); ++i) {
      Context& context = *rig_.contexts[plan_.contexts[turn++ % plan_.contexts.size()]];
      const ReapResult result = reap(context, out_, 0, Deadline::poll());
      handle(result.count);
      found += result.count;
    }
    if (found > 0) return;
    Context& context = *rig_.contexts[plan_.contexts[turn % plan_.contexts.size()]];
    handle(reap(context, out_, 1, Deadline::at(monotonic_ns() + kBackPressureNs)).count);
  }

  void handle(std::uint32_t count) {
    if (count == 0) return;
    std::int64_t now_ns = 0;
    for (const Completion& completion : std::span(out_).first(count)) {
      check(completion);
      distributor_.add(completion.tag, now_ns);
    }
    distributor_.flush();
    if (now_ns != 0) renew_deadline(now_ns);
    meter_.counts.operations += count;
    meter_.publish_finished(meter_.counts.operations);
  }

  Distributor distributor_;
  std::vector<Completion> out_;
};

// Owns its context, which no other thread touches.
class SubmitterReaper : public Submitting {
 public:
  SubmitterReaper(Rig& rig, std::uint32_t thread)
      : Submitting(rig, thread),
        context_(rig.contexts[plan_.contexts[0]]),
        out_(rig.row.batch),
        consumer_channel_(rig.layout.collectors > 0 ? rig.handed_over[plan_.index].get()
                                                    : nullptr) {}

  void run() {
    lane_.start_arrivals();
    while (true) {
      const Phase phase = rig_.control.phase();
      observe(phase);
      if (phase >= Phase::kDraining) break;
      if (consumer_channel_ != nullptr) collect_credits();
      bool full = false;
      for (lane_.prepare(); !full && !lane_.pending().empty(); lane_.prepare()) {
        const std::uint32_t accepted = submit(*context_, lane_);
        in_context_ += accepted;
        full = accepted == 0;
      }
      if (in_context_ > 0) {
        reap_own(rig_.row.reap_min);
      } else if (full) {
        wait_for_credits(kBackPressureNs);
      } else {
        wait_to_submit();
      }
    }
    drain();
  }

 private:
  void reap_own(std::size_t min) {
    min = std::min<std::size_t>(min, in_context_);
    Deadline until = deadline();
    if (lane_.open_loop() && lane_.free_slots() > 0) {
      until = Deadline::at(std::min(lane_.next_arrival_ns(), look_around_ns_));
    } else if (consumer_channel_ != nullptr && in_context_ < lane_.in_flight()) {
      // Slots are with the consumer: they may be back before anything completes here.
      if (take_own(reap(*context_, out_, 0, Deadline::poll()).count) || collect_credits()) return;
      until = Deadline::at(monotonic_ns() + kBackPressureNs);
    }
    take_own(reap(*context_, out_, min, until).count);
  }

  bool take_own(std::uint32_t count) {
    if (count == 0) return false;
    in_context_ -= count;
    if (consumer_channel_ != nullptr) {
      hand_over(count);
      return true;
    }
    std::int64_t now_ns = 0;
    for (const Completion& completion : std::span(out_).first(count)) {
      check(completion);
      if ((completion.tag & TagLayout::kWantsTime) != 0 && now_ns == 0) now_ns = monotonic_ns();
      lane_.complete(completion.tag, now_ns);
    }
    lane_.end_batch();
    if (now_ns != 0) renew_deadline(now_ns);
    note_completed();
    meter_.publish_finished(lane_.completed());
    return true;
  }

  void hand_over(std::uint32_t count) {
    for (const Completion& completion : std::span(out_).first(count)) {
      check(completion);
      if (!consumer_channel_->push(completion.tag)) [[unlikely]] {
        throw InvalidResult(
            "more completions came back than were submitted; the driver breaks the contract that "
            "each tag comes back exactly once");
      }
    }
    consumer_channel_->publish();
    if (rig_.consumer_parker.wake()) meter_.add_harness_calls(1);
  }

  void drain() {
    lane_.drop_pending();
    while (lane_.in_flight() > 0) {
      if (abandoned()) return;
      if (in_context_ > 0) {
        take_own(reap(*context_, out_, 1, deadline()).count);
        if (consumer_channel_ != nullptr) collect_credits();
      } else if (!collect_credits()) {
        wait_for_credits(kLookAroundNs);
      }
    }
    if (reap(*context_, out_, 0, Deadline::poll()).count > 0) {
      throw InvalidResult(
          "a completion came back after every request had; the driver breaks the contract that "
          "each "
          "tag comes back exactly once");
    }
    rig_.submitters_done.fetch_add(1, std::memory_order_release);  // pairs with Consumer::run
    context_.reset();                                              // by the thread that opened it
  }

  std::unique_ptr<Context>& context_;
  std::vector<Completion> out_;
  ChannelSpsc* consumer_channel_;
  std::uint32_t in_context_ = 0;
};

class Consumer : public Role {
 public:
  Consumer(Rig& rig, std::uint32_t thread)
      : Role(rig, thread), distributor_(rig, meter_, plan_.index) {}

  void run() {
    while (true) {
      const Phase phase = rig_.control.phase();
      meter_.observe(phase);
      if (phase == Phase::kAbandoned) return;
      // Pairs with the release in SubmitterReaper::drain: no more can come.
      if (rig_.submitters_done.load(std::memory_order_acquire) == rig_.layout.submitters) return;
      if (!take()) wait_for_completions();
    }
  }

 private:
  bool take() {
    std::int64_t now_ns = 0;
    std::size_t taken = 0;
    for (auto& channel : rig_.handed_over) {
      taken += channel->drain([&](std::uint64_t word) { distributor_.add(word, now_ns); });
    }
    if (taken == 0) return false;
    distributor_.flush();
    meter_.counts.operations += taken;
    meter_.publish_finished(meter_.counts.operations);
    return true;
  }
  void wait_for_completions() {
    wait(rig_.consumer_parker, kLookAroundNs, [this] {
      return std::ranges::any_of(rig_.handed_over,
                                 [](const auto& channel) { return channel->waiting() > 0; });
    });
  }

  Distributor distributor_;
};

}  // namespace

void touch_memory_of(Rig& rig, std::uint32_t thread) {
  const ThreadPlan& plan = rig.layout.threads[thread];
  if (plan.role == ThreadRole::kReaper || plan.role == ThreadRole::kConsumer) return;
  rig.lanes[plan.index]->touch_memory();
}

void open_private_context(Rig& rig, std::uint32_t thread) {
  const ThreadPlan& plan = rig.layout.threads[thread];
  if (plan.role == ThreadRole::kSubmitterReaper) rig.open_context(plan.contexts[0]);
}

void run_thread(Rig& rig, std::uint32_t thread) {
  switch (rig.layout.threads[thread].role) {
    case ThreadRole::kSubmitter:
      return Submitter(rig, thread).run();
    case ThreadRole::kReaper:
      return Reaper(rig, thread).run();
    case ThreadRole::kSubmitterReaper:
      return SubmitterReaper(rig, thread).run();
    case ThreadRole::kConsumer:
      return Consumer(rig, thread).run();
  }
}

}  // namespace aioscope
