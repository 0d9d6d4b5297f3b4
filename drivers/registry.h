// The one table of drivers.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/driver.h"

namespace aioscope {

// Every driver that can be asked for: the built-in rows and those of loaded shared objects.
// Not thread-safe; filled before any measuring starts.
class Registry {
 public:
  Registry();

  // Loads a shared object and adds its drivers. Throws SetupError: cannot be loaded, exports no
  // drivers, was built for another ABI version, or names a driver that exists already.
  // The object stays loaded for the life of the process.
  void load(const std::string& path);

  // nullptr when there is none. Resolves aliases: "kioctx" is "kioctx@series".
  const Driver* find(std::string_view name) const;

  // In the order they should be listed; aliases are not repeated.
  std::vector<const Driver*> all() const;

  // "" when `name` is not an alias, else the full name it stands for.
  static std::string_view alias_target(std::string_view name);

 private:
  std::deque<Driver> drivers_;
};

}  // namespace aioscope
