// What every structure on disk begins with: a magic, a version, room for its checksum; and texts of
// a fixed width. For the encoders and decoders beside this file only.
#pragma once

#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "scsi/bytes.h"
#include "scsi/check.h"
#include "scsi/crc32c.h"
#include "vtl/cartridge/format.h"

namespace vtl::format {

using scsi::ByteReader;
using scsi::Bytes;
using scsi::ByteWriter;
using scsi::MutableBytes;

inline constexpr std::size_t kCrcOffset = 12;  // in every block-sized structure

// The checksum of a structure whose own 4 bytes at `hole` count as zero.
inline std::uint32_t crc_with_hole(Bytes bytes, std::size_t hole, std::uint32_t seed = 0) {
  static constexpr std::array<std::byte, 4> kZeros{};
  std::uint32_t crc = scsi::crc32c(bytes.first(hole), seed);
  crc = scsi::crc32c(kZeros, crc);
  return scsi::crc32c(bytes.subspan(hole + 4), crc);
}

inline void put_crc(MutableBytes bytes, std::size_t hole, std::uint32_t crc) {
  ByteWriter(bytes.subspan(hole)).u32(crc);
}

inline std::uint32_t get_u32(Bytes bytes, std::size_t offset) {
  return ByteReader(bytes.subspan(offset)).u32();
}

inline bool sound(Bytes block, std::string_view magic, std::size_t size) {
  return block.size() >= size && scsi::as_text(block.first(8)) == magic &&
         get_u32(block, kCrcOffset) == crc_with_hole(block.first(size), kCrcOffset);
}

inline ByteWriter& put_text(ByteWriter& w, std::string_view text, std::size_t width) {
  text = text.substr(0, width);
  return w.bytes(scsi::as_bytes(text)).zeros(width - text.size());
}

inline std::string get_text(ByteReader& r, std::size_t width) {
  std::string_view text = scsi::as_text(r.bytes(width));
  return std::string(text.substr(0, text.find('\0')));
}

template <std::size_t N>
std::array<std::byte, N> get_array(ByteReader& r) {
  std::array<std::byte, N> out{};
  const Bytes from = r.bytes(N);
  if (from.size() == N) std::memcpy(out.data(), from.data(), N);
  return out;
}

// Every block-sized structure begins alike: magic, version, room for its checksum.
inline ByteWriter begin_block(MutableBytes block, std::string_view magic, std::uint16_t major,
                              std::uint16_t minor) {
  VTL_CHECK(block.size() == kBlock);
  std::memset(block.data(), 0, block.size());
  ByteWriter w(block);
  w.bytes(scsi::as_bytes(magic)).u16(major).u16(minor).u32(0);
  return w;
}

inline void end_block(MutableBytes block) {
  put_crc(block, kCrcOffset, crc_with_hole(block, kCrcOffset));
}

}  // namespace vtl::format
