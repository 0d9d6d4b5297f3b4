#include "bench/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <new>
#include <set>

#include "bench/options.h"
#include "bench/values.h"
#include "tests/bench/fake_root.h"

namespace aioscope {
namespace {

// Notes what it is told, a line each.
class Notes final : public SessionSink {
 public:
  void skipped(const PlannedRow& row) override { lines.push_back("skipped " + row.row.driver); }
  void measured(const PlannedRow& row, const PlanItem& item, std::size_t position,
                const RunSettings& settings, const Measurement& measurement) override {
    lines.push_back("measured " + row.row.driver);
    positions.push_back(position);
    items.push_back(item);
    last_settings = settings;
    operations += measurement.operations;
  }
  void failed(const PlannedRow& row, const PlanItem&, std::size_t, Failure failure,
              const std::string& message) override {
    lines.push_back((failure == Failure::kInvalid ? "invalid " : "failed ") + row.row.driver +
                    ": " + message);
  }
  void abandon(const PlannedRow&, const PlanItem&, std::size_t,
               const std::string& message) override {
    std::fprintf(stderr, "abandoned: %s\n", message.c_str());
  }

  std::size_t count(const std::string& line) const {
    return std::size_t(std::ranges::count(lines, line));
  }

  std::vector<std::string> lines;
  std::vector<std::size_t> positions;
  std::vector<PlanItem> items;
  RunSettings last_settings;
  std::uint64_t operations = 0;
};

class Sessions : public testing::Test {
 protected:
  Sessions() {
    RowOptions rows;
    rows.drivers = {"null", "libaio"};
    request_.run.rows = rows;
    request_.run.repetitions = 3;
    request_.run.no_harness_price = true;
    request_.run.seed = 100;
    request_.parts = {rows};
    topology_.cpus = {{.id = 0}, {.id = 1, .core = 1}};
  }

  int run(
      const RepetitionRunner& runner,
      const Probe& probe = [](const Driver&) { return Availability{}; }) {
    const Plan plan = make_plan(request_, registry_, probe);
    Progress progress({.write = [this](std::string_view text) { talk_ += text; },
                       .now_ns = [] { return std::int64_t{0}; }},
                      plan.order.size(), 1);
    return run_session(plan, request_.run, topology_, stop_, notes_, progress, runner);
  }

  static Measurement measurement() {
    Measurement result;
    result.operations = 1;
    return result;
  }

