#include "bench/suite.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bench/values.h"
#include "tests/bench/fake_root.h"

namespace aioscope {
namespace {

std::uint32_t profile_hz(const std::string& value) {
  RunOptions options;
  const Assignment profile{.option = find_run_option("profile"), .values = {value}, .where = "x"};
  apply_all(options, {&profile, 1});
  return options.profile_hz;
}

TEST(Settings, AProfileHasAFrequencyOrTheUsualOne) {
  EXPECT_EQ(profile_hz("true"), 999u);
  EXPECT_EQ(profile_hz("4999"), 4999u);
  EXPECT_EQ(profile_hz("false"), 0u);
  EXPECT_THROW(profile_hz("0"), UsageError);
  EXPECT_THROW(profile_hz("1000000"), UsageError);
  EXPECT_THROW(profile_hz("often"), UsageError);
}

// Writes a suite and resolves it under a command line of "key=value".
class SuiteFile {
 public:
  explicit SuiteFile(const std::string& text) { root_.write("suite.toml", text); }

  std::string path() const { return root_.path() / "suite.toml"; }

  RunRequest resolve(const std::vector<std::pair<std::string, std::string>>& command = {}) const {
    std::vector<Assignment> line{{find_run_option("suite"), {path()}, "--suite"}};
    for (const auto& [key, value] : command) {
      line.push_back({find_run_option(key), {value}, "--" + key});
    }
    return aioscope::resolve(line);
  }

  // Without the directory.
  std::string error() const {
    try {
      resolve();
    } catch (const UsageError& error) {
      const std::string text = error.what();
      const std::string directory = root_.path().string() + "/";
      const auto at = text.find(directory);
      return at == std::string::npos ? text : text.substr(at + directory.size());
    }
    return "no error";
  }

