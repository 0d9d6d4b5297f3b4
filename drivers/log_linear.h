// Buckets of a histogram over a wide range, narrow at both ends.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace aioscope {

// Values from 0 to 2^kValueBits - 1; larger ones belong to the last bucket.
//
// Below 2^kSubBucketBits each value has a bucket of its own. Above, each power of two is cut into
// 2^kSubBucketBits equal buckets, so that a bucket is at most 1/2^kSubBucketBits of its lower bound
// wide.
template <unsigned kSubBucketBits, unsigned kValueBits>
struct LogLinear {
  static constexpr std::size_t kSubBuckets = std::size_t{1} << kSubBucketBits;
  static constexpr std::size_t kBuckets = (kValueBits - kSubBucketBits + 1) * kSubBuckets;

  static constexpr std::size_t bucket_of(std::uint64_t value) {
    if (value < kSubBuckets) return value;
    const unsigned exponent = unsigned(std::bit_width(value)) - 1;
    if (exponent >= kValueBits) return kBuckets - 1;
    const unsigned shift = exponent - kSubBucketBits;
    return ((std::size_t{shift} + 1) << kSubBucketBits) + (value >> shift) - kSubBuckets;
  }
  // The smallest value of a bucket; of kBuckets, the first that is too large.
  static constexpr std::uint64_t low(std::size_t bucket) {
    if (bucket < kSubBuckets) return bucket;
    const std::size_t shift = (bucket >> kSubBucketBits) - 1;
    return (kSubBuckets + (bucket & (kSubBuckets - 1))) << shift;
  }
};

}  // namespace aioscope
