// The micro-benchmarks of kioctx's parts, each alone: "kioctx/PART/VARIANT/threads:N".
//
// What is counted per CPU is measured in the form that the process uses, which the name tells:
// "percpu_rseq", or "percpu_atomic" when run with GLIBC_TUNABLES=glibc.pthread.rseq=0.
#pragma once

namespace aioscope {

void register_slots_benchmarks();
void register_refs_benchmarks();
void register_ring_benchmarks();
void register_reap_benchmarks();
void register_lookup_benchmarks();
void register_wake_benchmarks();

}  // namespace aioscope
