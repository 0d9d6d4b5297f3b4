// Deterministic mutation of a text, for parsers that must survive anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace aioscope {

// Calls `check` with `rounds` mutants of `seed`: bytes changed, pieces cut out, doubled or moved,
// interesting words put in. The same ones in every run.
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
  for (int round = 0; round < rounds; ++round) {
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
