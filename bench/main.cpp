// A table of contents: parse, plan, probe, run, write.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>

#include "bench/doctor.h"
#include "bench/dry_run.h"
#include "bench/interrupt.h"
#include "bench/list.h"
#include "bench/options.h"
#include "bench/plan.h"
#include "bench/python_command.h"
#include "bench/recorder.h"
#include "bench/session.h"
#include "bench/suite.h"
#include "bench/watchdog.h"

namespace aioscope {
namespace {

// For stolen time: `doctor` looks longer than every run can.
constexpr std::chrono::milliseconds kDoctorWatch{300};
constexpr std::chrono::milliseconds kRunWatch{30};

int fail(const std::exception& error, int code) {
  fmt::print(stderr, "aioscope: {}\n", error.what());
  return code;
}

int print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return kExitOk;
  throw ResultFileError(
      fmt::format("standard output: {}; free space or choose another place", std::strerror(errno)));
}

// `limit_ns`: the driver hangs if it takes longer.
Probe probe_within(std::int64_t limit_ns) {
  return [limit_ns](const Driver& driver) {
    const OnHang on_hang = [&driver](std::string_view what) {
      fmt::print(stderr, "aioscope: the driver hangs: {} {}; leave it out\n", driver.name, what);
      _exit(kExitRuntime);
    };
    return watched(limit_ns, "does not return from probing", on_hang,
                   [&] { return driver.probe(); });
  };
}

int run(const CommandLine& line) {
  const RunRequest request = resolve(line.run);
  const RunOptions& options = request.run;
  const Topology topology = read_topology("/", affinity_mask());
  check_pinning(topology, options.pin);
  layer_rules(options);  // a wrong file is told before anything is done
  Registry registry;
  Plan plan = make_plan(request, registry, probe_within(options.watchdog_ns));
  plan.counters = counters_of(options);
  if (options.dry_run) return print(dry_run_text(plan));
  require_counters(plan, options);
  const std::atomic<bool>& stop = catch_interrupts();
  try {
    prepare_targets(plan, options, stop);
  } catch (const RunError& error) {
    if (!stop) throw;
    return fail(error, kExitInterrupted);
  }
  Recorder recorder(plan, request, this_machine(kRunWatch), line.arguments);
  const bool terminal_has_records = Recorder::streams(options) && isatty(STDOUT_FILENO) == 1;
  Progress progress(standard_error_progress(options.quiet, terminal_has_records), plan.order.size(),
                    plan.item_ns());
  const auto show = [&] { print(recorder.text(use_color(line.color, STDOUT_FILENO))); };
  int code = kExitOk;
  try {
    code = run_session(plan, options, topology, stop, recorder, progress);
    recorder.finish(code);
  } catch (const ResultFileError&) {
    show();  // at least what has been measured
    throw;
  }
  show();
  return code;
}

int list(const CommandLine& line) {
  const Registry registry;
  const Probe probe = probe_within(RunOptions().watchdog_ns);
  return print(line.json ? list_json(registry, probe, line.list_what)
                         : list_text(registry, probe, line.list_what));
}

int doctor(const CommandLine& line) {
  const auto findings = diagnose(this_machine(kDoctorWatch));
  return print(line.json ? doctor_json(findings)
                         : doctor_text(findings, use_color(line.color, STDOUT_FILENO)));
}

int execute(const CommandLine& line) {
  switch (line.command) {
    case Command::kText:
      return print(line.text);
    case Command::kRun:
      return run(line);
    case Command::kList:
      return list(line);
    case Command::kDoctor:
      return doctor(line);
    case Command::kPython:
      become_python(line.package, line.python);
  }
  return kExitUsage;
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
