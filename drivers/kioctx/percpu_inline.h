// The updates of percpu.h, inlined into the paths that count in nanoseconds.
#pragma once

#include <sched.h>

// ThreadSanitizer cannot see into a restartable sequence; under it the atomics are used.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define AIOSCOPE_RSEQ 1
#include <sys/rseq.h>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx::percpu_detail {

inline PercpuSlot& slot_of_this_cpu(PercpuSlot* slots) { return slots[sched_getcpu()]; }

#if defined(AIOSCOPE_RSEQ)

extern const bool kUseRseq;

inline struct rseq* this_rseq() {
  return reinterpret_cast<struct rseq*>(static_cast<char*>(__builtin_thread_pointer()) +
                                        __rseq_offset);
}

// A restartable sequence. BEGIN describes it (start, length, where to go on abort), tells the
// kernel of it by storing the description's address into this thread's struct rseq, and loads the
// byte offset of this CPU's slot into rax. The instruction before END is the commit. The abort
// address must follow the signature that glibc registered; from there control goes to the label
// `aborted`. The '?' puts description and abort code into the section group of the function that
// holds them.
#define AIOSCOPE_RSEQ_BEGIN             \
  ".pushsection __rseq_cs, \"aw?\"\n\t" \
  ".balign 32\n"                        \
  "3:\n\t"                              \
  ".long 0, 0\n\t"                      \
  ".quad 1f, 2f - 1f, 4f\n\t"           \
  ".popsection\n\t"                     \
  "leaq 3b(%%rip), %%rax\n\t"           \
  "movq %%rax, %c[rseq_cs](%[rseq])\n"  \
  "1:\n\t"                              \
  "movl %c[cpu_id](%[rseq]), %%eax\n\t" \
  "shlq $6, %%rax\n\t"
#define AIOSCOPE_RSEQ_END                    \
  "2:\n\t"                                   \
  ".pushsection __rseq_failure, \"ax?\"\n\t" \
  ".byte 0x0f, 0xb9, 0x3d\n\t"               \
  ".long 0x53053053\n"                       \
  "4:\n\t"                                   \
  "jmp %l[aborted]\n\t"                      \
  ".popsection\n\t"
#define AIOSCOPE_RSEQ_INPUTS(slots)                                       \
  [rseq] "r"(this_rseq()), [rseq_cs] "i"(offsetof(struct rseq, rseq_cs)), \
      [cpu_id] "i"(offsetof(struct rseq, cpu_id)), [slots] "r"(slots)
static_assert(RSEQ_SIG == 0x53053053, "the abort code carries the signature");

inline void rseq_add(PercpuSlot* slots, std::uint32_t value) {
  for (;;) {
    asm goto volatile(AIOSCOPE_RSEQ_BEGIN "addl %[value], (%[slots], %%rax)\n" AIOSCOPE_RSEQ_END
                      :
                      : AIOSCOPE_RSEQ_INPUTS(slots), [value] "r"(value)
                      : "rax", "memory", "cc"
                      : aborted);
    return;
  aborted:;
  }
}

inline bool rseq_take_one(PercpuSlot* slots) {
  for (;;) {
    asm goto volatile(AIOSCOPE_RSEQ_BEGIN
                      "cmpl $0, (%[slots], %%rax)\n\t"
                      "je %l[empty]\n\t"
                      "decl (%[slots], %%rax)\n" AIOSCOPE_RSEQ_END
                      :
                      : AIOSCOPE_RSEQ_INPUTS(slots)
                      : "rax", "memory", "cc"
                      : aborted, empty);
    return true;
  aborted:;
  }
empty:
  return false;
}

inline std::uint32_t rseq_add_and_drain(PercpuSlot* slots, std::uint32_t value,
                                        std::uint32_t batch) {
  for (;;) {
    std::uint32_t drained;
    asm goto volatile(AIOSCOPE_RSEQ_BEGIN
                      "xorl %k[drained], %k[drained]\n\t"
                      "movl (%[slots], %%rax), %%ecx\n\t"
                      "addl %[value], %%ecx\n"
                      "5:\n\t"
                      "cmpl %[limit], %%ecx\n\t"
                      "jb 6f\n\t"
                      "subl %[batch], %%ecx\n\t"
                      "addl %[batch], %k[drained]\n\t"
                      "jmp 5b\n"
                      "6:\n\t"
                      "movl %%ecx, (%[slots], %%rax)\n" AIOSCOPE_RSEQ_END
                      : [drained] "=&r"(drained)
                      : AIOSCOPE_RSEQ_INPUTS(slots), [value] "r"(value), [batch] "r"(batch),
                        [limit] "r"(2 * batch)
                      : "rax", "rcx", "memory", "cc"
                      : aborted);
    return drained;
  aborted:;
  }
}

