// One thread submits a batch to a context of its own and reaps it again, on the file kind `null`.
#include "bench/micro/submit_reap.h"

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "drivers/driver.h"
#include "drivers/registry.h"

namespace aioscope {
namespace {

constexpr std::uint32_t kDepth = 128;
constexpr std::uint32_t kBlockBytes = 512;
constexpr std::array<std::uint32_t, 2> kBatches{1, 32};

class NullDevice {
 public:
  NullDevice() : fd_(::open("/dev/null", O_RDWR | O_CLOEXEC)) {}
  ~NullDevice() {
    if (fd_ >= 0) ::close(fd_);
  }
  NullDevice(const NullDevice&) = delete;
  NullDevice& operator=(const NullDevice&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

struct alignas(4096) Block {
  std::array<std::byte, kBlockBytes> bytes;
};

// "" when every request came back, else what went wrong.
std::string submit_and_reap(Context& context, std::span<const Request> requests,
                            std::span<Completion> completions) {
  std::size_t submitted = 0;
  std::size_t reaped = 0;
  while (reaped < requests.size()) {
    if (submitted < requests.size()) {
      const SubmitResult result = context.submit(requests.subspan(submitted));
      if (result.error != 0) return fmt::format("submit: {}", std::strerror(result.error));
      submitted += result.accepted;
    }
    const std::size_t in_flight = submitted - reaped;
    if (in_flight == 0) return "submit: accepted nothing while nothing was in flight";
    const ReapResult result =
        context.reap(completions.first(in_flight), in_flight, Deadline::never());
    if (result.error != 0) return fmt::format("reap: {}", std::strerror(result.error));
    for (std::size_t i = 0; i < result.count; ++i) {
      if (completions[i].result < 0) return "a read of /dev/null failed";
    }
    reaped += result.count;
  }
  return "";
}

void run_submit_reap(benchmark::State& state, const Driver& driver, std::uint32_t batch) {
  if (const Availability availability = driver.probe(); !availability.usable) {
    state.SkipWithError(fmt::format("{}; {}", availability.reason, availability.cure).c_str());
    return;
  }
  const NullDevice device;
  const File file{.kind = FileKind::kNull, .fd = device.fd()};
  std::vector<Block> blocks(batch);
  const std::array<std::span<std::byte>, 1> regions{
      std::span(blocks.data()->bytes.data(), blocks.size() * sizeof(Block))};
  std::vector<Request> requests(batch);
  for (std::uint32_t i = 0; i < batch; ++i) {
    requests[i] = {
        .tag = i, .buffer = blocks[i].bytes.data(), .length = kBlockBytes, .opcode = Opcode::kRead};
  }
  std::vector<Completion> completions(batch);
  try {
    const auto context =
        driver.open({.depth = kDepth, .files = std::span(&file, 1), .buffers = regions});
    std::string problem;
    for (auto _ : state) {
      problem = submit_and_reap(*context, requests, completions);
      if (!problem.empty()) break;
    }
    if (!problem.empty()) state.SkipWithError(problem.c_str());
    state.SetLabel(context->setup());
  } catch (const SetupError& error) {
    state.SkipWithError(error.what());
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

}  // namespace

void register_submit_reap_benchmarks() {
  static const Registry registry;  // the benchmarks refer to its drivers until they have run
  for (const Driver* driver : registry.all()) {
    if ((driver->capabilities.files & file_kind_bit(FileKind::kNull)) == 0) continue;
    for (const std::uint32_t batch : kBatches) {
      const std::string name = fmt::format("submit_reap/{}/{}", driver->name, batch);
      benchmark::RegisterBenchmark(name.c_str(), [driver, batch](benchmark::State& state) {
        run_submit_reap(state, *driver, batch);
      });
    }
  }
}

}  // namespace aioscope
