#include "drivers/libaio/user_ring.h"

#include <fmt/core.h>

#include "drivers/setup_failure.h"

namespace aioscope {
namespace {

constexpr std::uint32_t kMagic = 0xa10a10a1;
constexpr std::uint32_t kCompatFeatures = 1;
constexpr std::uint32_t kIncompatFeatures = 0;

}  // namespace

UserRing::UserRing(io_context_t context)
    : header_(reinterpret_cast<Header*>(context)),
      events_(reinterpret_cast<const io_event*>(header_ + 1)) {
  if (header_->magic == kMagic && header_->compat_features == kCompatFeatures &&
      header_->incompat_features == kIncompatFeatures && header_->header_length == sizeof(Header)) {
    return;
  }
  throw SetupFailure(
      fmt::format("libaio@user-reap: unknown completion ring (magic {:#x} compat {:#x} incompat "
                  "{:#x} header {} bytes)",
                  header_->magic, header_->compat_features, header_->incompat_features,
                  header_->header_length),
      "use libaio, which asks the kernel for completions");
}

std::uint32_t UserRing::pop_single_consumer(std::span<Completion> out) {
  const std::atomic_ref head_ref(header_->head);
  const std::uint32_t entries = header_->nr;
  std::uint32_t head = head_ref.load(std::memory_order_relaxed);  // only this thread moves it
  // Pairs with the kernel's write barrier between the events and the tail.
  const std::uint32_t tail = std::atomic_ref(header_->tail).load(std::memory_order_acquire);
  std::uint32_t count = 0;
  for (; head != tail && count < out.size(); ++count) {
    const io_event& event = events_[head];
    out[count] = {.tag = reinterpret_cast<Tag>(event.data),
                  .result = static_cast<std::int64_t>(event.res)};
    head = head + 1 == entries ? 0 : head + 1;
  }
  // Pairs with the kernel's read of `head` before it gives these entries to new completions.
  if (count > 0) head_ref.store(head, std::memory_order_release);
  return count;
}

}  // namespace aioscope
