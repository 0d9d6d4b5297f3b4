#include "bench/measure/symbols/symbols.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>

namespace aioscope {
namespace {

constexpr std::string_view kVdso = "[vdso]";

std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return std::move(text).str();
}

}  // namespace

const Kallsyms& Symbols::kallsyms() {
  if (!kallsyms_) kallsyms_ = Kallsyms::read(root_);
  return *kallsyms_;
}

const std::string& Symbols::kernel_reason() { return kallsyms().reason(); }

const Symbol& Symbols::kernel(std::uint64_t address) {
  const auto [at, is_new] = kernel_.try_emplace(address);
  if (!is_new) return at->second;
  const Kallsyms::Function function = kallsyms().find(address);
  if (!function.name.empty()) {
    at->second = {
        .name = std::string(function.name),
        .object = function.module.empty() ? "kernel" : "[" + std::string(function.module) + "]",
        .offset = address - function.begin};
  }
  return at->second;
}

const Symbol& Symbols::user(std::uint64_t address) {
  const auto [at, is_new] = user_.try_emplace(address);
  if (is_new) at->second = look_up_user(address);
  return at->second;
}

Symbol Symbols::look_up_user(std::uint64_t address) {
  if (!maps_) maps_ = parse_maps(file_text(root_ / "proc/self/maps"));
  const Mapping* mapping = find_mapping(*maps_, address);
  if (mapping == nullptr || mapping->path.empty()) return {};
  const std::uint64_t in_file = address - mapping->begin + mapping->offset;
  Symbol symbol{.name = {}, .object = mapping->path, .offset = in_file};
  const ElfFunctions& functions = functions_of(*mapping);
  const ElfFunctions::Function function = functions.find(in_file);
  if (function.name.empty()) return symbol;
  symbol.name = demangle(std::string(function.name));
  symbol.offset = function.offset;
  return symbol;
}

const ElfFunctions& Symbols::functions_of(const Mapping& mapping) {
  const auto [at, is_new] = objects_.try_emplace(mapping.path);
  if (!is_new) return at->second;
  if (mapping.path == kVdso) {
    // Mapped into every process, readable, and of no file.
    const auto* const begin = reinterpret_cast<const std::byte*>(mapping.begin);
    at->second = ElfFunctions::parse({begin, std::size_t(mapping.end - mapping.begin)});
  } else if (mapping.deleted && mapping.path.starts_with('/')) {
    at->second = ElfFunctions::without(mapping.path +
                                       ": was replaced while it ran; start the program again");
  } else if (mapping.path.starts_with('/')) {
    at->second = ElfFunctions::read(mapping.path);
  }
  return at->second;
}

std::vector<std::string> Symbols::user_reasons() const {
  std::vector<std::string> reasons;
  for (const auto& [path, functions] : objects_) {
    if (!functions.reason().empty()) reasons.push_back(functions.reason());
  }
  return reasons;
}

std::string demangle(const std::string& name) {
  if (!name.starts_with("_Z")) return name;
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? std::string(text.get()) : name;
}

std::string short_name(std::string_view demangled) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  std::string name;
  int depth = 0;  // of <> and {}
  for (std::size_t i = 0; i < demangled.size(); ++i) {
    const char c = demangled[i];
    if (depth == 0 && demangled.substr(i).starts_with(kAnonymous)) {
      i += kAnonymous.size() - 1;
      continue;
    }
    if (depth == 0 && (name == "operator" || name.ends_with("::operator"))) {
      // "operator<", "operator()", "operator new": what follows belongs to the name.
      return name + std::string(demangled.substr(i, demangled.find('(', i + 1) - i));
    }
    if (c == '<' || c == '{') {
      ++depth;
    } else if (c == '>' || c == '}') {
      depth = std::max(0, depth - 1);
    } else if (depth == 0 && c == '(') {
      break;
    } else if (depth == 0 && c == ' ') {
      name.clear();  // what stood before is the type of the result
    } else if (depth == 0) {
      name += c;
    }
  }
  return name.empty() ? std::string(demangled) : name;
}

}  // namespace aioscope
