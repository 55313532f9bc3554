#include "scsi/ssc/partition_layout.h"

#include <algorithm>

namespace scsi::ssc {

namespace {

std::uint64_t all_pairs(const Tape& tape) { return std::max(tape.wraps / 2, 1u); }

// The bytes of so many wraps forth and back.
std::uint64_t bytes_of(const Tape& tape, std::uint64_t pairs) {
  const std::uint64_t all = all_pairs(tape);
  return tape.capacity_bytes / all * pairs + tape.capacity_bytes % all * pairs / all;
}

// The fewest that hold `bytes`, and a partition at all.
std::uint64_t pairs_for(const Tape& tape, std::uint64_t bytes) {
  bytes = std::max(bytes, tape.smallest_partition_bytes);
  const std::uint64_t all = all_pairs(tape);
  std::uint64_t pairs = std::min(bytes / (tape.capacity_bytes / all + 1), all);
  while (pairs < all && bytes_of(tape, pairs) < bytes) ++pairs;
  return std::max<std::uint64_t>(pairs, 1);
}

}  // namespace

Layout lay_out(const Tape& tape, const std::vector<std::uint64_t>& sizes) {
  Layout out;
  out.capacities.resize(sizes.size());
  std::optional<std::size_t> rest;
  std::uint64_t asked = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0 || (sizes[i] == kRestOfMedium && rest)) return {{}, i};
    if (sizes[i] == kRestOfMedium) {
      rest = i;
      continue;
    }
    if (sizes[i] > tape.capacity_bytes - asked) return {{}, i};
    asked += sizes[i];
  }
  // Every size rounds up, so something has to give way: the largest feels it least.
  if (!rest)
    rest = static_cast<std::size_t>(std::max_element(sizes.begin(), sizes.end()) - sizes.begin());
  std::uint64_t left = tape.capacity_bytes;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (i == *rest) continue;
    const std::uint64_t bytes = bytes_of(tape, pairs_for(tape, sizes[i]));
    if (bytes > left || left - bytes < tape.smallest_partition_bytes) return {{}, i};
    out.capacities[i] = bytes;
    left -= bytes;
  }
  out.capacities[*rest] = left;
  return out;
}

std::optional<std::vector<std::uint64_t>> equal_parts(const Tape& tape, std::uint32_t count) {
  std::vector<std::uint64_t> out(count);
  const std::uint64_t pairs = all_pairs(tape);
  for (std::uint32_t i = 0; i < count; ++i)
    out[i] = bytes_of(tape, pairs * (i + 1) / count) - bytes_of(tape, pairs * i / count);
  const std::uint64_t smallest = *std::min_element(out.begin(), out.end());
  if (smallest == 0 || smallest < tape.smallest_partition_bytes) return std::nullopt;
  return out;
}

}  // namespace scsi::ssc
