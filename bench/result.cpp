#include "bench/result.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench/build_info.h"
#include "bench/measure/clock.h"
#include "bench/version.h"

namespace aioscope {
namespace {

using Json = nlohmann::ordered_json;

// JSON has neither infinity nor NaN.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

template <typename T>
Json optional_number(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
Json optional_number(const std::optional<double>& value) {
  return value ? number(*value) : Json(nullptr);
}

Json latency_json(const LatencyHistogram& latency) {
  Json buckets = Json::object();
  for (std::size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
    if (latency.bucket_count(i) == 0) continue;
    buckets[std::to_string(LatencyHistogram::Buckets::low(i))] = latency.bucket_count(i);
  }
  const bool any = latency.count() > 0;
  return {{"count", latency.count()},
          {"mean_ns", number(latency.mean_ns())},
          {"min_ns", any ? Json(latency.min_ns()) : Json(nullptr)},
          {"max_ns", any ? Json(latency.max_ns()) : Json(nullptr)},
          {"p50_ns", number(supported_percentile_ns(latency, 0.50))},
          {"p90_ns", number(supported_percentile_ns(latency, 0.90))},
          {"p99_ns", number(supported_percentile_ns(latency, 0.99))},
          {"p999_ns", number(supported_percentile_ns(latency, 0.999))},
          {"buckets", std::move(buckets)}};
}

Json latency_split_json(const LatencySplit& split) {
  return {{"submit_call_ns_per_op", number(split.submit_call_ns_per_op)},
          {"in_flight_ns_per_op", number(split.in_flight_ns_per_op)},
          {"reap_call_ns_per_op", number(split.reap_call_ns_per_op)},
          {"calls_timed", split.calls_timed}};
}

Json thread_json(const ThreadMeasurement& thread) {
  return {{"role", thread_role_name(thread.role)},
          {"cpu", thread.cpu},
          {"operations", thread.operations},
          {"submit_calls", thread.submit_calls},
          {"short_submits", thread.short_submits},
          {"reap_calls", thread.reap_calls},
          {"user_ns", thread.user_ns},
          {"system_ns", thread.system_ns},
          {"voluntary_switches", thread.voluntary_switches},
          {"involuntary_switches", thread.involuntary_switches},
          {"minor_faults", thread.minor_faults},
          {"major_faults", thread.major_faults},
          {"migrations", optional_number(thread.migrations)},
          {"driver_system_calls", thread.driver_system_calls}};
}

Json counters_json(const std::vector<CounterMeasurement>& counters) {
  Json array = Json::array();
  for (const CounterMeasurement& counter : counters) {
    array.push_back({{"name", counter.name},
                     {"unit", counter.in_ns ? "ns" : "count"},
                     {"value", optional_number(counter.value)},
                     {"per_op", optional_number(counter.per_op)},
                     {"time_enabled_ns", counter.enabled_ns},
                     {"time_running_ns", counter.running_ns},
                     {"scaled", counter.scaled},
                     {"reason", counter.reason}});
  }
  return array;
}

Json driver_counts_json(const std::optional<DriverCountsMeasurement>& counts) {
  if (!counts) return nullptr;
  Json sites = Json::array();
  for (const auto& site : counts->lock_sites) {
    sites.push_back({{"site", site.site},
                     {"acquisitions", site.acquisitions},
                     {"contended", site.contended},
                     {"wait_ns", site.wait_ns},
                     {"wait_ns_p50", number(site.times.p50_ns)},
                     {"wait_ns_p99", number(site.times.p99_ns)},
                     {"wait_ns_max", number(site.times.max_ns)}});
  }
  return {{"operations", counts->operations},
          {"lock_sites", std::move(sites)},
          {"shared_rmw", optional_number(counts->shared_rmw)},
          {"allocations", optional_number(counts->allocations)},
          {"wakeups", optional_number(counts->wakeups)}};
}

Json lock_waits_json(const std::optional<LockWaits>& waits) {
  if (!waits) return nullptr;
  if (!waits->traced()) {
    return {{"source", ""}, {"reason", waits->reason}, {"lost", nullptr}, {"operations", nullptr}};
  }
  Json sites = Json::array();
  for (const WaitSite& site : waits->sites) {
    sites.push_back({{"site", site.site},
                     {"layer", site.layer},
                     {"kind", site.kind},
                     {"contended", site.contended},
                     {"wait_ns", site.wait_ns},
                     {"wait_ns_p50", optional_number(site.wait_ns_p50)},
                     {"wait_ns_p99", optional_number(site.wait_ns_p99)},
                     {"wait_ns_max", optional_number(site.wait_ns_max)}});
  }
  return {{"source", waits->source},
          {"reason", waits->reason},
          {"symbols_reason", waits->symbols_reason},
          {"lost", waits->lost},
          {"operations", waits->operations},
          {"events", waits->events},
          {"unfinished", waits->unfinished},
          {"recording_ns", waits->recording_ns},
          {"sites", std::move(sites)}};
}

Json profile_json(const std::optional<ProfileMeasurement>& profile) {
  if (!profile) return nullptr;
  const bool any = !profile->event.empty();
  Json threads = Json::array(), layers = Json::array(), stacks = Json::array(),
       unmatched = Json::array();
  for (const auto& thread : profile->threads) {
    threads.push_back(
        {{"name", thread.name}, {"of_driver", thread.of_driver}, {"samples", thread.samples}});
  }
  for (const LayerSamples& layer : profile->layers) {
    layers.push_back({{"layer", kLayerNames[layer.layer]},
                      {"user_samples", layer.user},
                      {"kernel_samples", profile->kernel_sampled ? Json(layer.kernel) : nullptr}});
  }
  for (const auto& stack : profile->stacks) {
    stacks.push_back({{"frames", stack.frames},
                      {"layer", kLayerNames[stack.layer]},
                      {"samples", stack.samples}});
  }
  for (const auto& [symbol, samples] : profile->unmatched) {
    unmatched.push_back({{"symbol", symbol}, {"samples", samples}});
  }
  Json moved = Json::array();
  for (const auto& [from, to, samples] : profile->moved) {
    moved.push_back({{"from", kLayerNames[from]}, {"to", kLayerNames[to]}, {"samples", samples}});
  }
  return {{"event", any ? Json(profile->event) : nullptr},
          {"scope", any ? Json(profile->scope) : nullptr},
          {"frequency_hz", profile->frequency_hz},
          {"reason", profile->reason},
          {"symbols_reason", profile->symbols_reason},
          {"whole", profile->whole()},
          {"samples", any ? Json(profile->samples) : nullptr},
          {"lost", any ? Json(profile->lost) : nullptr},
          {"duration_ns", profile->duration_ns},
          {"threads", std::move(threads)},
          {"threads_missed", profile->threads_missed},
          {"layers", std::move(layers)},
          {"moved", std::move(moved)},
          {"stacks", std::move(stacks)},
          {"rest_samples", profile->rest_samples},
          {"unmatched", std::move(unmatched)}};
}

Json off_cpu_json(const std::optional<OffCpuMeasurement>& off_cpu) {
  if (!off_cpu) return nullptr;
  Json threads = Json::array();
  for (const auto& thread : off_cpu->threads) {
    threads.push_back({{"name", thread.name},
                       {"of_driver", thread.of_driver},
                       {"switches", thread.switches},
                       {"wait_ns", optional_number(thread.wait_ns)},
                       {"completions_ns", optional_number(thread.completions_ns)},
                       {"lock_ns", optional_number(thread.lock_ns)},
                       {"other_wait_ns", optional_number(thread.other_wait_ns)},
                       {"preempted_ns", optional_number(thread.preempted_ns)}});
  }
  return {{"source", off_cpu->source},
          {"reason", off_cpu->reason},
          {"window_ns", off_cpu->window_ns},
          {"lost", off_cpu->source.empty() ? Json(nullptr) : Json(off_cpu->lost)},
          {"stacks", off_cpu->stacks},
          {"threads", std::move(threads)}};
}

Json tool_json() {
  return {{"name", "aioscope"},        {"version", kVersion},      {"commit", kBuildCommit},
          {"dirty", kBuildDirty},      {"build_type", kBuildType}, {"sanitizers", kBuildSanitizers},
          {"compiler", kBuildCompiler}};
}

Json plan_json(const RunDescription& run) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < run.rows.size(); ++i) {
    const DescribedRow& row = run.rows[i];
    rows.push_back({{"row", i},
                    {"name", row.row.name()},
                    {"config", row_json(row.row)},
                    {"price_only", row.price_only},
                    {"price_row", optional_number(row.price_row)},
                    {"command", row.command}});
  }
  return {{"repetitions", run.repetitions},
          {"warmup_ns", run.warmup_ns},
          {"window_ns", run.window_ns},
          {"operations", run.operations > 0 ? Json(run.operations) : nullptr},
          {"pin", run.pin},
          {"rows", std::move(rows)}};
}

[[noreturn]] void fail(const std::string& path, std::string_view call, int error,
                       std::string_view cure) {
  throw ResultFileError(fmt::format("{}: {}: {}; {}", path, call, std::strerror(error), cure));
}

std::string_view cure_of_write(int error) {
  return error == ENOSPC || error == EDQUOT
             ? "free space, or choose another place with -o; this file ends with the last whole "
               "record"
             : "choose another place with -o; this file ends with the last whole record";
}

constexpr std::string_view kChoose = "choose a directory that exists and may be written with -o";

// Where symbolic links lead to, also when there is nothing yet. The caller has ruled out loops.
std::string link_target(std::filesystem::path path) {
  std::error_code none;
  while (std::filesystem::is_symlink(std::filesystem::symlink_status(path, none))) {
    path = path.parent_path() / std::filesystem::read_symlink(path);
  }
  return path.string();
}

// An empty file at `path` that no other writer has, whatever stood there before: another run's
// remains are taken over, its unfinished file is not, and a link or a pipe that somebody put there
// is not followed. The mode is the umask's where it is 0.
int open_partial(const std::string& path, mode_t mode) {
  const int descriptor =
      open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
           mode != 0 ? mode : mode_t(0666));
  if (descriptor < 0) {
    fail(path, "open", errno,
         errno == ELOOP || errno == ENXIO ? "remove it, or choose another place with -o" : kChoose);
  }
  struct stat opened {};
  struct stat named {};
  std::string problem;
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    problem = "another run writes to it; wait, or choose another place with -o";
  } else if (fstat(descriptor, &opened) != 0 || lstat(path.c_str(), &named) != 0 ||
             opened.st_ino != named.st_ino) {
    problem = "another run has just finished it; try again";
  } else if (!S_ISREG(opened.st_mode)) {
    problem = "is no file; remove it, or choose another place with -o";
  } else if (ftruncate(descriptor, 0) != 0 || (mode != 0 && fchmod(descriptor, mode) != 0)) {
    problem = fmt::format("{}; remove it, or choose another place with -o", std::strerror(errno));
  }
  if (problem.empty()) return descriptor;
  close(descriptor);
  throw ResultFileError(fmt::format("{}: {}", path, problem));
}

}  // namespace

