// One io_context_t: setting it up, submitting to it, and taking completions from it.
#pragma once

#include <libaio.h>

#include <cstdint>
#include <ctime>
#include <span>
#include <vector>

#include "drivers/driver.h"

namespace aioscope {

// submit() and get_events() may be called by any number of threads: the kernel does the locking.
class AioQueue {
 public:
  // With `event_fd` each completion adds one to that eventfd. Throws SetupFailure.
  explicit AioQueue(const ContextOptions& options, int event_fd = -1);
  AioQueue(const AioQueue&) = delete;
  AioQueue& operator=(const AioQueue&) = delete;
  ~AioQueue();

  SubmitResult submit(std::span<const Request> requests) const;
  ReapResult get_events(std::span<Completion> out, std::size_t min, Deadline deadline) const;

  io_context_t id() const { return context_; }
  std::uint32_t depth() const { return depth_; }

 private:
  // 0, or the errno for which the request is refused.
  int prepare(const Request& request, iocb& control) const;

  io_context_t context_ = nullptr;
  std::uint32_t depth_;
  int event_fd_;
  std::vector<int> fds_;
};

}  // namespace aioscope
