// The threads of a micro-benchmark, and what their numbers mean.
//
// An iteration of Google Benchmark is one round here: all threads prepare, wait for each other, and
// do some tens of thousands of operations. What is reported of it:
//
//   Time              from the first thread's first operation to the last one's last, a round
//   items_per_second  operations of all threads together in that time
//   op_ns             what one thread spends on one operation: Time * threads / operations, in ns.
//                     Perfect scaling leaves it as it is with one thread.
//   CPU, Iterations   thread 0's CPU time, preparing and waiting included: says nothing; rounds
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace aioscope {

// CPUs that this process may use: the most threads that a benchmark is run with.
std::size_t usable_cpus();

// What one thread does in a round, given its number.
struct Part {
  std::function<void(std::size_t thread)> prepare;        // not timed; may be empty
  std::function<std::uint64_t(std::size_t thread)> work;  // timed; returns its operations
};

// Operations of one thread in one round, where the part itself sets no limit.
inline constexpr std::uint64_t kRoundOps = 100'000;

// Runs the rounds of a benchmark with state.range(0) threads, thread i on the i-th usable CPU; the
// caller is thread 0. Sets the numbers above, and returns the operations of all rounds.
std::uint64_t run_rounds(benchmark::State& state, const Part& part);

// Registers "kioctx/NAME/threads:1" to as many threads as there are usable CPUs.
void register_part(const std::string& name, void (*function)(benchmark::State&));

}  // namespace aioscope
