#include "bench/self_cost.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/build_info.h"

namespace aioscope {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "aioscope.self-cost/1";
constexpr std::string_view kNotMeasured =
    "not measured on this host: aioscope run --suite self-cost";

// How many of the smallest and of the largest of `count` values lie outside an interval that holds
// the median with 95 %; nullopt when no interval does.
std::optional<std::size_t> outside_of_confidence(std::size_t count) {
  double at_most = 0, term = std::pow(0.5, double(count));
  std::optional<std::size_t> outside;
  for (std::size_t k = 0; k < count / 2; ++k) {
    at_most += term;  // that k or fewer of the values lie below the median
    if (at_most > 0.025) break;
    outside = k;
    term *= double(count - k) / double(k + 1);
  }
  return outside;
}

RowSlowDown slow_down_of(std::string row, std::vector<double> pairs) {
  std::ranges::sort(pairs);
  RowSlowDown result{.row = std::move(row), .slow_down = median(pairs), .pairs = pairs.size()};
  if (const auto outside = outside_of_confidence(pairs.size())) {
    result.low = pairs[*outside];
    result.high = pairs[pairs.size() - 1 - *outside];
  }
  return result;
}

// Pairs of a round, in which both rows had the same offsets.
std::vector<double> pairs_of(const RowSummary& off, const RowSummary& on) {
  std::vector<double> pairs;
  for (const RepetitionFigures& with : on.repetitions) {
    for (const RepetitionFigures& without : off.repetitions) {
      if (without.repetition != with.repetition) continue;
      const double ratio = without.operations_per_s / with.operations_per_s;
      if (std::isfinite(ratio)) pairs.push_back(ratio - 1);
    }
  }
  return pairs;
}

const LookingPrice* find(const std::vector<LookingPrice>& known, Observe instrument) {
  const auto found = std::ranges::find(known, instrument, &LookingPrice::instrument);
  return found == known.end() ? nullptr : &*found;
}

Json optional_json(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json price_json(const LookingPrice& price) {
  Json rows = Json::array();
  for (const RowSlowDown& row : price.rows) {
    rows.push_back({{"row", row.row},
                    {"slow_down", row.slow_down},
                    {"slow_down_low", optional_json(row.low)},
                    {"slow_down_high", optional_json(row.high)},
                    {"pairs", row.pairs}});
  }
  return {{"instrument", observe_name(price.instrument)},
          {"with", price.with},
          {"measured_realtime_ns", price.measured_realtime_ns},
          {"rows", std::move(rows)}};
}

std::optional<double> optional_of(const Json& value) {
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

// Throws nlohmann's exceptions.
LookingPrice price_of(const Json& json) {
  LookingPrice price;
  price.instrument = parse_observe(json.at("instrument").get<std::string>()).value();
  price.with = json.at("with");
  price.measured_realtime_ns = json.at("measured_realtime_ns");
  for (const Json& row : json.at("rows")) {
    price.rows.push_back({.row = row.at("row"),
                          .slow_down = row.at("slow_down"),
                          .low = optional_of(row.at("slow_down_low")),
                          .high = optional_of(row.at("slow_down_high")),
                          .pairs = row.at("pairs")});
  }
  if (price.rows.empty()) throw std::invalid_argument("no rows");
  return price;
}

// Without "-0.0".
std::string percent(double share) {
  return fmt::format("{:.1f}", std::round(1000 * share) / 10 + 0.0);
}

}  // namespace

const RowSlowDown& LookingPrice::dearest() const {
  return *std::ranges::max_element(rows, {}, &RowSlowDown::slow_down);
}

std::vector<LookingPrice> looking_prices(const Summary& summary,
                                         const std::vector<InstrumentUse>& instruments,
                                         std::int64_t now_realtime_ns) {
  std::vector<LookingPrice> prices;
  const auto& described = summary.described();
  const auto summaries = summary.rows();
  for (const auto& [instrument, with] : instruments) {
    LookingPrice price{.instrument = instrument, .with = with, .rows = {}};
    for (std::size_t on = 0; on < described.size(); ++on) {
      if (described[on].row.observe != instrument) continue;
      Row twin = described[on].row;
      twin.observe = Observe::kOff;
      const auto off = std::ranges::find(described, twin, &DescribedRow::row);
      if (off == described.end()) continue;
      auto pairs = pairs_of(summaries[std::size_t(off - described.begin())], summaries[on]);
      if (pairs.empty()) continue;
      twin.observe = Observe::kAsked;
      price.rows.push_back(slow_down_of(twin.name(), std::move(pairs)));
    }
    price.measured_realtime_ns = now_realtime_ns;
    if (!price.rows.empty()) prices.push_back(std::move(price));
  }
  return prices;
}

SelfCostStore::SelfCostStore(const fs::path& directory, const std::string& host_fingerprint) {
  if (directory.empty()) return;
  std::string name = fmt::format("{}-{}", host_fingerprint, kBuildType);
  if (*kBuildSanitizers != '\0') name += "-sanitizers";
  path_ = directory / "self-cost" / (name + ".json");
}

std::vector<LookingPrice> SelfCostStore::load() const {
  std::vector<LookingPrice> prices;
  std::ifstream file(path_);
  if (path_.empty() || !file) return prices;
  try {
    const Json json = Json::parse(file);
    if (json.at("schema") != kSchema) return prices;
    for (const Json& price : json.at("prices")) prices.push_back(price_of(price));
  } catch (const std::exception&) {
    prices.clear();  // a file that is not ours or was cut: measured again, it is replaced
  }
  return prices;
}

std::string SelfCostStore::save(const std::vector<LookingPrice>& prices) const {
  if (path_.empty()) return "there is no home directory to keep it in; set XDG_STATE_HOME";
  Json array = Json::array();
  for (const LookingPrice& price : prices) array.push_back(price_json(price));
  for (const LookingPrice& old : load()) {
    if (find(prices, old.instrument) == nullptr) array.push_back(price_json(old));
  }
  std::error_code error;
  fs::create_directories(path_.parent_path(), error);
  const fs::path fresh = path_.string() + fmt::format(".{}", getpid());
  std::ofstream file(fresh);
  file << Json{{"schema", kSchema}, {"prices", std::move(array)}}.dump(2) << '\n';
  file.close();
  if (file) fs::rename(fresh, path_, error);
  if (file && !error) return "";
  fs::remove(fresh, error);
  return fmt::format("{} cannot be written; set XDG_STATE_HOME to a directory that can",
                     path_.string());
}

fs::path state_directory() {
  // The XDG specification: a path that is not absolute is to be ignored.
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return fs::path(state) / "aioscope";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return {};
  return fs::path(home) / ".local/state/aioscope";
}

std::string looking_text(const std::vector<InstrumentUse>& used,
                         const std::vector<LookingPrice>& known) {
  std::string text;
  for (const auto& [instrument, with] : used) {
    const LookingPrice* price = find(known, instrument);
    if (price == nullptr) {
      text += fmt::format("price of {}: {}\n", observe_name(instrument), kNotMeasured);
      continue;
    }
    const RowSlowDown& dearest = price->dearest();
    text += fmt::format("price of {}: rows are {} % slower", observe_name(instrument),
                        percent(dearest.slow_down));
    if (dearest.low && dearest.high) {
      text += fmt::format(" (95 %: {} to {})", percent(*dearest.low), percent(*dearest.high));
    }
    const std::time_t measured = price->measured_realtime_ns / 1'000'000'000;
    text += fmt::format("; the dearest of {} row{}, {}, measured on this host on {:%F}",
                        price->rows.size(), price->rows.size() == 1 ? "" : "s", dearest.row,
                        fmt::gmtime(measured));
    if (price->with != with) text += fmt::format(" with {}", price->with);
    text += '\n';
  }
  return text;
}

Json looking_json(const std::vector<InstrumentUse>& used, const std::vector<LookingPrice>& known) {
  Json array = Json::array();
  for (const auto& [instrument, with] : used) {
    const LookingPrice* price = find(known, instrument);
    Json& one = array.emplace_back(Json{{"instrument", observe_name(instrument)}, {"with", with}});
    one["price"] = price == nullptr ? Json(nullptr) : price_json(*price);
    one["reason"] = price == nullptr ? kNotMeasured : std::string_view();
  }
  return array;
}

}  // namespace aioscope
