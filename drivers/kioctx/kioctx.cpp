#include "drivers/kioctx/kioctx.h"

#include <cstddef>
#include <utility>

#include "drivers/kioctx/kioctx_calls.h"

namespace aioscope::kioctx {
namespace {

using V37 = PackedFields<kStageV37>;
static_assert(offsetof(V37, ctx_lock) == 1 * kCacheline,
              "v3.7: what the lookup reads and writes fills line 0, with the wait queue in it");
static_assert(offsetof(V37, ring_pages) == 2 * kCacheline,
              "v3.7: ctx_lock and all that it guards but the tail fill line 1");
static_assert(offsetof(V37, tail) < 3 * kCacheline,
              "v3.7: the reapers' lock and the completions' tail share line 2");

using Series = OwnCachelineFields<kStageSeries>;
static_assert(offsetof(Series, reqs_available) / kCacheline + 1 ==
                      offsetof(Series, ctx_lock) / kCacheline &&
                  offsetof(Series, nr_pages) / kCacheline <
                      offsetof(Series, reqs_available) / kCacheline,
              "series: slots are borrowed by every CPU, and nothing else lies on their line");
static_assert(offsetof(Series, ring_lock) == offsetof(Series, ctx_lock) + kCacheline,
              "series: a cancellable request disturbs neither submitters nor reapers");
static_assert(offsetof(Series, wait) / kCacheline == offsetof(Series, ring_lock) / kCacheline,
              "series: completions read `wait` from the line of the reapers' mutex, as they did");
static_assert(offsetof(Series, tail) == offsetof(Series, ring_lock) + kCacheline &&
                  sizeof(Series) == offsetof(Series, tail) + kCacheline,
              "series: the tail, which is a lock, moves between completions with nothing else");

using Flat = FlatFields<stage_with_patches(10)>;
static_assert(offsetof(Flat, ring_lock) % kCacheline == 0 &&
                  offsetof(Flat, tail) == offsetof(Flat, ring_lock) + kCacheline,
              "flat-ring: reapers and completions have a line each; all else is packed");
static_assert(offsetof(Flat, wait) / kCacheline == 0 && offsetof(Flat, users) / kCacheline == 0,
              "flat-ring: lookups still write the line that completions read");

using Mainline = OwnCachelineFields<kStageMainline>;
static_assert(offsetof(Mainline, completed_events) / kCacheline ==
                      offsetof(Mainline, tail) / kCacheline &&
                  offsetof(Mainline, completion_lock) / kCacheline ==
                      offsetof(Mainline, tail) / kCacheline,
              "mainline: what completion_lock guards lies with it");

template <std::size_t... kIndex>
constexpr std::array<StageCalls, kAllStages> all_calls(std::index_sequence<kIndex...>) {
  return {kCallsOf<kStages[kIndex].stage>...};
}

}  // namespace

constinit const std::array<StageCalls, kAllStages> kStageCalls =
    all_calls(std::make_index_sequence<kAllStages>{});

AioRing* ring_of(AioContextId id) {
  return reinterpret_cast<AioRing*>(id & ((std::uint64_t{1} << kTableIndexShift) - 1));
}

}  // namespace aioscope::kioctx
