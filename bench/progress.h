// Says on standard error how far a run is: one live line on a terminal, plain lines elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace aioscope {

// Where progress goes. Not thread-safe.
struct ProgressOutput {
  std::function<void(std::string_view)> write;
  std::function<std::int64_t()> now_ns;  // any steady clock
  bool live = false;                     // a terminal: the line is written over
  std::size_t width = 80;                // columns of it
  bool quiet = false;                    // messages only
};
// `lines_only`: no live line, because the same terminal shows something else meanwhile.
ProgressOutput standard_error_progress(bool quiet, bool lines_only);

class Progress {
 public:
  // `planned_item_ns` is the first guess at how long an item takes; what items took replaces it.
  Progress(ProgressOutput output, std::size_t items, std::int64_t planned_item_ns);

  void begin(std::string_view row_name);
  void update(std::int64_t elapsed_ns, std::uint64_t operations);  // of the item begun
  void end(double operations_per_s);
  void fail();  // the item begun has no result; say why with message()
  // A line of its own, whatever else is shown.
  void message(std::string_view text);
  void finish();  // takes the live line away

 private:
  std::int64_t remaining_ns() const;
  std::string status(double operations_per_s) const;
  void show(const std::string& line);
  void clear();

  ProgressOutput output_;
  const std::size_t items_;
  const std::int64_t planned_item_ns_;
  const std::int64_t start_ns_;
  std::size_t done_ = 0;
  std::int64_t item_start_ns_ = 0;
  std::int64_t last_line_ns_;
  std::string row_name_;
  bool shown_ = false;  // a live line is on the screen
};

// "1.23 M": three significant digits.
std::string rate_text(double operations_per_s);

}  // namespace aioscope
