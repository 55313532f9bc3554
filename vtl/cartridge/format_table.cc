// FORMAT.md: DURABLE and SEGTAB, which are never needed.
#include "vtl/cartridge/format_block.h"

namespace vtl::format {

namespace {

constexpr std::string_view kDurableMagic = "VTLDURA1";
constexpr std::string_view kSegtabMagic = "VTLSTAB1";
constexpr std::size_t kSegtabHeaderBytes = 32;
constexpr std::size_t kSegtabEntryBytes = 64;

}  // namespace

// --- DURABLE

void encode_durable(const Durable& d, MutableBytes sector) {
  const MutableBytes out = sector.first(kDurableBytes);
  std::memset(out.data(), 0, out.size());
  ByteWriter w(out);
  w.bytes(scsi::as_bytes(kDurableMagic)).u16(d.major).u16(d.minor).u32(0).bytes(d.uuid);
  w.u32(d.partition).u32(d.cut_epoch).u64(d.end_of_data).u64(d.filemarks).u64(d.used_bytes);
  VTL_CHECK(w.ok() && w.position() == 64);
  put_crc(out, kCrcOffset, crc_with_hole(out, kCrcOffset));
}

std::optional<Durable> decode_durable(Bytes sector) {
  if (!sound(sector, kDurableMagic, kDurableBytes)) return std::nullopt;
  ByteReader r(sector);
  Durable d;
  r.skip(8);
  d.major = r.u16();
  d.minor = r.u16();
  r.skip(4);
  d.uuid = get_array<16>(r);
  d.partition = r.u32();
  d.cut_epoch = r.u32();
  d.end_of_data = r.u64();
  d.filemarks = r.u64();
  d.used_bytes = r.u64();
  if (d.major != kMajor) return std::nullopt;
  return d;
}

// --- SEGTAB

std::uint32_t segtab_crc(Bytes encoded) { return crc_with_hole(encoded, 8); }

std::vector<std::byte> encode_segtab(const Segtab& table) {
  std::vector<std::byte> out(kSegtabHeaderBytes + kSegtabEntryBytes * table.entries.size());
  ByteWriter w(out);
  w.bytes(scsi::as_bytes(kSegtabMagic))
      .u32(0)
      .u32(table.entries.size())
      .u64(table.cart_gen)
      .zeros(8);
  for (const SegtabEntry& e : table.entries) {
    w.u32(e.seq).u32(e.epoch).u64(e.first_lba).u64(e.count).u64(e.first_filemark).u64(e.filemarks);
    w.u64(e.base_used).u64(e.data_end).u48(e.index_offset).u16(e.flags);
  }
  VTL_CHECK(w.ok() && w.position() == out.size());
  put_crc(out, 8, segtab_crc(out));
  return out;
}

std::optional<Segtab> decode_segtab(Bytes bytes) {
  if (bytes.size() < kSegtabHeaderBytes || scsi::as_text(bytes.first(8)) != kSegtabMagic ||
      (bytes.size() - kSegtabHeaderBytes) % kSegtabEntryBytes != 0 ||
      get_u32(bytes, 8) != segtab_crc(bytes))
    return std::nullopt;
  ByteReader r(bytes);
  r.skip(12);
  Segtab table;
  if (r.u32() != (bytes.size() - kSegtabHeaderBytes) / kSegtabEntryBytes) return std::nullopt;
  table.cart_gen = r.u64();
  r.skip(8);
  std::uint64_t end = 0;
  while (r.remaining() != 0) {
    SegtabEntry e;
    e.seq = r.u32();
    e.epoch = r.u32();
    e.first_lba = r.u64();
    e.count = r.u64();
    e.first_filemark = r.u64();
    e.filemarks = r.u64();
    e.base_used = r.u64();
    e.data_end = r.u64();
    e.index_offset = r.u48();
    e.flags = r.u16();
    // Searched by LBA, and used as sizes.
    if (e.first_lba < end || e.count > kMaxSegmentObjects || e.filemarks > e.count ||
        e.data_end < kBlock || e.data_end >> 36 != 0)
      return std::nullopt;
    end = e.first_lba + e.count;
    table.entries.push_back(e);
  }
  return table;
}

}  // namespace vtl::format
