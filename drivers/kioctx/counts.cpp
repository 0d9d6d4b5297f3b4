#include "drivers/kioctx/counts.h"

#include <algorithm>
#include <mutex>
#include <vector>

namespace aioscope::kioctx {
namespace {

// Never destroyed: threads may end after static objects have.
struct Services {
  std::mutex mutex;
  std::vector<const Counts*> running;  // guarded by mutex
  CountSums ended;                     // guarded by mutex
};
Services& services() {
  static auto* all = new Services;
  return *all;
}

}  // namespace

void CountSums::add(const Counts& of) {
  for (std::size_t i = 0; i < kLockSites; ++i) {
    locks[i].acquisitions += of.locks[i].acquisitions;
    locks[i].contended += of.locks[i].contended;
    locks[i].wait_ns += of.locks[i].wait_ns;
    if (of.locks[i].contended == 0) continue;  // a look takes time, and mostly there is nothing
    for (std::size_t bucket = 0; bucket < WaitBuckets::kBuckets; ++bucket) {
      locks[i].waits.counts[bucket] += of.waits[i][bucket];
    }
  }
  shared_rmw += of.shared_rmw();
  allocations += of.allocations;
  wakeups += of.wakeups;
}

ServiceThread::ServiceThread() {
  const std::lock_guard guard(services().mutex);
  services().running.push_back(&counts);
}

ServiceThread::~ServiceThread() {
  const std::lock_guard guard(services().mutex);
  std::erase(services().running, &counts);
  services().ended.add(counts);
}

CountSums service_counts() {
  const std::lock_guard guard(services().mutex);
  CountSums sums = services().ended;
  for (const Counts* running : services().running) sums.add(*running);
  return sums;
}

}  // namespace aioscope::kioctx
