// The notations of option values: numbers, sizes, durations, lists and ranges.
//
// Every function throws UsageError, whose text names the value and, where there is one, the range.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace aioscope {

// What the user asked for cannot be understood or done; what() is one line that names the cure.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Multipliers of suffixes: 1024 for sizes in bytes ("4k", "1M", "2G", also "4K", "4KiB"), 1000 for
// counts and rates ("100k", "1M"). "Ki", "Mi", "Gi" are 1024 in both.
enum class Suffix { kBytes, kCount };

struct Limits {
  std::uint64_t low = 0;
  std::uint64_t high = UINT64_MAX;
  Suffix suffix = Suffix::kCount;
};

std::uint64_t parse_number(std::string_view text, const Limits& limits);

// "1,2,4", "1..8", "0..64+16", "1..256*2" and mixtures, each value once, in order of appearance.
// The word "cpus" stands for `cpus`.
std::vector<std::uint32_t> parse_numbers(std::span<const std::string> texts, const Limits& limits,
                                         std::uint32_t cpus);

double parse_real(std::string_view text, double low, double high);

// "500ms", "2s", "1.5m", "1h", "100us"; a bare number is in seconds. In nanoseconds.
std::int64_t parse_duration(std::string_view text, std::int64_t low_ns, std::int64_t high_ns);

bool parse_bool(std::string_view text);  // true, false

// "500 ms", "1.5 s", "2 m 5 s".
std::string duration_text(std::int64_t ns);
// "512", "4 KiB", "1 MiB".
std::string size_text(std::uint64_t bytes);

// The comma-separated items of every value; empty items are an error.
std::vector<std::string> split_list(std::span<const std::string> values);

}  // namespace aioscope
