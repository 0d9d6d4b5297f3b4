#pragma once

#include <cstdint>
#include <string>

namespace aioscope {

// One closed loop: fill the queue to `depth`, then reap what is there, at most `batch`, and submit
// as many again.
struct BareOptions {
  std::string engine;              // "libaio" or "io_uring"
  std::string path = "/dev/zero";  // a regular file is opened with O_DIRECT and read at random
  std::uint32_t block_bytes = 512;
  std::uint32_t depth = 128;
  std::uint32_t batch = 32;
  double duration_s = 2;
};

// Prints the usage and exits with 0 for --help and 2 for bad options.
BareOptions parse_bare_options(int argc, char** argv);

}  // namespace aioscope
