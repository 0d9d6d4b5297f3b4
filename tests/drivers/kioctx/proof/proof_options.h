#pragma once

#include <cstdint>

namespace aioscope::kioctx {

// Of the command line: --ops N --seed N.
struct ProofOptions {
  std::uint64_t ops = 8'000;  // requests of each stress, per stage and file
  std::uint64_t seed = 1;     // of the random schedules
};
extern ProofOptions proof_options;

}  // namespace aioscope::kioctx
