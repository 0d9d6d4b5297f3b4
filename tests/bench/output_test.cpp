#include "bench/output.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/bench/result_sample.h"

namespace aioscope {
namespace {

using Json = nlohmann::ordered_json;

Summary sample_summary() {
  Summary summary(sample_run().rows);
  Measurement m = sample_measurement();
  summary.add(0, 0, m);
  m.operations_per_s = 100'000;
  summary.add(0, 1, m);
  summary.add(1, 0, m);
  summary.skip(2, "io_uring_setup: EPERM", "sysctl -w kernel.io_uring_disabled=0");
  return summary;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Table, ShowsFiguresMarksAndWhatHasNoResult) {
  const std::string text = table_text(sample_summary(), {});
  EXPECT_NE(text.find("90.0*"), std::string::npos) << text;  // median kop/s, oversubscribed
  EXPECT_NE(text.find(" failed "), std::string::npos) << text;
  EXPECT_NE(text.find(" 0.1 % "), std::string::npos) << text;  // failed
  EXPECT_NE(text.find("22.2 %"), std::string::npos) << text;   // spread
  EXPECT_NE(text.find("100.0 %"), std::string::npos) << text;  // harness share
  EXPECT_NE(text.find("1.250d"), std::string::npos) << text;   // counted by the driver
  EXPECT_NE(text.find("depth 128"), std::string::npos) << text;
  EXPECT_NE(text.find("io_uring_setup: EPERM; sysctl -w"), std::string::npos) << text;
  EXPECT_NE(text.find("a warning"), std::string::npos) << text;
  EXPECT_EQ(text.find("\033["), std::string::npos);
  EXPECT_NE(table_text(sample_summary(), {.color = true}).find("\033[1m"), std::string::npos);
  // The row that only prices the harness has no line of its own.
  EXPECT_EQ(text.find("\nnull"), std::string::npos) << text;
}

TEST(Table, HasTheSharesOfAProfile) {
  Summary summary(sample_run().rows);
  Measurement m = sample_measurement();
  summary.add(0, 0, m);
  const std::string text = table_text(summary, {});
  EXPECT_NE(text.find("80.0       20.0     18.0"), std::string::npos) << text;
  EXPECT_NE(text.find("of the sampled CPU time"), std::string::npos) << text;
  EXPECT_NE(text.find("good to 10 points"), std::string::npos) << text;
  // Without the kernel's part they would be shares of something else.
  m.profile->kernel_sampled = false;
  Summary partial(sample_run().rows);
  partial.add(0, 0, m);
  EXPECT_NE(table_text(partial, {}).find("-          -        -"), std::string::npos)
      << table_text(partial, {});
  m.oversubscribed = false;
  Summary fits(sample_run().rows);
  fits.add(0, 0, m);
  EXPECT_EQ(table_text(fits, {}).find("good to 10 points"), std::string::npos);
  m.profile.reset();
  Summary without(sample_run().rows);
  without.add(0, 0, m);
  EXPECT_EQ(table_text(without, {}).find("lock wait"), std::string::npos);
}

TEST(Table, IsAligned) {
  Summary summary(sample_run().rows);
  summary.add(0, 0, sample_measurement());
  summary.add(2, 0, sample_measurement());
  std::vector<std::size_t> ends;
  for (const std::string& line : lines_of(table_text(summary, {}))) {
    if (line.starts_with("file:")) ends.push_back(line.find("80.0*"));
  }
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0], ends[1]);
}

TEST(Table, ShowsWhoPaysWhenAsked) {
  EXPECT_EQ(table_text(sample_summary(), {}).find("submit call"), std::string::npos);
  const std::string text = table_text(sample_summary(), {.split = true});
  EXPECT_NE(text.find("submit call"), std::string::npos) << text;
  EXPECT_NE(text.find("1.99 ms"), std::string::npos) << text;
  EXPECT_NE(text.find("90.2 ns"), std::string::npos) << text;
}

TEST(Table, ShowsCountsOfDriversWhenAsked) {
  EXPECT_EQ(table_text(sample_summary(), {}).find("shared RMW"), std::string::npos);
  const std::string text = table_text(sample_summary(), {.locks = true});
  EXPECT_NE(text.find("shared RMW"), std::string::npos) << text;
  EXPECT_NE(
      text.find(
          "2.000     0.0100       2.00     0.0125         37.50            -       2.500  0.000"),
      std::string::npos)
      << text;
  EXPECT_NE(
      text.find("queue/submit                       user   -               1.5000      0.01000"),
      std::string::npos)
      << text;
  EXPECT_NE(
      text.find("aio_complete                       kernel spin                 -      0.01250"),
      std::string::npos)
      << text;
  Summary without(sample_run().rows);
  Measurement m = sample_measurement();
  m.driver_counts.reset();
  m.kernel_locks.reset();
  m.futex_waits.reset();
  without.add(0, 0, m);
  EXPECT_NE(table_text(without, {.locks = true}).find("None of these drivers counts"),
            std::string::npos);
}