Json row_json(const Row& row) {
  return {{"driver", row.driver},
          {"workload", workload_name(row.workload)},
          {"target", row.target.text()},
          {"target_label", row.target.label()},
          {"submitters", row.submitters},
          {"reapers", row.reapers},
          {"contexts", row.contexts},
          {"threads", row.threads()},
          {"depth", row.depth},
          {"batch", row.batch},
          {"reap_min", row.reap_min},
          {"block_size_bytes", row.block_size},
          {"operation", operation_name(row.operation)},
          {"read_percent", row.read_percent},
          {"pattern", access_pattern_name(row.pattern)},
          {"buffered", row.buffered},
          {"verify", row.verify},
          {"rate_per_s", row.rate_per_s},
          {"arrival", arrival_name(row.arrival)},
          {"latency", latency_mode_name(row.latency)},
          {"observe", observe_name(row.observe)}};
}

Json measurement_json(const Measurement& m) {
  Json slices = Json::array();
  for (const double slice : m.slices_ops_per_s) slices.push_back(number(slice));
  Json threads = Json::array();
  for (const ThreadMeasurement& thread : m.thread) threads.push_back(thread_json(thread));
  return {{"setup", m.setup},
          {"threads", m.threads},
          {"oversubscribed", m.oversubscribed},
          {"start_realtime_ns", m.start_realtime_ns},
          {"window_ns", m.window_ns},
          {"operations", m.operations},
          {"failed_operations", m.failed_operations},
          {"bytes", m.bytes},
          {"operations_per_s", number(m.operations_per_s)},
          {"slice_ns", m.slice_ns},
          {"slices_ops_per_s", std::move(slices)},
          {"drift", number(m.drift)},
          {"steady", m.steady},
          {"fairness_jain", number(m.fairness_jain)},
          {"fairness_min_max", number(m.fairness_min_max)},
          {"latency_mode", m.latency_mode},
          {"latency", latency_json(m.latency)},
          {"latency_split", latency_split_json(m.latency_split)},
          {"cpu_user_ns_per_op", number(m.cpu_user_ns_per_op)},
          {"cpu_system_ns_per_op", number(m.cpu_system_ns_per_op)},
          {"context_switches_per_op", number(m.context_switches_per_op)},
          {"voluntary_switches_per_op", number(m.voluntary_switches_per_op)},
          {"faults_per_op", number(m.faults_per_op)},
          {"migrations_per_op", optional_number(m.migrations_per_op)},
          {"migrations_reason", m.migrations_reason},
          {"system_calls_per_op", number(m.system_calls_per_op)},
          {"harness_system_calls_per_op", number(m.harness_system_calls_per_op)},
          {"system_calls_source", m.system_calls_source},
          {"system_calls_reason", m.system_calls_reason},
          {"counters", counters_json(m.counters)},
          {"driver_counts", driver_counts_json(m.driver_counts)},
          {"kernel_locks", lock_waits_json(m.kernel_locks)},
          {"futex_waits", lock_waits_json(m.futex_waits)},
          {"profile", profile_json(m.profile)},
          {"off_cpu", off_cpu_json(m.off_cpu)},
          {"submitted", m.submitted},
          {"completed", m.completed},
          {"verified_blocks", m.verified_blocks},
          {"late_starts", m.late_starts},
          {"thread", std::move(threads)},
          {"warnings", m.warnings}};
}

