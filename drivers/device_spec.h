// What a simulated device is like, and how that is written: the notation of File::spec.
//
//   latency=10us,jitter=2us,cpus=2,coalesce=8,error-rate=0.001,cancel=yes
//
// The order is free, what is left out has its default, and an empty text is all defaults.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace aioscope {

struct DeviceSpec {
  std::int64_t latency_ns = 10'000;  // from a request's arrival to its end, at least; 0 to 10 s
  std::int64_t jitter_ns = 0;        // 0 to so much more, uniform; 0 to 10 s
  std::uint32_t cpus = 1;            // that take the device's interrupts; 1 to 1024
  std::uint32_t coalesce = 1;        // most requests that one interrupt completes; 1 to 1024
  double error_rate = 0;             // share of the requests that fail with EIO; 0 to 1
  bool cancel = false;               // whether a request can be cancelled while it waits

  // NOLINTNEXTLINE(modernize-use-nullptr): takes for a pointer the 0 that this compares with
  auto operator<=>(const DeviceSpec&) const = default;
};

// The text is none. what() is one line that names the key and says what is allowed.
class DeviceSpecError : public std::runtime_error {
 public:
  explicit DeviceSpecError(const std::string& what, std::string unknown_key = {})
      : std::runtime_error(what), unknown_key_(std::move(unknown_key)) {}
  const std::string& unknown_key() const { return unknown_key_; }  // "" when that is not it

 private:
  std::string unknown_key_;
};

DeviceSpec parse_device_spec(std::string_view text);  // throws DeviceSpecError

// All keys with their values, which parse_device_spec() takes: "latency=10us,jitter=0ns,...".
std::string device_spec_text(const DeviceSpec& spec);

std::span<const std::string_view> device_spec_keys();

}  // namespace aioscope
