#pragma once

#include <cmath>
#include <cstdint>

namespace aioscope {

// splitmix64 (Steele, Lea, Flood 2014): one multiply-xorshift chain per value, any seed is good.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound), by multiplication (Lemire); the bias is below bound / 2^64.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  // Exponentially distributed with the given mean.
  double exponential(double mean) {
    const double uniform = double((next() >> 11) + 1) * 0x1p-53;  // (0, 1]
    return -mean * std::log(uniform);
  }

 private:
  std::uint64_t state_;
};

}  // namespace aioscope
