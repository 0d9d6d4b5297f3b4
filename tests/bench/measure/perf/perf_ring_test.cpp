#include "bench/measure/perf/perf_ring.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <random>
#include <string>

#include "tests/bench/mutate.h"

namespace aioscope {
namespace {

// The kernel's side of a ring.
class SyntheticRing {
 public:
  static constexpr std::size_t kBytes = 256;

  explicit SyntheticRing(std::uint64_t start = 0) {
    control_.data_head = control_.data_tail = start;
  }
  void write(std::uint32_t type, std::span<const std::uint64_t> body) {
    const perf_event_header header{type, 7, std::uint16_t(sizeof header + body.size_bytes())};
    put(std::as_bytes(std::span(&header, 1)));
    put(std::as_bytes(body));
  }
  void put(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) data_[control_.data_head++ % kBytes] = byte;
  }
  PerfRingReader reader() { return {&control_, data_}; }
  const perf_event_mmap_page& control() const { return control_; }
  std::string text() const {  // what has been written from 0 on
    return {reinterpret_cast<const char*>(data_.data()), std::size_t(control_.data_head)};
  }

 private:
  perf_event_mmap_page control_{};
  std::array<std::byte, kBytes> data_{};
};

std::vector<std::vector<std::uint64_t>> drained(PerfRingReader& reader) {
  std::vector<std::vector<std::uint64_t>> bodies;
  reader.drain([&](const PerfRecord& record) {
    EXPECT_EQ(record.misc, 7);
    RecordFields fields(record.body);
    bodies.emplace_back();
    for (std::size_t i = 0; i < record.body.size() / 8; ++i) {
      bodies.back().push_back(fields.take<std::uint64_t>());
    }
    EXPECT_TRUE(fields.ok());
  });
  return bodies;
}

using Bodies = std::vector<std::vector<std::uint64_t>>;

TEST(PerfRing, HandsOverRecordsInOrderAndGivesTheirSpaceBack) {
  SyntheticRing ring;
  PerfRingReader reader = ring.reader();
  ring.write(PERF_RECORD_SAMPLE, std::array<std::uint64_t, 2>{1, 2});
  ring.write(PERF_RECORD_SAMPLE, std::array<std::uint64_t, 1>{3});
  EXPECT_EQ(drained(reader), (Bodies{{1, 2}, {3}}));
  EXPECT_EQ(ring.control().data_tail, ring.control().data_head);
  EXPECT_TRUE(drained(reader).empty());
}

TEST(PerfRing, JoinsARecordThatWrapsWhereverItIsCut) {
  for (std::uint64_t start = SyntheticRing::kBytes - 32; start <= SyntheticRing::kBytes; ++start) {
    SyntheticRing ring(start);
    PerfRingReader reader = ring.reader();
    ring.write(PERF_RECORD_SAMPLE, std::array<std::uint64_t, 3>{start, ~start, 42});
    ring.write(PERF_RECORD_SAMPLE, std::array<std::uint64_t, 1>{43});
    EXPECT_EQ(drained(reader), (Bodies{{start, ~start, 42}, {43}})) << start;
  }
}

TEST(PerfRing, PositionsGoOnBeyond64Bits) {
  SyntheticRing ring(UINT64_MAX - 11);
  PerfRingReader reader = ring.reader();
  ring.write(PERF_RECORD_SAMPLE, std::array<std::uint64_t, 4>{1, 2, 3, 4});
  EXPECT_EQ(drained(reader), (Bodies{{1, 2, 3, 4}}));
  EXPECT_EQ(reader.corrupt(), 0u);
}

TEST(PerfRing, CountsWhatWasLost) {
  SyntheticRing ring;
  PerfRingReader reader = ring.reader();
  ring.write(PERF_RECORD_LOST, std::array<std::uint64_t, 2>{99, 5});
  ring.write(PERF_RECORD_LOST_SAMPLES, std::array<std::uint64_t, 1>{7});
  EXPECT_EQ(drained(reader).size(), 2u);
  EXPECT_EQ(reader.lost(), 12u);
}

TEST(PerfRing, CountsHowOftenTheKernelHeldSamplesBack) {
  SyntheticRing ring;
  PerfRingReader reader = ring.reader();
  for (const std::uint32_t type :
       {PERF_RECORD_THROTTLE, PERF_RECORD_UNTHROTTLE, PERF_RECORD_THROTTLE}) {
    ring.write(type, std::array<std::uint64_t, 3>{1, 2, 3});
  }
  EXPECT_EQ(drained(reader).size(), 3u);
  EXPECT_EQ(reader.throttled(), 2u);
  EXPECT_EQ(reader.lost(), 0u);
}

TEST(PerfRing, ATruncatedLossIsNotReadPastItsEnd) {
  SyntheticRing ring;
  PerfRingReader reader = ring.reader();
  ring.write(PERF_RECORD_LOST, std::array<std::uint64_t, 1>{99});
  EXPECT_EQ(drained(reader).size(), 1u);
  EXPECT_EQ(reader.lost(), 0u);
}

TEST(PerfRing, ARecordThatMakesNoSenseEndsTheReading) {
  for (const std::uint16_t size : {0, 4, 7, 64}) {  // 64: more than has been written
    SyntheticRing ring;
    PerfRingReader reader = ring.reader();
    ring.write(PERF_RECORD_SAMPLE, std::array<std::uint64_t, 1>{1});
    const perf_event_header bad{PERF_RECORD_SAMPLE, 0, size};
    ring.put(std::as_bytes(std::span(&bad, 1)));
    EXPECT_EQ(drained(reader), (Bodies{{1}})) << size;
    EXPECT_EQ(reader.corrupt(), 1u) << size;
    ring.write(PERF_RECORD_SAMPLE, std::array<std::uint64_t, 1>{2});
    EXPECT_EQ(drained(reader), (Bodies{{2}})) << "reading goes on behind it";
  }
}

TEST(PerfRing, APieceOfAHeaderIsNoRecord) {
  SyntheticRing ring;
  PerfRingReader reader = ring.reader();
  ring.put(std::array<std::byte, 4>{});
  EXPECT_TRUE(drained(reader).empty());
  EXPECT_EQ(reader.corrupt(), 1u);
}

TEST(PerfRing, MoreThanTheRingHoldsIsCorrupt) {
  SyntheticRing ring;
  PerfRingReader reader = ring.reader();
  ring.put(std::vector<std::byte>(SyntheticRing::kBytes + 8));
  EXPECT_TRUE(drained(reader).empty());
  EXPECT_EQ(reader.corrupt(), 1u);
}

TEST(PerfRing, SurvivesAnythingInItsMemory) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    SyntheticRing ring(random());
    PerfRingReader reader = ring.reader();
    std::vector<std::byte> noise(random() % (SyntheticRing::kBytes + 1));
    for (std::byte& byte : noise) byte = std::byte(random() % 4 == 0 ? random() : 0);
    ring.put(noise);
    std::size_t seen = 0;
    reader.drain([&](const PerfRecord& record) { seen += 8 + record.body.size(); });
    EXPECT_LE(seen, noise.size());
    EXPECT_EQ(ring.control().data_tail, ring.control().data_head);
  }
}

