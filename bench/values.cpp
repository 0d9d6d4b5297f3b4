#include "bench/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace aioscope {
namespace {

constexpr std::size_t kLongestRange = 4096;

[[noreturn]] void fail(std::string_view text, std::string_view why) {
  throw UsageError(fmt::format("'{}' {}", text, why));
}

std::string number_text(std::uint64_t value, const Limits& limits) {
  return limits.suffix == Suffix::kBytes ? size_text(value) : std::to_string(value);
}

[[noreturn]] void fail_range(std::string_view text, const Limits& limits) {
  fail(text, fmt::format("is out of range; from {} to {}", number_text(limits.low, limits),
                         number_text(limits.high, limits)));
}

// 0 when `suffix` is unknown.
std::uint64_t multiplier(std::string_view suffix, Suffix kind) {
  if (suffix.empty()) return 1;
  constexpr std::string_view kLetters = "kmgt";
  const auto power = kLetters.find(static_cast<char>(suffix[0] | 0x20));
  if (power == std::string_view::npos) return 0;
  suffix.remove_prefix(1);
  const bool binary = suffix.starts_with('i') || kind == Suffix::kBytes;
  if (suffix.starts_with('i')) suffix.remove_prefix(1);
  if (kind == Suffix::kBytes && suffix == "B") suffix.remove_prefix(1);
  if (!suffix.empty()) return 0;
  std::uint64_t factor = 1;
  for (std::size_t i = 0; i <= power; ++i) factor *= binary ? 1024 : 1000;
  return factor;
}

struct Range {
  std::uint64_t first = 0, last = 0, step = 1;
  bool geometric = false;
};

std::uint64_t number_or_cpus(std::string_view text, const Limits& limits, std::uint32_t cpus) {
  return text == "cpus" ? cpus : parse_number(text, limits);
}

// A..B, A..B+STEP, A..B*FACTOR
Range parse_range(std::string_view text, std::size_t dots, const Limits& limits,
                  std::uint32_t cpus) {
  const std::string_view rest = text.substr(dots + 2);
  const std::size_t sign = std::min(rest.find_first_of("+*"), rest.size());
  Range range{.first = number_or_cpus(text.substr(0, dots), limits, cpus),
              .last = number_or_cpus(rest.substr(0, sign), limits, cpus)};
  if (sign < rest.size()) {
    range.geometric = rest[sign] == '*';
    range.step = parse_number(rest.substr(sign + 1), {.suffix = limits.suffix});
    if (range.step < (range.geometric ? 2u : 1u)) fail(text, "never ends; give a larger step");
  }
  if (range.last < range.first) fail(text, "ends before it begins; write the smaller value first");
  if (range.geometric && range.first == 0) fail(text, "multiplies 0; begin with 1 or more");
  return range;
}

void expand(const Range& range, std::string_view text, std::vector<std::uint64_t>& values) {
  std::size_t count = 0;
  for (std::uint64_t value = range.first; value <= range.last;) {
    if (++count > kLongestRange) {
      fail(text, fmt::format("has more than {} values; give a larger step", kLongestRange));
    }
    values.push_back(value);
    if (range.geometric ? value > UINT64_MAX / range.step : value > UINT64_MAX - range.step) break;
    value = range.geometric ? value * range.step : value + range.step;
  }
}

struct TimeUnit {
  std::string_view name;
  double ns;
};
constexpr std::array<TimeUnit, 8> kTimeUnits{{{"", 1e9},
                                              {"s", 1e9},
                                              {"ms", 1e6},
                                              {"us", 1e3},
                                              {"ns", 1},
                                              {"m", 60e9},
                                              {"min", 60e9},
                                              {"h", 3600e9}}};

// The number in front of `text`, which is cut off; nullopt when there is none.
std::optional<double> take_real(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

std::uint64_t parse_number(std::string_view text, const Limits& limits) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view number = text.substr(0, digits);
  const std::uint64_t factor = multiplier(text.substr(digits), limits.suffix);
  if (text.starts_with('-')) fail_range(text, limits);
  if (number.empty() || factor == 0) {
    fail(text, limits.suffix == Suffix::kBytes ? "is not a size such as 512, 4k or 1M"
                                               : "is not a whole number");
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc::result_out_of_range) fail_range(text, limits);
  if (end != number.data() + number.size()) fail(text, "is not a whole number");
  if (value > UINT64_MAX / factor) fail_range(text, limits);
  value *= factor;
  if (value < limits.low || value > limits.high) fail_range(text, limits);
  return value;
}

std::vector<std::uint32_t> parse_numbers(std::span<const std::string> texts, const Limits& limits,
                                         std::uint32_t cpus) {
  std::vector<std::uint64_t> values;
  for (const std::string& item : split_list(texts)) {
    const std::size_t dots = item.find("..");
    if (dots == std::string::npos) {
      values.push_back(number_or_cpus(item, limits, cpus));
    } else {
      expand(parse_range(item, dots, limits, cpus), item, values);
    }
  }
  std::vector<std::uint32_t> unique;
  for (const std::uint64_t value : values) {
    const auto number = static_cast<std::uint32_t>(value);
    if (std::ranges::find(unique, number) == unique.end()) unique.push_back(number);
  }
  return unique;
}

double parse_real(std::string_view text, double low, double high) {
  std::string_view rest = text;
  const auto value = take_real(rest);
  const std::uint64_t factor = multiplier(rest, Suffix::kCount);
  if (!value || factor == 0) fail(text, "is not a number");
  const double scaled = *value * double(factor);
  if (scaled < low || scaled > high) {
    fail(text, fmt::format("is out of range; from {:g} to {:g}", low, high));
  }
  return scaled;
}

std::int64_t parse_duration(std::string_view text, std::int64_t low_ns, std::int64_t high_ns) {
  std::string_view unit = text;
  const auto value = take_real(unit);
  const auto* known = std::ranges::find(kTimeUnits, unit, &TimeUnit::name);
  if (!value || known == kTimeUnits.end()) fail(text, "is not a time such as 500ms, 2s or 1m");
  const double ns = *value * known->ns;
  if (ns < double(low_ns) || ns > double(high_ns)) {
    fail(text, fmt::format("is out of range; from {} to {}", duration_text(low_ns),
                           duration_text(high_ns)));
  }
  return std::llround(ns);
}

bool parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  fail(text, "is neither true nor false");
}

