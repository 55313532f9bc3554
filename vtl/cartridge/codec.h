// Compression of single blocks. A block is stored compressed only where that pays; the record says
// which way.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "scsi/ssc/medium.h"

namespace vtl {

enum class Compression : std::uint8_t { kNone = 0, kLz4 = 1, kZstd = 2 };  // as in a record header

// Compresses `block` into `out`, which holds at least block.size() bytes. The length of the result,
// or 0 when it does not shrink to 97 % of the block: then the block is stored as it is. Any thread.
std::size_t compress(Compression algorithm, scsi::Bytes block, scsi::MutableBytes out);

// Whether `stored` is a block of exactly out.size() bytes compressed by `algorithm`; it is in `out`
// then.
bool decompress(std::uint8_t algorithm, scsi::Bytes stored, scsi::MutableBytes out);

// What becomes of the blocks of a run.
struct BlockForm {
  Compression compression = Compression::kNone;
  scsi::Protection protection = scsi::Protection::kNone;    // its four bytes follow each block
  std::shared_ptr<const scsi::ssc::Encryption> encryption;  // null, or with a mode of writing

  bool encrypts() const {
    return encryption != nullptr && encryption->write == scsi::ssc::Encryption::Write::kEncrypt;
  }
  bool external() const {
    return encryption != nullptr && encryption->write == scsi::ssc::Encryption::Write::kExternal;
  }
  // From the start of a block of `length` bytes to that of the next.
  std::size_t stride(std::size_t length) const {
    return length + scsi::protection_bytes(protection);
  }
  // How much longer than the block its stored payload may be.
  std::uint32_t overhead() const;
};

// A block as its record will hold it.
struct CodedBlock {
  std::uint32_t logical_length = 0;  // of the block itself, and its CRC32C
  std::uint32_t logical_crc = 0;
  std::uint16_t flags = 0;                    // format::RecordFlag
  std::optional<std::uint32_t> reed_solomon;  // the host's own value, where it is to be kept apart
  Compression compression = Compression::kNone;  // what was worth it
  scsi::Bytes payload;                           // in the block or in `scratch`
  std::uint32_t extension_length = 0;            // of what is at its start
  std::uint32_t payload_crc = 0;
};
// Fills the span with random numbers; on any thread.
using RandomBytes = std::function<void(scsi::MutableBytes)>;

// `block` is followed by its protection, if it has one. `scratch` holds at least block.size() bytes
// and the overhead where there is to be compression or encryption. Any thread.
CodedBlock code_block(const BlockForm& form, scsi::Bytes block, scsi::MutableBytes scratch,
                      const RandomBytes& random);

}  // namespace vtl
