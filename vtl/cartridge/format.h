// The on-disk format, major 1: every structure of FORMAT.md as a value, with its encoder and
// decoder side by side. Pure functions on memory. Decoders answer nothing when magic or checksum is
// wrong; they never trust a length.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scsi/ssc/medium.h"
#include "vtl/cartridge/cartridge.h"

namespace vtl::format {

inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 0;
inline constexpr std::size_t kBlock =
    4096;  // headers, trailers, slots; what O_DIRECT is aligned to
inline constexpr std::size_t kRecordHeaderBytes = 64;
inline constexpr std::size_t kRecordAlign = 16;
inline constexpr std::uint32_t kMaxPartitions = 4;
inline constexpr std::uint32_t kMaxSegmentObjects = 1u << 20;
inline constexpr std::size_t kMaxStoredBytes = kMaxBlockBytes + 65536;  // with extensions and tag

constexpr std::uint64_t align_up(std::uint64_t x, std::uint64_t a) { return (x + a - 1) / a * a; }

// Feature bits that this version knows; none so far.
inline constexpr std::uint32_t kKnownIncompat = 0;
inline constexpr std::uint32_t kKnownReadOnlyCompat = 0;

// --- CART: the superblock

enum StateFlag : std::uint16_t {
  kClean = 1,
  kWriteProtect = 2,
  kStub = 4,  // its data are on the shelf
  kAppendFailed = 8,
  kRetrievedReadOnly = 16,
};

struct PartitionRow {
  std::uint32_t dirgen = 0;
  std::uint32_t cut_epoch = 0;  // records from cut_lba on with a smaller epoch do not exist
  std::uint64_t cut_lba = 0;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t early_warning_bytes = 0;  // before the end
  std::uint64_t clean_eod = 0;            // the rest: as of the last clean unload
  std::uint64_t clean_filemarks = 0;
  std::uint64_t clean_used = 0;
  std::uint32_t segtab_crc = 0;
  std::uint32_t segtab_entries = 0;
  friend bool operator==(const PartitionRow&, const PartitionRow&) = default;
};

struct Cart {
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  std::uint64_t gen = 0;
  std::uint32_t feat_compat = 0, feat_ro_compat = 0, feat_incompat = 0;
  std::uint32_t segment_mib = 256;
  Uuid uuid{};
  std::string barcode;
  std::uint64_t created_ns = 0;
  std::uint8_t generation = 0, density = 0;
  bool worm = false;
  std::uint8_t partition_count = 1;
  std::uint8_t default_compression = 0, at_rest_encryption = 0;
  std::uint16_t flags = 0;
  std::uint64_t owner_epoch = 0;
  Uuid owner_library{};
  std::uint32_t next_epoch = 1;
  std::uint64_t load_count = 0;
  std::uint64_t worm_floor = 0;
  std::uint64_t full_capacity_bytes = 0;  // before SET CAPACITY; 0: what the partitions have
  std::array<PartitionRow, kMaxPartitions> partitions{};
  std::vector<std::byte> keys =
      std::vector<std::byte>(kKeyAreaBytes);  // count and 16 rows, as they are
  std::uint16_t element_hint = 0;
  std::string library_name;
  std::uint64_t shelf_generation = 0;
  std::array<std::byte, 32> shelf_manifest_sha256{};
  bool cleaning = false;
  std::uint32_t initialization_count = 1;
  std::uint32_t volume_change_reference = 1;
  std::array<scsi::ssc::LoadRecord, 4> last_loads{};
  std::uint64_t bytes_written_life = 0, bytes_read_life = 0;
  std::uint64_t bytes_written_load = 0, bytes_read_load = 0;
  std::uint64_t clean_gen =
      0;  // gen of the slot that the last clean unload wrote; SEGTAB carries the same

