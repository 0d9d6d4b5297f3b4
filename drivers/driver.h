// The driver contract: what an asynchronous I/O implementation offers to be measured. START HERE.
//
// A Context is one submission and completion domain (an io_context_t, a ring, a kioctx). The
// harness hands it batches of Requests and takes back batches of Completions: two virtual calls per
// batch. Nothing per operation may be virtual, allocate, print or read a clock.
//
// A Driver is one row of the registry: a complete named recipe, `driver` or `driver@variant`.
//
// Errors: setting up throws SetupError, whose text names the cure. The data path returns values.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/wait_histogram.h"

namespace aioscope {

// Checked when an external driver is loaded. Raise it with every change to this header that alters
// a layout, a virtual table or the meaning of a field.
inline constexpr std::uint32_t kDriverAbiVersion = 4;

enum class Opcode : std::uint8_t { kRead, kWrite, kNop };

// Names one request in flight. Chosen by the caller, opaque to the driver, and returned exactly
// once. The top value is reserved for the drivers' own use (wake-ups, cancellations).
using Tag = std::uint64_t;
inline constexpr Tag kReservedTag = ~Tag{0};

struct Request {
  Tag tag = 0;
  std::byte* buffer = nullptr;  // owned by the caller until the completion; null for kNop
  std::uint64_t offset = 0;     // bytes from the start of the file
  std::uint32_t length = 0;     // bytes
  std::uint16_t file = 0;       // index into ContextOptions::files
  std::uint16_t buffer_region =
      0;  // index into ContextOptions::buffers; the region holding `buffer`
  Opcode opcode = Opcode::kNop;
};

struct Completion {
  Tag tag = 0;
  std::int64_t result = 0;  // bytes transferred, or -errno
};

// A point on CLOCK_MONOTONIC in nanoseconds until which reap() may block.
class Deadline {
 public:
  static constexpr Deadline poll() { return Deadline{0}; }           // do not block at all
  static constexpr Deadline never() { return Deadline{INT64_MAX}; }  // block until `min` have come
  static constexpr Deadline at(std::int64_t monotonic_ns) { return Deadline{monotonic_ns}; }

  constexpr bool is_poll() const { return ns_ == 0; }
  constexpr bool is_never() const { return ns_ == INT64_MAX; }
  constexpr std::int64_t monotonic_ns() const { return ns_; }

 private:
  constexpr explicit Deadline(std::int64_t ns) : ns_(ns) {}
  std::int64_t ns_;
};

// A prefix of the batch was accepted. `accepted` short with `error == 0` is back-pressure: the
// context is full, reap first. With `error` set (a positive errno), requests[accepted] itself was
// refused (a bad file, a bad buffer); it is not in flight and will not be returned by reap().
//
// Its two halves are returned in two registers: the first is a field of its own, so that it need
// not be put together in memory. That was a fifth of the harness's time at batch 1.
struct SubmitResult {
  std::size_t accepted = 0;
  std::int32_t error = 0;
  std::uint32_t system_calls = 0;  // entered by this call, as the driver knows them
};

// `count` completions were written to the front of `out`. Fewer than `min` only when the deadline
// passed or a signal came (`error == 0`), or when the implementation failed (`error`, positive
// errno).
struct ReapResult {
  std::size_t count = 0;
  std::int32_t error = 0;
  std::uint32_t system_calls = 0;
};

// What became of cancel(tag).
enum class CancelResult : std::uint8_t {
  kUnsupported,  // the driver does not declare Capabilities::cancel
  kNotFound,     // no such request in flight, or too late: it comes back by reap() as usual
  kCancelled,    // done: the tag will NOT come back by reap() (the result was returned here)
  kRequested,    // will come back by reap() exactly once, with -ECANCELED or its own result
};

// One submission and completion domain.
//
// Threads: at most ContextOptions::submitters threads call submit() at the same time and at most
// ContextOptions::reapers call reap(). With ContextOptions::single_thread, the thread that opened
// the context makes every call and destroys it.
class Context {
 public:
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  virtual ~Context() = default;  // precondition: nothing in flight

  // Starts a prefix of `requests`; see SubmitResult. Does not block for completions. `requests` may
  // be reused as soon as the call returns; buffers may not.
  virtual SubmitResult submit(std::span<const Request> requests) = 0;

  // Writes up to out.size() completions, and blocks until `min` of them have come or the deadline
  // has passed. `min` may be 0 (poll) and must not exceed out.size().
  virtual ReapResult reap(std::span<Completion> out, std::size_t min, Deadline deadline) = 0;

  // Thread-safe against submit() and reap() where Capabilities::cancel says so.
  virtual CancelResult cancel(Tag) { return CancelResult::kUnsupported; }

  // The set-up really in force, for the result file: "SINGLE_ISSUER|DEFER_TASKRUN sq=128 cq=256".
  virtual std::string setup() const = 0;

