#include "bench/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "bench/values.h"

namespace aioscope {
namespace {

constexpr std::int64_t kPlainLineNs = 2'000'000'000;

std::size_t terminal_width() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

std::string rate_text(double operations_per_s) {
  if (!std::isfinite(operations_per_s)) return "-";
  constexpr std::string_view kUnits[] = {"", " k", " M", " G"};
  std::size_t unit = 0;
  while (operations_per_s >= 999.5 && unit + 1 < std::size(kUnits)) {
    operations_per_s /= 1000;
    ++unit;
  }
  const int digits = operations_per_s < 9.995 ? 2 : operations_per_s < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}", operations_per_s, digits, kUnits[unit]);
}

ProgressOutput standard_error_progress(bool quiet, bool lines_only) {
  return {.write =
              [](std::string_view text) {
                std::fwrite(text.data(), 1, text.size(), stderr);
                std::fflush(stderr);
              },
          .now_ns = [] { return std::chrono::steady_clock::now().time_since_epoch().count(); },
          .live = !lines_only && isatty(STDERR_FILENO) == 1,
          .width = terminal_width(),
          .quiet = quiet};
}

Progress::Progress(ProgressOutput output, std::size_t items, std::int64_t planned_item_ns)
    : output_(std::move(output)),
      items_(items),
      planned_item_ns_(planned_item_ns),
      start_ns_(output_.now_ns()),
      last_line_ns_(start_ns_) {}

void Progress::begin(std::string_view row_name) {
  row_name_ = row_name;
  item_start_ns_ = output_.now_ns();
  if (output_.live) show(status(NAN));
}

void Progress::update(std::int64_t elapsed_ns, std::uint64_t operations) {
  if (!output_.live || elapsed_ns <= 0) return;
  show(status(double(operations) * 1e9 / double(elapsed_ns)));
}

void Progress::end(double operations_per_s) {
  ++done_;
  item_start_ns_ = output_.now_ns();  // of the next one, as far as the time left is concerned
  if (output_.live) return show(status(operations_per_s));
  // Often enough to see that it goes on, and not a line per repetition of a short row.
  if (item_start_ns_ - last_line_ns_ < kPlainLineNs && done_ < items_) return;
  last_line_ns_ = item_start_ns_;
  if (!output_.quiet) output_.write(status(operations_per_s) + "\n");
}

void Progress::fail() {
  ++done_;
  item_start_ns_ = output_.now_ns();
}

void Progress::message(std::string_view text) {
  clear();
  output_.write(fmt::format("{}\n", text));
}

void Progress::finish() { clear(); }

std::int64_t Progress::remaining_ns() const {
  const std::int64_t now_ns = output_.now_ns();
  const auto left = std::int64_t(items_ - std::min(items_, done_));
  if (done_ == 0) return std::max<std::int64_t>(0, left * planned_item_ns_ - (now_ns - start_ns_));
  const std::int64_t item_ns = (item_start_ns_ - start_ns_) / std::int64_t(done_);
  return std::max<std::int64_t>(0, left * item_ns - (now_ns - item_start_ns_));
}

std::string Progress::status(double operations_per_s) const {
  const std::size_t digits = std::to_string(items_).size();
  const std::int64_t seconds = (remaining_ns() + 500'000'000) / 1'000'000'000;
  return fmt::format("[{:>{}}/{}] {} left  {:>6} op/s  {}", done_, digits, items_,
                     duration_text(seconds * 1'000'000'000), rate_text(operations_per_s),
                     row_name_);
}

void Progress::show(const std::string& line) {
  if (output_.quiet) return;
  output_.write(fmt::format("\r\033[K{}", line.substr(0, output_.width - 1)));
  shown_ = true;
}

void Progress::clear() {
  if (!shown_) return;
  output_.write("\r\033[K");
  shown_ = false;
}

}  // namespace aioscope
