// What the conformance tests stand on: the drivers under test, an open context with memory to read
// into and write from, and a file with known contents.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "drivers/driver.h"

namespace aioscope {

inline constexpr std::int64_t kBlock = 4096;          // bytes of every request
inline constexpr std::uint64_t kStorageBlocks = 256;  // of the file, or of the simulated device

// Every row of the registry, the example driver, and the driver $AIOSCOPE_TEST_DRIVER.
std::vector<const Driver*> drivers_under_test();
std::string test_name_of(const testing::TestParamInfo<const Driver*>& info);
// GoogleTest looks for this name, to say in its messages which driver it was.
void PrintTo(const Driver* driver, std::ostream* out);  // NOLINT(readability-identifier-naming)

Deadline in_ms(std::int64_t milliseconds);
std::int64_t now_ns();

// How a context is opened for a test.
struct SubjectOptions {
  FileKind kind = FileKind::kZero;
  std::uint32_t depth = 64;
  std::uint32_t submitters = 1;
  std::uint32_t reapers = 1;
  bool shared = false;
};

// A file without a name, `kStorageBlocks` long, opened with O_DIRECT. The descriptor is -1, with a
// reason, where the file system of the working directory does not have O_DIRECT.
class DirectFile {
 public:
  DirectFile();
  DirectFile(const DirectFile&) = delete;
  DirectFile& operator=(const DirectFile&) = delete;
  ~DirectFile();
  int fd() const { return fd_; }
  const std::string& reason() const { return reason_; }

 private:
  int fd_ = -1;
  std::string reason_;
};

// One open context. Memory is `blocks` blocks in one registered region, so that requests that are
// in flight together need not share a block.
class Subject {
 public:
  // A second file, of descriptor `bad_fd`, is opened as file 1 where bad_fd is given.
  Subject(const Driver& driver, const SubjectOptions& options, const int* bad_fd = nullptr);
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  ~Subject();

  Context& context() { return *context_; }
  // Empty, or why there is nothing to test on here.
  const std::string& unusable() const { return unusable_; }
  int fd() const { return fd_; }

  std::byte* block(std::uint64_t slot) { return memory_.get() + slot % blocks_ * kBlock; }
  // On the block of memory `slot` and the same block of storage.
  Request request(Tag tag, Opcode opcode, std::uint64_t slot);
  std::int64_t expected_result(Opcode opcode) const;

  // Submits all of `requests`, which must fit, and expects no refusal.
  void submit_all(std::span<const Request> requests);
  // Reaps `count` completions, and expects them within ten seconds.
  std::vector<Completion> collect(std::size_t count);

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };

  const SubjectOptions options_;
  const std::uint64_t blocks_;
  std::unique_ptr<std::byte, Free> memory_;
  std::unique_ptr<DirectFile> direct_file_;
  int fd_ = -1;
  std::string unusable_;
  std::unique_ptr<Context> context_;
};

// Skips rows that cannot run here, and those whose memory is written by the kernel under
// ThreadSanitizer, which cannot see that.
class Conformance : public testing::TestWithParam<const Driver*> {
 protected:
  void SetUp() override;

  static const Driver& driver() { return *GetParam(); }
  static const Capabilities& can() { return driver().capabilities; }
  static bool can_open(FileKind kind) { return (can().files & file_kind_bit(kind)) != 0; }
  static bool can_do(Opcode opcode) { return (can().opcodes & opcode_bit(opcode)) != 0; }
  // Real files, or the simulated device of a driver that has no real files.
  static FileKind storage() {
    return can_open(FileKind::kFile) ? FileKind::kFile : FileKind::kDevice;
  }
  static bool keeps_data() { return can().transfers_data && can_open(storage()); }
  // The kinds of files that the row serves.
  static std::vector<FileKind> targets();
};

// Sees that each of `count` tags, counted from `first`, comes back once.
class TagLedger {
 public:
  explicit TagLedger(std::size_t count, Tag first = 0) : first_(first), seen_(count, 0) {}
  void record(std::span<const Completion> completions, std::int64_t expected);
  void expect_all_once() const;

 private:
  const Tag first_;
  std::vector<int> seen_;
};

}  // namespace aioscope