  // Threads that work for this context alone, the kernel's included; those of a simulated device
  // are counted by the harness. A row with more threads than CPUs is marked.
  virtual std::uint32_t service_threads() const { return 0; }
};

enum class FileKind : std::uint8_t {
  kNull,    // /dev/null: reads return 0, writes return their length
  kZero,    // /dev/zero: reads fill with zeros, writes return their length
  kFile,    // a regular file or block device
  kDevice,  // a device simulated by the driver, described by File::spec
};

// One open file. The caller owns `fd` and keeps it open for the life of the context. In-process
// drivers serve kNull and kZero themselves; kernel drivers use `fd`.
struct File {
  FileKind kind = FileKind::kNull;
  int fd = -1;
  std::string_view spec;  // of kDevice, in the notation of drivers/device_spec.h
};

struct ContextOptions {
  std::uint32_t depth = 128;  // most requests in flight, over all threads
  std::uint32_t submitters = 1;
  std::uint32_t reapers = 1;
  bool single_thread = true;    // the opening thread submits, reaps and closes
  std::span<const File> files;  // copied from by open(); need not outlive it
  std::span<const std::span<std::byte>>
      buffers;  // memory that requests point into, for registration
};

// Bit set of opcodes: 1u << Opcode.
using OpcodeSet = std::uint8_t;
constexpr OpcodeSet opcode_bit(Opcode op) { return OpcodeSet(1u << unsigned(op)); }
inline constexpr OpcodeSet kReadWrite = opcode_bit(Opcode::kRead) | opcode_bit(Opcode::kWrite);
inline constexpr OpcodeSet kAllOpcodes = kReadWrite | opcode_bit(Opcode::kNop);

// Bit set of file kinds: 1u << FileKind.
using FileKindSet = std::uint8_t;
constexpr FileKindSet file_kind_bit(FileKind kind) { return FileKindSet(1u << unsigned(kind)); }
inline constexpr FileKindSet kKernelFiles = file_kind_bit(FileKind::kNull) |
                                            file_kind_bit(FileKind::kZero) |
                                            file_kind_bit(FileKind::kFile);

struct Capabilities {
  OpcodeSet opcodes = kReadWrite;
  FileKindSet files = kKernelFiles;
  std::uint32_t max_submitters = UINT32_MAX;  // of one context, at the same time; 1: never shared
  std::uint32_t max_reapers = UINT32_MAX;
  bool cancel = false;
  bool transfers_data = true;  // false: completes without touching buffers (null)
  bool completes_inline =
      false;  // true: the I/O is done inside submit(), by definition (sync, null)
};

// Whether a driver can run here. When not, `reason` says why and `cure` what to do about it.
struct Availability {
  bool usable = true;
  std::string reason;
  std::string cure;
};

// A lock at one place that takes it.
struct LockSiteCount {
  std::uint64_t acquisitions = 0;
  std::uint64_t contended = 0;  // of these, found taken
  std::uint64_t wait_ns = 0;    // from finding it taken to having it
  WaitHistogram waits;          // of each; empty: not kept
};

// What a driver counts of its own work, exactly.
struct DriverCounts {
  std::vector<LockSiteCount> locks;  // one per CounterSource::lock_sites
  std::uint64_t shared_rmw = 0;      // atomic read-modify-writes on lines that other CPUs write too
  std::uint64_t allocations = 0;
  std::uint64_t wakeups = 0;  // of sleepers, by a system call or without one
};

// Offered by a driver that counts. The counts are kept per thread, so that counting writes no line
// that another thread writes; they only grow, and the harness takes differences.
struct CounterSource {
  std::span<const std::string_view> lock_sites;  // "ctx_lock/submit": the lock, and who takes it
  bool whole_engine = false;                     // also all of DriverCounts besides the locks
  DriverCounts (*this_thread)() = nullptr;       // of the calling thread, since it began
  DriverCounts (*service_threads)() = nullptr;   // sums over the driver's own threads; thread-safe
};

// A line of text about a driver under a heading: "submit", "no lock; ...".
struct DriverNote {
  std::string heading;
  std::string text;
};

struct Driver {
  std::string_view name;     // "libaio", "libaio@user-reap"
  std::string_view summary;  // one line
  Capabilities capabilities;
  Availability (*probe)();  // never throws; opens and closes a context
  std::unique_ptr<Context> (*open)(const ContextOptions&);  // throws SetupError
  const CounterSource* counters = nullptr;                  // nullptr: it does not count
  // For a driver that is one step of several: what it changes, and the locks and shared lines of
  // its paths ('aioscope list stages'). nullptr: none.
  std::vector<DriverNote> (*notes)() = nullptr;
};

// A context could not be set up. what() holds the call, the errno's text and the cure.
class SetupError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a shared object given to --driver exports as the C symbol `aioscope_external_drivers`, a
// function returning a pointer to this. The leading fields are checked before the rest is read.
struct ExternalDrivers {
  std::uint32_t abi_version = kDriverAbiVersion;
  std::uint32_t driver_size = sizeof(Driver);
  std::uint32_t request_size = sizeof(Request);
  std::uint32_t options_size = sizeof(ContextOptions);
  const Driver* drivers = nullptr;
  std::size_t count = 0;
};
using ExternalDriversFunction = const ExternalDrivers*();
inline constexpr const char* kExternalDriversSymbol = "aioscope_external_drivers";

}  // namespace aioscope
