// Threads that wait for the kernel's locks, whose waits ci/against_perf has aioscope and perf
// record at once.
//
//   contending_threads   prints {"tids": [...]} and waits for a line; then the threads work, seen
//   by
//                        aioscope, and what it saw is printed as JSON; ends with the next line
//
// The threads sleep whenever somebody begins or ends to look at them.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/aio_abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iostream>
#include <latch>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "bench/descriptor.h"
#include "bench/measure/locks/lock_observer.h"
#include "bench/measure/profile/attribution.h"

namespace aioscope {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kBatch = 32;
constexpr int kRounds = 20'000;

// Submits to and reaps from a context that all threads share, and maps memory now and then.
void work(aio_context_t context, int file) {
  std::array<std::byte, 512> buffer{};
  iocb request{};
  request.aio_fildes = std::uint32_t(file);
  request.aio_lio_opcode = IOCB_CMD_PREAD;
  request.aio_buf = reinterpret_cast<std::uint64_t>(buffer.data());
  request.aio_nbytes = buffer.size();
  std::array<iocb*, kBatch> batch{};
  batch.fill(&request);
  std::array<io_event, kBatch> events{};
  for (int round = 0; round < kRounds; ++round) {
    syscall(SYS_io_submit, context, long(kBatch), batch.data());
    syscall(SYS_io_getevents, context, 0L, long(kBatch), events.data(), nullptr);
    if (round % 8 != 0) continue;
    void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) continue;
    *static_cast<volatile char*>(memory) = 1;
    munmap(memory, 4096);
  }
}

bool sleeps(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t end = line.rfind(')');
  return end != std::string::npos && line.substr(end, 3) == ") S";
}

void wait_until_all_sleep(std::span<const pid_t> threads) {
  for (const pid_t thread : threads) {
    while (!sleeps(thread)) usleep(1'000);
  }
}

std::string json_of(const LockWaits& waits) {
  std::string sites;
  for (const WaitSite& site : waits.sites) {
    sites +=
        fmt::format(R"({}{{"site": "{}", "kind": "{}", "contended": {}, "wait_ns": {}}})",
                    sites.empty() ? "" : ", ", site.site, site.kind, site.contended, site.wait_ns);
  }
  return fmt::format(R"({{"events": {}, "lost": {}, "unfinished": {}, "sites": [{}]}})",
                     waits.events, waits.lost, waits.unfinished, sites);
}

bool wait_for_line() {
  std::string line;
  return bool(std::getline(std::cin, line));
}

int run() {
  const Descriptor zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  aio_context_t context = 0;
  if (zero.get() < 0 || syscall(SYS_io_setup, 8 * kThreads * kBatch, &context) != 0) {
    std::cerr << "contending_threads: /dev/zero or io_setup: errno " << errno << '\n';
    return 77;
  }
  std::array<pid_t, kThreads> tids{};
  std::latch ready(kThreads), done(kThreads);
  std::counting_semaphore<kThreads> go(0), end(0);
  std::vector<std::jthread> threads;
  for (pid_t& tid : tids) {
    threads.emplace_back([&] {
      tid = gettid();
      ready.count_down();
      go.acquire();
      work(context, zero.get());
      done.count_down();
      end.acquire();
    });
  }
  ready.wait();
  wait_until_all_sleep(tids);
  std::cout << fmt::format("{{\"tids\": [{}]}}", fmt::join(tids, ", ")) << std::endl;
  wait_for_line();
  Attribution attribution(LayerRules::builtin());
  LockObserver observer(tids);
  observer.start();
  go.release(kThreads);
  done.wait();
  wait_until_all_sleep(tids);
  observer.stop();
  const LockWaits waits = observer.kernel_locks(
      [&](std::span<const std::uint64_t> stack) {
        return NamedSite{attribution.wait_site(attribution.name(stack)), ""};
      },
      1);
  const std::string& hidden = attribution.symbols().kernel_reason();
  if (waits.traced() && hidden.empty()) std::cout << json_of(waits) << std::endl;
  wait_for_line();
  end.release(kThreads);
  threads.clear();
  syscall(SYS_io_destroy, context);
  if (waits.traced() && hidden.empty()) return 0;
  std::cerr << "contending_threads: " << (waits.traced() ? hidden : waits.reason) << '\n';
  return 77;
}

}  // namespace
}  // namespace aioscope

int main() { return aioscope::run(); }
