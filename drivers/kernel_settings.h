// What the kernel says about itself in /proc, for texts that explain a failed set-up.
#pragma once

#include <string>
#include <string_view>

namespace aioscope {

// The value of a sysctl by its dotted name ("fs.aio-nr"), or "unknown" when it cannot be read.
std::string sysctl_value(std::string_view name);

// Whether a seccomp filter is in force for this process, as in most containers.
bool seccomp_filtered();

// strerrorname_np(): "EAGAIN", or the number where it has no name.
std::string errno_name(int error);

}  // namespace aioscope