// Writes `events`, at least one, behind the tail of this CPU's ring and commits by storing the new
// tail. The rings lie `stride` bytes apart from `base` on; a ring's tail is its first word and its
// entries, `mask` + 1 of them, begin `offset` bytes into it. Returns the ring.
template <class Ring, class Event>
inline Ring* rseq_push(std::byte* base, std::uint64_t stride, std::uint32_t mask,
                       std::span<const Event> events) {
  static_assert(sizeof(Event) == 16);
  for (;;) {
    std::byte* at;
    const Event* from = events.data();
    // rax: the ring, from the CPU's number that BEGIN has shifted left by 6; ecx: the new tail.
    asm goto volatile(
        AIOSCOPE_RSEQ_BEGIN
        "shrq $6, %%rax\n\t"
        "imulq %[stride], %%rax\n\t"
        "addq %[base], %%rax\n\t"
        "movl (%%rax), %%ecx\n"
        "5:\n\t"
        "movl %%ecx, %%edx\n\t"
        "andl %[mask], %%edx\n\t"
        "shlq $4, %%rdx\n\t"
        "movdqu (%[from]), %%xmm0\n\t"
        "movdqu %%xmm0, %c[offset](%%rax, %%rdx)\n\t"
        "incl %%ecx\n\t"
        "addq $16, %[from]\n\t"
        "cmpq %[end], %[from]\n\t"
        "jne 5b\n\t"
        "movq %%rax, %[at]\n\t"
        "movl %%ecx, (%%rax)\n" AIOSCOPE_RSEQ_END
        : [at] "=&r"(at), [from] "+&r"(from)
        : AIOSCOPE_RSEQ_INPUTS(base), [stride] "r"(stride), [mask] "r"(mask),
          [end] "r"(events.data() + events.size()), [offset] "i"(offsetof(Ring, events))
        : "rax", "rcx", "rdx", "xmm0", "memory", "cc"
        : aborted);
    return reinterpret_cast<Ring*>(at);
  aborted:;
  }
}

#undef AIOSCOPE_RSEQ_BEGIN
#undef AIOSCOPE_RSEQ_END
#undef AIOSCOPE_RSEQ_INPUTS

#else

inline constexpr bool kUseRseq = false;
inline void rseq_add(PercpuSlot*, std::uint32_t) {}
inline bool rseq_take_one(PercpuSlot*) { return false; }
inline std::uint32_t rseq_add_and_drain(PercpuSlot*, std::uint32_t, std::uint32_t) { return 0; }
template <class Ring, class Event>
Ring* rseq_push(std::byte*, std::uint64_t, std::uint32_t, std::span<const Event>) {
  return nullptr;
}

#endif

// The atomics below are acquire and release so that what was done with a slot before it was put
// (the event read from the ring) comes before what is done with it after it is got. Where rseq is
// used, both happen on one CPU and are in its program order.

inline bool atomic_take_one(PercpuSlot* slots) {
  std::atomic<std::uint32_t>& value = slot_of_this_cpu(slots).value;
  std::uint32_t seen = value.load(std::memory_order_relaxed);
  while (seen != 0) {
    if (value.compare_exchange_weak(
            seen, seen - 1, std::memory_order_acquire,
            std::memory_order_relaxed)) {  // pairs with atomic_add_and_drain
      return true;
    }
  }
  return false;
}

inline std::uint32_t atomic_add_and_drain(PercpuSlot* slots, std::uint32_t value,
                                          std::uint32_t batch) {
  std::atomic<std::uint32_t>& slot = slot_of_this_cpu(slots).value;
  std::uint32_t seen = slot.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint32_t sum = seen + value;
    const std::uint32_t drained = sum < 2 * batch ? 0 : (sum / batch - 1) * batch;
    if (slot.compare_exchange_weak(seen, sum - drained, std::memory_order_acq_rel,
                                   std::memory_order_relaxed)) {  // pairs with atomic_take_one
      return drained;
    }
  }
}

// A load and a store that an interrupt can come between: mutated(kPercpuInterrupted).
inline void interrupted_add(PercpuSlot* slots, std::uint32_t value) {
  std::atomic<std::uint32_t>& slot = slot_of_this_cpu(slots).value;
  const std::uint32_t seen = slot.load(std::memory_order_relaxed);
  schedule_point("percpu: read, not written");
  slot.store(seen + value, std::memory_order_relaxed);
}

}  // namespace aioscope::kioctx::percpu_detail

namespace aioscope::kioctx {

inline bool percpu_uses_rseq() { return percpu_detail::kUseRseq; }

inline void percpu_add(PercpuSlot* slots, std::uint32_t value) {
  if (mutated(PartMutation::kPercpuInterrupted)) {
    return percpu_detail::interrupted_add(slots, value);
  }
  if (percpu_detail::kUseRseq) return percpu_detail::rseq_add(slots, value);
  // Pairs with atomic_take_one() and percpu_sum().
  percpu_detail::slot_of_this_cpu(slots).value.fetch_add(value, std::memory_order_acq_rel);
}

inline bool percpu_take_one(PercpuSlot* slots) {
  if (percpu_detail::kUseRseq) return percpu_detail::rseq_take_one(slots);
  return percpu_detail::atomic_take_one(slots);
}

inline std::uint32_t percpu_add_and_drain(PercpuSlot* slots, std::uint32_t value,
                                          std::uint32_t batch) {
  if (mutated(PartMutation::kPercpuInterrupted)) {
    percpu_detail::interrupted_add(slots, value);
    return 0;
  }
  if (percpu_detail::kUseRseq) return percpu_detail::rseq_add_and_drain(slots, value, batch);
  return percpu_detail::atomic_add_and_drain(slots, value, batch);
}

}  // namespace aioscope::kioctx
