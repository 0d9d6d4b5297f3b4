// A table of contents: parse, plan, probe, run, write.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "bench/doctor.h"
#include "bench/dry_run.h"
#include "bench/list.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/python_command.h"
#include "bench/suite.h"

namespace aioscope {
namespace {

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Availability probe(const Driver& driver) { return driver.probe(); }

int run(const CommandLine& line) {
  const RunRequest request = resolve(line.run);
  Registry registry;
  const Plan plan = make_plan(request, registry, probe);
  print(dry_run_text(plan));
  return kExitOk;
}

int list(const CommandLine& line) {
  const Registry registry;
  print(line.json ? list_json(registry, probe, line.list_what)
                  : list_text(registry, probe, line.list_what));
  return kExitOk;
}

int doctor(const CommandLine& line) {
  const auto findings = diagnose(this_machine());
  print(line.json ? doctor_json(findings)
                  : doctor_text(findings, use_color(line.color, STDOUT_FILENO)));
  return kExitOk;
}

int execute(const CommandLine& line) {
  switch (line.command) {
    case Command::kText:
      print(line.text);
      return kExitOk;
    case Command::kRun:
      return run(line);
    case Command::kList:
      return list(line);
    case Command::kDoctor:
      return doctor(line);
    case Command::kPython:
      become_python(line.python);
  }
  return kExitUsage;
}

int fail(const std::exception& error, int code) {
  fmt::print(stderr, "aioscope: {}\n", error.what());
  return code;
}

}  // namespace
}  // namespace aioscope

int main(int argc, char** argv) {
  try {
    return aioscope::execute(aioscope::parse_command_line(argc, argv));
  } catch (const aioscope::UsageError& error) {
    return aioscope::fail(error, aioscope::kExitUsage);
  } catch (const std::exception& error) {
    return aioscope::fail(error, aioscope::kExitRuntime);
  }
}