// Records as the kernel writes them, with something wrong: the reader ends them within the ring.
TEST(PerfRing, SurvivesMutants) {
  SyntheticRing written;
  written.write(PERF_RECORD_SAMPLE, std::array<std::uint64_t, 4>{1, 2, 3, 4});
  written.write(PERF_RECORD_LOST, std::array<std::uint64_t, 2>{99, 5});
  written.write(PERF_RECORD_SWITCH, std::array<std::uint64_t, 1>{7});
  written.write(PERF_RECORD_SAMPLE, std::array<std::uint64_t, 6>{1, 2, 3, 4, 5, 6});
  const std::string seed = written.text();
  std::uint64_t start = 0;
  int whole = 0, cut = 0;
  for_each_mutant(seed, 20'000, [&](const std::string& text) {
    SyntheticRing ring(start += 13);
    const std::size_t size = std::min(text.size(), SyntheticRing::kBytes);
    ring.put(std::as_bytes(std::span(text.data(), size)));
    PerfRingReader reader = ring.reader();
    std::size_t seen = 0;
    reader.drain([&](const PerfRecord& record) {
      seen += sizeof(perf_event_header) + record.body.size();
      std::uint64_t sum = 0;
      for (const std::byte byte : record.body) sum += std::to_integer<std::uint64_t>(byte);
      ASSERT_LE(sum, 255 * record.body.size());
    });
    ++(reader.corrupt() == 0 ? whole : cut);
    ASSERT_EQ(seen == size, reader.corrupt() == 0);
    ASSERT_EQ(ring.control().data_tail, ring.control().data_head);
  });
  EXPECT_GT(whole, 1'000);
  EXPECT_GT(cut, 1'000);
}

TEST(RecordFields, WhatLiesBeyondTheEndIsZeroAndNotOk) {
  const std::array<std::uint32_t, 3> body{1, 2, 3};
  RecordFields fields(std::as_bytes(std::span(body)));
  EXPECT_EQ(fields.take<std::uint32_t>(), 1u);
  EXPECT_EQ(fields.take<std::uint64_t>(), 2u + (3ull << 32));
  EXPECT_TRUE(fields.ok());
  EXPECT_EQ(fields.take<std::uint32_t>(), 0u);
  EXPECT_FALSE(fields.ok());
  EXPECT_TRUE(fields.take_bytes(0).empty());
  EXPECT_FALSE(fields.ok());
}

TEST(PerfRing, MapsTheRingOfARealEvent) {
  perf_event_attr attributes = event_attributes(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS);
  attributes.exclude_kernel = 1;
  attributes.sample_period = 1;
  attributes.sample_type = PERF_SAMPLE_TID;
  const PerfEvent event(attributes, 0);
  if (!event.is_open()) GTEST_SKIP() << event.refusal().text();
  PerfRing ring(event, 10'000);  // three pages: four
  ASSERT_TRUE(ring.is_open()) << ring.refusal().text();
  constexpr std::size_t kSize = 64 * 4096;
  void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  for (std::size_t i = 0; i < kSize; i += 4096) static_cast<volatile char*>(memory)[i] = 1;
  std::size_t samples = 0;
  ring.reader().drain([&](const PerfRecord& record) {
    RecordFields fields(record.body);
    if (record.type == PERF_RECORD_SAMPLE && fields.take<pid_t>() == getpid()) ++samples;
  });
  munmap(memory, kSize);
  EXPECT_GE(samples, 64u);
  EXPECT_EQ(ring.reader().corrupt(), 0u);
}

TEST(PerfRing, SaysWhyItCannotBeMapped) {
  const PerfEvent event;
  const PerfRing ring(event, 1);
  EXPECT_FALSE(ring.is_open());
  EXPECT_NE(ring.refusal().reason.find("perf_event_mlock_kb"), std::string::npos);
}

}  // namespace
}  // namespace aioscope
