// Slots: the right to an event in the ring. An operation is one slot got and given back.
//
//   locked   v3.7: reqs_active under ctx_lock. The engine has it in one with the request's memory
//            and its place in active_reqs, so that these are in the price.
//   atomic_up, atomic   reqs_active counted up by an add, reqs_available counted down by a CAS
//   percpu   reqs_available.h
//
// hold: slots that a thread has before it gives them back: 32 in one call, as a bulk reap does.
#include "bench/micro/kioctx/context.h"
#include "bench/micro/kioctx/parts.h"
#include "bench/micro/kioctx/team.h"

namespace aioscope {
namespace {

using kioctx::OpenContext;
using kioctx::Stage;

constexpr Stage kLocked = kioctx::kStageV37;
constexpr Stage kAtomicUp = kioctx::stage_named("own-cachelines");
constexpr Stage kAtomic = kioctx::stage_named("reqs-available");
constexpr Stage kPercpuSlots = kioctx::stage_named("percpu-reqs-available");

// Room for all threads of a machine, and for what its CPUs keep.
std::uint32_t ring_entries() { return static_cast<std::uint32_t>(usable_cpus()) * 256; }

template <Stage S>
std::int64_t slots_taken(kioctx::Kioctx<S>& ctx) {
  if constexpr (S.reqs_available) {
    std::int64_t free = ctx.reqs_available.load(std::memory_order_relaxed);
    if constexpr (S.percpu_reqs_available) free += kioctx::percpu_sum(ctx.cpu);
    return std::int64_t{ctx.nr_events} - 1 - free;
  } else {
    return ctx.reqs_active;
  }
}

template <Stage S, std::uint32_t hold>
std::uint64_t get_and_put(kioctx::Kioctx<S>& ctx) {
  using Parts = kioctx::KioctxParts<S>;
  std::uint64_t got = 0;
  for (std::uint64_t n = 0; n < kRoundOps; n += hold) {
    if constexpr (!S.no_batch_alloc) {
      got += Parts::get_and_put_batch(ctx, hold);
    } else {
      std::uint32_t held = 0;
      while (held < hold && Parts::get_slot(ctx)) ++held;
      Parts::put_slots(ctx, held);
      got += held;
    }
    benchmark::ClobberMemory();
  }
  return got;
}

template <Stage S, std::uint32_t hold>
void slots(benchmark::State& state) {
  const OpenContext<S> ctx(ring_entries());
  const std::uint64_t operations = run_rounds(
      state, {.prepare = {}, .work = [&](std::size_t) { return get_and_put<S, hold>(*ctx); }});
  const auto threads = static_cast<std::uint64_t>(state.range(0));
  const std::uint64_t in_a_round = (kRoundOps + hold - 1) / hold * hold * threads;
  if (operations != in_a_round * static_cast<std::uint64_t>(state.iterations())) {
    state.SkipWithError("a slot was refused though there are enough");
  }
  const std::int64_t taken = slots_taken<S>(*ctx);
  if (taken == 0) return;
  state.SkipWithError("slots were lost, or came from nowhere");
  // The end of the context would wait for them.
  if constexpr (S.no_batch_alloc) {
    if (taken > 0) kioctx::KioctxParts<S>::put_slots(*ctx, static_cast<std::uint32_t>(taken));
  }
}

template <Stage S>
void register_slots(const std::string& name) {
  register_part("slots/" + name + "/hold_1", slots<S, 1>);
  register_part("slots/" + name + "/hold_32", slots<S, 32>);
}

}  // namespace

void register_slots_benchmarks() {
  register_slots<kLocked>("locked");
  register_slots<kAtomicUp>("atomic_up");
  register_slots<kAtomic>("atomic");
  register_slots<kPercpuSlots>(kioctx::percpu_name());
}

}  // namespace aioscope
