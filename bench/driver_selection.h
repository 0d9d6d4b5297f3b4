// From what --driver says to rows of the registry.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "drivers/driver.h"
#include "drivers/registry.h"

namespace aioscope {

class DriverSelection {
 public:
  explicit DriverSelection(Registry& registry) : registry_(registry) {}

  // Names, aliases, globs ("io_uring@*"), "all" (of each driver its default), "all-variants", and
  // paths of shared objects, which are loaded and stand for all their rows. Each driver once, in
  // the order asked for. Throws UsageError.
  std::vector<const Driver*> select(std::span<const std::string> patterns);

 private:
  std::vector<const Driver*> matching(const std::string& pattern);
  const std::vector<const Driver*>& external(const std::string& path);

  Registry& registry_;
  std::map<std::string, std::vector<const Driver*>> external_;  // by path
};

// What a name without '@' stands for: "libaio" itself, "kioctx@series" by its alias.
bool is_default_variant(const Driver& driver);
// "kioctx" of "kioctx@series".
std::string_view base_name(const Driver& driver);

}  // namespace aioscope
