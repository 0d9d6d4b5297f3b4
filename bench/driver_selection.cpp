#include "bench/driver_selection.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "bench/suggest.h"
#include "bench/values.h"

namespace aioscope {
namespace {

bool is_path(std::string_view pattern) {
  return pattern.find('/') != std::string_view::npos || pattern.ends_with(".so");
}

bool is_glob(std::string_view pattern) {
  return pattern.find_first_of("*?[") != std::string_view::npos;
}

std::vector<std::string> known_names(const Registry& registry) {
  std::vector<std::string> names;
  for (const Driver* driver : registry.all()) {
    if (is_default_variant(*driver)) names.emplace_back(base_name(*driver));
    if (std::string name(driver->name); names.empty() || names.back() != name) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace

std::string_view base_name(const Driver& driver) {
  return driver.name.substr(0, driver.name.find('@'));
}

bool is_default_variant(const Driver& driver) {
  const std::string_view base = base_name(driver);
  return driver.name == base || Registry::alias_target(base) == driver.name;
}

std::vector<const Driver*> DriverSelection::select(std::span<const std::string> patterns) {
  std::vector<const Driver*> selected;
  for (const std::string& pattern : patterns) {
    for (const Driver* driver : matching(pattern)) {
      if (std::ranges::find(selected, driver) == selected.end()) selected.push_back(driver);
    }
  }
  return selected;
}

std::vector<const Driver*> DriverSelection::matching(const std::string& pattern) {
  if (is_path(pattern)) return external(pattern);
  std::vector<const Driver*> drivers = registry_.all();
  if (pattern == "all-variants") return drivers;
  if (pattern == "all") {
    std::erase_if(drivers, [](const Driver* driver) { return !is_default_variant(*driver); });
    return drivers;
  }
  if (is_glob(pattern)) {
    std::erase_if(drivers, [&](const Driver* driver) {
      return fnmatch(pattern.c_str(), std::string(driver->name).c_str(), 0) != 0;
    });
    if (!drivers.empty()) return drivers;
  } else if (const Driver* driver = registry_.find(pattern)) {
    return {driver};
  }
  std::vector<std::string> known = known_names(registry_);
  known.insert(known.end(), {"all", "all-variants"});
  throw UsageError(fmt::format("unknown driver '{}'{}; see 'aioscope list drivers'", pattern,
                               suggestion(pattern, known)));
}

const std::vector<const Driver*>& DriverSelection::external(const std::string& path) {
  const auto known = external_.find(path);
  if (known != external_.end()) return known->second;
  const std::vector<const Driver*> before = registry_.all();
  try {
    registry_.load(path);
  } catch (const SetupError& error) {
    throw UsageError(error.what());
  }
  std::vector<const Driver*>& loaded = external_[path];
  for (const Driver* driver : registry_.all()) {
    if (std::ranges::find(before, driver) == before.end()) loaded.push_back(driver);
  }
  return loaded;
}

}  // namespace aioscope
