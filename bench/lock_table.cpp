#include "bench/lock_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace aioscope {
namespace {

constexpr std::size_t kMostSites = 12;  // of the kernel, and of futexes
constexpr const char* kLine = "  {:<34} {:<7} {:<12} {:>9} {:>12} {:>11} {:>9} {:>9} {:>9}\n";

std::string time_text(std::optional<double> ns) {
  return ns && !std::isnan(*ns) ? fmt::format("{:.0f}", *ns) : "-";
}

std::string per_op_text(std::uint64_t count, std::uint64_t operations, const char* format) {
  if (operations == 0) return "-";
  return fmt::format(fmt::runtime(format), double(count) / double(operations));
}

std::string user_line(const DriverCountsMeasurement::LockSite& site, std::uint64_t operations) {
  return fmt::format(kLine, site.site, "user", "-",
                     per_op_text(site.acquisitions, operations, "{:.4f}"),
                     per_op_text(site.contended, operations, "{:.5f}"),
                     per_op_text(site.wait_ns, operations, "{:.2f}"), time_text(site.times.p50_ns),
                     time_text(site.times.p99_ns), time_text(site.times.max_ns));
}

std::string traced_lines(const LockWaits& waits, const char* where) {
  std::string text;
  const std::size_t shown = std::min(waits.sites.size(), kMostSites);
  for (const WaitSite& site : std::span(waits.sites).first(shown)) {
    const char* whose = site.layer == "harness" ? "harness" : where;
    text += fmt::format(kLine, site.site, whose, site.kind, "-",
                        per_op_text(site.contended, waits.operations, "{:.5f}"),
                        per_op_text(site.wait_ns, waits.operations, "{:.2f}"),
                        time_text(site.wait_ns_p50), time_text(site.wait_ns_p99),
                        site.wait_ns_max ? fmt::format("{}", *site.wait_ns_max) : "-");
  }
  if (waits.sites.size() > kMostSites) {
    text += fmt::format("  and {} more in the {}, in the result file\n",
                        waits.sites.size() - kMostSites, where);
  }
  return text;
}

}  // namespace

std::string lock_sites_head() {
  return "\n" + fmt::format(kLine, "lock site", "where", "kind", "taken/op", "contended/op",
                            "wait ns/op", "p50 ns", "p99 ns", "max ns");
}

std::string lock_sites_text(const RowSummary& row) {
  std::string text;
  if (row.counts) {
    for (const auto& site : row.counts->lock_sites) {
      text += user_line(site, row.counts->operations);
    }
  }
  if (row.futex_waits && row.futex_waits->traced()) {
    text += traced_lines(*row.futex_waits, "user");
  }
  if (row.kernel_locks && row.kernel_locks->traced()) {
    text += traced_lines(*row.kernel_locks, "kernel");
  } else if (row.kernel_locks) {
    text += fmt::format("  kernel: not seen: {}\n", row.kernel_locks->reason);
  }
  return text.empty() ? "  no lock was taken\n" : text;
}

}  // namespace aioscope
