// Says of stacks that another tool has sampled and named what aioscope's rules say of them, for
// ci/against_perf.
//
// Reads stacks, from the sampled function outwards; each is a line for each frame and an empty one:
//   k FUNCTION<TAB>OBJECT     of the kernel; object "kernel" or "[module]"
//   u FUNCTION<TAB>OBJECT     of a program; as the linker names it, and the file's path
// Prints a line for each stack: LAYER<TAB>FUNCTION, the one that waits if the stack is a wait's.
#include <fmt/format.h>

#include <iostream>
#include <string>
#include <vector>

#include "bench/measure/profile/attribution.h"

namespace aioscope {
namespace {

bool parse_frame(const std::string& line, Attribution::NamedFrame& frame) {
  const std::size_t tab = line.find('\t');
  if (line.size() < 3 || tab == std::string::npos || (line[0] != 'k' && line[0] != 'u')) {
    return false;
  }
  frame.kernel = line[0] == 'k';
  const std::string name = line.substr(2, tab - 2);
  frame.symbol.name = frame.kernel ? name : demangle(name);
  frame.symbol.object = line.substr(tab + 1);
  return true;
}

int run() {
  Attribution attribution(LayerRules::builtin());
  std::vector<Attribution::NamedFrame> stack;
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty()) {
      if (parse_frame(line, stack.emplace_back())) continue;
      std::cerr << "layers_of_stacks: no frame: " << line << '\n';
      return 2;
    }
    const Attribution::NamedStack named = attribution.name(stack);
    std::cout << kLayerNames[named.layer] << '\t' << attribution.wait_site(named) << '\n';
    stack.clear();
  }
  return 0;
}

}  // namespace
}  // namespace aioscope

int main() { return aioscope::run(); }
