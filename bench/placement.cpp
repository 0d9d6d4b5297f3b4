#include "bench/placement.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <tuple>

namespace aioscope {
namespace {

constexpr int kMaxCpu = 1 << 16;

std::optional<std::string> line_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<int> parse_int(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

int read_int(const std::filesystem::path& path, int otherwise) {
  const auto line = line_of(path);
  const auto value = line ? parse_int(*line) : std::nullopt;
  return value && *value >= 0 ? *value : otherwise;
}

std::vector<int> read_cpu_list(const std::filesystem::path& path) {
  const auto line = line_of(path);
  return line ? parse_cpu_list(*line).value_or(std::vector<int>{}) : std::vector<int>{};
}

std::map<int, int> node_of_cpu(const std::filesystem::path& nodes) {
  std::map<int, int> node_of;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(nodes, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("node")) continue;
    const auto node = parse_int(std::string_view(name).substr(4));
    if (!node) continue;
    for (const int cpu : read_cpu_list(entry.path() / "cpulist")) node_of[cpu] = *node;
  }
  return node_of;
}

// The first hardware thread of a core names it: "core_id" is not everywhere another for each core
// of a package.
int core_of(const std::filesystem::path& cpu_topology, int id) {
  const std::vector<int> siblings = read_cpu_list(cpu_topology / "thread_siblings_list");
  if (!siblings.empty()) return std::ranges::min(siblings);
  return read_int(cpu_topology / "core_id", id);
}

// Numbers the hardware threads of each core in the order of their ids.
void number_siblings(std::vector<Cpu>& cpus) {
  std::map<std::pair<int, int>, int> seen;
  for (Cpu& cpu : cpus) cpu.sibling = seen[{cpu.package, cpu.core}]++;
}

std::vector<int> ids_of(const std::vector<Cpu>& cpus) {
  std::vector<int> ids;
  ids.reserve(cpus.size());
  for (const Cpu& cpu : cpus) ids.push_back(cpu.id);
  return ids;
}

std::vector<int> compact_order(std::vector<Cpu> cpus) {
  std::ranges::sort(cpus, {}, [](const Cpu& cpu) {
    return std::tuple(cpu.node, cpu.package, cpu.core, cpu.sibling, cpu.id);
  });
  return ids_of(cpus);
}

// First hardware threads before second ones; within those, the nodes in turn.
std::vector<int> spread_order(std::vector<Cpu> cpus) {
  std::ranges::sort(cpus, {}, [](const Cpu& cpu) {
    return std::tuple(cpu.sibling, cpu.node, cpu.package, cpu.core, cpu.id);
  });
  std::map<std::pair<int, int>, int> taken;
  std::vector<std::tuple<int, int, int, int>> order;  // sibling, turn, node, id
  order.reserve(cpus.size());
  for (const Cpu& cpu : cpus) {
    order.emplace_back(cpu.sibling, taken[{cpu.sibling, cpu.node}]++, cpu.node, cpu.id);
  }
  std::ranges::sort(order);
  std::vector<int> ids;
  ids.reserve(order.size());
  for (const auto& place : order) ids.push_back(std::get<3>(place));
  return ids;
}

}  // namespace

bool Topology::smt() const {
  return std::ranges::any_of(cpus, [](const Cpu& cpu) { return cpu.sibling > 0; });
}

std::size_t Topology::cores() const {
  return static_cast<std::size_t>(std::ranges::count(cpus, 0, &Cpu::sibling));
}

std::size_t Topology::packages() const {
  std::set<int> packages;
  for (const Cpu& cpu : cpus) packages.insert(cpu.package);
  return packages.size();
}

std::size_t Topology::nodes() const {
  std::set<int> nodes;
  for (const Cpu& cpu : cpus) nodes.insert(cpu.node);
  return nodes.size();
}

Topology read_topology(const std::filesystem::path& root, const std::vector<int>& allowed) {
  const auto system = root / "sys/devices/system";
  std::vector<int> online = read_cpu_list(system / "cpu/online");
  if (online.empty()) online = allowed;
  std::ranges::sort(online);
  const auto node_of = node_of_cpu(system / "node");

  Topology topology;
  for (const int id : online) {
    if (!allowed.empty() && std::ranges::find(allowed, id) == allowed.end()) continue;
    const auto cpu = system / "cpu" / fmt::format("cpu{}", id) / "topology";
    const auto node = node_of.find(id);
    topology.cpus.push_back({.id = id,
                             .core = core_of(cpu, id),
                             .package = read_int(cpu / "physical_package_id", 0),
                             .node = node == node_of.end() ? 0 : node->second});
  }
  number_siblings(topology.cpus);
  return topology;
}

std::vector<int> affinity_mask() {
  std::vector<int> cpus;
  for (int size = CPU_SETSIZE; size <= kMaxCpu; size *= 2) {
    cpu_set_t* set = CPU_ALLOC(size);
    const std::size_t bytes = CPU_ALLOC_SIZE(size);
    const bool read = sched_getaffinity(0, bytes, set) == 0;
    for (int cpu = 0; read && cpu < size; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, set)) cpus.push_back(cpu);
    }
    CPU_FREE(set);
    if (read) break;  // EINVAL otherwise: the kernel's mask is larger than the set
  }
  return cpus;
}

