#include "tests/drivers/kioctx/failing_memory.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace aioscope::kioctx {
namespace {

constexpr int kUnlimited = -1;
constinit thread_local int allocations_left = kUnlimited;
constinit thread_local long live = 0;

// nullptr: there is none.
void* allocate(std::size_t size, std::size_t alignment) {
  if (allocations_left == 0) return nullptr;
  if (allocations_left > 0) --allocations_left;
  ++live;
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* memory = allocate(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void deallocate(void* memory) {
  if (memory == nullptr) return;
  --live;
  std::free(memory);
}

constexpr std::size_t kDefault = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace

FailingMemory::FailingMemory(int allocations) { allocations_left = allocations; }
FailingMemory::~FailingMemory() { allocations_left = kUnlimited; }

long live_allocations() { return live; }

}  // namespace aioscope::kioctx

using aioscope::kioctx::allocate;
using aioscope::kioctx::allocate_or_throw;
using aioscope::kioctx::deallocate;
using aioscope::kioctx::kDefault;
using std::align_val_t;
using std::nothrow_t;
using std::size_t;

// All forms: a sanitizer's own do not call each other as the library's do.
void* operator new(size_t size) { return allocate_or_throw(size, kDefault); }
void* operator new[](size_t size) { return allocate_or_throw(size, kDefault); }
void* operator new(size_t size, align_val_t to) { return allocate_or_throw(size, size_t(to)); }
void* operator new[](size_t size, align_val_t to) { return allocate_or_throw(size, size_t(to)); }
void* operator new(size_t size, const nothrow_t&) noexcept { return allocate(size, kDefault); }
void* operator new[](size_t size, const nothrow_t&) noexcept { return allocate(size, kDefault); }
void operator delete(void* memory) noexcept { deallocate(memory); }
void operator delete[](void* memory) noexcept { deallocate(memory); }
void operator delete(void* memory, size_t) noexcept { deallocate(memory); }
void operator delete[](void* memory, size_t) noexcept { deallocate(memory); }
void operator delete(void* memory, align_val_t) noexcept { deallocate(memory); }
void operator delete[](void* memory, align_val_t) noexcept { deallocate(memory); }
void operator delete(void* memory, size_t, align_val_t) noexcept { deallocate(memory); }
void operator delete[](void* memory, size_t, align_val_t) noexcept { deallocate(memory); }
