#include "tests/drivers/kioctx/proof/slots.h"

#include <array>
#include <utility>

#include "drivers/kioctx/aio_setup.h"

namespace aioscope::kioctx {
namespace {

// As the engine's lookups find it, without a reference.
template <Stage S>
const Kioctx<S>* find(AioContextId id) {
  if constexpr (S.table_lookup) {
    return current_mm<S>.ioctx_table.load()->contexts[id >> kTableIndexShift].load();
  } else {
    const Kioctx<S>* ctx = current_mm<S>.ioctx_list.load();
    while (ctx->user_id != id) ctx = ctx->list.next.load();
    return ctx;
  }
}

template <Stage S>
std::int64_t free_slots_of(AioContextId id) {
  const Kioctx<S>* ctx = find<S>(id);
  if constexpr (S.reqs_available) {
    std::int64_t free = ctx->reqs_available;
    if constexpr (S.percpu_reqs_available) free += percpu_sum(ctx->cpu);
    // Reaped, and not yet found out by a completion or a submitter.
    if constexpr (S.slots_at_completion) free += ctx->completed_events;
    return free;
  } else {
    return std::int64_t{ctx->nr_events} - 1 - ctx->reqs_active;
  }
}

template <std::size_t... kIndex>
constexpr auto all_stages(std::index_sequence<kIndex...>) {
  return std::array{free_slots_of<kStages[kIndex].stage>...};
}

}  // namespace

std::int64_t free_slots(std::size_t index, AioContextId id) {
  return all_stages(std::make_index_sequence<kAllStages>{})[index](id);
}

}  // namespace aioscope::kioctx
