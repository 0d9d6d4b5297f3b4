#include "drivers/libaio/aio_queue.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "drivers/deadline.h"
#include "drivers/kernel_settings.h"
#include "drivers/setup_failure.h"

namespace aioscope {
namespace {

// Most requests or completions of one system call. They pass through the stack: the kernel copies
// an iocb inside io_submit, so that nothing has to live longer and nothing is allocated.
constexpr std::size_t kChunk = 256;

std::string cure_of_io_setup(int error, std::uint32_t depth) {
  switch (error) {
    case EAGAIN:
      return fmt::format(
          "fs.aio-nr is {} of fs.aio-max-nr {}, and a depth of {} was asked for: "
          "sysctl -w fs.aio-max-nr=1048576",
          sysctl_value("fs.aio-nr"), sysctl_value("fs.aio-max-nr"), depth);
    case EINVAL:
      return fmt::format("a depth of {} is not possible: use a smaller --depth", depth);
    case ENOMEM:
      return "not enough memory for the completion ring: use a smaller --depth or fewer contexts";
    case ENOSYS:
    case EPERM:
      return seccomp_filtered()
                 ? "a seccomp filter is in force: allow io_setup in the container's profile"
                 : "use a kernel built with CONFIG_AIO";
    default:
      return "see io_setup(2)";
  }
}

}  // namespace

AioQueue::AioQueue(const ContextOptions& options, int event_fd)
    : depth_(options.depth), event_fd_(event_fd) {
  for (const File& file : options.files) {
    if (file.kind == FileKind::kDevice) {
      throw SetupFailure("libaio: a simulated device is no kernel file",
                         "use it with a kioctx driver");
    }
    fds_.push_back(file.fd);
  }
  // io_setup takes an int, and 0 would be refused with the same EINVAL as a negative number.
  const int error =
      -io_setup(static_cast<int>(std::min<std::uint32_t>(depth_, INT32_MAX)), &context_);
  if (error == 0) return;
  throw SetupFailure(
      fmt::format("io_setup({}): {} ({})", depth_, errno_name(error), std::strerror(error)),
      cure_of_io_setup(error, depth_));
}

AioQueue::~AioQueue() { io_destroy(context_); }

int AioQueue::prepare(const Request& request, iocb& control) const {
  if (request.file >= fds_.size()) return EBADF;
  const int fd = fds_[request.file];
  const auto offset = static_cast<long long>(request.offset);
  switch (request.opcode) {
    case Opcode::kRead:
      io_prep_pread(&control, fd, request.buffer, request.length, offset);
      break;
    case Opcode::kWrite:
      io_prep_pwrite(&control, fd, request.buffer, request.length, offset);
      break;
    default:
      return EOPNOTSUPP;
  }
  control.data = reinterpret_cast<void*>(request.tag);
  if (event_fd_ >= 0) io_set_eventfd(&control, event_fd_);
  return 0;
}

SubmitResult AioQueue::submit(std::span<const Request> requests) const {
  iocb controls[kChunk];
  iocb* pointers[kChunk];
  SubmitResult result;
  while (result.accepted < requests.size()) {
    const auto rest = requests.subspan(result.accepted);
    const std::size_t most = std::min(rest.size(), kChunk);
    std::size_t count = 0;
    int refused = 0;
    for (; count < most; ++count) {
      refused = prepare(rest[count], controls[count]);
      if (refused != 0) break;
      pointers[count] = &controls[count];
    }
    if (count == 0) {
      result.error = refused;
      break;
    }
    const int submitted = io_submit(context_, static_cast<long>(count), pointers);
    ++result.system_calls;
    if (submitted <= 0) {
      // All slots are taken: back-pressure, not an error.
      result.error = submitted == -EAGAIN ? 0 : -submitted;
      break;
    }
    // After a short count the next turn learns why: io_submit says so only about the first iocb.
    result.accepted += static_cast<std::uint32_t>(submitted);
  }
  return result;
}

ReapResult AioQueue::get_events(std::span<Completion> out, std::size_t min,
                                Deadline deadline) const {
  io_event events[kChunk];
  ReapResult result;
  do {
    const std::size_t most = std::min(out.size() - result.count, kChunk);
    const std::size_t need = min > result.count ? std::min(min - result.count, most) : 0;
    // With `need` 0 the call returns at once, and libaio answers it in user space if it may.
    timespec left = time_left(need == 0 || deadline.is_never() ? Deadline::poll() : deadline);
    timespec* timeout = need > 0 && deadline.is_never() ? nullptr : &left;
    const int got =
        io_getevents(context_, static_cast<long>(need), static_cast<long>(most), events, timeout);
    // The library looks at the ring in user memory and enters the kernel only when the timeout is
    // not zero or the ring not empty.
    const bool answered_by_library =
        got == 0 && timeout != nullptr && left.tv_sec == 0 && left.tv_nsec == 0;
    if (!answered_by_library) ++result.system_calls;
    if (got < 0) {
      result.error = got == -EINTR ? 0 : -got;
      break;
    }
    for (int i = 0; i < got; ++i) {
      out[result.count++] = {.tag = reinterpret_cast<Tag>(events[i].data),
                             .result = static_cast<std::int64_t>(events[i].res)};
    }
    // Fewer than it asked for is all there is, or all there was before the deadline.
    if (static_cast<std::size_t>(got) < most) break;
  } while (result.count < out.size());
  return result;
}

}  // namespace aioscope
