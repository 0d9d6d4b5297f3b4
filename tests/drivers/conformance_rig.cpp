#include "tests/drivers/conformance_rig.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ostream>

#include "drivers/registry.h"

namespace aioscope {
namespace {

constexpr std::int64_t kCollectMs = 10'000;

#ifdef __SANITIZE_THREAD__
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

Registry& registry() {
  static Registry registry = [] {
    Registry all;
    try {
      all.load(AIOSCOPE_EXAMPLE_DRIVER);
      if (const char* path = std::getenv("AIOSCOPE_TEST_DRIVER")) all.load(path);
    } catch (const SetupError& error) {
      // Called before main(), to name the tests: nobody else would say it.
      std::fprintf(stderr, "%s\n", error.what());
      std::exit(2);
    }
    return all;
  }();
  return registry;
}

// Whether the kernel writes completions or data behind the back of ThreadSanitizer.
bool completed_by_kernel(std::string_view name) {
  return name.starts_with("libaio") || name.starts_with("io_uring");
}

}  // namespace

std::vector<const Driver*> drivers_under_test() { return registry().all(); }

std::string test_name_of(const testing::TestParamInfo<const Driver*>& info) {
  std::string name(info.param->name);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

void PrintTo(const Driver* driver, std::ostream* out) { *out << driver->name; }

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

Deadline in_ms(std::int64_t milliseconds) {
  return Deadline::at(now_ns() + milliseconds * 1'000'000);
}

DirectFile::DirectFile() {
  std::string path = "./conformance-XXXXXX";
  fd_ = mkostemp(path.data(), O_DIRECT | O_CLOEXEC);
  if (fd_ < 0) {
    reason_ = std::string("no O_DIRECT in the working directory: ") + std::strerror(errno);
    return;
  }
  unlink(path.c_str());
  if (posix_fallocate(fd_, 0, kStorageBlocks * kBlock) != 0) reason_ = "no space for a test file";
  // Written once: reading an extent that was only allocated would not reach the device.
  std::unique_ptr<void, decltype(&std::free)> zeros(std::aligned_alloc(kBlock, kBlock), std::free);
  std::memset(zeros.get(), 0, kBlock);
  for (std::uint64_t i = 0; i < kStorageBlocks && reason_.empty(); ++i) {
    if (pwrite(fd_, zeros.get(), kBlock, static_cast<off_t>(i * kBlock)) != kBlock) {
      reason_ = std::string("cannot write a test file: ") + std::strerror(errno);
    }
  }
}

DirectFile::~DirectFile() {
  if (fd_ >= 0) close(fd_);
}

void Subject::Free::operator()(std::byte* memory) const { std::free(memory); }

Subject::Subject(const Driver& driver, const SubjectOptions& options, const int* bad_fd)
    : options_(options),
      blocks_(std::max<std::uint64_t>(options.depth, kStorageBlocks)),
      memory_(static_cast<std::byte*>(std::aligned_alloc(kBlock, blocks_ * kBlock))) {
  std::memset(memory_.get(), 0xee, blocks_ * kBlock);
  if (options.kind == FileKind::kFile) {
    direct_file_ = std::make_unique<DirectFile>();
    unusable_ = direct_file_->reason();
    if (!unusable_.empty()) return;
    fd_ = direct_file_->fd();
  } else if (options.kind != FileKind::kDevice) {
    fd_ = open(options.kind == FileKind::kNull ? "/dev/null" : "/dev/zero", O_RDWR | O_CLOEXEC);
  }
  std::vector<File> files{{.kind = options.kind, .fd = fd_}};
  if (options.kind == FileKind::kDevice) files[0].spec = "latency=5us,cpus=2,coalesce=4";
  if (bad_fd != nullptr) files.push_back({.kind = FileKind::kFile, .fd = *bad_fd});
  const std::span<std::byte> region(memory_.get(), blocks_ * kBlock);
  context_ = driver.open({.depth = options.depth,
                          .submitters = options.submitters,
                          .reapers = options.reapers,
                          .single_thread = !options.shared,
                          .files = files,
                          .buffers = {&region, 1}});
}

Subject::~Subject() {
  context_.reset();
  if (!direct_file_ && fd_ >= 0) close(fd_);
}

Request Subject::request(Tag tag, Opcode opcode, std::uint64_t slot) {
  if (opcode == Opcode::kNop) return {.tag = tag, .opcode = opcode};
  return {.tag = tag,
          .buffer = block(slot),
          .offset = slot % kStorageBlocks * kBlock,
          .length = static_cast<std::uint32_t>(kBlock),
          .opcode = opcode};
}

std::int64_t Subject::expected_result(Opcode opcode) const {
  if (opcode == Opcode::kNop) return 0;
  return opcode == Opcode::kRead && options_.kind == FileKind::kNull ? 0 : kBlock;
}

void Subject::submit_all(std::span<const Request> requests) {
  const SubmitResult result = context_->submit(requests);
  ASSERT_EQ(result.error, 0) << std::strerror(result.error);
  ASSERT_EQ(result.accepted, requests.size());
}

std::vector<Completion> Subject::collect(std::size_t count) {
  std::vector<Completion> completions(count);
  const Deadline deadline = in_ms(kCollectMs);
  std::size_t got = 0;
  while (got < count && now_ns() < deadline.monotonic_ns()) {
    const ReapResult result =
        context_->reap(std::span(completions).subspan(got), count - got, deadline);
    EXPECT_EQ(result.error, 0) << std::strerror(result.error);
    EXPECT_LE(result.count, count - got);
    if (result.error != 0) break;
    got += result.count;
  }
  EXPECT_EQ(got, count) << "completions within " << kCollectMs << " ms";
  completions.resize(got);
  return completions;
}

void Conformance::SetUp() {
  if (kThreadSanitizer && completed_by_kernel(driver().name)) {
    GTEST_SKIP() << "ThreadSanitizer does not see what the kernel writes";
  }
  const Availability availability = driver().probe();
  if (!availability.usable) GTEST_SKIP() << availability.reason << "; " << availability.cure;
}

std::vector<FileKind> Conformance::targets() {
  std::vector<FileKind> kinds;
  for (const FileKind kind :
       {FileKind::kNull, FileKind::kZero, FileKind::kFile, FileKind::kDevice}) {
    if (can_open(kind)) kinds.push_back(kind);
  }
  return kinds;
}

void TagLedger::record(std::span<const Completion> completions, std::int64_t expected) {
  for (const Completion& completion : completions) {
    ASSERT_GE(completion.tag, first_);
    ASSERT_LT(completion.tag - first_, seen_.size());
    ++seen_[completion.tag - first_];
    EXPECT_EQ(completion.result, expected) << "tag " << completion.tag;
  }
}

void TagLedger::expect_all_once() const {
  EXPECT_TRUE(std::ranges::all_of(seen_, [](int times) { return times == 1; }))
      << std::ranges::count(seen_, 0) << " tags lost, "
      << std::ranges::count_if(seen_, [](int times) { return times > 1; }) << " doubled";
}

}  // namespace aioscope
