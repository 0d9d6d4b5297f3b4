#include "drivers/io_uring/ring_setup.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>

#include "drivers/kernel_settings.h"
#include "drivers/setup_failure.h"

namespace aioscope {
namespace {

constexpr std::uint32_t kMaxSqEntries = 32768;  // the kernel's limits
constexpr std::uint32_t kMaxCqEntries = 65536;
constexpr unsigned kSqThreadIdleMs = 10;

struct FlagName {
  unsigned flag;
  std::string_view name;
};
constexpr std::array kFlagNames{
    FlagName{IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER"},
    FlagName{IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"},
    FlagName{IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN"},
    FlagName{IORING_SETUP_TASKRUN_FLAG, "TASKRUN_FLAG"},
    FlagName{IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL"},
    FlagName{IORING_SETUP_SQPOLL, "SQPOLL"},
    FlagName{IORING_SETUP_CQSIZE, "CQSIZE"},
};

// What an older kernel refuses with EINVAL, the newest first. Flags that need each other go
// together.
constexpr std::array kDroppable{
    IORING_SETUP_DEFER_TASKRUN,                             // 6.1
    IORING_SETUP_SINGLE_ISSUER,                             // 6.0
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,  // 5.19
    IORING_SETUP_SUBMIT_ALL,                                // 5.18
};

// A private ring runs its completion work only where its thread asks for it. In a shared ring that
// work belongs to the thread that submitted: were it deferred (DEFER_TASKRUN, which is legal for
// one issuer only) or left to that thread's next system call (COOP_TASKRUN), a reaper would wait
// for a submitter that has nothing to call the kernel for.
unsigned wanted_flags(const RingRecipe& recipe, const ContextOptions& options) {
  unsigned flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL;
  if (options.single_thread) flags |= IORING_SETUP_SINGLE_ISSUER;
  if (recipe.sqpoll) {
    flags |= IORING_SETUP_SQPOLL;  // excludes the flags below: the work is run by the kernel thread
  } else if (options.single_thread) {
    flags |= IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  }
  return flags;
}

std::string cure_of_setup(int error) {
  switch (error) {
    case EPERM:
    case ENOSYS: {
      const std::string disabled = sysctl_value("kernel.io_uring_disabled");
      if (disabled != "0" && disabled != "unknown") {
        return fmt::format("kernel.io_uring_disabled is {}: sysctl -w kernel.io_uring_disabled=0",
                           disabled);
      }
      if (seccomp_filtered()) {
        return "a seccomp filter is in force: allow io_uring_setup, io_uring_enter and "
               "io_uring_register in the container's profile (docker run --security-opt "
               "seccomp=unconfined)";
      }
      return "use a kernel of 5.11 or later built with CONFIG_IO_URING";
    }
    case ENOMEM: {
      rlimit limit{};
      getrlimit(RLIMIT_MEMLOCK, &limit);
      return fmt::format("RLIMIT_MEMLOCK is {} KiB: ulimit -l unlimited, or a smaller --depth",
                         limit.rlim_cur / 1024);
    }
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n) or use fewer contexts";
    default:
      return "see io_uring_setup(2)";
  }
}

[[noreturn]] void fail(std::string_view call, int error, const std::string& cure) {
  throw SetupFailure(fmt::format("{}: {} ({})", call, errno_name(error), std::strerror(error)),
                     cure);
}

}  // namespace

RingSetup::RingSetup(const RingRecipe& recipe, const ContextOptions& options) {
  if (options.depth == 0 || options.depth > kMaxCqEntries) {
    throw SetupFailure(
        fmt::format("io_uring: {} requests in flight are not possible", options.depth),
        fmt::format("a ring has 1 to {}: choose --depth so that --depth times the submitters of a "
                    "context is no more",
                    kMaxCqEntries));
  }
  for (const File& file : options.files) {
    if (file.kind == FileKind::kDevice) {
      throw SetupFailure("io_uring: a simulated device is no kernel file",
                         "use it with a kioctx driver");
    }
    targets_.push_back(file.fd);
  }
  open_ring(wanted_flags(recipe, options), options.depth);
  try {
    // Waiting with a time limit rests on this. Before it, it took a request of its own in the ring.
    if ((ring_.features & IORING_FEAT_EXT_ARG) == 0) {
      throw SetupFailure("io_uring: no IORING_FEAT_EXT_ARG", "use a kernel of 5.11 or later");
    }
    if (recipe.registered) {
      register_resources(options);
      // Belongs to this thread, so that a shared ring cannot have it. Refused: fewer flags in
      // force.
      if (options.single_thread) ring_fd_registered_ = io_uring_register_ring_fd(&ring_) == 1;
    }
  } catch (...) {
    io_uring_queue_exit(&ring_);
    throw;
  }
}

RingSetup::~RingSetup() { io_uring_queue_exit(&ring_); }

void RingSetup::open_ring(unsigned wanted, std::uint32_t depth) {
  // The kernel's thread gives SQEs back after a round, so that of one round, at most `depth`, all
  // may have been reaped and none be free yet. Twice as many are never all taken by what is not in
  // flight, which would be back-pressure with nothing to reap.
  const bool sqpoll = (wanted & IORING_SETUP_SQPOLL) != 0;
  const std::uint32_t sq_entries = std::min(std::bit_ceil(depth) * (sqpoll ? 2 : 1), kMaxSqEntries);
  // No more than `depth` are ever in flight, so that a CQ of this size cannot overflow.
  const std::uint32_t cq_entries = std::max(std::bit_ceil(depth), sq_entries);
  for (std::size_t dropped = 0;; ++dropped) {
    io_uring_params params{};
    params.flags = wanted;
    params.cq_entries = cq_entries;
    if (sqpoll) params.sq_thread_idle = kSqThreadIdleMs;
    const int error = -io_uring_queue_init_params(sq_entries, &ring_, &params);
    if (error == 0) {
      flags_ = wanted;
      sq_thread_idle_ms_ = params.sq_thread_idle;
      return;
    }
    if (error != EINVAL || dropped == kDroppable.size()) {
      fail("io_uring_setup", error, cure_of_setup(error));
    }
    wanted &= ~kDroppable[dropped];
  }
}

void RingSetup::register_resources(const ContextOptions& options) {
  if (!targets_.empty()) {
    const int error =
        -io_uring_register_files(&ring_, targets_.data(), static_cast<unsigned>(targets_.size()));
    if (error > 0) fail("io_uring_register_files", error, "see io_uring_register(2)");
    registered_files_ = targets_.size();
    for (std::size_t i = 0; i < targets_.size(); ++i) targets_[i] = static_cast<int>(i);
  }
  if (options.buffers.empty()) return;
  std::vector<iovec> regions;
  for (const auto& buffer : options.buffers) regions.push_back({buffer.data(), buffer.size()});
  const int error =
      -io_uring_register_buffers(&ring_, regions.data(), static_cast<unsigned>(regions.size()));
  if (error > 0) fail("io_uring_register_buffers", error, cure_of_setup(error));
  registered_buffers_ = regions.size();
}

std::string RingSetup::describe() const {
  std::string text;
  for (const FlagName& known : kFlagNames) {
    if ((flags_ & known.flag) == 0) continue;
    text += text.empty() ? "" : "|";
    text += known.name;
  }
  text += fmt::format(" sq={} cq={}", ring_.sq.ring_entries, ring_.cq.ring_entries);
  if ((flags_ & IORING_SETUP_SQPOLL) != 0) text += fmt::format(" idle={}ms", sq_thread_idle_ms_);
  if (registered_files_ > 0) text += fmt::format(" fixed-files={}", registered_files_);
  if (registered_buffers_ > 0) text += fmt::format(" fixed-buffers={}", registered_buffers_);
  if (ring_fd_registered_) text += " fixed-ring";
  return text;
}

}  // namespace aioscope
