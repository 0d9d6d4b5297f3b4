// Figures over one repetition. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace aioscope {

// Jain's fairness index (sum x)^2 / (n * sum x^2): 1 when all are equal, 1/n when one has all.
// R. Jain, D. Chiu, W. Hawe, "A quantitative measure of fairness and discrimination", 1984.
// 1 for an empty or all-zero span.
double jain_index(std::span<const std::uint64_t> shares);

// Smallest over largest share; 1 for an empty or all-zero span.
double min_over_max(std::span<const std::uint64_t> shares);

struct SteadyState {
  double drift = 0;    // (mean of the second half - mean of the first half) / mean of all
  bool steady = true;  // |drift| <= 10 %, or within 3 standard errors of the difference
};
// Fewer than four slices tell nothing: drift 0, steady.
SteadyState steady_state(std::span<const double> slices);

// Throughput slices of bounded number, whatever the length of the run: when `kMostSlices` are full,
// neighbours are merged and a slice becomes twice as long.
class SliceRecorder {
 public:
  static constexpr std::size_t kMostSlices = 512;

  explicit SliceRecorder(std::uint64_t slice_ns) : slice_ns_(slice_ns) {}

  // `operations` were completed in the `elapsed_ns` since the last call, about one base slice.
  void add(std::uint64_t operations, std::uint64_t elapsed_ns);

  std::uint64_t slice_ns() const { return slice_ns_; }
  std::vector<double> operations_per_s() const;

 private:
  struct Slice {
    std::uint64_t operations;
    std::uint64_t elapsed_ns;
  };
  std::uint64_t slice_ns_;
  std::uint32_t additions_per_slice_ = 1;
  std::uint32_t additions_ = 0;  // already in the last slice
  std::vector<Slice> slices_;
};

}  // namespace aioscope
