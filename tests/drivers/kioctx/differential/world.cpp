#include "tests/drivers/kioctx/differential/world.h"

#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <system_error>

#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/file_workers.h"
#include "drivers/kioctx/futex.h"

namespace aioscope::kioctx {
namespace {

constexpr std::size_t kFileBytes = std::size_t{1024} * 1024;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// A file without a name in the working directory, with O_DIRECT where its file system has that.
int open_real_file() {
  const int flags = O_TMPFILE | O_RDWR | O_CLOEXEC;
  int fd = open(".", flags | O_DIRECT, 0600);
  if (fd < 0) fd = open(".", flags, 0600);
  if (fd < 0) fail("a file to test with, in the working directory");
  return fd;
}

int open_device(const char* path, int access = O_RDWR) {
  const int fd = open(path, access | O_CLOEXEC);
  if (fd < 0) fail(path);
  return fd;
}

std::byte* reserve_unmapped() {
  void* address = mmap(nullptr, kBufferBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) fail("mmap");
  return static_cast<std::byte*>(address);
}

std::int64_t result_of(long returned) { return returned < 0 ? -errno : returned; }

class KernelWorld final : public World {
 public:
  std::int64_t io_setup(std::uint32_t nr, std::uint64_t& id) override {
    aio_context_t made = 0;
    const std::int64_t result = result_of(syscall(SYS_io_setup, nr, &made));
    id = made;
    return result;
  }

  std::int64_t io_submit(std::uint64_t id, std::span<const PlacedRequest> requests) override {
    std::vector<iocb*> pointers;
    for (const PlacedRequest& request : requests) {
      iocb& control = iocb_of(request.tag);
      control = {};
      control.aio_data = request.tag;
      control.aio_lio_opcode = opcode(request.spec.operation);
      control.aio_fildes = std::uint32_t(descriptor(request.spec.file));
      control.aio_buf = std::uint64_t(request.buffer);
      control.aio_nbytes = request.spec.nbytes;
      control.aio_offset = std::int64_t(request.spec.offset);
      pointers.push_back(&control);
    }
    return result_of(syscall(SYS_io_submit, id, long(pointers.size()), pointers.data()));
  }

  std::int64_t io_getevents(std::uint64_t id, std::uint32_t min, std::span<IoEvent> events,
                            std::int64_t timeout_ns) override {
    static_assert(sizeof(IoEvent) == sizeof(io_event));
    timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
    const std::int64_t count =
        result_of(syscall(SYS_io_getevents, id, long(min), long(events.size()), events.data(),
                          timeout_ns < 0 ? nullptr : &timeout));
    // The kernel names a request by the address of its iocb, kioctx by its data.
    for (std::int64_t i = 0; i < count; ++i) {
      IoEvent& event = events[std::size_t(i)];
      if (event.obj == std::uint64_t(&iocb_of(event.data))) event.obj = event.data;
    }
    return count;
  }

  std::int64_t io_cancel(std::uint64_t id, std::uint64_t tag) override {
    io_event unused{};
    return result_of(syscall(SYS_io_cancel, id, &iocb_of(tag), &unused));
  }

  std::int64_t io_destroy(std::uint64_t id) override {
    return result_of(syscall(SYS_io_destroy, id));
  }

  AioRing& ring(std::uint64_t id) override { return *reinterpret_cast<AioRing*>(id); }

 private:
  static std::uint16_t opcode(Operation operation) {
    switch (operation) {
      case Operation::kRead:
        return IOCB_CMD_PREAD;
      case Operation::kWrite:
        return IOCB_CMD_PWRITE;
      case Operation::kUnknown:
        break;
    }
    return 99;
  }
  iocb& iocb_of(std::uint64_t tag) { return iocbs_[tag % kBuffers]; }

  std::array<iocb, kBuffers> iocbs_{};
};

class KioctxWorld final : public World {
 public:
  explicit KioctxWorld(const StageCalls& stage) : stage_(stage), workers_(1) {
    null_number_ = files_.install(kNullFile, nullptr);
    zero_number_ = files_.install(kZeroFile, nullptr);
    real_number_ = workers_.install(files_, descriptor(TargetFile::kReal));
    read_only_number_ = files_.install(kZeroFile, nullptr, FileAccess::kRead);
    write_only_number_ = files_.install(kNullFile, nullptr, FileAccess::kWrite);
  }

  std::int64_t io_setup(std::uint32_t nr, std::uint64_t& id) override {
    return stage_.io_setup(nr, &id);
  }

