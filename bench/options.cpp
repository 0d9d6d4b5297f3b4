#include "bench/options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>

#include "bench/suggest.h"
#include "bench/version.h"

namespace aioscope {
namespace {

struct PythonCommand {
  const char* name;
  const char* summary;
  const char* package = "reports";
};
// Their own options and help are the package's.
constexpr PythonCommand kPythonCommands[] = {
    {"report", "Make an HTML page of result files"},
    {"compare", "Compare result files, or the rows of one, with intervals and verdicts"},
    {"gate", "Has a program become worse? Measures two in turns, decides, and says so", "gate"},
    {"history", "Keep results of many runs, and find where they changed"},
    {"explain", "Say where the nanoseconds of one row's operations go"},
    {"export", "Write a result file in the format of another tool"},
    {"import", "Make a result file of what fio or Google Benchmark measured"},
};

constexpr const char* kExamples =
    "Examples:\n"
    "  aioscope doctor                       What about this machine disturbs measuring\n"
    "  aioscope list                         Drivers (and why some cannot run), suites\n"
    "  aioscope run --suite quick --file /tmp/aioscope.dat --create 256M -o quick.jsonl\n"
    "  aioscope report quick.jsonl -o quick.html\n"
    "\n"
    "Exit codes: 0 done, 1 worse (gate), 2 usage, 3 undecided (gate --strict), 4 invalid result,\n"
    "5 runtime or I/O error, 130 interrupted.\n"
    "Data goes to standard output, everything else to standard error.";

constexpr const char* kRunExamples =
    "Examples:\n"
    "  aioscope run --driver libaio,io_uring --workload shared --submitters 4\n"
    "  aioscope run --driver 'kioctx@*' --workload shared --submitters 1..8*2 --reapers 1\n"
    "  aioscope run --driver io_uring --target file:/tmp/data --create 1G --block-size 4k\n"
    "  aioscope run --driver kioctx --target device:latency=20us,cpus=2,coalesce=8\n"
    "  aioscope run --suite seed --time-budget 2m -o seed.jsonl\n"
    "  aioscope run --suite quick --only 'libaio.*shared' --dry-run\n"
    "  aioscope run --driver ./my_driver.so --format gbench > mine.json\n"
    "\n"
    "The options under the first five headings are also the keys of suite files.\n"
    "What the command line says overrides the suite.";

constexpr const char* kListExamples =
    "Examples:\n"
    "  aioscope list\n"
    "  aioscope list stages                  What each patch of kioctx changes, path by path\n"
    "  aioscope list counters                What --counters can be given, and what works here\n"
    "  aioscope list layers > mine.toml      The rules of --profile, to read and to extend\n"
    "  aioscope list drivers --json | jq '.drivers[] | select(.usable) | .name'";

constexpr const char* kDoctorExamples =
    "Examples:\n"
    "  aioscope doctor\n"
    "  aioscope doctor --json | jq '.findings[] | select(.status != \"ok\")'";

// "--depth LIST" instead of CLI11's "--depth LIST ...".
class PlainFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
  }
};

// The options of `run`, in the order they were given.
struct RunValues {
  const RunOptionSpec* spec;
  std::vector<std::string> values;
};

void add_run_options(CLI::App& run, std::deque<RunValues>& given) {
  for (const RunOptionSpec& spec : run_option_specs()) {
    std::string flags = fmt::format("--{}", spec.name);
    if (spec.name == "output" || spec.name == "quiet") {
      flags = fmt::format("-{},{}", spec.name[0], flags);
    }
    const std::string help(spec.help);
    if (spec.value.empty()) {
      run.add_flag_callback(
             flags,
             [&given, &spec] {
               given.push_back({&spec, {"true"}});
             },
             help)
          ->group(std::string(spec.group));
      continue;
    }
    const bool optional_value = spec.value.starts_with('[');
    CLI::Option* option = run.add_option_function<std::vector<std::string>>(
        flags,
        [&given, &spec](const std::vector<std::string>& values) {
          given.push_back({&spec, values});
        },
        help);
    option->type_name(std::string(spec.value))->group(std::string(spec.group));
    if (optional_value) {
      option->expected(0, 1);
    } else {
      option->allow_extra_args(false);
    }
  }
}

