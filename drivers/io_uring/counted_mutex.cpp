#include "drivers/io_uring/counted_mutex.h"

#include <array>
#include <chrono>

namespace aioscope {
namespace {

constexpr std::array<std::string_view, 2> kSites{"ring/submit", "ring/reap"};

constinit thread_local std::array<LockSiteCount, kSites.size()> counts{};

}  // namespace

const CounterSource kRingCounters{
    .lock_sites = kSites,
    .this_thread =
        [] {
          return DriverCounts{.locks = {counts.begin(), counts.end()}};
        },
};

void CountedMutex::lock(RingSite site) {
  LockSiteCount& count = counts[std::size_t(site)];
  const bool free = mutex_.try_lock();
  ++count.acquisitions;
  if (free) return;
  ++count.contended;
  const auto begin = std::chrono::steady_clock::now();
  mutex_.lock();
  const auto waited = std::chrono::steady_clock::now() - begin;
  const auto wait_ns = std::uint64_t(std::chrono::nanoseconds(waited).count());
  count.wait_ns += wait_ns;
  count.waits.record(wait_ns);
}

}  // namespace aioscope
