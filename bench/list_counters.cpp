#include "bench/list_counters.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/measure/perf/counter.h"

namespace aioscope {
namespace {

using Json = nlohmann::ordered_json;

// Those that say most about AIO.
constexpr std::pair<const char*, const char*> kTracepoints[] = {
    {"lock:contention_begin", "its waits for a lock of the kernel"},
    {"syscalls:sys_enter_io_submit", "io_submit calls"},
    {"syscalls:sys_enter_io_getevents", "io_getevents calls"},
    {"syscalls:sys_enter_io_uring_enter", "io_uring_enter calls"},
    {"raw_syscalls:sys_enter", "system calls of all kinds"},
    {"sched:sched_wakeup", "threads that it woke"},
    {"sched:sched_switch", "times that the thread left its CPU"},
    {"block:block_rq_issue", "requests to block devices"},
    {"irq_vectors:call_function_single_entry", "interrupts from other CPUs"},
};

struct ListedCounter {
  GenericCounter generic;
  Counter counter;
  bool of_default = false;
};

std::vector<ListedCounter> generic_listed(const Tracefs& tracefs) {
  const std::string set[] = {"default"};
  const std::vector<Counter> defaults = find_counters(set, tracefs);
  std::vector<ListedCounter> listed;
  for (const GenericCounter& generic : generic_counters()) {
    const std::string names[] = {std::string(generic.name)};
    const bool of_default = std::ranges::any_of(defaults, [&](const Counter& one) {
      return one.name == generic.name || one.name.starts_with(std::string(generic.name) + ":");
    });
    listed.push_back({generic, find_counters(names, tracefs)[0], of_default});
  }
  return listed;
}

Json refusal_json(const Refusal& refusal) {
  const auto text = [](const std::string& words) {
    return words.empty() ? Json(nullptr) : Json(words);
  };
  return {{"usable", refusal.reason.empty()},
          {"reason", text(refusal.reason)},
          {"cure", text(refusal.cure)}};
}

std::string refusal_text(const Refusal& refusal) {
  if (refusal.reason.empty()) return "";
  return fmt::format("  {:<26} CANNOT BE HAD HERE: {}\n  {:<26} cure: {}\n", "", refusal.reason, "",
                     refusal.cure);
}

// Whether tracepoints can be counted, tried with one that every kernel has.
Refusal tracepoint_refusal(const Tracefs& tracefs) {
  const std::string names[] = {"raw_syscalls:sys_enter"};
  return find_counters(names, tracefs)[0].refusal;
}

// The same reason of many is said once.
std::string generic_text(const Tracefs& tracefs) {
  std::string text = "Counters (+: of the set 'default'; :u and :k count user and kernel apart)\n";
  std::vector<std::pair<Refusal, std::string>> missing;
  for (const ListedCounter& listed : generic_listed(tracefs)) {
    const Refusal& refusal = listed.counter.refusal;
    text += fmt::format("{} {:<26} {}{}\n", listed.of_default ? '+' : ' ', listed.generic.name,
                        listed.generic.summary, refusal.reason.empty() ? "" : "  NOT HERE");
    if (refusal.reason.empty()) continue;
    const auto same = std::ranges::find_if(
        missing, [&](const auto& one) { return one.first.reason == refusal.reason; });
    if (same == missing.end()) {
      missing.emplace_back(refusal, listed.generic.name);
    } else {
      same->second += fmt::format(", {}", listed.generic.name);
    }
  }
  for (const auto& [refusal, names] : missing) {
    text += fmt::format("  not here: {}\n    reason: {}\n    cure: {}\n", names, refusal.reason,
                        refusal.cure);
  }
  return text;
}

}  // namespace

std::string counters_text(const Tracefs& tracefs) {
  std::string text = generic_text(tracefs);
  text += "\nTracepoints, SYSTEM:EVENT; among them\n";
  const auto names = tracefs.tracepoints();
  for (const auto& [name, summary] : kTracepoints) {
    const bool known = std::ranges::binary_search(names, name);
    if (known || !tracefs.usable()) text += fmt::format("  {:<40} {}\n", name, summary);
  }
  if (tracefs.usable()) {
    text += fmt::format("  {} in all: ls {}/events, or --json\n", names.size(),
                        tracefs.directory().string());
  }
  text += refusal_text(tracepoint_refusal(tracefs));
  text += "\nPMUs that libpfm4 encodes events for here (names: --json)\n";
  for (const PmuEvents& pmu : pmu_events()) {
    text += fmt::format("  {:<26} {}, {} events\n", pmu.name, pmu.summary, pmu.events.size());
  }
  return text;
}

Json counters_json(const Tracefs& tracefs) {
  Json generic = Json::array();
  for (const ListedCounter& listed : generic_listed(tracefs)) {
    Json& one = generic.emplace_back(Json{{"name", listed.generic.name},
                                          {"summary", listed.generic.summary},
                                          {"default", listed.of_default}});
    one.update(refusal_json(listed.counter.refusal));
  }
  Json pmus = Json::array();
  for (const PmuEvents& pmu : pmu_events()) {
    pmus.push_back({{"name", pmu.name}, {"summary", pmu.summary}, {"events", pmu.events}});
  }
  Json tracepoints{{"names", tracefs.tracepoints()}};
  tracepoints.update(refusal_json(tracepoint_refusal(tracefs)));
  return {{"generic", std::move(generic)},
          {"pmus", std::move(pmus)},
          {"tracepoints", std::move(tracepoints)}};
}

}  // namespace aioscope
