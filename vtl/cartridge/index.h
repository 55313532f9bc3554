// Where objects are: the segment table of one partition, the index of a segment, and the searches
// over both.
//
// A sealed segment's index is its footer; the open segment's is in memory. LOCATE and SPACE are
// binary searches over the filemarks, which are read and checked when first needed and kept within
// a bound: a million take 4 MB. Where an object begins is one entry of the footer, and whether it
// is right the record itself tells; only when it is not is the whole index read. Strand side; every
// call may read files.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scsi/ssc/medium.h"
#include "vtl/cartridge/durable_mark.h"
#include "vtl/cartridge/fault.h"
#include "vtl/cartridge/file.h"
#include "vtl/cartridge/format.h"

namespace vtl {

struct SegmentInfo {
  std::uint32_t seq = 0;
  std::uint32_t epoch = 0;       // at creation
  std::uint32_t last_epoch = 0;  // of its last record; 0: not looked up yet
  std::uint64_t first_lba = 0, count = 0;
  std::uint64_t first_filemark = 0, filemarks = 0;
  std::uint64_t base_used = 0, payload = 0;  // stored payload before and, where known, in it
  std::uint64_t data_end = format::kBlock;   // file offset behind the last record
  bool sealed = false;

  std::uint64_t end_lba() const { return first_lba + count; }
};

// One entry per object; positions of filemarks apart.
class SegmentIndex {
 public:
  std::vector<std::uint64_t> entries;    // format::index_entry
  std::vector<std::uint32_t> filemarks;  // object numbers within the segment, ascending

  void add(std::uint64_t offset, std::uint32_t length, format::RecordType type) {
    if (type == format::RecordType::kFilemark)
      filemarks.push_back(static_cast<std::uint32_t>(entries.size()));
    entries.push_back(format::index_entry(offset, length, type));
  }
  // An object that cannot be read; `offset` is where the next good one begins.
  void add_lost(std::uint64_t offset, bool filemark);
  void truncate(std::uint64_t count);
  // Stored payload of the first `count` objects; exact where nothing was compressed, else a little
  // high.
  std::uint64_t payload_estimate(std::uint64_t count, std::uint64_t data_end) const;
};

// What is known of one partition, and the files behind it.
class PartitionLog {
 public:
  PartitionLog(FileSystem& files, const Uuid& uuid, std::uint32_t partition, std::uint32_t dirgen,
               const std::string& cartridge_dir, FileSystem::Io io);

  std::uint32_t number = 0;
  std::uint32_t dirgen = 0;
  std::string directory;
  std::vector<SegmentInfo> segments;         // ascending; gaps between them are lost extents
  std::shared_ptr<SegmentIndex> tail_index;  // of the last segment while it is not sealed
  std::uint64_t end_of_data = 0;
  std::uint64_t filemarks = 0;
  std::uint64_t used_bytes = 0;
  std::uint32_t next_seq = 0;       // above every segment's that was ever seen in the directory
  std::uint32_t highest_epoch = 0;  // of those that recovery has looked at
  bool from_table = false;          // SEGTAB said all this
  // Of the last segment's file, as recovery found it: from here on it may be in memory only.
  std::uint64_t durable_end = 0;
  bool unreadable = false;     // a disk did not show recovery everything: nothing may be changed
  bool table_damaged = false;  // SEGTAB, or the trailer of a segment, should have and could not
  std::vector<std::string> notes;  // for the log: what a lookup had to work around
  DurableMark durable_mark;

  // The segment that holds an object, or none: the object is in a lost extent. lba < end_of_data.
  std::optional<std::size_t> find(std::uint64_t lba) const;
  std::string path(const SegmentInfo& segment) const;
  std::uint32_t salt(const SegmentInfo& segment) const;
  // For reading; the last few stay open.
  Result<std::shared_ptr<File>> open(std::size_t segment);
  Result<std::shared_ptr<const SegmentIndex>> index(std::size_t segment);
  // Where the segment's object `ordinal` begins, unchecked; or by a checked index that is at hand.
  Result<std::uint64_t> offset(std::size_t segment, std::size_t ordinal);
  Result<format::Trailer> read_trailer(File& file) const;
  // Whether a sealed segment's index can be had from its file, without reading all records.
  bool footer_is_sound(std::size_t segment);
  // Whether a segment's header says that it is this one.
  bool header_is_sound(std::size_t segment);
  // Forgets open files and cached indexes: segments were changed or renamed.
  void forget_files();
  // Drops what is known from `lba` on, after a fault or a cut. Touches no file.
  void truncate(std::uint64_t lba);

  struct Seek {
    scsi::ssc::SpaceOutcome outcome;
    scsi::ssc::Position position;
  };
  Seek space(scsi::ssc::Position from, scsi::ssc::SpaceUnit unit, std::int64_t count);
  Seek locate_object(std::uint64_t lba);
  Seek locate_file(std::uint64_t file);

  FileSystem& files() const { return *files_; }
  FileSystem::Io io() const { return io_; }
  const Uuid& uuid() const { return uuid_; }

 private:
  struct Found {  // of a filemark, or an object's count of filemarks
    std::uint64_t value = 0;
    MaybeFault fault;
    std::uint64_t fault_lba = 0;
    std::uint64_t fault_end = 0;  // where the filemark may be, if its segment has no index now
    bool is_within(std::uint64_t begin, std::uint64_t end) const {
      return fault_lba < end && std::max(fault_end, fault_lba + 1) > begin;
    }
  };
  struct CachedIndex {
    std::uint32_t seq, epoch;
    std::shared_ptr<const SegmentIndex> index;
  };
  Found filemark_lba(std::uint64_t ordinal);  // ordinal < filemarks
  Found filemarks_before(std::uint64_t lba);  // lba <= end_of_data
  Seek at(std::uint64_t lba, std::uint64_t spaced, scsi::ssc::SpaceOutcome::Stop stop);
  Seek failed(std::uint64_t lba, std::uint64_t spaced, Fault fault);
  using Marks = std::shared_ptr<const std::vector<std::uint32_t>>;
  Result<Marks> marks(std::size_t segment);
  Result<Marks> load_marks(const SegmentInfo& segment, File& file) const;
  const CachedIndex* cached_index(const SegmentInfo& segment);
  Result<std::shared_ptr<const SegmentIndex>> read_footer(const SegmentInfo& segment,
                                                          File& file) const;
  Result<std::shared_ptr<const SegmentIndex>> load_index(const SegmentInfo& segment, File& file);

  FileSystem* files_;
  Uuid uuid_;
  FileSystem::Io io_;
  struct OpenSegment {
    std::uint32_t seq, epoch;
    std::shared_ptr<File> file;
  };
  std::list<OpenSegment> open_;           // most recent first
  std::list<CachedIndex> indexes_;        // likewise
  std::map<std::uint64_t, Marks> marks_;  // by sequence number and epoch; all go when too many
  std::size_t marks_held_ = 0;
};

}  // namespace vtl
