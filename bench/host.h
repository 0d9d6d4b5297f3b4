// What the header of a result file says about the machine.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "bench/machine.h"
#include "bench/row.h"

namespace aioscope {

// `machine` as read by this_machine(); CPU model, caches, memory and limits come from the files
// under `root`. What the machine does not say is null or left out of a list.
nlohmann::ordered_json host_json(const Machine& machine, const std::filesystem::path& root = "/");

// Of the machine and what it is set to: 16 hexadecimal digits that stay the same as long as kernel,
// CPU, number of usable CPUs, SMT, governors and virtual machine do. Field "fingerprint" of `host`.
std::string host_fingerprint(const nlohmann::ordered_json& host);

// The file system and device of each file among the targets, once each.
nlohmann::ordered_json targets_json(const std::vector<Target>& targets);

}  // namespace aioscope
