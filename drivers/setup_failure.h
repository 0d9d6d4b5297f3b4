// For drivers whose probe() is "open a context and see": one text for probe() and open().
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "drivers/driver.h"

namespace aioscope {

// A SetupError that keeps the reason and the cure apart.
class SetupFailure : public SetupError {
 public:
  SetupFailure(std::string reason, std::string cure)
      : SetupError(reason + "; " + cure), reason_(std::move(reason)), cure_(std::move(cure)) {}

  Availability availability() const { return {false, reason_, cure_}; }

 private:
  std::string reason_;
  std::string cure_;
};

// Calls `open`, which opens a context and closes it, and says what came of it. Never throws what
// `open` throws.
template <typename Open>
Availability probe_by_opening(const Open& open) {
  try {
    open();
    return {};
  } catch (const SetupFailure& failure) {
    return failure.availability();
  } catch (const std::exception& error) {
    return {false, error.what(), "see the error text"};
  }
}

}  // namespace aioscope
