#include "bench/micro/bare_options.h"

#include <fmt/format.h>
#include <getopt.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace aioscope {
namespace {

constexpr const char* kUsage =
    "usage: aioscope_bare_loops --engine libaio|io_uring [--file PATH] [--block-size BYTES]\n"
    "         [--depth N] [--batch N] [--duration SECONDS]\n"
    "Reads with a bare loop, one thread, no harness, and prints one line of JSON.\n"
    "example: aioscope_bare_loops --engine io_uring --file /dev/zero --duration 2\n";

[[noreturn]] void fail(const std::string& problem) {
  fmt::print(stderr, "aioscope_bare_loops: {}\n{}", problem, kUsage);
  std::exit(2);
}

template <typename Number>
Number number(const char* option, const char* text, Number least, Number most) {
  Number value{};
  const char* end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || rest != end || !(value >= least && value <= most)) {
    fail(fmt::format("--{} {}: give a number from {} to {}", option, text, least, most));
  }
  return value;
}

}  // namespace

BareOptions parse_bare_options(int argc, char** argv) {
  static constexpr std::array<option, 8> kOptions{{{"engine", required_argument, nullptr, 'e'},
                                                   {"file", required_argument, nullptr, 'f'},
                                                   {"block-size", required_argument, nullptr, 's'},
                                                   {"depth", required_argument, nullptr, 'd'},
                                                   {"batch", required_argument, nullptr, 'b'},
                                                   {"duration", required_argument, nullptr, 't'},
                                                   {"help", no_argument, nullptr, 'h'},
                                                   {nullptr, 0, nullptr, 0}}};
  BareOptions options;
  for (int key = 0; (key = getopt_long(argc, argv, "", kOptions.data(), nullptr)) != -1;) {
    switch (key) {
      case 'e':
        options.engine = optarg;
        break;
      case 'f':
        options.path = optarg;
        break;
      case 's':
        options.block_bytes = number("block-size", optarg, 1u, 1u << 20);
        break;
      case 'd':
        options.depth = number("depth", optarg, 1u, 4096u);
        break;
      case 'b':
        options.batch = number("batch", optarg, 1u, 4096u);
        break;
      case 't':
        options.duration_s = number("duration", optarg, 0.01, 3600.0);
        break;
      case 'h':
        fmt::print("{}", kUsage);
        std::exit(0);
      default:
        fail("unknown option, or one without its value");
    }
  }
  if (optind != argc) fail(fmt::format("unexpected argument {}", argv[optind]));
  if (options.engine != "libaio" && options.engine != "io_uring") {
    fail(fmt::format("--engine {}: give libaio or io_uring", options.engine));
  }
  if (options.batch > options.depth) fail("--batch is larger than --depth");
  return options;
}

}  // namespace aioscope
