// Cartridges on disk, seen from outside a drive: making, listing, protecting, deleting, checking,
// and reading or writing one from end to end without a drive. FORMAT.md is the layout.
//
// Everything here blocks: tools, strands and start-up only. A cartridge that is loaded elsewhere
// answers EAGAIN. Nothing here takes the time or random numbers from the system; callers pass both
// in.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "scsi/ssc/medium.h"
#include "vtl/cartridge/file.h"

namespace vtl {

using Uuid = std::array<std::byte, 16>;
// 16 random bytes made into a version 4 UUID.
Uuid make_uuid(std::array<std::byte, 16> random);
std::string to_string(const Uuid& uuid);

// --- the pool: a directory with POOL, carts/ and trash/

struct PoolSpec {
  Uuid uuid{};
  std::uint64_t created_ns = 0;  // unix time
};
// Makes the directory (its parent must exist) and what belongs in it. EEXIST when it is a pool
// already.
Status create_pool(FileSystem& files, const std::string& pool_dir, const PoolSpec& spec);
// ENOENT: not a pool. EPROTONOSUPPORT: made by a newer version.
Result<PoolSpec> read_pool(FileSystem& files, const std::string& pool_dir);
// Removes what deleting and overwriting has put aside. Slow for large cartridges: not on a drive's
// strand. ECANCELED when it was told to stop, between two files.
Status empty_trash(FileSystem& files, const std::string& pool_dir, std::stop_token stop = {});

// The free space below which every tape in a pool reports early warning: what is configured, or by
// the file system's size.
std::uint64_t low_water(std::uint64_t configured_bytes, std::uint64_t total_bytes);

std::string cartridge_directory(const std::string& pool_dir, std::string_view barcode);
// Barcodes of all cartridges, sorted. Directories without a cartridge in them are listed too.
Result<std::vector<std::string>> list_cartridges(FileSystem& files, const std::string& pool_dir);

// --- one cartridge

inline constexpr std::uint32_t kMaxBlockBytes = 1u << 24;
// Early warning comes at the latest an eighth before the end, and the room behind it must hold one
// block of the largest size.
inline constexpr std::uint64_t kMinCapacityBytes = 8ull * kMaxBlockBytes;

// How long before the end of a partition early warning comes: min(max(1 %, 16 of the largest
// blocks), an eighth).
std::uint64_t early_warning_bytes(std::uint64_t capacity_bytes);

struct CartridgeSpec {
  std::string barcode;          // 1..32 of A-Z a-z 0-9 _ -
  std::uint8_t generation = 8;  // of scsi/ssc/profile.h
  bool worm = false;
  bool cleaning = false;
  std::uint64_t capacity_bytes = 0;  // stored payload; 0: the generation's native capacity
  std::uint32_t segment_mib = 256;   // 1..1024
  Uuid uuid{};                       // required
  std::uint64_t created_ns = 0;      // unix time
  Uuid library{};                    // owner, informative
};
// EINVAL with the reason when the specification cannot be met, EEXIST when the barcode is taken.
// Durable.
Status create_cartridge(FileSystem& files, const std::string& pool_dir, const CartridgeSpec& spec);

struct PartitionSummary {  // as of the last clean unload
  std::uint64_t capacity_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t end_of_data = 0;  // objects
  std::uint64_t filemarks = 0;
};

struct CartridgeSummary {
  std::string directory;
  Uuid uuid{};
  scsi::ssc::MediumInfo info;
  std::uint64_t created_ns = 0;
  std::uint32_t segment_mib = 256;
  std::vector<PartitionSummary> partitions;  // 1..4
  bool clean = true;  // false: it was not unloaded in order; the next load recovers
  // The element that the library last had it in, for the case that the library's journal is lost;
  // 0: unknown.
  std::uint16_t element_hint = 0;
  bool label_damaged =
      false;  // CART is unreadable; this was taken from a segment, and loads write-protected
};
// Reads the label only: tens of microseconds. ENOENT: no cartridge there. EPROTONOSUPPORT: a newer
// format. EBADMSG: neither the label nor any segment says what it is.
Result<CartridgeSummary> read_summary(FileSystem& files, const std::string& dir);

// EAGAIN: it is loaded, or being read or written from end to end.
Status check_idle(FileSystem& files, const std::string& dir);
// The switch on the case.
Status set_write_protect(FileSystem& files, const std::string& dir, bool write_protected);
// Only while it is not loaded, as every change of the label from outside.
Status set_element_hint(FileSystem& files, const std::string& dir, std::uint16_t element);
// Renames into trash/: at once, whatever the size. empty_trash() gives the space back.
Status delete_cartridge(FileSystem& files, const std::string& pool_dir, std::string_view barcode);

struct Damage {
  std::uint32_t partition = 0;
  std::uint64_t first_object = 0;
  std::uint64_t objects = 0;
  std::string what;
};
struct VerifyReport {
  std::uint64_t blocks = 0;
  std::uint64_t filemarks = 0;
  std::uint64_t bytes = 0;     // of blocks, as the host wrote them
  std::vector<Damage> damage;  // empty: every block was read and every checksum is right
  // Damage that costs no object, which repair_cartridge() puts right.
  std::vector<std::string> repairable;
  std::vector<std::string> notes;  // what opening it had to repair or set aside
};
// Reads everything. `progress` hears objects done and in all, now and then; returning false stops
// with ECANCELED.
using Progress = std::function<bool(std::uint64_t objects_done, std::uint64_t objects_total)>;
Result<VerifyReport> verify_cartridge(FileSystem& files, const std::string& dir,
                                      const Progress& progress = {});

struct RepairReport {
  std::vector<std::string> repaired;  // what was damaged, and was made anew; empty: nothing was
  VerifyReport after;                 // what is left: `damage` is lost
};
// Makes anew what can be made from the segments - label, indexes, trailers, the table of segments -
// and then reads everything. No data goes: what is replaced or belongs to nothing is moved to the
// cartridge's quarantine/. What the disk cannot read is left alone. May be repeated, also after a
// crash. EBADMSG: nothing says what the cartridge is.
Result<RepairReport> repair_cartridge(FileSystem& files, const std::string& dir,
                                      const Progress& progress = {});

// --- from end to end, without a drive: import and export

struct TapeObject {
  enum class Kind { kBlock, kFilemark, kEndOfData, kDamaged } kind = Kind::kEndOfData;
  scsi::Bytes data;    // kBlock: its bytes, valid until the next call
  std::string detail;  // kDamaged: why this one cannot be read; the next may be
};

// Reads one partition, object by object. Holds the cartridge's lock.
class CartridgeReader {
 public:
  static Result<std::unique_ptr<CartridgeReader>> open(FileSystem& files, const std::string& dir,
                                                       std::uint32_t partition = 0);
  virtual ~CartridgeReader() = default;
  virtual TapeObject next() = 0;
  virtual std::uint64_t position() const = 0;     // object that next() gives
  virtual std::uint64_t end_of_data() const = 0;  // objects
};

// Writes one partition. Holds the cartridge's lock. Write protection, capacity and WORM hold here
// too (EROFS, ENOSPC). Without finish(), what was not synced may be lost, and the next load
// recovers.
class CartridgeWriter {
 public:
  enum class At { kEndOfData, kBeginning /* discards what is there */ };
  static Result<std::unique_ptr<CartridgeWriter>> open(FileSystem& files, const std::string& dir,
                                                       At at, std::uint32_t partition = 0);
  virtual ~CartridgeWriter() = default;
  virtual Status write_block(scsi::Bytes block) = 0;  // 1..kMaxBlockBytes
  virtual Status write_filemark() = 0;
  virtual Status finish() = 0;  // durable and closed in order; nothing may follow
};

}  // namespace vtl
