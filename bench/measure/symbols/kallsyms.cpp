#include "bench/measure/symbols/kallsyms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

namespace aioscope {

// A symbol of any type: those that are no functions still say where functions end.
struct Kallsyms::Line {
  std::uint64_t address;
  std::string_view name;
  std::string_view module;
  char type;

  bool is_function() const {
    const bool text = type == 't' || type == 'T' || type == 'w' || type == 'W';
    return text && name != "_etext" && name != "_einittext";  // ends, where nothing is
  }
};

namespace {

constexpr std::uint64_t kPageSize = 4096;  // at least; for the last function of a module

// Of several names for one address the one to show: public before local before weak, as in the
// sources rather than with a prefix of underscores.
template <typename Line>
int rank(const Line& line) {
  const int type = line.type == 'T' ? 0 : line.type == 't' ? 1 : 2;
  return type * 2 + (line.name.starts_with('_') ? 1 : 0);
}

template <typename Line>
std::optional<Line> parse_line(std::string_view text) {
  Line line{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, line.address, 16);
  if (error != std::errc{} || end - rest < 4 || rest[0] != ' ' || rest[2] != ' ')
    return std::nullopt;
  line.type = rest[1];
  text = std::string_view(rest + 3, std::size_t(end - rest - 3));
  const std::size_t tab = text.find('\t');
  line.name = text.substr(0, tab);
  if (line.name.empty() || line.name.size() > std::numeric_limits<std::uint16_t>::max()) {
    return std::nullopt;
  }
  if (tab == std::string_view::npos) return line;
  text.remove_prefix(tab + 1);
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return std::nullopt;
  line.module = text.substr(1, text.size() - 2);
  return line;
}

}  // namespace

Kallsyms Kallsyms::parse(std::string_view text) {
  Kallsyms result;
  std::vector<Line> lines;
  bool hidden = false;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    if (const auto line = parse_line<Line>(text.substr(0, length))) {
      if (line->address != 0) {
        lines.push_back(*line);
      } else if (line->is_function()) {
        hidden = true;
      }
    }
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  result.add_functions(lines);
  if (!result.functions_.empty()) return result;
  result.reason_ = hidden ? "/proc/kallsyms hides the kernel's addresses from this user; as root: "
                            "sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=1, or run "
                            "with CAP_SYSLOG and kernel.kptr_restrict=1"
                          : "/proc/kallsyms lists no functions; the kernel needs CONFIG_KALLSYMS";
  return result;
}

Kallsyms Kallsyms::read(const std::filesystem::path& root) {
  std::ifstream file(root / "proc/kallsyms", std::ios::binary);
  if (!file) {
    Kallsyms result;
    const int error = errno;
    const char* cure = error == EMFILE || error == ENFILE
                           ? "ulimit -n 65536, or fewer threads"
                           : "the kernel needs CONFIG_KALLSYMS, and /proc must be mounted";
    result.reason_ = fmt::format("/proc/kallsyms: {}; {}", std::strerror(error), cure);
    return result;
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse(text.view());
}

std::uint32_t Kallsyms::module_index(std::string_view name) {
  if (modules_.back() == name) return std::uint32_t(modules_.size() - 1);
  const auto at = std::ranges::find(modules_, name);
  if (at != modules_.end()) return std::uint32_t(at - modules_.begin());
  modules_.emplace_back(name);
  return std::uint32_t(modules_.size() - 1);
}

void Kallsyms::add_functions(std::vector<Line>& lines) {
  std::ranges::stable_sort(lines, {}, &Line::address);
  for (std::size_t i = 0; i < lines.size();) {
    std::size_t next = i;
    const Line* best = nullptr;
    for (; next < lines.size() && lines[next].address == lines[i].address; ++next) {
      const Line& line = lines[next];
      if (line.is_function() && (best == nullptr || rank(line) < rank(*best))) best = &line;
    }
    i = next;
    if (best == nullptr || names_.size() > std::numeric_limits<std::uint32_t>::max()) continue;
    // The end of the last function of a module is not told: that of its page is safe.
    std::uint64_t end = (best->address | (kPageSize - 1)) + 1;
    if (end == 0) end = std::numeric_limits<std::uint64_t>::max();
    if (next < lines.size() && (lines[next].module == best->module || lines[next].address < end)) {
      end = lines[next].address;
    }
    functions_.push_back({.begin = best->address,
                          .end = end,
                          .name = std::uint32_t(names_.size()),
                          .module = module_index(best->module),
                          .name_size = std::uint16_t(best->name.size())});
    names_ += best->name;
  }
  functions_.shrink_to_fit();
}

Kallsyms::Function Kallsyms::find(std::uint64_t address) const {
  const auto above = std::ranges::upper_bound(functions_, address, {}, &Entry::begin);
  if (above == functions_.begin()) return {};
  const Entry& entry = *std::prev(above);
  if (address >= entry.end) return {};
  return {.name = std::string_view(names_).substr(entry.name, entry.name_size),
          .module = modules_[entry.module],
          .begin = entry.begin};
}

}  // namespace aioscope
