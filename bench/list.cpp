#include "bench/list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/driver_selection.h"
#include "bench/list_counters.h"
#include "bench/measure/profile/layer_rules.h"
#include "bench/row.h"
#include "bench/suite.h"

namespace aioscope {
namespace {

using Json = nlohmann::ordered_json;

struct Entry {
  std::string_view name;
  std::string_view summary;
};

constexpr Entry kWorkloads[] = {
    {"shared", "N submitters and M reapers on one context"},
    {"per-thread", "N threads, each submits to and reaps from a context of its own"},
    {"aggregate", "per-thread, and every completion goes to one consumer through a queue"},
    {"grouped", "N submitters and M reapers over K contexts"},
};

constexpr Entry kTargets[] = {
    {"null", "/dev/null: nothing is transferred, the cost is all interface"},
    {"zero", "/dev/zero: memory is filled, no device"},
    {"file:PATH", "a regular file or block device, O_DIRECT without --buffered"},
    {"file", "the file of --file PATH"},
    {"device:SPEC",
     "a simulated device (kioctx); any of latency=10us,jitter=2us,cpus=2,coalesce=8,"
     "error-rate=0.001,cancel=yes"},
};

struct Listed {
  const Driver* driver;
  Availability availability;
  std::string alias;  // the shorter name that means the same
};

std::vector<Listed> probed(const Registry& registry, const Probe& probe) {
  std::vector<Listed> listed;
  for (const Driver* driver : registry.all()) {
    const bool aliased = is_default_variant(*driver) && base_name(*driver) != driver->name;
    listed.push_back(
        {driver, probe(*driver), aliased ? std::string(base_name(*driver)) : std::string()});
  }
  return listed;
}

std::vector<std::string_view> opcodes_of(const Capabilities& can) {
  std::vector<std::string_view> names;
  if (can.opcodes & opcode_bit(Opcode::kRead)) names.push_back("read");
  if (can.opcodes & opcode_bit(Opcode::kWrite)) names.push_back("write");
  if (can.opcodes & opcode_bit(Opcode::kNop)) names.push_back("nop");
  return names;
}

std::vector<std::string_view> files_of(const Capabilities& can) {
  std::vector<std::string_view> names;
  if (can.files & file_kind_bit(FileKind::kNull)) names.push_back("null");
  if (can.files & file_kind_bit(FileKind::kZero)) names.push_back("zero");
  if (can.files & file_kind_bit(FileKind::kFile)) names.push_back("file");
  if (can.files & file_kind_bit(FileKind::kDevice)) names.push_back("device");
  return names;
}

std::string sharing_text(std::uint32_t most, std::string_view what) {
  if (most == UINT32_MAX) return fmt::format("any number of {}s", what);
  return fmt::format("{} {}{}", most, what, most == 1 ? "" : "s");
}

std::string capabilities_text(const Capabilities& can) {
  return fmt::format("{}; on {}; {} and {} per context{}{}", fmt::join(opcodes_of(can), " "),
                     fmt::join(files_of(can), " "), sharing_text(can.max_submitters, "submitter"),
                     sharing_text(can.max_reapers, "reaper"), can.cancel ? "; cancel" : "",
                     can.completes_inline ? "; inside submit" : "");
}

std::string drivers_text(const std::vector<Listed>& drivers) {
  std::size_t width = 0;
  for (const Listed& listed : drivers) width = std::max(width, listed.driver->name.size());
  std::string text = "Drivers\n";
  for (const Listed& listed : drivers) {
    const Driver& driver = *listed.driver;
    text += fmt::format("  {:<{}} {}{}\n", driver.name, width, driver.summary,
                        listed.alias.empty() ? "" : fmt::format(" (= {})", listed.alias));
    text += fmt::format("  {:<{}} {}\n", "", width, capabilities_text(driver.capabilities));
    if (listed.availability.usable) continue;
    text += fmt::format("  {:<{}} CANNOT RUN HERE: {}\n", "", width, listed.availability.reason);
    if (!listed.availability.cure.empty()) {
      text += fmt::format("  {:<{}} cure: {}\n", "", width, listed.availability.cure);
    }
  }
  return text;
}

std::string stages_text(const Registry& registry) {
  std::string text = "Stages: drivers that are steps of one another\n";
  for (const Driver* driver : registry.all()) {
    if (driver->notes == nullptr) continue;
    text += fmt::format("  {}\n", driver->name);
    for (const DriverNote& note : driver->notes()) {
      if (!note.text.empty()) text += fmt::format("    {:<10} {}\n", note.heading, note.text);
    }
  }
  return text;
}

Json stages_json(const Registry& registry) {
  Json array = Json::array();
  for (const Driver* driver : registry.all()) {
    if (driver->notes == nullptr) continue;
    Json notes = Json::object();
    for (const DriverNote& note : driver->notes()) notes[note.heading] = note.text;
    array.push_back({{"name", driver->name}, {"notes", std::move(notes)}});
  }
  return array;
}

std::string entries_text(std::string_view title, std::span<const Entry> entries) {
  std::string text = fmt::format("{}\n", title);
  for (const Entry& entry : entries)
    text += fmt::format("  {:<22} {}\n", entry.name, entry.summary);
  return text;
}

std::vector<Suite> suites() {
  std::vector<Suite> parsed;
  for (const BuiltinSuite& suite : builtin_suites()) {
    parsed.push_back(load_suite(std::string(suite.name)));
  }
  return parsed;
}

std::string suites_text() {
  std::string text = "Suites\n";
  for (const Suite& suite : suites())
    text += fmt::format("  {:<22} {}\n", suite.name, suite.summary);
  return text;
}

Json limit_json(std::uint32_t most) { return most == UINT32_MAX ? Json(nullptr) : Json(most); }

Json drivers_json(const std::vector<Listed>& drivers) {
  Json array = Json::array();
  for (const Listed& listed : drivers) {
    const Driver& driver = *listed.driver;
    const Capabilities& can = driver.capabilities;
    const std::size_t at = driver.name.find('@');
    array.push_back({
        {"name", driver.name},
        {"driver", base_name(driver)},
        {"variant",
         at == std::string_view::npos ? Json(nullptr) : Json(driver.name.substr(at + 1))},
        {"alias", listed.alias.empty() ? Json(nullptr) : Json(listed.alias)},
        {"summary", driver.summary},
        {"usable", listed.availability.usable},
        {"reason", listed.availability.usable ? Json(nullptr) : Json(listed.availability.reason)},
        {"cure", listed.availability.usable ? Json(nullptr) : Json(listed.availability.cure)},
        {"capabilities",
         {{"operations", opcodes_of(can)},
          {"targets", files_of(can)},
          {"max_submitters", limit_json(can.max_submitters)},
          {"max_reapers", limit_json(can.max_reapers)},
          {"cancel", can.cancel},
          {"transfers_data", can.transfers_data},
          {"completes_inline", can.completes_inline}}},
    });
  }
  return array;
}

Json entries_json(std::span<const Entry> entries) {
  Json array = Json::array();
  for (const Entry& entry : entries) {
    array.push_back({{"name", entry.name}, {"summary", entry.summary}});
  }
  return array;
}

Json suites_json() {
  Json array = Json::array();
  for (const Suite& suite : suites()) {
    array.push_back({{"name", suite.name}, {"summary", suite.summary}});
  }
  return array;
}

}  // namespace

std::string list_text(const Registry& registry, const Probe& probe, std::string_view what) {
  std::vector<std::string> sections;
  const auto wanted = [&](std::string_view section) { return what.empty() || what == section; };
  if (wanted("drivers")) sections.push_back(drivers_text(probed(registry, probe)));
  if (wanted("workloads")) sections.push_back(entries_text("Workloads", kWorkloads));
  if (wanted("targets")) sections.push_back(entries_text("Targets", kTargets));
  if (wanted("suites")) sections.push_back(suites_text());
  if (what == "stages") sections.push_back(stages_text(registry));
  if (what == "counters") sections.push_back(counters_text());
  if (what == "layers") sections.emplace_back(builtin_layer_rules());  // a file of its own
  return fmt::format("{}", fmt::join(sections, "\n"));
}

std::string list_json(const Registry& registry, const Probe& probe, std::string_view what) {
  Json json{{"schema", "aioscope.list/1"}};
  const auto wanted = [&](std::string_view section) { return what.empty() || what == section; };
  if (wanted("drivers")) json["drivers"] = drivers_json(probed(registry, probe));
  if (wanted("workloads")) json["workloads"] = entries_json(kWorkloads);
  if (wanted("targets")) json["targets"] = entries_json(kTargets);
  if (wanted("suites")) json["suites"] = suites_json();
  if (what == "stages") json["stages"] = stages_json(registry);
  if (what == "counters") json["counters"] = counters_json();
  if (what == "layers") {
    json["layers"] = kLayerNames;
    json["rules"] = builtin_layer_rules();
  }
  return json.dump(2) + "\n";
}

}  // namespace aioscope
