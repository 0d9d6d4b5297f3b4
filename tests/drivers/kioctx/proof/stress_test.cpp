// Submitters, reapers, cancellers, completion threads and a destroyer on one context, under a
// random schedule: each request ends once, and nothing is kept.
//
// The short form is part of the tests. The long form: kioctx_proof_test --ops 2000000 --seed 7
// --gtest_filter='*Stress*'
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/rcu.h"
#include "tests/drivers/kioctx/pending_file.h"
#include "tests/drivers/kioctx/proof/proof_options.h"
#include "tests/drivers/kioctx/proof/scheduling.h"
#include "tests/drivers/kioctx/proof/slots.h"
#include "tests/drivers/kioctx/stages.h"

namespace aioscope::kioctx {
namespace {

constexpr unsigned kSubmitters = 2;
constexpr unsigned kReapers = 2;
constexpr unsigned kCompleters = 2;
constexpr std::uint32_t kNrEvents = 32;
constexpr std::int64_t kLostNs = 20'000'000'000;

class KioctxStress : public StageTest {
 protected:
  // What became of the request with that tag.
  struct Fate {
    std::atomic<std::uint8_t> accepted{0};
    std::atomic<std::uint8_t> ends{0};  // events, and answers of io_cancel() that replace one
  };

  // The threads of one context. Tags count on from 0; a tag belongs to one submitter.
  void start(std::uint32_t file, PendingFile* device, std::uint64_t ops) {
    fates_ = std::vector<Fate>(ops);
    next_tag_ = 0;
    ended_ = 0;
    accepted_ = 0;
    stop_ = false;
    device_stops_ = false;
    submitting_ = kSubmitters;
    for (unsigned i = 0; i < kSubmitters; ++i) {
      run(users_, [this, file, i] { submit_all(file, i); });
    }
    for (unsigned i = 0; i < kReapers; ++i) run(users_, [this, i] { reap_until_stopped(i); });
    if (device == nullptr) return;
    run(users_, [this] { cancel_until_stopped(); });
    for (unsigned i = 0; i < kCompleters; ++i) {
      run(completers_, [this, device, i] { complete_until_stopped(*device, i); });
    }
  }

  void run(std::vector<std::thread>& threads, std::function<void()> work) {
    threads.emplace_back([number = ++threads_started_, work = std::move(work)] {
      number_this_thread(number);
      work();
    });
  }

