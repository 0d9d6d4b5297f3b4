#include "bench/measure/profile/layer_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <iterator>

namespace aioscope {

std::optional<LayerId> find_layer(std::string_view name) {
  for (LayerId id = 0; id < kUnmatched; ++id) {
    if (kLayerNames[id] == name) return id;
  }
  return std::nullopt;
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;  // the last star takes one character more
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view without_suffix(std::string_view kernel_function) {
  const std::size_t dot = kernel_function.find('.', 1);
  return kernel_function.substr(0, dot);
}

// Reads one file. Unknown keys are errors: a misspelt one would silently change the result.
class LayerRules::Parser {
 public:
  explicit Parser(const std::string& source) : source_(source) {}

  LayerRules parse(std::string_view text) {
    toml::table table;
    try {
      table = toml::parse(text, source_);
    } catch (const toml::parse_error& error) {
      throw LayerRulesError(
          fmt::format("{}:{}: {}", source_, error.source().begin.line, error.description()));
    }
    for (const auto& [key, value] : table) {
      if (key.str() == "lock-wait") {
        read_lock_wait(value);
      } else if (key.str() == "rule") {
        const toml::array* rules = value.as_array();
        if (rules == nullptr) fail(value, "write rules as [[rule]]");
        for (const toml::node& rule : *rules) result_.rules_.push_back(rule_of(rule));
      } else if (key.str() == "wait") {
        const toml::array* waits = value.as_array();
        if (waits == nullptr) fail(value, "write waits as [[wait]]");
        for (const toml::node& wait : *waits) result_.waits_.push_back(wait_of(wait));
      } else {
        fail(value, fmt::format("unknown key '{}'; a file of rules has [lock-wait], [[rule]] and "
                                "[[wait]]",
                                key.str()));
      }
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(const toml::node& node, std::string_view problem) const {
    throw LayerRulesError(fmt::format("{}:{}: {}", source_, node.source().begin.line, problem));
  }

  std::string text_of(const toml::node& node) const {
    const auto* text = node.as_string();
    if (text == nullptr) fail(node, "is not a text; write \"...\"");
    return text->get();
  }
  bool flag_of(const toml::node& node) const {
    const auto* flag = node.as_boolean();
    if (flag == nullptr) fail(node, "is neither true nor false");
    return flag->get();
  }
  LayerId layer_of(const toml::node& node, const std::string& name) const {
    if (const auto id = find_layer(name)) return *id;
    fail(node, fmt::format("unknown layer '{}'; layers are {}", name,
                           fmt::join(kLayerNames.begin(), kLayerNames.end() - 1, ", ")));
  }
  std::vector<std::string> patterns_of(const toml::node& node) const {
    const toml::array* array = node.as_array();
    if (array == nullptr || array->empty()) fail(node, "is not a list of patterns");
    std::vector<std::string> patterns;
    for (const toml::node& item : *array) {
      patterns.push_back(text_of(item));
      if (patterns.back().empty()) fail(item, "an empty pattern fits nothing");
    }
    return patterns;
  }

  void read_lock_wait(const toml::node& node) {
    const toml::table* table = node.as_table();
    if (table == nullptr) fail(node, "write lock waits as [lock-wait]");
    for (const auto& [key, value] : *table) {
      result_.lock_wait_[layer_of(value, std::string(key.str()))] = layer_of(value, text_of(value));
    }
  }

  Rule rule_of(const toml::node& node) const {
    const toml::table* table = node.as_table();
    if (table == nullptr) fail(node, "write rules as [[rule]]");
    Rule rule;
    int layers = 0, locks = 0, callers = 0;
    bool fallback = false;
    for (const auto& [name, value] : *table) {
      const std::string_view key = name.str();
      if (key == "layer") {
        rule.layer = layer_of(value, text_of(value));
        ++layers;
      } else if (key == "lock") {
        locks += flag_of(value) ? 1 : 0;
      } else if (key == "caller") {
        callers += flag_of(value) ? 1 : 0;
      } else if (key == "fallback") {
        fallback = flag_of(value);
      } else if (key == "leaf") {
        rule.leaf_only = flag_of(value);
      } else if (key == "unless-lock") {
        rule.unless_lock = flag_of(value);
      } else if (key == "lock-wait") {
        rule.lock_wait = layer_of(value, text_of(value));
      } else if (!read_where(rule, key, value)) {
        fail(value, fmt::format("unknown key '{}' of a rule; keys are layer, lock, caller, "
                                "fallback, unless-lock, leaf, lock-wait, space, functions, objects",
                                key));
      }
    }
    if (layers + locks + callers != 1) {
      fail(node, "a rule has one of: layer = \"...\", lock = true, caller = true");
    }
    if ((fallback || rule.unless_lock || rule.lock_wait) && layers == 0) {
      fail(node, "fallback, unless-lock and lock-wait need a layer");
    }
    if (fallback && rule.unless_lock) fail(node, "fallback and unless-lock exclude each other");
    check_where(rule, node);
    if (locks > 0) rule.action = Rule::Action::kLock;
    if (callers > 0) rule.action = Rule::Action::kCaller;
    if (fallback) rule.action = Rule::Action::kFallback;
    return rule;
  }

  // What waits and rules have in common. False: another key.
  bool read_where(Rule& rule, std::string_view key, const toml::node& value) const {
    if (key == "space") {
      rule.space = space_of(value);
    } else if (key == "functions") {
      rule.functions = patterns_of(value);
    } else if (key == "objects") {
      rule.objects = patterns_of(value);
    } else {
      return false;
    }
    return true;
  }
  void check_where(const Rule& rule, const toml::node& node) const {
    if (!rule.functions.empty() || !rule.objects.empty()) return;
    fail(node, "a rule without functions and objects would fit every frame; give one of them");
  }

  Rule wait_of(const toml::node& node) const {
    const toml::table* table = node.as_table();
    if (table == nullptr) fail(node, "write waits as [[wait]]");
    Rule rule;
    bool complete = false;
    for (const auto& [name, value] : *table) {
      if (name.str() == "for") {
        const std::string text = text_of(value);
        if (text != "completions" && text != "other") {
          fail(value, fmt::format("'{}' is neither completions nor other", text));
        }
        rule.wait = text == "other" ? Wait::kOther : Wait::kCompletions;
        complete = true;
      } else if (!read_where(rule, name.str(), value)) {
        fail(value,
             fmt::format("unknown key '{}' of a wait; keys are for, space, functions, objects",
                         name.str()));
      }
    }
    if (!complete) fail(node, "a wait needs for = \"completions\" or \"other\"");
    check_where(rule, node);
    return rule;
  }

  Rule::Space space_of(const toml::node& node) const {
    const std::string text = text_of(node);
    if (text == "kernel") return Rule::Space::kKernel;
    if (text == "user") return Rule::Space::kUser;
    fail(node, fmt::format("'{}' is neither kernel nor user", text));
  }

  const std::string& source_;
  LayerRules result_;
};

LayerRules LayerRules::parse(std::string_view text, const std::string& source) {
  return Parser(source).parse(text);
}

void LayerRules::prepend(LayerRules first) {
  std::ranges::move(rules_, std::back_inserter(first.rules_));
  rules_ = std::move(first.rules_);
  std::ranges::move(waits_, std::back_inserter(first.waits_));
  waits_ = std::move(first.waits_);
  for (std::size_t i = 0; i < lock_wait_.size(); ++i) {
    if (first.lock_wait_[i]) lock_wait_[i] = first.lock_wait_[i];
  }
}

namespace {

bool fits(const LayerRules::Rule& rule, const LayerFrame& frame) {
  using Space = LayerRules::Rule::Space;
  if (rule.space != Space::kBoth && (rule.space == Space::kKernel) != frame.kernel) return false;
  const auto object_fits = [&](const std::string& pattern) {
    return glob_matches(pattern, frame.object);
  };
  if (!rule.objects.empty() && std::ranges::none_of(rule.objects, object_fits)) return false;
  if (rule.functions.empty()) return true;
  return std::ranges::any_of(rule.functions, [&](const std::string& pattern) {
    const bool whole = pattern.find('(') != std::string::npos;
    const std::string_view name = whole ? frame.function : frame.plain;
    return !name.empty() && glob_matches(pattern, name);
  });
}

}  // namespace

LayerRules::Match LayerRules::match(const LayerFrame& frame) const {
  Match match;
  for (const Rule& rule : rules_) {
    if (!fits(rule, frame)) continue;
    if (match.as_leaf == nullptr) match.as_leaf = &rule;
    if (rule.leaf_only) continue;
    match.as_caller = &rule;
    break;
  }
  const auto wait =
      std::ranges::find_if(waits_, [&](const Rule& rule) { return fits(rule, frame); });
  if (wait != waits_.end()) match.as_waiter = &*wait;
  return match;
}

LayerRules::Wait LayerRules::wait_of(std::span<const MatchedFrame> stack) {
  for (const MatchedFrame& frame : stack) {
    const Rule* rule = frame.match.as_caller;
    if (rule != nullptr && rule->action == Rule::Action::kLock) return Wait::kLock;
    if (frame.match.as_waiter != nullptr) return frame.match.as_waiter->wait;
  }
  return Wait::kOther;
}

LayerId LayerRules::waited_for(const Rule& rule) const {
  return rule.lock_wait.value_or(lock_wait_[rule.layer].value_or(rule.layer));
}

LayerId LayerRules::search(std::span<const MatchedFrame> stack, bool first_is_leaf) const {
  const Rule* fallback = nullptr;
  const Rule* unless_lock = nullptr;  // the first; no lock is further out as yet, if not in_lock
  bool in_lock = false;
  bool may_leave_kernel = false;
  const auto decided_by = [&](const Rule& rule) {
    if (in_lock) return waited_for(rule);
    return unless_lock != nullptr ? unless_lock->layer : rule.layer;
  };
  for (std::size_t i = 0; i < stack.size(); ++i) {
    const bool leaves_kernel = i > 0 && stack[i - 1].kernel && !stack[i].kernel;
    if (leaves_kernel && !may_leave_kernel) break;
    const Match& match = stack[i].match;
    const Rule* rule = i == 0 && first_is_leaf ? match.as_leaf : match.as_caller;
    if (rule == nullptr) continue;
    switch (rule->action) {
      case Rule::Action::kDecides:
        if (!rule->unless_lock) return decided_by(*rule);
        if (unless_lock == nullptr) unless_lock = rule;
        in_lock = false;  // a lock of the scheduler's own
        // The way into the kernel is there for what calls it.
        may_leave_kernel = may_leave_kernel || rule->leaf_only;
        break;
      case Rule::Action::kFallback:
        if (fallback == nullptr) fallback = rule;
        break;
      case Rule::Action::kLock:
        in_lock = true;
        break;
      case Rule::Action::kCaller:
        may_leave_kernel = true;
        break;
    }
  }
  if (fallback != nullptr) return decided_by(*fallback);
  return unless_lock != nullptr ? unless_lock->layer : kUnmatched;
}

}  // namespace aioscope
