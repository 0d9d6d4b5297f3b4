// A device that is not there: requests wait for their time, and completion threads, each on a CPU
// of its own, end them as the interrupts of a device would. So completions come from other CPUs
// than the submitter's, one at a time or coalesced.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "drivers/device_spec.h"
#include "drivers/kioctx/cacheline.h"
#include "drivers/kioctx/file.h"
#include "drivers/kioctx/kiocb.h"
#include "drivers/kioctx/list.h"
#include "drivers/kioctx/spin_lock.h"

namespace aioscope::kioctx {

// A CPU that takes interrupts of a device: the requests whose end it will see, and its thread.
//
// Requests arrive under a lock that is held for a few instructions, so that it is seldom found
// taken: it belongs to the device, and the measured locks are those of a context. The thread sorts
// what has arrived by when it is due; without jitter, whoever comes next belongs to the end.
//
// No request is late because the thread sleeps: it goes to sleep until the first one is due, on the
// value that `doorbell_` had under the lock when nothing had arrived. Who adds one that is due
// before `sleeps_until_ns_` changes that value under the lock, and wakes it. While it is awake
// `sleeps_until_ns_` is before all times, and nobody wakes it: it looks at the arrivals once more
// before it sleeps.
//
// Where requests can be cancelled the lock guards those that wait, too: a request is in one of the
// two lists whenever the lock is free, until it is taken out to be completed.
class alignas(kCacheline) InterruptCpu {
 public:
  // The `number`th of a device; starts the thread, on `cpu`. Throws std::system_error.
  InterruptCpu(const DeviceSpec& spec, std::uint32_t number, int cpu);
  ~InterruptCpu();  // nothing may be waiting
  InterruptCpu(const InterruptCpu&) = delete;
  InterruptCpu& operator=(const InterruptCpu&) = delete;

  // Takes over all of `requests` under one lock and with one wake-up call at most. Thread-safe.
  void add(ListNode& requests);

  // Of a request that was added, and has been given to its cancel function.
  void remove(Kiocb* req);

 private:
  InterruptCpu(const DeviceSpec& spec, std::uint32_t number);

  Kiocb* first() const { return kiocb_of_file_node(waiting_.get_next()); }
  std::int64_t add_jitter(ListNode& requests);
  void sort_in(ListNode& requests);
  std::size_t take_due(std::span<CompletedKiocb> due);
  std::size_t wait_for_due(std::span<CompletedKiocb> due);
  std::int64_t result_of(const Kiocb& req);
  void serve();

  const DeviceSpec spec_;
  const std::uint32_t number_;

  SpinLock lock_;
  ListHead arrived_;                        // guarded by lock_
  std::int64_t sleeps_until_ns_;            // guarded by lock_
  std::uint64_t drawn_jitters_ = 0;         // guarded by lock_
  bool stopping_ = false;                   // guarded by lock_
  std::atomic<std::uint32_t> doorbell_{0};  // written under lock_; the thread's futex

  // The thread's own.
  alignas(kCacheline) ListHead waiting_;  // by due time; if cancellable, guarded by lock_
  std::uint64_t drawn_errors_ = 0;
  std::int64_t now_ns_ = 0;  // when it last looked
  std::thread thread_;
};

// A device as `spec` describes it. All its contexts put requests into it and may end in any order;
// a context waits for its own requests (FileTable::references()) before it goes.
class SimulatedDevice {
 public:
  // Starts the threads, on the last of the CPUs that this process may use and on no CPU two; so
  // there are fewer than spec.cpus where there are fewer CPUs. Throws std::system_error.
  explicit SimulatedDevice(const DeviceSpec& spec);
  SimulatedDevice(const SimulatedDevice&) = delete;
  SimulatedDevice& operator=(const SimulatedDevice&) = delete;

  const DeviceSpec& spec() const { return spec_; }
  const std::vector<int>& cpus() const { return cpus_; }  // of the threads

  // Adds it to `table`, which it must outlive, as a file: requests end with all their bytes, or
  // -EIO as the error rate says; no buffer is touched. Returns its number.
  std::uint32_t install(FileTable& table);

 private:
  static std::int64_t queue_request(Kiocb* req);
  static void issue(File* file, ListNode& requests);
  static void cancel(Kiocb* req);
  friend class InterruptCpu;
  static const FileOperations kOperations;

  const DeviceSpec spec_;
  const std::vector<int> cpus_;
  std::vector<std::unique_ptr<InterruptCpu>> interrupt_cpus_;
};

// The device of that description, one per process: it starts with the first who asks and ends with
// the last who lets go. Thread-safe. Throws std::system_error.
std::shared_ptr<SimulatedDevice> device_of(const DeviceSpec& spec);

}  // namespace aioscope::kioctx
