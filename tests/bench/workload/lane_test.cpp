#include "bench/workload/lane.h"

#include <gtest/gtest.h>

#include <set>

#include "bench/runner.h"
#include "bench/workload/call_sampler.h"
#include "bench/workload/pattern.h"

namespace aioscope {
namespace {

Row small_row() {
  Row row;
  row.depth = 8;
  row.batch = 4;
  return row;
}

TEST(Lane, EverySlotIsFreePreparedOrInFlight) {
  const Row row = small_row();
  Lane lane(row, LatencyMode::kFull, {});
  lane.prepare();
  ASSERT_EQ(lane.pending().size(), 4u);
  EXPECT_EQ(lane.free_slots(), 4u);
  lane.accepted(3);
  EXPECT_EQ(lane.in_flight(), 3u);
  EXPECT_EQ(lane.pending().size(), 1u);
  lane.prepare();  // the last batch has not been accepted whole
  EXPECT_EQ(lane.pending().size(), 1u);
  lane.drop_pending();
  EXPECT_EQ(lane.free_slots(), 5u);
}

TEST(Lane, TagsDifferAndSecondUseOfASlotHasAnotherTag) {
  const Row row = small_row();
  Lane lane(row, LatencyMode::kOff, {});
  std::set<Tag> tags;
  for (int round = 0; round < 100; ++round) {
    lane.prepare();
    std::vector<Tag> batch;
    for (const Request& request : lane.pending()) batch.push_back(request.tag);
    lane.accepted(static_cast<std::uint32_t>(batch.size()));
    for (const Tag tag : batch) {
      EXPECT_TRUE(tags.insert(tag).second);
      EXPECT_NE(tag, kReservedTag);
      lane.complete(tag, 0);
    }
  }
  EXPECT_EQ(lane.completed(), 400u);
  EXPECT_EQ(lane.in_flight(), 0u);
}

TEST(Lane, ACompletionThatComesTwiceOrFromNowhereIsRefused) {
  const Row row = small_row();
  Lane lane(row, LatencyMode::kOff, {});
  lane.prepare();
  const Tag tag = lane.pending()[0].tag;
  lane.accepted(4);
  lane.complete(tag, 0);
  EXPECT_THROW(lane.complete(tag, 0), InvalidResult);
  EXPECT_THROW(lane.complete(tag + TagLayout::kMostSlots, 0), InvalidResult);
  EXPECT_THROW(lane.complete(kReservedTag >> 1, 0), InvalidResult);
}

TEST(Lane, BuffersDoNotOverlapAndOffsetsStayInTheFile) {
  Row row = small_row();
  row.block_size = 1024;
  row.target = {.kind = FileKind::kFile, .path = "unused"};
  constexpr std::uint64_t kSize = 10 * 1024 + 100;  // the last 100 bytes hold no block
  Lane lane(row, LatencyMode::kOff, {.target_size = kSize, .seed = 7});
  std::set<std::uint64_t> offsets;
  for (int round = 0; round < 200; ++round) {
    std::set<std::byte*> buffers;
    std::vector<Tag> tags;
    for (int batch = 0; batch < 2; ++batch) {
      lane.prepare();
      for (const Request& request : lane.pending()) {
        EXPECT_LE(request.offset + request.length, kSize);
        EXPECT_EQ(request.offset % 1024, 0u);
        offsets.insert(request.offset);
        for (std::byte* other : buffers) EXPECT_GE(std::abs(other - request.buffer), 1024);
        buffers.insert(request.buffer);
        tags.push_back(request.tag);
      }
      lane.accepted(4);
    }
    for (const Tag tag : tags) lane.complete(tag, 0);
  }
  EXPECT_EQ(offsets.size(), 10u);  // random offsets reach every block
}

TEST(Lane, SequentialVisitsEveryBlockInTurn) {
  Row row = small_row();
  row.pattern = AccessPattern::kSequential;
  row.target = {.kind = FileKind::kFile, .path = "unused"};
  Lane lane(row, LatencyMode::kOff, {.target_size = 6 * 512, .seed = 3});
  std::uint64_t previous = 0;
  for (int i = 0; i < 20; ++i) {
    lane.prepare();
    const Request request = lane.pending()[0];
    if (i > 0) {
      EXPECT_EQ(request.offset, (previous + 512) % (6 * 512));
    }
    previous = lane.pending().back().offset;
    std::vector<Tag> tags;
    for (const Request& pending : lane.pending()) tags.push_back(pending.tag);
    lane.accepted(4);
    for (const Tag tag : tags) lane.complete(tag, 0);
  }
}

// Otherwise a read finds a block half written, and a right driver is called broken.
TEST(Lane, VerifiedReadsAndWritesNeverMeetInABlock) {
  Row row = small_row();
  row.target = {.kind = FileKind::kFile, .path = "unused"};
  row.operation = Operation::kMixed;
  row.verify = true;
  row.submitters = 2;
  for (const auto pattern : {AccessPattern::kRandom, AccessPattern::kSequential}) {
    row.pattern = pattern;
    // As many blocks as there may be requests in flight, and one over.
    const LaneOptions first{.index = 0, .target_size = 17 * 512, .seed = 3};
    const LaneOptions second{.index = 1, .target_size = 17 * 512, .seed = 4};
    Lane lanes[2] = {{row, LatencyMode::kOff, first}, {row, LatencyMode::kOff, second}};
    for (int round = 0; round < 100; ++round) {
      std::set<std::uint64_t> offsets;
      std::vector<std::pair<Lane*, Tag>> in_flight;
      for (Lane& lane : lanes) {
        for (int batch = 0; batch < 2; ++batch) {
          lane.prepare();
          ASSERT_EQ(lane.pending().size(), 4u);
          for (const Request& request : lane.pending()) {
            EXPECT_LT(request.offset, 17u * 512);
            EXPECT_TRUE(offsets.insert(request.offset).second) << request.offset;
            in_flight.emplace_back(&lane, request.tag);
            fill_pattern({request.buffer, request.length}, request.offset, 1);
          }
          if (round % 2 == 0 && batch == 1) {
            for (int i = 0; i < 4; ++i) in_flight.pop_back();
            lane.drop_pending();
          } else {
            lane.accepted(4);
          }
        }
      }
      for (const auto& [lane, tag] : in_flight) lane->complete(tag, 0);
    }
    EXPECT_GT(lanes[0].verified(), 100u);
    EXPECT_LT(lanes[0].verified(), lanes[0].completed())
        << "of writes nothing has been checked yet";
  }
}

TEST(Lane, MixedKeepsItsShareOfReads) {
  Row row = small_row();
  row.operation = Operation::kMixed;
  row.read_percent = 70;
  Lane lane(row, LatencyMode::kOff, {.seed = 11});
  int reads = 0, all = 0;
  for (; all < 20'000; all += 4) {
    lane.prepare();
    std::vector<Tag> tags;
    for (const Request& request : lane.pending()) {
      reads += request.opcode == Opcode::kRead;
      EXPECT_EQ((request.tag & TagLayout::kWrites) != 0, request.opcode == Opcode::kWrite);
      tags.push_back(request.tag);
    }
    lane.accepted(4);
    for (const Tag tag : tags) lane.complete(tag, 0);
  }
  EXPECT_NEAR(double(reads) / all, 0.70, 0.015);
}

TEST(Lane, LatencyIsFromIssueToReapAndOnlyWhileRecording) {
  const Row row = small_row();
  Lane lane(row, LatencyMode::kFull, {});
  const auto round = [&](std::int64_t delay_ns) {
    const std::int64_t before = monotonic_ns();
    lane.prepare();
    std::vector<Tag> tags;
    for (const Request& request : lane.pending()) tags.push_back(request.tag);
    lane.accepted(4);
    lane.take(time_word(before + delay_ns));
    for (const Tag tag : tags) lane.take(tag);
    lane.end_batch();
  };
  round(500);
  lane.start_recording();
  round(1'000'000'000);
  lane.stop_recording();
  round(500);
  EXPECT_EQ(lane.latency().count(), 4u);
  EXPECT_NEAR(lane.latency().mean_ns(), 1e9, 1e8);
}

TEST(Lane, SampledStampsAboutOneSubmitInThirtyTwoOperations) {
  Row row = small_row();
  row.batch = 1;
  Lane lane(row, LatencyMode::kSampled, {.seed = 5});
  int stamped = 0;
  constexpr int kOperations = 32'000;
  for (int i = 0; i < kOperations; ++i) {
    lane.prepare();
    const Tag tag = lane.pending()[0].tag;
    stamped += (tag & TagLayout::kStamped) != 0;
    lane.accepted(1);
    lane.complete(tag, monotonic_ns());
  }
  EXPECT_NEAR(stamped, kOperations / 32.0, kOperations / 32.0 * 0.1);
}

TEST(Lane, OpenLoopStampsTheIntendedStart) {
  Row row = small_row();
  row.rate_per_s = 1000;
  Lane lane(row, LatencyMode::kFull, {.rate_per_s = 1000});
  lane.start_arrivals();
  lane.prepare();
  EXPECT_TRUE(lane.pending().empty());  // nothing is due yet
  const std::int64_t first_ns = lane.next_arrival_ns();
  sleep_until_ns(first_ns + 5'500'000);  // five more have become due
  lane.prepare();
  ASSERT_EQ(lane.pending().size(), 4u);  // a batch at most
  EXPECT_GT(lane.late_starts(), 2u);
  lane.start_recording();
  std::vector<Tag> tags;
  for (const Request& request : lane.pending()) tags.push_back(request.tag);
  lane.accepted(4);
  for (const Tag tag : tags) lane.complete(tag, first_ns + 10'000'000);
  lane.stop_recording();
  // Intended 1 ms apart, all reaped 10 ms after the first one's start.
  EXPECT_NEAR(double(lane.latency().max_ns()), 10e6, 1e3);
  EXPECT_NEAR(double(lane.latency().min_ns()), 7e6, 1e3);
}

TEST(Arrivals, KeepTheirRate) {
  for (const Arrival kind : {Arrival::kConstant, Arrival::kPoisson}) {
    Arrivals arrivals(1e6, kind, 17);
    arrivals.start(0);
    for (int i = 0; i < 100'000; ++i) arrivals.advance();
    EXPECT_NEAR(double(arrivals.next_ns()), 1e8, 2e6);
  }
}

TEST(Lane, TimesFromTheReturnOfTheCallToTheReaping) {
  const Row row = small_row();
  Lane lane(row, LatencyMode::kFull, {});
  lane.start_recording();
  lane.prepare();
  lane.begin_timed_call();
  std::vector<Tag> tags;
  for (const Request& request : lane.pending()) tags.push_back(request.tag);
  lane.end_timed_call(3, 1'000);
  lane.accepted(3);  // the fourth goes with a call of its own
  lane.accepted(1);
  lane.complete(tags[0], 1'100);
  lane.complete(tags[1], 1'300);
  lane.complete(tags[2], 900);  // on a shared context it may come before the call returns
  lane.complete(tags[3], 50'000);
  lane.end_batch();
  EXPECT_EQ(lane.in_flight_timed(), 3u);
  EXPECT_EQ(lane.in_flight_ns(), 400u);
  lane.start_recording();  // the window begins
  EXPECT_EQ(lane.in_flight_timed(), 0u);
}

TEST(CallSampler, GivesEachCallTheSameChance) {
  constexpr int kCalls = 100'000;
  const auto timed = [](LatencyMode latency, std::uint32_t batch) {
    CallSampler sampler(latency, batch, 1);
    std::vector<int> calls;
    for (int call = 1; call <= kCalls; ++call) {
      if (!sampler.due(std::uint64_t(call))) continue;
      calls.push_back(call);
      sampler.advance(std::uint64_t(call));
    }
    return calls;
  };
  EXPECT_EQ(timed(LatencyMode::kFull, 1).size(), std::size_t(kCalls));
  EXPECT_EQ(timed(LatencyMode::kOff, 1).size(), std::size_t(0));
  EXPECT_EQ(timed(LatencyMode::kSampled, 256).size(), std::size_t(kCalls));
  EXPECT_NEAR(double(timed(LatencyMode::kSampled, 32).size()), kCalls / 8.0, kCalls / 100.0);
  EXPECT_NEAR(double(timed(LatencyMode::kSampled, 1).size()), kCalls / 256.0, kCalls / 1000.0);
  std::set<int> distances;
  const std::vector<int> calls = timed(LatencyMode::kSampled, 1);
  for (std::size_t i = 1; i < calls.size(); ++i) distances.insert(calls[i] - calls[i - 1]);
  EXPECT_GT(distances.size(), 100u);  // no step to march in
}

}  // namespace
}  // namespace aioscope
