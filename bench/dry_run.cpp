#include "bench/dry_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/values.h"

namespace aioscope {

std::string dry_run_text(const Plan& plan) {
  std::string text;
  for (const PlannedRow& planned : plan.rows) {
    text += planned.row.name();
    if (!planned.runs()) {
      text += fmt::format("  SKIPPED: {}; {}", planned.skip_reason, planned.skip_cure);
    }
    if (planned.price_only) text += "  (price of the harness)";
    text += '\n';
  }
  for (const Counter& counter : plan.counters) {
    text += fmt::format("counter {}: {}", counter.name, encoding_text(counter));
    if (!counter.usable()) text += fmt::format("  NOT COUNTED HERE: {}", counter.refusal.text());
    text += '\n';
  }
  const auto skipped =
      std::ranges::count_if(plan.rows, [](const PlannedRow& planned) { return !planned.runs(); });
  text += fmt::format("{} rows ({} skipped), {} repetitions of ", plan.rows.size(), skipped,
                      plan.repetitions);
  if (plan.operations > 0) {
    return text + fmt::format("{} operations of each submitter, seed {}: as long as it takes\n",
                              plan.operations, plan.seed);
  }
  text += fmt::format("{} after {} of warm-up, seed {}: about {}\n", duration_text(plan.window_ns),
                      duration_text(plan.warmup_ns), plan.seed, duration_text(plan.duration_ns()));
  return text;
}

}  // namespace aioscope
