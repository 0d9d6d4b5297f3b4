// The functions of the running kernel and its modules, as /proc/kallsyms tells them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace aioscope {

class Kallsyms {
 public:
  // From the text of the file. Lines that are none of that format are left out.
  static Kallsyms parse(std::string_view text);
  // From proc/kallsyms under `root`.
  static Kallsyms read(const std::filesystem::path& root = "/");

  struct Function {
    std::string_view name;    // as long as the Kallsyms lives
    std::string_view module;  // "" for the kernel itself
    std::uint64_t begin = 0;
  };
  // The function that holds `address`; an empty name when none does. No allocation; thread-safe.
  Function find(std::uint64_t address) const;

  std::size_t size() const { return functions_.size(); }
  // Why there are no functions, and the cure, one line; "" when there are some. A kernel that hides
  // its addresses shows zeros: they count as none, never as names.
  const std::string& reason() const { return reason_; }

 private:
  struct Entry {
    std::uint64_t begin;
    std::uint64_t end;
    std::uint32_t name;    // where it begins in names_
    std::uint32_t module;  // in modules_; 0 is the kernel
    std::uint16_t name_size;
  };
  struct Line;

  std::uint32_t module_index(std::string_view name);
  void add_functions(std::vector<Line>& lines);

  std::vector<Entry> functions_;  // sorted, without overlap
  std::string names_;
  std::vector<std::string> modules_{""};
  std::string reason_;
};

}  // namespace aioscope
