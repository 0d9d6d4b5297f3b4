// RCU over liburcu, by the kernel's names. Threads register at their first read section.
#pragma once

#include <urcu/urcu-memb.h>  // IWYU pragma: keep
#if !defined(__SANITIZE_THREAD__)
// The read side's two functions, of under ten lines, are meant to be inlined by any program.
#include <urcu/static/urcu-memb.h>
#endif

namespace aioscope::kioctx {

namespace rcu_detail {
inline constinit thread_local bool registered = false;
void register_this_thread();
#if defined(__SANITIZE_THREAD__)
// liburcu is not instrumented, so that its functions are called rather than inlined, and
// ThreadSanitizer is told that a grace period comes after the read sections that it waited for.
void read_lock();
void read_unlock();
#else
inline void read_lock() { _urcu_memb_read_lock(); }
inline void read_unlock() { _urcu_memb_read_unlock(); }
#endif
}  // namespace rcu_detail

inline void rcu_read_lock() {
  if (!rcu_detail::registered) [[unlikely]] {
    rcu_detail::register_this_thread();
  }
  rcu_detail::read_lock();
}

inline void rcu_read_unlock() { rcu_detail::read_unlock(); }

class RcuReadGuard {
 public:
  RcuReadGuard() { rcu_read_lock(); }
  RcuReadGuard(const RcuReadGuard&) = delete;
  RcuReadGuard& operator=(const RcuReadGuard&) = delete;
  ~RcuReadGuard() { rcu_read_unlock(); }
};

// Waits until every read section that was open has ended. Not to be called inside one.
void synchronize_rcu();

// Lies in the object that is given to call_rcu(), so that its end needs no memory.
struct RcuHead {
  rcu_head head;
  void (*function)(void*);
  void* object;
};

// Calls function(object) after a grace period, from a thread of liburcu; `head` may be gone when
// the function returns. May be called anywhere.
void call_rcu(RcuHead& head, void (*function)(void*), void* object);

// Waits until everything given to call_rcu() before has been called.
void rcu_barrier();

}  // namespace aioscope::kioctx
