// Memory for requests: a cache per thread, as the kernel's slab has one per CPU.
//
// A thread holds two magazines of up to kMagazine free objects each. Objects freed by a completion
// on another thread gather there; full magazines travel through the depot, whose lock is taken once
// per kMagazine objects at most. Memory is kept for the life of the process.
//
// Invariant: an object is in one magazine, or in use. Only a magazine's thread touches it; the
// depot's are guarded by its lock, which also orders the last use on one thread before the first on
// the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>  // IWYU pragma: keep
#include <utility>      // IWYU pragma: keep
#include <vector>

#include "drivers/kioctx/cacheline.h"
#include "drivers/kioctx/spin_lock.h"

namespace aioscope::kioctx {

template <class T>
class RequestCache {
 public:
  // Uninitialised memory for one T. Throws std::bad_alloc. Thread-safe, as free() is.
  static void* allocate() {
    ++counts.allocations;
    if (local.loaded.first == nullptr) refill();
    return pop(local.loaded);
  }

  static void free(T* object) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (local.loaded.count == kMagazine) spill();
    push(local.loaded, ::new (static_cast<void*>(object)) Free{});
  }

 private:
  static constexpr std::uint32_t kMagazine = 64;

  struct Free {
    Free* next = nullptr;
  };
  static_assert(sizeof(T) >= sizeof(Free));

  struct Magazine {
    Free* first = nullptr;
    std::uint32_t count = 0;
  };
  struct Local {
    Magazine loaded;
    Magazine spare;  // empty or full, but for what a thread got from one that ended
  };
  struct Depot {
    SpinLock lock;
    std::vector<Magazine> magazines;
    struct Slab {
      alignas(kCacheline)
          std::byte memory[kMagazine][(sizeof(T) + kCacheline - 1) / kCacheline * kCacheline];
    };
    std::vector<std::unique_ptr<Slab>> slabs;
  };
  // Gives the thread's magazines to the depot when the thread ends.
  struct Returner {
    ~Returner() {
      give(local.loaded);
      give(local.spare);
      local = {};
    }
  };

  static void* pop(Magazine& magazine) {
    Free* object = magazine.first;
    magazine.first = object->next;
    --magazine.count;
    return object;
  }
  static void push(Magazine& magazine, Free* object) {
    object->next = magazine.first;
    magazine.first = object;
    ++magazine.count;
  }

  // Never destroyed: threads may end after static objects have.
  static Depot& depot() {
    static Depot* depot = new Depot;
    return *depot;
  }

  static void give(const Magazine& magazine) {
    if (magazine.count == 0) return;
    const SpinLockGuard guard(depot().lock, LockSite::kRequestDepot);
    depot().magazines.push_back(magazine);
  }

  static void enter_thread() {
    static thread_local Returner returner;
    static_cast<void>(returner);
  }

  static void refill() {
    enter_thread();
    std::swap(local.loaded, local.spare);
    if (local.loaded.first != nullptr) return;
    const SpinLockGuard guard(depot().lock, LockSite::kRequestDepot);
    auto& magazines = depot().magazines;
    if (!magazines.empty()) {
      local.loaded = magazines.back();
      magazines.pop_back();
      return;
    }
    ++counts.allocations;
    depot().slabs.push_back(std::make_unique<typename Depot::Slab>());
    for (auto& memory : depot().slabs.back()->memory) push(local.loaded, ::new (memory) Free{});
  }

  static void spill() {
    enter_thread();
    std::swap(local.loaded, local.spare);
    if (local.loaded.count != kMagazine) return;
    give(local.loaded);
    local.loaded = {};
  }

  static inline constinit thread_local Local local{};
};

}  // namespace aioscope::kioctx
