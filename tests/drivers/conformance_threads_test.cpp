// The contract of drivers/driver.h, asked of every driver by several threads.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>

#include "tests/drivers/conformance_rig.h"

namespace aioscope {
namespace {

class ConformanceThreads : public Conformance {
 protected:
  static std::uint32_t submitters() { return std::min(4u, can().max_submitters); }
  static std::uint32_t reapers() { return std::min(3u, can().max_reapers); }
};

// The blocks of memory that one submitter may use, and the tags it made of them. Reapers give
// blocks back, so that no two requests in flight share one.
class Slots {
 public:
  Slots(std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) free_.push_back(first + i);
  }
  // Up to `most`; none when all are in flight.
  std::vector<std::uint32_t> take(std::size_t most) {
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(most, free_.size());
    std::vector<std::uint32_t> taken(free_.end() - static_cast<std::ptrdiff_t>(count), free_.end());
    free_.resize(free_.size() - count);
    return taken;
  }
  void give(std::uint32_t slot) {
    const std::lock_guard lock(mutex_);
    free_.push_back(slot);
  }

 private:
  std::mutex mutex_;
  std::vector<std::uint32_t> free_;
};

// Submitters and reapers on one context, until every request is back.
class SharedLoad {
 public:
  SharedLoad(Subject& subject, const SubjectOptions& options, Opcode opcode,
             std::uint32_t requests_each)
      : subject_(subject),
        options_(options),
        opcode_(opcode),
        requests_each_(requests_each),
        times_seen_(std::size_t{options.submitters} * requests_each) {
    const std::uint32_t share = options.depth / options.submitters;
    for (std::uint32_t i = 0; i < options.submitters; ++i) {
      slots_.push_back(std::make_unique<Slots>(i * share, share));
    }
  }

  void run() {
    std::vector<std::jthread> threads;
    for (std::uint32_t i = 0; i < options_.submitters; ++i) {
      threads.emplace_back([this, i] { submit(i); });
    }
    for (std::uint32_t i = 0; i < options_.reapers; ++i) {
      threads.emplace_back([this, i] { reap(i); });
    }
    threads.clear();  // joins
    EXPECT_EQ(reaped_, times_seen_.size());
    EXPECT_TRUE(std::ranges::all_of(times_seen_, [](const auto& times) { return times == 1; }));
  }

 private:
  // A tag says which block it uses and which request it is.
  static Tag tag_of(std::size_t request, std::uint32_t slot) {
    return Tag{slot} << 32 | static_cast<Tag>(request);
  }

  void submit(std::uint32_t submitter) {
    std::size_t next = std::size_t{submitter} * requests_each_;
    const std::size_t end = next + requests_each_;
    std::vector<Request> requests;
    while ((next < end || !requests.empty()) && !failed_) {
      for (const std::uint32_t slot :
           slots_[submitter]->take(std::min<std::size_t>(8, end - next))) {
        requests.push_back(subject_.request(tag_of(next++, slot), opcode_, slot));
      }
      const SubmitResult result = subject_.context().submit(requests);
      if (result.error != 0) fail("submit", result.error);
      requests.erase(requests.begin(), requests.begin() + result.accepted);
      if (result.accepted == 0) std::this_thread::yield();
    }
  }

  // One reaper polls where there are several, the others block.
  void reap(std::uint32_t reaper) {
    std::vector<Completion> out(16);
    const std::int64_t give_up = now_ns() + 60'000'000'000;
    while (reaped_ < times_seen_.size() && !failed_) {
      const ReapResult result =
          subject_.context().reap(out, 1, reaper == 1 ? Deadline::poll() : in_ms(20));
      if (result.error != 0) fail("reap", result.error);
      if (now_ns() > give_up) fail("reap", ETIMEDOUT);
      for (const Completion& completion : std::span(out).first(result.count)) take(completion);
      reaped_ += result.count;
      if (reaper == 1 && result.count == 0) std::this_thread::yield();
    }
  }

  void take(const Completion& completion) {
    const auto request = static_cast<std::uint32_t>(completion.tag);
    const auto slot = static_cast<std::uint32_t>(completion.tag >> 32);
    ASSERT_LT(request, times_seen_.size());
    ++times_seen_[request];
    EXPECT_EQ(completion.result, subject_.expected_result(opcode_));
    slots_[request / requests_each_]->give(slot);
  }

  void fail(const char* what, int error) {
    failed_ = true;
    ADD_FAILURE() << what << ": " << std::strerror(error) << " after " << reaped_ << " requests";
  }

