// What `run` prints: the table and its other forms.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bench/summary.h"

namespace aioscope {

struct TableOptions {
  bool color = false;     // by ANSI escapes
  bool locks = false;     // a second table, of what the drivers count of themselves
  bool counters = false;  // one of what was counted of each thread
  bool split = false;     // one of who pays: submit call, in flight, reap call
};

// An aligned table: rows grouped by target and workload, then what they warn of and what was
// skipped. Parameters that all rows share stand in the first line.
std::string table_text(const Summary& summary, const TableOptions& options);

// One line per row and repetition, RFC 4180; the columns are named in the first line. Empty fields
// stand for what could not be had.
std::string csv_text(const Summary& summary);

// Google Benchmark's JSON: one entry per repetition with real_time (wall clock ns per operation of
// the whole row) and cpu_time (CPU ns per operation of the process), and one per latency
// percentile, named NAME/p99. Skipped rows have error_occurred. `host` is what host_json() returns.
std::string gbench_text(const Summary& summary, const nlohmann::ordered_json& host,
                        const std::string& executable);

}  // namespace aioscope
