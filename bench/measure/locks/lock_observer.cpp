#include "bench/measure/locks/lock_observer.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <tuple>

namespace aioscope {
namespace {

constexpr std::chrono::milliseconds kDrainInterval{4};

constexpr std::uint64_t kManyWaits = 30;
constexpr std::uint64_t kMostRecordingNs = 10'000;

// 0: too few to tell, or too long to be nothing but the record.
std::uint64_t shortest_ns(const LatencyHistogram& waits) {
  const bool tells = waits.count() >= kManyWaits && waits.min_ns() < kMostRecordingNs;
  return tells ? waits.min_ns() : 0;
}

void merge_shorter(LatencyHistogram& to, const LatencyHistogram& from, std::uint64_t by_ns) {
  for (std::size_t bucket = 0; bucket < LatencyHistogram::kBuckets; ++bucket) {
    if (from.bucket_count(bucket) == 0) continue;
    const std::uint64_t seen_ns =
        std::clamp(LatencyHistogram::Buckets::low(bucket), by_ns, std::max(by_ns, from.max_ns()));
    to.record(seen_ns - by_ns, from.bucket_count(bucket));
  }
}

std::optional<double> percentile(const LatencyHistogram& waits, double fraction) {
  const double value_ns = supported_percentile_ns(waits, fraction);
  if (std::isnan(value_ns)) return std::nullopt;
  return value_ns;
}

LockWaits waits_of(const WaitTracer& tracer, WaitKind kind, const WaitSiteNamer& name,
                   std::uint64_t operations) {
  LockWaits result;
  if (!tracer.works()) {
    result.reason = tracer.refusal().text();
    return result;
  }
  result.source = tracer.source();
  result.operations = operations;
  result.events = tracer.events();
  result.lost = tracer.lost();
  result.unfinished = tracer.log().unfinished();
  const std::vector<std::uint64_t> costs_ns = recording_costs_ns(tracer.log());
  for (std::size_t i = 0; i < costs_ns.size(); ++i) {
    result.recording_ns += costs_ns[i] * tracer.log().sites()[i].waits.count();
  }
  result.sites = wait_sites(tracer.log(), kind, name);
  return result;
}

}  // namespace

std::uint64_t LockWaits::contended() const {
  std::uint64_t sum = 0;
  for (const WaitSite& site : sites) sum += site.contended;
  return sum;
}

std::uint64_t LockWaits::wait_ns() const {
  std::uint64_t sum = 0;
  for (const WaitSite& site : sites) sum += site.wait_ns;
  return sum;
}

std::vector<std::uint64_t> recording_costs_ns(const WaitLog& log) {
  LatencyHistogram all;
  for (const WaitLog::Site& site : log.sites()) all.merge(site.waits);
  std::vector<std::uint64_t> costs_ns;
  for (const WaitLog::Site& site : log.sites()) {
    const std::uint64_t own_ns = shortest_ns(site.waits);
    costs_ns.push_back(own_ns > 0 ? own_ns : shortest_ns(all));
  }
  return costs_ns;
}

std::vector<WaitSite> wait_sites(const WaitLog& log, WaitKind kind, const WaitSiteNamer& name) {
  struct Merged {
    std::uint64_t contended = 0;
    std::uint64_t wait_ns = 0;
    std::uint64_t longest_ns = 0;
    LatencyHistogram waits;
  };
  const std::vector<std::uint64_t> costs_ns = recording_costs_ns(log);
  std::map<std::tuple<std::string, std::string, std::string_view>, Merged> merged;
  for (std::size_t i = 0; i < costs_ns.size(); ++i) {
    const WaitLog::Site& site = log.sites()[i];
    const bool rest = site.stack.empty();
    const std::string_view what = kind == WaitKind::kFutexes ? "futex" : lock_kind(site.flags);
    const NamedSite named = rest ? NamedSite{"(others)", ""} : name(site.stack);
    Merged& to = merged[{named.function, named.layer, what}];
    to.contended += site.contended;
    if (site.waits.count() == 0) continue;
    // No wait is shorter than the shortest.
    to.wait_ns += site.wait_ns - costs_ns[i] * site.waits.count();
    to.longest_ns = std::max(to.longest_ns, site.waits.max_ns() - costs_ns[i]);
    merge_shorter(to.waits, site.waits, costs_ns[i]);
  }
  std::vector<WaitSite> sites;
  for (const auto& [key, site] : merged) {
    const auto& [function, layer, what] = key;
    sites.push_back({.site = function,
                     .layer = layer,
                     .kind = std::string(what),
                     .contended = site.contended,
                     .wait_ns = site.wait_ns,
                     .wait_ns_p50 = percentile(site.waits, 0.50),
                     .wait_ns_p99 = percentile(site.waits, 0.99)});
    if (site.waits.count() > 0) sites.back().wait_ns_max = site.longest_ns;
  }
  std::ranges::stable_sort(sites, std::greater{}, &WaitSite::wait_ns);
  return sites;
}

LockObserver::LockObserver(std::span<const pid_t> threads)
    : locks_(WaitKind::kKernelLocks, threads), futexes_(WaitKind::kFutexes, threads) {
  thread_ = std::thread([this] { drain_until_stopped(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return own_thread_ != 0; });
}

LockObserver::~LockObserver() {
  if (thread_.joinable()) stop();
}

void LockObserver::enter(State state) {
  {
    const std::lock_guard lock(mutex_);
    state_ = state;
  }
  changed_.notify_all();
}

void LockObserver::start() {
  locks_.start();
  futexes_.start();
  enter(State::kTracing);
}

void LockObserver::drain_until_stopped() {
  std::unique_lock lock(mutex_);
  own_thread_ = gettid();
  changed_.notify_all();
  changed_.wait(lock, [this] { return state_ != State::kReady; });
  const Usage before = usage_of_this_thread();
  while (!changed_.wait_for(lock, kDrainInterval, [this] { return state_ == State::kStopped; })) {
    lock.unlock();
    locks_.drain();
    futexes_.drain();
    const Usage usage = usage_of_this_thread() - before;
    lock.lock();
    usage_ = usage;
  }
}

void LockObserver::disable() {
  locks_.disable();
  futexes_.disable();
}

void LockObserver::stop() {
  disable();
  enter(State::kStopped);
  thread_.join();
  locks_.stop();
  futexes_.stop();
}

Usage LockObserver::own_usage() const {
  const std::lock_guard lock(mutex_);
  return usage_;
}

LockWaits LockObserver::kernel_locks(const WaitSiteNamer& name, std::uint64_t operations) const {
  return waits_of(locks_, WaitKind::kKernelLocks, name, operations);
}

LockWaits LockObserver::futex_waits(const WaitSiteNamer& name, std::uint64_t operations) const {
  return waits_of(futexes_, WaitKind::kFutexes, name, operations);
}

}  // namespace aioscope
