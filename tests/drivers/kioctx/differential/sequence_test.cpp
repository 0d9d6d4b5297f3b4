#include "tests/drivers/kioctx/differential/sequence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "tests/drivers/kioctx/differential/generator.h"

namespace aioscope::kioctx {
namespace {

TEST(Sequence, CanBeReadBackFromItsText) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Sequence sequence = generate(seed, {});
    EXPECT_EQ(parse_sequence(to_text(sequence)), sequence) << seed;
  }
}

TEST(Sequence, IsTheSameForTheSameSeedAlone) {
  EXPECT_EQ(generate(7, {}), generate(7, {}));
  EXPECT_NE(generate(7, {}), generate(8, {}));
}

TEST(Sequence, TextThatIsNotACallIsRefused) {
  for (const char* text : {"io_setup", "io_setup #3 nr=1", "io_setup #0 nr=x", "io_setup #0 nr=1x",
                           "io_submit #0 read null 1", "io_submit #0 read null 1@2 own own",
                           "io_submit #0 read nowhere 1@2 own", "io_getevents #0 min=5", "fork #0",
                           "io_destroy #0 twice"}) {
    EXPECT_THROW(parse_sequence(text), std::invalid_argument) << text;
  }
}

// What is generated has all of what it is there to try, often.
TEST(Generator, HasEveryKindOfCallAndRequest) {
  std::array<int, 6> calls{};
  std::array<int, 6> files{};
  std::array<int, 4> buffers{};
  int with_bad_in_the_middle = 0;
  int large_and_good = 0;
  int timeouts = 0;
  int null_events = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const Call& call : generate(seed, {})) {
      ++calls[std::size_t(call.kind)];
      timeouts += call.timeout_ns > 0;
      null_events += call.null_events;
      bool bad = false;
      for (std::size_t i = 0; i < call.requests.size(); ++i) {
        const RequestSpec& request = call.requests[i];
        ++files[std::size_t(request.file)];
        ++buffers[std::size_t(request.buffer)];
        EXPECT_FALSE(fills_memory(request) && request.buffer == Buffer::kUnmapped);
        bad = bad || refused(request);
        with_bad_in_the_middle += refused(request) && i > 0 && i + 1 < call.requests.size();
      }
      large_and_good += call.requests.size() > 128 && !bad;
    }
  }
  for (const int count : calls) EXPECT_GE(count, 50);
  for (const int count : files) EXPECT_GE(count, 500);
  for (const int count : buffers) EXPECT_GE(count, 500);
  EXPECT_GE(with_bad_in_the_middle, 500);
  EXPECT_GE(large_and_good, 200);
  EXPECT_GE(timeouts, 50);
  EXPECT_GE(null_events, 200);
}

// What a read of the real file finds must not depend on which of two requests in flight is first.
TEST(Generator, WritesNoPlaceOfTheRealFileThatIsRead) {
  std::uint64_t first_written = UINT64_MAX;
  std::uint64_t written_end = 0;
  std::vector<RequestSpec> reads;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    for (const Call& call : generate(seed, {})) {
      for (const RequestSpec& request : call.requests) {
        if (request.file != TargetFile::kReal || refused(request) || request.nbytes == 0) continue;
        if (request.operation == Operation::kRead) {
          reads.push_back(request);
        } else {
          first_written = std::min(first_written, request.offset);
          written_end = std::max(written_end, request.offset + request.nbytes);
        }
      }
    }
  }
  ASSERT_GE(reads.size(), 500u);
  ASSERT_LT(first_written, written_end);
  for (const RequestSpec& read : reads) {
    EXPECT_TRUE(read.offset >= written_end || read.offset + read.nbytes <= first_written)
        << read.nbytes << " bytes at " << read.offset;
  }
}

}  // namespace
}  // namespace aioscope::kioctx
