// The data pattern of --verify.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace aioscope {

// Each sector of 512 bytes carries a mark, its own byte offset, a generation, and words derived
// from the two: a sector is either whole or not, and says where it belongs and who wrote it.
// Generation 0 is what a file is made with; every repetition that writes has one of its own.
constexpr std::size_t kPatternSector = 512;

// `block` is a whole number of sectors.
void fill_pattern(std::span<std::byte> block, std::uint64_t offset, std::uint64_t generation);

// Whether every sector of the block is whole and belongs at its place, whatever its generation.
bool check_pattern(std::span<const std::byte> block, std::uint64_t offset);

// As check_pattern, and written by this generation.
bool check_pattern_generation(std::span<const std::byte> block, std::uint64_t offset,
                              std::uint64_t generation);

bool all_zero(std::span<const std::byte> block);

}  // namespace aioscope
