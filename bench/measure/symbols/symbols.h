// Names for addresses: of the kernel, and of this process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bench/measure/symbols/elf_functions.h"
#include "bench/measure/symbols/kallsyms.h"
#include "bench/measure/symbols/maps.h"

namespace aioscope {

struct Symbol {
  std::string name;          // demangled; "" when it is not known
  std::string object;        // "kernel", "[module]", path of the file, "[vdso]"; "" when not known
  std::uint64_t offset = 0;  // behind the function's begin; without a name, in the file

  bool known() const { return !name.empty(); }
};

// Looks every address up once. Nothing is read before the first look-up, which for the kernel takes
// about 0.1 s: resolve after measuring. Not thread-safe. References stay valid.
class Symbols {
 public:
  // /proc is looked for under `root`; files are opened by the names that the maps give them.
  explicit Symbols(std::filesystem::path root = "/") : root_(std::move(root)) {}

  const Symbol& kernel(std::uint64_t address);
  const Symbol& user(std::uint64_t address);

  // Why no kernel address has a name, and the cure, one line; "" when they have.
  const std::string& kernel_reason();
  // Files of this process whose functions could not be read, each with the reason, as far as they
  // were asked for.
  std::vector<std::string> user_reasons() const;

 private:
  const Kallsyms& kallsyms();
  Symbol look_up_user(std::uint64_t address);
  const ElfFunctions& functions_of(const Mapping& mapping);

  const std::filesystem::path root_;
  std::optional<Kallsyms> kallsyms_;
  std::optional<std::vector<Mapping>> maps_;
  std::map<std::string, ElfFunctions> objects_;  // by path
  std::unordered_map<std::uint64_t, Symbol> kernel_, user_;
};

// "aioscope::Lane::prepare()" for "_ZN8aioscope4Lane7prepareEv"; other names as they are.
std::string demangle(const std::string& name);

// A demangled name without its template arguments, parameters and what follows them:
// "aioscope::Kioctx::complete" for "void aioscope::Kioctx<Stage{1}>::complete<int>(int) const".
std::string short_name(std::string_view demangled);

}  // namespace aioscope
