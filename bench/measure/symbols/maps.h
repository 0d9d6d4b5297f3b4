// The mappings of a process, as /proc/PID/maps tells them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace aioscope {

struct Mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;     // behind the last byte
  std::uint64_t offset = 0;  // in the file, bytes
  bool executable = false;
  std::string path;      // of the file; "[vdso]", "[stack]", ...; "" for anonymous memory
  bool deleted = false;  // the file is gone, or another one stands in its place
};

// Sorted by address. Lines that are none of that format, and those that are empty or backwards, are
// left out: a wrong mapping would give wrong names.
std::vector<Mapping> parse_maps(std::string_view text);

// The one that holds `address`; nullptr when there is none. `maps` as parse_maps() returns them.
const Mapping* find_mapping(const std::vector<Mapping>& maps, std::uint64_t address);

}  // namespace aioscope
