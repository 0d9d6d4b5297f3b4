#pragma once

#include <cstdint>
#include <string>

namespace aioscope::kioctx {

// Of the command line: --calls N --seed N --replay FILE.
struct DifferentialOptions {
  std::uint64_t calls = 6'000;  // to compare with mainline; a twentieth with each stage
  std::uint64_t seed = 1;       // of the first sequence
  std::string replay;           // a file with a sequence as it is printed; empty: none
};
extern DifferentialOptions differential_options;

}  // namespace aioscope::kioctx
