// Of the drivers on the kernel's AIO and io_uring: that the one asked for is the one that ran, that
// system calls are counted as they are made, and what they do with requests they cannot serve.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "drivers/registry.h"

namespace aioscope {
namespace {

constexpr std::uint32_t kLength = 512;

#ifdef __SANITIZE_THREAD__
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

// The descriptors of this process that are links to `target`, and how many.
std::vector<int> descriptors_of(const std::string& target) {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry, gone) == target) {
      found.push_back(std::stoi(entry.path().filename()));
    }
  }
  return found;
}

// How many rings of the kernel's AIO are mapped.
int aio_rings() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find("/[aio]") != line.npos;
  return count;
}

std::map<std::string, long> ring_info(int fd) {
  std::ifstream file("/proc/self/fdinfo/" + std::to_string(fd));
  std::map<std::string, long> info;
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(":\t");
    if (colon != line.npos) info[line.substr(0, colon)] = std::strtol(&line[colon + 2], nullptr, 0);
  }
  return info;
}

class KernelDrivers : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (kThreadSanitizer) GTEST_SKIP() << "ThreadSanitizer does not see what the kernel writes";
    const Availability availability = driver().probe();
    if (!availability.usable) GTEST_SKIP() << availability.reason;
    zero_fd_ = ::open("/dev/zero", O_RDWR | O_CLOEXEC);
  }
  void TearDown() override {
    if (zero_fd_ >= 0) close(zero_fd_);
  }

  static const Driver& driver() {
    static const Registry registry;
    return *registry.find(GetParam());
  }
  static bool is(std::string_view name) { return driver().name == name; }
  static bool is_uring() { return driver().name.starts_with("io_uring"); }
  static bool is_libaio() { return driver().name.starts_with("libaio"); }

  // File 0 is /dev/zero, file 1 is `second_fd`.
  std::unique_ptr<Context> open(bool shared = false, int second_fd = -1) {
    const std::array<File, 2> files{File{.kind = FileKind::kZero, .fd = zero_fd_},
                                    File{.kind = FileKind::kFile, .fd = second_fd}};
    const std::span<std::byte> region(memory_);
    return driver().open(
        {.depth = kDepth, .single_thread = !shared, .files = files, .buffers = {&region, 1}});
  }
  Request read(Tag tag, std::uint16_t file = 0) {
    return {.tag = tag,
            .buffer = memory_.data() + tag % kDepth * kLength,
            .length = kLength,
            .file = file,
            .opcode = Opcode::kRead};
  }
  std::vector<Request> reads(std::size_t count) {
    std::vector<Request> requests;
    for (Tag tag = 0; tag < count; ++tag) requests.push_back(read(tag));
    return requests;
  }
  static std::int64_t in_ms(std::int64_t ms) {
    return std::chrono::steady_clock::now().time_since_epoch().count() + ms * 1'000'000;
  }

  static constexpr std::uint32_t kDepth = 16;
  std::array<std::byte, kDepth * kLength> memory_{};
  int zero_fd_ = -1;
};

class IoUringDrivers : public KernelDrivers {};
class SqpollDriver : public KernelDrivers {};
class DriversWithoutNop : public KernelDrivers {};

TEST_P(KernelDrivers, TheOneAskedForIsTheOneThatRan) {
  const auto rings_before = descriptors_of("anon_inode:[io_uring]").size();
  const auto eventfds_before = descriptors_of("anon_inode:[eventfd]").size();
  const int aio_before = aio_rings();
  const auto context = open();
  const std::vector<int> rings = descriptors_of("anon_inode:[io_uring]");
  EXPECT_EQ(rings.size() - rings_before, is_uring() ? 1u : 0u);
  EXPECT_EQ(aio_rings() - aio_before, is_libaio() ? 1 : 0);
  EXPECT_EQ(descriptors_of("anon_inode:[eventfd]").size() - eventfds_before,
            is("libaio@eventfd") ? 1u : 0u);

  std::array<Completion, 5> out;
  ASSERT_EQ(context->submit(reads(5)).accepted, 5u);
  ASSERT_EQ(context->reap(out, 5, Deadline::never()).count, 5u);
  if (!is_uring()) return;
  auto info = ring_info(rings.back());
  EXPECT_EQ(info["CqTail"], 5) << "the completions came through the ring";
  EXPECT_EQ(info["CqHead"], 5);
  EXPECT_EQ(info["SqThread"] >= 0, is("io_uring@sqpoll"));
  EXPECT_EQ(info["UserFiles"], is("io_uring@registered") ? 2 : 0);
  EXPECT_EQ(info["UserBufs"], is("io_uring@registered") ? 1 : 0);
}

