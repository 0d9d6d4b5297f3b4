#include "bench/measure/perf/tracefs.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>

namespace aioscope {
namespace {

namespace fs = std::filesystem;

// perf_event_open's records have a 16 bit size.
constexpr std::uint64_t kRecordLimit = 65'536;

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::optional<std::uint64_t> number(std::string_view text) {
  text = trimmed(text);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "KEY:VALUE" gives VALUE.
std::optional<std::string_view> value_of(std::string_view part, std::string_view key) {
  part = trimmed(part);
  if (!part.starts_with(key)) return std::nullopt;
  part.remove_prefix(key.size());
  if (!part.starts_with(':')) return std::nullopt;
  return trimmed(part.substr(1));
}

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// "char prev_comm[16]" is prev_comm of type char[16].
bool split_declaration(std::string_view text, TracepointField& field) {
  const auto bracket = std::min(text.find_last_of('['), text.size());
  const bool array =
      bracket < text.size() && text.ends_with(']') && bracket > 0 && is_name(text[bracket - 1]);
  const std::string_view dimension = array ? text.substr(bracket) : std::string_view{};
  if (array) text = text.substr(0, bracket);
  std::size_t begin = text.size();
  while (begin > 0 && is_name(text[begin - 1])) --begin;
  const std::string_view type = trimmed(text.substr(0, begin));
  if (begin == text.size() || type.empty()) return false;
  field.name = text.substr(begin);
  field.type = std::string(type) + std::string(dimension);
  return true;
}

// "field:int pid; offset:4; size:4; signed:1;"
std::optional<TracepointField> parse_field(std::string_view line) {
  constexpr std::size_t kParts = 4;
  std::string_view parts[kParts];
  for (std::string_view& part : parts) {
    const auto end = line.find(';');
    if (end == std::string_view::npos) return std::nullopt;
    part = line.substr(0, end);
    line.remove_prefix(end + 1);
  }
  TracepointField field;
  const auto declaration = value_of(parts[0], "field");
  if (!declaration || !split_declaration(*declaration, field)) return std::nullopt;
  const auto offset = number(value_of(parts[1], "offset").value_or(""));
  const auto size = number(value_of(parts[2], "size").value_or(""));
  const auto is_signed = number(value_of(parts[3], "signed").value_or(""));
  if (!offset || !size || !is_signed) return std::nullopt;
  if (*offset > kRecordLimit || *size > kRecordLimit - *offset) return std::nullopt;
  field.offset = std::uint32_t(*offset);
  field.size = std::uint32_t(*size);
  field.is_signed = *is_signed != 0;
  return field;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return is_name(c) || c == '-' || c == '.'; }) &&
         !name.starts_with('.');
}

std::vector<std::string> directories_in(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    if (at->is_directory(error)) names.push_back(at->path().filename());
  }
  std::ranges::sort(names);
  return names;
}

Refusal not_mounted() {
  return {0, "tracefs is not mounted", "sudo mount -t tracefs tracefs /sys/kernel/tracing"};
}

Refusal not_readable(const fs::path& directory) {
  return {EACCES, fmt::format("{} is not readable for this user", directory.string()),
          tracefs_cure(directory.string(), perf_rights().user_namespace)};
}

// With mode=755 alone the directories are open to all, but not the files.
bool readable(const fs::path& events) {
  const fs::path probe = events / "sched/sched_switch/id";
  return access(events.c_str(), R_OK | X_OK) == 0 &&
         (access(probe.c_str(), R_OK) == 0 || errno == ENOENT);
}

}  // namespace

const TracepointField* TracepointFormat::find(std::string_view field) const {
  const auto found = std::ranges::find(fields, field, &TracepointField::name);
  return found == fields.end() ? nullptr : &*found;
}

std::optional<TracepointFormat> parse_tracepoint_format(std::string_view text) {
  TracepointFormat format;
  bool has_id = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (const auto name = value_of(line, "name")) format.name = *name;
    if (const auto id = value_of(line, "ID")) {
      const auto value = number(*id);
      if (!value) return std::nullopt;
      format.id = *value;
      has_id = true;
    }
    if (value_of(line, "field")) {
      auto field = parse_field(line);
      if (!field) return std::nullopt;
      format.fields.push_back(std::move(*field));
    }
    if (line.starts_with("print fmt:")) break;
  }
  if (!has_id || format.name.empty()) return std::nullopt;
  return format;
}

