// Suites: plans in TOML files, whose keys are the names of `run`'s options.
//
//   summary = "..."            one line for 'aioscope list suites'
//   repetitions = 3            any option of `run` that is not the command line's alone
//   submitters = "1..8*2"      lists as on the command line, or as TOML arrays
//   [[part]]                   optional: each part is a product of rows of its own, whose keys
//   block-size = "4k"          override those above
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/settings.h"

namespace aioscope {

struct Suite {
  std::string name;
  std::string summary;
  std::vector<Assignment> top;
  std::vector<std::vector<Assignment>> parts;  // empty: one part, made of `top` alone
};

struct BuiltinSuite {
  std::string_view name;
  std::string_view text;
};
std::span<const BuiltinSuite> builtin_suites();

// Throws UsageError "SOURCE:LINE: ..." for bad TOML, unknown keys and values of a wrong type.
Suite parse_suite(std::string_view text, const std::string& source);

// A built-in suite by its name, or a file: whatever has a '/' or ends in ".toml". Throws
// UsageError.
Suite load_suite(const std::string& name_or_path);

// The options of each part, and in the first place those of the whole run: the defaults, overridden
// by the suite, overridden by the command line. Throws UsageError.
struct RunRequest {
  RunOptions run;
  std::vector<RowOptions> parts;  // at least one
};
RunRequest resolve(std::span<const Assignment> command_line);

}  // namespace aioscope
