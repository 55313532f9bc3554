// Logical block protection (SSC-5): four bytes behind each block by which drive and host
// check what passed between them.
#pragma once

#include <array>
#include <cstdint>

#include "scsi/bytes.h"

namespace scsi {

// The values are those of LOGICAL BLOCK PROTECTION METHOD in mode page 0Ah/F0h and VPD page B5h.
enum class Protection : std::uint8_t {
  kNone = 0,
  kReedSolomon = 1,  // of ECMA-319: LTO-5 and later
  kCrc32c = 2,       // LTO-7 and later
};

inline constexpr std::size_t kProtectionBytes = 4;
// How many bytes follow each block.
constexpr std::uint32_t protection_bytes(Protection method) {
  return method == Protection::kNone ? 0 : std::uint32_t{kProtectionBytes};
}

// The Reed-Solomon CRC of `bytes`; with `previous`, of what `previous` covered followed by `bytes`.
// Any thread.
std::uint32_t reed_solomon_crc(Bytes bytes, std::uint32_t previous = 0);

// A method's check value over `bytes`, or over what `previous` covered and `bytes`. Not for kNone.
std::uint32_t protection_value(Protection method, Bytes bytes, std::uint32_t previous = 0);

// As it goes over the wire: the Reed-Solomon CRC with its first byte first, CRC32C with its last
// byte first.
std::array<std::byte, kProtectionBytes> encode_protection(Protection method, std::uint32_t value);
std::uint32_t decode_protection(Protection method, Bytes bytes);  // the first four

}  // namespace scsi
