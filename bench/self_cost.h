// The price of looking: how much slower rows are while an instrument looks at them, measured by
// rows with and without it in turns (suite `self-cost`) and kept per host.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/settings.h"
#include "bench/summary.h"

namespace aioscope {

// Of one row: the median over its pairs of repetitions of (throughput without / with) - 1.
struct RowSlowDown {
  std::string row;             // name, without the instrument
  double slow_down = 0;        // 0.02: 2 % slower
  std::optional<double> low;   // 95 % confidence of the median, from the pairs' order; nullopt with
  std::optional<double> high;  // fewer than 6 pairs
  std::size_t pairs = 0;
};

struct LookingPrice {
  Observe instrument = Observe::kCounters;
  std::string with;               // what the instrument was told: "default"
  std::vector<RowSlowDown> rows;  // not empty
  std::int64_t measured_realtime_ns = 0;

  const RowSlowDown& dearest() const;
};

// Of the rows of `summary` that an instrument alone looked at and that have a twin with
// --observe off; empty when there are none.
std::vector<LookingPrice> looking_prices(const Summary& summary,
                                         const std::vector<InstrumentUse>& instruments,
                                         std::int64_t now_realtime_ns);

// Prices of one host and one kind of build, in a file of their own under `directory`.
class SelfCostStore {
 public:
  SelfCostStore(const std::filesystem::path& directory, const std::string& host_fingerprint);
  // What is known; what cannot be read or understood is not known.
  std::vector<LookingPrice> load() const;
  // Replaces the instruments of `prices` and keeps the others. "" or why it could not be saved.
  std::string save(const std::vector<LookingPrice>& prices) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// $XDG_STATE_HOME/aioscope, by default ~/.local/state/aioscope; "" when there is no home.
std::filesystem::path state_directory();

// One line for each instrument in use, and an array of as many objects for the result's header.
std::string looking_text(const std::vector<InstrumentUse>& used,
                         const std::vector<LookingPrice>& known);
nlohmann::ordered_json looking_json(const std::vector<InstrumentUse>& used,
                                    const std::vector<LookingPrice>& known);

}  // namespace aioscope
