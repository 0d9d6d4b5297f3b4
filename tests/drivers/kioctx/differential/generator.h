#pragma once

#include <cstdint>

#include "tests/drivers/kioctx/differential/sequence.h"

namespace aioscope::kioctx {

struct GeneratorOptions {
  std::uint32_t calls = 1000;
  bool real_files = true;
  // Beyond what is common to all stages: rings that are filled up, and reaping in user space, which
  // gives slots back in today's kernel only.
  bool todays_rules = true;
};

// The same for the same seed. Valid: a context is made before it is used, mostly.
Sequence generate(std::uint64_t seed, const GeneratorOptions& options);

}  // namespace aioscope::kioctx
