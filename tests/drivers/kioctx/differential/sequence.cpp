#include "tests/drivers/kioctx/differential/sequence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

namespace aioscope::kioctx {
namespace {

std::string_view name_of(TargetFile file) {
  constexpr std::string_view kNames[] = {"null", "zero", "real", "not-open"};
  return kNames[std::size_t(file)];
}
std::string_view name_of(Operation operation) {
  constexpr std::string_view kNames[] = {"read", "write", "unknown"};
  return kNames[std::size_t(operation)];
}
std::string_view name_of(Minimum minimum) {
  constexpr std::string_view kNames[] = {"0", "1", "outstanding", "outstanding+1", "nr+1"};
  return kNames[std::size_t(minimum)];
}

std::string to_text(const RequestSpec& request) {
  return fmt::format("{} {} {}@{}{}", name_of(request.operation), name_of(request.file),
                     request.nbytes, request.offset, request.null_buffer ? " buf=0" : "");
}

std::string to_text(const Call& call) {
  switch (call.kind) {
    case CallKind::kSetup:
      return fmt::format("io_setup #{} nr={}", call.place, call.nr);
    case CallKind::kSubmit: {
      std::vector<std::string> requests;
      for (const RequestSpec& request : call.requests) requests.push_back(to_text(request));
      return fmt::format("io_submit #{} [{}]", call.place, fmt::join(requests, ", "));
    }
    case CallKind::kGetevents:
      return fmt::format("io_getevents #{} min={} nr={} timeout_ns={}", call.place,
                         name_of(call.minimum), call.nr, call.timeout_ns);
    case CallKind::kUserReap:
      return fmt::format("(head of the ring) #{} += up to {}", call.place, call.nr);
    case CallKind::kCancel:
      return fmt::format("io_cancel #{} the newest but {}", call.place, call.tags_back);
    case CallKind::kDestroy:
      return fmt::format("io_destroy #{}", call.place);
  }
  return "?";
}

}  // namespace

std::string to_text(const Sequence& sequence) {
  std::string text;
  for (const Call& call : sequence) text += "  " + to_text(call) + "\n";
  return text;
}

}  // namespace aioscope::kioctx
