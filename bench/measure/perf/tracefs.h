// The kernel's tracepoints as tracefs describes them: numbers for perf_event_open, and the layout
// of what a tracepoint records.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/measure/perf/perf_event.h"

namespace aioscope {

// A field of a tracepoint's record: bytes [offset, offset + size) of PERF_SAMPLE_RAW's data.
struct TracepointField {
  std::string type;  // "unsigned int", "char[16]", "__data_loc char[]"
  std::string name;
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
  bool is_signed = false;
};

struct TracepointFormat {
  std::string name;
  std::uint64_t id = 0;
  std::vector<TracepointField> fields;
  const TracepointField* find(std::string_view field) const;  // nullptr: has none of that name
};

// The text of a file events/SYSTEM/EVENT/format. nullopt when it is not one: no id, a field
// without a name, or one that lies beyond what a record can hold.
std::optional<TracepointFormat> parse_tracepoint_format(std::string_view text);

// What makes tracefs, mounted there, readable for this process.
std::string tracefs_cure(const std::string& directory, bool user_namespace);

// Reads tracefs where it is mounted below `root`: sys/kernel/tracing, else
// sys/kernel/debug/tracing. Tracepoints are named SYSTEM:EVENT, as in "lock:contention_begin".
class Tracefs {
 public:
  explicit Tracefs(const std::filesystem::path& root = "/");

  // Whether tracepoints can be looked up; else refusal() says why not.
  bool usable() const { return refusal_.reason.empty(); }
  const Refusal& refusal() const { return refusal_; }
  const std::filesystem::path& directory() const { return directory_; }

  std::variant<std::uint64_t, Refusal> id(std::string_view tracepoint) const;
  std::variant<TracepointFormat, Refusal> format(std::string_view tracepoint) const;
  // All of them, in alphabetic order; empty when not usable.
  std::vector<std::string> tracepoints() const;

 private:
  std::variant<std::string, Refusal> read(std::string_view tracepoint, const char* file) const;

  std::filesystem::path directory_;
  Refusal refusal_;
};

}  // namespace aioscope
