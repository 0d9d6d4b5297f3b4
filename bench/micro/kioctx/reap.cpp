// Reaping from a ring that was filled before, until it is empty. An operation is one event, its
// slot given back included where the stage does so.
//
//   one_a_lock      v3.7: a turn of ring_lock and a store of head for each event
//   bulk            the series: one for each call
//   percpu_rings    from a ring for each CPU, which the threads have filled on their CPUs
//
// max: events asked for by a call.
#include <array>
#include <vector>

#include "bench/micro/kioctx/context.h"
#include "bench/micro/kioctx/parts.h"
#include "bench/micro/kioctx/team.h"

namespace aioscope {
namespace {

using kioctx::OpenContext;
using kioctx::Stage;

constexpr std::uint32_t kReapRingEntries = 4096;
constexpr std::uint32_t kSubmitBatch = 32;

// Fills the ring with what completes at once; returns the events.
template <Stage S>
std::uint64_t fill(kioctx::Kioctx<S>& ctx) {
  const kioctx::FileTable no_files;
  const std::array<kioctx::Iocb, kSubmitBatch> noops{};
  std::uint64_t events = 0;
  for (;;) {
    const kioctx::IoSubmitResult result = ctx.do_io_submit(no_files, noops);
    events += result.submitted;
    if (result.error != 0) return events;
  }
}

template <Stage S, std::size_t max>
std::uint64_t empty(kioctx::Kioctx<S>& ctx) {
  std::array<kioctx::IoEvent, max> events;
  std::uint64_t reaped = 0;
  for (;;) {
    const std::int64_t count = ctx.read_events(0, events, 0);
    benchmark::ClobberMemory();
    if (count <= 0) return reaped;
    reaped += static_cast<std::uint64_t>(count);
  }
}

template <Stage S, std::size_t max>
void reap(benchmark::State& state) {
  const OpenContext<S> ctx(kReapRingEntries);
  std::atomic<std::uint64_t> filled{0};
  const std::uint64_t reaped = run_rounds(
      state,
      {.prepare = [&](std::size_t) { filled.fetch_add(fill<S>(*ctx), std::memory_order_relaxed); },
       .work = [&](std::size_t) { return empty<S, max>(*ctx); }});
  if (reaped != filled.load(std::memory_order_relaxed) || reaped == 0) {
    state.SkipWithError("events were lost, or reaped twice");
  }
}

template <Stage S>
void register_reap(const std::string& name) {
  register_part("reap/" + name + "/max_1", reap<S, 1>);
  register_part("reap/" + name + "/max_32", reap<S, 32>);
}

}  // namespace

void register_reap_benchmarks() {
  register_reap<kioctx::kStageV37>("one_a_lock");
  register_reap<kioctx::kStageSeries>("bulk");
  register_reap<kioctx::kStagePercpuRings>("percpu_rings");
}

}  // namespace aioscope
