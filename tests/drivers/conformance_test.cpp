// The contract of drivers/driver.h, asked of every driver by one thread.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "tests/drivers/conformance_rig.h"

namespace aioscope {
namespace {

// Opens a context; ends the test where there is nothing to open it on.
#define OPEN_OR_SKIP(subject, ...)        \
  Subject subject(driver(), __VA_ARGS__); \
  if (!subject.unusable().empty()) GTEST_SKIP() << subject.unusable()

std::vector<Request> batch(Subject& subject, Opcode opcode, Tag first, std::size_t count) {
  std::vector<Request> requests;
  for (std::size_t i = 0; i < count; ++i) {
    requests.push_back(subject.request(first + i, opcode, first + i));
  }
  return requests;
}

TEST_P(Conformance, ReturnsEachTagOnceWithItsResult) {
  constexpr std::size_t kBatch = 16, kBatches = 80;
  for (const FileKind kind : targets()) {
    for (const Opcode opcode : {Opcode::kRead, Opcode::kWrite, Opcode::kNop}) {
      if (!can_do(opcode)) continue;
      SCOPED_TRACE(testing::Message() << "file kind " << int(kind) << " opcode " << int(opcode));
      OPEN_OR_SKIP(subject, {.kind = kind, .depth = 4 * kBatch});
      TagLedger ledger(kBatch * kBatches);
      // A batch behind, so that reaping finds requests of several submissions.
      for (std::size_t i = 0; i < kBatches; ++i) {
        subject.submit_all(batch(subject, opcode, i * kBatch, kBatch));
        if (i > 0) ledger.record(subject.collect(kBatch), subject.expected_result(opcode));
      }
      ledger.record(subject.collect(kBatch), subject.expected_result(opcode));
      ledger.expect_all_once();
    }
  }
}

TEST_P(Conformance, ReturnsTagsUnchanged) {
  OPEN_OR_SKIP(subject, {.kind = FileKind::kNull});
  const std::multiset<Tag> tags{0, 1, 0x8000'0000, 1ull << 63, kReservedTag - 1};
  std::vector<Request> requests;
  for (const Tag tag : tags) requests.push_back(subject.request(tag, Opcode::kWrite, 0));
  subject.submit_all(requests);
  std::multiset<Tag> returned;
  for (const Completion& completion : subject.collect(tags.size())) returned.insert(completion.tag);
  EXPECT_EQ(returned, tags);
}

TEST_P(Conformance, TakesBatchesOfAnySize) {
  constexpr std::size_t kDepth = 700;
  OPEN_OR_SKIP(subject, {.kind = FileKind::kNull, .depth = kDepth});
  TagLedger ledger(kDepth);
  subject.submit_all(batch(subject, Opcode::kWrite, 0, kDepth));
  ledger.record(subject.collect(kDepth), kBlock);
  ledger.expect_all_once();

  const SubmitResult nothing = subject.context().submit({});
  EXPECT_EQ(nothing.accepted, 0u);
  EXPECT_EQ(nothing.error, 0);
}

TEST_P(Conformance, ReadsZeros) {
  if (!can_open(FileKind::kZero) || !can().transfers_data) GTEST_SKIP() << "moves no data";
  OPEN_OR_SKIP(subject, {.kind = FileKind::kZero});
  const std::vector<Request> requests = batch(subject, Opcode::kRead, 0, 8);
  for (int round = 0; round < 200; ++round) {
    std::memset(subject.block(0), 0xee, (requests.size() + 1) * kBlock);
    subject.submit_all(requests);
    subject.collect(requests.size());
    for (const Request& request : requests) {
      ASSERT_TRUE(std::all_of(request.buffer, request.buffer + kBlock,
                              [](std::byte byte) { return byte == std::byte{0}; }));
    }
    ASSERT_EQ(*subject.block(requests.size()), std::byte{0xee}) << "wrote past its buffers";
  }
}

TEST_P(Conformance, ReadsBackWhatWasWritten) {
  if (!keeps_data()) GTEST_SKIP() << "keeps no data";
  OPEN_OR_SKIP(subject, {.kind = storage(), .depth = kStorageBlocks});
  const auto pattern = [](std::uint64_t block, std::size_t i) {
    return std::byte(block * 37 + i / 512 * 11 + i);
  };
  const auto expect_pattern = [&](const std::byte* data, std::uint64_t block) {
    for (std::size_t i = 0; i < kBlock; ++i) {
      ASSERT_EQ(data[i], pattern(block, i)) << "byte " << i << " of block " << block;
    }
  };
  for (std::uint64_t block = 0; block < kStorageBlocks; ++block) {
    for (std::size_t i = 0; i < kBlock; ++i) subject.block(block)[i] = pattern(block, i);
  }
  subject.submit_all(batch(subject, Opcode::kWrite, 0, kStorageBlocks));
  for (const Completion& completion : subject.collect(kStorageBlocks)) {
    ASSERT_EQ(completion.result, kBlock);
  }
  std::memset(subject.block(0), 0, kStorageBlocks * kBlock);
  subject.submit_all(batch(subject, Opcode::kRead, 0, kStorageBlocks));
  for (const Completion& completion : subject.collect(kStorageBlocks)) {
    ASSERT_EQ(completion.result, kBlock);
    expect_pattern(subject.block(completion.tag), completion.tag);
  }
  if (storage() != FileKind::kFile) return;
  // The bytes are in the file, not only in the driver.
  ASSERT_EQ(pread(subject.fd(), subject.block(0), kBlock, 7 * kBlock), kBlock);
  expect_pattern(subject.block(0), 7);
}

TEST_P(Conformance, TakesFewerWhenFullAndGoesOnAfterReaping) {
  constexpr std::uint32_t kDepth = 8;
  constexpr Tag kFarBeyondAnyDepth = 100'000;
  OPEN_OR_SKIP(subject, {.kind = FileKind::kNull, .depth = kDepth});
  Tag next = 0;
  for (bool full = false; !full;) {
    const std::vector<Request> requests = batch(subject, Opcode::kWrite, next, 5);
    const SubmitResult result = subject.context().submit(requests);
    ASSERT_EQ(result.error, 0) << "back-pressure is not an error";
    full = result.accepted < requests.size();
    next += result.accepted;
    ASSERT_LT(next, kFarBeyondAnyDepth) << "never full";
  }
  EXPECT_GE(next, kDepth) << "full before the depth asked for";

  TagLedger first(next);
  first.record(subject.collect(next), kBlock);
  first.expect_all_once();
  TagLedger second(kDepth, next);
  subject.submit_all(batch(subject, Opcode::kWrite, next, kDepth));
  second.record(subject.collect(kDepth), kBlock);
  second.expect_all_once();
}

TEST_P(Conformance, ReapsAtLeastMinAndAtMostWhatFits) {
  for (const FileKind kind : targets()) {
    OPEN_OR_SKIP(subject, {.kind = kind});
    subject.submit_all(batch(subject, Opcode::kWrite, 0, 10));
    std::vector<Completion> out(16);
    const ReapResult exact = subject.context().reap(std::span(out).first(3), 3, in_ms(10'000));
    EXPECT_EQ(exact.count, 3u);
    const ReapResult some = subject.context().reap(std::span(out).first(6), 2, Deadline::never());
    EXPECT_GE(some.count, 2u);
    EXPECT_LE(some.count, 6u);
    subject.collect(10 - exact.count - some.count);
  }
}

TEST_P(Conformance, ReturnsWhatThereIsWhenTheDeadlinePasses) {
  OPEN_OR_SKIP(subject, {.kind = FileKind::kNull});
  subject.submit_all(batch(subject, Opcode::kWrite, 0, 3));
  std::vector<Completion> out(8);
  const std::int64_t begin = now_ns();
  const ReapResult result = subject.context().reap(out, 5, in_ms(40));
  const std::int64_t took_ms = (now_ns() - begin) / 1'000'000;
  EXPECT_EQ(result.count, 3u);
  EXPECT_EQ(result.error, 0);
  EXPECT_GE(took_ms, 39);
  EXPECT_LT(took_ms, 5000);
}

TEST_P(Conformance, DoesNotBlockWithoutTime) {
  OPEN_OR_SKIP(subject, {.kind = FileKind::kNull});
  std::vector<Completion> out(8);
  const std::int64_t begin = now_ns();
  // A poll; a deadline in the past; and no minimum, so that nothing is waited for.
  EXPECT_EQ(subject.context().reap(out, 1, Deadline::poll()).count, 0u);
  EXPECT_EQ(subject.context().reap(out, 1, Deadline::at(1)).count, 0u);
  EXPECT_EQ(subject.context().reap(out, 0, Deadline::never()).count, 0u);
  EXPECT_EQ(subject.context().reap({}, 0, Deadline::never()).count, 0u);
  EXPECT_LT(now_ns() - begin, 5'000'000'000);
}

TEST_P(Conformance, PollingAloneBringsEverything) {
  for (const FileKind kind : targets()) {
    OPEN_OR_SKIP(subject, {.kind = kind});
    subject.submit_all(batch(subject, Opcode::kRead, 0, 32));
    std::vector<Completion> out(32);
    TagLedger ledger(32);
    std::size_t got = 0;
    for (const std::int64_t end = now_ns() + 10'000'000'000; got < 32 && now_ns() < end;) {
      // With and without a minimum: a poll waits for neither.
      const ReapResult result = subject.context().reap(out, got % 2, Deadline::poll());
      ASSERT_EQ(result.error, 0);
      ledger.record(std::span(out).first(result.count), subject.expected_result(Opcode::kRead));
      got += result.count;
    }
    ledger.expect_all_once();
  }
}

TEST_P(Conformance, ReportsABadFileOnce) {
  if (!can().transfers_data || !can_open(FileKind::kFile)) GTEST_SKIP() << "opens no files";
  const int bad_fd = -1;
  Subject subject(driver(), {.kind = FileKind::kNull}, &bad_fd);
  std::vector<Request> requests = batch(subject, Opcode::kWrite, 0, 5);
  requests[2].file = 1;
  // The bad one is refused, or comes back with the error; those around it are served in any case.
  std::size_t in_flight = 0;
  bool refused = false;
  for (std::size_t next = 0; next < requests.size();) {
    const SubmitResult result = subject.context().submit(std::span(requests).subspan(next));
    in_flight += result.accepted;
    next += result.accepted;
    if (result.error == 0) continue;
    ASSERT_EQ(result.error, EBADF);
    ASSERT_EQ(next, 2u) << "the request that is refused is the bad one";
    refused = true;
    ++next;
  }
  std::vector<Completion> completions = subject.collect(in_flight);
  const auto bad = std::ranges::find(completions, Tag{2}, &Completion::tag);
  EXPECT_EQ(bad == completions.end(), refused) << "refused or completed: one of the two";
  EXPECT_EQ(completions.size(), refused ? 4u : 5u);
  for (const Completion& completion : completions) {
    EXPECT_EQ(completion.result, completion.tag == 2 ? -EBADF : kBlock) << completion.tag;
  }
}

TEST_P(Conformance, ReportsABadBufferOnce) {
  if (!keeps_data()) GTEST_SKIP() << "touches no buffers";
  OPEN_OR_SKIP(subject, {.kind = storage()});
  // In-process storage cannot survive any other bad address than null.
  void* page = mmap(nullptr, kBlock, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Request bad = subject.request(1, Opcode::kRead, 0);
  bad.buffer = storage() == FileKind::kFile ? static_cast<std::byte*>(page) : nullptr;
  const SubmitResult result = subject.context().submit({&bad, 1});
  if (result.accepted == 0) {
    EXPECT_EQ(result.error, EFAULT);
    std::vector<Completion> out(1);
    EXPECT_EQ(subject.context().reap(out, 1, in_ms(30)).count, 0u) << "refused, and yet completed";
  } else {
    EXPECT_EQ(result.error, 0);
    const std::vector<Completion> completions = subject.collect(1);
    ASSERT_EQ(completions.size(), 1u);
    EXPECT_EQ(completions[0].result, -EFAULT);
  }
  munmap(page, kBlock);
}

TEST_P(Conformance, CanBeReopenedManyTimes) {
  for (int i = 0; i < 40; ++i) {
    OPEN_OR_SKIP(subject, {.kind = FileKind::kNull, .depth = 4, .shared = i % 2 == 1});
    if (i % 4 < 2) continue;  // closed again without having been used
    subject.submit_all(batch(subject, Opcode::kWrite, 0, 4));
    TagLedger ledger(4);
    ledger.record(subject.collect(4), kBlock);
    ledger.expect_all_once();
  }
}

TEST_P(Conformance, ContextsDoNotMixUpTheirCompletions) {
  OPEN_OR_SKIP(one, {.kind = FileKind::kNull});
  OPEN_OR_SKIP(two, {.kind = FileKind::kNull});
  one.submit_all(batch(one, Opcode::kWrite, 0, 10));
  two.submit_all(batch(two, Opcode::kWrite, 100, 10));
  TagLedger of_two(10, 100), of_one(10, 0);
  of_two.record(two.collect(10), kBlock);
  of_one.record(one.collect(10), kBlock);
  of_one.expect_all_once();
  of_two.expect_all_once();
}

TEST_P(Conformance, CancelsAsDeclared) {
  OPEN_OR_SKIP(subject, {.kind = FileKind::kNull});
  EXPECT_EQ(subject.context().cancel(12345),
            can().cancel ? CancelResult::kNotFound : CancelResult::kUnsupported);
  if (!can().cancel) return;
  OPEN_OR_SKIP(stored, {.kind = storage()});
  // Whether or not it comes in time: each request is answered once, here or by reap().
  std::size_t answered_by_cancel = 0;
  constexpr std::size_t kRequests = 32;
  const std::vector<Request> requests = batch(stored, Opcode::kRead, 0, kRequests);
  stored.submit_all(requests);
  for (const Request& request : requests) {
    const CancelResult result = stored.context().cancel(request.tag);
    EXPECT_NE(result, CancelResult::kUnsupported);
    if (result == CancelResult::kCancelled) ++answered_by_cancel;
  }
  std::set<Tag> tags;
  for (const Completion& completion : stored.collect(kRequests - answered_by_cancel)) {
    EXPECT_TRUE(completion.result == kBlock || completion.result == -ECANCELED)
        << completion.result;
    EXPECT_TRUE(tags.insert(completion.tag).second) << "doubled: " << completion.tag;
  }
  std::vector<Completion> none(1);
  EXPECT_EQ(stored.context().reap(none, 1, in_ms(30)).count, 0u);
}

TEST_P(Conformance, SaysHowItWasSetUp) {
  OPEN_OR_SKIP(subject, {.kind = FileKind::kNull});
  EXPECT_FALSE(subject.context().setup().empty());
  EXPECT_EQ(subject.context().setup().find('\n'), std::string::npos);
}

TEST_P(Conformance, RefusesToBeSetUpWithoutDepth) {
  EXPECT_THROW(driver().open({.depth = 0}), SetupError);
}

INSTANTIATE_TEST_SUITE_P(Drivers, Conformance, testing::ValuesIn(drivers_under_test()),
                         test_name_of);

}  // namespace
}  // namespace aioscope
