// Blocks under a host's key: AES-256-GCM (FORMAT.md, "Encryption by the host"). The only file of
// the room, with its .cc, that knows Crypto++. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "scsi/ssc/medium.h"
#include "vtl/cartridge/format.h"

namespace vtl {

inline constexpr std::size_t kNonceBytes = 12;
inline constexpr std::size_t kTagBytes = 16;
// Before the block itself, sealed with it: its CRC32C and its Reed-Solomon value.
inline constexpr std::size_t kInnerBytes = 8;

// What sealing adds to a block.
std::uint32_t sealing_overhead(const scsi::ssc::Encryption& encryption);

// What is sealed: the fields of a record header that reading needs, and what was put before the
// block.
struct SealedBlock {
  std::uint16_t flags = 0;  // format::RecordFlag
  std::uint8_t compression = 0;
  std::uint32_t logical_length = 0;
  std::uint32_t logical_crc = 0, reed_solomon = 0;
};

// Extensions, ciphertext and tag into `out`: sealing_overhead() longer than `stored`, which may lie
// in it where the ciphertext goes, at `stored_offset`. Returns the length of the extensions.
std::size_t stored_offset(const scsi::ssc::Encryption& encryption);
std::uint32_t seal(const scsi::ssc::Encryption& encryption, const SealedBlock& block,
                   std::array<std::byte, kNonceBytes> nonce, scsi::Bytes stored,
                   scsi::MutableBytes out);
// Takes it apart: `payload` is a record's, `out` gets the block as it was stored. False: it is not
// what was sealed under this key.
bool unseal(const scsi::ssc::Encryption& encryption, std::uint32_t extension_length,
            scsi::Bytes payload, SealedBlock& block, std::vector<std::byte>& out);

// Why such a record is not to be read with these parameters (nullptr: none), as far as its header
// and extensions tell.
scsi::ssc::CipherRefusal cipher_refusal(const scsi::ssc::Encryption* encryption,
                                        std::uint16_t flags, scsi::Bytes extensions);

std::vector<scsi::ssc::KeyAssociatedData> associated_data(scsi::Bytes extensions);

// What raw reading gives of a record, and writing in external mode takes.
std::vector<std::byte> raw_block(const format::RecordHeader& header, scsi::Bytes payload);
struct RawBlock {
  SealedBlock block;
  std::uint32_t extension_length = 0;
  scsi::Bytes payload;
};
std::optional<RawBlock> parse_raw_block(scsi::Bytes bytes);
inline constexpr std::size_t kRawHeaderBytes = 16;

}  // namespace vtl