TEST_P(KernelDrivers, ClosesWhatItOpened) {
  const auto rings = descriptors_of("anon_inode:[io_uring]");
  const auto eventfds = descriptors_of("anon_inode:[eventfd]");
  const int aio = aio_rings();
  open().reset();
  open(true).reset();
  EXPECT_EQ(descriptors_of("anon_inode:[io_uring]"), rings);
  EXPECT_EQ(descriptors_of("anon_inode:[eventfd]"), eventfds);
  EXPECT_EQ(aio_rings(), aio);
}

TEST_P(IoUringDrivers, NamesTheFlagsInForce) {
  const std::string of_private = open()->setup();
  const std::string of_shared = open(true)->setup();
  const auto has = [](const std::string& text, const char* word) {
    return text.find(word) != text.npos;
  };
  EXPECT_TRUE(has(of_private, is("io_uring@sqpoll") ? "sq=32 cq=32" : "sq=16 cq=16")) << of_private;
  EXPECT_EQ(has(of_private, "SQPOLL"), is("io_uring@sqpoll")) << of_private;
  EXPECT_EQ(has(of_private, "fixed-files=2 fixed-buffers=1"), is("io_uring@registered"));
  // Of one issuer, which a shared ring does not have.
  EXPECT_FALSE(has(of_shared, "SINGLE_ISSUER")) << of_shared;
  EXPECT_FALSE(has(of_shared, "TASKRUN")) << of_shared;
  EXPECT_TRUE(has(of_shared, is("io_uring@one-lock") ? "locks=one" : "locks=submit,reap"));
}

TEST_P(KernelDrivers, CountsItsSystemCalls) {
  for (const bool shared : {false, true}) {
    const auto context = open(shared);
    std::array<Completion, kDepth> out;
    EXPECT_EQ(context->reap(out, 0, Deadline::poll()).system_calls, 0u) << "nothing to ask for";
    const std::uint32_t submitting = context->submit(reads(8)).system_calls;
    if (is("io_uring@sqpoll")) {
      EXPECT_LE(submitting, 1u);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // for its thread to be done
    } else {
      EXPECT_EQ(submitting, is("sync") ? 8u : 1u);
    }
    // /dev/zero completes at once, so that all are there.
    const ReapResult reaped = context->reap(out, 8, Deadline::never());
    EXPECT_EQ(reaped.count, 8u);
    EXPECT_EQ(reaped.system_calls, is("libaio") || is("libaio@eventfd") ? 1u : 0u);
    const ReapResult waited = context->reap(out, 1, Deadline::at(in_ms(5)));
    EXPECT_EQ(waited.count, 0u);
    // The eventfd still tells of what was reaped above: a ppoll that returns at once, a read to
    // reset it, and the ppoll that waits.
    EXPECT_EQ(waited.system_calls, is("sync") ? 0u : is("libaio@eventfd") ? 3u : 1u);
  }
}

TEST_P(SqpollDriver, EntersTheKernelOnlyToWakeItsThread) {
  const auto context = open();
  std::array<Completion, kDepth> out;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // many times its idle time
  EXPECT_EQ(context->submit(reads(4)).system_calls, 1u);
  ASSERT_EQ(context->reap(out, 4, Deadline::never()).count, 4u);
  // It is awake for 10 ms now. Of many submissions at least one comes in time on any machine.
  std::uint32_t without_system_call = 0;
  for (int i = 0; i < 50; ++i) {
    without_system_call += context->submit(reads(4)).system_calls == 0;
    ASSERT_EQ(context->reap(out, 4, Deadline::never()).count, 4u);
  }
  EXPECT_GT(without_system_call, 0u);
}

