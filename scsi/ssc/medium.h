// TapeMedium: what a drive needs of a cartridge. Outcomes are facts; only the drive turns them into
// sense.
//
// A partition is a row of logical objects - blocks of 1 byte or more, and filemarks - followed by
// end of data. The position is the number of the object that would be read next; 0 is the
// beginning. Writing anywhere discards everything behind it in that partition.
//
// One thread, the drive's loop; a `done` may be called from inside the call. One operation at a
// time: the next is started only after the last one's `done`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scsi/buffer.h"
#include "scsi/done.h"
#include "scsi/ssc/block_handling.h"

namespace scsi::ssc {

struct Position {
  std::uint32_t partition = 0;
  std::uint64_t object = 0;     // logical object identifier; includes what is still buffered
  std::uint64_t filemarks = 0;  // logical file identifier: filemarks between the beginning and here
  // False behind an object that could not be read, until it is known whether it was a filemark.
  bool filemarks_known = true;
  friend bool operator==(const Position&, const Position&) = default;
};

struct MediumFault {
  enum class Kind {
    kWriteError,          // 3/0C/00
    kReadError,           // 3/11/00: this block cannot be read; its neighbours can
    kObjectMissing,       // 3/14/00: an extent of the tape is lost here
    kNoSpace,             // D/00/02: the pool or file system is full
    kIncompatibleFormat,  // 3/30/02: a newer or unknown format
    kFormatCorrupt,       // 3/31/00
    kInUse,               // 2/04/03: another process has the cartridge open
    kAttributeStore,      // 3/0C/0B or 3/11/12: medium auxiliary memory
  };
  Kind kind = Kind::kWriteError;
  // For a write fault: objects that were accepted and are not on the medium.
  std::uint64_t objects_lost = 0;
  std::string detail;  // for the log: which file, which system error
};

enum class WriteMode {
  kBuffered,  // done when accepted by the writer
  kDurable,   // done when it would survive power loss
};

// Where the end of what has been written lies.
enum class Zone { kNormal, kEarlyWarning };

struct WriteOutcome {
  std::uint64_t accepted = 0;        // blocks or filemarks taken; all, unless full or fault
  Zone zone = Zone::kNormal;         // after the last accepted object
  bool full = false;                 // did not fit before the end of the partition: VOLUME OVERFLOW
  std::optional<MediumFault> fault;  // found by this very command
  CipherRefusal refusal = CipherRefusal::kNone;  // then nothing was accepted
};

struct ReadOutcome {
  SliceList data;            // whole blocks, or the first `block_length` bytes of a longer one
  std::uint32_t blocks = 0;  // blocks of exactly `block_length` bytes at the front of `data`
  enum class Stop {
    kNone,      // all `count` blocks had exactly the length asked for
    kLength,    // the last object was a block of another length; it is passed, see below
    kFilemark,  // and passed
    kEndOfData,
    kFault,    // the damaged block is passed
    kRefused,  // by its encryption: see `refusal`. It is not passed
  } stop = Stop::kNone;
  std::uint32_t actual_length = 0;  // kLength: the length of that block, bytes. Its first
                                    // min(actual, block_length) bytes are at the end of `data`
  std::optional<MediumFault> fault;
  CipherRefusal refusal = CipherRefusal::kNone;
};

enum class SpaceUnit { kBlocks, kFilemarks };

struct SpaceOutcome {
  std::uint64_t spaced = 0;  // units passed, without the object that stopped it
  enum class Stop { kNone, kFilemark, kEndOfData, kBeginning, kFault } stop = Stop::kNone;
  std::optional<MediumFault> fault;
};

// SPC-4 7.4: one MAM attribute, as READ ATTRIBUTE returns it.
struct Attribute {
  std::uint16_t id = 0;
  std::uint8_t format = 0;  // 0 binary, 1 ASCII, 2 text
  std::vector<std::byte> value;
};

// Attributes that a host writes for one partition, not for the medium as a whole.
constexpr bool describes_partition(std::uint16_t attribute) {
  return attribute == 0x0809 || attribute == 0x080A || attribute == 0x080C;
}

struct PartitionInfo {
  std::uint64_t capacity_bytes = 0;       // to the end of the partition, nominal
  std::uint64_t early_warning_bytes = 0;  // from the beginning to early warning
  std::uint64_t used_bytes = 0;           // from the beginning to end of data, as stored
  std::uint64_t end_of_data = 0;          // object number
  std::uint64_t filemarks = 0;
};

// What a load is remembered by: MAM 020Ah-020Dh.
struct LoadRecord {
  std::string vendor;
  std::string serial;
};

struct MediumInfo {
  std::string barcode;
  std::string serial;  // of the cartridge, unique; MAM 0401h
  std::uint8_t generation = 8;
  bool worm = false;
  bool cleaning = false;
  bool write_protected = false;
  std::string write_protect_reason;  // for people
  bool software_protected = false;   // by the state that it is in, not by the switch on its case
  bool memory_damaged = false;       // the label, or the host's attributes: TapeAlert 0Fh
  bool directory_damaged = false;    // the last load had to do without a part of it: TapeAlert 12h
  std::string manufactured;          // YYYYMMDD
  // What the partitions share when SET CAPACITY has not made it less; 0: what they have.
  std::uint64_t full_capacity_bytes = 0;
  std::uint64_t smallest_partition_bytes = 1;
  std::uint64_t load_count = 0;
  std::uint32_t initialization_count = 1;
  std::uint32_t volume_change_reference = 1;  // MAM 0009h: +1 at the first change in a load session
  std::array<LoadRecord, 4> last_loads;       // newest first
  // What the medium took and gave, after compression; in its life, and in this or the last load.
  std::uint64_t bytes_written_life = 0, bytes_read_life = 0;
  std::uint64_t bytes_written_load = 0, bytes_read_load = 0;
};

struct LoadOutcome {
  std::optional<MediumFault> fault;  // then the medium stays unloaded
};

class TapeMedium {
 public:
  virtual ~TapeMedium() = default;  // unloaded, or everything not yet durable may be lost

