#include "tests/drivers/kioctx/differential/compare.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace aioscope::kioctx {
namespace {

constexpr std::uint64_t kNoContext = 0x1000;  // an address where nothing is

struct Place {
  bool live = false;
  bool had_real = false;  // has ever had a request on a real file
  bool real_in_flight = false;
  std::uint32_t nr = 0;  // asked for
  std::uint64_t kernel_id = kNoContext;
  std::uint64_t our_id = kNoContext;
  std::uint64_t outstanding = 0;
};

bool same(const IoEvent& a, const IoEvent& b) {
  return a.data == b.data && a.obj == b.obj && a.res == b.res && a.res2 == b.res2;
}

std::string text_of(const IoEvent& event) {
  return fmt::format("(request {}, res {}, res2 {})", event.data, event.res, event.res2);
}

class Player {
 public:
  Player(Rules rules, World& kernel, World& ours, Compared& compared)
      : rules_(rules), kernel_(kernel), ours_(ours), compared_(compared) {}

  // Empty when both sides did the same.
  std::string play(const Call& call) {
    Place& place = places_[call.place];
    switch (call.kind) {
      case CallKind::kSetup:
        return setup(call, place);
      case CallKind::kSubmit:
        return submit(call, place);
      case CallKind::kGetevents:
        return getevents(call, place);
      case CallKind::kUserReap:
        return user_reap(call, place);
      case CallKind::kCancel:
        return cancel(call, place);
      case CallKind::kDestroy:
        return destroy(place);
    }
    return "";
  }

  std::string end() {
    std::string difference;
    for (Place& place : places_) {
      if (!place.live) continue;
      const std::string text = destroy(place);
      if (difference.empty()) difference = text;
    }
    if (!had_real_) return difference;
    if (difference.empty() && !std::ranges::equal(kernel_.real_file(), ours_.real_file())) {
      difference = "the real file has different bytes";
    }
    kernel_.renew_real_file();
    ours_.renew_real_file();
    return difference;
  }

 private:
  std::string returned(std::int64_t kernel, std::int64_t ours) {
    ++compared_.calls;
    if (kernel == ours) return "";
    return fmt::format("the kernel returned {}, kioctx {}", kernel, ours);
  }

  std::string setup(const Call& call, Place& place) {
    if (place.live) return "";
    std::uint64_t kernel_id = 0;
    std::uint64_t our_id = 0;
    const std::int64_t theirs = kernel_.io_setup(call.nr, kernel_id);
    const std::int64_t mine = ours_.io_setup(call.nr, our_id);
    if (theirs == 0 || mine == 0) {
      for (Place& other : places_) {
        if (!other.live) other = Place{};  // its address may be this one's
      }
    }
    if (theirs == 0 && mine == 0) {
      place = {.live = true, .nr = call.nr, .kernel_id = kernel_id, .our_id = our_id};
    } else if (theirs == 0) {
      kernel_.io_destroy(kernel_id);
    } else if (mine == 0) {
      ours_.io_destroy(our_id);
    }
    return returned(theirs, mine);
  }

  std::string submit(const Call& call, Place& place) {
    const bool real = std::ranges::any_of(call.requests, [](const RequestSpec& request) {
      return request.file == TargetFile::kReal;
    });
    const std::uint64_t after = place.outstanding + call.requests.size();
    if ((real || place.had_real || rules_ == Rules::kOfAllStages) && after > place.nr && place.live)
      return "";
    if (after > kBuffers / kPlaces) return "";
    std::vector<PlacedRequest> for_kernel;
    std::vector<PlacedRequest> for_us;
    for (const RequestSpec& spec : call.requests) {
      const std::uint64_t tag = next_tag_++;
      for_kernel.push_back({spec, tag, prepared(kernel_, spec, tag)});
      for_us.push_back({spec, tag, prepared(ours_, spec, tag)});
    }
    const std::int64_t theirs = kernel_.io_submit(place.kernel_id, for_kernel);
    const std::int64_t mine = ours_.io_submit(place.our_id, for_us);
    if (real) had_real_ = true;
    if (mine > 0 && real) place.had_real = place.real_in_flight = true;
    place.outstanding += std::uint64_t(std::max<std::int64_t>(mine, 0));
    count(call.requests, mine);
    if (auto text = returned(theirs, mine); !text.empty()) return text;
    return ring(place);
  }

  void count(std::span<const RequestSpec> requests, std::int64_t result) {
    compared_.requests += requests.size();
    if (result == std::int64_t(requests.size())) return;
    ++compared_.refused;
    const auto stopped_at = std::size_t(std::max<std::int64_t>(result, 0));
    const bool none_bad = result > 0 && !refused(requests[stopped_at]);
    if (result == -EAGAIN || none_bad) ++compared_.full;
  }

  // A buffer that tells whether it was read into, or that holds what to write: text that depends on
  // the place in the file alone.
  static std::byte* prepared(World& world, const RequestSpec& spec, std::uint64_t tag) {
    std::byte* buffer = world.buffer(tag);
    const std::uint32_t shift = spec.buffer == Buffer::kUnaligned ? 1 : 0;
    const bool write = spec.operation == Operation::kWrite;
    for (std::uint32_t i = 0; i < kBufferBytes; ++i) {
      buffer[i] = write ? std::byte((spec.offset + i - shift) * 7) : std::byte{0xa5};
    }
    if (spec.buffer == Buffer::kNull) return nullptr;
    return spec.buffer == Buffer::kUnmapped ? world.unmapped() : buffer + shift;
  }

