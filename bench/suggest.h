// "did you mean": the known word nearest to a mistyped one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace aioscope {

// The candidate with the fewest edits (insert, delete, replace, swap of neighbours) to `word`, ""
// when none is near enough to be meant.
std::string nearest_word(std::string_view word, std::span<const std::string> candidates);

// "; did you mean 'libaio'?" or, when nothing is near, "; known: a, b, c".
std::string suggestion(std::string_view word, std::span<const std::string> candidates);

}  // namespace aioscope
