#include "drivers/kioctx/percpu.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <string>

namespace aioscope::kioctx {
namespace {

constexpr unsigned kMostCpus = 8192;  // that Linux can be configured for
constexpr unsigned kWordBits = sizeof(unsigned long) * 8;

PossibleCpus parse_cpu_list(const std::string& text) {
  PossibleCpus cpus;
  const char* at = text.c_str();
  while (*at >= '0' && *at <= '9') {
    char* end = nullptr;
    const auto first = unsigned(std::strtoul(at, &end, 10));
    const auto last = *end == '-' ? unsigned(std::strtoul(end + 1, &end, 10)) : first;
    cpus.count += last - first + 1;
    cpus.ids = std::max(cpus.ids, last + 1);
    at = *end == ',' ? end + 1 : end;
  }
  return cpus;
}

PossibleCpus read_possible_cpus() {
  std::ifstream file("/sys/devices/system/cpu/possible");
  std::string text;
  std::getline(file, text);
  const auto configured = unsigned(std::max(1L, sysconf(_SC_NPROCESSORS_CONF)));
  // Not glibc's function, which does not tell how much the kernel has written.
  std::array<unsigned long, kMostCpus / kWordBits> affinity{};
  const long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(affinity), affinity.data());
  const std::size_t words = bytes > 0 ? std::size_t(bytes) / sizeof(unsigned long) : 0;
  return find_possible_cpus(text, configured, std::span(affinity).first(words));
}

const PossibleCpus& possible_cpus() {
  static const PossibleCpus cpus = read_possible_cpus();
  return cpus;
}

}  // namespace

// Without sysfs CPUs may have any number that the kernel has a bit for; it writes them all.
PossibleCpus find_possible_cpus(const std::string& sysfs, unsigned configured,
                                std::span<const unsigned long> affinity) {
  PossibleCpus cpus = parse_cpu_list(sysfs);
  if (cpus.count == 0) {
    cpus.count = configured;
    cpus.ids = affinity.empty() ? kMostCpus : unsigned(affinity.size()) * kWordBits;
  }
  for (unsigned i = 0; i < affinity.size(); ++i) {
    if (affinity[i] != 0) {
      cpus.ids = std::max(cpus.ids, i * kWordBits + unsigned(std::bit_width(affinity[i])));
    }
  }
  cpus.ids = std::max(cpus.ids, configured);
  return cpus;
}

#if defined(AIOSCOPE_RSEQ)
// glibc registers every thread or none: none when the kernel has no rseq, or when it was told not
// to (GLIBC_TUNABLES=glibc.pthread.rseq=0).
const bool percpu_detail::kUseRseq =
    __rseq_size >= offsetof(struct rseq, flags) && std::int32_t(this_rseq()->cpu_id) >= 0;
#endif

unsigned num_cpu_ids() { return possible_cpus().ids; }
unsigned num_possible_cpus() { return possible_cpus().count; }

PercpuSlot* alloc_percpu() { return new PercpuSlot[possible_cpus().ids]; }
void free_percpu(PercpuSlot* slots) { delete[] slots; }

std::uint32_t percpu_sum(const PercpuSlot* slots) {
  std::uint32_t sum = 0;
  for (unsigned cpu = 0; cpu < possible_cpus().ids; ++cpu) {
    sum += slots[cpu].value.load(std::memory_order_acquire);  // pairs with percpu_add
  }
  return sum;
}

std::uint32_t percpu_fold(PercpuSlot* slots) {
  const std::uint32_t sum = percpu_sum(slots);
  for (unsigned cpu = 0; cpu < possible_cpus().ids; ++cpu) {
    slots[cpu].value.store(0, std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace aioscope::kioctx
