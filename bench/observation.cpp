#include "bench/observation.h"

#include <fmt/format.h>

#include <map>

#include "bench/measure/profile/attribution.h"

namespace aioscope {
namespace {

// The measured threads, and the driver's own.
std::vector<SampledThread> threads_of(const Layout& layout, std::span<const pid_t> tids) {
  std::vector<SampledThread> threads;
  std::map<ThreadRole, int> numbers;
  for (std::size_t i = 0; i < tids.size(); ++i) {
    if (tids[i] == 0) continue;  // could not be started
    const ThreadRole role = layout.threads[i].role;
    threads.push_back(
        {tids[i], fmt::format("{} {}", thread_role_name(role), numbers[role]++), false});
  }
  return threads_to_sample(std::move(threads));
}

double cpu_time_ns(const Measurement& m) {
  return (m.cpu_user_ns_per_op + m.cpu_system_ns_per_op) * double(m.operations);
}

// A spinning wait is CPU time. What is sampled by a timer's interrupt is blind to those with
// interrupts off; the tracepoints are not.
void see_waits_with_interrupts_off(ProfileMeasurement& profile, const LockWaits& locks,
                                   double cpu_ns) {
  if (profile.event != "cpu-clock" || !profile.whole() || !locks.traced() || !(cpu_ns > 0)) return;
  for (const auto& [core, waiting] : kLayersWithLocks) {
    double wait_ns = 0;
    for (const WaitSite& site : locks.sites) {
      if (site.kind == "spin" && site.layer == kLayerNames[waiting])
        wait_ns += double(site.wait_ns);
    }
    profile.move_unseen_waits(core, waiting, wait_ns / cpu_ns);
  }
}

}  // namespace

Observation::Observation(const RunSettings& settings, const Layout& layout,
                         std::span<const pid_t> tids)
    : settings_(settings) {
  if (settings.profile_hz == 0 && !settings.trace_locks) return;
  std::vector<SampledThread> threads = threads_of(layout, tids);
  if (settings.trace_locks) {
    std::vector<pid_t> all;
    for (const SampledThread& thread : threads) all.push_back(thread.tid);
    traced_ = threads;
    locks_.emplace(all);
  }
  if (settings.profile_hz > 0) {
    off_cpu_.emplace(threads, settings.profile_hz);
    sampler_.emplace(std::move(threads), settings.profile_hz);
    if (locks_) sampler_->leave_out(locks_->own_thread());
  }
}

void Observation::start() {
  if (locks_) locks_->start();
  if (!sampler_) return;
  off_cpu_->start();
  sampler_->start();
}

void Observation::drain() {
  if (!sampler_) return;
  sampler_->drain();
  off_cpu_->drain();
}

Usage Observation::own_usage() const { return locks_ ? locks_->own_usage() : Usage{}; }

void Observation::stop() {
  // The operations have been counted: what happens while the rest ends is none of theirs.
  if (locks_) locks_->disable();
  if (sampler_) {
    sampler_->stop();
    off_cpu_->stop();
  }
  if (!locks_) return;
  const std::vector<SampledThread> now = threads_to_sample(traced_);
  for (std::size_t i = traced_.size(); i < now.size(); ++i) {
    if (now[i].tid == locks_->own_thread()) continue;
    not_traced_ += (not_traced_.empty() ? "" : ", ") + now[i].name;
  }
  locks_->stop();
}

void Observation::take(Measurement& result) {
  if (sampler_) take_profile(result);
  if (locks_) take_lock_waits(result);
  if (result.profile && result.kernel_locks) {
    see_waits_with_interrupts_off(*result.profile, *result.kernel_locks, cpu_time_ns(result));
  }
}

void Observation::take_profile(Measurement& result) {
  result.profile = settings_.attribution->profile_of(*sampler_);
  result.off_cpu = off_cpu_->measurement(*settings_.attribution);
  if (const std::uint64_t throttled = sampler_->throttled(); throttled > 0) {
    result.warnings.push_back(
        fmt::format("profile: samples throttled {} times, when the kernel found that they took too "
                    "long: ask for fewer, --profile=HZ",
                    throttled));
  }
  sampler_.reset();
  off_cpu_.reset();
  for (const std::string& reason : {result.profile->reason, result.profile->symbols_reason}) {
    if (!reason.empty()) result.warnings.push_back("profile: " + reason);
  }
}

void Observation::take_lock_waits(Measurement& result) {
  const WaitSiteNamer name = [&](std::span<const std::uint64_t> stack) {
    const Attribution::NamedStack named = settings_.attribution->name(stack);
    return NamedSite{settings_.attribution->wait_site(named),
                     std::string(kLayerNames[settings_.attribution->wait_layer(named)])};
  };
  LockWaits locks = locks_->kernel_locks(name, result.operations);
  LockWaits futexes = locks_->futex_waits(name, result.operations);
  locks_.reset();
  if (!locks.sites.empty()) {
    locks.symbols_reason = settings_.attribution->symbols().kernel_reason();
  }
  for (const std::string& reason : {locks.reason, locks.symbols_reason}) {
    if (!reason.empty()) result.warnings.push_back("kernel locks: " + reason);
  }
  if (!futexes.reason.empty() && futexes.reason != locks.reason) {
    result.warnings.push_back("futex waits: " + futexes.reason);
  }
  if (!not_traced_.empty()) {
    result.warnings.push_back("locks: began within the window and were not traced: " + not_traced_);
  }
  if (const std::uint64_t lost = locks.lost + futexes.lost; lost > 0) {
    result.warnings.push_back(fmt::format(
        "locks: {} records were lost and their waits are missing: fewer threads, or more CPUs",
        lost));
  }
  result.kernel_locks = std::move(locks);
  result.futex_waits = std::move(futexes);
}

}  // namespace aioscope
