#include "bench/measure/locks/wait_log.h"

#include <algorithm>

namespace aioscope {
namespace {

// include/trace/events/lock.h
constexpr std::uint32_t kSpin = 1u << 0;
constexpr std::uint32_t kRead = 1u << 1;
constexpr std::uint32_t kWrite = 1u << 2;
constexpr std::uint32_t kRealTime = 1u << 3;
constexpr std::uint32_t kPerCpu = 1u << 4;
constexpr std::uint32_t kMutex = 1u << 5;

// 64 bits over a few thousand stacks: two of them meet once in 10^12 runs.
std::uint64_t hash_of(std::uint32_t flags, std::span<const std::uint64_t> stack) {
  std::uint64_t hash = 0x9e3779b97f4a7c15 + flags;
  for (const std::uint64_t address : stack) {
    hash = (hash ^ address) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace

std::string_view lock_kind(std::uint32_t flags) {
  if ((flags & kMutex) != 0) return "mutex";
  const bool read = (flags & kRead) != 0;
  const bool write = (flags & kWrite) != 0;
  if ((flags & kPerCpu) != 0) return write ? "percpu write" : "percpu read";
  if ((flags & kRealTime) != 0) {
    return read ? "rwlock read" : write ? "rwlock write" : "rtmutex";
  }
  if ((flags & kSpin) != 0) return read ? "rwlock read" : write ? "rwlock write" : "spin";
  return read ? "rwsem read" : write ? "rwsem write" : "semaphore";
}

void WaitLog::begin(std::size_t thread, std::int64_t now_ns, std::uint64_t lock,
                    std::uint32_t flags, std::span<const std::uint64_t> stack) {
  std::vector<Open>& open = threads_[thread];
  if (std::ranges::find(open, lock, &Open::lock) != open.end()) return;
  const std::uint32_t site = site_of(flags, stack);
  ++sites_[site].contended;
  // Ends were lost: nothing nests so deep.
  if (open.size() == kDeepest) open.erase(open.begin());
  open.push_back({lock, now_ns, site});
}

void WaitLog::end(std::size_t thread, std::int64_t now_ns, std::uint64_t lock) {
  std::vector<Open>& open = threads_[thread];
  const auto found =
      std::find_if(open.rbegin(), open.rend(), [&](const Open& wait) { return wait.lock == lock; });
  if (found == open.rend()) return;
  const auto waited_ns = std::uint64_t(std::max<std::int64_t>(0, now_ns - found->begin_ns));
  Site& site = sites_[found->site];
  site.wait_ns += waited_ns;
  site.waits.record(waited_ns);
  open.erase(found.base() - 1, open.end());  // with the waits inside, whose ends are missing
}

std::uint32_t WaitLog::site_of(std::uint32_t flags, std::span<const std::uint64_t> stack) {
  const auto [at, is_new] = site_by_hash_.try_emplace(hash_of(flags, stack), 0);
  if (!is_new) return at->second;
  if (sites_.size() < kMostSites) {
    Site& site = sites_.emplace_back();
    if (sites_.size() < kMostSites) {
      site.stack.assign(stack.begin(), stack.end());
      site.flags = flags;
    }
  } else {
    site_by_hash_.erase(at);
    return kMostSites - 1;
  }
  return at->second = std::uint32_t(sites_.size() - 1);
}

std::uint64_t WaitLog::unfinished() const {
  std::uint64_t count = 0;
  for (const auto& open : threads_) count += open.size();
  return count;
}

}  // namespace aioscope