  Registry registry_;
  RunRequest request_;
  Topology topology_;
  std::atomic<bool> stop_{false};
  Notes notes_;
  std::string talk_;
};

TEST_F(Sessions, MeasureEveryItemOfThePlanInItsOrder) {
  const int code = run([](const Driver& driver, const Row& row, auto&&...) {
    EXPECT_EQ(driver.name, row.driver);
    return measurement();
  });
  EXPECT_EQ(code, kExitOk);
  EXPECT_EQ(notes_.count("measured null"), 3u);
  EXPECT_EQ(notes_.count("measured libaio"), 3u);
  EXPECT_EQ(notes_.positions, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(notes_.operations, 6u);
}

TEST_F(Sessions, HandOverPlacementAndTimes) {
  request_.run.pin = *parse_pinning("1");
  request_.run.warmup_ns = 7;
  request_.run.duration_ns = 8;
  request_.run.watchdog_ns = 9;
  request_.run.no_tracepoints = true;
  std::map<std::uint32_t, std::set<std::uint64_t>> seeds;
  run([&](const Driver&, const Row&, const RunSettings& settings, auto&&...) {
    seeds[std::uint32_t(settings.seed - 100)].insert(settings.seed);
    return measurement();
  });
  const RunSettings& settings = notes_.last_settings;
  EXPECT_EQ(settings.cpus, (std::vector<int>{1}));
  EXPECT_EQ(settings.usable_cpus, 1u);
  EXPECT_EQ(settings.warmup_ns, 7);
  EXPECT_EQ(settings.window_ns, 8);
  EXPECT_EQ(settings.watchdog_ns, 9);
  EXPECT_FALSE(settings.trace_system_calls);
  EXPECT_EQ(seeds.size(), 3u);  // one per round, the same for both rows
}

TEST_F(Sessions, AFailingRowIsToldOnceAndTheOthersGoOn) {
  const int code = run([](const Driver& driver, auto&&...) {
    if (driver.name == "libaio") throw RunError("disk on fire; put it out");
    return measurement();
  });
  EXPECT_EQ(code, kExitRuntime);
  EXPECT_EQ(notes_.count("failed libaio: disk on fire; put it out"), 1u);
  EXPECT_EQ(notes_.count("measured null"), 3u);
  EXPECT_EQ(notes_.lines.size(), 4u);
  EXPECT_NE(talk_.find("FAILED libaio/"), std::string::npos);
}

TEST_F(Sessions, ASetUpErrorInMidRunIsAFailureToo) {
  EXPECT_EQ(run([](const Driver& driver, auto&&...) {
              if (driver.name == "libaio") throw SetupError("io_setup: EAGAIN");
              return measurement();
            }),
            kExitRuntime);
}

// A driver's, or one of the standard library's.
TEST_F(Sessions, AnyExceptionFailsItsRowAlone) {
  for (const bool typed : {true, false}) {
    const int code = run([&](const Driver& driver, auto&&...) {
      if (driver.name == "libaio" && typed) throw std::bad_alloc();
      if (driver.name == "libaio") throw 7;
      return measurement();
    });
    EXPECT_EQ(code, kExitRuntime);
  }
  EXPECT_EQ(notes_.count("measured null"), 6u);
  EXPECT_EQ(notes_.count("failed libaio: std::bad_alloc"), 1u);
  EXPECT_EQ(notes_.lines.size(), 8u);
}

TEST_F(Sessions, AnInvalidResultDecidesTheExitCode) {
  const int code = run([](const Driver& driver, auto&&...) -> Measurement {
    if (driver.name == "libaio") throw InvalidResult("tag 7 came twice");
    throw RunError("no");
  });
  EXPECT_EQ(code, kExitInvalid);
  EXPECT_EQ(notes_.count("invalid libaio: tag 7 came twice"), 1u);
}

TEST_F(Sessions, ARunOfSkippedRowsAloneIsInvalid) {
  const int code = run([](auto&&...) { return measurement(); },
                       [](const Driver&) -> Availability {
                         return {.usable = false, .reason = "not here", .cure = "elsewhere"};
                       });
  EXPECT_EQ(code, kExitInvalid);
  EXPECT_EQ(notes_.lines, (std::vector<std::string>{"skipped null", "skipped libaio"}));
  EXPECT_NE(talk_.find("not here; elsewhere"), std::string::npos);
}

TEST_F(Sessions, AnInterruptEndsTheRunWithoutTheShortenedRepetition) {
  int calls = 0;
  const int code = run([&](auto&&...) {
    if (++calls == 3) stop_ = true;
    return measurement();
  });
  EXPECT_EQ(code, kExitInterrupted);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(notes_.lines.size(), 2u);
}

TEST_F(Sessions, AHangNamesTheRowKeepsWhatCameAndEndsTheProcess) {
  const auto hang = [](const Driver&, const Row&, const RunSettings&, const std::atomic<bool>&,
                       const RowProgress&, const OnHang& on_hang) {
    on_hang("does not return");
    return measurement();
  };
  EXPECT_EXIT(run(hang), testing::ExitedWithCode(kExitRuntime),
              "abandoned: the driver hangs: (null|libaio)/per-thread/null/.* does not return");
}

TEST_F(Sessions, TargetsAreMadeOnceAndCheckedBeforeAnythingRuns) {
  const FakeRoot root;
  const std::string path = root.path() / "data";
  RowOptions& rows = request_.parts[0];
  rows.drivers = {"libaio", "io_uring"};
  rows.targets = {"file:" + path};
  rows.buffered = true;
  const auto plan = [&] {
    return make_plan(request_, registry_, [](const Driver&) { return Availability{}; });
  };
  EXPECT_THROW(prepare_targets(plan(), request_.run, stop_), RunError);
  request_.run.create_bytes = 8192;
  stop_ = true;
  EXPECT_THROW(prepare_targets(plan(), request_.run, stop_), RunError);
  EXPECT_TRUE(std::filesystem::is_empty(root.path()));  // no partial file either
  stop_ = false;
  prepare_targets(plan(), request_.run, stop_);
  EXPECT_EQ(std::filesystem::file_size(path), 8192u);
  prepare_targets(plan(), request_.run, stop_);  // nothing to do
  rows.block_sizes = {16384};
  EXPECT_THROW(prepare_targets(plan(), request_.run, stop_), RunError);
}

TEST(Pinning, ACpuThatCannotBeUsedIsNamedWithThoseThatCan) {
  Topology topology;
  topology.cpus = {{.id = 0}, {.id = 1}, {.id = 4}};
  EXPECT_NO_THROW(check_pinning(topology, *parse_pinning("0,4")));
  EXPECT_NO_THROW(check_pinning(topology, *parse_pinning("spread")));
  try {
    check_pinning(topology, *parse_pinning("0-2"));
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "--pin: CPU 2 cannot be used by this process; usable are 0-1,4");
  }
}

TEST(Counters, AreRequiredUnlessOptionalOrBestEffort) {
  RunOptions run;
  run.counters = {"context-switches:u"};
  Plan plan;
  plan.counters = counters_of(run);
  EXPECT_THROW(require_counters(plan, run), RunError);
  run.counters_best_effort = true;
  EXPECT_NO_THROW(require_counters(plan, run));
  run.counters_best_effort = false;
  plan.counters[0].optional = true;
  EXPECT_NO_THROW(require_counters(plan, run));
  run.counters = {"no-such-counter"};
  EXPECT_THROW(counters_of(run), UsageError);
}

}  // namespace
}  // namespace aioscope
