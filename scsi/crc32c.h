// CRC32C (Castagnoli; reflected; initial FFFFFFFFh, final complement): iSCSI digests (RFC
// 7143 13.1), logical block protection method 2 (SSC-5), and every checksum on disk.
#pragma once

#include <cstdint>

#include "scsi/bytes.h"

namespace scsi {

// The CRC of `bytes`; with `previous`, of what `previous` covered followed by `bytes`. Any thread.
std::uint32_t crc32c(Bytes bytes, std::uint32_t previous = 0);

}  // namespace scsi
