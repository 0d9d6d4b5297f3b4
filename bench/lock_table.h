// Where a row's threads wait for locks: user and kernel in one table.
#pragma once

#include <string>

#include "bench/summary.h"

namespace aioscope {

// The head of the table, and the sites of one row, the longest waits per operation first within
// user and kernel. Futexes that the harness sleeps on are marked as its own.
std::string lock_sites_head();
std::string lock_sites_text(const RowSummary& row);

}  // namespace aioscope
