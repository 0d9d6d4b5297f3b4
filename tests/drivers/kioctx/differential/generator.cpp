#include "tests/drivers/kioctx/differential/generator.h"

#include <algorithm>
#include <array>
#include <random>

namespace aioscope::kioctx {
namespace {

class Generator {
 public:
  Generator(std::uint64_t seed, const GeneratorOptions& options)
      : random_(seed), options_(options) {}

  Sequence sequence() {
    Sequence calls;
    // Some fill their rings, others keep them nearly empty.
    submits_ = 25 + below(50);
    real_ = options_.real_files && one_in(3);
    calls.push_back(setup());
    while (calls.size() < options_.calls) calls.push_back(call());
    return calls;
  }

 private:
  // Uniform in [0, below). std::uniform_int_distribution may differ between libraries.
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class T, std::size_t kCount>
  T one_of(const std::array<T, kCount>& values) {
    return values[below(kCount)];
  }

  Call call() {
    const std::uint64_t kind = below(1000);
    if (kind < 10 || (!live_[0] && one_in(2))) return setup();
    if (kind < 16) return destroy();
    if (kind < 50) return cancel();
    if (kind < 100 && options_.todays_rules) return user_reap();
    return below(100) < submits_ ? submit() : getevents();
  }

  // Mostly one that is there.
  std::uint32_t place() {
    const auto place = std::uint32_t(below(kPlaces));
    return live_[place] || one_in(20) ? place : 0;
  }

  Call setup() {
    // The sizes on both sides of what the rules round and refuse.
    constexpr std::array<std::uint32_t, 10> kSizes{1, 2, 7, 8, 31, 32, 64, 126, 127, 128};
    constexpr std::array<std::uint32_t, 3> kRefused{0, (1u << 23) + 1, UINT32_MAX};
    const std::uint32_t nr = one_in(10) ? one_of(kRefused) : one_of(kSizes);
    const auto place = std::uint32_t(live_[0] ? below(kPlaces) : 0);
    if (nr != 0 && nr <= 128) live_[place] = true;
    return {.kind = CallKind::kSetup, .place = place, .nr = nr};
  }

  Call destroy() {
    const std::uint32_t at = one_in(3) ? std::uint32_t(below(kPlaces)) : place();
    live_[at] = false;
    return {.kind = CallKind::kDestroy, .place = at};
  }

  Call submit() {
    constexpr std::array<std::uint32_t, 6> kCounts{0, 1, 2, 3, 8, 33};
    Call call{.kind = CallKind::kSubmit, .place = place()};
    std::uint32_t count = one_of(kCounts);
    // More than the smallest ring has, or than any.
    if (options_.todays_rules && one_in(8)) count = one_in(2) ? 140 : 400;
    const bool real = real_ && one_in(4);
    for (std::uint32_t i = 0; i < count; ++i) call.requests.push_back(request(real));
    // Half of the batches have a bad request, others after it sometimes.
    while (count > 0 && one_in(2)) spoil(call.requests[below(count)]);
    return call;
  }

  RequestSpec request(bool real) {
    RequestSpec request;
    request.operation = one_in(2) ? Operation::kWrite : Operation::kRead;
    const bool write = request.operation == Operation::kWrite;
    request.file = real && one_in(2) ? TargetFile::kReal
                   : one_in(20)      ? (write ? TargetFile::kWriteOnly : TargetFile::kReadOnly)
                   : one_in(2)       ? TargetFile::kZero
                                     : TargetFile::kNull;
    request.file == TargetFile::kReal ? place_in_real(request) : place_in_character(request);
    choose_buffer(request);
    return request;
  }

