// FORMAT.md: POOL, CART and MAM - what a pool and a cartridge are.
#include "vtl/cartridge/format_block.h"

namespace vtl::format {

namespace {

constexpr std::string_view kPoolMagic = "VTLPOOL1";
constexpr std::string_view kCartMagic = "VTLCART1";
constexpr std::string_view kMamMagic = "VTLMAM01";
constexpr std::size_t kMamHeaderBytes = 32;

}  // namespace

// --- POOL

void encode_pool(const Pool& p, MutableBytes block) {
  ByteWriter w = begin_block(block, kPoolMagic, p.major, p.minor);
  w.u32(p.feat_compat).u32(p.feat_ro_compat).u32(p.feat_incompat).zeros(4);
  w.bytes(p.uuid).u64(p.created_ns).bytes(p.kek_id);
  VTL_CHECK(w.ok() && w.position() == 88);
  end_block(block);
}

std::optional<Pool> decode_pool(Bytes block) {
  if (!sound(block, kPoolMagic, kBlock)) return std::nullopt;
  ByteReader r(block);
  Pool p;
  r.skip(8);
  p.major = r.u16();
  p.minor = r.u16();
  r.skip(4);
  p.feat_compat = r.u32();
  p.feat_ro_compat = r.u32();
  p.feat_incompat = r.u32();
  r.skip(4);
  p.uuid = get_array<16>(r);
  p.created_ns = r.u64();
  p.kek_id = get_array<32>(r);
  return p;
}

// --- CART

void encode_cart(const Cart& c, MutableBytes slot) {
  ByteWriter w = begin_block(slot, kCartMagic, c.major, c.minor);
  w.u64(c.gen).u32(c.feat_compat).u32(c.feat_ro_compat).u32(c.feat_incompat).u32(c.segment_mib);
  w.bytes(c.uuid);
  put_text(w, c.barcode, 32);
  w.u64(c.created_ns).u8(c.generation).u8(c.density).u8(c.worm).u8(c.partition_count);
  w.u8(c.default_compression).u8(c.at_rest_encryption).u16(c.flags).u64(c.owner_epoch);
  w.bytes(c.owner_library).u32(c.next_epoch).zeros(4).u64(c.load_count).u64(c.worm_floor);
  w.u64(c.full_capacity_bytes);
  VTL_CHECK(w.position() == 160);
  for (const PartitionRow& p : c.partitions) {
    w.u32(p.dirgen)
        .u32(p.cut_epoch)
        .u64(p.cut_lba)
        .u64(p.capacity_bytes)
        .u64(p.early_warning_bytes);
    w.u64(p.clean_eod).u64(p.clean_filemarks).u64(p.clean_used);
    w.u32(p.segtab_crc).u32(p.segtab_entries);
  }
  VTL_CHECK(w.position() == 416 && c.keys.size() == Cart::kKeyAreaBytes);
  w.bytes(c.keys);
  VTL_CHECK(w.position() == 2212);
  w.u16(c.element_hint).zeros(2);
  put_text(w, c.library_name, 64);
  w.u64(c.shelf_generation).bytes(c.shelf_manifest_sha256);
  w.u8(c.cleaning).zeros(3).u32(c.initialization_count).u32(c.volume_change_reference).zeros(4);
  for (const scsi::ssc::LoadRecord& load : c.last_loads) {
    put_text(w, load.vendor, 8);
    put_text(w, load.serial, 32);
  }
  w.u64(c.bytes_written_life)
      .u64(c.bytes_read_life)
      .u64(c.bytes_written_load)
      .u64(c.bytes_read_load);
  w.u64(c.clean_gen);
  VTL_CHECK(w.ok());
  end_block(slot);
}

std::optional<Cart> decode_cart(Bytes slot) {
  if (!sound(slot, kCartMagic, kBlock)) return std::nullopt;
  ByteReader r(slot.first(kBlock));
  Cart c;
  r.skip(8);
  c.major = r.u16();
  c.minor = r.u16();
  r.skip(4);
  c.gen = r.u64();
  c.feat_compat = r.u32();
  c.feat_ro_compat = r.u32();
  c.feat_incompat = r.u32();
  c.segment_mib = r.u32();
  c.uuid = get_array<16>(r);
  c.barcode = get_text(r, 32);
  c.created_ns = r.u64();
  c.generation = r.u8();
  c.density = r.u8();
  c.worm = r.u8() != 0;
  c.partition_count = r.u8();
  c.default_compression = r.u8();
  c.at_rest_encryption = r.u8();
  c.flags = r.u16();
  c.owner_epoch = r.u64();
  c.owner_library = get_array<16>(r);
  c.next_epoch = r.u32();
  r.skip(4);
  c.load_count = r.u64();
  c.worm_floor = r.u64();
  c.full_capacity_bytes = r.u64();
  for (PartitionRow& p : c.partitions) {
    p.dirgen = r.u32();
    p.cut_epoch = r.u32();
    p.cut_lba = r.u64();
    p.capacity_bytes = r.u64();
    p.early_warning_bytes = r.u64();
    p.clean_eod = r.u64();
    p.clean_filemarks = r.u64();
    p.clean_used = r.u64();
    p.segtab_crc = r.u32();
    p.segtab_entries = r.u32();
  }
  const Bytes keys = r.bytes(Cart::kKeyAreaBytes);
  c.keys.assign(keys.begin(), keys.end());
  c.element_hint = r.u16();
  r.skip(2);
  c.library_name = get_text(r, 64);
  c.shelf_generation = r.u64();
  c.shelf_manifest_sha256 = get_array<32>(r);
  c.cleaning = r.u8() != 0;
  r.skip(3);
  c.initialization_count = r.u32();
  c.volume_change_reference = r.u32();
  r.skip(4);
  for (scsi::ssc::LoadRecord& load : c.last_loads) {
    load.vendor = get_text(r, 8);
    load.serial = get_text(r, 32);
  }
  c.bytes_written_life = r.u64();
  c.bytes_read_life = r.u64();
  c.bytes_written_load = r.u64();
  c.bytes_read_load = r.u64();
  c.clean_gen = r.u64();
  return c;
}

bool is_compatible(const Cart& c) {
  return c.major == kMajor && (c.feat_incompat & ~kKnownIncompat) == 0;
}

// --- MAM

std::optional<std::vector<std::byte>> encode_mam(const Mam& mam) {
  std::size_t length = 0;
  for (const MamAttribute& a : mam.attributes) {
    if (a.attribute.value.size() > 0xFFFF) return std::nullopt;
    length += 6 + a.attribute.value.size();
  }
  const std::size_t used = kMamHeaderBytes + length;
  if (used > kMamSlotBytes) return std::nullopt;
  std::vector<std::byte> out(align_up(used, kBlock));
  ByteWriter w(out);
  w.bytes(scsi::as_bytes(kMamMagic)).u16(kMajor).u16(kMinor).u32(0).u64(mam.gen).u32(length);
  w.u32(mam.formats);
  for (const MamAttribute& a : mam.attributes) {
    w.u8(a.partition).u8(a.attribute.format).u16(a.attribute.id).u16(a.attribute.value.size());
    w.bytes(a.attribute.value);
  }
  VTL_CHECK(w.ok() && w.position() == used);
  put_crc(out, kCrcOffset, crc_with_hole(Bytes(out).first(used), kCrcOffset));
  return out;
}

std::optional<Mam> decode_mam(Bytes slot) {
  if (slot.size() < kMamHeaderBytes || scsi::as_text(slot.first(8)) != kMamMagic)
    return std::nullopt;
  ByteReader header(slot);
  header.skip(8);
  const std::uint16_t major = header.u16();
  header.skip(6);
  Mam mam;
  mam.gen = header.u64();
  const std::size_t length = header.u32();
  mam.formats = header.u32();
  if (major != kMajor || length > slot.size() - kMamHeaderBytes) return std::nullopt;
  if (get_u32(slot, kCrcOffset) != crc_with_hole(slot.first(kMamHeaderBytes + length), kCrcOffset))
    return std::nullopt;
  ByteReader r(slot.subspan(kMamHeaderBytes, length));
  while (r.remaining() != 0) {
    MamAttribute a;
    a.partition = r.u8();
    a.attribute.format = r.u8();
    a.attribute.id = r.u16();
    const Bytes value = r.bytes(r.u16());
    if (!r.ok()) return std::nullopt;
    a.attribute.value.assign(value.begin(), value.end());
    mam.attributes.push_back(std::move(a));
  }
  return mam;
}

}  // namespace vtl::format
