// Producers of the ring, with nobody who reaps: the tail goes round, over events that nobody read.
// An operation is one event.
//
//   post/...      the event, the ring's tail, and the producers' lock: post_event() alone
//   complete/...  all that a completion does: the read section, the race with cancelling, the
//                 event, the look for sleepers (there are none), the reference. Making the request
//                 ready for the next time is two plain stores to it.
#include <array>
#include <new>
#include <vector>

#include "bench/micro/kioctx/context.h"
#include "bench/micro/kioctx/parts.h"
#include "bench/micro/kioctx/team.h"

namespace aioscope {
namespace {

using kioctx::KioctxParts;
using kioctx::OpenContext;
using kioctx::Stage;

constexpr Stage kLock = kioctx::stage_named("series-without-xchg-tail");
constexpr Stage kXchg = kioctx::kStageSeries;
constexpr Stage kBatch = kioctx::kStageBatchCompletion;
constexpr Stage kPercpu = kioctx::kStagePercpuRings;

constexpr std::uint32_t kRingEntries = 128;
constexpr std::size_t kBatchSize = 8;

// Requests of one thread that complete over and over.
template <Stage S>
class Requests {
 public:
  using Parts = KioctxParts<S>;

  explicit Requests(kioctx::Kioctx<S>& ctx) : ctx_(ctx) {
    for (auto& req : requests_) {
      req = Parts::kiocb_alloc(ctx_);
      if (req == nullptr) throw std::bad_alloc();
    }
  }
  ~Requests() {
    for (auto* req : requests_) {
      req->ki_users.store(1, std::memory_order_relaxed);
      Parts::aio_put_req(ctx_, *req);
    }
  }
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;

  void post() { Parts::post_event(ctx_, *requests_[0]); }
  void complete() {
    revive(*requests_[0]);
    Parts::complete(ctx_, *requests_[0]);
  }
  void complete_batch() {
    std::array<kioctx::CompletedKiocb, kBatchSize> completed;
    for (std::size_t i = 0; i < kBatchSize; ++i) {
      revive(*requests_[i]);
      completed[i] = {requests_[i], 0};
    }
    Parts::complete_batch(ctx_, completed);
  }

 private:
  static void revive(typename Parts::Request& req) {
    req.ki_users.store(2, std::memory_order_relaxed);
    req.ki_cancel.store(nullptr, std::memory_order_relaxed);
  }

  kioctx::Kioctx<S>& ctx_;
  std::array<typename Parts::Request*, kBatchSize> requests_;
};

// Events posted, as the ring tells it: modulo its entries, or modulo 2^32.
template <Stage S>
bool has_posted(kioctx::Kioctx<S>& ctx, std::uint64_t events) {
  if constexpr (S.percpu_rings) {
    return ctx.rings.count() == static_cast<std::uint32_t>(events);
  } else {
    const std::uint32_t tail = ctx.ring_pages->tail.load(std::memory_order_relaxed);
    return tail == events % ctx.nr_events && tail == ctx.tail;
  }
}

template <Stage S, std::size_t events, void (Requests<S>::*operation)()>
void produce(benchmark::State& state) {
  const OpenContext<S> ctx(kRingEntries);
  {
    std::vector<std::unique_ptr<Requests<S>>> requests;
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      requests.push_back(std::make_unique<Requests<S>>(*ctx));
    }
    const std::uint64_t posted =
        run_rounds(state, {.prepare = {}, .work = [&](std::size_t thread) {
                             Requests<S>& own = *requests[thread];
                             for (std::uint64_t n = 0; n < kRoundOps; n += events) {
                               (own.*operation)();
                               benchmark::ClobberMemory();
                             }
                             return kRoundOps;
                           }});
    if (!has_posted<S>(*ctx, posted)) state.SkipWithError("the ring lost events");
  }
}
static_assert(kRoundOps % kBatchSize == 0);

template <Stage S>
void register_producers(const std::string& name) {
  register_part("ring/post/" + name, produce<S, 1, &Requests<S>::post>);
  register_part("ring/complete/" + name, produce<S, 1, &Requests<S>::complete>);
}

}  // namespace

void register_ring_benchmarks() {
  register_producers<kLock>("completion_lock");
  register_producers<kXchg>("xchg_tail");
  register_part("ring/complete/xchg_tail_batch_8",
                produce<kBatch, kBatchSize, &Requests<kBatch>::complete_batch>);
  register_producers<kPercpu>(kioctx::percpu_name());
}

}  // namespace aioscope
