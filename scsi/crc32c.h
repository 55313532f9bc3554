// CRC32C (Castagnoli; reflected; initial FFFFFFFFh, final complement): iSCSI digests (RFC
// 7143 13.1), logical block protection method 2 (SSC-5), and every checksum on disk.
#pragma once

#include <cstdint>

#include "scsi/bytes.h"

namespace scsi {

// The CRC of `bytes`; with `previous`, of what `previous` covered followed by `bytes`. Any thread.
std::uint32_t crc32c(Bytes bytes, std::uint32_t previous = 0);

// The CRC of what `first` covered followed by `second_length` bytes that `second` covers, without
// looking at any of them: some hundred nanoseconds at most, so worth it from 16 KiB on. Any thread.
std::uint32_t crc32c_join(std::uint32_t first, std::uint32_t second, std::uint32_t second_length);

}  // namespace scsi