TEST_P(KernelDrivers, RefusesAFileThatTheContextDoesNotHave) {
  const auto context = open();
  const std::array<Request, 3> requests{read(0), read(1, 2), read(2)};
  const SubmitResult first = context->submit(requests);
  EXPECT_EQ(first.accepted, 1u);
  EXPECT_EQ(first.error, EBADF);
  const SubmitResult rest = context->submit(std::span(requests).subspan(2));
  EXPECT_EQ(rest.accepted, 1u);
  std::array<Completion, 4> out;
  EXPECT_EQ(context->reap(out, 3, Deadline::at(in_ms(200))).count, 2u);
}

TEST_P(DriversWithoutNop, RefuseIt) {
  ASSERT_EQ(driver().capabilities.opcodes & opcode_bit(Opcode::kNop), 0);
  const Request nop{.opcode = Opcode::kNop};
  const SubmitResult result = open()->submit({&nop, 1});
  EXPECT_EQ(result.accepted, 0u);
  EXPECT_EQ(result.error, EOPNOTSUPP);
}

TEST_P(IoUringDrivers, HoldsNoMoreThanItsDepth) {
  for (const bool shared : {false, true}) {
    const auto context = open(shared);
    std::array<Completion, kDepth> out;
    // Over and over, so that the indices of the rings wrap.
    for (int i = 0; i < 1000; ++i) {
      // All that was reaped, and at once: also where a thread of the kernel gives SQEs back later.
      const SubmitResult result = context->submit(reads(kDepth + 3));
      ASSERT_EQ(result.accepted, kDepth);
      ASSERT_EQ(result.error, 0);
      ASSERT_EQ(context->submit(reads(1)).accepted, 0u);
      ASSERT_EQ(context->reap(out, kDepth, Deadline::never()).count, kDepth);
    }
  }
}

TEST_P(IoUringDrivers, CancelsAReadThatWaits) {
  for (const bool shared : {false, true}) {
    std::array<int, 2> pipe_fds;
    ASSERT_EQ(pipe2(pipe_fds.data(), O_CLOEXEC), 0);
    const auto context = open(shared, pipe_fds[0]);
    const std::array<Request, 2> requests{read(1, 1), read(2, 1)};
    ASSERT_EQ(context->submit(requests).accepted, 2u);
    std::array<Completion, 4> out;
    // Nothing to read: they wait. The time is for the thread of @sqpoll.
    EXPECT_EQ(context->reap(out, 1, Deadline::at(in_ms(100))).count, 0u);
    EXPECT_EQ(context->cancel(99), CancelResult::kNotFound);
    EXPECT_EQ(context->cancel(2), CancelResult::kRequested);
    ASSERT_EQ(context->reap(out, 1, Deadline::at(in_ms(5000))).count, 1u);
    EXPECT_EQ(out[0].tag, 2u);
    EXPECT_EQ(out[0].result, -ECANCELED);
    // The other one is not disturbed.
    ASSERT_EQ(write(pipe_fds[1], "abc", 3), 3);
    ASSERT_EQ(context->reap(out, 1, Deadline::at(in_ms(5000))).count, 1u);
    EXPECT_EQ(out[0].tag, 1u);
    EXPECT_EQ(out[0].result, 3);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
  }
}

std::string test_name_of(const testing::TestParamInfo<const char*>& row) {
  std::string name = row.param;
  for (char& c : name) c = c == '@' || c == '-' ? '_' : c;
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, KernelDrivers,
                         testing::Values("sync", "libaio", "libaio@user-reap", "libaio@eventfd",
                                         "io_uring", "io_uring@one-lock", "io_uring@sqpoll",
                                         "io_uring@registered"),
                         test_name_of);
INSTANTIATE_TEST_SUITE_P(All, IoUringDrivers,
                         testing::Values("io_uring", "io_uring@one-lock", "io_uring@sqpoll",
                                         "io_uring@registered"),
                         test_name_of);
INSTANTIATE_TEST_SUITE_P(All, SqpollDriver, testing::Values("io_uring@sqpoll"), test_name_of);
INSTANTIATE_TEST_SUITE_P(All, DriversWithoutNop,
                         testing::Values("sync", "libaio", "libaio@user-reap", "libaio@eventfd"),
                         test_name_of);

}  // namespace
}  // namespace aioscope
