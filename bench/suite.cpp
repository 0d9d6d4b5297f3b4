#include "bench/suite.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>

#include "bench/suggest.h"
#include "bench/text_file.h"

namespace aioscope {
namespace {

constexpr std::string_view kSummaryKey = "summary";
constexpr std::string_view kPartKey = "part";

std::string place_of(const toml::node& node, const std::string& source) {
  return fmt::format("{}:{}", source, node.source().begin.line);
}

std::vector<std::string> known_keys(bool in_part) {
  std::vector<std::string> keys;
  if (!in_part) keys = {std::string(kSummaryKey), std::string(kPartKey)};
  for (const RunOptionSpec& spec : run_option_specs()) {
    if (spec.place == Place::kRow || (spec.place == Place::kRun && !in_part)) {
      keys.emplace_back(spec.name);
    }
  }
  return keys;
}

// As it would be written on the command line.
std::string scalar_text(const toml::node& node, const std::string& where) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* real = node.as_floating_point()) return fmt::format("{}", real->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  throw UsageError(where + ": is neither text, a number, true nor false");
}

Assignment assignment_of(std::string_view key, const toml::node& node, const std::string& source,
                         bool in_part) {
  const std::string where = fmt::format("{}: {}", place_of(node, source), key);
  const RunOptionSpec* spec = find_run_option(key);
  if (spec == nullptr) {
    throw UsageError(fmt::format("{}: unknown key '{}'{}", place_of(node, source), key,
                                 suggestion(key, known_keys(in_part))));
  }
  if (spec->place == Place::kCommand) {
    throw UsageError(fmt::format("{}: is an option of the command line alone: --{}", where, key));
  }
  if (in_part && spec->place == Place::kRun) {
    throw UsageError(where + ": holds for the whole run; move it above the first [[part]]");
  }
  Assignment assignment{.option = spec, .values = {}, .where = where};
  const toml::array* array = node.as_array();
  if (array == nullptr) {
    assignment.values.push_back(scalar_text(node, where));
    return assignment;
  }
  if (!spec->list) throw UsageError(where + ": takes one value, not a list");
  for (const toml::node& item : *array) assignment.values.push_back(scalar_text(item, where));
  if (assignment.values.empty()) throw UsageError(where + ": the list is empty");
  return assignment;
}

std::vector<Assignment> part_of(const toml::node& node, const std::string& source) {
  const toml::table* table = node.as_table();
  if (table == nullptr) throw UsageError(place_of(node, source) + ": write parts as [[part]]");
  std::vector<Assignment> part;
  for (const auto& [key, value] : *table) {
    part.push_back(assignment_of(key.str(), value, source, true));
  }
  return part;
}

toml::table parse_toml(std::string_view text, const std::string& source) {
  try {
    return toml::parse(text, source);
  } catch (const toml::parse_error& error) {
    throw UsageError(
        fmt::format("{}:{}: {}", source, error.source().begin.line, error.description()));
  }
}

void refuse_both(std::span<const Assignment> command_line, std::string_view a, std::string_view b) {
  const auto given = [&](std::string_view name) {
    return std::ranges::any_of(command_line,
                               [&](const Assignment& one) { return one.option->name == name; });
  };
  if (given(a) && given(b)) {
    throw UsageError(fmt::format("--{} and --{} exclude each other; leave out one", a, b));
  }
}

}  // namespace

Suite parse_suite(std::string_view text, const std::string& source) {
  const toml::table table = parse_toml(text, source);
  Suite suite{.name = source, .summary = "", .top = {}, .parts = {}};
  for (const auto& [key, value] : table) {
    if (key.str() == kSummaryKey) {
      suite.summary = scalar_text(value, place_of(value, source));
    } else if (key.str() == kPartKey) {
      const toml::array* parts = value.as_array();
      if (parts == nullptr) throw UsageError(place_of(value, source) + ": write parts as [[part]]");
      for (const toml::node& part : *parts) suite.parts.push_back(part_of(part, source));
    } else {
      suite.top.push_back(assignment_of(key.str(), value, source, false));
    }
  }
  return suite;
}

Suite load_suite(const std::string& name_or_path) {
  if (name_or_path.find('/') == std::string::npos && !name_or_path.ends_with(".toml")) {
    std::vector<std::string> names;
    for (const BuiltinSuite& suite : builtin_suites()) {
      if (suite.name == name_or_path) {
        Suite parsed = parse_suite(suite.text, fmt::format("{}.toml", suite.name));
        parsed.name = name_or_path;
        return parsed;
      }
      names.emplace_back(suite.name);
    }
    throw UsageError(
        fmt::format("unknown suite '{}'{}", name_or_path, suggestion(name_or_path, names)));
  }
  const auto text = read_text_file(name_or_path);
  if (!text) {
    throw UsageError(
        fmt::format("{}: cannot be read as a suite, or is no regular file with one; check the path",
                    name_or_path));
  }
  return parse_suite(*text, name_or_path);
}

RunRequest resolve(std::span<const Assignment> command_line) {
  refuse_both(command_line, "duration", "time-budget");
  refuse_both(command_line, "operations", "duration");
  refuse_both(command_line, "operations", "time-budget");
  RunOptions command;
  apply_all(command, command_line);
  const Suite suite = command.suite.empty() ? Suite{} : load_suite(command.suite);

  RunRequest request;
  apply_all(request.run, suite.top);
  RunOptions top = request.run;
  // A length on the command line is meant, whatever length the suite has.
  for (const Assignment& assignment : command_line) {
    const std::string_view name = assignment.option->name;
    if (name == "duration" || name == "operations") request.run.time_budget_ns = 0;
    if (name == "duration" || name == "time-budget") request.run.operations = 0;
  }
  apply_all(request.run, command_line);
  for (const auto& part : suite.parts) {
    RunOptions options = top;
    apply_all(options, part);
    apply_all(options, command_line);
    request.parts.push_back(options.rows);
  }
  if (request.parts.empty()) request.parts.push_back(request.run.rows);
  return request;
}

}  // namespace aioscope
