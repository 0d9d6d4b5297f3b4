#include "drivers/kioctx/rcu.h"

#include <sched.h>

#include <atomic>
#include <cstddef>

#if defined(__SANITIZE_THREAD__)
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace aioscope::kioctx {
namespace {

#if defined(__SANITIZE_THREAD__)
char grace_period;
void grace_period_begins() { __tsan_release(&grace_period); }
void grace_period_ended() { __tsan_acquire(&grace_period); }
#else
void grace_period_begins() {}
void grace_period_ended() {}
#endif

struct Registration {
  Registration() { urcu_memb_register_thread(); }
  ~Registration() {
    rcu_detail::registered = false;
    urcu_memb_unregister_thread();
  }
};

static_assert(offsetof(RcuHead, head) == 0, "run_deferred() gets liburcu's head for the whole");

void run_deferred(rcu_head* head) {
  const auto* deferred = reinterpret_cast<RcuHead*>(head);
  grace_period_ended();
  deferred->function(deferred->object);
}

}  // namespace

#if defined(__SANITIZE_THREAD__)
void rcu_detail::read_lock() { urcu_memb_read_lock(); }
void rcu_detail::read_unlock() {
  __tsan_release(&grace_period);
  urcu_memb_read_unlock();
}
#endif

void rcu_detail::register_this_thread() {
  static thread_local Registration registration;
  registered = true;
}

void synchronize_rcu() {
  urcu_memb_synchronize_rcu();
  grace_period_ended();
}

void call_rcu(RcuHead& head, void (*function)(void*), void* object) {
  if (!rcu_detail::registered) rcu_detail::register_this_thread();
  head.function = function;
  head.object = object;
  grace_period_begins();
  urcu_memb_call_rcu(&head.head, run_deferred);
}

#if defined(__SANITIZE_THREAD__)
// urcu_memb_barrier() shares memory with liburcu's thread by means that ThreadSanitizer does not
// see. One thread calls all that was deferred, in order: so the last call is a barrier.
void rcu_barrier() {
  std::atomic<bool> called{false};
  const auto mark = [](void* flag) {
    static_cast<std::atomic<bool>*>(flag)->store(true, std::memory_order_release);  // pairs: below
  };
  RcuHead head;
  call_rcu(head, mark, &called);
  while (!called.load(std::memory_order_acquire)) sched_yield();  // pairs with mark
}
#else
void rcu_barrier() { urcu_memb_barrier(); }
#endif

}  // namespace aioscope::kioctx
