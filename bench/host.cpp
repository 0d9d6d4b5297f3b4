#include "bench/host.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

namespace aioscope {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

template <typename T>
Json value_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// The value behind "KEY<spaces>: " in a file of such lines.
std::string field(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with(key)) continue;
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

// "48K" as sysfs writes cache sizes.
Json size_bytes(const std::string& text) {
  std::istringstream stream(text);
  std::uint64_t size = 0;
  char unit = 0;
  if (!(stream >> size)) return nullptr;
  stream >> unit;
  if (unit == 'K') size <<= 10;
  if (unit == 'M') size <<= 20;
  return size;
}

Json caches(const fs::path& root, int cpu) {
  Json result = Json::array();
  const fs::path base = root / "sys/devices/system/cpu" / ("cpu" + std::to_string(cpu)) / "cache";
  for (int i = 0;; ++i) {
    const fs::path index = base / ("index" + std::to_string(i));
    const std::string level = first_line(index / "level");
    if (level.empty()) break;
    const auto sharing = parse_cpu_list(first_line(index / "shared_cpu_list"));
    result.push_back({{"level", std::strtol(level.c_str(), nullptr, 10)},
                      {"type", first_line(index / "type")},
                      {"size_bytes", size_bytes(first_line(index / "size"))},
                      {"num_sharing", sharing ? Json(sharing->size()) : Json(nullptr)}});
  }
  return result;
}

Json load_averages(const fs::path& root) {
  std::istringstream stream(first_line(root / "proc/loadavg"));
  Json result = Json::array();
  double load = 0;
  while (result.size() < 3 && stream >> load) result.push_back(load);
  return result;
}

// "max" or "QUOTA PERIOD" of the control group of this process, version 2; null without a limit.
Json cgroup_cpus(const fs::path& root) {
  std::ifstream groups(root / "proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    if (!line.starts_with("0::/")) continue;
    std::istringstream stream(first_line(root / "sys/fs/cgroup" / line.substr(4) / "cpu.max"));
    double quota = 0, period = 0;
    if (stream >> quota >> period && period > 0) return quota / period;
  }
  return nullptr;
}

Json memory_bytes(const fs::path& root) {
  const std::string total = field(root / "proc/meminfo", "MemTotal");
  if (total.empty()) return nullptr;
  return std::strtoull(total.c_str(), nullptr, 10) << 10;  // in kB
}

Json cpu_mhz(const fs::path& root) {
  const std::string mhz = field(root / "proc/cpuinfo", "cpu MHz");
  return mhz.empty() ? Json(nullptr) : Json(std::lround(std::strtod(mhz.c_str(), nullptr)));
}

std::string cpu_model(const fs::path& root) {
  for (const char* key : {"model name", "CPU part", "cpu"}) {
    std::string model = field(root / "proc/cpuinfo", key);
    if (!model.empty()) return model;
  }
  return {};
}

// Of the mount point that holds `path`: the longest one that is a prefix. The fields of
// /proc/self/mountinfo: id, parent, device, root, mount point, ..., "-", type, source.
std::pair<std::string, std::string> mount_of(const fs::path& path) {
  std::ifstream file("/proc/self/mountinfo");
  std::string line, best_point, type, source;
  while (std::getline(file, line)) {
    std::istringstream stream(line);
    std::string skipped, point;
    stream >> skipped >> skipped >> skipped >> skipped >> point;
    const std::string prefix = point == "/" ? point : point + "/";
    const bool inside = path.string() == point || path.string().starts_with(prefix);
    const auto dash = line.find(" - ");
    if (!inside || point.size() < best_point.size() || dash == std::string::npos) continue;
    best_point = point;
    std::istringstream rest(line.substr(dash + 3));
    rest >> type >> source;
  }
  return {type, source};
}

}  // namespace

Json host_json(const Machine& machine, const fs::path& root) {
  utsname names{};
  uname(&names);
  const int first_cpu = machine.topology.cpus.empty() ? 0 : machine.topology.cpus.front().id;
  Json host{{"name", names.nodename},
            {"kernel", text_or_null(machine.kernel)},
            {"machine", names.machine},
            {"cpu_model", text_or_null(cpu_model(root))},
            {"cpu_mhz", cpu_mhz(root)},
            {"cpus_online", sysconf(_SC_NPROCESSORS_ONLN)},
            {"cpus_usable", machine.topology.cpus.size()},
            {"cores_usable", machine.topology.cores()},
            {"smt", machine.topology.smt()},
            {"numa_nodes", machine.topology.nodes()},
            {"caches", caches(root, first_cpu)},
            {"governors", machine.governors},
            {"turbo", value_or_null(machine.turbo)},
            {"virtual_machine", machine.virtual_machine},
            {"clock_source", text_or_null(machine.clock_source)},
            {"memory_bytes", memory_bytes(root)},
            {"cgroup_cpus", cgroup_cpus(root)},
            {"memlock_bytes", value_or_null(machine.memlock_bytes)},
            {"sysctl",
             {{"kernel.perf_event_paranoid", value_or_null(machine.perf_event_paranoid)},
              {"kernel.kptr_restrict", value_or_null(machine.kptr_restrict)},
              {"kernel.io_uring_disabled", value_or_null(machine.io_uring_disabled)},
              {"fs.aio-nr", value_or_null(machine.aio_nr)},
              {"fs.aio-max-nr", value_or_null(machine.aio_max_nr)}}},
            {"load_average", load_averages(root)},
            {"steal_share", value_or_null(machine.steal_share)}};
  host["fingerprint"] = host_fingerprint(host);
  return host;
}

std::string host_fingerprint(const Json& host) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char* field :
       {"kernel", "machine", "cpu_model", "cpus_usable", "smt", "governors", "virtual_machine"}) {
    for (const char c : host.value(field, Json(nullptr)).dump() + "\n") {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
  }
  return fmt::format("{:016x}", hash);
}

Json targets_json(const std::vector<Target>& targets) {
  Json result = Json::array();
  std::set<std::string> seen;
  for (const Target& target : targets) {
    if (target.kind != FileKind::kFile || !seen.insert(target.path).second) continue;
    std::error_code error;
    const fs::path path = fs::canonical(target.path, error);
    const auto [type, source] = mount_of(error ? fs::path(target.path) : path);
    struct stat status {};
    const bool known = stat(target.path.c_str(), &status) == 0;
    result.push_back({{"target", target.text()},
                      {"label", target.label()},
                      {"file_system", text_or_null(type)},
                      {"device", text_or_null(source)},
                      {"size_bytes", known ? Json(status.st_size) : Json(nullptr)}});
  }
  return result;
}

}  // namespace aioscope
