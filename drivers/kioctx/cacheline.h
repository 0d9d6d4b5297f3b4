#pragma once

#include <cstddef>

namespace aioscope::kioctx {

// What two CPUs must not share when one of them writes. The kernel's SMP_CACHE_BYTES on x86-64.
inline constexpr std::size_t kCacheline = 64;

}  // namespace aioscope::kioctx
