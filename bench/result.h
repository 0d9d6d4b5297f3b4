// The result file: JSON Lines, schema aioscope.result/1 (docs/RESULT_FORMAT.md).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measurement.h"
#include "bench/row.h"

namespace aioscope {

inline constexpr std::string_view kResultSchema = "aioscope.result/1";

// A row as the file and the tables know it.
struct DescribedRow {
  Row row;
  bool price_only = false;               // not asked for: it prices the harness for other rows
  std::optional<std::size_t> price_row;  // index of the row that prices the harness for this one
  std::string command;                   // that measures this row alone
};

// What the header says about the run.
struct RunDescription {
  std::vector<std::string> command;  // as given
  std::string options_json;          // the options in force, a JSON object; "" for none
  std::uint64_t seed = 0;
  std::uint32_t repetitions = 1;
  std::int64_t warmup_ns = 0;
  std::int64_t window_ns = 0;
  std::uint64_t operations = 0;  // of each submitter, in place of both; 0: by time
  std::string pin;
  std::string looking = "[]";  // looking_json()'s, the instruments in use and their price
  std::vector<DescribedRow> rows;
};

enum class FailureKind : std::uint8_t { kRuntime, kInvalid };

// A result file cannot be made or written; what() is one line that names the cure. It ends the run.
class ResultFileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Writes one record per call, each with one write that either succeeds whole or throws. The records
// go to PATH.partial, which takes the name PATH in finish(): under the final name there is never
// half a file, and it keeps the mode of the one that was there. A symbolic link at PATH stays and
// is followed. What is no regular file, such as a pipe, gets the records itself, as standard output
// does, whose name is "-". Not thread-safe.
//
// Throws ResultFileError when the file cannot be made or written; PATH.partial then ends with the
// last whole record.
class ResultWriter {
 public:
  explicit ResultWriter(std::string path);
  ~ResultWriter();
  ResultWriter(const ResultWriter&) = delete;
  ResultWriter& operator=(const ResultWriter&) = delete;

  // `host` and `targets` are what host_json() and targets_json() return.
  void header(const RunDescription& run, const nlohmann::ordered_json& host,
              const nlohmann::ordered_json& targets);
  void repetition(std::size_t row, const std::string& name, std::uint32_t repetition,
                  std::size_t position, std::uint64_t seed, const Measurement& measurement);
  void skipped(std::size_t row, const std::string& name, const std::string& reason,
               const std::string& cure);
  void failed(std::size_t row, const std::string& name, std::uint32_t repetition,
              std::size_t position, FailureKind kind, const std::string& message);
  // Writes the end record; the file gets its name. `reason` says why an incomplete run ended.
  void finish(bool complete, const std::string& reason);

  // Where the records are now.
  std::string current_path() const;

 private:
  void write(const nlohmann::ordered_json& record);

  const std::string path_;
  std::string target_;  // of the rename; empty where there is none
  static constexpr int kFinished = -2;
  int descriptor_ = -1;
  std::int64_t size_ = 0;  // of whole records
  std::int64_t start_ns_ = 0;
  std::uint64_t repetitions_ = 0;
  std::uint64_t skipped_ = 0;
  std::uint64_t failed_ = 0;
};

nlohmann::ordered_json row_json(const Row& row);
nlohmann::ordered_json measurement_json(const Measurement& measurement);

}  // namespace aioscope
