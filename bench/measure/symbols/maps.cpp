#include "bench/measure/symbols/maps.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace aioscope {
namespace {

// Takes the text up to the next space, and the spaces behind it, off `line`.
std::string_view take_word(std::string_view& line) {
  const std::size_t length = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, length);
  line.remove_prefix(std::min(line.find_first_not_of(' ', length), line.size()));
  return word;
}

std::optional<std::uint64_t> parse_hexadecimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The kernel writes a newline within a path as \012, and nothing else in that way.
std::string unescape(std::string_view path) {
  constexpr std::string_view kNewline = "\\012";
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool newline = path.substr(i).starts_with(kNewline);
    text += newline ? '\n' : path[i];
    if (newline) i += kNewline.size() - 1;
  }
  return text;
}

// "55d0c8a00000-55d0c8a21000 r-xp 00002000 fe:00 1234   /usr/bin/some thing (deleted)"
std::optional<Mapping> parse_line(std::string_view line) {
  const std::string_view range = take_word(line);
  const std::string_view permissions = take_word(line);
  const auto offset = parse_hexadecimal(take_word(line));
  take_word(line);  // device
  take_word(line);  // inode
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos || permissions.size() != 4 || !offset) return std::nullopt;
  const auto begin = parse_hexadecimal(range.substr(0, dash));
  const auto end = parse_hexadecimal(range.substr(dash + 1));
  if (!begin || !end || *begin >= *end) return std::nullopt;
  Mapping mapping{.begin = *begin,
                  .end = *end,
                  .offset = *offset,
                  .executable = permissions[2] == 'x',
                  .path = {}};
  constexpr std::string_view kDeleted = " (deleted)";
  if (line.ends_with(kDeleted)) {
    mapping.deleted = true;
    line.remove_suffix(kDeleted.size());
  }
  mapping.path = unescape(line);
  return mapping;
}

}  // namespace

std::vector<Mapping> parse_maps(std::string_view text) {
  std::vector<Mapping> maps;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    if (auto mapping = parse_line(text.substr(0, length))) maps.push_back(std::move(*mapping));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  std::ranges::stable_sort(maps, {}, &Mapping::begin);
  return maps;
}

const Mapping* find_mapping(const std::vector<Mapping>& maps, std::uint64_t address) {
  const auto above = std::ranges::upper_bound(maps, address, {}, &Mapping::begin);
  if (above == maps.begin()) return nullptr;
  const Mapping& mapping = *std::prev(above);
  return address < mapping.end ? &mapping : nullptr;
}

}  // namespace aioscope