  static void join(std::vector<std::thread>& threads) {
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  // The device last: a user may be the last of the context, and wait for its requests.
  void stop() {
    stop_ = true;
    join(users_);
    device_stops_ = true;
    join(completers_);
  }

  // Until every request was accepted, or the context is gone.
  void submit_all(std::uint32_t file, unsigned submitter) {
    std::uint64_t tag = submitter;
    std::uint32_t batch = 1;
    bool gone = false;
    while (tag < fates_.size() && !gone && !stop_) {
      std::vector<Iocb> iocbs;
      for (std::uint64_t t = tag; t < fates_.size() && iocbs.size() < batch; t += kSubmitters) {
        iocbs.push_back({.data = t, .nbytes = 512, .fildes = file, .opcode = IocbCommand::kPwrite});
      }
      const IoSubmitResult result = calls().io_submit(id_, files_, iocbs);
      for (std::uint32_t i = 0; i < result.submitted; ++i) fates_[iocbs[i].data].accepted += 1;
      accepted_ += result.submitted;
      tag += std::uint64_t{result.submitted} * kSubmitters;
      next_tag_.store(tag, std::memory_order_relaxed);
      gone = result.error == EINVAL;
      if (result.error == EAGAIN) std::this_thread::yield();
      batch = batch % 9 + 1;
    }
    submitting_ -= 1;
  }

  void end_of(const IoEvent& event) {
    if (event.data >= fates_.size()) {
      strangers_ += 1;
      return;
    }
    if (event.res != 512 && event.res != -ECANCELED) strangers_ += 1;
    fates_[event.data].ends += 1;
    ended_ += 1;
  }

  void reap_until_stopped(unsigned reaper) {
    std::vector<IoEvent> events(12);
    std::uint32_t min_nr = reaper;
    while (!stop_) {
      const std::int64_t got = calls().io_getevents(id_, min_nr, events, in_ms(2));
      if (got == -EINVAL) return;
      for (std::int64_t i = 0; i < got; ++i) end_of(events[std::size_t(i)]);
      min_nr = (min_nr + 1) % 4;
    }
  }

  // Requests that were submitted a moment ago, or are being.
  void cancel_until_stopped() {
    std::uint64_t back = 0;
    while (!stop_) {
      const std::uint64_t newest = next_tag_.load(std::memory_order_relaxed);
      IoEvent event;
      back = (back + 5) % 64;
      if (newest >= back && calls().io_cancel(id_, newest - back, &event) == 0) {
        cancelled_ += 1;
        end_of(event);
      }
      std::this_thread::yield();
    }
  }

  void complete_until_stopped(PendingFile& device, unsigned completer) {
    std::size_t batch = completer + 1;
    while (!device_stops_) {
      if (device.count() == 0) std::this_thread::yield();
      if (batch % 3 == 0) {
        device.complete_batch(batch);
      } else {
        device.complete_one();
      }
      batch = batch % 6 + 1;
    }
  }

  // All requests, to the end.
  void each_ends_once(PendingFile* device, std::uint32_t file) {
    const RandomScheduling random(proof_options.seed);
    setup(kNrEvents);
    start(file, device, proof_options.ops);
    std::uint64_t before = 0;
    std::int64_t since_ns = monotonic_ns();
    while (submitting_ > 0 || ended_ < accepted_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (ended_ != before) since_ns = monotonic_ns();
      before = ended_;
      if (monotonic_ns() - since_ns > kLostNs) break;  // below, the fates say what was lost
    }
    stop();
    EXPECT_EQ(strangers_, 0u) << "events that are nobody's";
    for (std::size_t tag = 0; tag < fates_.size(); ++tag) {
      ASSERT_EQ(fates_[tag].accepted, 1) << tag;
      ASSERT_EQ(fates_[tag].ends, 1) << tag;
    }
    EXPECT_TRUE(reap(1).empty());
    EXPECT_EQ(free_slots(GetParam(), id_), calls().io_describe(id_).slots);
    EXPECT_EQ(files_.references(), 0);
  }

  // io_destroy() in the midst of it, from two threads.
  void ends_in_use(PendingFile* device, std::uint32_t file) {
    constexpr std::uint64_t kRounds = 4;
    const RandomScheduling random(proof_options.seed + 1);
    for (std::uint64_t round = 0; round < kRounds; ++round) {
      rcu_barrier();
      const PassCount freed("end: freed");
      setup(kNrEvents);
      start(file, device, std::max<std::uint64_t>(proof_options.ops / kRounds, 1));
      std::atomic<int> destroyed{0};
      std::vector<std::thread> destroyers;
      for (int i = 0; i < 2; ++i) {
        run(destroyers, [&] {
          while (ended_ < fates_.size() / 4 && submitting_ > 0) std::this_thread::yield();
          random_step();
          destroyed += calls().io_destroy(id_) == 0 ? 1 : 0;
        });
      }
      join(destroyers);
      stop();
      EXPECT_GE(destroyed, 1);
      id_ = 0;
      rcu_barrier();
      EXPECT_EQ(freed.passes(), 1u) << "contexts freed";
      EXPECT_EQ(files_.references(), 0) << "requests that were not freed";
      if (device != nullptr) {
        EXPECT_EQ(device->count(), 0u);
      }
      EXPECT_EQ(strangers_, 0u);
      for (std::size_t tag = 0; tag < fates_.size(); ++tag) {
        ASSERT_LE(fates_[tag].ends, fates_[tag].accepted) << tag;
      }
    }
  }

  std::vector<Fate> fates_;
  std::vector<std::thread> users_;
  std::vector<std::thread> completers_;
  std::uint64_t threads_started_ = 0;
  std::atomic<std::uint64_t> next_tag_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::atomic<std::uint64_t> cancelled_{0};
  std::atomic<std::uint64_t> strangers_{0};
  std::atomic<unsigned> submitting_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> device_stops_{false};
};
EVERY_STAGE(KioctxStress);

TEST_P(KioctxStress, EachRequestOnNullEndsOnce) {
  each_ends_once(nullptr, files_.install(kNullFile, nullptr));
}

TEST_P(KioctxStress, EachRequestCompletedElsewhereEndsOnce) {
  PendingFile device;
  each_ends_once(&device, device.install(files_));
  EXPECT_EQ(cancelled_, 0u) << "what cannot be cancelled was";
}

TEST_P(KioctxStress, EachRequestThatMayBeCancelledEndsOnce) {
  PendingFile device(PendingFile::Cancel::kYes);
  each_ends_once(&device, device.install(files_));
}

TEST_P(KioctxStress, EndsInUseOnNull) { ends_in_use(nullptr, files_.install(kNullFile, nullptr)); }

TEST_P(KioctxStress, EndsInUseWithRequestsCompletedElsewhere) {
  PendingFile device(PendingFile::Cancel::kYes);
  ends_in_use(&device, device.install(files_));
}

}  // namespace
}  // namespace aioscope::kioctx