  bool has(StateFlag flag) const { return (flags & flag) != 0; }
  void set(StateFlag flag, bool on) {
    flags = static_cast<std::uint16_t>(on ? flags | flag : flags & ~flag);
  }
  static constexpr std::size_t kKeyAreaBytes = 4 + 16 * 112;
};

void encode_cart(const Cart& cart, scsi::MutableBytes slot);  // 4096 bytes
std::optional<Cart> decode_cart(scsi::Bytes slot);
// Whether this version may use it at all; unknown ro_compat bits only protect it from writing.
bool is_compatible(const Cart& cart);

// --- segments

struct SegmentHeader {
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  std::uint32_t feat_incompat = 0;
  std::uint8_t partition = 0;
  std::uint32_t seq = 0;
  std::uint32_t epoch = 0;
  Uuid uuid{};
  std::string barcode;
  std::uint64_t first_lba = 0, first_filemark = 0, base_used = 0;
  std::uint64_t created_ns = 0;
  std::uint8_t generation = 0, density = 0;
  bool worm = false;
  std::uint8_t partition_count = 1;
  std::uint32_t segment_mib = 0;
  std::uint32_t dirgen = 0;
  std::uint64_t capacity_bytes = 0;
  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};
void encode_segment_header(const SegmentHeader& header, scsi::MutableBytes block);  // 4096 bytes
std::optional<SegmentHeader> decode_segment_header(scsi::Bytes block);

// Seeds every record header's checksum, so that a record of another tape, segment or life never
// fits.
std::uint32_t record_salt(const Uuid& uuid, std::uint8_t partition, std::uint32_t seq,
                          std::uint32_t epoch);

enum class RecordType : std::uint8_t {
  kLost = 0,  // in an index only: nothing readable is there
  kData = 1,
  kFilemark = 2,
};

enum RecordFlag : std::uint16_t {
  kCompressed = 1,
  kEncryptedAtRest = 2,
  kEncryptedByHost = 4,
  kHostCrcVerified = 8,
};

struct RecordHeader {
  RecordType type = RecordType::kData;
  std::uint16_t flags = 0;
  std::uint32_t stored_length = 0;
  std::uint64_t lba = 0;
  std::uint32_t logical_length = 0;
  std::uint32_t logical_crc = 0;
  std::uint32_t payload_crc = 0;
  std::uint32_t epoch = 0;
  std::uint64_t filemarks_before = 0;
  std::uint32_t durable_delta = 0;
  std::uint8_t compression = 0;
  std::uint8_t encryption = 0;
  std::uint16_t key_id = 0;
  std::uint32_t extension_length = 0;

