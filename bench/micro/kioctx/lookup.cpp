// What every call begins and ends with: the context of an identity, with a reference, and the
// reference dropped. All threads look up the same one.
//
//   list_atomic   a walk over the process's contexts in a read section, and an atomic count
//   list_percpu   the same walk, and a count per CPU
//   table_percpu  an index, and a count per CPU
//
// of: contexts that the process has; the one looked up was made first, and ends the list.
#include <memory>
#include <vector>

#include "bench/micro/kioctx/context.h"
#include "bench/micro/kioctx/parts.h"
#include "bench/micro/kioctx/team.h"

namespace aioscope {
namespace {

using kioctx::Kioctx;
using kioctx::OpenContext;
using kioctx::Stage;

constexpr std::uint32_t kLookupRingEntries = 128;

// Lookups that found the context.
template <Stage S>
std::uint64_t look_up(const OpenContext<S>& wanted, std::uint64_t times) {
  std::uint64_t found = 0;
  for (std::uint64_t n = 0; n < times; ++n) {
    benchmark::ClobberMemory();
    Kioctx<S>* ctx = Kioctx<S>::lookup_ioctx(wanted.id());
    if (ctx != &*wanted) continue;
    ++found;
    ctx->put_ioctx();
  }
  return found;
}

// "" when the references of all lookups are back.
template <Stage S>
std::string problem(const Kioctx<S>& ctx) {
  if constexpr (S.percpu_refcount) {
    // Nobody can tell their sum here; one that is lost keeps the context, a leak that
    // LeakSanitizer finds.
    const bool percpu = ctx.users.state() == kioctx::PercpuRef::State::kPtr;
    return percpu ? "" : "the count never became per-CPU";
  } else {
    return ctx.users.load(std::memory_order_relaxed) == 2 ? "" : "references were lost";
  }
}

template <Stage S, std::size_t contexts>
void lookup(benchmark::State& state) {
  std::vector<std::unique_ptr<OpenContext<S>>> open;
  for (std::size_t i = 0; i < contexts; ++i) {
    open.push_back(std::make_unique<OpenContext<S>>(kLookupRingEntries));
  }
  const OpenContext<S>& wanted = *open.front();
  look_up<S>(wanted, 2 * 16384);  // until it is counted per CPU, where it can be
  const std::uint64_t found = run_rounds(
      state, {.prepare = {}, .work = [&](std::size_t) { return look_up<S>(wanted, kRoundOps); }});
  const auto lookups = static_cast<std::uint64_t>(state.iterations() * state.range(0)) * kRoundOps;
  if (found != lookups) state.SkipWithError("a lookup did not find the context");
  if (const std::string text = problem<S>(*wanted); !text.empty()) {
    state.SkipWithError(text.c_str());
  }
}

template <Stage S>
void register_lookup(const std::string& name) {
  register_part("lookup/" + name + "/of_1", lookup<S, 1>);
  register_part("lookup/" + name + "/of_16", lookup<S, 16>);
}

}  // namespace

void register_lookup_benchmarks() {
  const std::string percpu = kioctx::percpu_name();
  register_lookup<kioctx::stage_named("percpu-reqs-available")>("list_atomic");
  register_lookup<kioctx::kStageSeries>("list_" + percpu);
  register_lookup<kioctx::kStageMainline>("table_" + percpu);
}

}  // namespace aioscope
