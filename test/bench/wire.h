// Big-endian fields of PDUs, CDBs and sense data (RFC 7143 2.3).
#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

inline constexpr std::size_t kHeader = 48;          // basic header segment
inline constexpr std::uint32_t kSegment = 262'144;  // the longest data segment that is used here

inline std::uint64_t get(const std::uint8_t* at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | at[i];
  return value;
}
inline std::uint32_t get32(const std::uint8_t* at) {
  return static_cast<std::uint32_t>(get(at, 4));
}

inline void put(std::uint8_t* at, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) at[i] = static_cast<std::uint8_t>(value >> 8 * (bytes - 1 - i));
}

}  // namespace bench