 private:
  FakeRoot root_;
};

using Numbers = std::vector<std::uint32_t>;

TEST(Suite, KeysAreTheOptionsInEveryNotation) {
  const SuiteFile suite(R"(
summary = "a test"
driver = ["libaio", "io_uring@*"]
workload = "shared,per-thread"
target = ["null", "file:/data/a,b"]
submitters = "1..8*2"
reapers = 2
depth = [1, "4..6"]
block-size = "4k"
verify = true
rate = 1.5
duration = 0.25
repetitions = 7
pin = "0,2"
)");
  const RunRequest request = suite.resolve();
  ASSERT_EQ(request.parts.size(), 1u);
  const RowOptions& rows = request.parts[0];
  EXPECT_EQ(rows.drivers, (std::vector<std::string>{"libaio", "io_uring@*"}));
  EXPECT_EQ(rows.workloads, (std::vector{Workload::kShared, Workload::kPerThread}));
  EXPECT_EQ(rows.targets, (std::vector<std::string>{"null", "file:/data/a,b"}));
  EXPECT_EQ(rows.submitters, (Numbers{1, 2, 4, 8}));
  EXPECT_EQ(rows.reapers, (Numbers{2}));
  EXPECT_EQ(rows.depths, (Numbers{1, 4, 5, 6}));
  EXPECT_EQ(rows.block_sizes, (Numbers{4096}));
  EXPECT_TRUE(rows.verify);
  EXPECT_DOUBLE_EQ(rows.rate_per_s, 1.5);
  EXPECT_EQ(request.run.duration_ns, 250'000'000);
  EXPECT_EQ(request.run.repetitions, 7u);
  EXPECT_EQ(request.run.pin.list, (std::vector<int>{0, 2}));
}

TEST(Suite, PartsOverrideTheTopAndTheCommandLineOverridesBoth) {
  const SuiteFile suite(R"(
depth = 8
batch = 2
repetitions = 3
[[part]]
target = "null"
[[part]]
target = "zero"
depth = 16
)");
  RunRequest request = suite.resolve();
  ASSERT_EQ(request.parts.size(), 2u);
  EXPECT_EQ(request.parts[0].depths, (Numbers{8}));
  EXPECT_EQ(request.parts[1].depths, (Numbers{16}));
  EXPECT_EQ(request.parts[1].batches, (Numbers{2}));
  EXPECT_EQ(request.parts[1].targets, (std::vector<std::string>{"zero"}));

  request = suite.resolve({{"depth", "4"}, {"repetitions", "9"}});
  EXPECT_EQ(request.parts[0].depths, (Numbers{4}));
  EXPECT_EQ(request.parts[1].depths, (Numbers{4}));
  EXPECT_EQ(request.run.repetitions, 9u);
}

TEST(Suite, ADurationOnTheCommandLineBeatsTheSuitesBudget) {
  const SuiteFile suite("time-budget = \"10s\"\n");
  EXPECT_EQ(suite.resolve().run.time_budget_ns, 10'000'000'000);
  EXPECT_EQ(suite.resolve({{"duration", "1s"}}).run.time_budget_ns, 0);
  EXPECT_THROW(suite.resolve({{"duration", "1s"}, {"time-budget", "5s"}}), UsageError);
}

TEST(Suite, ANumberOfOperationsIsInPlaceOfTime) {
  const SuiteFile timed("time-budget = \"10s\"\n");
  EXPECT_EQ(timed.resolve({{"operations", "500"}}).run.operations, 500u);
  EXPECT_EQ(timed.resolve({{"operations", "500"}}).run.time_budget_ns, 0);
  EXPECT_THROW(timed.resolve({{"operations", "1"}, {"duration", "1s"}}), UsageError);
  EXPECT_THROW(timed.resolve({{"operations", "1"}, {"time-budget", "1s"}}), UsageError);
  const SuiteFile counted("operations = 500\n");
  EXPECT_EQ(counted.resolve().run.operations, 500u);
  EXPECT_EQ(counted.resolve({{"duration", "1s"}}).run.operations, 0u);
}

TEST(Suite, InjectedWorkIsNamedWithItsSize) {
  const Injection found =
      SuiteFile("inject = [\"delay=20ns,lock=2\", \"syscall=1,syscall-per-op=3\"]\n")
          .resolve()
          .run.injection;
  EXPECT_EQ(found.delay_ns, 20);
  EXPECT_EQ(found.locks, 2u);
  EXPECT_EQ(found.calls, 1u);
  EXPECT_EQ(found.calls_per_operation, 3u);
  EXPECT_EQ(SuiteFile("inject = \"dely=20ns\"\n").error(),
            "suite.toml:1: inject: 'dely=20ns' is none of delay=TIME, lock=N, syscall=N, "
            "syscall-per-op=N; did you mean 'delay'?");
  for (const char* wrong : {"lock", "lock=", "lock=0", "lock=two", "delay=0", "delay=fast", ""}) {
    EXPECT_NE(SuiteFile(std::string("inject = \"") + wrong + "\"\n").error(), "no error") << wrong;
  }
}

TEST(Suite, MistakesAreNamedWithTheirLine) {
  EXPECT_EQ(SuiteFile("depth = 1\nsubmiters = 4\n").error(),
            "suite.toml:2: unknown key 'submiters'; did you mean 'submitters'?");
  EXPECT_EQ(SuiteFile("[[part]]\n\nbatchs = 4\n").error(),
            "suite.toml:3: unknown key 'batchs'; did you mean 'batch'?");
  EXPECT_EQ(SuiteFile("\n\ndepth = 0\n").error(),
            "suite.toml:3: depth: '0' is out of range; from 1 to 65536");
  EXPECT_EQ(SuiteFile("workload = \"shred\"\n").error(),
            "suite.toml:1: workload: unknown workload 'shred'; did you mean 'shared'?");
  EXPECT_EQ(SuiteFile("repetitions = [1, 2]\n").error(),
            "suite.toml:1: repetitions: takes one value, not a list");
  EXPECT_EQ(SuiteFile("depth = []\n").error(), "suite.toml:1: depth: the list is empty");
  EXPECT_EQ(SuiteFile("depth = {a = 1}\n").error(),
            "suite.toml:1: depth: is neither text, a number, true nor false");
  EXPECT_EQ(SuiteFile("allow-destructive = true\n").error(),
            "suite.toml:1: allow-destructive: is an option of the command line alone: "
            "--allow-destructive");
  EXPECT_EQ(SuiteFile("[[part]]\nrepetitions = 2\n").error(),
            "suite.toml:2: repetitions: holds for the whole run; move it above the first [[part]]");
  EXPECT_EQ(SuiteFile("[part]\ndepth = 2\n").error(), "suite.toml:1: write parts as [[part]]");
  EXPECT_TRUE(SuiteFile("depth = 1\ndepth = = 2\n").error().starts_with("suite.toml:2: "));
}

TEST(Suite, AFileThatIsNotThereIsSaidSo) {
  EXPECT_THROW(load_suite("/no/such/suite.toml"), UsageError);
  try {
    load_suite("smok");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "unknown suite 'smok'; did you mean 'smoke'?");
  }
}

class BuiltinSuites : public testing::TestWithParam<std::string> {};

TEST_P(BuiltinSuites, AreValidAndNameNoPlaceOfAMachine) {
  const Suite suite = load_suite(GetParam());
  EXPECT_FALSE(suite.summary.empty());
  const std::vector<Assignment> line{{find_run_option("suite"), {GetParam()}, "--suite"}};
  const RunRequest request = resolve(line);
  for (const RowOptions& part : request.parts) {
    for (const std::string& target : part.targets) {
      EXPECT_EQ(target.find('/'), std::string::npos) << target;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, BuiltinSuites, testing::Values("quick", "seed", "smoke", "scaling"));

TEST(BuiltinSuites, HaveWhatTheyAreNamedFor) {
  const auto resolved = [](const std::string& name) {
    return resolve(std::vector<Assignment>{{find_run_option("suite"), {name}, "--suite"}});
  };
  for (const char* name : {"quick", "seed"}) {
    for (const RowOptions& part : resolved(name).parts) {
      EXPECT_EQ(part.workloads, (std::vector{Workload::kShared, Workload::kPerThread}));
      EXPECT_EQ(part.submitters, (Numbers{4}));
      EXPECT_EQ(part.reapers, (Numbers{1}));
    }
  }
  EXPECT_EQ(resolved("seed").parts[0].drivers,
            (std::vector<std::string>{"kioctx@v3.7", "kioctx@series", "libaio", "io_uring"}));
  EXPECT_LE(resolved("smoke").run.time_budget_ns, 5'000'000'000);
  const Numbers scaling = resolved("scaling").parts[0].submitters;
  EXPECT_EQ(scaling.front(), 1u);
  EXPECT_NE(std::ranges::find(scaling, 8u), scaling.end());
}

TEST(Targets, CommasSeparateTargetsAndStayInPaths) {
  using Texts = std::vector<std::string>;
  const auto split = [](const Texts& values) { return split_targets(values); };
  EXPECT_EQ(split({"null,zero,file"}), (Texts{"null", "zero", "file"}));
  EXPECT_EQ(split({"file:/a,b,zero"}), (Texts{"file:/a,b", "zero"}));
  EXPECT_EQ(split({"device:latency=1us,jitter=2us,null"}),
            (Texts{"device:latency=1us,jitter=2us", "null"}));
  EXPECT_EQ(split({"null", "file:/x"}), (Texts{"null", "file:/x"}));
  EXPECT_THROW(split({"null,zerro"}), UsageError);
  EXPECT_THROW(split({"file:/x", "b"}), UsageError);
}

TEST(Targets, ADeviceThatIsNoneIsSaidAtOnce) {
  const auto error_of = [](const std::string& value) -> std::string {
    try {
      split_targets({&value, 1});
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of("null,device:latency=1us,coalesce=8"), "no error");
  EXPECT_EQ(error_of("device:"), "no error");
  EXPECT_EQ(error_of("device:latncy=1us"), "device: unknown key 'latncy'; did you mean 'latency'?");
  EXPECT_EQ(error_of("device:colour=red"),
            "device: unknown key 'colour'; known: latency, jitter, cpus, coalesce, error-rate, "
            "cancel");
  EXPECT_EQ(error_of("zero,device:latency=1us,cpus=0"),
            "device: cpus: '0' is not a whole number from 1 to 1024");
  EXPECT_EQ(error_of("device"), "unknown target 'device'; did you mean 'device:SPEC'?");
}

}  // namespace
}  // namespace aioscope
