// Compression of single blocks. A block is stored compressed only where that pays; the record says
// which way.
#pragma once

#include <cstddef>
#include <cstdint>

#include "scsi/bytes.h"

namespace vtl {

enum class Compression : std::uint8_t { kNone = 0, kLz4 = 1, kZstd = 2 };  // as in a record header

// Compresses `block` into `out`, which holds at least block.size() bytes. The length of the result,
// or 0 when it does not shrink to 97 % of the block: then the block is stored as it is. Any thread.
std::size_t compress(Compression algorithm, scsi::Bytes block, scsi::MutableBytes out);

// Whether `stored` is a block of exactly out.size() bytes compressed by `algorithm`; it is in `out`
// then.
bool decompress(std::uint8_t algorithm, scsi::Bytes stored, scsi::MutableBytes out);

// A block as its record will hold it.
struct CodedBlock {
  std::uint32_t logical_length = 0;  // of the block itself, and its CRC32C
  std::uint32_t logical_crc = 0;
  Compression compression = Compression::kNone;  // what was worth it
  scsi::Bytes payload;                           // in the block or in `scratch`
  std::uint32_t payload_crc = 0;
};
// `scratch` holds at least block.size() bytes where there is to be compression. Any thread.
CodedBlock code_block(Compression algorithm, scsi::Bytes block, scsi::MutableBytes scratch);

}  // namespace vtl
