#include "bench/measure/perf/counter.h"

#include <fmt/format.h>
#include <perfmon/pfmlib_perf_event.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>

#include "bench/measure/perf/pmu_sharing.h"

namespace aioscope {
namespace {

// How the kernel treats exclude_user and exclude_kernel.
enum class Sides {
  kBoth,     // counts user and kernel apart
  kWhole,    // does not look: it counts all of the thread, whatever is excluded
  kInKernel  // only ever happens in the kernel: without the kernel it would count 0
};

struct Generic {
  std::string_view name;
  std::string_view alias;
  std::uint32_t type;
  std::uint64_t config;
  Sides sides;
  std::string_view summary;
};

constexpr Generic kGeneric[] = {
    {"task-clock", "", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, Sides::kWhole,
     "time that the thread was on a CPU, ns"},
    {"cpu-clock", "", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, Sides::kWhole,
     "the same by the CPU's clock, ns"},
    {"context-switches", "cs", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, Sides::kInKernel,
     "times that the thread left its CPU"},
    {"cpu-migrations", "migrations", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS,
     Sides::kInKernel, "times that it came to another CPU"},
    {"page-faults", "faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, Sides::kBoth,
     "page faults"},
    {"minor-faults", "", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN, Sides::kBoth,
     "page faults without I/O"},
    {"major-faults", "", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ, Sides::kBoth,
     "page faults with I/O"},
    {"alignment-faults", "", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS, Sides::kBoth,
     "unaligned accesses that the kernel mends"},
    {"emulation-faults", "", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_EMULATION_FAULTS, Sides::kBoth,
     "instructions that the kernel emulates"},
    {"cycles", "cpu-cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES, Sides::kBoth,
     "CPU cycles"},
    {"instructions", "", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, Sides::kBoth,
     "instructions retired"},
    {"cache-references", "", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES, Sides::kBoth,
     "accesses to the last level cache"},
    {"cache-misses", "", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES, Sides::kBoth,
     "of these, misses"},
    {"branches", "branch-instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS,
     Sides::kBoth, "branches retired"},
    {"branch-misses", "", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES, Sides::kBoth,
     "of these, mispredicted"},
    {"bus-cycles", "", PERF_TYPE_HARDWARE, PERF_COUNT_HW_BUS_CYCLES, Sides::kBoth, "bus cycles"},
    {"stalled-cycles-frontend", "", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_FRONTEND,
     Sides::kBoth, "cycles without instructions to run"},
    {"stalled-cycles-backend", "", PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_BACKEND,
     Sides::kBoth, "cycles that waited for data or units"},
    {"ref-cycles", "", PERF_TYPE_HARDWARE, PERF_COUNT_HW_REF_CPU_CYCLES, Sides::kBoth,
     "cycles at the nominal frequency"},
};

constexpr std::string_view kDefault = "default";
constexpr const char* kDefaultSet[] = {
    "task-clock", "context-switches", "cpu-migrations", "page-faults",    "cycles:u",
    "cycles:k",   "instructions:u",   "instructions:k", "cache-misses:u", "cache-misses:k"};

const Generic* find_generic(std::string_view name) {
  const auto* found = std::ranges::find_if(kGeneric, [&](const Generic& one) {
    return one.name == name || (!one.alias.empty() && one.alias == name);
  });
  return found == std::end(kGeneric) ? nullptr : found;
}

enum class Modifier { kNone, kUser, kKernel };

// "cycles:u" is cycles and kUser.
std::pair<std::string_view, Modifier> split_modifier(std::string_view name) {
  if (name.ends_with(":u")) return {name.substr(0, name.size() - 2), Modifier::kUser};
  if (name.ends_with(":k")) return {name.substr(0, name.size() - 2), Modifier::kKernel};
  return {name, Modifier::kNone};
}

Refusal cannot_be_split(std::string_view name, std::string_view why) {
  return {EINVAL, fmt::format("{} cannot be counted for user and kernel apart: {}", name, why),
          fmt::format("ask for {} without :u and :k", name)};
}

void encode_generic(Counter& counter, const Generic& generic, Modifier modifier) {
  counter.known = true;
  counter.attributes = event_attributes(generic.type, generic.config);
  counter.attributes.exclude_hv = generic.type == PERF_TYPE_HARDWARE;
  if (generic.sides == Sides::kBoth) {
    counter.attributes.exclude_kernel = modifier == Modifier::kUser;
    counter.attributes.exclude_user = modifier == Modifier::kKernel;
    return;
  }
  if (modifier != Modifier::kNone) {
    counter.refusal = cannot_be_split(generic.name, generic.sides == Sides::kWhole
                                                        ? "the kernel counts all of the thread"
                                                        : "it happens in the kernel only");
  }
  // What does not look at it needs no rights for the kernel either.
  counter.attributes.exclude_kernel = generic.sides == Sides::kWhole;
}

// libpfm4 while the object lives. It reads its environment when it is initialised.
class Pfm {
 public:
  Pfm() : status_(pfm_initialize()) {}
  Pfm(const Pfm&) = delete;
  Pfm& operator=(const Pfm&) = delete;
  ~Pfm() { pfm_terminate(); }
  int status() const { return status_; }
  // nullptr: it looks at the CPU itself.
  static const char* forced() { return std::getenv("LIBPFM_FORCE_PMU"); }

