// The functions of one ELF file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace aioscope {

class ElfFunctions {
 public:
  // From .symtab, or .dynsym of a stripped file; the .symtab of its debug file under
  // /usr/lib/debug/.build-id is preferred where there is one.
  static ElfFunctions read(const std::filesystem::path& path);
  // Of an image in memory, such as the vDSO.
  static ElfFunctions parse(std::span<const std::byte> image);

  struct Function {
    std::string_view name;     // as linked, not demangled; lives as long as the ElfFunctions
    std::uint64_t offset = 0;  // how far behind its begin
  };
  // Names nothing, for `reason`.
  static ElfFunctions without(std::string reason);

  // The function at `offset` of the file; an empty name when there is none. Thread-safe.
  Function find(std::uint64_t offset) const;

  std::size_t size() const { return functions_.size(); }
  // Why there are none, one line; "" when there are some.
  const std::string& reason() const { return reason_; }

 private:
  struct Entry {
    std::uint64_t begin;
    std::uint64_t end;
    std::string name;
  };
  struct Segment {
    std::uint64_t offset;
    std::uint64_t size;
    std::uint64_t address;
  };
  class Reader;

  std::vector<Entry> functions_;   // sorted; later ones may begin within earlier ones
  std::vector<Segment> segments_;  // that are loaded
  std::string reason_;
};

}  // namespace aioscope