  std::int64_t io_submit(std::uint64_t id, std::span<const PlacedRequest> requests) override {
    std::vector<Iocb> iocbs;
    for (const PlacedRequest& request : requests) {
      iocbs.push_back({.data = request.tag,
                       .buf = request.buffer,
                       .offset = request.spec.offset,
                       .nbytes = request.spec.nbytes,
                       .fildes = number(request.spec.file),
                       .opcode = opcode(request.spec.operation)});
    }
    const IoSubmitResult result = stage_.io_submit(id, files_, iocbs);
    return result.submitted > 0 ? std::int64_t{result.submitted} : -result.error;
  }

  std::int64_t io_getevents(std::uint64_t id, std::uint32_t min, std::span<IoEvent> events,
                            std::int64_t timeout_ns) override {
    const std::int64_t until_ns = timeout_ns < 0    ? kForever
                                  : timeout_ns == 0 ? 0
                                                    : monotonic_ns() + timeout_ns;
    return stage_.io_getevents(id, min, events, until_ns);
  }

  std::int64_t io_cancel(std::uint64_t id, std::uint64_t tag) override {
    IoEvent unused;
    return stage_.io_cancel(id, tag, &unused);
  }

  std::int64_t io_destroy(std::uint64_t id) override { return stage_.io_destroy(id); }

  AioRing& ring(std::uint64_t id) override { return *ring_of(id); }

 private:
  std::uint32_t number(TargetFile file) const {
    switch (file) {
      case TargetFile::kNull:
        return null_number_;
      case TargetFile::kZero:
        return zero_number_;
      case TargetFile::kReal:
        return real_number_;
      case TargetFile::kReadOnly:
        return read_only_number_;
      case TargetFile::kWriteOnly:
        return write_only_number_;
      case TargetFile::kNotOpen:
        break;
    }
    return UINT32_MAX;
  }
  static IocbCommand opcode(Operation operation) {
    switch (operation) {
      case Operation::kRead:
        return IocbCommand::kPread;
      case Operation::kWrite:
        return IocbCommand::kPwrite;
      case Operation::kUnknown:
        break;
    }
    return IocbCommand{99};
  }

  const StageCalls& stage_;
  FileTable files_;
  FileWorkers workers_;
  std::uint32_t null_number_, zero_number_, real_number_, read_only_number_, write_only_number_;
};

}  // namespace

World::World()
    : null_(open_device("/dev/null")),
      zero_(open_device("/dev/zero")),
      real_(open_real_file()),
      read_only_(open_device("/dev/zero", O_RDONLY)),
      write_only_(open_device("/dev/null", O_WRONLY)),
      buffers_(static_cast<std::byte*>(
          std::aligned_alloc(kBufferBytes, std::size_t{kBuffers} * kBufferBytes))),
      text_(static_cast<std::byte*>(std::aligned_alloc(kBufferBytes, kFileBytes))),
      unmapped_(reserve_unmapped()) {
  renew_real_file();
}

World::~World() {
  munmap(unmapped_, kBufferBytes);
  std::free(text_);
  std::free(buffers_);
  for (const int fd : {null_, zero_, real_, read_only_, write_only_}) close(fd);
}

void World::renew_real_file() {
  for (std::size_t i = 0; i < kFileBytes; ++i) text_[i] = std::byte(i / 512 + i);
  if (pwrite(real_, text_, kFileBytes, 0) != ssize_t(kFileBytes) ||
      ftruncate(real_, kFileBytes) != 0) {
    fail("writing the file to test with");
  }
}

std::span<const std::byte> World::real_file() {
  const ssize_t bytes = pread(real_, text_, kFileBytes, 0);
  if (bytes < 0) fail("reading the file to test with");
  return {text_, std::size_t(bytes)};
}

std::byte* World::buffer(std::uint64_t tag) { return buffers_ + tag % kBuffers * kBufferBytes; }

int World::descriptor(TargetFile file) const {
  switch (file) {
    case TargetFile::kNull:
      return null_;
    case TargetFile::kZero:
      return zero_;
    case TargetFile::kReal:
      return real_;
    case TargetFile::kReadOnly:
      return read_only_;
    case TargetFile::kWriteOnly:
      return write_only_;
    case TargetFile::kNotOpen:
      break;
  }
  return -1;
}

std::unique_ptr<World> kernel_world() { return std::make_unique<KernelWorld>(); }
std::unique_ptr<World> kioctx_world(const StageCalls& stage) {
  return std::make_unique<KioctxWorld>(stage);
}

}  // namespace aioscope::kioctx
