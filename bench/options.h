// The command line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/settings.h"

namespace aioscope {

// Exit codes of the program.
inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInvalid = 4;  // a result is wrong, or there is none
inline constexpr int kExitRuntime = 5;
inline constexpr int kExitInterrupted = 130;

enum class Command {
  kText,  // --help, --version: print CommandLine::text and stop
  kRun,
  kList,
  kDoctor,
  kPython,  // done by a Python package
};

enum class Color { kAuto, kAlways, kNever };

struct CommandLine {
  Command command = Command::kText;
  std::string text;
  Color color = Color::kAuto;
  bool json = false;                   // list, doctor
  std::string list_what;               // "", "drivers", ...
  std::vector<Assignment> run;         // run
  std::vector<std::string> arguments;  // all of them, as given
  std::string package;                 // of Python, that does it
  std::vector<std::string> python;     // "report" and what follows it
};

// Throws UsageError.
CommandLine parse_command_line(int argc, const char* const* argv);

// Whether to colour what goes to `descriptor`: as asked, else if it is a terminal, NO_COLOR is not
// set and TERM is not "dumb".
bool use_color(Color color, int descriptor);

}  // namespace aioscope
