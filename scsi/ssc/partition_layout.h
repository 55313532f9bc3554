// How a cartridge is divided into partitions: from what mode page 11h asks for to bytes. Nothing
// but numbers.
//
// A partition begins at the beginning of the tape, so it has an even number of wraps: sizes are
// rounded up to that, and one partition takes what is left.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace scsi::ssc {

inline constexpr std::uint64_t kRestOfMedium = ~std::uint64_t{0};

struct Tape {
  std::uint64_t capacity_bytes = 0;  // of all partitions together
  std::uint32_t wraps = 2;
  std::uint64_t smallest_partition_bytes = 1;
};

struct Layout {
  std::vector<std::uint64_t> capacities;  // bytes; their sum is the tape's capacity
  // Otherwise the first size that cannot be had: 0, the second "rest", or more than there is.
  std::optional<std::size_t> refused;
};
// `sizes` in bytes, at most one of them kRestOfMedium; without one the largest takes what is left.
Layout lay_out(const Tape& tape, const std::vector<std::uint64_t>& sizes);
// `count` partitions, as equal as wraps allow; none where they would be too small.
std::optional<std::vector<std::uint64_t>> equal_parts(const Tape& tape, std::uint32_t count);

}  // namespace scsi::ssc