  std::uint64_t total_length() const {
    return align_up(kRecordHeaderBytes + stored_length, kRecordAlign);
  }
  friend bool operator==(const RecordHeader&, const RecordHeader&) = default;
};
void encode_record_header(const RecordHeader& header, std::uint32_t salt,
                          scsi::MutableBytes bytes);  // 64 bytes
// Nothing unless magic, checksum, type and lengths are right.
std::optional<RecordHeader> decode_record_header(scsi::Bytes bytes, std::uint32_t salt);
inline constexpr std::uint32_t kRecordMagic = 0x56545231;  // VTR1

// Extension TLVs at the start of a payload: type u16, length u16, value.
enum class ExtensionType : std::uint16_t {
  kKeyAssociatedData = 1,
  kNonce = 2,
  kKeyInstanceHash = 3,
  kReedSolomonProtection = 4,
};

// Dense index entry: offset / 16 (32 bits), logical length (28), type (4).
constexpr std::uint64_t index_entry(std::uint64_t offset, std::uint32_t length, RecordType type) {
  return (offset / kRecordAlign) << 32 | std::uint64_t{length} << 4 |
         static_cast<std::uint64_t>(type);
}
constexpr std::uint64_t index_offset(std::uint64_t entry) { return (entry >> 32) * kRecordAlign; }
constexpr std::uint32_t index_length(std::uint64_t entry) {
  return static_cast<std::uint32_t>(entry >> 4) & 0x0FFFFFFF;
}
constexpr RecordType index_type(std::uint64_t entry) { return static_cast<RecordType>(entry & 15); }

struct Trailer {
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  Uuid uuid{};
  std::uint32_t partition = 0, seq = 0, epoch = 0, last_epoch = 0;
  std::uint64_t first_lba = 0, count = 0, first_filemark = 0, filemarks = 0, base_used = 0;
  std::uint64_t data_end = 0, index_offset = 0;
  std::uint32_t index_crc = 0, filemark_crc = 0, data_crc = 0;
  std::uint64_t sealed_ns = 0;
  std::uint64_t payload_bytes = 0;  // stored payload in this segment
  friend bool operator==(const Trailer&, const Trailer&) = default;
};
void encode_trailer(const Trailer& trailer, scsi::MutableBytes block);  // 4096 bytes
std::optional<Trailer> decode_trailer(scsi::Bytes block);
// Bytes of index, filemark list and trailer together.
constexpr std::uint64_t footer_bytes(std::uint64_t count, std::uint64_t filemarks) {
  return align_up(8 * count + 4 * filemarks, kBlock) + kBlock;
}

// --- DURABLE

// What a partition held when a synchronisation last succeeded.
struct Durable {
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  Uuid uuid{};
  std::uint32_t partition = 0;
  std::uint32_t cut_epoch = 0;  // as in CART then: under another cut this says nothing
  std::uint64_t end_of_data = 0, filemarks = 0, used_bytes = 0;
  friend bool operator==(const Durable&, const Durable&) = default;
};
// One sector: a disk writes it whole or not at all.
inline constexpr std::size_t kDurableBytes = 512;
void encode_durable(const Durable& durable, scsi::MutableBytes sector);
std::optional<Durable> decode_durable(scsi::Bytes sector);

// --- SEGTAB

struct SegtabEntry {
  std::uint32_t seq = 0, epoch = 0;
  std::uint64_t first_lba = 0, count = 0, first_filemark = 0, filemarks = 0, base_used = 0,
                data_end = 0;
  std::uint64_t index_offset = 0;  // 48 bits
  std::uint16_t flags = 1;         // 1 resident, 2 on the shelf
  friend bool operator==(const SegtabEntry&, const SegtabEntry&) = default;
};
struct Segtab {
  std::uint64_t cart_gen = 0;
  std::vector<SegtabEntry> entries;
};
std::vector<std::byte> encode_segtab(const Segtab& table);
std::optional<Segtab> decode_segtab(scsi::Bytes bytes);
std::uint32_t segtab_crc(scsi::Bytes encoded);  // as in its header and in CART

// --- POOL and MAM

struct Pool {
  std::uint16_t major = kMajor;
  std::uint16_t minor = kMinor;
  std::uint32_t feat_compat = 0, feat_ro_compat = 0, feat_incompat = 0;
  Uuid uuid{};
  std::uint64_t created_ns = 0;
  std::array<std::byte, 32> kek_id{};
  friend bool operator==(const Pool&, const Pool&) = default;
};
void encode_pool(const Pool& pool, scsi::MutableBytes block);  // 4096 bytes
std::optional<Pool> decode_pool(scsi::Bytes block);

inline constexpr std::size_t kMamSlotBytes = 65536;
struct MamAttribute {
  std::uint8_t partition = 0;
  scsi::ssc::Attribute attribute;
};
struct Mam {
  std::uint64_t gen = 0;
  std::uint32_t formats = 0;  // that it knows of
  std::vector<MamAttribute> attributes;
};
// The used part of a slot, a multiple of 4096 bytes; nothing if it would not fit into one.
std::optional<std::vector<std::byte>> encode_mam(const Mam& mam);
std::optional<Mam> decode_mam(scsi::Bytes slot);

// --- names

std::string partition_directory(std::uint32_t partition, std::uint32_t dirgen);  // p0.1
std::string segment_name(std::uint32_t seq, std::uint32_t epoch);  // 0000000007-0000000a.seg
struct SegmentName {
  std::uint32_t seq;
  std::uint32_t epoch;
};
std::optional<SegmentName> parse_segment_name(std::string_view name);
struct PartitionName {
  std::uint32_t partition;
  std::uint32_t dirgen;
};
std::optional<PartitionName> parse_partition_directory(std::string_view name);

}  // namespace vtl::format
