#include "bench/workload/pattern.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "bench/workload/random.h"

namespace aioscope {
namespace {

constexpr std::uint64_t kMark = 0x61696f73636f7065;  // "aioscope"
constexpr std::size_t kWords = kPatternSector / sizeof(std::uint64_t);
using Sector = std::array<std::uint64_t, kWords>;

Sector make_sector(std::uint64_t offset, std::uint64_t generation) {
  Sector sector{kMark, offset, generation};
  Random words(offset ^ (generation * 0x9e3779b97f4a7c15));
  for (std::size_t i = 3; i < kWords; ++i) sector[i] = words.next();
  return sector;
}

// Whether the sector is whole and in its place; if so, `generation` says who wrote it.
bool check_sector(const std::byte* data, std::uint64_t offset, std::uint64_t& generation) {
  Sector found;
  std::memcpy(found.data(), data, kPatternSector);
  generation = found[2];
  return found == make_sector(offset, generation);
}

}  // namespace

void fill_pattern(std::span<std::byte> block, std::uint64_t offset, std::uint64_t generation) {
  for (std::size_t i = 0; i + kPatternSector <= block.size(); i += kPatternSector) {
    const Sector sector = make_sector(offset + i, generation);
    std::memcpy(block.data() + i, sector.data(), kPatternSector);
  }
}

bool check_pattern(std::span<const std::byte> block, std::uint64_t offset) {
  std::uint64_t generation;
  for (std::size_t i = 0; i + kPatternSector <= block.size(); i += kPatternSector) {
    if (!check_sector(block.data() + i, offset + i, generation)) return false;
  }
  return true;
}

bool check_pattern_generation(std::span<const std::byte> block, std::uint64_t offset,
                              std::uint64_t generation) {
  std::uint64_t found;
  for (std::size_t i = 0; i + kPatternSector <= block.size(); i += kPatternSector) {
    if (!check_sector(block.data() + i, offset + i, found) || found != generation) return false;
  }
  return true;
}

bool all_zero(std::span<const std::byte> block) {
  return std::ranges::all_of(block, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace aioscope
