#include "tests/drivers/kioctx/proof/interrupts.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <stdexcept>
#include <utility>

namespace aioscope::kioctx {
namespace {

// Of the thread that is interrupted, handler included; atomics for the compiler alone.
std::function<void()> on_interrupt;
timer_t timer;
std::atomic<std::uint64_t> handled_so_far{0};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

void catch_signal(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;  // no SA_RESTART: a sleep ends
  if (sigaction(number, &action, nullptr) != 0) throw std::runtime_error("sigaction failed");
}

// After 5 to 36 us, never twice the same in a row, so that no instruction is always missed.
void arm() {
  const std::uint64_t turn = handled_so_far.load(std::memory_order_relaxed);
  itimerspec when{};
  when.it_value.tv_nsec = long(5'000 + turn * 7'919 % 31'000);
  timer_settime(timer, 0, &when, nullptr);
}

}  // namespace

Interrupts::Interrupts(std::function<void()> handler) {
  on_interrupt = std::move(handler);
  handled_so_far = 0;
  catch_signal(SIGUSR1, [](int) {
    on_interrupt();
    handled_so_far.fetch_add(1, std::memory_order_relaxed);
    arm();
  });
  sigevent to_this_thread{};
  to_this_thread.sigev_notify = SIGEV_THREAD_ID;
  to_this_thread.sigev_signo = SIGUSR1;
  to_this_thread._sigev_un._tid = gettid();
  if (timer_create(CLOCK_MONOTONIC, &to_this_thread, &timer) != 0) {
    throw std::runtime_error("timer_create failed");
  }
  arm();
}

Interrupts::~Interrupts() { stop(); }

std::uint64_t Interrupts::handled() const { return handled_so_far.load(std::memory_order_relaxed); }

std::uint64_t Interrupts::stop() {
  if (!std::exchange(stopped_, true)) {
    catch_signal(SIGUSR1, SIG_IGN);  // with what is pending
    timer_delete(timer);
  }
  return handled();
}

void interrupt(std::thread& thread) {
  catch_signal(SIGUSR2, [](int) {});
  pthread_kill(thread.native_handle(), SIGUSR2);
}

}  // namespace aioscope::kioctx