  // Known before load: what is written on the label.
  virtual const MediumInfo& info() const = 0;

  // Opens and, after a crash, recovers; position 0 of partition 0. `drive` goes into the load
  // history.
  virtual void load(LoadRecord drive, Done<LoadOutcome> done) = 0;
  // Makes everything durable and closes; load() may follow and reads the cartridge afresh.
  virtual void unload(Done<WriteOutcome> done) = 0;

  // How far an operation is that has begun and is not done yet, of 65536. It only grows; 0 where a
  // medium cannot tell.
  virtual std::uint16_t progress() const { return 0; }

  // --- while loaded ---
  virtual std::uint32_t partition_count() const = 0;
  virtual PartitionInfo partition(std::uint32_t index) const = 0;
  virtual Position position() const = 0;
  // Counts again where position().filemarks is not known; with a fault it still is not.
  virtual void count_filemarks(Done<std::optional<MediumFault>> done) { done(std::nullopt); }
  // Stored bytes between the beginning of the partition and the position: for the flags of READ
  // POSITION and log page 0Ch. A medium that knows it exactly overrides this estimate.
  virtual std::uint64_t position_bytes() const {
    const Position at = position();
    const PartitionInfo info = partition(at.partition);
    if (at.object >= info.end_of_data) return info.used_bytes;
    return static_cast<std::uint64_t>(static_cast<double>(info.used_bytes) *
                                      static_cast<double>(at.object) /
                                      static_cast<double>(info.end_of_data));
  }
  virtual std::uint64_t buffered_objects() const = 0;  // accepted, not yet written
  virtual std::uint64_t buffered_bytes() const = 0;
  // A fault of an earlier, acknowledged write; at most once per fault.
  virtual std::optional<MediumFault> take_deferred_fault() = 0;
  // After a write fault, until the next load: every write is refused with a current 3/0C/00.
  virtual bool append_failed() const = 0;

  // Holds for every write and read from now on, until the cartridge is unloaded. Lengths of blocks
  // are without their protection; in `data` it follows each block, of a block that is cut off what
  // is given of it.
  virtual void set_handling(const BlockHandling& handling) = 0;
  // What read() would meet; the position stays.
  virtual void next_block(Done<NextBlock> done) = 0;

  // data is a run of blocks of block_length bytes, each with its protection if there is to be any.
  // A block is never split.
  virtual void write(Buffer data, std::uint32_t block_length, WriteMode mode,
                     Done<WriteOutcome> done) = 0;
  virtual void write_filemarks(std::uint32_t count, WriteMode mode, Done<WriteOutcome> done) = 0;
  // Up to `count` blocks while each has exactly block_length bytes; stops after the first object
  // that differs. Flushes first when something is buffered, as do space, locate and erase.
  virtual void read(std::uint32_t block_length, std::uint32_t count, Done<ReadOutcome> done) = 0;
  // count < 0 is towards the beginning. Blocks: stops at a filemark, after it (forward) or before
  // it (backward).
  virtual void space(SpaceUnit unit, std::int64_t count, Done<SpaceOutcome> done) = 0;
  // Stop::kEndOfData when the target lies beyond it; the position is end of data then.
  virtual void locate_object(std::uint32_t partition, std::uint64_t object,
                             Done<SpaceOutcome> done) = 0;
  // The start of file n, just after the n-th filemark; 0 is the beginning.
  virtual void locate_file(std::uint32_t partition, std::uint64_t file,
                           Done<SpaceOutcome> done) = 0;
  virtual void locate_end_of_data(std::uint32_t partition, Done<SpaceOutcome> done) = 0;
  // End of data becomes the current position. Durable when done.
  virtual void erase(Done<WriteOutcome> done) = 0;
  // The cartridge becomes `capacities.size()` (1 to 4) empty partitions of these sizes, bytes, each
  // at least info().smallest_partition_bytes; the position is the beginning of the first.
  // Attributes that describe a partition go, the others stay. All of it, durably, when done; where
  // power fails before, all of it or nothing. With a fault everything is as it was, or the medium
  // takes no more (append_failed) and the next load shows one of the two.
  virtual void format(std::vector<std::uint64_t> capacities, Done<WriteOutcome> done) = 0;
  // Whether blocks that are written from now on are compressed, by a medium that compresses at all.
  // On after a load.
  virtual void set_compression(bool on) = 0;
  // All that was accepted is on the medium (kBuffered: written; kDurable: synced).
  virtual void flush(WriteMode mode, Done<WriteOutcome> done) = 0;

  // Host attributes, 0800h-0BFFh and 1400h-17FFh. An empty value removes. Durable when done; the
  // position and the buffer are not touched.
  virtual std::vector<Attribute> host_attributes(std::uint32_t partition) const = 0;
  virtual void write_host_attributes(std::uint32_t partition, std::vector<Attribute> attributes,
                                     Done<WriteOutcome> done) = 0;
};

}  // namespace scsi::ssc
