#include "drivers/device_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace aioscope {
namespace {

constexpr double kLongestNs = 10e9;
constexpr std::uint32_t kMostCpus = 1024;
constexpr std::uint32_t kMostCoalesced = 1024;

struct TimeUnit {
  std::string_view name;
  double ns;
};
constexpr std::array<TimeUnit, 4> kTimeUnits{{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};

// The number in front of `text`, which is cut off; nullopt when there is none.
template <typename Number>
std::optional<Number> take_number(std::string_view& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(std::size_t(end - text.data()));
  return value;
}

bool set_time(std::int64_t& field, std::string_view text) {
  const auto number = take_number<double>(text);
  const auto* unit = std::ranges::find(kTimeUnits, text, &TimeUnit::name);
  if (!number || unit == kTimeUnits.end()) return false;
  const double ns = *number * unit->ns;
  if (!(ns >= 0 && ns <= kLongestNs)) return false;  // so that not-a-number is refused, too
  field = std::llround(ns);
  return true;
}

bool set_count(std::uint32_t& field, std::string_view text, std::uint32_t most) {
  const auto number = take_number<std::uint32_t>(text);
  if (!number || !text.empty() || *number < 1 || *number > most) return false;
  field = *number;
  return true;
}

bool set_share(double& field, std::string_view text) {
  const auto number = take_number<double>(text);
  if (!number || !text.empty() || !(*number >= 0 && *number <= 1)) return false;
  field = *number;
  return true;
}

bool set_yes_no(bool& field, std::string_view text) {
  field = text == "yes";
  return text == "yes" || text == "no";
}

struct Key {
  std::string_view name;
  std::string_view allowed;
  bool (*set)(DeviceSpec&, std::string_view value);  // false: not an allowed value
};

constexpr std::array<Key, 6> kKeys{{
    {"latency", "a time from 0ns to 10s with its unit: ns, us, ms or s",
     [](DeviceSpec& spec, std::string_view value) { return set_time(spec.latency_ns, value); }},
    {"jitter", "a time from 0ns to 10s with its unit: ns, us, ms or s",
     [](DeviceSpec& spec, std::string_view value) { return set_time(spec.jitter_ns, value); }},
    {"cpus", "a whole number from 1 to 1024",
     [](DeviceSpec& spec, std::string_view value) {
       return set_count(spec.cpus, value, kMostCpus);
     }},
    {"coalesce", "a whole number from 1 to 1024",
     [](DeviceSpec& spec, std::string_view value) {
       return set_count(spec.coalesce, value, kMostCoalesced);
     }},
    {"error-rate", "a number from 0 to 1",
     [](DeviceSpec& spec, std::string_view value) { return set_share(spec.error_rate, value); }},
    {"cancel", "yes or no",
     [](DeviceSpec& spec, std::string_view value) { return set_yes_no(spec.cancel, value); }},
}};

constexpr auto kKeyNames = [] {
  std::array<std::string_view, kKeys.size()> names;
  std::ranges::transform(kKeys, names.begin(), &Key::name);
  return names;
}();

void apply(DeviceSpec& spec, std::string_view item, std::array<bool, kKeys.size()>& given) {
  const std::size_t equals = std::min(item.find('='), item.size());
  const std::string_view name = item.substr(0, equals);
  const auto* key = std::ranges::find(kKeys, name, &Key::name);
  if (key == kKeys.end()) {
    throw DeviceSpecError(
        fmt::format("device: unknown key '{}'; known: {}", name, fmt::join(kKeyNames, ", ")),
        std::string(name));
  }
  if (std::exchange(given[std::size_t(key - kKeys.begin())], true)) {
    throw DeviceSpecError(fmt::format("device: {} is given twice; leave one out", name));
  }
  if (equals == item.size()) {
    throw DeviceSpecError(
        fmt::format("device: {} has no value; write {}= and {}", name, name, key->allowed));
  }
  const std::string_view value = item.substr(equals + 1);
  if (key->set(spec, value)) return;
  throw DeviceSpecError(fmt::format("device: {}: '{}' is not {}", name, value, key->allowed));
}

// In the largest unit that leaves a whole number.
std::string time_text(std::int64_t ns) {
  const TimeUnit* unit = kTimeUnits.begin();
  for (const TimeUnit& larger : kTimeUnits) {
    if (ns != 0 && ns % std::int64_t(larger.ns) == 0) unit = &larger;
  }
  return fmt::format("{}{}", ns / std::int64_t(unit->ns), unit->name);
}

}  // namespace

DeviceSpec parse_device_spec(std::string_view text) {
  DeviceSpec spec;
  std::array<bool, kKeys.size()> given{};
  for (std::size_t begin = 0; !text.empty() && begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    if (comma == begin) {
      throw DeviceSpecError(fmt::format("device: '{}' has an empty item; leave out a comma", text));
    }
    apply(spec, text.substr(begin, comma - begin), given);
    begin = comma + 1;
  }
  return spec;
}

std::string device_spec_text(const DeviceSpec& spec) {
  return fmt::format("latency={},jitter={},cpus={},coalesce={},error-rate={},cancel={}",
                     time_text(spec.latency_ns), time_text(spec.jitter_ns), spec.cpus,
                     spec.coalesce, spec.error_rate, spec.cancel ? "yes" : "no");
}

std::span<const std::string_view> device_spec_keys() { return kKeyNames; }

}  // namespace aioscope
