#include "bench/measure/profile/layer_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/measure/symbols/symbols.h"
#include "tests/bench/mutate.h"

namespace aioscope {
namespace {

using ::testing::HasSubstr;

// Frames written as "k:NAME" and "u:NAME" or "u:OBJECT!NAME", from the sampled one outwards.
std::string_view layer_name(const LayerRules& rules, const std::vector<std::string>& stack) {
  std::vector<LayerRules::MatchedFrame> matched;
  for (const std::string& text : stack) {
    const bool kernel = text.starts_with("k:");
    std::string object = kernel ? "kernel" : "aioscope";
    std::string name = text.substr(2);
    if (const std::size_t bang = name.find('!'); bang != std::string::npos) {
      object = name.substr(0, bang);
      name = name.substr(bang + 1);
    }
    const std::string plain = kernel ? std::string(without_suffix(name)) : short_name(name);
    matched.push_back({rules.match({kernel, name, plain, object}), kernel});
  }
  return kLayerNames[rules.layer_of(matched)];
}

std::string_view builtin_layer(const std::vector<std::string>& stack) {
  static const LayerRules rules = LayerRules::builtin();
  return layer_name(rules, stack);
}

TEST(Glob, StarsStandForAnyText) {
  EXPECT_TRUE(glob_matches("a*c", "abbc"));
  EXPECT_TRUE(glob_matches("*a*b", "xaxbxab"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("aio_*", "aio_"));
  EXPECT_FALSE(glob_matches("a*c", "abcd"));
  EXPECT_FALSE(glob_matches("aio", "aio_read"));
  EXPECT_FALSE(glob_matches("", "x"));
  EXPECT_EQ(without_suffix("finish_task_switch.isra.0"), "finish_task_switch");
  EXPECT_EQ(without_suffix("do_syscall_64"), "do_syscall_64");
}

TEST(Glob, ManyStarsDoNotExplode) {
  EXPECT_FALSE(glob_matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

// Stacks as the kernel and the drivers make them, and the layer that pays.
struct Case {
  std::vector<std::string> stack;
  std::string_view layer;
};

const std::string kSyscall = "k:entry_SYSCALL_64_after_hwframe";
const std::string kSubmit =
    "u:aioscope::(anonymous namespace)::LibaioContext::submit(std::span<aioscope::Request const, "
    "18446744073709551615ul>)";
const std::string kReap =
    "u:aioscope::(anonymous namespace)::SharedRing::reap(std::span<aioscope::Completion, "
    "18446744073709551615ul>, unsigned long, aioscope::Deadline)";
const std::string kSharedSubmit =
    "u:aioscope::(anonymous namespace)::SharedRing::submit(std::span<aioscope::Request const, "
    "18446744073709551615ul>)";
const std::string kOtherReap =
    "u:mine::Queue::reap(std::span<aioscope::Completion, 18446744073709551615ul>, unsigned long, "
    "aioscope::Deadline)";
const std::string kRun = "u:aioscope::run_thread(aioscope::Rig&, unsigned int)";
const std::string kEngine = "u:aioscope::kioctx::Kioctx<aioscope::kioctx::Stage{}>::do_io_submit()";

TEST(BuiltinRules, KernelStacks) {
  const Case cases[] = {
      {{"k:io_submit_one", "k:do_syscall_64", kSyscall, "u:libc.so.6!syscall"}, "aio core"},
      {{"k:_raw_spin_unlock_irqrestore", "k:aio_complete", "k:io_submit_one", kSyscall},
       "aio core"},
      {{"k:native_queued_spin_lock_slowpath", "k:_raw_spin_lock_irqsave", "k:aio_complete",
        "k:io_submit_one", kSyscall},
       "aio lock wait"},
      {{"k:osq_lock", "k:__mutex_lock.constprop.0", "k:aio_read_events_ring", kSyscall},
       "aio lock wait"},
      {{"k:mutex_lock", "k:__do_sys_io_uring_enter", kSyscall}, "io_uring lock wait"},
      {{"k:_raw_spin_lock", "k:try_to_wake_up", "k:io_cqring_wait"}, "scheduler"},
      {{"k:finish_task_switch.isra.0", "k:__schedule", "k:schedule_preempt_disabled",
        "k:__mutex_lock.constprop.0", "k:aio_read_events_ring", kSyscall},
       "aio lock wait"},
      {{"k:_raw_spin_lock", "k:raw_spin_rq_lock_nested", "k:__schedule", "k:__mutex_lock",
        "k:__do_sys_io_uring_enter"},
       "io_uring lock wait"},
      {{"k:__schedule", "k:rwsem_down_read_slowpath", "k:down_read", "k:ext4_iget"}, "file system"},
      {{"k:__schedule", "k:preempt_schedule_irq", "k:asm_sysvec_apic_timer_interrupt",
        "k:mutex_lock", "k:aio_read_events_ring"},
       "scheduler"},
      {{"k:kmem_cache_alloc_noprof", "k:io_submit_one", kSyscall}, "aio core"},
      {{"k:fget", "k:io_submit_one", kSyscall}, "file system"},
      {{"k:rep_movs_alternative", "k:_copy_to_iter", "k:filemap_read", "k:ext4_file_read_iter"},
       "memory copy"},
      {{"k:rep_movs_alternative", "k:_copy_from_user", "k:io_submit_one"}, "aio core"},
      {{"k:read_iter_zero", "k:aio_read", "k:io_submit_one"}, "device"},
      {{"k:iov_iter_zero", "k:read_iter_zero", "k:aio_read"}, "memory copy"},
      {{"k:__io_read", "k:io_read", "k:io_submit_sqes"}, "io_uring core"},
      {{"k:io_schedule_timeout", "k:io_cqring_wait"}, "scheduler"},
      {{"k:iowrite16", "k:vp_notify", "k:virtqueue_notify", "k:blk_mq_submit_bio"}, "device"},
      {{"k:gup_fast_fallback", "k:bio_iov_iter_get_pages", "k:iomap_dio_bio_iter"}, "block layer"},
      {{"k:iomap_dio_bio_iter", "k:__iomap_dio_rw", "k:ext4_file_read_iter"}, "file system"},
      {{"k:finish_task_switch.isra.0", "k:__schedule", "k:read_events"}, "scheduler"},
      {{"k:asm_sysvec_apic_timer_interrupt", "u:aioscope!aioscope::Lane::prepare()"}, "interrupt"},
      {{"k:perf_swevent_event", "k:perf_tp_event", "k:perf_syscall_enter", "k:syscall_trace_enter",
        "k:do_syscall_64"},
       "instrument"},
      {{"k:native_write_msr", "k:x86_pmu_enable", "k:__perf_event_task_sched_in",
        "k:finish_task_switch.isra.0", "k:__schedule"},
       "instrument"},
      {{"k:__traceiter_contention_begin", "k:native_queued_spin_lock_slowpath", "k:aio_complete"},
       "instrument"},
      {{"k:aio_complete_rw", "k:blk_mq_end_request", "k:asm_common_interrupt", "k:ext4_iget"},
       "aio core"},
      {{"k:do_syscall_64", kSyscall, "u:libc.so.6!syscall"}, "system call"},
      {{"k:strange_function", "k:do_syscall_64", kSyscall, kSubmit}, "unmatched"},
  };
  for (const auto& [stack, layer] : cases) EXPECT_EQ(builtin_layer(stack), layer) << stack[0];
}

TEST(BuiltinRules, UserStacks) {
  const Case cases[] = {
      {{kRun}, "harness"},
      {{"u:aioscope::Lane::prepare()", kRun}, "harness"},
      {{"u:[vdso]!__vdso_clock_gettime", "u:libc.so.6!clock_gettime", kRun}, "harness"},
      {{kSubmit, kRun}, "driver library"},
      {{"u:aioscope::AioQueue::prepare(int)", kSubmit, kRun}, "driver library"},
      {{"u:libaio.so.1.0.1!io_submit"}, "driver library"},
      {{"u:mine.so!Ring::push()", kSubmit, kRun}, "driver library"},
      {{"u:libc.so.6!syscall", kSubmit, kRun}, "system call"},
      {{"u:libc.so.6!preadv64v2"}, "system call"},
      {{"u:libc.so.6!__memset_avx512_unaligned_erms", kEngine}, "memory copy"},
      {{kEngine, kSubmit, kRun}, "aio core"},
      {{"u:_urcu_memb_read_unlock", kEngine, kSubmit}, "aio core"},
      {{"u:aioscope::kioctx::SpinLock::lock(aioscope::kioctx::LockSite)", kEngine},
       "aio lock wait"},
      {{"u:aioscope::kioctx::Kioctx<aioscope::kioctx::Stage{true, false}>::lock_tail()", kEngine},
       "aio lock wait"},
      {{"u:libc.so.6!pthread_mutex_lock@@GLIBC_2.2.5",
        "u:aioscope::CountedMutex::lock(aioscope::RingSite)", kReap},
       "io_uring lock wait"},
      {{"u:libc.so.6!pthread_mutex_lock@@GLIBC_2.2.5", kSharedSubmit, kRun}, "io_uring lock wait"},
      {{"u:libc.so.6!pthread_mutex_lock@@GLIBC_2.2.5", "u:aioscope::enter_and_take<int>()", kReap},
       "io_uring lock wait"},
      {{"u:libc.so.6!pthread_mutex_unlock@@GLIBC_2.2.5", kSharedSubmit, kRun}, "driver library"},
      {{"u:libc.so.6!pthread_mutex_lock@@GLIBC_2.2.5", kOtherReap, kRun}, "driver library"},
      {{"u:libc.so.6!malloc"}, "unmatched"},
      {{"u:"}, "unmatched"},
  };
  for (const auto& [stack, layer] : cases) EXPECT_EQ(builtin_layer(stack), layer) << stack[0];
}

// A futex is the caller's: what it waits for decides.
TEST(BuiltinRules, FutexOfALockAndOfASleeper) {
  const std::vector<std::string> futex{"k:futex_wait_setup", "k:__futex_wait", "k:do_syscall_64",
                                       kSyscall, "u:libc.so.6!syscall"};
  const auto under = [&](const std::vector<std::string>& callers) {
    std::vector<std::string> stack = futex;
    stack.insert(stack.end(), callers.begin(), callers.end());
    return builtin_layer(stack);
  };
  EXPECT_EQ(
      under({"u:aioscope::kioctx::futex_wait(void*, unsigned int, long)",
             "u:aioscope::kioctx::SpinLock::lock_contended(aioscope::kioctx::LockSite)", kEngine}),
      "aio lock wait");
  EXPECT_EQ(under({"u:aioscope::kioctx::futex_wait(void*, unsigned int, long)",
                   "u:aioscope::kioctx::WaitQueueHead::schedule()", kEngine}),
            "aio core");
  EXPECT_EQ(under({"u:libc.so.6!__GI___lll_lock_wait",
                   "u:aioscope::CountedMutex::lock(aioscope::RingSite)", kReap}),
            "io_uring lock wait");
  EXPECT_EQ(under({"u:aioscope::Parker::park(long)", kRun}), "harness");
}

// Stacks as the kernel delivers them: what called a function of the C library is missing. The CPU
// time of sleeping for a lock is the lock's, that of being preempted is not.
TEST(BuiltinRules, SleepingForALockBelongsToIt) {
  const std::vector<std::string> wait{"u:libc.so.6!__GI___lll_lock_wait", kSharedSubmit, kRun};
  const std::vector<std::string> system_call{"k:do_syscall_64", kSyscall};
  const std::vector<std::string> futex{"k:futex_wait", "k:do_futex", "k:__x64_sys_futex",
                                       "k:do_syscall_64", kSyscall};
  const auto layer = [](std::initializer_list<std::vector<std::string>> parts) {
    std::vector<std::string> stack;
    for (const auto& part : parts) stack.insert(stack.end(), part.begin(), part.end());
    return builtin_layer(stack);
  };
  const std::vector<std::string> asleep{"k:finish_task_switch.isra.0", "k:__schedule", "k:schedule",
                                        "k:futex_do_wait"};
  EXPECT_EQ(layer({wait}), "io_uring lock wait");
  EXPECT_EQ(layer({system_call, wait}), "io_uring lock wait");
  EXPECT_EQ(layer({futex, wait}), "io_uring lock wait");
  EXPECT_EQ(layer({asleep, futex, wait}), "io_uring lock wait");
  EXPECT_EQ(layer({{"k:__schedule", "k:exit_to_user_mode_loop"}, system_call, wait}), "scheduler");
  EXPECT_EQ(layer({{"k:perf_tp_event", "k:syscall_trace_enter"}, system_call, wait}), "instrument");

  const std::vector<std::string> spin_lock{
      "u:libc.so.6!syscall", "u:aioscope::kioctx::futex_wait(void*, unsigned int, long)",
      "u:aioscope::kioctx::SpinLock::lock_contended(aioscope::kioctx::LockSite)", kEngine};
  EXPECT_EQ(layer({asleep, futex, spin_lock}), "aio lock wait");
  EXPECT_EQ(layer({spin_lock}), "aio lock wait");
  const std::vector<std::string> sleeper{
      "u:libc.so.6!syscall", "u:aioscope::kioctx::futex_wait(void*, unsigned int, long)",
      "u:aioscope::kioctx::WaitQueueHead::schedule()", kEngine};
  EXPECT_EQ(layer({asleep, futex, sleeper}), "scheduler");
  EXPECT_EQ(layer({sleeper}), "system call");
  EXPECT_EQ(layer({asleep, futex, {"u:libc.so.6!syscall", kRun}}), "scheduler");
  // Waking the next one is letting go.
  EXPECT_EQ(layer({{"k:try_to_wake_up", "k:wake_up_q", "k:futex_wake"},
                   futex,
                   {"u:libc.so.6!__GI___lll_lock_wake", kRun}}),
            "scheduler");
  // Whose lock it is, no rule knows.
  EXPECT_EQ(layer({asleep, futex, {"u:libc.so.6!__GI___lll_lock_wait"}}), "scheduler");
}

TEST(BuiltinRules, WhatAThreadOffTheCpuWaitsFor) {
  static const LayerRules rules = LayerRules::builtin();
  const auto wait = [&](const std::vector<std::pair<bool, std::string>>& stack) {
    std::vector<LayerRules::MatchedFrame> matched;
    for (const auto& [kernel, name] : stack) {
      const std::string plain = kernel ? name : short_name(name);
      matched.push_back({rules.match({kernel, name, plain, ""}), kernel});
    }
    return LayerRules::wait_of(matched);
  };
  using enum LayerRules::Wait;
  const std::pair<bool, std::string> schedule{true, "schedule"}, futex{true, "futex_wait"};
  const std::pair<bool, std::string> run{false, kRun.substr(2)}, reap{false, kReap.substr(2)};
  EXPECT_EQ(wait({schedule, {true, "read_events"}, {false, "syscall"}, run}), kCompletions);
  EXPECT_EQ(wait({schedule, futex, {false, "__GI___lll_lock_wait"}, reap, run}), kLock);
  EXPECT_EQ(wait({schedule, futex, {false, "pthread_cond_wait"}, reap, run}), kCompletions);
  EXPECT_EQ(wait({schedule, {true, "rwsem_down_read_slowpath"}, {true, "ext4_iget"}}), kLock);
  EXPECT_EQ(wait({schedule, futex, {false, "syscall"}, {false, "somebody"}}), kOther);
  EXPECT_EQ(wait({}), kOther);
}

TEST(LayerRules, EarlierRulesAndFilesWin) {
  LayerRules rules = LayerRules::parse(
      "[[rule]]\nlayer = \"device\"\nfunctions = [\"my_*\"]\n"
      "[[rule]]\nlayer = \"other\"\nfunctions = [\"my_file\"]\n",
      "a.toml");
  EXPECT_EQ(layer_name(rules, {"u:my_file"}), "device");
  rules.prepend(
      LayerRules::parse("[[rule]]\nlayer = \"file system\"\nfunctions = [\"my_file\"]\n"
                        "[[rule]]\nlock = true\nfunctions = [\"my_lock\"]\n"
                        "[lock-wait]\ndevice = \"aio lock wait\"\n",
                        "b.toml"));
  EXPECT_EQ(layer_name(rules, {"u:my_file"}), "file system");
  EXPECT_EQ(layer_name(rules, {"u:my_lock", "u:my_disk"}), "aio lock wait");
  EXPECT_EQ(layer_name(rules, {"u:my_lock", "u:my_file"}), "file system");
}

TEST(LayerRules, LeafSpaceAndObject) {
  const LayerRules rules = LayerRules::parse(R"(
[[rule]]
layer = "system call"
leaf = true
functions = ["enter"]
[[rule]]
layer = "driver library"
objects = ["libmine*"]
[[rule]]
layer = "device"
space = "kernel"
functions = ["work"]
[[rule]]
layer = "harness"
fallback = true
functions = ["main"]
)",
                                             "x.toml");
  EXPECT_EQ(layer_name(rules, {"k:enter"}), "system call");
  EXPECT_EQ(layer_name(rules, {"k:inner", "k:enter"}), "unmatched");
  EXPECT_EQ(layer_name(rules, {"u:libmine.so!anything"}), "driver library");
  EXPECT_EQ(layer_name(rules, {"k:work"}), "device");
  EXPECT_EQ(layer_name(rules, {"u:work"}), "unmatched");
  EXPECT_EQ(layer_name(rules, {"u:main", "u:libmine.so!run"}), "driver library");
  EXPECT_EQ(layer_name(rules, {"u:main", "u:start"}), "harness");
}

TEST(LayerRules, ErrorsNameTheLineAndTheCure) {
  const auto error_of = [](const std::string& text) -> std::string {
    try {
      LayerRules::parse(text, "mine.toml");
    } catch (const LayerRulesError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"aio\"\nfunctions = [\"x\"]\n"),
              HasSubstr("mine.toml:2: unknown layer 'aio'; layers are harness, driver library"));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"unmatched\"\nfunctions = [\"x\"]\n"),
              HasSubstr("unknown layer"));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"other\"\n"), HasSubstr("would fit every frame"));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"other\"\nlock = true\nfunctions = [\"x\"]\n"),
              HasSubstr("has one of"));
  EXPECT_THAT(error_of("[[rule]]\nfunctions = [\"x\"]\n"), HasSubstr("has one of"));
  EXPECT_THAT(error_of("[[rule]]\nlock = true\nunless-lock = true\nfunctions = [\"x\"]\n"),
              HasSubstr("unless-lock and lock-wait need a layer"));
  EXPECT_THAT(error_of("[[rule]]\ncaller = true\nlock-wait = \"other\"\nfunctions = [\"x\"]\n"),
              HasSubstr("unless-lock and lock-wait need a layer"));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"other\"\nfallback = true\nunless-lock = true\n"
                       "functions = [\"x\"]\n"),
              HasSubstr("exclude each other"));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"other\"\nfunction = [\"x\"]\n"),
              HasSubstr("mine.toml:3: unknown key 'function'"));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"other\"\nfunctions = [\"\"]\n"),
              HasSubstr("empty pattern"));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"other\"\nfunctions = []\n"), HasSubstr("not a list"));
  EXPECT_THAT(error_of("[[rule]]\nlayer = \"other\"\nspace = \"both\"\nfunctions = [\"x\"]\n"),
              HasSubstr("neither kernel nor user"));
  EXPECT_THAT(error_of("[[rule]\n"), HasSubstr("mine.toml:1: "));
  EXPECT_THAT(error_of("[[wait]]\nfor = \"me\"\nfunctions = [\"x\"]\n"),
              HasSubstr("neither completions nor other"));
  EXPECT_THAT(error_of("[[wait]]\nfunctions = [\"x\"]\n"), HasSubstr("a wait needs for"));
  EXPECT_THAT(error_of("[[wait]]\nfor = \"other\"\nleaf = true\n"),
              HasSubstr("unknown key 'leaf'"));
  EXPECT_THAT(error_of("[[wait]]\nfor = \"other\"\n"), HasSubstr("would fit every frame"));
  EXPECT_THAT(error_of("wait = 1\n"), HasSubstr("write waits as"));
  EXPECT_THAT(error_of("layers = 3\n"), HasSubstr("unknown key 'layers'"));
  EXPECT_THAT(error_of("[lock-wait]\n\"aio core\" = 3\n"), HasSubstr("is not a text"));
}

// Whatever is in the file: rules, or an error that names the file.
TEST(LayerRules, SurvivesMutants) {
  constexpr std::string_view kSeed = R"([lock-wait]
"aio core" = "aio lock wait"
[[rule]]
lock = true
space = "kernel"
functions = ["*queued_spin_lock_slowpath", "_raw_spin_lock*"]
[[rule]]
layer = "driver library"
leaf = true
objects = ["libaio.so*"]
[[rule]]
layer = "harness"
fallback = true
functions = ["aioscope::*"]
[[wait]]
for = "completions"
functions = ["read_events"]
)";
  int good = 0, bad = 0;
  for_each_mutant(kSeed, 3000, [&](const std::string& text) {
    try {
      const LayerRules rules = LayerRules::parse(text, "mutant.toml");
      layer_name(rules, {"k:_raw_spin_lock", "k:aio_read", "u:libaio.so.1!io_submit", kRun});
      ++good;
    } catch (const LayerRulesError& error) {
      EXPECT_THAT(error.what(), ::testing::StartsWith("mutant.toml:"));
      ++bad;
    }
  });
  EXPECT_GT(good, 30);
  EXPECT_GT(bad, 1000);
}

}  // namespace
}  // namespace aioscope
