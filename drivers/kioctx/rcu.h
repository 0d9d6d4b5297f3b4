// RCU, by the kernel's names, over liburcu. Threads register themselves at their first read
// section.
#pragma once

#include <urcu/urcu-memb.h>
// The read side's two functions, of under ten lines, are meant to be inlined by any program.
#include <urcu/static/urcu-memb.h>

namespace aioscope::kioctx {

namespace rcu_detail {
inline constinit thread_local bool registered = false;
void register_this_thread();
#if defined(__SANITIZE_THREAD__)
// liburcu is not instrumented: tells ThreadSanitizer that a grace period comes after the read
// sections that it waited for.
void read_section_ends();
#else
inline void read_section_ends() {}
#endif
}  // namespace rcu_detail

inline void rcu_read_lock() {
  if (!rcu_detail::registered) [[unlikely]] {
    rcu_detail::register_this_thread();
  }
  _urcu_memb_read_lock();
}

inline void rcu_read_unlock() {
  rcu_detail::read_section_ends();
  _urcu_memb_read_unlock();
}

class RcuReadGuard {
 public:
  RcuReadGuard() { rcu_read_lock(); }
  RcuReadGuard(const RcuReadGuard&) = delete;
  RcuReadGuard& operator=(const RcuReadGuard&) = delete;
  ~RcuReadGuard() { rcu_read_unlock(); }
};

// Waits until every read section that was open has ended. Not to be called inside one.
void synchronize_rcu();

// Calls function(object) after a grace period, from a thread of liburcu. May be called anywhere.
void call_rcu(void (*function)(void*), void* object);

// Waits until everything given to call_rcu() before has been called.
void rcu_barrier();

}  // namespace aioscope::kioctx