 private:
  int status_;
};

int encode_by_pfm(Counter& counter) {
  const Pfm pfm;
  if (pfm.status() != PFM_SUCCESS) return pfm.status();
  perf_event_attr attributes = event_attributes(0, 0);
  pfm_perf_encode_arg_t arguments{};
  arguments.size = sizeof arguments;
  arguments.attr = &attributes;
  arguments.cpu = -1;
  const int status = pfm_get_os_event_encoding(counter.name.c_str(), PFM_PLM0 | PFM_PLM3,
                                               PFM_OS_PERF_EVENT, &arguments);
  if (status != PFM_SUCCESS) return status;
  counter.known = true;
  counter.attributes = attributes;
  counter.attributes.size = sizeof counter.attributes;
  if (attributes.sample_period != 0 || attributes.freq != 0 || arguments.cpu != -1) {
    counter.refusal = {EINVAL, counter.name + " asks for samples or for a CPU",
                       "leave out period, freq and cpu: it is counted per thread"};
  } else if (Pfm::forced() != nullptr) {
    counter.refusal = {0,
                       fmt::format("LIBPFM_FORCE_PMU is {}: {} is encoded for that PMU, and this "
                                   "CPU would count something else",
                                   Pfm::forced(), encoding_text(counter)),
                       "unset LIBPFM_FORCE_PMU"};
  }
  return status;
}

// "lock:contention_begin"; not "skl::X", and not a generic name with something behind it.
bool looks_like_tracepoint(std::string_view name) {
  const auto colon = name.find(':');
  return find_generic(name.substr(0, colon)) == nullptr && colon != std::string_view::npos &&
         colon > 0 && colon + 1 < name.size() &&
         name.find(':', colon + 1) == std::string_view::npos &&
         std::ranges::none_of(name, [](unsigned char c) { return std::isupper(c) != 0; });
}

bool encode_tracepoint(Counter& counter, std::string_view tracepoint, Modifier modifier,
                       const Tracefs& tracefs) {
  const auto id = tracefs.id(tracepoint);
  if (const auto* refusal = std::get_if<Refusal>(&id)) {
    counter.refusal = *refusal;
    return false;
  }
  counter.known = true;
  counter.attributes = event_attributes(PERF_TYPE_TRACEPOINT, std::get<std::uint64_t>(id));
  // exclude_user and exclude_kernel look at where the tracepoint is, not at who caused it.
  if (modifier != Modifier::kNone) {
    counter.refusal = cannot_be_split(tracepoint, "a tracepoint is a place in the kernel");
  }
  return true;
}

void try_here(Counter& counter) {
  if (!counter.usable()) return;
  perf_event_attr attributes = counter.attributes;
  attributes.disabled = 1;
  const PerfEvent event(attributes, 0);
  if (!event.is_open()) counter.refusal = event.refusal();
}

}  // namespace

CounterKind Counter::kind() const {
  if (attributes.type == PERF_TYPE_TRACEPOINT) return CounterKind::kSoftware;
  if (attributes.type != PERF_TYPE_SOFTWARE) return CounterKind::kHardware;
  return attributes.config == PERF_COUNT_SW_TASK_CLOCK ||
                 attributes.config == PERF_COUNT_SW_CPU_CLOCK
             ? CounterKind::kClock
             : CounterKind::kSoftware;
}

Counter encode_counter(const std::string& name, const Tracefs& tracefs) {
  Counter counter{.name = name};
  const auto [base, modifier] = split_modifier(name);
  if (const Generic* generic = find_generic(base)) {
    encode_generic(counter, *generic, modifier);
    return counter;
  }
  const bool may_be_tracepoint = looks_like_tracepoint(base);
  if (may_be_tracepoint && encode_tracepoint(counter, base, modifier, tracefs)) return counter;
  const Refusal no_tracepoint = std::move(counter.refusal);
  counter.refusal = {};
  const int status = encode_by_pfm(counter);
  if (status == PFM_SUCCESS) return counter;
  // A tracepoint that cannot be looked up is not a wrong name.
  counter.known = may_be_tracepoint && !tracefs.usable();
  counter.refusal = may_be_tracepoint
                        ? no_tracepoint
                        : Refusal{EINVAL, fmt::format("libpfm4: {}", pfm_strerror(status)),
                                  "see 'aioscope list counters'"};
  return counter;
}

std::vector<Counter> find_counters(std::span<const std::string> names, const Tracefs& tracefs) {
  std::vector<Counter> counters;
  const auto add = [&](const std::string& name, bool optional) {
    const auto same = std::ranges::find(counters, name, &Counter::name);
    if (same != counters.end()) {
      same->optional = same->optional && optional;
      return;
    }
    counters.push_back(encode_counter(name, tracefs));
    counters.back().optional = optional;
    try_here(counters.back());
  };
  for (const std::string& name : names) {
    if (name != kDefault) {
      add(name, false);
      continue;
    }
    for (const char* one : kDefaultSet) add(one, true);
  }
  settle_sharing(counters);
  return counters;
}

std::string encoding_text(const Counter& counter) {
  const perf_event_attr& attributes = counter.attributes;
  std::string text;
  switch (attributes.type) {
    case PERF_TYPE_HARDWARE:
      text = fmt::format("hardware {}", std::uint64_t(attributes.config));
      break;
    case PERF_TYPE_SOFTWARE:
      text = fmt::format("software {}", std::uint64_t(attributes.config));
      break;
    case PERF_TYPE_TRACEPOINT:
      text = fmt::format("tracepoint {}", std::uint64_t(attributes.config));
      break;
    case PERF_TYPE_RAW:
      text = fmt::format("raw {:#x}", std::uint64_t(attributes.config));
      break;
    default:
      text = fmt::format("type {} config {:#x}", std::uint32_t(attributes.type),
                         std::uint64_t(attributes.config));
  }
  if (attributes.config1 != 0) {
    text += fmt::format(" config1 {:#x}", std::uint64_t(attributes.config1));
  }
  if (attributes.exclude_kernel != 0 && counter.kind() != CounterKind::kClock) text += " user";
  if (attributes.exclude_user != 0) text += " kernel";
  return text;
}

std::vector<GenericCounter> generic_counters() {
  std::vector<GenericCounter> counters;
  for (const Generic& generic : kGeneric) counters.push_back({generic.name, generic.summary});
  return counters;
}

std::vector<PmuEvents> pmu_events() {
  std::vector<PmuEvents> pmus;
  const Pfm pfm;
  if (pfm.status() != PFM_SUCCESS) return pmus;
  for (int id = PFM_PMU_NONE; id < PFM_PMU_MAX; ++id) {
    pfm_pmu_info_t pmu{};
    pmu.size = sizeof pmu;
    if (pfm_get_pmu_info(pfm_pmu_t(id), &pmu) != PFM_SUCCESS || pmu.is_present == 0) continue;
    PmuEvents& events = pmus.emplace_back(PmuEvents{pmu.name, pmu.desc, {}});
    for (int event = pmu.first_event; event != -1; event = pfm_get_event_next(event)) {
      pfm_event_info_t info{};
      info.size = sizeof info;
      if (pfm_get_event_info(event, PFM_OS_PERF_EVENT, &info) != PFM_SUCCESS) continue;
      events.events.push_back(fmt::format("{}::{}", pmu.name, info.name));
    }
  }
  return pmus;
}

}  // namespace aioscope