TEST(Table, ShowsCountersWhenAsked) {
  EXPECT_EQ(table_text(sample_summary(), {}).find("task-clock"), std::string::npos);
  const std::string text = table_text(sample_summary(), {.counters = true});
  const auto lines = lines_of(text);
  const auto head = std::ranges::find_if(
      lines, [](const std::string& line) { return line.find("task-clock") != line.npos; });
  ASSERT_NE(head, lines.end()) << text;
  EXPECT_TRUE(head->ends_with("task-clock  cache-misses:k")) << *head;
  EXPECT_TRUE(head[1].ends_with("ns/op             /op")) << head[1];
  EXPECT_TRUE(head[2].ends_with("8000             0.5~")) << head[2];
  EXPECT_NE(text.find("~ counted for a part of the time"), std::string::npos) << text;
  EXPECT_NE(text.find("not counted: lock:contention_begin: tracefs is not mounted\n"),
            std::string::npos)
      << text;
}

TEST(Table, ARowWithoutCountersHasNoZeroes) {
  Summary summary(sample_run().rows);
  summary.add(0, 0, sample_measurement());
  Measurement without = sample_measurement();
  without.counters.clear();
  summary.add(2, 0, without);
  const std::string text = table_text(summary, {.counters = true});
  EXPECT_NE(text.find("-               -"), std::string::npos) << text;
}

TEST(Csv, HasTheSameColumnsInEveryLine) {
  const auto lines = lines_of(csv_text(sample_summary()));
  ASSERT_EQ(lines.size(), 4u);  // head, two repetitions, one without a result
  for (const std::string& line : lines) {
    EXPECT_EQ(std::ranges::count(line, ','), std::ranges::count(lines[0], ',')) << line;
  }
  EXPECT_NE(lines[3].find("io_uring_setup: EPERM"), std::string::npos);
  EXPECT_TRUE(
      lines[0].ends_with("shared_rmw_per_op,allocations_per_op,wakeups_per_op,"
                         "kernel_lock_contended_per_op,kernel_lock_wait_ns_per_op,"
                         "futex_wait_ns_per_op,submit_call_ns_per_op,in_flight_ns_per_op,"
                         "reap_call_ns_per_op,task-clock_per_op,"
                         "cache-misses:k_per_op,lock:contention_begin_per_op"))
      << lines[0];
  // Wake-ups, waits on futexes and lock:contention_begin were not counted.
  EXPECT_TRUE(lines[1].ends_with(",2,0.01,2,2.5,0,,0.0125,37.5,,150.5,1990000,90.25,8000,0.5,"))
      << lines[1];
}

TEST(Gbench, HasOneEntryPerRepetitionAndOnePerPercentile) {
  const Json host{
      {"name", "host"},
      {"cpus_online", 2},
      {"cpu_mhz", 2600},
      {"caches",
       Json::array({{{"level", 1}, {"type", "Data"}, {"size_bytes", 32768}, {"num_sharing", 1}}})},
      {"load_average", {0.5, 0.25, 0.125}}};
  const Json json = Json::parse(gbench_text(sample_summary(), host, "aioscope"));
  EXPECT_EQ(json["context"]["num_cpus"], 2);
  EXPECT_EQ(json["context"]["mhz_per_cpu"], 2600);
  EXPECT_EQ(json["context"]["caches"][0]["size"], 32768);
  const std::string name = sample_run().rows[0].row.name();
  std::vector<Json> entries, percentiles, errors;
  for (const Json& entry : json["benchmarks"]) {
    if (entry.contains("error_occurred")) {
      errors.push_back(entry);
    } else if (entry["name"] == name) {
      entries.push_back(entry);
    } else if (entry["name"] == name + "/p99") {
      percentiles.push_back(entry);
    }
  }
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0]["repetition_index"], 0);
  EXPECT_EQ(entries[1]["repetition_index"], 1);
  EXPECT_EQ(entries[1]["repetitions"], 2);
  EXPECT_DOUBLE_EQ(entries[0]["real_time"], 12'500);
  EXPECT_DOUBLE_EQ(entries[0]["cpu_time"], 8'512.5);
  EXPECT_DOUBLE_EQ(entries[0]["items_per_second"], 80'000);
  EXPECT_DOUBLE_EQ(entries[0]["lock_acquisitions_per_op"], 2);
  EXPECT_FALSE(entries[0].contains("wakeups_per_op"));
  EXPECT_DOUBLE_EQ(entries[0]["cache-misses:k_per_op"], 0.5);
  EXPECT_FALSE(entries[0].contains("lock:contention_begin_per_op"));
  EXPECT_EQ(entries[0]["label"],
            "driver=libaio workload=shared target=file:test.dat oversubscribed=yes");
  ASSERT_EQ(percentiles.size(), 2u);
  EXPECT_GT(percentiles[0]["real_time"], 2'900'000);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0]["error_message"], "io_uring_setup: EPERM");
}

}  // namespace
}  // namespace aioscope
