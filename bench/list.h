// `aioscope list`: what can be asked for, and what of it works here.
#pragma once

#include <string>
#include <string_view>

#include "bench/plan.h"
#include "drivers/registry.h"

namespace aioscope {

// `what` is "drivers", "workloads", "targets", "suites" or, for all of these, empty; or "counters",
// which are tried; or "stages", which says of each step of a driver what it changes. Drivers are
// probed. JSON: one object with an array for each kind, schema "aioscope.list/1".
std::string list_text(const Registry& registry, const Probe& probe, std::string_view what);
std::string list_json(const Registry& registry, const Probe& probe, std::string_view what);

}  // namespace aioscope