  std::string getevents(const Call& call, Place& place) {
    std::uint32_t nr = call.nr;
    std::uint32_t min = minimum(call, place);
    std::int64_t timeout_ns = call.timeout_ns;
    if (place.real_in_flight) {
      min = nr = std::uint32_t(place.outstanding);
      timeout_ns = -1;
    } else if (timeout_ns < 0 && min > place.outstanding && min <= nr && place.live) {
      timeout_ns = 0;  // it would wait for ever
    }
    const bool null_events = call.null_events && place.outstanding == 0;
    std::vector<IoEvent> theirs(nr);
    std::vector<IoEvent> mine(nr);
    const auto array = [&](std::vector<IoEvent>& events) {
      return std::span<IoEvent>(null_events ? nullptr : events.data(), nr);
    };
    const std::int64_t their_count =
        kernel_.io_getevents(place.kernel_id, min, array(theirs), timeout_ns);
    const std::int64_t my_count = ours_.io_getevents(place.our_id, min, array(mine), timeout_ns);
    if (auto text = returned(their_count, my_count); !text.empty()) return text;
    if (my_count < 0) return "";
    theirs.resize(std::size_t(their_count));
    mine.resize(std::size_t(my_count));
    if (place.real_in_flight) {
      std::ranges::sort(theirs, {}, &IoEvent::data);
      std::ranges::sort(mine, {}, &IoEvent::data);
    }
    place.outstanding -= std::uint64_t(my_count);
    place.real_in_flight = false;
    if (auto text = events(theirs, mine); !text.empty()) return text;
    return ring(place);
  }

  static std::uint32_t minimum(const Call& call, const Place& place) {
    switch (call.minimum) {
      case Minimum::kNone:
        return 0;
      case Minimum::kOne:
        return 1;
      case Minimum::kOutstanding:
        return std::uint32_t(place.outstanding);
      case Minimum::kOneMore:
        return std::uint32_t(place.outstanding) + 1;
      case Minimum::kOverNr:
        return call.nr + 1;
    }
    return 0;
  }

  std::string events(std::span<const IoEvent> theirs, std::span<const IoEvent> mine) {
    compared_.events += mine.size();
    for (std::size_t i = 0; i < mine.size(); ++i) {
      if (!same(theirs[i], mine[i])) {
        return fmt::format("event {}: the kernel has {}, kioctx {}", i, text_of(theirs[i]),
                           text_of(mine[i]));
      }
      const std::uint64_t tag = mine[i].data;
      if (std::memcmp(kernel_.buffer(tag), ours_.buffer(tag), kBufferBytes) != 0) {
        return fmt::format("request {}: different bytes were read", tag);
      }
    }
    return "";
  }

  // Head and tail are where the kernel has them, counted in the ring's entries.
  std::string ring(const Place& place) {
    if (!place.live || place.had_real || rules_ != Rules::kTodays) return "";
    const AioRing& theirs = kernel_.ring(place.kernel_id);
    const AioRing& mine = ours_.ring(place.our_id);
    const auto state = [](const AioRing& ring) {
      return std::array{ring.nr, ring.head.load(), ring.tail.load()};
    };
    if (state(theirs) == state(mine)) return "";
    return fmt::format("ring (entries, head, tail): the kernel has {}, kioctx {}",
                       fmt::join(state(theirs), " "), fmt::join(state(mine), " "));
  }

  std::string user_reap(const Call& call, Place& place) {
    if (!place.live || place.had_real) return "";
    const std::vector<IoEvent> theirs = reap(kernel_.ring(place.kernel_id), call.nr);
    const std::vector<IoEvent> mine = reap(ours_.ring(place.our_id), call.nr);
    if (auto text = returned(std::int64_t(theirs.size()), std::int64_t(mine.size())); !text.empty())
      return text;
    place.outstanding -= mine.size();
    // obj is the address of an iocb on the kernel's side.
    std::vector<IoEvent> named = theirs;
    for (IoEvent& event : named) event.obj = event.data;
    return events(named, mine);
  }

  static std::vector<IoEvent> reap(AioRing& ring, std::uint32_t most) {
    std::vector<IoEvent> events;
    std::uint32_t head = ring.head.load(std::memory_order_relaxed);
    const std::uint32_t tail = ring.tail.load(std::memory_order_acquire);  // pairs: the producers
    for (; head != tail && events.size() < most; head = (head + 1) % ring.nr) {
      events.push_back(ring.events()[head]);
    }
    ring.head.store(head, std::memory_order_release);  // pairs: the refill of slots
    return events;
  }

  std::string cancel(const Call& call, Place& place) {
    if (place.real_in_flight || next_tag_ == 0) return "";
    const std::uint64_t tag = next_tag_ - 1 - std::min(call.tags_back, next_tag_ - 1);
    return returned(kernel_.io_cancel(place.kernel_id, tag), ours_.io_cancel(place.our_id, tag));
  }

  std::string destroy(Place& place) {
    const std::int64_t theirs = kernel_.io_destroy(place.kernel_id);
    const std::int64_t mine = ours_.io_destroy(place.our_id);
    // The identities stay: of a context that is gone.
    place = {.kernel_id = place.kernel_id, .our_id = place.our_id};
    return returned(theirs, mine);
  }

  const Rules rules_;
  World& kernel_;
  World& ours_;
  Compared& compared_;
  std::array<Place, kPlaces> places_;
  std::uint64_t next_tag_ = 0;
  bool had_real_ = false;
};

}  // namespace

std::optional<Difference> compare(const Sequence& sequence, Rules rules, World& kernel, World& ours,
                                  Compared* compared) {
  Compared unused;
  Player player(rules, kernel, ours, compared != nullptr ? *compared : unused);
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    std::string text = player.play(sequence[i]);
    if (text.empty()) continue;
    player.end();
    return Difference{i, std::move(text)};
  }
  std::string text = player.end();
  if (text.empty()) return std::nullopt;
  return Difference{sequence.size(), std::move(text)};
}

}  // namespace aioscope::kioctx
