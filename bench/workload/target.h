// Files under measurement: what may be done to them, and how they are opened.
#pragma once

#include <cstdint>

#include "bench/descriptor.h"
#include "bench/row.h"

namespace aioscope {

// Opens the row's target once more: each submitter has an open file description of its own, because
// its reference count is a shared cacheline that belongs to no AIO implementation. Throws RunError.
Descriptor open_target(const Row& row);

// Bytes that may be addressed; 0 for targets without offsets. Throws RunError.
std::uint64_t target_size(const Row& row);

// Before a repetition: a row that verifies needs a file that holds the pattern, one that writes
// without verifying spoils it. Throws RunError.
void prepare_target_contents(const Row& row);

}  // namespace aioscope
