// The locks that guard a shared ring, counted per thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include "drivers/driver.h"

namespace aioscope {

// A lock and who takes it. With one lock for everything both sites take it.
enum class RingSite : std::uint8_t { kSubmit, kReap };

// Counts of the calling thread, and their names; see CounterSource.
extern const CounterSource kRingCounters;

// A mutex that reads the clock only when it is found taken.
class CountedMutex {
 public:
  void lock(RingSite site);
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class CountedLock {
 public:
  CountedLock(CountedMutex& mutex, RingSite site) : mutex_(mutex) { mutex_.lock(site); }
  CountedLock(const CountedLock&) = delete;
  CountedLock& operator=(const CountedLock&) = delete;
  ~CountedLock() { mutex_.unlock(); }

 private:
  CountedMutex& mutex_;
};

}  // namespace aioscope
