// The kernel's barriers, by their kernel names.
#pragma once

#include <atomic>

namespace aioscope::kioctx {

// Full: no load below it is done before the stores above it are visible.
inline void smp_mb() {
#if defined(__x86_64__)
  // As today's kernel: a quarter of the time of the mfence that the compiler's fence is.
  asm volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with another smp_mb()
#endif
}

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A full barrier split in two unequal halves: the common side pays (nearly) nothing, the rare side
// makes every running thread of the process execute a full barrier, through membarrier(2).
//
//   common: store X; smp_mb_common(); load Y      rare: store Y; smp_mb_rare(); load X
//
// At least one side sees the other's store. When the rare side's barrier reaches a common thread
// before its load, that load sees Y; when after, its store of X was before it and is seen.
// Where the kernel has no membarrier, both halves are full.
extern const bool kHasMembarrier;
inline void smp_mb_common() {
  if (kHasMembarrier) {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // pairs with smp_mb_rare
  } else {
    smp_mb();
  }
}
void smp_mb_rare();

}  // namespace aioscope::kioctx
