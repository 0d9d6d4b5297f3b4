#include "drivers/device_spec.h"

#include <gtest/gtest.h>

#include <string>

namespace aioscope {
namespace {

std::string error_of(std::string_view text) {
  try {
    parse_device_spec(text);
  } catch (const DeviceSpecError& error) {
    return error.what();
  }
  return "no error";
}

TEST(DeviceSpec, WhatIsLeftOutHasItsDefault) {
  EXPECT_EQ(parse_device_spec(""), DeviceSpec{});
  const DeviceSpec one = parse_device_spec("cpus=2");
  EXPECT_EQ(one.cpus, 2u);
  EXPECT_EQ(one.latency_ns, 10'000);
  EXPECT_EQ(one.jitter_ns, 0);
  EXPECT_EQ(one.coalesce, 1u);
  EXPECT_EQ(one.error_rate, 0);
  EXPECT_FALSE(one.cancel);
}

TEST(DeviceSpec, TakesEveryKeyInAnyOrder) {
  const DeviceSpec all{.latency_ns = 20'000,
                       .jitter_ns = 2'000,
                       .cpus = 4,
                       .coalesce = 8,
                       .error_rate = 0.001,
                       .cancel = true};
  EXPECT_EQ(
      parse_device_spec("latency=20us,jitter=2us,cpus=4,coalesce=8,error-rate=0.001,cancel=yes"),
      all);
  EXPECT_EQ(
      parse_device_spec("cancel=yes,error-rate=1e-3,coalesce=8,cpus=4,jitter=2000ns,latency=20us"),
      all);
}

TEST(DeviceSpec, TakesTimesInEveryUnitAndAtTheEnds) {
  EXPECT_EQ(parse_device_spec("latency=7ns").latency_ns, 7);
  EXPECT_EQ(parse_device_spec("latency=1.5us").latency_ns, 1'500);
  EXPECT_EQ(parse_device_spec("latency=2ms").latency_ns, 2'000'000);
  EXPECT_EQ(parse_device_spec("latency=0.25s").latency_ns, 250'000'000);
  EXPECT_EQ(parse_device_spec("latency=0ns").latency_ns, 0);
  EXPECT_EQ(parse_device_spec("jitter=10s").jitter_ns, 10'000'000'000);
  EXPECT_EQ(parse_device_spec("cpus=1024,coalesce=1024").cpus, 1024u);
  EXPECT_EQ(parse_device_spec("error-rate=1").error_rate, 1);
  EXPECT_FALSE(parse_device_spec("cancel=no").cancel);
}

TEST(DeviceSpec, SaysWhichValueIsWrongAndWhatIsAllowed) {
  const std::string time = "' is not a time from 0ns to 10s with its unit: ns, us, ms or s";
  for (const char* bad :
       {"10", "us", "10 us", "-1us", "11s", "10m", "nans", "infs", "1e400s", ""}) {
    EXPECT_EQ(error_of("latency=" + std::string(bad)), "device: latency: '" + (bad + time));
    EXPECT_EQ(error_of("jitter=" + std::string(bad)), "device: jitter: '" + (bad + time));
  }
  const std::string count = "' is not a whole number from 1 to 1024";
  for (const char* bad : {"0", "-1", "1.5", "1025", "99999999999", "two", "2x", ""}) {
    EXPECT_EQ(error_of("cpus=" + std::string(bad)), "device: cpus: '" + (bad + count));
    EXPECT_EQ(error_of("coalesce=" + std::string(bad)), "device: coalesce: '" + (bad + count));
  }
  for (const char* bad : {"-0.1", "1.01", "1%", "nan", ""}) {
    EXPECT_EQ(error_of("error-rate=" + std::string(bad)),
              "device: error-rate: '" + std::string(bad) + "' is not a number from 0 to 1");
  }
  EXPECT_EQ(error_of("cancel=true"), "device: cancel: 'true' is not yes or no");
}

TEST(DeviceSpec, SaysWhatElseIsWrong) {
  EXPECT_EQ(error_of("latency=1us,latncy=2us"),
            "device: unknown key 'latncy'; known: latency, jitter, cpus, coalesce, error-rate, "
            "cancel");
  EXPECT_EQ(error_of("cpus=1,cpus=2"), "device: cpus is given twice; leave one out");
  EXPECT_EQ(error_of("cancel"), "device: cancel has no value; write cancel= and yes or no");
  for (const char* bad : {",", "cpus=1,", ",cpus=1", "cpus=1,,coalesce=2"}) {
    EXPECT_EQ(error_of(bad),
              "device: '" + std::string(bad) + "' has an empty item; leave out a comma");
  }
}

TEST(DeviceSpec, NamesTheUnknownKeyForWhoeverSuggestsAnother) {
  try {
    parse_device_spec("jiter=1us");
    FAIL();
  } catch (const DeviceSpecError& error) {
    EXPECT_EQ(error.unknown_key(), "jiter");
  }
  try {
    parse_device_spec("jitter=1");
    FAIL();
  } catch (const DeviceSpecError& error) {
    EXPECT_EQ(error.unknown_key(), "");
  }
}

TEST(DeviceSpec, ItsTextMeansTheSame) {
  EXPECT_EQ(device_spec_text({}),
            "latency=10us,jitter=0ns,cpus=1,coalesce=1,error-rate=0,cancel=no");
  for (const char* text : {"latency=1500ns,jitter=3ms,cpus=7", "latency=2s,error-rate=0.1",
                           "latency=0ns,cancel=yes,coalesce=1000"}) {
    const DeviceSpec spec = parse_device_spec(text);
    EXPECT_EQ(parse_device_spec(device_spec_text(spec)), spec) << device_spec_text(spec);
  }
}

}  // namespace
}  // namespace aioscope
