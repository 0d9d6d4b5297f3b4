// The commands that the reports package does: reports read result files, and nothing else.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace aioscope {

// The directory that holds the package `reports`: $AIOSCOPE_REPORTS, else ../share/aioscope beside
// the directory of the program, else the source tree it was built from. Throws RunError.
std::filesystem::path find_reports_directory();

// Becomes /usr/bin/python3, running the package with `arguments` ("report", "result.jsonl", ...).
// Throws RunError when that cannot be.
[[noreturn]] void become_python(const std::vector<std::string>& arguments);

}  // namespace aioscope
