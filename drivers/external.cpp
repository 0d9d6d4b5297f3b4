// Registry::load(): drivers from shared objects. Nothing of a row is believed before it was
// checked, and either all rows of an object are added or none.
#include <dlfcn.h>
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "drivers/registry.h"

namespace aioscope {
namespace {

constexpr std::string_view kRebuild =
    "rebuild it with this version's drivers/driver.h (see drivers/example)";

[[noreturn]] void refuse(const std::string& path, std::string_view why, std::string_view cure) {
  throw SetupError(fmt::format("--driver {}: {}; {}", path, why, cure));
}

// A shared object that is closed again unless keep() is called.
class SharedObject {
 public:
  explicit SharedObject(const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
      refuse(path, "is a directory", "name a shared object");
    }
    if (!std::filesystem::exists(path, ignored)) {
      refuse(path, "no such file", "name a shared object that exists");
    }
    // Without a slash dlopen would search the library path instead of taking the file.
    const bool plain = path.find('/') == std::string::npos;
    handle_ = dlopen((plain ? "./" + path : path).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) {
      refuse(path, fmt::format("cannot be loaded: {}", dlerror()),
             "name a shared object built for this machine (g++ -shared -fPIC)");
    }
  }
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;
  ~SharedObject() {
    if (handle_ != nullptr) dlclose(handle_);
  }

  void* symbol(const char* name) const { return dlsym(handle_, name); }
  void keep() { handle_ = nullptr; }

 private:
  void* handle_;
};

void check_layout(const std::string& path, const ExternalDrivers& external) {
  if (external.abi_version != kDriverAbiVersion) {
    refuse(path,
           fmt::format("built for version {} of the driver ABI, this is version {}",
                       external.abi_version, kDriverAbiVersion),
           kRebuild);
  }
  if (external.driver_size != sizeof(Driver) || external.request_size != sizeof(Request) ||
      external.options_size != sizeof(ContextOptions)) {
    refuse(
        path,
        fmt::format("sizes of Driver, Request, ContextOptions are {}, {}, {} bytes, not {}, {}, {}",
                    external.driver_size, external.request_size, external.options_size,
                    sizeof(Driver), sizeof(Request), sizeof(ContextOptions)),
        kRebuild);
  }
  if (external.drivers == nullptr || external.count == 0) {
    refuse(path, "exports no drivers", "give ExternalDrivers::drivers at least one row");
  }
}

// Names appear in result files, file names and shell commands.
bool is_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == '@';
  };
  return !name.empty() && name.front() != '@' && name.back() != '@' &&
         std::ranges::count(name, '@') <= 1 && std::ranges::all_of(name, allowed);
}

void check_row(const std::string& path, const Registry& registry, std::span<const Driver> earlier,
               const Driver& driver) {
  if (!is_name(driver.name)) {
    refuse(path, fmt::format("'{}' is not a driver's name", driver.name),
           "use driver or driver@variant, of a-z 0-9 - _ .");
  }
  if (driver.probe == nullptr || driver.open == nullptr) {
    refuse(path, fmt::format("{} has no {} function", driver.name, driver.probe ? "open" : "probe"),
           "set both in its row");
  }
  if (driver.capabilities.max_submitters == 0 || driver.capabilities.max_reapers == 0 ||
      driver.capabilities.opcodes == 0 || driver.capabilities.files == 0) {
    refuse(path, fmt::format("{} declares that it can do nothing", driver.name),
           "declare opcodes, files, and at least one submitter and reaper");
  }
  if (registry.find(driver.name) != nullptr || !Registry::alias_target(driver.name).empty() ||
      std::ranges::find(earlier, driver.name, &Driver::name) != earlier.end()) {
    refuse(path, fmt::format("there is a driver named {} already", driver.name), "rename it");
  }
}

}  // namespace

void Registry::load(const std::string& path) {
  SharedObject object(path);
  const auto function =
      reinterpret_cast<ExternalDriversFunction*>(object.symbol(kExternalDriversSymbol));
  if (function == nullptr) {
    refuse(path, fmt::format("exports no symbol {}", kExternalDriversSymbol),
           "declare it extern \"C\" (see drivers/example)");
  }
  const ExternalDrivers* external = function();
  if (external == nullptr) {
    refuse(path, fmt::format("{}() returned null", kExternalDriversSymbol), kRebuild);
  }
  check_layout(path, *external);
  const std::span<const Driver> rows(external->drivers, external->count);
  for (std::size_t i = 0; i < rows.size(); ++i) check_row(path, *this, rows.first(i), rows[i]);
  drivers_.insert(drivers_.end(), rows.begin(), rows.end());
  object.keep();
}

}  // namespace aioscope
