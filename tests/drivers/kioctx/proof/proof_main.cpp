// usage: kioctx_proof_test [--ops N] [--seed N] [--gtest_...]
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/drivers/kioctx/proof/proof_options.h"

namespace aioscope::kioctx {
ProofOptions proof_options;
}

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name(argv[i]);
    char* end = nullptr;
    const std::uint64_t value = i + 1 < argc ? std::strtoull(argv[i + 1], &end, 10) : 0;
    if (value == 0 || *end != '\0' || (name != "--ops" && name != "--seed")) {
      std::fprintf(stderr, "usage: %s [--ops N] [--seed N], both above 0\n", argv[0]);
      return 2;
    }
    auto& options = aioscope::kioctx::proof_options;
    (name == "--ops" ? options.ops : options.seed) = value;
  }
  return RUN_ALL_TESTS();
}
