// Real files: threads that do the I/O and complete it, from another CPU than the submitter's, as
// the interrupt of a device would.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "drivers/kioctx/file.h"
#include "drivers/kioctx/list.h"
#include "drivers/kioctx/spin_lock.h"

namespace aioscope::kioctx {

struct Kiocb;

// A queue of requests and the threads that serve it. A whole plug of requests enters under one lock
// and with one wake-up call.
//
// No request waits while a worker sleeps: a worker goes to sleep on the value that `issued_` had
// under the queue's lock when the queue was empty, and the issuer changes it under that lock.
//
// A request may be cancelled until a worker takes it. Worker and canceller agree by
// kiocb_clear_cancel_fn(): the worker that gets `false` leaves the request to its cancel function.
class FileWorkers {
 public:
  // Starts the threads. Throws std::system_error.
  explicit FileWorkers(unsigned threads);
  ~FileWorkers();  // nothing may be queued
  FileWorkers(const FileWorkers&) = delete;
  FileWorkers& operator=(const FileWorkers&) = delete;

  unsigned threads() const { return unsigned(threads_.size()); }

  // Adds the open file `fd`, served by these threads, to `table`, which must outlive them. Returns
  // its number.
  std::uint32_t install(FileTable& table, int fd);

 private:
  FileWorkers() = default;
  struct OpenFile;
  static std::int64_t queue_request(Kiocb* req);
  static void issue(File* file, ListNode& requests);
  static void cancel(Kiocb* req);
  static const FileOperations kOperations;

  void serve();
  Kiocb* take();

  SpinLock lock_;
  ListHead queue_;                        // guarded by lock_
  unsigned idle_ = 0;                     // guarded by lock_: workers that sleep or are about to
  bool stopping_ = false;                 // guarded by lock_
  std::atomic<std::uint32_t> issued_{0};  // written under lock_; the workers' futex
  std::vector<OpenFile*> files_;
  std::vector<std::thread> threads_;
};

}  // namespace aioscope::kioctx
