// What drivers say when they cannot be set up: the call, the errno, and the cure. Each bad day is
// made in a child process, which prints what it was told.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <vector>

#include "drivers/registry.h"

namespace aioscope {
namespace {

class SetupFailures : public testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer starts a thread, and a child of fork() has none";
#endif
  }

  static const Driver& driver(std::string_view name) {
    static const Registry registry;
    return *registry.find(name);
  }
  // True when the row works on this machine as it is; otherwise there is nothing to break.
  static bool works(std::string_view name) { return driver(name).probe().usable; }

  // Prints "reason; cure" to stderr.
  [[noreturn]] static void tell_probe(std::string_view name) {
    const Availability availability = driver(name).probe();
    std::fprintf(stderr, "usable=%d %s; %s\n", int(availability.usable),
                 availability.reason.c_str(), availability.cure.c_str());
    _exit(0);
  }
  [[noreturn]] static void tell_open(std::string_view name, const ContextOptions& options) {
    try {
      driver(name).open(options);
      std::fprintf(stderr, "opened\n");
    } catch (const SetupError& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    _exit(0);
  }
};

const auto kExitedWell = testing::ExitedWithCode(0);

// Makes `system_call` fail with `error`, as a container's profile does.
void forbid(unsigned system_call, unsigned error) {
  std::array<sock_filter, 4> program{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    std::perror("seccomp");
    _exit(1);
  }
}

void set_limit(__rlimit_resource resource, rlim_t value) {
  const rlimit limit{value, value};
  if (setrlimit(resource, &limit) != 0) _exit(1);
}

TEST_F(SetupFailures, IoUringForbiddenBySeccomp) {
  if (!works("io_uring")) GTEST_SKIP();
  EXPECT_EXIT((forbid(SYS_io_uring_setup, EPERM), tell_probe("io_uring")), kExitedWell,
              "usable=0 io_uring_setup: EPERM .*seccomp filter is in force.*profile");
}

TEST_F(SetupFailures, LibaioForbiddenBySeccomp) {
  if (!works("libaio")) GTEST_SKIP();
  EXPECT_EXIT((forbid(SYS_io_setup, ENOSYS), tell_probe("libaio@eventfd")), kExitedWell,
              "usable=0 io_setup.1.: ENOSYS .*seccomp filter is in force.*io_setup");
}

TEST_F(SetupFailures, LibaioOutOfRequests) {
  if (!works("libaio")) GTEST_SKIP();
  std::uint32_t most = 0;
  std::ifstream("/proc/sys/fs/aio-max-nr") >> most;
  EXPECT_EXIT(tell_open("libaio", {.depth = most + 1}), kExitedWell,
              "io_setup.[0-9]+.: EAGAIN .*fs.aio-nr is [0-9]+ of fs.aio-max-nr " +
                  std::to_string(most) + ".*sysctl -w fs.aio-max-nr=[0-9]+");
}

TEST_F(SetupFailures, DepthsThatAreNotPossible) {
  if (!works("libaio") || !works("io_uring")) GTEST_SKIP();
  EXPECT_EXIT(tell_open("libaio@user-reap", {.depth = UINT32_MAX}), kExitedWell,
              "io_setup.4294967295.: .*depth");
  EXPECT_EXIT(tell_open("libaio", {.depth = 0}), kExitedWell, "io_setup.0.: EINVAL .*depth of 0");
  EXPECT_EXIT(tell_open("io_uring", {.depth = 65537}), kExitedWell,
              "io_uring: 65537 requests in flight are not possible; a ring has 1 to 65536: choose "
              "--depth so that --depth times the submitters");
}

TEST_F(SetupFailures, TheDeepestRingIsPossible) {
  if (!works("io_uring")) GTEST_SKIP();
  EXPECT_EXIT(tell_open("io_uring", {.depth = 65536}), kExitedWell, "opened");
}

TEST_F(SetupFailures, MemlockTooLowForRegisteredBuffers) {
  if (!works("io_uring@registered")) GTEST_SKIP();
  std::vector<std::byte> memory(1 << 20);
  const std::span<std::byte> region(memory);
  const auto as_a_user = [&] {
    set_limit(RLIMIT_MEMLOCK, 64 << 10);
    if (geteuid() == 0 && setuid(65534) != 0) _exit(1);  // root may lock what it likes
    tell_open("io_uring@registered", {.depth = 1, .buffers = {&region, 1}});
  };
  EXPECT_EXIT(as_a_user(), kExitedWell,
              "io_uring_register_buffers: ENOMEM .*RLIMIT_MEMLOCK is 64 KiB: ulimit -l");
}

TEST_F(SetupFailures, NoDescriptorsLeft) {
  if (!works("io_uring") || !works("libaio@eventfd")) GTEST_SKIP();
  // As a filter, since a limit on descriptors would stop the sanitizers, too.
  EXPECT_EXIT((forbid(SYS_io_uring_setup, EMFILE), tell_probe("io_uring@sqpoll")), kExitedWell,
              "usable=0 io_uring_setup: EMFILE .*ulimit -n");
  EXPECT_EXIT((forbid(SYS_eventfd2, EMFILE), tell_probe("libaio@eventfd")), kExitedWell,
              "usable=0 eventfd: EMFILE .*ulimit -n");
}

TEST_F(SetupFailures, KernelDriversHaveNoSimulatedDevices) {
  const File device{.kind = FileKind::kDevice, .spec = "latency=10us"};
  for (const char* name : {"sync", "libaio", "libaio@user-reap", "libaio@eventfd", "io_uring",
                           "io_uring@one-lock", "io_uring@sqpoll", "io_uring@registered"}) {
    if (!works(name)) continue;
    EXPECT_EXIT(tell_open(name, {.depth = 1, .files = {&device, 1}}), kExitedWell,
                "simulated device is no kernel file; use it with a kioctx driver")
        << name;
  }
}

}  // namespace
}  // namespace aioscope
