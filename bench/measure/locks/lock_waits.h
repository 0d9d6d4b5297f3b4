// What tracing the waits of a repetition's threads yields. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aioscope {

// The waits of the functions that took a lock of one kind, or that slept on a futex.
struct WaitSite {
  std::string site;                   // the function
  std::string layer;                  // of the profile's, that waiting here belongs to
  std::string kind;                   // "spin", "mutex", ..., "futex"
  std::uint64_t contended = 0;        // waits begun
  std::uint64_t wait_ns = 0;          // of those that ended, without recording_ns
  std::optional<double> wait_ns_p50;  // nullopt: too few waits to say
  std::optional<double> wait_ns_p99;
  std::optional<std::uint64_t> wait_ns_max;  // nullopt: none ended
};

struct LockWaits {
  std::string source;            // the tracepoint; "": nothing was traced
  std::string reason;            // why nothing was, and the cure
  std::string symbols_reason;    // why the kernel's functions have no names, and the cure
  std::uint64_t operations = 0;  // of the same window: what "per operation" refers to
  std::uint64_t events = 0;  // begins that the kernel counted, lost ones included; all futex calls
  std::uint64_t lost = 0;    // begins and ends that found the ring full
  std::uint64_t unfinished = 0;  // waits that had not ended when the window did
  // What recording the begins has made the waits longer; see recording_costs_ns().
  std::uint64_t recording_ns = 0;
  std::vector<WaitSite> sites;  // the longest waits in all first

  bool traced() const { return !source.empty(); }
  std::uint64_t contended() const;
  std::uint64_t wait_ns() const;
};

}  // namespace aioscope
