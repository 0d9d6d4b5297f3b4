#include "tests/drivers/kioctx/proof/scheduling.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "drivers/kioctx/barrier.h"
#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {
namespace {

// Of 1024 passes.
constexpr std::uint64_t kSleeps = 2;
constexpr std::uint64_t kYields = 64;
constexpr std::uint64_t kSpins = 128;
constexpr std::uint64_t kLongestSleepUs = 200;
constexpr std::uint64_t kLongestSpin = 500;

std::atomic<std::uint64_t> random_seed{0};  // 0: threads pass
struct Script {
  std::atomic<const char*> place{nullptr};
  std::atomic<AtPlace*> at{nullptr};
};
std::array<Script, 2> scripts;
std::atomic<const char*> counted_place{nullptr};
std::atomic<std::uint64_t> counted_passes{0};

// splitmix64: any state is a good one, so that seed and thread may simply be added.
struct Random {
  std::uint64_t state = 0;
  std::uint64_t next() {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t x = state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
};
thread_local Random random_of_thread;
thread_local std::uint64_t seeded_with = 0;
thread_local std::uint64_t thread_number = ~std::uint64_t{0};

bool is_place(const std::atomic<const char*>& wanted, const char* place) {
  const char* name = wanted.load(std::memory_order_relaxed);
  return name != nullptr && std::strcmp(name, place) == 0;
}

void on_place(const char* place) {
  if (is_place(counted_place, place)) counted_passes.fetch_add(1, std::memory_order_relaxed);
  AtPlace::pass(place);
  if (random_seed.load(std::memory_order_relaxed) != 0) random_step();
}

[[maybe_unused]] const bool kHooked = [] {
  schedule_point_hook.store(on_place, std::memory_order_release);  // pairs with schedule_point
  return true;
}();

}  // namespace

void AtPlace::pass(const char* place) {
  for (Script& script : scripts) {
    if (!is_place(script.place, place)) continue;
    // Acquire: pairs with AtPlace's constructor.
    AtPlace* at = script.at.exchange(nullptr, std::memory_order_acquire);
    if (at == nullptr) continue;
    at->then_();
    at->happened_ = true;
  }
}

void random_step() {
  const std::uint64_t seed = random_seed.load(std::memory_order_relaxed);
  if (seeded_with != seed) {
    seeded_with = seed;
    random_of_thread.state = seed * 0x2545f4914f6cdd1d + thread_number * 0x9fb21c651e98df25;
  }
  const std::uint64_t roll = random_of_thread.next();
  const std::uint64_t what = roll % 1024;
  const std::uint64_t amount = roll >> 32;
  if (what < kSleeps) {
    usleep(useconds_t(1 + amount % kLongestSleepUs));
  } else if (what < kSleeps + kYields) {
    sched_yield();
  } else if (what < kSleeps + kYields + kSpins) {
    for (std::uint64_t spin = 0; spin < amount % kLongestSpin; ++spin) cpu_relax();
  }
}

RandomScheduling::RandomScheduling(std::uint64_t seed) {
  random_seed.store(seed | 1, std::memory_order_relaxed);
}
RandomScheduling::~RandomScheduling() { random_seed.store(0, std::memory_order_relaxed); }

void number_this_thread(std::uint64_t number) {
  thread_number = number;
  seeded_with = 0;
}

AtPlace::AtPlace(const char* place, std::function<void()> then) : then_(std::move(then)) {
  Script* const script =
      std::ranges::find_if(scripts, [](const Script& s) { return s.place.load() == nullptr; });
  if (script == scripts.end()) throw std::logic_error("too many scripts at once");
  index_ = std::size_t(script - scripts.begin());
  script->place.store(place, std::memory_order_relaxed);
  script->at.store(this, std::memory_order_release);  // pairs with pass
}
AtPlace::~AtPlace() {
  scripts[index_].at.store(nullptr, std::memory_order_relaxed);
  scripts[index_].place.store(nullptr, std::memory_order_relaxed);
}

PassCount::PassCount(const char* place) {
  counted_passes.store(0, std::memory_order_relaxed);
  counted_place.store(place, std::memory_order_relaxed);
}
PassCount::~PassCount() { counted_place.store(nullptr, std::memory_order_relaxed); }
std::uint64_t PassCount::passes() const { return counted_passes.load(std::memory_order_relaxed); }

}  // namespace aioscope::kioctx
