// usage: kioctx_proof_test [--ops N] [--seed N] [--gtest_...]
#include <gtest/gtest.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "tests/drivers/kioctx/proof/proof_options.h"

namespace aioscope::kioctx {
ProofOptions proof_options;
}

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name(argv[i]);
    const std::string_view digits(i + 1 < argc ? argv[i + 1] : "");
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value);
    if (error != std::errc{} || end != digits.end() || value == 0 ||
        (name != "--ops" && name != "--seed")) {
      std::fprintf(stderr, "usage: %s [--ops N] [--seed N], both above 0\n", argv[0]);
      return 2;
    }
    auto& options = aioscope::kioctx::proof_options;
    (name == "--ops" ? options.ops : options.seed) = value;
  }
  return RUN_ALL_TESTS();
}
