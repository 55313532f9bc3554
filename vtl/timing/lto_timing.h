// What a drive of each LTO generation takes its time for, as its maker publishes it.
#pragma once

#include <cstdint>

namespace vtl {

struct LtoTiming {
  std::uint8_t generation;         // of the drive
  std::uint32_t load_s;            // to ready
  std::uint32_t unload_s;          // from the beginning of the tape
  std::uint32_t average_locate_s;  // from the beginning of the tape to somewhere
  std::uint32_t average_rewind_s;  // from somewhere
  std::uint32_t buffer_bytes;
};
const LtoTiming* find_timing(std::uint8_t drive_generation);  // 5 to 9; nullptr: unknown

// Streaming, uncompressed, on a cartridge of this generation; 0: unknown.
std::uint64_t native_rate_bytes_per_s(std::uint8_t cartridge_generation);

}  // namespace vtl
