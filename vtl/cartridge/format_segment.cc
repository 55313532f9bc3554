// FORMAT.md: a segment - its header, its records, its trailer.
#include "vtl/cartridge/format_block.h"

namespace vtl::format {

namespace {

constexpr std::string_view kSegmentMagic = "VTLSEG01";
constexpr std::string_view kTrailerMagic = "VTLTRL01";

}  // namespace

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

void put_extension(std::vector<std::byte>& to, ExtensionType type, Bytes value) {
  scsi::ByteBuilder out;
  out.u16(static_cast<std::uint16_t>(type)).u16(value.size());
  to.insert(to.end(), out.view().begin(), out.view().end());
  to.insert(to.end(), value.begin(), value.end());
}

std::optional<Bytes> find_extension(Bytes extensions, ExtensionType type) {
  for (ByteReader r(extensions); r.remaining() != 0;) {
    const std::uint16_t found = r.u16();
    const Bytes value = r.bytes(r.u16());
    if (!r.ok()) break;
    if (found == static_cast<std::uint16_t>(type)) return value;
  }
  return std::nullopt;
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

}  // namespace vtl::format
