// A thread that ci/against_perf has counted by aioscope's own counters and by `perf stat` at once.
//
//   counted_thread COUNTER...   prints {"tid": N}, and waits for a line; then the thread reads its
//                               counters, works, reads them again and sleeps, and their values are
//                               printed as JSON; ends with the next line
//
// The thread sleeps whenever somebody else switches its own counters on or off.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <semaphore>
#include <string>
#include <thread>

#include "bench/descriptor.h"
#include "bench/measure/perf/thread_counters.h"
#include "drivers/registry.h"

namespace aioscope {
namespace {

constexpr std::size_t kBatch = 32;
constexpr std::size_t kBatches = 20'000;
constexpr std::size_t kPages = 8'000;
constexpr int kSleeps = 1'000;

// Reads of /dev/zero through the driver libaio, batch by batch.
void read_zeros() {
  const Registry registry;
  const Descriptor zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const std::array<File, 1> files{File{.kind = FileKind::kZero, .fd = zero.get()}};
  std::array<std::byte, 512> buffer{};
  const std::array<std::span<std::byte>, 1> buffers{std::span<std::byte>(buffer)};
  ContextOptions options;
  options.depth = kBatch;
  options.files = files;
  options.buffers = buffers;
  const auto context = registry.find("libaio")->open(options);
  std::array<Request, kBatch> requests;
  for (std::size_t i = 0; i < kBatch; ++i) {
    requests[i] = {.tag = i, .buffer = buffer.data(), .length = 512, .opcode = Opcode::kRead};
  }
  std::array<Completion, kBatch> completions;
  for (std::size_t batch = 0; batch < kBatches; ++batch) {
    std::size_t in_flight = context->submit(requests).accepted;
    while (in_flight > 0) {
      in_flight -= context->reap(completions, 1, Deadline::never()).count;
    }
  }
}

void touch_pages() {
  const std::size_t size = kPages * 4096;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  madvise(memory, size, MADV_NOHUGEPAGE);
  for (std::size_t i = 0; i < size; i += 4096) static_cast<volatile char*>(memory)[i] = 1;
  munmap(memory, size);
}

void work() {
  read_zeros();
  touch_pages();
  constexpr timespec kAWhile{.tv_sec = 0, .tv_nsec = 50'000};
  for (int i = 0; i < kSleeps; ++i) nanosleep(&kAWhile, nullptr);
}

bool wait_for_line() {
  std::string line;
  return bool(std::getline(std::cin, line));
}

int run(const std::vector<std::string>& names) {
  const std::vector<Counter> counters = find_counters(names);
  for (const Counter& counter : counters) {
    if (counter.usable()) continue;
    std::cerr << "counted_thread: " << counter.name << ": " << counter.refusal.text() << '\n';
    return 77;
  }
  std::vector<ThreadCounters> own;
  std::binary_semaphore go(0), done(0), end(0);
  pid_t tid = 0;
  std::thread thread([&] {
    tid = gettid();
    own.emplace_back(counters, 0);
    done.release();
    go.acquire();
    own[0].begin();
    work();
    own[0].end();
    done.release();
    end.acquire();
  });
  done.acquire();
  std::cout << fmt::format("{{\"tid\": {}}}", tid) << std::endl;
  wait_for_line();
  go.release();
  done.acquire();
  std::string text;
  for (const CounterMeasurement& sum : sum_counters(counters, own, 1)) {
    text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", sum.name,
                        sum.value ? std::to_string(*sum.value) : "null");
  }
  std::cout << "{" << text << "}" << std::endl;
  wait_for_line();
  end.release();
  thread.join();
  return 0;
}

}  // namespace
}  // namespace aioscope

int main(int argc, char** argv) {
  return aioscope::run(std::vector<std::string>(argv + 1, argv + argc));
}
