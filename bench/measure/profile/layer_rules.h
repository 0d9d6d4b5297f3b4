// Which layer of the system a stack belongs to, by rules that are data: bench/measure/profile/
// layers.toml, where their format and the order of matching are described.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace aioscope {

// Index into kLayerNames.
using LayerId = std::uint8_t;
inline constexpr std::array<std::string_view, 16> kLayerNames{
    "harness",       "driver library",     "system call", "aio core",    "aio lock wait",
    "io_uring core", "io_uring lock wait", "file system", "block layer", "device",
    "memory copy",   "scheduler",          "interrupt",   "instrument",  "other",
    "unmatched"};
inline constexpr LayerId kUnmatched = kLayerNames.size() - 1;
std::optional<LayerId> find_layer(std::string_view name);  // not kUnmatched
consteval LayerId layer_id(std::string_view name) {
  LayerId id = 0;
  while (kLayerNames[id] != name) ++id;  // one that is none does not compile
  return id;
}

// A function on a stack, as the rules look at it. The text must outlive the use.
struct LayerFrame {
  bool kernel = false;
  std::string_view function;  // kernel: as kallsyms has it; user: demangled
  std::string_view plain;     // the same without suffixes, template arguments and parameters
  std::string_view object;    // "kernel", "[module]", or the file's name without its directory
};

// A file of rules is wrong. what() is "SOURCE:LINE: ...", with the cure.
class LayerRulesError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The rules that are part of the program.
std::string_view builtin_layer_rules();

class LayerRules {
 public:
  // `text` is TOML, `source` names it in messages. Throws LayerRulesError.
  static LayerRules parse(std::string_view text, const std::string& source);
  static LayerRules builtin() { return parse(builtin_layer_rules(), "layers.toml"); }

  // Puts the rules of `first` before these; its lock waits override.
  void prepend(LayerRules first);

  // The first rule that fits the frame, where it is the sampled function and where it is not;
  // nullptr for none. Valid until the rules change. Look each function up once.
  struct Rule;
  struct Match {
    const Rule* as_leaf = nullptr;
    const Rule* as_caller = nullptr;
    const Rule* as_waiter = nullptr;
  };
  Match match(const LayerFrame& frame) const;

  // `stack` from the sampled function outwards: its frames' matches, and whether each is the
  // kernel's.
  struct MatchedFrame {
    Match match;
    bool kernel = false;
  };
  LayerId layer_of(std::span<const MatchedFrame> stack) const { return search(stack, true); }
  // That a wait which began with this stack belongs to: the same, but that of the innermost frame
  // too it counts what it called.
  LayerId layer_of_wait(std::span<const MatchedFrame> stack) const { return search(stack, false); }

  // What a thread waits for that left the CPU with this stack.
  enum class Wait : std::uint8_t { kCompletions, kLock, kOther };
  static Wait wait_of(std::span<const MatchedFrame> stack);

  std::size_t size() const { return rules_.size(); }

  struct Rule {
    enum class Action : std::uint8_t { kDecides, kFallback, kLock, kCaller };
    enum class Space : std::uint8_t { kBoth, kKernel, kUser };
    Action action = Action::kDecides;
    Space space = Space::kBoth;
    bool leaf_only = false;
    bool unless_lock = false;
    LayerId layer = kUnmatched;
    std::optional<LayerId> lock_wait;
    Wait wait = Wait::kOther;
    std::vector<std::string> functions;  // empty: any
    std::vector<std::string> objects;    // empty: any
  };

 private:
  class Parser;

  LayerId search(std::span<const MatchedFrame> stack, bool first_is_leaf) const;
  LayerId waited_for(const Rule& rule) const;

  std::vector<Rule> rules_;
  std::vector<Rule> waits_;
  std::array<std::optional<LayerId>, kLayerNames.size()> lock_wait_{};
};

// Whether `text` is `pattern`, in which each '*' stands for any text.
bool glob_matches(std::string_view pattern, std::string_view text);

// A kernel function without what compilers append: "finish_task_switch.isra.0" and so on.
std::string_view without_suffix(std::string_view kernel_function);

}  // namespace aioscope
