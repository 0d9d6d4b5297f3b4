// usage: kioctx_differential_test [--calls N] [--seed N] [--replay FILE] [--gtest_...]
#include <gtest/gtest.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "tests/drivers/kioctx/differential/differential_options.h"

namespace aioscope::kioctx {
DifferentialOptions differential_options;

namespace {

bool read_option(std::string_view name, const char* value) {
  if (value == nullptr) return false;
  if (name == "--replay") {
    differential_options.replay = value;
    return true;
  }
  const std::string_view digits(value);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(value, value + digits.size(), number);
  if (error != std::errc{} || end != value + digits.size() || number == 0) return false;
  if (name != "--calls" && name != "--seed") return false;
  (name == "--calls" ? differential_options.calls : differential_options.seed) = number;
  return true;
}

}  // namespace
}  // namespace aioscope::kioctx

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; i += 2) {
    if (!aioscope::kioctx::read_option(argv[i], i + 1 < argc ? argv[i + 1] : nullptr)) {
      std::fprintf(stderr, "usage: %s [--calls N] [--seed N] [--replay FILE], numbers above 0\n",
                   argv[0]);
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