  Subject& subject_;
  const SubjectOptions options_;
  const Opcode opcode_;
  const std::uint32_t requests_each_;
  std::vector<std::unique_ptr<Slots>> slots_;
  std::vector<std::atomic<int>> times_seen_;
  std::atomic<std::size_t> reaped_{0};
  std::atomic<bool> failed_{false};
};

TEST_P(ConformanceThreads, ManySubmittersAndReapersShareAContext) {
  for (const FileKind kind : targets()) {
    SCOPED_TRACE(testing::Message() << "file kind " << int(kind));
    const SubjectOptions options{.kind = kind,
                                 .depth = 64,
                                 .submitters = submitters(),
                                 .reapers = reapers(),
                                 .shared = true};
    Subject subject(driver(), options);
    if (!subject.unusable().empty()) GTEST_SKIP() << subject.unusable();
    SharedLoad(subject, options, Opcode::kRead, kind == FileKind::kFile ? 300 : 3000).run();
  }
}

TEST_P(ConformanceThreads, OneSubmitterAndOneReaperShareAContext) {
  const SubjectOptions options{.kind = FileKind::kZero, .depth = 32, .shared = true};
  Subject subject(driver(), options);
  SharedLoad(subject, options, Opcode::kWrite, 5000).run();
}

TEST_P(ConformanceThreads, EveryThreadHasAContextOfItsOwn) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      Subject subject(driver(), {.kind = FileKind::kZero, .depth = 16});
      TagLedger ledger(16 * 100);
      for (Tag first = 0; first < 16 * 100; first += 16) {
        std::vector<Request> requests;
        for (Tag j = 0; j < 16; ++j) {
          requests.push_back(subject.request(first + j, Opcode::kRead, j));
        }
        subject.submit_all(requests);
        ledger.record(subject.collect(16), kBlock);
      }
      ledger.expect_all_once();
    });
  }
}

TEST_P(ConformanceThreads, ABlockedReaperWakesForWhatIsSubmitted) {
  Subject subject(driver(), {.kind = FileKind::kNull, .shared = true});
  std::atomic<std::uint32_t> reaped{0};
  std::jthread reaper([&] {
    std::vector<Completion> out(16);
    // Each of these must wait for a submission that comes later, and must not stop it. A late one
    // may get three, so that one is left in the end.
    while (reaped < 10) {
      const std::size_t min = std::min<std::size_t>(2, 10 - reaped);
      const ReapResult result = subject.context().reap(out, min, Deadline::never());
      EXPECT_EQ(result.error, 0);
      reaped += result.count;
    }
  });
  for (Tag tag = 0; tag < 10; ++tag) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const Request request = subject.request(tag, Opcode::kWrite, tag);
    subject.submit_all({&request, 1});
  }
  reaper.join();
  EXPECT_EQ(reaped, 10u);
}

TEST_P(ConformanceThreads, ABlockedReaperDoesNotHoldUpAnother) {
  if (can().max_reapers < 2) GTEST_SKIP() << "has one reaper";
  Subject subject(driver(), {.kind = FileKind::kNull, .reapers = 2, .shared = true});
  std::atomic<std::uint32_t> blocked_got{0};
  std::jthread blocked([&] {
    std::vector<Completion> out(1);
    blocked_got = subject.context().reap(out, 1, in_ms(20'000)).count;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::vector<Completion> out(4);
  const std::int64_t begin = now_ns();
  EXPECT_EQ(subject.context().reap(out, 1, Deadline::poll()).count, 0u);
  EXPECT_EQ(subject.context().reap(out, 1, in_ms(30)).count, 0u);
  EXPECT_LT(now_ns() - begin, 5'000'000'000);
  const Request request = subject.request(1, Opcode::kWrite, 0);
  subject.submit_all({&request, 1});
  blocked.join();
  EXPECT_EQ(blocked_got, 1u);
}

TEST_P(ConformanceThreads, AnInterruptedReaperSaysSoWithoutAnError) {
  // No SA_RESTART, so that a system call that blocks ends with EINTR.
  struct sigaction action {};
  action.sa_handler = [](int) {};
  struct sigaction before {};
  sigaction(SIGUSR1, &action, &before);
  Subject subject(driver(), {.kind = FileKind::kNull, .shared = true});
  std::atomic<std::uint32_t> reaped{0};
  std::atomic<bool> returned{false};
  std::jthread reaper([&] {
    std::vector<Completion> out(4);
    // Whether a signal ends the wait is the driver's affair; that it is no error is not.
    while (reaped < 1) {
      const ReapResult result = subject.context().reap(out, 1, Deadline::never());
      EXPECT_EQ(result.error, 0);
      reaped += result.count;
    }
    returned = true;
  });
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    pthread_kill(reaper.native_handle(), SIGUSR1);
  }
  EXPECT_FALSE(returned);
  const Request request = subject.request(1, Opcode::kWrite, 0);
  subject.submit_all({&request, 1});
  reaper.join();
  EXPECT_EQ(reaped, 1u);
  sigaction(SIGUSR1, &before, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Drivers, ConformanceThreads, testing::ValuesIn(drivers_under_test()),
                         test_name_of);

}  // namespace
}  // namespace aioscope
