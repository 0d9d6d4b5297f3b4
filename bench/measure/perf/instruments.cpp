#include "bench/measure/perf/instruments.h"

#include <fstream>

#include "bench/measure/perf/perf_ring.h"

namespace aioscope {
namespace {

constexpr std::size_t kRingBytes = 64 << 10;
constexpr std::uint64_t kSamplesPerSecond = 1000;

// Opens the event and, when it samples, its ring; not refused when both can be had.
Refusal try_event(perf_event_attr attributes) {
  attributes.disabled = 1;
  const PerfEvent event(attributes, 0);
  if (!event.is_open()) return event.refusal();
  if (attributes.sample_period == 0) return {};
  return PerfRing(event, kRingBytes).refusal();
}

InstrumentProbe counters() {
  perf_event_attr clock = event_attributes(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK);
  clock.exclude_kernel = 1;
  InstrumentProbe probe{.id = "counters", .refusal = try_event(clock)};
  probe.works = probe.refusal.reason.empty();
  if (!probe.works) return probe;
  probe.refusal = try_event(event_attributes(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES));
  if (!probe.refusal.reason.empty()) probe.lacks = "what happens in the kernel";
  return probe;
}

InstrumentProbe profile() {
  perf_event_attr attributes = event_attributes(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
  attributes.freq = 1;
  attributes.sample_freq = kSamplesPerSecond;
  attributes.sample_type = PERF_SAMPLE_CALLCHAIN;
  InstrumentProbe probe{.id = "profile", .refusal = try_event(attributes)};
  if (probe.refusal.reason.empty()) {
    probe.works = true;
    if (kernel_has_names()) return probe;
    probe.lacks = "names of the kernel's functions";
    probe.refusal = {0, "the addresses in /proc/kallsyms are hidden",
                     as_root(kShowKernelNames, perf_rights().user_namespace)};
    return probe;
  }
  attributes.exclude_kernel = 1;
  probe.works = try_event(attributes).reason.empty();
  if (probe.works) probe.lacks = "the kernel's part";
  return probe;
}

InstrumentProbe tracepoint(std::string_view id, std::string_view name, std::uint64_t sample_type,
                           const Tracefs& tracefs) {
  InstrumentProbe probe{.id = id};
  const auto number = tracefs.id(name);
  if (const auto* refusal = std::get_if<Refusal>(&number)) {
    probe.refusal = *refusal;
    return probe;
  }
  perf_event_attr attributes =
      event_attributes(PERF_TYPE_TRACEPOINT, std::get<std::uint64_t>(number));
  attributes.sample_period = 1;
  attributes.sample_type = sample_type;
  probe.refusal = try_event(attributes);
  probe.works = probe.refusal.reason.empty();
  return probe;
}

constexpr std::uint64_t kTimeAndStack = PERF_SAMPLE_TIME | PERF_SAMPLE_CALLCHAIN;

// Without the tracepoint the times are still known, from the records of switches of any event.
InstrumentProbe off_cpu(const Tracefs& tracefs) {
  InstrumentProbe probe = tracepoint("off_cpu", "sched:sched_switch", kTimeAndStack, tracefs);
  if (probe.works) return probe;
  perf_event_attr records = event_attributes(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY);
  records.context_switch = 1;
  records.exclude_kernel = 1;
  const Refusal refusal = try_event(records);
  if (refusal.reason.empty()) {
    probe.works = true;
    probe.lacks = "what was waited for";
  } else {
    probe.refusal = refusal;
  }
  return probe;
}

}  // namespace

// Those who may not see the addresses see all of them as 0; data of a CPU is at 0 for all.
bool kernel_has_names(const std::filesystem::path& root) {
  std::ifstream file(root / "proc/kallsyms");
  for (std::string address, type, rest; file >> address >> type && std::getline(file, rest);) {
    if (type != "T" && type != "t") continue;
    return address.find_first_not_of('0') != std::string::npos;
  }
  return false;
}

std::vector<InstrumentProbe> probe_instruments(const Tracefs& tracefs) {
  // Which lock it is stands in the record itself; its kind of data needs more rights.
  return {
      counters(), profile(),
      tracepoint("kernel_locks", "lock:contention_begin", kTimeAndStack | PERF_SAMPLE_RAW, tracefs),
      off_cpu(tracefs)};
}

}  // namespace aioscope
