#include "tests/drivers/kioctx/differential/sequence.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <sstream>
#include <stdexcept>

namespace aioscope::kioctx {
namespace {

// In the order of the enumerations.
constexpr std::array<std::string_view, 6> kFiles{"null",      "zero",       "real",
                                                 "read-only", "write-only", "not-open"};
constexpr std::array<std::string_view, 3> kOperations{"read", "write", "unknown"};
constexpr std::array<std::string_view, 4> kBufferNames{"own", "unaligned", "null", "unmapped"};
constexpr std::array<std::string_view, 5> kMinimums{"0", "1", "outstanding", "outstanding+1",
                                                    "nr+1"};
constexpr std::array<std::string_view, 6> kCalls{"io_setup",  "io_submit", "io_getevents",
                                                 "user_reap", "io_cancel", "io_destroy"};

template <std::size_t kCount, class E>
std::string_view name_of(const std::array<std::string_view, kCount>& names, E value) {
  return names[std::size_t(value)];
}

template <class E, std::size_t kCount>
E value_of(const std::array<std::string_view, kCount>& names, std::string_view name) {
  const auto* const found = std::ranges::find(names, name);
  if (found == names.end()) throw std::invalid_argument(std::string(name));
  return E(found - names.begin());
}

std::string to_text(const RequestSpec& request) {
  return fmt::format("{} {} {}@{} {}", name_of(kOperations, request.operation),
                     name_of(kFiles, request.file), request.nbytes, request.offset,
                     name_of(kBufferNames, request.buffer));
}

std::string arguments_of(const Call& call) {
  switch (call.kind) {
    case CallKind::kSetup:
    case CallKind::kUserReap:
      return fmt::format(" nr={}", call.nr);
    case CallKind::kSubmit: {
      std::vector<std::string> requests;
      for (const RequestSpec& request : call.requests) requests.push_back(to_text(request));
      return fmt::format(" {}", fmt::join(requests, ", "));
    }
    case CallKind::kGetevents:
      return fmt::format(" min={} nr={} timeout_ns={}{}", name_of(kMinimums, call.minimum), call.nr,
                         call.timeout_ns, call.null_events ? " events=null" : "");
    case CallKind::kCancel:
      return fmt::format(" back={}", call.tags_back);
    case CallKind::kDestroy:
      return "";
  }
  return "";
}

template <class T>
T number(std::string_view text) {
  std::istringstream stream{std::string(text)};
  T value{};
  if (!(stream >> value) || !stream.eof()) throw std::invalid_argument(std::string(text));
  return value;
}

RequestSpec parse_request(const std::string& text) {
  std::istringstream stream(text);
  std::string operation;
  std::string file;
  std::string range;
  std::string buffer;
  std::string rest;
  stream >> operation >> file >> range >> buffer;
  const std::size_t at = range.find('@');
  if (at == std::string::npos || stream >> rest) throw std::invalid_argument(text);
  return {.file = value_of<TargetFile>(kFiles, file),
          .operation = value_of<Operation>(kOperations, operation),
          .offset = number<std::uint64_t>(std::string_view(range).substr(at + 1)),
          .nbytes = number<std::uint32_t>(std::string_view(range).substr(0, at)),
          .buffer = value_of<Buffer>(kBufferNames, buffer)};
}

void parse_argument(Call& call, const std::string& argument) {
  const std::size_t at = argument.find('=');
  const std::string name = argument.substr(0, at);
  const std::string value = at == std::string::npos ? "" : argument.substr(at + 1);
  if (name == "nr") {
    call.nr = number<std::uint32_t>(value);
  } else if (name == "min") {
    call.minimum = value_of<Minimum>(kMinimums, value);
  } else if (name == "timeout_ns") {
    call.timeout_ns = number<std::int64_t>(value);
  } else if (name == "back") {
    call.tags_back = number<std::uint64_t>(value);
  } else if (argument == "events=null") {
    call.null_events = true;
  } else {
    throw std::invalid_argument(argument);
  }
}

Call parse_call(const std::string& line) {
  std::istringstream stream(line);
  std::string name;
  std::string place;
  stream >> name >> place;
  Call call{.kind = value_of<CallKind>(kCalls, name)};
  if (!place.starts_with('#')) throw std::invalid_argument(place);
  call.place = number<std::uint32_t>(std::string_view(place).substr(1));
  if (call.place >= kPlaces) throw std::invalid_argument(place);
  if (call.kind == CallKind::kSubmit) {
    for (std::string request; std::getline(stream >> std::ws, request, ',');) {
      call.requests.push_back(parse_request(request));
    }
    return call;
  }
  for (std::string argument; stream >> argument;) parse_argument(call, argument);
  return call;
}

}  // namespace

bool refused(const RequestSpec& request) {
  constexpr std::uint32_t kMaxRwCount = 0x7ffff000;
  const bool reads = request.operation == Operation::kRead;
  return request.operation == Operation::kUnknown || request.file == TargetFile::kNotOpen ||
         (request.file == TargetFile::kReadOnly && !reads) ||
         (request.file == TargetFile::kWriteOnly && reads) ||
         request.offset > std::uint64_t{INT64_MAX} - std::min(request.nbytes, kMaxRwCount);
}

bool fills_memory(const RequestSpec& request) {
  return request.operation == Operation::kRead && request.nbytes > 0 &&
         (request.file == TargetFile::kZero || request.file == TargetFile::kReadOnly);
}

std::string to_text(const Sequence& sequence) {
  std::string text;
  for (const Call& call : sequence) {
    text += fmt::format("{} #{}{}\n", name_of(kCalls, call.kind), call.place, arguments_of(call));
  }
  return text;
}

Sequence parse_sequence(std::string_view text) {
  std::istringstream stream{std::string(text)};
  Sequence sequence;
  for (std::string line; std::getline(stream, line);) {
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    try {
      sequence.push_back(parse_call(line));
    } catch (const std::invalid_argument& problem) {
      throw std::invalid_argument(fmt::format("not a call: \"{}\" ({})", line, problem.what()));
    }
  }
  return sequence;
}

}  // namespace aioscope::kioctx
