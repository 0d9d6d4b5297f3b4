#include "tests/drivers/kioctx/proof/stress.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/rcu.h"
#include "tests/drivers/kioctx/proof/scheduling.h"

namespace aioscope::kioctx {
namespace {

constexpr unsigned kSubmitters = 2;
constexpr unsigned kReapers = 2;
constexpr unsigned kCompleters = 2;
constexpr std::uint32_t kNrEvents = 32;
constexpr std::uint32_t kBytes = 512;
constexpr std::int64_t kReapNs = 2'000'000;
constexpr std::chrono::microseconds kNap{500};

}  // namespace

Stress::Stress(const StageCalls& calls, Target target)
    : calls_(calls),
      target_(target),
      device_(target == Target::kCancellable ? PendingFile::Cancel::kYes
                                             : PendingFile::Cancel::kNo) {
  file_ = target == Target::kNull ? files_.install(kNullFile, nullptr) : device_.install(files_);
}

void Stress::destroy() { calls_.io_destroy(std::exchange(id_, 0)); }

void Stress::start(std::uint64_t ops) {
  fates_ = std::vector<Fate>(ops);
  next_tag_ = accepted_ = ended_ = strangers_ = 0;
  stop_ = device_stops_ = false;
  submitting_ = kSubmitters;
  calls_.io_setup(kNrEvents, &id_);
  for (unsigned i = 0; i < kSubmitters; ++i) run(users_, [this, i] { submit_all(i); });
  for (unsigned i = 0; i < kReapers; ++i) run(users_, [this, i] { reap_until_stopped(i); });
  if (target_ == Target::kNull) return;
  run(users_, [this] { cancel_until_stopped(); });
  for (unsigned i = 0; i < kCompleters; ++i) {
    run(completers_, [this, i] { complete_until_stopped(i); });
  }
}

void Stress::run(std::vector<std::thread>& threads, std::function<void()> work) {
  threads.emplace_back([number = ++threads_started_, work = std::move(work)] {
    number_this_thread(number);
    work();
  });
}

void Stress::join(std::vector<std::thread>& threads) {
  for (std::thread& thread : threads) thread.join();
  threads.clear();
}

// The device last: a user may be the last of the context, and wait for its requests.
void Stress::stop() {
  stop_ = true;
  join(users_);
  device_stops_ = true;
  join(completers_);
}

// Its share of the tags, until all were accepted or the context is gone.
void Stress::submit_all(unsigned submitter) {
  std::uint64_t tag = submitter;
  std::uint32_t batch = 1;
  bool gone = false;
  while (tag < fates_.size() && !gone && !stop_) {
    std::vector<Iocb> iocbs;
    for (std::uint64_t t = tag; t < fates_.size() && iocbs.size() < batch; t += kSubmitters) {
      iocbs.push_back(
          {.data = t, .nbytes = kBytes, .fildes = file_, .opcode = IocbCommand::kPwrite});
    }
    const IoSubmitResult result = calls_.io_submit(id_, files_, iocbs);
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

void Stress::end_of(const IoEvent& event) {
  if (event.data >= fates_.size() || (event.res != kBytes && event.res != -ECANCELED)) {
    strangers_ += 1;
    return;
  }
  fates_[event.data].ends += 1;
  ended_ += 1;
}

// Now and then it leaves the ring to fill up.
void Stress::reap_until_stopped(unsigned reaper) {
  std::vector<IoEvent> events(12);
  for (std::uint32_t turn = reaper; !stop_; ++turn) {
    const std::int64_t got = calls_.io_getevents(id_, turn % 4, events, monotonic_ns() + kReapNs);
    if (got == -EINVAL) return;
    for (std::int64_t i = 0; i < got; ++i) end_of(events[std::size_t(i)]);
    if (turn % 64 < 2) std::this_thread::sleep_for(kNap);
  }
}

// Requests that were submitted a moment ago, or are being. Where it answers -EINPROGRESS the event
// comes as any other.
void Stress::cancel_until_stopped() {
  std::uint64_t back = 0;
  while (!stop_) {
    const std::uint64_t newest = next_tag_.load(std::memory_order_relaxed);
    IoEvent event;
    back = (back + 5) % 64;
    if (newest >= back && calls_.io_cancel(id_, newest - back, &event) == 0) end_of(event);
    std::this_thread::yield();
  }
}

void Stress::complete_until_stopped(unsigned completer) {
  std::size_t batch = completer + 1;
  while (!device_stops_) {
    if (device_.count() == 0) std::this_thread::yield();
    if (batch % 3 == 0) {
      device_.complete_batch(batch);
    } else {
      device_.complete_one();
    }
    batch = batch % 6 + 1;
  }
}

std::string Stress::judge(bool all_accepted) const {
  if (strangers_ > 0) return fmt::format("{} events that are nobody's", strangers_.load());
  for (std::size_t tag = 0; tag < fates_.size(); ++tag) {
    const int accepted = fates_[tag].accepted;
    const int ends = fates_[tag].ends;
    if (all_accepted && accepted != 1) return fmt::format("request {} was not accepted", tag);
    if (ends > accepted || (all_accepted && ends != 1)) {
      return fmt::format("request {} ended {} times", tag, ends);
    }
  }
  if (device_.count() > 0) return fmt::format("{} requests are left", device_.count());
  if (files_.references() != 0) return "a request has kept its file";
  return "";
}

std::string Stress::each_ends_once(std::uint64_t ops, std::int64_t lost_ns) {
  start(ops);
  std::uint64_t before = 0;
  std::int64_t since_ns = monotonic_ns();
  while (submitting_ > 0 || ended_ < accepted_) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (ended_ != before) since_ns = monotonic_ns();
    before = ended_;
    if (monotonic_ns() - since_ns > lost_ns) break;
  }
  stop();
  return judge(true);
}

std::string Stress::ends_in_use(std::uint64_t ops) {
  rcu_barrier();
  const PassCount freed("end: freed");
  start(ops);
  std::atomic<int> destroyed{0};
  std::vector<std::thread> destroyers;
  for (int i = 0; i < 2; ++i) {
    run(destroyers, [&] {
      while (ended_ < fates_.size() / 4 && submitting_ > 0) std::this_thread::yield();
      random_step();
      destroyed += calls_.io_destroy(id_) == 0 ? 1 : 0;
    });
  }
  join(destroyers);
  stop();
  id_ = 0;
  rcu_barrier();
  if (destroyed == 0) return "io_destroy() was refused";
  if (freed.passes() != 1) return fmt::format("the context was freed {} times", freed.passes());
  return judge(false);
}

}  // namespace aioscope::kioctx
