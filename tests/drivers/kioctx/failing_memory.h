// Memory that runs out, for the test programs that link failing_memory.cpp.
#pragma once

namespace aioscope::kioctx {

// While it lives, this thread's operator new works `allocations` times more, then throws.
class FailingMemory {
 public:
  explicit FailingMemory(int allocations = 0);
  ~FailingMemory();
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;
};

// What this thread has allocated by operator new, less what it has deleted.
long live_allocations();

}  // namespace aioscope::kioctx
