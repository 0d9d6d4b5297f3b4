// Deterministic mutation of a text, for parsers that must survive anything. For longer than the
// tests take: AIOSCOPE_FUZZ_ROUNDS=1000000 bin/bench_symbols_test --gtest_filter='*Mutants*', and
// likewise bench_perf_test, bench_profile_test, bench_locks_test.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace aioscope {

// `rounds`, unless AIOSCOPE_FUZZ_ROUNDS asks for more.
inline int fuzz_rounds(int rounds) {
  const char* asked = std::getenv("AIOSCOPE_FUZZ_ROUNDS");
  return asked == nullptr ? rounds : std::max(rounds, std::atoi(asked));
}

// Calls `check` with fuzz_rounds(rounds) mutants of `seed`: bytes changed, pieces cut out, doubled
// or moved, interesting words put in. The same ones in every run.
template <typename Check>
void for_each_mutant(std::string_view seed, int rounds, Check&& check) {
  constexpr std::string_view kWords[] = {"ffffffffffffffff",
                                         "0",
                                         "0000000000000000",
                                         "18446744073709551616",
                                         "\n",
                                         "\t",
                                         " ",
                                         "[",
                                         "]",
                                         "-",
                                         ":",
                                         "(deleted)",
                                         "\\012",
                                         "=",
                                         "\"",
                                         "\xff",
                                         "%s",
                                         "T",
                                         "t"};
  std::mt19937_64 random(20120101);
  const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
  for (int left = fuzz_rounds(rounds); left > 0; --left) {
    std::string text(seed);
    for (std::size_t changes = 1 + below(8); changes > 0; --changes) {
      const std::size_t at = below(text.size() + 1);
      const std::size_t length = below(24);
      switch (below(5)) {
        case 0:
          if (at < text.size()) text[at] = char(random());
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, text.substr(at, length));
          break;
        case 3:
          text.insert(at, std::string(kWords[below(std::size(kWords))]));
          break;
        case 4:
          text.resize(at);
          break;
      }
    }
    check(text);
  }
}

}  // namespace aioscope
