// Shared objects that must not be accepted, one per value of REJECTED_BECAUSE_*.
#include "drivers/driver.h"

namespace {

using namespace aioscope;

constexpr Driver good_row(std::string_view name) {
  return {.name = name,
          .summary = "never gets as far as being opened",
          .capabilities = {},
          .probe = [] { return Availability{}; },
          .open = [](const ContextOptions&) { return std::unique_ptr<Context>(); }};
}

#if defined(REJECTED_BECAUSE_NAME_TAKEN)
constexpr Driver kDrivers[] = {good_row("newcomer"), good_row("null")};
#elif defined(REJECTED_BECAUSE_NAME_IS_ALIAS)
constexpr Driver kDrivers[] = {good_row("kioctx")};
#elif defined(REJECTED_BECAUSE_NAME_TWICE)
constexpr Driver kDrivers[] = {good_row("newcomer"), good_row("newcomer")};
#elif defined(REJECTED_BECAUSE_BAD_NAME)
constexpr Driver kDrivers[] = {good_row("new/comer")};
#elif defined(REJECTED_BECAUSE_NO_OPEN)
constexpr Driver kDrivers[] = {[] {
  Driver row = good_row("newcomer");
  row.open = nullptr;
  return row;
}()};
#elif defined(REJECTED_BECAUSE_NO_PROBE)
constexpr Driver kDrivers[] = {[] {
  Driver row = good_row("newcomer");
  row.probe = nullptr;
  return row;
}()};
#elif defined(REJECTED_BECAUSE_CAN_NOTHING)
constexpr Driver kDrivers[] = {[] {
  Driver row = good_row("newcomer");
  row.capabilities.max_reapers = 0;
  return row;
}()};
#else
constexpr Driver kDrivers[] = {good_row("newcomer")};
#endif

constexpr ExternalDrivers external() {
  ExternalDrivers result{.drivers = kDrivers, .count = 1};
  result.count = sizeof kDrivers / sizeof kDrivers[0];
#if defined(REJECTED_BECAUSE_WRONG_VERSION)
  // The rest is not to be believed, and not to be read.
  result.abi_version = kDriverAbiVersion + 1;
  result.drivers = nullptr;
#elif defined(REJECTED_BECAUSE_WRONG_SIZE)
  result.request_size = sizeof(Request) + 8;
#elif defined(REJECTED_BECAUSE_NO_ROWS)
  result.count = 0;
#elif defined(REJECTED_BECAUSE_NULL_ROWS)
  result.drivers = nullptr;
#endif
  return result;
}

}  // namespace

#if !defined(REJECTED_BECAUSE_NO_SYMBOL)
extern "C" const ExternalDrivers* aioscope_external_drivers() {
#if defined(REJECTED_BECAUSE_RETURNS_NULL)
  return nullptr;
#else
  static const ExternalDrivers kExternal = external();
  return &kExternal;
#endif
}
#endif
