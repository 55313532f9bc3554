#include "vtl/timing/lto_timing.h"

namespace vtl {

namespace {

// IBM, "Performance specifications for LTO tape drives" (full height; rewind of LTO-5 and LTO-6 is
// not given and taken to be as long as locating). Buffers: nominal, of the usual order.
constexpr std::uint32_t kMb = 1'000'000;
constexpr LtoTiming kTimings[] = {
    {5, 12, 17, 60, 60, 256 * kMb},  {6, 12, 17, 62, 62, 512 * kMb},
    {7, 15, 20, 56, 60, 1000 * kMb}, {8, 15, 24, 59, 59, 1000 * kMb},
    {9, 17, 30, 45, 55, 1000 * kMb},
};

// MB/s by generation of the cartridge, from LTO-1 on.
constexpr std::uint32_t kNativeRateMbPerS[] = {20, 40, 80, 120, 140, 160, 300, 360, 400, 400};

}  // namespace

const LtoTiming* find_timing(std::uint8_t drive_generation) {
  for (const LtoTiming& timing : kTimings)
    if (timing.generation == drive_generation) return &timing;
  return nullptr;
}

std::uint64_t native_rate_bytes_per_s(std::uint8_t generation) {
  if (generation < 1 || generation > sizeof kNativeRateMbPerS / sizeof *kNativeRateMbPerS) return 0;
  return std::uint64_t{kNativeRateMbPerS[generation - 1u]} * kMb;
}

}  // namespace vtl