ResultWriter::ResultWriter(std::string path) : path_(std::move(path)), start_ns_(monotonic_ns()) {
  if (path_ == "-") {
    descriptor_ = STDOUT_FILENO;
    return;
  }
  struct stat there {};
  const bool exists = stat(path_.c_str(), &there) == 0;
  if (!exists && errno != ENOENT) fail(path_, "stat", errno, kChoose);
  if (exists && !S_ISREG(there.st_mode)) {
    descriptor_ = open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail(path_, "open", errno, kChoose);
    return;
  }
  target_ = link_target(path_);
  descriptor_ = open_partial(current_path(), exists ? there.st_mode & 0777 : 0u);
}

ResultWriter::~ResultWriter() {
  if (descriptor_ >= 0 && path_ != "-") close(descriptor_);
}

std::string ResultWriter::current_path() const {
  return target_.empty() || descriptor_ == kFinished ? path_ : target_ + ".partial";
}

void ResultWriter::write(const Json& record) {
  // Names and paths need not be UTF-8, JSON must be.
  const std::string line =
      record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t written = ::write(descriptor_, line.data() + done, line.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int error = written == 0 ? ENOSPC : errno;
      // Should this fail too, the file ends with a broken line, which readers know how to take.
      [[maybe_unused]] const int cut = path_ == "-" ? 0 : ftruncate(descriptor_, size_);
      fail(path_ == "-" ? "standard output" : current_path(), "write", error, cure_of_write(error));
    }
    done += std::size_t(written);
  }
  size_ += std::int64_t(line.size());
}

