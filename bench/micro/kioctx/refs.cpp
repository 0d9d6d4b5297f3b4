// References to a context. An operation is one reference taken and dropped.
#include "bench/micro/kioctx/context.h"
#include "bench/micro/kioctx/parts.h"
#include "bench/micro/kioctx/team.h"

namespace aioscope {
namespace {

// Gets after which a count that is used as much as here has become per-CPU: twice round the
// counter.
constexpr std::uint64_t kGetsUntilPercpu = 2 * 16384;

// What the others are compared with; no stage counts so.
class LockedRef {
 public:
  void get() {
    const kioctx::SpinLockGuard guard(lock_, kioctx::LockSite::kCtxLockSubmit);
    ++count_;
  }
  void put() {
    const kioctx::SpinLockGuard guard(lock_, kioctx::LockSite::kCtxLockPut);
    --count_;
  }
  // "" when all references are back. Ends the count.
  std::string problem() { return count_ == 0 ? "" : "references were lost"; }

 private:
  kioctx::SpinLock lock_;
  std::int64_t count_ = 0;  // guarded by lock_
};

// A context's count until percpu-refcount, with the orders and the counting that its lookup and put
// have.
class AtomicRef {
 public:
  void get() {
    users_.fetch_add(1, std::memory_order_relaxed);
    kioctx::count_shared_rmw();
  }
  void put() {
    // Pairs with itself: what others did before the end.
    const bool last = users_.fetch_sub(1, std::memory_order_acq_rel) == 1;
    kioctx::count_shared_rmw();
    if (last) ended_.store(true, std::memory_order_relaxed);
  }
  std::string problem() {
    return !ended_.load(std::memory_order_relaxed) && users_.load(std::memory_order_relaxed) == 2
               ? ""
               : "references were lost";
  }

 private:
  kioctx::AtomicUsers users_;  // begins with two
  std::atomic<bool> ended_{false};
};

// After its change to counters.
class PercpuRef {
 public:
  PercpuRef() {
    for (std::uint64_t n = 0; n < kGetsUntilPercpu; ++n) {
      get();
      put();
    }
  }
  void get() { ref_.get(); }
  void put() { ref_.put(); }
  std::string problem() {
    if (ref_.state() != kioctx::PercpuRef::State::kPtr) return "the count never became per-CPU";
    ref_.kill();
    return ref_.put() ? "" : "references were lost";
  }

 private:
  kioctx::PercpuRef ref_;
};

template <class Ref>
void refs(benchmark::State& state) {
  alignas(kioctx::kCacheline) Ref ref;
  run_rounds(state, {.prepare = {}, .work = [&](std::size_t) {
                       for (std::uint64_t n = 0; n < kRoundOps; ++n) {
                         ref.get();
                         benchmark::ClobberMemory();
                         ref.put();
                       }
                       return kRoundOps;
                     }});
  if (const std::string problem = ref.problem(); !problem.empty()) {
    state.SkipWithError(problem.c_str());
  }
}

}  // namespace

void register_refs_benchmarks() {
  register_part("refs/locked", refs<LockedRef>);
  register_part("refs/atomic", refs<AtomicRef>);
  register_part("refs/" + kioctx::percpu_name(), refs<PercpuRef>);
}

}  // namespace aioscope
