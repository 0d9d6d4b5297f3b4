#include "bench/result.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/bench/result_sample.h"

namespace aioscope {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

class ResultFile : public testing::Test {
 public:
  ResultFile() {
    char name[] = "/tmp/aioscope_result_XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ / "result.jsonl";
  }
  ~ResultFile() override { fs::remove_all(directory_); }

 protected:
  std::vector<Json> records(const fs::path& path) const {
    std::ifstream file(path);
    std::vector<Json> result;
    for (std::string line; std::getline(file, line);) result.push_back(Json::parse(line));
    return result;
  }

  fs::path directory_, path_;
};

// What differs from run to run and from build to build.
void make_reproducible(Json& record) {
  if (record["record"] == "header") {
    record["tool"] = {{"name", "aioscope"},       {"version", "0.0.0"},
                      {"commit", "0123456789ab"}, {"dirty", false},
                      {"build_type", "Release"},  {"sanitizers", ""},
                      {"compiler", "GNU 12.2.0"}};
    record["start_realtime_ns"] = 1'700'000'000'000'000'000;
  }
  if (record["record"] == "end") record["elapsed_ns"] = 12'000'000'000;
}

TEST_F(ResultFile, IsTheGoldenFile) {
  write_sample(path_);
  std::ostringstream written;
  for (Json& record : records(path_)) {
    make_reproducible(record);
    written << record.dump() << '\n';
  }
  std::ifstream golden_file(AIOSCOPE_GOLDEN_RESULT);
  ASSERT_TRUE(golden_file) << AIOSCOPE_GOLDEN_RESULT;
  std::ostringstream golden;
  golden << golden_file.rdbuf();
  if (written.str() != golden.str()) std::ofstream("golden.result.jsonl.new") << written.str();
  EXPECT_EQ(written.str(), golden.str())
      << "if the format is meant to change, take golden.result.jsonl.new";
}

TEST_F(ResultFile, HasItsNameOnlyWhenItIsWhole) {
  {
    ResultWriter writer(path_);
    writer.header(sample_run(), Json::object(), Json::array());
    EXPECT_FALSE(fs::exists(path_));
    EXPECT_EQ(writer.current_path(), path_.string() + ".partial");
    EXPECT_EQ(records(writer.current_path()).size(), 1u);  // written at once
    writer.finish(false, "interrupted");
    EXPECT_EQ(writer.current_path(), path_);
  }
  EXPECT_FALSE(fs::exists(path_.string() + ".partial"));
  const auto all = records(path_);
  EXPECT_EQ(all.back()["record"], "end");
  EXPECT_EQ(all.back()["complete"], false);
  EXPECT_EQ(all.back()["reason"], "interrupted");
}

TEST_F(ResultFile, WithoutAnEndStaysPartial) {
  { ResultWriter(path_).header(sample_run(), Json::object(), Json::array()); }
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(fs::exists(path_.string() + ".partial"));
}

mode_t mode_of(const fs::path& path) {
  struct stat found {};
  EXPECT_EQ(lstat(path.c_str(), &found), 0);
  return found.st_mode;
}

TEST_F(ResultFile, KeepsTheModeOfTheOneBefore) {
  const mode_t before = umask(027);
  write_sample(path_);
  EXPECT_EQ(mode_of(path_) & 0777, 0640u);
  fs::permissions(path_, fs::perms(0604));
  write_sample(path_);
  EXPECT_EQ(mode_of(path_) & 0777, 0604u);
  umask(before);
}

TEST_F(ResultFile, BehindALinkIsWrittenWhereItLeads) {
  fs::create_directory(directory_ / "there");
  fs::create_symlink("there/target.jsonl", path_);
  for (int dangling = 1; dangling >= 0; --dangling) {
    ResultWriter writer(path_);
    writer.header(sample_run(), Json::object(), Json::array());
    EXPECT_EQ(writer.current_path(), (directory_ / "there/target.jsonl.partial").string());
    writer.finish(true, "");
    EXPECT_TRUE(fs::is_symlink(path_));
    EXPECT_EQ(records(directory_ / "there/target.jsonl").size(), 2u);
  }
  fs::create_symlink("loop", directory_ / "loop");
  EXPECT_THROW(ResultWriter((directory_ / "loop").string()), ResultFileError);
}

TEST_F(ResultFile, DoesNotFollowALinkThatSomebodyPlanted) {
  std::ofstream(directory_ / "victim") << "precious";
  fs::create_symlink("victim", path_.string() + ".partial");
  EXPECT_THROW({ ResultWriter writer(path_); }, ResultFileError);
  EXPECT_EQ(fs::file_size(directory_ / "victim"), 8u);
  fs::remove(path_.string() + ".partial");
  ASSERT_EQ(mkfifo((path_.string() + ".partial").c_str(), 0600), 0);
  EXPECT_THROW({ ResultWriter writer(path_); }, ResultFileError);
}

TEST_F(ResultFile, HasOneWriterAndRemainsAreTakenOver) {
  {
    ResultWriter writer(path_);
    writer.header(sample_run(), Json::object(), Json::array());
    EXPECT_THROW({ ResultWriter other(path_); }, ResultFileError);
    EXPECT_EQ(records(writer.current_path()).size(), 1u);
  }
  write_sample(path_);
  EXPECT_EQ(records(path_).front()["record"], "header");
  EXPECT_EQ(records(path_).back()["record"], "end");
}

TEST_F(ResultFile, ThatIsAPipeGetsTheRecordsAndStays) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  auto read = std::async(std::launch::async, [&] { return records(path_); });
  {
    ResultWriter writer(path_);
    EXPECT_EQ(writer.current_path(), path_);
    writer.header(sample_run(), Json::object(), Json::array());
    writer.finish(true, "");
  }
  EXPECT_EQ(read.get().size(), 2u);
  EXPECT_TRUE(S_ISFIFO(mode_of(path_)));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), fs::directory_iterator()), 1);
}

