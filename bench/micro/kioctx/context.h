// A context of the engine, and the parts of it that the micro-benchmarks drive.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "drivers/kioctx/kioctx_calls.h"

namespace aioscope::kioctx {

consteval Stage stage_named(std::string_view name) {
  for (const NamedStage& named : kStages) {
    if (named.name == name) return named.stage;
  }
  throw "no such stage";
}

// Parts that a context keeps to itself. Nothing here does more than call them.
template <Stage S>
struct KioctxParts {
  using Context = Kioctx<S>;
  using Request = typename Context::Request;

  static bool get_slot(Context& ctx) { return ctx.get_slot(); }
  static void put_slots(Context& ctx, std::uint32_t count) { ctx.put_slots(count); }

  // Until no-batch-alloc: slots come and go with requests, up to 32 under one ctx_lock. Returns how
  // many there were.
  static std::uint32_t get_and_put_batch(Context& ctx, std::uint32_t count) {
    typename Context::KiocbBatch batch{.count = count};
    const std::uint32_t allocated = ctx.kiocb_batch_refill(batch);
    ctx.kiocb_batch_free(batch);
    return allocated;
  }

  static Request* kiocb_alloc(Context& ctx) { return ctx.kiocb_alloc(); }
  static void aio_put_req(Context& ctx, Request& req) { ctx.aio_put_req(req); }

  static void post_event(Context& ctx, const Request& req) { ctx.post_event(req, 0); }
  static void complete(Context& ctx, Request& req) { ctx.complete(req, 0); }
  static void complete_batch(Context& ctx, std::span<CompletedKiocb> completed) {
    ctx.complete_batch(completed);
  }
  using Posted = typename Context::Posted;
  static void wake_reapers(Context& ctx, Posted posted) { ctx.wake_reapers(posted); }
};

// A context with a reference, until the end of the scope.
template <Stage S>
class OpenContext {
 public:
  explicit OpenContext(std::uint32_t nr_events) {
    if (const int error = Aio<S>::io_setup(nr_events, &id_); error != 0) {
      throw std::runtime_error("io_setup refused a context of " + std::to_string(nr_events));
    }
    ctx_ = Kioctx<S>::lookup_ioctx(id_);
  }
  ~OpenContext() {
    ctx_->put_ioctx();
    Aio<S>::io_destroy(id_);
  }
  OpenContext(const OpenContext&) = delete;
  OpenContext& operator=(const OpenContext&) = delete;

  AioContextId id() const { return id_; }
  Kioctx<S>& operator*() const { return *ctx_; }
  Kioctx<S>* operator->() const { return ctx_; }

 private:
  AioContextId id_ = 0;
  Kioctx<S>* ctx_ = nullptr;
};

// How this process counts per CPU; see parts.h.
inline std::string percpu_name() { return percpu_uses_rseq() ? "percpu_rseq" : "percpu_atomic"; }

}  // namespace aioscope::kioctx
