// What reading a clock costs: the price of one latency stamp.
#include <benchmark/benchmark.h>

#include <chrono>
#include <ctime>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace aioscope {
namespace {

template <clockid_t clock>
void clock_gettime_of(benchmark::State& state) {
  timespec now{};
  for (auto _ : state) {
    clock_gettime(clock, &now);
    benchmark::DoNotOptimize(now);
  }
}
BENCHMARK(clock_gettime_of<CLOCK_MONOTONIC>)->Name("clock/clock_gettime/monotonic");
BENCHMARK(clock_gettime_of<CLOCK_MONOTONIC_COARSE>)->Name("clock/clock_gettime/monotonic_coarse");
BENCHMARK(clock_gettime_of<CLOCK_THREAD_CPUTIME_ID>)->Name("clock/clock_gettime/thread_cputime");

void steady_clock_now(benchmark::State& state) {
  for (auto _ : state) {
    auto now = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(now);
  }
}
BENCHMARK(steady_clock_now)->Name("clock/steady_clock");

#if defined(__x86_64__)
void rdtsc(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(__rdtsc());
}
BENCHMARK(rdtsc)->Name("clock/rdtsc");

// Waits for the instructions before it, which a stamp after an operation needs.
void rdtscp(benchmark::State& state) {
  unsigned cpu = 0;
  for (auto _ : state) benchmark::DoNotOptimize(__rdtscp(&cpu));
}
BENCHMARK(rdtscp)->Name("clock/rdtscp");
#elif defined(__aarch64__)
void cntvct(benchmark::State& state) {
  for (auto _ : state) {
    std::uint64_t ticks = 0;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    benchmark::DoNotOptimize(ticks);
  }
}
BENCHMARK(cntvct)->Name("clock/cntvct");
#endif

}  // namespace
}  // namespace aioscope
