#include "bench/python_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "bench/runner.h"
#include "bench/version.h"

namespace aioscope {
namespace {

namespace fs = std::filesystem;

// The one whose matplotlib, numpy and jinja2 are Debian's; another may come first on PATH.
constexpr const char* kPython = "/usr/bin/python3";

constexpr const char* kProgram = "/proc/self/exe";

bool holds(const fs::path& directory, const std::string& package) {
  std::error_code error;
  return fs::is_regular_file(directory / package / "__main__.py", error);
}

}  // namespace

fs::path find_package_directory(const std::string& package) {
  if (const char* given = std::getenv("AIOSCOPE_REPORTS")) {
    if (holds(given, package)) return given;
    throw RunError(
        fmt::format("AIOSCOPE_REPORTS is '{}', which holds no {}/__main__.py; correct or unset it",
                    given, package));
  }
  std::error_code error;
  const fs::path program = fs::read_symlink(kProgram, error);
  const fs::path installed = program.parent_path().parent_path() / "share" / "aioscope";
  for (const fs::path& candidate : {installed, fs::path(kSourceDirectory)}) {
    if (holds(candidate, package)) return candidate;
  }
  throw RunError(
      fmt::format("the package {} is neither in {} nor in {}; install aioscope whole, or set "
                  "AIOSCOPE_REPORTS to the directory that holds it",
                  package, installed.string(), kSourceDirectory));
}

void become_python(const std::string& package, const std::vector<std::string>& arguments) {
  // By its path rather than by -m, which would prefer a directory of that name where the user is.
  const std::string path = find_package_directory(package) / package;
  std::error_code error;
  const fs::path program = fs::read_symlink(kProgram, error);
  if (!error) setenv("AIOSCOPE_PROGRAM", program.c_str(), 1);
  std::vector<const char*> argv{kPython, path.c_str()};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  argv.push_back(nullptr);
  execv(kPython, const_cast<char* const*>(argv.data()));
  throw RunError(
      fmt::format("{}: {}; install the Debian packages python3, python3-matplotlib, "
                  "python3-numpy and python3-jinja2",
                  kPython, std::strerror(errno)));
}

}  // namespace aioscope
