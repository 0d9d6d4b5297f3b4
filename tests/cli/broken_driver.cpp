// Drivers that break the contract, each in its own way, to see that the harness notices.
#include <chrono>
#include <deque>
#include <thread>

#include "drivers/driver.h"

namespace {

using namespace aioscope;

enum class Fault { kLoses, kDoubles, kFails, kHangs };

constexpr int kGoodOperations = 1000;  // before the fault

class BrokenContext final : public Context {
 public:
  explicit BrokenContext(Fault fault) : fault_(fault) {}

  SubmitResult submit(std::span<const Request> requests) override {
    for (const Request& request : requests) {
      const bool faulty = ++submitted_ == kGoodOperations;
      if (faulty && fault_ == Fault::kHangs) hang();
      if (faulty && fault_ == Fault::kLoses) continue;
      const bool fails = submitted_ >= kGoodOperations && fault_ == Fault::kFails;
      completed_.push_back({.tag = request.tag, .result = fails ? -EIO : 0});
      if (faulty && fault_ == Fault::kDoubles) completed_.push_back(completed_.back());
    }
    return {.accepted = static_cast<std::uint32_t>(requests.size())};
  }

  ReapResult reap(std::span<Completion> out, std::size_t, Deadline) override {
    ReapResult result;
    while (result.count < out.size() && !completed_.empty()) {
      out[result.count++] = completed_.front();
      completed_.pop_front();
    }
    return result;
  }

  std::string setup() const override { return "broken"; }

 private:
  [[noreturn]] static void hang() {
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
  }

  const Fault fault_;
  int submitted_ = 0;
  std::deque<Completion> completed_;
};

template <Fault fault>
std::unique_ptr<Context> open(const ContextOptions&) {
  return std::make_unique<BrokenContext>(fault);
}

Availability usable() { return {}; }
Availability unusable() {
  return {.usable = false, .reason = "it is never usable", .cure = "use another"};
}

constexpr Capabilities kPrivate{.max_submitters = 1, .max_reapers = 1};
constexpr Driver kDrivers[] = {
    {"broken@loses", "loses a completion", kPrivate, usable, open<Fault::kLoses>},
    {"broken@doubles", "returns a completion twice", kPrivate, usable, open<Fault::kDoubles>},
    {"broken@fails", "completes with EIO after a while", kPrivate, usable, open<Fault::kFails>},
    {"broken@hangs", "does not return from submit", kPrivate, usable, open<Fault::kHangs>},
    {"broken@unusable", "cannot run here", kPrivate, unusable, open<Fault::kFails>},
};

}  // namespace

extern "C" const ExternalDrivers* aioscope_external_drivers() {
  static constexpr ExternalDrivers kExported{.drivers = kDrivers, .count = std::size(kDrivers)};
  return &kExported;
}
