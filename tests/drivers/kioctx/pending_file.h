// A file whose requests wait until a test completes them: what a device is to a driver.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "drivers/kioctx/file.h"
#include "drivers/kioctx/kiocb.h"

namespace aioscope::kioctx {

class PendingFile {
 public:
  enum class Cancel { kNo, kYes };

  explicit PendingFile(Cancel cancellable = Cancel::kNo) : cancellable_(cancellable) {}

  std::uint32_t install(FileTable& table) { return table.install(kOperations, this); }

  std::size_t count() const {
    const std::lock_guard guard(mutex_);
    return pending_.size();
  }

  // Completes the oldest request with its length. Returns false when there is none.
  bool complete_one() {
    std::unique_lock lock(mutex_);
    while (!pending_.empty()) {
      Kiocb* req = pending_.front();
      pending_.pop_front();
      if (cancellable_ == Cancel::kYes && !kiocb_clear_cancel_fn(req)) continue;
      lock.unlock();
      aio_complete(req, req->ki_nbytes);
      return true;
    }
    return false;
  }

  // Completes up to `count` of the oldest requests as one interrupt would.
  void complete_batch(std::size_t count) {
    std::vector<CompletedKiocb> done;
    {
      const std::lock_guard guard(mutex_);
      while (done.size() < count && !pending_.empty()) {
        Kiocb* req = pending_.front();
        pending_.pop_front();
        if (cancellable_ == Cancel::kYes && !kiocb_clear_cancel_fn(req)) continue;
        done.push_back({req, req->ki_nbytes});
      }
    }
    aio_complete_batch(done);
  }

  void complete_all() {
    while (complete_one()) {
    }
  }

 private:
  static PendingFile& of(Kiocb* req) {
    return *static_cast<PendingFile*>(req->ki_filp->private_data);
  }
  static std::int64_t submit(Kiocb* req) {
    PendingFile& self = of(req);
    const std::lock_guard guard(self.mutex_);
    self.pending_.push_back(req);
    if (self.cancellable_ == Cancel::kYes) kiocb_set_cancel_fn(req, cancel);
    return -kEIocbQueued;
  }
  static void cancel(Kiocb* req) {
    EXPECT_FALSE(kiocb_clear_cancel_fn(req)) << "a worker would take what is being cancelled";
    {
      PendingFile& self = of(req);
      const std::lock_guard guard(self.mutex_);
      std::erase(self.pending_, req);
    }
    aio_complete(req, -ECANCELED);
  }
  static constexpr FileOperations kOperations{submit, submit};

  const Cancel cancellable_;
  mutable std::mutex mutex_;
  std::deque<Kiocb*> pending_;
};

}  // namespace aioscope::kioctx