// A node of its own: a writer that is wrong, run by root, must not cost the machine's.
TEST_F(ResultFile, ThatIsADeviceStaysOne) {
  const bool made = mknod(path_.c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0;
  if (!made || access(path_.c_str(), W_OK) != 0 || !std::ofstream(path_)) {
    GTEST_SKIP() << "device nodes cannot be made or opened here";
  }
  write_sample(path_);
  EXPECT_TRUE(S_ISCHR(mode_of(path_)));
}

// A file size limit stands for a full disk: the kernel refuses in the middle of a record.
TEST_F(ResultFile, ThatDoesNotFitKeepsWholeRecords) {
  ResultWriter writer(path_);
  writer.header(sample_run(), Json::object(), Json::array());
  const auto size = fs::file_size(writer.current_path());
  const auto before_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = size + 100;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  std::string message;
  try {
    writer.repetition(0, "row", 0, 0, 1, sample_measurement());
  } catch (const ResultFileError& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, before_handler);
  EXPECT_NE(message.find("write: File too large"), std::string::npos) << message;
  EXPECT_NE(message.find("-o"), std::string::npos) << message;
  EXPECT_EQ(fs::file_size(writer.current_path()), size);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(ResultFile, InNoDirectoryIsRefusedWithACure) {
  EXPECT_THROW(ResultWriter((directory_ / "missing" / "x.jsonl").string()), ResultFileError);
  try {
    ResultWriter((directory_ / "missing" / "x.jsonl").string());
  } catch (const ResultFileError& error) {
    EXPECT_NE(std::string(error.what()).find("-o"), std::string::npos);
  }
}

TEST_F(ResultFile, HasNullForWhatIsNotANumberAndTakesAnyBytes) {
  Measurement measurement = sample_measurement();
  measurement.operations_per_s = std::numeric_limits<double>::infinity();
  measurement.cpu_user_ns_per_op = std::numeric_limits<double>::quiet_NaN();
  measurement.migrations_per_op = std::nullopt;
  measurement.setup = "\xff\xfe not UTF-8";
  ResultWriter writer(path_);
  writer.repetition(0, "bytes \xc3\x28", 0, 0, 1, measurement);
  const Json record = records(writer.current_path()).at(0);
  EXPECT_TRUE(record["measurement"]["operations_per_s"].is_null());
  EXPECT_TRUE(record["measurement"]["cpu_user_ns_per_op"].is_null());
  EXPECT_TRUE(record["measurement"]["migrations_per_op"].is_null());
}

TEST(SupportedPercentile, NeedsTenOperationsBeyondIt) {
  LatencyHistogram histogram;
  histogram.record(100, 999);
  EXPECT_TRUE(std::isnan(supported_percentile_ns(histogram, 0.99)));
  histogram.record(100, 1);
  EXPECT_EQ(supported_percentile_ns(histogram, 0.99), 100);
  EXPECT_TRUE(std::isnan(supported_percentile_ns(histogram, 0.999)));
  LatencyHistogram hundred;
  hundred.record(100, 100);
  EXPECT_EQ(supported_percentile_ns(hundred, 0.90), 100);
}

}  // namespace
}  // namespace aioscope