std::optional<std::vector<int>> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, comma);
    const bool last = comma == text.size();
    text.remove_prefix(last ? comma : comma + 1);
    if (!last && text.empty()) return std::nullopt;

    const std::size_t dash = std::min(item.find('-'), item.size());
    const auto first = parse_int(item.substr(0, dash));
    const auto end = dash == item.size() ? first : parse_int(item.substr(dash + 1));
    if (!first || !end || *first < 0 || *end < *first || *end >= kMaxCpu) return std::nullopt;
    for (int cpu = *first; cpu <= *end; ++cpu) cpus.push_back(cpu);
  }
  if (cpus.empty()) return std::nullopt;
  return cpus;
}

std::string format_cpu_list(const std::vector<int>& cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += last == i ? fmt::format("{}", cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[last]);
    i = last + 1;
  }
  return text;
}

std::optional<Pinning> parse_pinning(std::string_view text) {
  if (text == "none") return Pinning{};
  if (text == "compact") return Pinning{.policy = PinPolicy::kCompact};
  if (text == "spread") return Pinning{.policy = PinPolicy::kSpread};
  if (auto list = parse_cpu_list(text)) {
    return Pinning{.policy = PinPolicy::kList, .list = std::move(*list)};
  }
  return std::nullopt;
}

std::string pinning_text(const Pinning& pinning) {
  switch (pinning.policy) {
    case PinPolicy::kNone:
      return "none";
    case PinPolicy::kCompact:
      return "compact";
    case PinPolicy::kSpread:
      return "spread";
    case PinPolicy::kList:
      return format_cpu_list(pinning.list);
  }
  return "?";
}

std::vector<int> cpus_for(const Topology& topology, const Pinning& pinning, std::size_t threads) {
  std::vector<int> order;
  switch (pinning.policy) {
    case PinPolicy::kNone:
      return {};
    case PinPolicy::kCompact:
      order = compact_order(topology.cpus);
      break;
    case PinPolicy::kSpread:
      order = spread_order(topology.cpus);
      break;
    case PinPolicy::kList:
      order = pinning.list;
      break;
  }
  std::vector<int> cpus;
  for (std::size_t i = 0; i < threads && !order.empty(); ++i) {
    cpus.push_back(order[i % order.size()]);
  }
  return cpus;
}

std::optional<int> unusable_cpu(const Topology& topology, const Pinning& pinning) {
  for (const int id : pinning.list) {
    if (std::ranges::find(topology.cpus, id, &Cpu::id) == topology.cpus.end()) return id;
  }
  return std::nullopt;
}

}  // namespace aioscope
