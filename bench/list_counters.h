// `aioscope list counters`: what --counters can be given, and what of it works here.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bench/measure/perf/tracefs.h"

namespace aioscope {

// Generic names, events of the PMUs that libpfm4 knows here, and tracepoints; each that can be
// tried is tried on the calling thread.
std::string counters_text(const Tracefs& tracefs = Tracefs());
// An object: "generic" with name, summary, default, usable, reason and cure; "pmus" with the names
// of their events; "tracepoints" with their names, usable, reason and cure.
nlohmann::ordered_json counters_json(const Tracefs& tracefs = Tracefs());

}  // namespace aioscope
