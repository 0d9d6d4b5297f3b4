// What one latency record costs.
#include "bench/measure/histogram.h"

#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <random>

namespace aioscope {
namespace {

constexpr std::size_t kValues = 4096;

void record(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> latencies_ns(9, 1.5);
  std::array<std::uint64_t, kValues> values{};
  for (std::uint64_t& value : values) value = static_cast<std::uint64_t>(latencies_ns(random));
  const auto histogram = std::make_unique<LatencyHistogram>();
  std::size_t next = 0;
  for (auto _ : state) {
    histogram->record(values[next++ % kValues]);
    benchmark::ClobberMemory();
  }
  if (histogram->count() != static_cast<std::uint64_t>(state.iterations())) {
    state.SkipWithError("the histogram lost records");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(record)->Name("histogram/record");

// A batch of completions that share one stamp.
void record_batch(benchmark::State& state) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  std::uint64_t value_ns = 1000;
  for (auto _ : state) {
    histogram->record(value_ns, 32);
    value_ns = (value_ns * 33) & 0xfffff;
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 32);
}
BENCHMARK(record_batch)->Name("histogram/record/32");

void percentile(benchmark::State& state) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  for (std::uint64_t value_ns = 0; value_ns < 1'000'000; value_ns += 97) {
    histogram->record(value_ns);
  }
  for (auto _ : state) benchmark::DoNotOptimize(histogram->percentile_ns(0.999));
}
BENCHMARK(percentile)->Name("histogram/percentile");

}  // namespace
}  // namespace aioscope
