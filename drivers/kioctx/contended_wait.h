// Accounts for a lock that was found taken. Its clock is read on this path only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/counts.h"
#include "drivers/wait_histogram.h"

namespace aioscope::kioctx {

// Lives from finding the lock taken until having it.
class ContendedWait {
 public:
  explicit ContendedWait(LockSite site) : site_(site), begin_ns_(monotonic_ns()) {
    ++lock_count(site).contended;
  }
  ContendedWait(const ContendedWait&) = delete;
  ContendedWait& operator=(const ContendedWait&) = delete;
  ~ContendedWait() {
    const auto wait_ns = std::uint64_t(monotonic_ns() - begin_ns_);
    lock_count(site_).wait_ns += wait_ns;
    ++counts.waits[std::size_t(site_)][WaitBuckets::bucket_of(wait_ns)];
  }

 private:
  const LockSite site_;
  const std::int64_t begin_ns_;
};

}  // namespace aioscope::kioctx
