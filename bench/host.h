// What the header of a result file says about the machine.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "bench/machine.h"
#include "bench/row.h"

namespace aioscope {

// `machine` as read by this_machine(); CPU model, caches, memory and limits come from the files
// under `root`. What the machine does not say is null or left out of a list.
nlohmann::ordered_json host_json(const Machine& machine, const std::filesystem::path& root = "/");

// The file system and device of each file among the targets, once each.
nlohmann::ordered_json targets_json(const std::vector<Target>& targets);

}  // namespace aioscope
