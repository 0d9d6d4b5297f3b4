// The commands that are Python's: the package `reports` reads result files, and nothing else; the
// package `gate` starts programs and judges what they measured.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace aioscope {

// The directory that holds the packages: $AIOSCOPE_REPORTS, else ../share/aioscope beside the
// directory of the program, else the source tree it was built from. Throws RunError when none of
// them holds `package`.
std::filesystem::path find_package_directory(const std::string& package);

// Becomes /usr/bin/python3, running `package` with `arguments` ("report", "result.jsonl", ...) and
// $AIOSCOPE_PROGRAM as the path of this program. Throws RunError when that cannot be.
[[noreturn]] void become_python(const std::string& package,
                                const std::vector<std::string>& arguments);

}  // namespace aioscope
