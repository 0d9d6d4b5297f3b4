// What tests do at the marked places of the engine.
//
// Nothing here orders one thread after another, so that ThreadSanitizer sees the engine's own
// synchronisation alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace aioscope::kioctx {

// While one lives, every thread that passes a marked place does nothing, spins, yields, or sleeps
// for up to 200 us, at random. One at a time.
class RandomScheduling {
 public:
  explicit RandomScheduling(std::uint64_t seed);
  ~RandomScheduling();
  RandomScheduling(const RandomScheduling&) = delete;
  RandomScheduling& operator=(const RandomScheduling&) = delete;
};

// What the calling thread does at random is fixed by the seed and this number.
void number_this_thread(std::uint64_t number);

// The same anywhere in a test: one step of the calling thread's random schedule.
void random_step();

// Lets `then` happen once, in the thread that first passes `place` and at that place: what an
// interrupt or another CPU does at the worst moment. It must not need the locks held there. Two at
// a time.
class AtPlace {
 public:
  AtPlace(const char* place, std::function<void()> then);
  ~AtPlace();
  AtPlace(const AtPlace&) = delete;
  AtPlace& operator=(const AtPlace&) = delete;
  bool happened() const { return happened_.load(); }

  static void pass(const char* place);  // called at every place

 private:
  const std::function<void()> then_;
  std::atomic<bool> happened_{false};
  std::size_t index_;
};

// Counts how often any thread passes `place`. One at a time.
class PassCount {
 public:
  explicit PassCount(const char* place);
  ~PassCount();
  PassCount(const PassCount&) = delete;
  PassCount& operator=(const PassCount&) = delete;
  std::uint64_t passes() const;
};

}  // namespace aioscope::kioctx
