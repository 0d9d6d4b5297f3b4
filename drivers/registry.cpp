#include "drivers/registry.h"

#include <algorithm>
#include <array>

#include "drivers/io_uring/io_uring_driver.h"
#include "drivers/kioctx/kioctx_driver.h"
#include "drivers/libaio/libaio_driver.h"
#include "drivers/null/null_driver.h"
#include "drivers/sync/sync_driver.h"

namespace aioscope {

namespace {

struct Alias {
  std::string_view name;
  std::string_view target;
};
constexpr std::array<Alias, 2> kAliases{{
    {"kioctx", "kioctx@series"}, {"kioctx@xchg-tail", "kioctx@series"},  // the patch that ends it
}};

}  // namespace

Registry::Registry() {
  for (const auto drivers :
       {null_drivers(), sync_drivers(), libaio_drivers(), io_uring_drivers(), kioctx_drivers()}) {
    drivers_.insert(drivers_.end(), drivers.begin(), drivers.end());
  }
}

std::string_view Registry::alias_target(std::string_view name) {
  const auto* alias = std::ranges::find(kAliases, name, &Alias::name);
  return alias == kAliases.end() ? std::string_view{} : alias->target;
}

const Driver* Registry::find(std::string_view name) const {
  if (const auto target = alias_target(name); !target.empty()) name = target;
  const auto driver = std::ranges::find(drivers_, name, &Driver::name);
  return driver == drivers_.end() ? nullptr : &*driver;
}

std::vector<const Driver*> Registry::all() const {
  std::vector<const Driver*> all;
  for (const Driver& driver : drivers_) all.push_back(&driver);
  return all;
}

}  // namespace aioscope
