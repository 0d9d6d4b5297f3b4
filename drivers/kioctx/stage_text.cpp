#include "drivers/kioctx/stage_text.h"

#include <string_view>

namespace aioscope::kioctx {
namespace {

std::string find_path(const Stage& s) {
  const std::string_view by = s.table_lookup ? "table, under RCU; " : "list walk, under RCU; ";
  return std::string(by) +
         (s.table_lookup ? "users counted per CPU: no shared line written"
          : s.percpu_refcount
              ? "users counted per CPU once there are many lookups: no shared line written"
              : "users +1 and -1 on a line that all read: 2 shared writes a call");
}

std::string slots_of(const Stage& s) {
  if (!s.no_batch_alloc) {
    return s.active_until_reaped
               ? "slots for up to 32 requests under ctx_lock"
               : "slots for up to 32 requests under ctx_lock, reading the ring's head and tail";
  }
  if (!s.reqs_available) return "reqs_active +1: 1 shared write";
  if (!s.percpu_reqs_available) return "reqs_available -1: 1 shared write, uncontended";
  std::string text =
      "this CPU's slots -1; a batch borrowed from the shared number when it has none";
  if (s.slots_at_completion) text += "; completion_lock when that has none either";
  return text;
}

std::string submit_path(const Stage& s) {
  const int times = int(!s.no_retry) + int(!s.refcounting) + int(!s.lockless_put);
  std::string text = slots_of(s);
  if (times > 0) text += "; ctx_lock " + std::to_string(times) + " times a request";
  if (times == 0 && s.no_batch_alloc) text += "; no lock";
  return text;
}

std::string complete_path(const Stage& s) {
  if (!s.lazy_cancel) {
    return s.lockless_put ? "ctx_lock around event, tail, slot and wake-up"
                          : "ctx_lock around event, tail, free and wake-up";
  }
  if (s.percpu_rings) {
    return "events of a call, up to 32 with one store of the tail, to this CPU's ring, in a "
           "restartable sequence; then the wait queue's line is read";
  }
  std::string text = s.xchg_tail
                         ? "xchg of the tail, which is the lock (1 shared write, uncontended): "
                           "event, ring's tail"
                         : "completion_lock around event and tail";
  if (s.slots_at_completion) text += ", and slots of what was reaped meanwhile";
  if (!s.active_until_reaped) text += "; reqs_active -1";
  text += "; the wait queue's line is read";
  if (s.batch_completion) text += "; once for all that an interrupt completes";
  return text;
}

std::string reap_path(const Stage& s) {
  std::string text = s.bulk_reap ? "ring_lock and a store of head for each call"
                                 : "ring_lock and a store of head for each event";
  if (s.percpu_rings) text = "ring_lock for each call; the rings of all CPUs in turn";
  if (!s.active_until_reaped) return text;
  if (s.slots_at_completion) return text + "; slots come back at completion";
  if (s.percpu_reqs_available) return text + "; slots to this CPU, in batches to the shared number";
  return text + (s.bulk_reap ? "; slots back: 1 shared write a call"
                             : "; slots back: 1 shared write an event");
}

std::string wait_path(const Stage& s) {
  if (!s.hrtimer_wait) return "exclusive, by jiffies; queued anew for each event";
  if (!s.min_nr_wakeups) return "not exclusive, by nanoseconds; a completion wakes all";
  return s.percpu_rings ? "by nanoseconds; woken when a CPU's ring has its share of min_nr"
                        : "by nanoseconds; woken when there are min_nr events";
}

std::string cancel_path(const Stage& s) {
  if (!s.lazy_cancel) return "every request is listed under ctx_lock; a flag: no event";
  if (s.event_for_cancelled) {
    return "cancellable requests are listed under ctx_lock; the event comes by the ring";
  }
  return "cancellable requests are listed under ctx_lock; cmpxchg against the completion's xchg";
}

std::string end_path(const Stage& s) {
  if (!s.refcounting) return "io_destroy cancels and waits until nothing is active";
  if (s.reqs_refcount)
    return "requests hold a reference of their own; io_destroy waits for the last";
  std::string text = "a grace period; the last user waits until ";
  return text + (s.active_until_reaped ? "all slots are back" : "nothing is active");
}

}  // namespace

std::vector<StageNote> describe(const NamedStage& named) {
  std::vector<StageNote> notes;
  if (!named.subject.empty()) notes.push_back({"patch", std::string(named.subject)});
  notes.push_back({"changes", std::string(named.summary)});
  const Stage& s = named.stage;
  notes.push_back({"find", find_path(s)});
  notes.push_back({"submit", submit_path(s)});
  notes.push_back({"complete", complete_path(s)});
  notes.push_back({"reap", reap_path(s)});
  notes.push_back({"wait", wait_path(s)});
  notes.push_back({"cancel", cancel_path(s)});
  notes.push_back({"end", end_path(s)});
  return notes;
}

}  // namespace aioscope::kioctx