std::string tracefs_cure(const std::string& directory, bool user_namespace) {
  // What the group of a namespace is called outside cannot be known inside.
  const std::string group = user_namespace ? "GROUP" : std::to_string(getegid());
  const std::string mount = fmt::format("mount -o remount,mode=755,gid={} {}", group, directory);
  return as_root(mount, user_namespace) +
         (user_namespace ? ", with this process's GROUP there" : ", or run as root");
}

Tracefs::Tracefs(const fs::path& root) {
  const fs::path places[] = {root / "sys/kernel/tracing", root / "sys/kernel/debug/tracing"};
  bool exists = false;
  for (const fs::path& place : places) {
    struct stat status {};
    if (stat((place / "events").c_str(), &status) == 0) {
      directory_ = place;
      if (!readable(place / "events")) refusal_ = not_readable(place);
      return;
    }
    if (errno == EACCES && directory_.empty()) {
      directory_ = place;
      refusal_ = not_readable(place);
    }
    exists = exists || access(place.c_str(), F_OK) == 0;
  }
  if (!directory_.empty()) return;
  refusal_ = exists ? not_mounted()
                    : Refusal{0, "the kernel has no tracefs", "boot one with CONFIG_FTRACE"};
}

std::variant<std::string, Refusal> Tracefs::read(std::string_view tracepoint,
                                                 const char* file) const {
  const auto colon = tracepoint.find(':');
  if (colon == std::string_view::npos || !is_plain_name(tracepoint.substr(0, colon)) ||
      !is_plain_name(tracepoint.substr(colon + 1))) {
    return Refusal{EINVAL, fmt::format("'{}' is no tracepoint's name", tracepoint),
                   "write SYSTEM:EVENT, as in lock:contention_begin"};
  }
  if (!usable()) return refusal_;
  const fs::path path =
      directory_ / "events" / tracepoint.substr(0, colon) / tracepoint.substr(colon + 1) / file;
  errno = 0;
  std::ifstream stream(path);
  if (!stream) {
    const int error = errno;
    if (error == EACCES) return not_readable(directory_);
    if (error == EMFILE || error == ENFILE) return too_many_files(error, path.string());
    if (error != ENOENT && error != ENOTDIR) {
      return Refusal{error, fmt::format("{}: {}", path.string(), std::strerror(error)),
                     "look at it in tracefs"};
    }
    return Refusal{ENOENT, fmt::format("this kernel has no tracepoint {}", tracepoint),
                   "see 'aioscope list counters'"};
  }
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

std::variant<std::uint64_t, Refusal> Tracefs::id(std::string_view tracepoint) const {
  auto text = read(tracepoint, "id");
  if (auto* refusal = std::get_if<Refusal>(&text)) return std::move(*refusal);
  std::string_view digits = std::get<std::string>(text);
  digits = digits.substr(0, digits.find('\n'));
  if (const auto id = number(digits)) return *id;
  return Refusal{EINVAL, fmt::format("the id of {} is not a number", tracepoint),
                 "look at it in tracefs"};
}

std::variant<TracepointFormat, Refusal> Tracefs::format(std::string_view tracepoint) const {
  auto text = read(tracepoint, "format");
  if (auto* refusal = std::get_if<Refusal>(&text)) return std::move(*refusal);
  if (auto format = parse_tracepoint_format(std::get<std::string>(text))) {
    return std::move(*format);
  }
  return Refusal{EINVAL, fmt::format("the format of {} is not understood", tracepoint),
                 "look at it in tracefs"};
}

std::vector<std::string> Tracefs::tracepoints() const {
  std::vector<std::string> names;
  if (!usable()) return names;
  for (const std::string& system : directories_in(directory_ / "events")) {
    for (const std::string& event : directories_in(directory_ / "events" / system)) {
      names.push_back(fmt::format("{}:{}", system, event));
    }
  }
  return names;
}

}  // namespace aioscope
