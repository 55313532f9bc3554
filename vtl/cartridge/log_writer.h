// LogWriter: appends records to the last segment of one partition, seals it, and starts the next
// (FORMAT.md, "Write protocol"). Strand side.
//
// What is written with O_DIRECT goes through one stage and reaches the file in writes of 4 MiB,
// aligned; through the page cache, large blocks are written from where they are. Space is
// preallocated before anything is accepted for it: data up to a segment's capacity, filemarks a
// reserve further, so that a full file system still lets a host close its last file.
//
// A failed write, sync or rename is final: failed() stays true and nothing more is written. Only
// running out of space for a new segment is not, as nothing was touched.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "scsi/bytes.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/dirty.h"
#include "vtl/cartridge/fault.h"
#include "vtl/cartridge/file.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/index.h"
#include "vtl/cartridge/stage.h"

namespace vtl {

// 1,000 filemarks, each on a 4 KiB block of its own after a synchronisation, fit behind the end of
// the data.
inline constexpr std::uint64_t kFilemarkReserveBytes = 4u << 20;
// Space is preallocated in steps of this part of a segment: where it costs as much as writing (a
// file system in memory), or is short, little of it is set aside that may not be needed.
inline constexpr std::uint64_t kStepsOfSegment = 8;

struct WriterConfig {
  format::SegmentHeader header;  // what all segments of the partition share
  std::uint64_t segment_bytes = 256u << 20;
  std::uint32_t max_objects = format::kMaxSegmentObjects;
  std::uint64_t low_water_bytes = 0;  // 0: by the size of the file system
  std::uint64_t hard_water_bytes = 0;
  std::function<std::uint64_t()> now_ns;
};

class LogWriter {
 public:
  LogWriter(PartitionLog& log, Stage& stage, WriterConfig config);

  // Opens the last segment for appending, or a new one. `epoch` is durable in CART already.
  MaybeFault attach(std::uint32_t epoch);
  bool attached() const { return file_ != nullptr; }
  bool failed() const { return failed_; }
  void set_epoch(std::uint32_t epoch) { epoch_ = epoch; }

  MaybeFault append_block(const CodedBlock& block);
  MaybeFault append_filemark();
  MaybeFault flush();  // all that was appended is in the file, and readable
  MaybeFault sync();   // ... and durable
  // Footer and trailer of the last segment, which need not be attached; durable. Detaches. The next
  // attach() may open it again.
  MaybeFault seal();
  void drop_spares();
  // Writes the header of a segment anew; durable. Not while attached.
  Status mend_header(const SegmentInfo& segment);

  // Preallocates another step behind what is prepared, with room for `need` bytes of records: in
  // the last segment that is prepared, or, when that has its full size or with `next`, in one that
  // follows it.
  MaybeFault provision(bool next, std::uint64_t need);

  std::uint64_t written() const { return written_; }  // objects below are in the file
  std::uint64_t durable() const { return durable_; }  // objects below survive power loss
  Dirty dirty() const;
  const WriterConfig& config() const { return config_; }
  bool pool_low() const { return pool_low_; }

  // What is preallocated: this segment, then the spares. Offsets count from the start of a
  // segment's file. A segment grows in steps until it has its full size.
  struct Room {
    std::uint64_t segment = 0;  // number of this segment in the session
    std::uint64_t offset = 0, objects = 0;
    std::vector<std::uint64_t> capacities;  // this one's first
    std::uint64_t full_size = 0, step = 0;
  };
  Room room() const;

 private:
  // Of a segment's file: records may end at `capacity`; the first `backed` bytes are preallocated.
  struct Space {
    std::uint64_t capacity = 0, backed = 0;
  };
  struct Spare {
    std::unique_ptr<File> file;
    std::string path;
    Space space;
  };
  std::uint64_t log_offset() const { return stage_offset_ + fill_; }
  bool fits(const format::RecordHeader& header) const;
  MaybeFault append(format::RecordHeader header, scsi::Bytes extension, scsi::Bytes payload);
  void begin(std::uint32_t epoch);
  MaybeFault reopen();
  Result<std::uint32_t> checksum(std::uint64_t end);
  MaybeFault make_room(const format::RecordHeader& header);
  MaybeFault start_segment(std::uint64_t need);
  void encode_header(const SegmentInfo& segment);
  MaybeFault finish_segment();
  MaybeFault write_index(const SegmentInfo& segment, format::Trailer& trailer);
  Status put(scsi::Bytes bytes);
  bool goes_straight(scsi::Bytes payload) const;
  Status write_straight(scsi::Bytes payload);
  Status write_stage(std::size_t bytes);
  Status pad_and_write();
  std::uint64_t step() const;
  std::uint64_t footprint(const Space& space, std::uint64_t capacity) const;
  Status allocate(File& file, Space& space, std::uint64_t need);
  Result<Spare> make_spare(std::uint64_t need);
  Fault no_room(const IoError& error);
  Fault fail(const IoError& error, std::uint64_t good_until);

  PartitionLog& log_;
  Stage& stage_;
  WriterConfig config_;
  std::unique_ptr<File> file_;
  std::deque<Spare> spares_;
  std::uint32_t epoch_ = 0;
  std::uint32_t salt_ = 0;
  Space space_;
  std::vector<std::byte> extension_;  // of the record at hand
  std::uint64_t segment_number_ = 0;
  std::uint32_t next_spare_ = 0;
  std::uint64_t stage_offset_ = 0;  // in the file, of the stage's first byte
  std::size_t fill_ = 0;
  std::uint32_t data_crc_ = 0;  // of the file up to log_offset()
  std::uint64_t written_ = 0;
  std::uint64_t durable_ = 0;
  std::uint64_t durable_used_ = 0;  // stored payload of the objects below durable_
  bool in_footer_ = false;
  bool dirty_ = false;
  bool directory_dirty_ = false;
  bool pool_low_ = false;
  bool failed_ = false;
};

}  // namespace vtl