  // What io_submit() refuses; two reasons at once show which is looked at first.
  void spoil(RequestSpec& request) {
    do {
      switch (below(5)) {
        case 0:
          request.file = TargetFile::kNotOpen;
          break;
        case 1:
          request.operation = Operation::kUnknown;
          break;
        case 2:
          request.file = TargetFile::kReadOnly;
          request.operation = Operation::kWrite;
          break;
        case 3:
          request.file = TargetFile::kWriteOnly;
          request.operation = Operation::kRead;
          break;
        default:
          // Below zero, and beyond the largest offset together with the bytes.
          request.offset = one_in(2) ? kNegative : kNegative - below(request.nbytes + 1ull);
      }
    } while (one_in(4));
    if (!refused(request) || fills_memory(request)) request.file = TargetFile::kNotOpen;
  }

  void choose_buffer(RequestSpec& request) {
    if (!one_in(8)) return;
    request.buffer = one_in(3) ? Buffer::kUnaligned : one_in(2) ? Buffer::kNull : Buffer::kUnmapped;
    if (request.buffer == Buffer::kUnmapped && fills_memory(request))
      request.buffer = Buffer::kNull;
    if (request.buffer == Buffer::kUnaligned && request.nbytes == 4096) request.nbytes = 512;
  }

  // Reads stay in the first half of the file and around its end, writes between the two, so that
  // their order does not matter.
  void place_in_real(RequestSpec& request) {
    constexpr std::array<std::uint32_t, 4> kBytes{0, 512, 1024, 4096};
    request.nbytes = one_of(kBytes);
    const bool write = request.operation == Operation::kWrite;
    request.offset = (write ? kHalf : 0) + below((kHalf - 8192) / 512) * 512;
    if (!write && one_in(8)) request.offset = 2 * kHalf - 512 * below(3);
    if (one_in(12)) request.offset += 1;  // O_DIRECT refuses that
  }

  void place_in_character(RequestSpec& request) {
    constexpr std::array<std::uint32_t, 6> kBytes{0, 1, 512, 4095, 4096, 100};
    // One byte more than the kernel transfers at a time, and all there are. /dev/null looks at no
    // byte, and neither does a write to /dev/zero.
    constexpr std::array<std::uint32_t, 3> kManyBytes{0x7ffff000, 0x7ffff001, UINT32_MAX};
    request.nbytes = one_of(kManyBytes);
    if (fills_memory(request) || !one_in(20)) request.nbytes = one_of(kBytes);
    if (one_in(2)) request.offset = below(1u << 20);
    // The largest that is allowed.
    if (one_in(40)) request.offset = kNegative - 1 - std::min(request.nbytes, kManyBytes[0]);
  }

  Call getevents() {
    constexpr std::array<std::uint32_t, 6> kCounts{0, 1, 2, 16, 64, 512};
    constexpr std::array<Minimum, 8> kMinimums{
        Minimum::kNone,        Minimum::kNone,        Minimum::kOne,     Minimum::kOne,
        Minimum::kOutstanding, Minimum::kOutstanding, Minimum::kOneMore, Minimum::kOverNr};
    Call call{.kind = CallKind::kGetevents, .place = place(), .nr = one_of(kCounts)};
    call.minimum = one_of(kMinimums);
    call.timeout_ns = one_in(40) ? 200'000 : one_in(2) ? -1 : 0;
    call.null_events = one_in(10);
    return call;
  }

  Call user_reap() {
    return {.kind = CallKind::kUserReap, .place = place(), .nr = std::uint32_t(below(40))};
  }

  Call cancel() { return {.kind = CallKind::kCancel, .place = place(), .tags_back = below(6)}; }

  static constexpr std::uint64_t kHalf = 512 * 1024;
  static constexpr std::uint64_t kNegative = std::uint64_t{1} << 63;

  std::mt19937_64 random_;
  const GeneratorOptions options_;
  std::array<bool, kPlaces> live_{};
  bool real_ = false;
  std::uint64_t submits_ = 0;  // of 100 calls that submit or reap
};

}  // namespace

Sequence generate(std::uint64_t seed, const GeneratorOptions& options) {
  return Generator(seed, options).sequence();
}

}  // namespace aioscope::kioctx
