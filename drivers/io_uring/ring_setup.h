// Setting a ring up: the flags a recipe wants, less those the kernel does not have.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <string>
#include <vector>

#include "drivers/driver.h"

namespace aioscope {

// What a row of the table asks for.
struct RingRecipe {
  bool sqpoll = false;      // a kernel thread takes the submissions
  bool registered = false;  // fixed files and fixed buffers; a private ring's descriptor as well
};

// One io_uring instance, its rings mapped and its files and buffers registered.
class RingSetup {
 public:
  // Throws SetupFailure.
  RingSetup(const RingRecipe& recipe, const ContextOptions& options);
  RingSetup(const RingSetup&) = delete;
  RingSetup& operator=(const RingSetup&) = delete;
  ~RingSetup();

  io_uring& ring() { return ring_; }
  unsigned setup_flags() const { return flags_; }
  // The kernel's thread that takes the submissions.
  std::uint32_t service_threads() const { return (flags_ & IORING_SETUP_SQPOLL) != 0 ? 1 : 0; }
  // Of every io_uring_enter().
  unsigned enter_flags() const { return ring_fd_registered_ ? IORING_ENTER_REGISTERED_RING : 0; }
  // What goes into an SQE for each file: a descriptor, or the index of a registered file.
  const std::vector<int>& targets() const { return targets_; }
  // "SINGLE_ISSUER|DEFER_TASKRUN sq=128 cq=128 files=1 buffers=1".
  std::string describe() const;

 private:
  void open_ring(unsigned wanted, std::uint32_t depth);
  void register_resources(const ContextOptions& options);

  io_uring ring_{};
  unsigned flags_ = 0;
  unsigned sq_thread_idle_ms_ = 0;
  bool ring_fd_registered_ = false;
  std::size_t registered_files_ = 0;
  std::size_t registered_buffers_ = 0;
  std::vector<int> targets_;
};

}  // namespace aioscope