std::string duration_text(std::int64_t ns) {
  if (ns == 0) return "0 s";
  if (ns < 1'000) return fmt::format("{} ns", ns);
  if (ns < 1'000'000) return fmt::format("{:g} us", double(ns) / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.4g} ms", double(ns) / 1e6);
  if (ns < 60'000'000'000) return fmt::format("{:.3g} s", double(ns) / 1e9);
  const std::int64_t seconds = (ns + 500'000'000) / 1'000'000'000;
  if (seconds < 3600) {
    return seconds % 60 == 0 ? fmt::format("{} m", seconds / 60)
                             : fmt::format("{} m {} s", seconds / 60, seconds % 60);
  }
  const std::int64_t minutes = (seconds + 30) / 60;
  return minutes % 60 == 0 ? fmt::format("{} h", minutes / 60)
                           : fmt::format("{} h {} m", minutes / 60, minutes % 60);
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits{"", " KiB", " MiB", " GiB", " TiB"};
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes >= 1024 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", bytes, kUnits[unit]);
}

std::vector<std::string> split_list(std::span<const std::string> values) {
  std::vector<std::string> items;
  for (const std::string& value : values) {
    std::size_t begin = 0;
    while (begin <= value.size()) {
      const std::size_t comma = std::min(value.find(',', begin), value.size());
      items.push_back(value.substr(begin, comma - begin));
      if (items.back().empty()) fail(value, "has an empty item");
      begin = comma + 1;
    }
  }
  return items;
}

}  // namespace aioscope
