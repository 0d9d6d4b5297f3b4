#include "tests/drivers/kioctx/proof/interrupts.h"

#include <signal.h>
#include <unistd.h>

#include <stdexcept>

#include "drivers/kioctx/barrier.h"

namespace aioscope::kioctx {
namespace {

constexpr int kPause = 50;  // a few microseconds, in which the thread gets on

// Read by the handler: set before the first signal is sent, and left when the last was handled.
std::function<void()> on_interrupt;
std::atomic<std::uint64_t> handled_so_far{0};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

void catch_signal(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;  // no SA_RESTART: a sleep ends
  if (sigaction(number, &action, nullptr) != 0) throw std::runtime_error("sigaction failed");
}

}  // namespace

Interrupts::Interrupts(std::function<void()> handler) {
  on_interrupt = std::move(handler);
  handled_so_far = 0;
  catch_signal(SIGUSR1, [](int) {
    on_interrupt();
    handled_so_far.fetch_add(1, std::memory_order_relaxed);
  });
  sender_ = std::thread(&Interrupts::send, this, pthread_self());
}

Interrupts::~Interrupts() { stop(); }

// The next one when the last was handled, so that the thread gets on with its work; a signal that
// is pending is not lost with the thread that sends it.
void Interrupts::send(pthread_t target) {
  std::uint64_t sent = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    pthread_kill(target, SIGUSR1);
    ++sent;
    while (handled_so_far.load(std::memory_order_relaxed) < sent) {
      if (stop_.load(std::memory_order_relaxed)) break;
    }
    for (int spin = 0; spin < kPause; ++spin) cpu_relax();
  }
}

std::uint64_t Interrupts::handled() const { return handled_so_far.load(std::memory_order_relaxed); }

std::uint64_t Interrupts::stop() {
  if (sender_.joinable()) {
    stop_ = true;
    sender_.join();
    usleep(1);  // a system call at the least: what is pending for this thread is delivered
    catch_signal(SIGUSR1, SIG_IGN);
  }
  return handled();
}

void interrupt(std::thread& thread) {
  catch_signal(SIGUSR2, [](int) {});
  pthread_kill(thread.native_handle(), SIGUSR2);
}

}  // namespace aioscope::kioctx
