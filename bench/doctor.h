// `aioscope doctor`: what about this machine disturbs measuring, what that means, how to mend it.
// Changes nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/machine.h"

namespace aioscope {

enum class FindingStatus {
  kOk,
  kNote,     // know this when you read the numbers
  kProblem,  // something cannot be measured, or is measured wrongly
};

struct Finding {
  std::string_view id;  // "perf_event_paranoid"
  FindingStatus status = FindingStatus::kOk;
  std::string value;
  std::string meaning;  // here
  std::string cure;     // a command; "" when there is nothing to mend
};

std::vector<Finding> diagnose(const Machine& machine);

std::string doctor_text(const std::vector<Finding>& findings, bool color);
// One object, schema "aioscope.doctor/1".
std::string doctor_json(const std::vector<Finding>& findings);

}  // namespace aioscope
