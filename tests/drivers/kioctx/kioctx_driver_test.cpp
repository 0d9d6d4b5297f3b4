// The rows of kioctx on a simulated device, by the contract.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "drivers/kioctx/aio_setup.h"
#include "drivers/registry.h"

namespace aioscope {
namespace {

constexpr std::uint32_t kBlock = 512;

std::unique_ptr<Context> open(std::string_view driver, std::string_view spec,
                              std::size_t files = 1) {
  const Registry registry;
  const std::vector<File> table(files, {.kind = FileKind::kDevice, .spec = spec});
  return registry.find(driver)->open({.depth = 64, .files = table});
}

// Submits `count` reads of file 0 and reaps them.
void read_and_reap(Context& context, std::uint32_t count) {
  std::array<std::byte, kBlock> buffer{};
  std::vector<Request> requests(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    requests[i] = {.tag = i, .buffer = buffer.data(), .length = kBlock, .opcode = Opcode::kRead};
  }
  ASSERT_EQ(context.submit(requests).accepted, count);
  std::vector<Completion> out(count);
  ASSERT_EQ(context.reap(out, count, Deadline::never()).count, count);
  for (const Completion& completion : out) EXPECT_EQ(completion.result, kBlock);
}

TEST(KioctxDriver, SetupNamesTheDeviceAndItsCpus) {
  const std::string one = open("kioctx@series", "coalesce=8", 2)->setup();
  EXPECT_NE(one.find(" device=latency=10us,jitter=0ns,cpus=1,coalesce=8,error-rate=0,cancel=no "
                     "device_cpus="),
            std::string::npos)
      << one;
  EXPECT_EQ(one.find("device="), one.rfind("device=")) << "two files of one device: " << one;
  const std::string most = open("kioctx@series", "cpus=1024")->setup();
  EXPECT_NE(most.find(" (no more can be used)"), std::string::npos) << most;
  EXPECT_EQ(one.find("(no more"), std::string::npos) << one;
}

TEST(KioctxDriver, ABadSpecificationIsSaidWithItsCure) {
  try {
    open("kioctx@series", "latncy=1us");
    FAIL();
  } catch (const SetupError& error) {
    EXPECT_EQ(std::string(error.what()),
              "kioctx: device: unknown key 'latncy'; known: latency, jitter, cpus, coalesce, "
              "error-rate, cancel; 'aioscope list targets' shows a whole one");
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they have no use for a limit
// The largest context where there is hardly any memory left. In a process of its own.
TEST(KioctxDriver, WithoutMemoryIsRefusedWithItsCure) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // there may be threads of liburcu
  for (const char* driver :
       {"kioctx@v3.7", "kioctx@series", "kioctx@percpu-rings", "kioctx@mainline"}) {
    const auto open_and_say = [&] {
      const Registry registry;
      rlimit limit{};
      getrlimit(RLIMIT_AS, &limit);
      long pages = 0;  // of this process now
      std::ifstream("/proc/self/statm") >> pages;
      limit.rlim_cur = rlim_t(pages * sysconf(_SC_PAGESIZE)) + (32u << 20);
      setrlimit(RLIMIT_AS, &limit);
      try {
        registry.find(driver)->open({.depth = 1u << 22});
      } catch (const SetupError& error) {
        std::cerr << error.what();
        _exit(1);
      }
      _exit(0);
    };
    EXPECT_EXIT(open_and_say(), testing::ExitedWithCode(1),
                "kioctx: io_setup\\(4194304\\): Cannot allocate memory; use a smaller depth");
  }
}
#endif

// While it lives, mainline's table of contexts has no place left. Nobody may use one meanwhile.
class FullTable {
 public:
  FullTable() {
    auto* taken = reinterpret_cast<Mainline*>(this);  // never looked at
    for (std::uint32_t i = 0; i < kioctx::kTableSizeMost; ++i) full_.contexts[i] = taken;
    before_ = kioctx::current_mm<kioctx::kStageMainline>.ioctx_table.exchange(&full_);
  }
  ~FullTable() { kioctx::current_mm<kioctx::kStageMainline>.ioctx_table = before_; }
  FullTable(const FullTable&) = delete;
  FullTable& operator=(const FullTable&) = delete;

 private:
  using Mainline = kioctx::Kioctx<kioctx::kStageMainline>;
  kioctx::IoctxTable<Mainline> full_{kioctx::kTableSizeMost};
  kioctx::IoctxTable<Mainline>* before_;
};

TEST(KioctxDriver, ARefusedContextIsSaidWithItsCure) {
  try {
    const FullTable full;
    open("kioctx@mainline", "latency=1us");
    FAIL();
  } catch (const SetupError& error) {
    EXPECT_EQ(std::string(error.what()),
              "kioctx: io_setup(64): Resource temporarily unavailable; use a smaller depth or "
              "fewer contexts");
  }
  read_and_reap(*open("kioctx@mainline", "latency=1us"), 8);
}

// A completion thread may be on its way out of a context whose requests have all been reaped.
TEST(KioctxDriver, AContextEndsWhileAnotherKeepsItsDevice) {
  constexpr std::string_view kSpec = "latency=0ns,cpus=2,coalesce=4";
  for (const char* driver : {"kioctx@v3.7", "kioctx@series", "kioctx@mainline"}) {
    SCOPED_TRACE(driver);
    const std::unique_ptr<Context> keeper = open(driver, kSpec);
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 40; ++round) read_and_reap(*open(driver, kSpec), 8);
      });
    }
    for (std::thread& thread : threads) thread.join();
    read_and_reap(*keeper, 8);
  }
}

}  // namespace
}  // namespace aioscope
