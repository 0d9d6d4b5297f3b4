#include "drivers/kernel_settings.h"

#include <algorithm>
#include <cstring>
#include <fstream>

namespace aioscope {

std::string sysctl_value(std::string_view name) {
  std::string path = "/proc/sys/" + std::string(name);
  std::replace(path.begin() + std::strlen("/proc/sys/"), path.end(), '.', '/');
  std::string value;
  std::ifstream file(path);
  return std::getline(file, value) ? value : "unknown";
}

bool seccomp_filtered() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Seccomp:")) return line.find('2') != std::string::npos;
  }
  return false;
}

std::string errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : std::to_string(error);
}

}  // namespace aioscope
