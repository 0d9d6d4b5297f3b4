#include "drivers/kioctx/device.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <system_error>

#include "drivers/kioctx/clock.h"
#include "drivers/kioctx/counts.h"
#include "drivers/kioctx/futex.h"
#include "drivers/kioctx/percpu.h"
#include "drivers/kioctx/plug.h"

namespace aioscope::kioctx {
namespace {

constexpr std::int64_t kAwake = INT64_MIN;

[[noreturn]] void fail(int error, const char* call) {
  throw std::system_error(error, std::generic_category(), call);
}

// CPUs of some number of words, as the kernel takes and gives them.
class CpuSet {
 public:
  CpuSet() : words_(CPU_ALLOC_SIZE(num_cpu_ids()) / sizeof(cpu_set_t) + 1) {
    CPU_ZERO_S(bytes(), words_.data());
  }
  std::size_t bytes() const { return words_.size() * sizeof(cpu_set_t); }
  cpu_set_t* get() { return words_.data(); }
  void add(int cpu) { CPU_SET_S(std::size_t(cpu), bytes(), words_.data()); }
  bool has(int cpu) const { return CPU_ISSET_S(std::size_t(cpu), bytes(), words_.data()); }

 private:
  std::vector<cpu_set_t> words_;
};

// Up to `count`, from the last one on. The process's, since the calling thread may be pinned.
std::vector<int> last_usable_cpus(std::uint32_t count) {
  CpuSet usable;
  if (sched_getaffinity(getpid(), usable.bytes(), usable.get()) != 0) {
    fail(errno, "sched_getaffinity");
  }
  std::vector<int> cpus;
  for (int cpu = int(usable.bytes() * 8) - 1; cpu >= 0 && cpus.size() < count; --cpu) {
    if (usable.has(cpu)) cpus.push_back(cpu);
  }
  return cpus;
}

// What two sequences draw from, so that the same device does the same every time.
enum class Draw : std::uint64_t { kJitter = 1, kError = 2 };

// The `count`th number of a sequence: uniform over 64 bits (splitmix64, by its counter).
std::uint64_t draw(Draw what, std::uint32_t number, std::uint64_t count) {
  std::uint64_t z = (std::uint64_t(what) << 60 | std::uint64_t{number} << 48) + count;
  z *= 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

// In [0, 1).
double unit_interval(std::uint64_t drawn) { return double(drawn >> 11) * 0x1p-53; }

}  // namespace

// If starting fails, the destructor of what the other constructor has made ends the thread.
InterruptCpu::InterruptCpu(const DeviceSpec& spec, std::uint32_t number, int cpu)
    : InterruptCpu(spec, number) {
  thread_ = std::thread([this] { serve(); });
  CpuSet one;
  one.add(cpu);
  const int error = pthread_setaffinity_np(thread_.native_handle(), one.bytes(), one.get());
  if (error != 0) fail(error, "pthread_setaffinity_np");
}

InterruptCpu::InterruptCpu(const DeviceSpec& spec, std::uint32_t number)
    : spec_(spec), number_(number), sleeps_until_ns_(kAwake) {}

InterruptCpu::~InterruptCpu() {
  if (!thread_.joinable()) return;
  {
    const SpinLockGuard guard(lock_, LockSite::kDeviceQueue);
    stopping_ = true;
    count_shared_rmw();
    doorbell_.fetch_add(1, std::memory_order_relaxed);
  }
  futex_wake(&doorbell_, 1);
  thread_.join();
}

void InterruptCpu::add(ListNode& requests) {
  std::int64_t due_ns = monotonic_ns() + spec_.latency_ns;
  for (ListNode* node = requests.get_next(); node != &requests; node = node->get_next()) {
    kiocb_of_file_node(node)->ki_file_queue = std::uint16_t(number_);
    kiocb_of_file_node(node)->ki_due_ns = due_ns;
  }
  {
    const SpinLockGuard guard(lock_, LockSite::kDeviceQueue);
    if (spec_.jitter_ns > 0) due_ns = add_jitter(requests);
    if (spec_.cancel) {
      // Under the lock: from here on it may be called.
      for (ListNode* node = requests.get_next(); node != &requests; node = node->get_next()) {
        kiocb_set_cancel_fn(kiocb_of_file_node(node), SimulatedDevice::cancel);
      }
    }
    arrived_.append_all(requests);
    if (due_ns >= sleeps_until_ns_) return;
    sleeps_until_ns_ = kAwake;
    count_shared_rmw();
    doorbell_.fetch_add(1, std::memory_order_relaxed);
  }
  futex_wake(&doorbell_, 1);
}

// Needs the lock. Returns when the first one is due then.
std::int64_t InterruptCpu::add_jitter(ListNode& requests) {
  std::int64_t first_ns = INT64_MAX;
  for (ListNode* node = requests.get_next(); node != &requests; node = node->get_next()) {
    const double share = unit_interval(draw(Draw::kJitter, number_, drawn_jitters_++));
    std::int64_t& due_ns = kiocb_of_file_node(node)->ki_due_ns;
    due_ns += std::int64_t(share * double(spec_.jitter_ns + 1));
    first_ns = std::min(first_ns, due_ns);
  }
  return first_ns;
}

void InterruptCpu::remove(Kiocb* req) {
  const SpinLockGuard guard(lock_, LockSite::kDeviceQueue);
  req->ki_file_node.remove();
}

// From the end on, and past those that are due later.
void InterruptCpu::sort_in(ListNode& requests) {
  while (!requests.empty()) {
    ListNode* node = requests.get_next();
    node->remove();
    ListNode* before = waiting_.prev;
    const std::int64_t due_ns = kiocb_of_file_node(node)->ki_due_ns;
    while (before != &waiting_ && kiocb_of_file_node(before)->ki_due_ns > due_ns) {
      before = before->prev;
    }
    node->insert_after(before);
  }
}

std::size_t InterruptCpu::take_due(std::span<CompletedKiocb> due) {
  std::size_t count = 0;
  while (count < due.size() && !waiting_.empty()) {
    Kiocb* req = first();
    if (req->ki_due_ns > now_ns_) {
      now_ns_ = monotonic_ns();
      if (req->ki_due_ns > now_ns_) break;
    }
    req->ki_file_node.remove();
    // One that is being cancelled is left to its cancel function.
    if (spec_.cancel && !kiocb_clear_cancel_fn(req)) continue;
    due[count++] = {req, 0};
  }
  return count;
}

// At least one; 0 when the thread is to end.
std::size_t InterruptCpu::wait_for_due(std::span<CompletedKiocb> due) {
  for (;;) {
    if (!spec_.cancel) {
      if (const std::size_t count = take_due(due); count > 0) return count;
    }
    ListHead arrived;
    std::int64_t until_ns = 0;
    std::uint32_t seen = 0;
    {
      const SpinLockGuard guard(lock_, LockSite::kDeviceQueue);
      sleeps_until_ns_ = kAwake;
      arrived.take_all(arrived_);
      if (spec_.cancel) {
        sort_in(arrived);
        if (const std::size_t count = take_due(due); count > 0) return count;
      }
      if (arrived.empty()) {
        if (stopping_ && waiting_.empty()) return 0;
        until_ns = waiting_.empty() ? kForever : first()->ki_due_ns;
        sleeps_until_ns_ = until_ns;
        seen = doorbell_.load(std::memory_order_relaxed);
      }
    }
    if (until_ns > 0) futex_wait(&doorbell_, seen, until_ns);
    sort_in(arrived);
  }
}

std::int64_t InterruptCpu::result_of(const Kiocb& req) {
  if (spec_.error_rate > 0 &&
      unit_interval(draw(Draw::kError, number_, drawn_errors_++)) < spec_.error_rate) {
    return -EIO;
  }
  return req.ki_nbytes;
}

void InterruptCpu::serve() {
  pthread_setname_np(pthread_self(), "kioctx device");
  const ServiceThread counted;
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);  // a request is due when it is, not up to 50 us later
  std::vector<CompletedKiocb> due(spec_.coalesce);
  while (const std::size_t count = wait_for_due(due)) {
    const std::span<CompletedKiocb> done = std::span(due).first(count);
    for (CompletedKiocb& one : done) one.result = result_of(*one.req);
    if (spec_.coalesce == 1) {
      aio_complete(done[0].req, done[0].result);
    } else {
      aio_complete_batch(done);
    }
  }
}

constinit const FileOperations SimulatedDevice::kOperations{queue_request, queue_request};

SimulatedDevice::SimulatedDevice(const DeviceSpec& spec)
    : spec_(spec), cpus_(last_usable_cpus(spec.cpus)) {
  for (std::uint32_t i = 0; i < cpus_.size(); ++i) {
    interrupt_cpus_.push_back(std::make_unique<InterruptCpu>(spec_, i, cpus_[i]));
  }
}

std::uint32_t SimulatedDevice::install(FileTable& table) {
  return table.install(kOperations, this);
}

std::int64_t SimulatedDevice::queue_request(Kiocb* req) {
  Plug::plug_or_issue(req, issue);
  return -kEIocbQueued;
}

// As a device has a queue per CPU, or per a few.
void SimulatedDevice::issue(File* file, ListNode& requests) {
  const auto& queues = static_cast<SimulatedDevice*>(file->private_data)->interrupt_cpus_;
  queues[unsigned(sched_getcpu()) % queues.size()]->add(requests);
}

// The request waits, or its interrupt took it out and found it being cancelled. Both are decided
// under the queue's lock.
void SimulatedDevice::cancel(Kiocb* req) {
  const auto& queues = static_cast<SimulatedDevice*>(req->ki_filp->private_data)->interrupt_cpus_;
  queues[req->ki_file_queue]->remove(req);
  aio_complete(req, -ECANCELED);
}

std::shared_ptr<SimulatedDevice> device_of(const DeviceSpec& spec) {
  static std::mutex mutex;
  static std::map<DeviceSpec, std::weak_ptr<SimulatedDevice>> devices;  // guarded by mutex
  const std::lock_guard guard(mutex);
  std::erase_if(devices, [](const auto& known) { return known.second.expired(); });
  if (const auto known = devices.find(spec); known != devices.end()) {
    if (auto device = known->second.lock()) return device;
  }
  auto device = std::make_shared<SimulatedDevice>(spec);
  devices[spec] = device;
  return device;
}

}  // namespace aioscope::kioctx
