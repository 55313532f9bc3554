#include "vtl/cartridge/format.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "scsi/crc32c.h"

namespace vtl::format {
namespace {

using scsi::ByteReader;
using scsi::Bytes;
using scsi::ByteWriter;
using scsi::MutableBytes;

constexpr std::size_t kCrcOffset = 12;  // in every block-sized structure

// The checksum of a structure whose own 4 bytes at `hole` count as zero.
std::uint32_t crc_with_hole(Bytes bytes, std::size_t hole, std::uint32_t seed = 0) {
  static constexpr std::array<std::byte, 4> kZeros{};
  std::uint32_t crc = scsi::crc32c(bytes.first(hole), seed);
  crc = scsi::crc32c(kZeros, crc);
  return scsi::crc32c(bytes.subspan(hole + 4), crc);
}

void put_crc(MutableBytes bytes, std::size_t hole, std::uint32_t crc) {
  ByteWriter(bytes.subspan(hole)).u32(crc);
}

std::uint32_t get_u32(Bytes bytes, std::size_t offset) {
  return ByteReader(bytes.subspan(offset)).u32();
}

bool sound(Bytes block, std::string_view magic, std::size_t size) {
  return block.size() >= size && scsi::as_text(block.first(8)) == magic &&
         get_u32(block, kCrcOffset) == crc_with_hole(block.first(size), kCrcOffset);
}

ByteWriter& put_text(ByteWriter& w, std::string_view text, std::size_t width) {
  text = text.substr(0, width);
  return w.bytes(scsi::as_bytes(text)).zeros(width - text.size());
}

std::string get_text(ByteReader& r, std::size_t width) {
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
ByteWriter begin_block(MutableBytes block, std::string_view magic, std::uint16_t major,
                       std::uint16_t minor) {
  VTL_CHECK(block.size() == kBlock);
  std::memset(block.data(), 0, block.size());
  ByteWriter w(block);
  w.bytes(scsi::as_bytes(magic)).u16(major).u16(minor).u32(0);
  return w;
}

void end_block(MutableBytes block) { put_crc(block, kCrcOffset, crc_with_hole(block, kCrcOffset)); }

constexpr std::string_view kCartMagic = "VTLCART1";
constexpr std::string_view kSegmentMagic = "VTLSEG01";
constexpr std::string_view kTrailerMagic = "VTLTRL01";
constexpr std::string_view kDurableMagic = "VTLDURA1";
constexpr std::string_view kSegtabMagic = "VTLSTAB1";
constexpr std::string_view kPoolMagic = "VTLPOOL1";
constexpr std::string_view kMamMagic = "VTLMAM01";
constexpr std::size_t kSegtabHeaderBytes = 32;
constexpr std::size_t kSegtabEntryBytes = 64;
constexpr std::size_t kMamHeaderBytes = 32;

}  // namespace

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

// --- segment header

void encode_segment_header(const SegmentHeader& h, MutableBytes block) {
  ByteWriter w = begin_block(block, kSegmentMagic, h.major, h.minor);
  w.u32(h.feat_incompat).u8(h.partition).zeros(3).u32(h.seq).u32(h.epoch).bytes(h.uuid);
  put_text(w, h.barcode, 32);
  w.u64(h.first_lba).u64(h.first_filemark).u64(h.base_used).u64(h.created_ns);
  w.u8(h.generation).u8(h.density).u8(h.worm).u8(h.partition_count);
  w.u32(h.segment_mib).u32(h.dirgen).zeros(4).u64(h.capacity_bytes);
  VTL_CHECK(w.ok() && w.position() == 136);
  end_block(block);
}

std::optional<SegmentHeader> decode_segment_header(Bytes block) {
  if (!sound(block, kSegmentMagic, kBlock)) return std::nullopt;
  ByteReader r(block);
  SegmentHeader h;
  r.skip(8);
  h.major = r.u16();
  h.minor = r.u16();
  r.skip(4);
  h.feat_incompat = r.u32();
  h.partition = r.u8();
  r.skip(3);
  h.seq = r.u32();
  h.epoch = r.u32();
  h.uuid = get_array<16>(r);
  h.barcode = get_text(r, 32);
  h.first_lba = r.u64();
  h.first_filemark = r.u64();
  h.base_used = r.u64();
  h.created_ns = r.u64();
  h.generation = r.u8();
  h.density = r.u8();
  h.worm = r.u8() != 0;
  h.partition_count = r.u8();
  h.segment_mib = r.u32();
  h.dirgen = r.u32();
  r.skip(4);
  h.capacity_bytes = r.u64();
  return h;
}

// --- records

namespace {
constexpr std::size_t kRecordCrcOffset = 8;
}

std::uint32_t record_salt(const Uuid& uuid, std::uint8_t partition, std::uint32_t seq,
                          std::uint32_t epoch) {
  std::array<std::byte, 25> bytes{};
  ByteWriter(bytes).bytes(uuid).u8(partition).u32(seq).u32(epoch);
  return scsi::crc32c(bytes);
}

void encode_record_header(const RecordHeader& h, std::uint32_t salt, MutableBytes bytes) {
  const MutableBytes out = bytes.first(kRecordHeaderBytes);
  ByteWriter w(out);
  w.u32(kRecordMagic)
      .u8(static_cast<std::uint8_t>(h.type))
      .u8(kRecordHeaderBytes / 16)
      .u16(h.flags);
  w.u32(0).u32(h.stored_length).u64(h.lba).u32(h.logical_length).u32(h.logical_crc);
  w.u32(h.payload_crc).u32(h.epoch).u64(h.filemarks_before).u32(h.durable_delta);
  w.u8(h.compression).u8(h.encryption).u16(h.key_id).u32(h.extension_length).u32(0);
  put_crc(out, kRecordCrcOffset, scsi::crc32c(out, salt));  // its own field is zero just now
}

std::optional<RecordHeader> decode_record_header(Bytes bytes, std::uint32_t salt) {
  if (bytes.size() < kRecordHeaderBytes || get_u32(bytes, 0) != kRecordMagic) return std::nullopt;
  const Bytes in = bytes.first(kRecordHeaderBytes);
  if (get_u32(in, kRecordCrcOffset) != crc_with_hole(in, kRecordCrcOffset, salt))
    return std::nullopt;
  ByteReader r(in);
  RecordHeader h;
  r.skip(4);
  const std::uint8_t type = r.u8();
  const std::uint8_t length16 = r.u8();
  h.flags = r.u16();
  r.skip(4);
  h.stored_length = r.u32();
  h.lba = r.u64();
  h.logical_length = r.u32();
  h.logical_crc = r.u32();
  h.payload_crc = r.u32();
  h.epoch = r.u32();
  h.filemarks_before = r.u64();
  h.durable_delta = r.u32();
  h.compression = r.u8();
  h.encryption = r.u8();
  h.key_id = r.u16();
  h.extension_length = r.u32();
  if (length16 != kRecordHeaderBytes / 16 || h.stored_length > kMaxStoredBytes ||
      h.extension_length > h.stored_length)
    return std::nullopt;
  if (type == static_cast<std::uint8_t>(RecordType::kData)) {
    h.type = RecordType::kData;
    if (h.logical_length == 0 || h.logical_length > kMaxBlockBytes) return std::nullopt;
  } else if (type == static_cast<std::uint8_t>(RecordType::kFilemark)) {
    h.type = RecordType::kFilemark;
    if (h.logical_length != 0) return std::nullopt;
  } else {
    return std::nullopt;
  }
  return h;
}

// --- trailer

void encode_trailer(const Trailer& t, MutableBytes block) {
  ByteWriter w = begin_block(block, kTrailerMagic, t.major, t.minor);
  w.bytes(t.uuid).u32(t.partition).u32(t.seq).u32(t.epoch).u32(t.last_epoch);
  w.u64(t.first_lba).u64(t.count).u64(t.first_filemark).u64(t.filemarks).u64(t.base_used);
  w.u64(t.data_end).u64(t.index_offset).u32(t.index_crc).u32(t.filemark_crc).u32(t.data_crc);
  w.u64(t.sealed_ns).u64(t.payload_bytes);
  VTL_CHECK(w.ok() && w.position() == 132);
  end_block(block);
}

std::optional<Trailer> decode_trailer(Bytes block) {
  if (!sound(block, kTrailerMagic, kBlock)) return std::nullopt;
  ByteReader r(block);
  Trailer t;
  r.skip(8);
  t.major = r.u16();
  t.minor = r.u16();
  r.skip(4);
  t.uuid = get_array<16>(r);
  t.partition = r.u32();
  t.seq = r.u32();
  t.epoch = r.u32();
  t.last_epoch = r.u32();
  t.first_lba = r.u64();
  t.count = r.u64();
  t.first_filemark = r.u64();
  t.filemarks = r.u64();
  t.base_used = r.u64();
  t.data_end = r.u64();
  t.index_offset = r.u64();
  t.index_crc = r.u32();
  t.filemark_crc = r.u32();
  t.data_crc = r.u32();
  t.sealed_ns = r.u64();
  t.payload_bytes = r.u64();
  // What follows is used as sizes and offsets.
  if (t.count > kMaxSegmentObjects || t.filemarks > t.count || t.data_end < kBlock ||
      t.data_end % kBlock != 0 || t.index_offset != t.data_end || t.data_end >> 36 != 0)
    return std::nullopt;
  return t;
}

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

// --- names

namespace {
template <class T>
bool parse_number(std::string_view text, int base, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size();
}
}  // namespace

std::string partition_directory(std::uint32_t partition, std::uint32_t dirgen) {
  return fmt::format("p{}.{}", partition, dirgen);
}

std::string segment_name(std::uint32_t seq, std::uint32_t epoch) {
  return fmt::format("{:010}-{:08x}.seg", seq, epoch);
}

std::optional<SegmentName> parse_segment_name(std::string_view name) {
  SegmentName out{};
  if (name.size() != 23 || name[10] != '-' || name.substr(19) != ".seg" ||
      !parse_number(name.substr(0, 10), 10, out.seq) ||
      !parse_number(name.substr(11, 8), 16, out.epoch))
    return std::nullopt;
  return out;
}

std::optional<PartitionName> parse_partition_directory(std::string_view name) {
  PartitionName out{};
  const std::size_t dot = name.find('.');
  if (name.empty() || name[0] != 'p' || dot == std::string_view::npos ||
      !parse_number(name.substr(1, dot - 1), 10, out.partition) ||
      !parse_number(name.substr(dot + 1), 10, out.dirgen))
    return std::nullopt;
  return out;
}

}  // namespace vtl::format
