// The limit: the shortest loops that read with libaio and io_uring, written by hand and without a
// harness. A driver measured by aioscope should come within a few per cent of them.
#include <fcntl.h>
#include <fmt/format.h>
#include <libaio.h>
#include <liburing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/micro/bare_options.h"

namespace aioscope {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kAlignmentBytes = 4096;
constexpr unsigned kRoundsPerClockRead = 256;

void require(bool good, const char* call, int error) {
  if (good) return;
  throw std::runtime_error(fmt::format("{}: {}", call, std::strerror(error)));
}

// The result of a system call that sets errno.
int succeeded(int result, const std::string& call) {
  require(result >= 0, call.c_str(), errno);
  return result;
}

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

// The open file, one buffer per request in flight, and where the next read goes.
class Source {
 public:
  explicit Source(const BareOptions& options) : block_bytes_(options.block_bytes) {
    struct stat status {};
    succeeded(::stat(options.path.c_str(), &status), options.path);
    const bool regular = S_ISREG(status.st_mode);
    const int flags = O_RDONLY | O_CLOEXEC | (regular ? O_DIRECT : 0);
    fd_ = succeeded(::open(options.path.c_str(), flags), options.path);
    if (regular) blocks_ = static_cast<std::uint64_t>(status.st_size) / block_bytes_;
    require(!regular || blocks_ > 0, "the file is smaller than a block", EINVAL);
    stride_ = (block_bytes_ + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
    memory_.reset(static_cast<char*>(std::aligned_alloc(kAlignmentBytes, stride_ * options.depth)));
    require(memory_ != nullptr, "aligned_alloc", ENOMEM);
    std::memset(memory_.get(), 0, stride_ * options.depth);
  }
  ~Source() { ::close(fd_); }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  int fd() const { return fd_; }
  char* buffer(std::size_t slot) const { return memory_.get() + slot * stride_; }
  std::uint64_t next_offset() {
    if (blocks_ == 0) return 0;
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    // Multiply-shift instead of a division.
    return static_cast<std::uint64_t>((static_cast<__uint128_t>(random_) * blocks_) >> 64) *
           block_bytes_;
  }

 private:
  int fd_ = -1;
  const std::uint32_t block_bytes_;
  std::uint64_t blocks_ = 0;
  std::size_t stride_ = 0;
  std::unique_ptr<char, FreeMemory> memory_;
  std::uint64_t random_ = 0x9e3779b97f4a7c15;
};

struct Outcome {
  std::uint64_t operations = 0;
  double elapsed_s = 0;
};

// Calls round(), which returns the operations it completed, until the time is over.
template <typename Round>
Outcome run_for(double duration_s, Round round) {
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(duration_s));
  Outcome outcome;
  auto now = begin;
  while (now < end) {
    for (unsigned i = 0; i < kRoundsPerClockRead; ++i) outcome.operations += round();
    now = Clock::now();
  }
  outcome.elapsed_s = std::chrono::duration<double>(now - begin).count();
  return outcome;
}

void check_read(std::int64_t result, std::uint32_t block_bytes) {
  require(result >= 0, "read", static_cast<int>(-result));
  require(result == block_bytes, "a read came back short", EIO);
}

Outcome run_libaio(const BareOptions& options) {
  Source source(options);
  io_context_t context = nullptr;
  int error = io_setup(static_cast<int>(options.depth), &context);
  require(error == 0, "io_setup (see /proc/sys/fs/aio-max-nr)", -error);

  std::vector<iocb> blocks(options.depth);
  std::vector<iocb*> pending(options.depth);
  std::vector<io_event> events(options.batch);
  for (std::uint32_t i = 0; i < options.depth; ++i) {
    io_prep_pread(&blocks[i], source.fd(), source.buffer(i), options.block_bytes,
                  static_cast<long long>(source.next_offset()));
    pending[i] = &blocks[i];
  }
  const auto submit = [&](iocb** first, long count) {
    for (long done = 0; done < count;) {
      const int accepted = io_submit(context, count - done, first + done);
      require(accepted > 0, "io_submit", -accepted);
      done += accepted;
    }
  };
  for (std::uint32_t i = 0; i < options.depth; i += options.batch) {
    submit(&pending[i], std::min(options.batch, options.depth - i));
  }
  const Outcome outcome = run_for(options.duration_s, [&]() -> std::uint64_t {
    const int reaped =
        io_getevents(context, 1, static_cast<long>(options.batch), events.data(), nullptr);
    require(reaped > 0, "io_getevents", -reaped);
    for (int i = 0; i < reaped; ++i) {
      check_read(static_cast<std::int64_t>(events[i].res), options.block_bytes);
      events[i].obj->u.c.offset = static_cast<long long>(source.next_offset());
      pending[i] = events[i].obj;
    }
    submit(pending.data(), reaped);
    return static_cast<std::uint64_t>(reaped);
  });
  io_destroy(context);  // waits for what is in flight
  return outcome;
}

class Ring {
 public:
  explicit Ring(std::uint32_t depth) {
    const int error = io_uring_queue_init(
        depth, &ring_,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN);
    require(error == 0, "io_uring_queue_init (needs Linux 6.1 and kernel.io_uring_disabled 0)",
            -error);
  }
  ~Ring() { io_uring_queue_exit(&ring_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  io_uring* get() { return &ring_; }

 private:
  io_uring ring_{};
};

Outcome run_io_uring(const BareOptions& options) {
  Source source(options);
  Ring owned(options.depth);
  io_uring* ring = owned.get();
  const auto prepare = [&](std::uint64_t slot) {
    io_uring_sqe* sqe = io_uring_get_sqe(ring);
    require(sqe != nullptr, "io_uring_get_sqe", EBUSY);
    io_uring_prep_read(sqe, source.fd(), source.buffer(slot), options.block_bytes,
                       source.next_offset());
    sqe->user_data = slot;
  };
  for (std::uint32_t slot = 0; slot < options.depth; ++slot) prepare(slot);
  std::vector<io_uring_cqe*> cqes(options.batch);
  std::uint64_t in_flight = options.depth;
  const auto reap = [&](bool again) {
    const unsigned reaped = io_uring_peek_batch_cqe(ring, cqes.data(), options.batch);
    for (unsigned i = 0; i < reaped; ++i) {
      check_read(cqes[i]->res, options.block_bytes);
      if (again) prepare(cqes[i]->user_data);
    }
    io_uring_cq_advance(ring, reaped);
    return reaped;
  };
  const Outcome outcome = run_for(options.duration_s, [&]() -> std::uint64_t {
    const int submitted = io_uring_submit_and_wait(ring, 1);
    require(submitted >= 0, "io_uring_enter", -submitted);
    return reap(true);
  });
  while (in_flight > 0) {
    const int submitted = io_uring_submit_and_wait(ring, 1);
    require(submitted >= 0, "io_uring_enter", -submitted);
    in_flight -= reap(false);
  }
  return outcome;
}

}  // namespace
}  // namespace aioscope

int main(int argc, char** argv) {
  const aioscope::BareOptions options = aioscope::parse_bare_options(argc, argv);
  try {
    const aioscope::Outcome outcome = options.engine == "libaio" ? aioscope::run_libaio(options)
                                                                 : aioscope::run_io_uring(options);
    const auto operations = static_cast<double>(outcome.operations);
    fmt::print(
        "{{\"engine\": \"{}\", \"operations\": {}, \"elapsed_s\": {:.6f}, "
        "\"operations_per_s\": {:.1f}, \"ns_per_op\": {:.3f}}}\n",
        options.engine, outcome.operations, outcome.elapsed_s, operations / outcome.elapsed_s,
        outcome.elapsed_s * 1e9 / operations);
  } catch (const std::exception& error) {
    fmt::print(stderr, "aioscope_bare_loops: {}\n", error.what());
    return 5;
  }
}
