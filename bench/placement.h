// Which CPUs the threads of a row run on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aioscope {

struct Cpu {
  int id = 0;
  int core = 0;  // unique within its package
  int package = 0;
  int node = 0;     // NUMA
  int sibling = 0;  // 0 for the first hardware thread of its core, 1 for the second, ...
  bool operator==(const Cpu&) const = default;
};

// The CPUs this process may use: online, and in its affinity mask.
struct Topology {
  std::vector<Cpu> cpus;  // by id
  bool smt() const;       // some usable core has more than one usable hardware thread
  std::size_t cores() const;
  std::size_t packages() const;
  std::size_t nodes() const;
};

// Reads ROOT/sys/devices/system/{cpu,node}. CPUs outside `allowed` are left out; an empty `allowed`
// stands for all that are online. What sysfs does not say is taken as one core per CPU, package 0,
// node 0.
Topology read_topology(const std::filesystem::path& root, const std::vector<int>& allowed);

// The CPUs in the affinity mask of this process.
std::vector<int> affinity_mask();

// "0-1,4" <-> {0, 1, 4}. nullopt when `text` is no such list; order is kept, so that "3,1" is {3,
// 1}.
std::optional<std::vector<int>> parse_cpu_list(std::string_view text);
std::string format_cpu_list(const std::vector<int>& cpus);

//   none     the scheduler decides
//   compact  fill the hardware threads of a core, then the cores of a node, then the next node
//   spread   one thread per core, over the nodes in turn; then the second hardware threads
//   list     the CPUs given, in that order
enum class PinPolicy : std::uint8_t { kNone, kCompact, kSpread, kList };

struct Pinning {
  PinPolicy policy = PinPolicy::kNone;
  std::vector<int> list;  // of kList
  bool operator==(const Pinning&) const = default;
};

// nullopt when `text` is none of none, compact, spread and a CPU list.
std::optional<Pinning> parse_pinning(std::string_view text);
std::string pinning_text(const Pinning& pinning);

// One CPU per thread, from the start again when there are more threads than CPUs; empty for kNone.
std::vector<int> cpus_for(const Topology& topology, const Pinning& pinning, std::size_t threads);

// The first CPU of the list that cannot be used here, if any.
std::optional<int> unusable_cpu(const Topology& topology, const Pinning& pinning);

}  // namespace aioscope
