#include "tests/bench/result_sample.h"

#include <nlohmann/json.hpp>

namespace aioscope {

RunDescription sample_run() {
  RunDescription run;
  run.command = {"aioscope", "run", "--driver", "libaio,null", "-o", "golden.jsonl"};
  run.options_json = R"({"suite": ""})";
  run.seed = 42;
  run.repetitions = 2;
  run.warmup_ns = 100'000'000;
  run.window_ns = 500'000'000;
  run.pin = "none";
  run.looking =
      R"([{"instrument": "counters", "with": "default", "price": {"instrument": "counters",)"
      R"( "with": "default", "measured_realtime_ns": 1700000000000000000, "rows": [{"row": "a",)"
      R"( "slow_down": 0.004, "slow_down_low": -0.001, "slow_down_high": 0.009, "pairs": 21}]},)"
      R"( "reason": ""}, {"instrument": "profile", "with": "1000 Hz", "price": null,)"
      R"( "reason": "not measured on this host: aioscope run --suite self-cost"}])";
  Row row;
  row.driver = "libaio";
  row.workload = Workload::kShared;
  row.target = {.kind = FileKind::kFile, .path = "/data/test.dat"};
  row.submitters = 4;
  row.block_size = 4096;
  Row price = row;
  price.driver = "null";
  price.target = {};
  Row skipped = row;
  skipped.driver = "io_uring";
  run.rows = {{.row = row, .price_row = 1, .command = "aioscope run --driver libaio"},
              {.row = price, .price_only = true, .command = "aioscope run --driver null"},
              {.row = skipped, .price_row = 1, .command = "aioscope run --driver io_uring"}};
  return run;
}

namespace {

void add_counts(Measurement& m) {
  m.counters = {{.name = "task-clock",
                 .in_ns = true,
                 .value = 320'000'000,
                 .per_op = 8000,
                 .enabled_ns = 400'000'000,
                 .running_ns = 400'000'000},
                {.name = "cache-misses:k",
                 .value = 20'000,
                 .per_op = 0.5,
                 .enabled_ns = 400'000'000,
                 .running_ns = 100'000'000,
                 .scaled = true},
                {.name = "lock:contention_begin", .reason = "tracefs is not mounted"}};
  m.driver_counts = {.operations = 40'000,
                     .lock_sites = {{.site = "queue/submit",
                                     .acquisitions = 60'000,
                                     .contended = 400,
                                     .wait_ns = 80'000,
                                     .times = {.p50_ns = 127, .max_ns = 8'191}},
                                    {.site = "queue/reap", .acquisitions = 20'000, .times = {}}},
                     .shared_rmw = 100'000,
                     .allocations = 0};
}

void add_profile(Measurement& m) {
  ProfileMeasurement& profile = m.profile.emplace();
  profile.event = "cpu-clock";
  profile.scope = "cpus";
  profile.kernel_sampled = true;
  profile.frequency_hz = 999;
  profile.samples = 500;
  profile.lost = 2;
  profile.duration_ns = 500'000'000;
  profile.threads = {{"submitter 0", false, 390}, {"iou-wrk-123", true, 110}};
  profile.threads_missed = {"iou-wrk-123"};
  profile.layers = {{layer_id("aio core"), 0, 300},
                    {layer_id("aio lock wait"), 0, 100},
                    {layer_id("harness"), 90, 0},
                    {kUnmatched, 4, 6}};
  profile.stacks = {
      {{"aioscope::run_thread", "syscall", "io_submit_one_[k]"}, layer_id("aio core"), 300}};
  profile.rest_samples = 200;
  profile.moved = {{layer_id("aio core"), layer_id("aio lock wait"), 30}};
  profile.unmatched = {{"strange_[k]", 6}, {"[libmine.so]", 4}};
  OffCpuMeasurement& off_cpu = m.off_cpu.emplace();
  off_cpu.source = "sched:sched_switch";
  off_cpu.window_ns = 500'000'000;
  off_cpu.stacks = 120;
  off_cpu.threads = {
      {"submitter 0", false, 4'000, 30'000'000, 20'000'000, 50'000, 50'050'000, 7'000'000}};
  off_cpu.threads.push_back({.name = "iou-wrk-123", .of_driver = true, .switches = 1});
}

void add_lock_waits(Measurement& m) {
  m.kernel_locks = LockWaits{.source = "lock:contention_begin",
                             .operations = 40'000,
                             .events = 520,
                             .unfinished = 1,
                             .recording_ns = 2'100,
                             .sites = {{.site = "aio_complete",
                                        .layer = "aio lock wait",
                                        .kind = "spin",
                                        .contended = 500,
                                        .wait_ns = 1'500'000,
                                        .wait_ns_p50 = 900,
                                        .wait_ns_max = 60'000}}};
  m.futex_waits = LockWaits{.reason = "tracefs is not mounted"};
}

void add_threads(Measurement& m) {
  ThreadMeasurement submitter;
  submitter.role = ThreadRole::kSubmitter;
  submitter.operations = 10'000;
  submitter.submit_calls = 9'000;
  submitter.short_submits = 3;
  submitter.user_ns = 5'000'000;
  submitter.system_ns = 70'000'000;
  submitter.voluntary_switches = 7'000;
  submitter.migrations = 4;
  submitter.driver_system_calls = 9'000;
  ThreadMeasurement reaper;
  reaper.role = ThreadRole::kReaper;
  reaper.cpu = 1;
  reaper.operations = 40'000;
  reaper.reap_calls = 20'000;
  m.thread = {submitter, reaper};
}

}  // namespace

Measurement sample_measurement() {
  Measurement m;
  m.setup = "io_getevents nr=512";
  m.threads = 5;
  m.oversubscribed = true;
  m.start_realtime_ns = 1'700'000'001'000'000'000;
  m.window_ns = 500'000'000;
  m.operations = 40'000;
  m.failed_operations = 40;
  m.bytes = 40'000 * 4096ull;
  m.operations_per_s = 80'000;
  m.slice_ns = 100'000'000;
  m.slices_ops_per_s = {79'000, 81'000, 80'000, 80'000, 80'000};
  m.drift = 0.00625;
  m.fairness_jain = 0.998;
  m.fairness_min_max = 0.9;
  for (std::uint64_t i = 0; i < 40'000; ++i) m.latency.record(1'000'000 + i * 50);
  m.latency_mode = "full";
  m.latency_split = {.submit_call_ns_per_op = 150.5,
                     .in_flight_ns_per_op = 1'990'000,
                     .reap_call_ns_per_op = 90.25,
                     .calls_timed = 22'000};
  m.cpu_user_ns_per_op = 512.5;
  m.cpu_system_ns_per_op = 8000;
  m.context_switches_per_op = 0.75;
  m.voluntary_switches_per_op = 0.7;
  m.faults_per_op = 0;
  m.migrations_per_op = 0.001;
  m.system_calls_per_op = 1.25;
  m.harness_system_calls_per_op = 0.5;
  m.system_calls_source = "driver";
  m.system_calls_reason = "tracefs is not mounted";
  add_counts(m);
  add_profile(m);
  add_lock_waits(m);
  add_threads(m);
  m.submitted = 60'000;
  m.completed = 60'000;
  m.warnings = {"a warning"};
  return m;
}

void write_sample(const std::string& path) {
  const RunDescription run = sample_run();
  ResultWriter writer(path);
  writer.header(run,
                {{"name", "host"},
                 {"kernel", "6.1.0"},
                 {"machine", "x86_64"},
                 {"cpu_model", "Model"},
                 {"cpu_mhz", 2600},
                 {"cpus_online", 2},
                 {"cpus_usable", 2}},
                nlohmann::ordered_json::array({{{"target", "file:/data/test.dat"},
                                                {"label", "file:test.dat"},
                                                {"file_system", "ext4"},
                                                {"device", "/dev/vda"},
                                                {"size_bytes", 268435456}}}));
  writer.skipped(2, run.rows[2].row.name(), "io_uring_setup: EPERM",
                 "sysctl -w kernel.io_uring_disabled=0");
  writer.repetition(0, run.rows[0].row.name(), 0, 0, 42, sample_measurement());
  writer.repetition(1, run.rows[1].row.name(), 0, 1, 42, sample_measurement());
  writer.failed(0, run.rows[0].row.name(), 1, 2, FailureKind::kRuntime, "an operation failed: EIO");
  writer.finish(true, "");
}

}  // namespace aioscope
