#include "tests/drivers/kioctx/differential/shrink.h"

#include <algorithm>
#include <functional>

namespace aioscope::kioctx {
namespace {

// Removes from `list` whatever can go while `differs` holds: halves first, then less at a time.
template <class T>
void thin_out(std::vector<T>& list, const std::function<bool()>& differs) {
  for (std::size_t step = std::max<std::size_t>(list.size() / 2, 1); step > 0; step /= 2) {
    for (std::size_t begin = 0; begin < list.size();) {
      const std::size_t end = std::min(begin + step, list.size());
      const std::vector<T> all = list;
      list.erase(list.begin() + std::ptrdiff_t(begin), list.begin() + std::ptrdiff_t(end));
      if (differs()) continue;
      list = all;
      begin = end;
    }
  }
}

}  // namespace

Sequence shrink(Sequence sequence, Rules rules, World& kernel, World& ours) {
  const auto differs = [&] { return compare(sequence, rules, kernel, ours, nullptr).has_value(); };
  // Nothing after the call that differs matters.
  if (const auto difference = compare(sequence, rules, kernel, ours, nullptr)) {
    sequence.resize(std::min(sequence.size(), difference->call + 1));
  }
  thin_out(sequence, differs);
  for (Call& call : sequence) thin_out(call.requests, differs);
  return sequence;
}

}  // namespace aioscope::kioctx
