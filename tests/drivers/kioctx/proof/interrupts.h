// Interrupts for threads: signals of a timer, whose handler runs at any instruction of the
// interrupted thread, on its CPU.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include "drivers/kioctx/schedule_point.h"

namespace aioscope::kioctx {

// While one lives, the thread that made it is interrupted by `handler` again and again. One at a
// time.
class Interrupts {
 public:
  explicit Interrupts(std::function<void()> handler);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // How often `handler` was run.
  std::uint64_t handled() const;
  // Ends them, and returns that number.
  std::uint64_t stop();

 private:
  bool stopped_ = false;
};

// Makes a system call that the thread sleeps in return with EINTR.
void interrupt(std::thread& thread);

// While one lives, that bug is back.
class MutatedPart {
 public:
  explicit MutatedPart(PartMutation mutation) { part_mutation = mutation; }
  ~MutatedPart() { part_mutation = PartMutation::kNone; }
  MutatedPart(const MutatedPart&) = delete;
  MutatedPart& operator=(const MutatedPart&) = delete;
};

}  // namespace aioscope::kioctx
