// aioscope_micro: what single parts cost, on Google Benchmark.
//
// Google Benchmark 1.7 divides the real time of a threaded benchmark by its threads. Benchmarks
// here therefore never use ->Threads(): those that need threads start them and report manual time.
#include <benchmark/benchmark.h>

#include "bench/micro/kioctx/parts.h"
#include "bench/micro/submit_reap.h"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  aioscope::register_submit_reap_benchmarks();
  aioscope::register_slots_benchmarks();
  aioscope::register_refs_benchmarks();
  aioscope::register_ring_benchmarks();
  aioscope::register_reap_benchmarks();
  aioscope::register_lookup_benchmarks();
  aioscope::register_wake_benchmarks();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