std::vector<Assignment> assignments_of(const std::deque<RunValues>& given) {
  std::vector<Assignment> assignments;
  for (const RunValues& one : given) {
    Assignment assignment{
        .option = one.spec, .values = one.values, .where = fmt::format("--{}", one.spec->name)};
    if (!one.spec->list) assignment.values = {one.values.back()};  // the last one holds
    assignments.push_back(std::move(assignment));
  }
  return assignments;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

// What CLI11 could not place.
[[noreturn]] void fail_extra(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining(true);
  const auto commands = app.get_subcommands();
  const CLI::App& current = commands.empty() ? app : *commands.front();
  const std::string help =
      commands.empty() ? "aioscope --help" : fmt::format("aioscope {} --help", current.get_name());
  const std::string extra = extras.empty() ? "" : extras.front();
  if (extra.starts_with('-')) {
    const std::string name = extra.substr(0, extra.find('='));
    std::vector<std::string> known = option_names(current);
    std::ranges::copy(option_names(app), std::back_inserter(known));
    const std::string near = nearest_word(name, known);
    throw UsageError(fmt::format("unknown option '{}'{}; see '{}'", name,
                                 near.empty() ? "" : fmt::format("; did you mean '{}'?", near),
                                 help));
  }
  if (commands.empty()) {
    throw UsageError(
        fmt::format("unknown command '{}'{}", extra, suggestion(extra, command_names(app))));
  }
  throw UsageError(fmt::format("unexpected argument '{}'; see '{}'", extra, help));
}

Color color_of(const std::string& text) {
  if (text == "auto") return Color::kAuto;
  if (text == "always") return Color::kAlways;
  if (text == "never") return Color::kNever;
  const std::vector<std::string> known{"auto", "always", "never"};
  throw UsageError(fmt::format("--color: unknown '{}'{}", text, suggestion(text, known)));
}

void check_list_what(const std::string& what) {
  const std::vector<std::string> known{"drivers", "workloads", "targets", "suites",
                                       "stages",  "layers",    "counters"};
  if (what.empty() || std::ranges::find(known, what) != known.end()) return;
  throw UsageError(fmt::format("cannot list '{}'{}", what, suggestion(what, known)));
}

const PythonCommand* python_command(std::string_view name) {
  const auto* found = std::ranges::find(kPythonCommands, name, &PythonCommand::name);
  return found == std::end(kPythonCommands) ? nullptr : found;
}

// The whole of CLI11, and the places it writes to.
struct Parser {
  CLI::App app{"Measures what asynchronous I/O costs: per operation, per lock, per thread.",
               "aioscope"};
  std::deque<RunValues> given;
  CommandLine line;
  std::string color = "auto";
  CLI::App* run = nullptr;
  CLI::App* list = nullptr;
  CLI::App* doctor = nullptr;

  Parser() {
    auto formatter = std::make_shared<PlainFormatter>();
    formatter->column_width(28);
    app.formatter(formatter);
    app.set_help_flag("-h,--help", "Print this help and exit");
    app.set_version_flag("--version", fmt::format("aioscope {}", kVersion),
                         "Print the version and exit");
    app.add_option("--color", color, "Colours: auto, always, never")->type_name("WHEN");
    app.footer(kExamples);
    app.get_option("--help")->group("Options");

    run = command("run", "Measure", kRunExamples);
    add_run_options(*run, given);
    list = command("list", "List drivers, workloads, targets, suites, stages, layers, counters",
                   kListExamples);
    list->add_option("what", line.list_what,
                     "drivers, workloads, targets, suites (if none), stages, layers, counters")
        ->type_name("");
    list->add_flag("--json", line.json, "As JSON");
    doctor =
        command("doctor", "Look at this machine and say what disturbs measuring; changes nothing",
                kDoctorExamples);
    doctor->add_flag("--json", line.json, "As JSON");
    for (const PythonCommand& python : kPythonCommands) {
      app.add_subcommand(python.name, python.summary);
    }
  }

  CLI::App* command(const char* name, const char* summary, const char* examples) {
    CLI::App* added = app.add_subcommand(name, summary);
    added->footer(examples);
    added->fallthrough();  // so that --color may stand anywhere
    return added;
  }
};

}  // namespace

CommandLine parse_command_line(int argc, const char* const* argv) {
  if (const PythonCommand* python = argc > 1 ? python_command(argv[1]) : nullptr) {
    return {
        .command = Command::kPython, .package = python->package, .python = {argv + 1, argv + argc}};
  }
  Parser parser;
  try {
    parser.app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return {.command = Command::kText, .text = parser.app.help()};
  } catch (const CLI::CallForVersion& version) {
    return {.command = Command::kText, .text = std::string(version.what()) + "\n"};
  } catch (const CLI::ExtrasError&) {
    fail_extra(parser.app);
  } catch (const CLI::ArgumentMismatch& error) {  // "--depth: 1 required LIST missing"
    const std::string_view option(error.what(), std::strcspn(error.what(), ":"));
    throw UsageError(fmt::format("{} needs a value; see 'aioscope --help'", option));
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}; see 'aioscope --help'", error.what()));
  }
  CommandLine line = std::move(parser.line);
  line.arguments.assign(argv, argv + argc);
  line.color = color_of(parser.color);
  if (parser.run->parsed()) {
    line.command = Command::kRun;
    line.run = assignments_of(parser.given);
  } else if (parser.list->parsed()) {
    check_list_what(line.list_what);
    line.command = Command::kList;
  } else if (parser.doctor->parsed()) {
    line.command = Command::kDoctor;
  } else {
    throw UsageError("no command; name one of run, list, doctor, report, or see 'aioscope --help'");
  }
  return line;
}

bool use_color(Color color, int descriptor) {
  if (color != Color::kAuto) return color == Color::kAlways;
  const char* none = std::getenv("NO_COLOR");
  if (none != nullptr && *none != '\0') return false;
  const char* terminal = std::getenv("TERM");
  if (terminal != nullptr && std::string_view(terminal) == "dumb") return false;
  return isatty(descriptor) == 1;
}

}  // namespace aioscope