void ResultWriter::header(const RunDescription& run, const Json& host, const Json& targets) {
  write({{"record", "header"},
         {"schema", kResultSchema},
         {"tool", tool_json()},
         {"host", host},
         {"targets", targets},
         {"seed", run.seed},
         {"command", run.command},
         {"options", run.options_json.empty() ? Json::object() : Json::parse(run.options_json)},
         {"start_realtime_ns", clock_ns(CLOCK_REALTIME)},
         {"looking", Json::parse(run.looking)},
         {"plan", plan_json(run)}});
}

void ResultWriter::repetition(std::size_t row, const std::string& name, std::uint32_t repetition,
                              std::size_t position, std::uint64_t seed,
                              const Measurement& measurement) {
  write({{"record", "repetition"},
         {"row", row},
         {"name", name},
         {"repetition", repetition},
         {"position", position},
         {"seed", seed},
         {"measurement", measurement_json(measurement)}});
  ++repetitions_;
}

void ResultWriter::skipped(std::size_t row, const std::string& name, const std::string& reason,
                           const std::string& cure) {
  write({{"record", "skipped"}, {"row", row}, {"name", name}, {"reason", reason}, {"cure", cure}});
  ++skipped_;
}

void ResultWriter::failed(std::size_t row, const std::string& name, std::uint32_t repetition,
                          std::size_t position, FailureKind kind, const std::string& message) {
  write({{"record", "failed"},
         {"row", row},
         {"name", name},
         {"repetition", repetition},
         {"position", position},
         {"kind", kind == FailureKind::kInvalid ? "invalid" : "runtime"},
         {"message", message}});
  ++failed_;
}

void ResultWriter::finish(bool complete, const std::string& reason) {
  write({{"record", "end"},
         {"complete", complete},
         {"reason", reason},
         {"elapsed_ns", monotonic_ns() - start_ns_},
         {"repetitions", repetitions_},
         {"skipped", skipped_},
         {"failed", failed_}});
  if (path_ == "-") return;
  const std::string partial = current_path();
  if (fsync(descriptor_) != 0 && errno != EINVAL) {
    fail(partial, "fsync", errno, cure_of_write(errno));
  }
  if (!target_.empty() && rename(partial.c_str(), target_.c_str()) != 0) {
    fail(path_, "rename", errno, "choose another place with -o");
  }
  close(descriptor_);
  descriptor_ = kFinished;
}

}  // namespace aioscope
