// OpenCartridge: a cartridge opened by this process and nobody else. Synchronous and complete:
// everything that the store can do to a cartridge, without threads or queues. CartridgeMedium runs
// it on a drive's strand; import, export and verify call it directly.
//
// It keeps the write protocol of FORMAT.md: epochs durable before use, a cut durable before
// anything is discarded, seal before successor. After the first failed write or sync it takes no
// more (append_failed), but still reads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "scsi/ssc/medium.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/fault.h"
#include "vtl/cartridge/file.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/index.h"
#include "vtl/cartridge/io_mode.h"
#include "vtl/cartridge/log_writer.h"
#include "vtl/cartridge/mam.h"
#include "vtl/cartridge/stage.h"

namespace vtl {

class OpenCartridge {
 public:
  struct Options {
    IoMode io_mode = IoMode::kAuto;
    Compression compression = Compression::kNone;
    std::uint64_t low_water_bytes = 0;
    std::uint64_t hard_water_bytes = 64u << 20;
    std::uint32_t max_segment_objects = format::kMaxSegmentObjects;
    bool read_every_trailer = false;  // though SEGTAB knows the segments
    std::function<std::uint64_t()> now_ns = [] { return std::uint64_t{0}; };
  };
  struct Opened {
    std::unique_ptr<OpenCartridge> cartridge;
    MaybeFault fault;  // then there is no cartridge
  };
  // Takes the lock, reads the label, recovers what has to be. With `drive`, this counts as a load.
  static Opened open(FileSystem& files, const std::string& dir, Options options,
                     const scsi::ssc::LoadRecord* drive);
  ~OpenCartridge();  // without close(): as after a crash
  OpenCartridge(const OpenCartridge&) = delete;
  OpenCartridge& operator=(const OpenCartridge&) = delete;

  const format::Cart& cart() const { return cart_; }
  scsi::ssc::MediumInfo info() const;
  std::uint32_t partition_count() const { return cart_.partition_count; }
  PartitionLog& log(std::uint32_t partition) { return *logs_[partition]; }
  scsi::ssc::PartitionInfo partition_info(std::uint32_t partition) const;
  std::vector<std::string> take_notes();

  // --- writing: begin, then any number of appends to that partition
  // --------------------------------------- What follows `lba` is discarded first. kNoSpace:
  // nothing was changed that matters, and it may be tried again.
  MaybeFault begin_append(std::uint32_t partition, std::uint64_t lba);
  MaybeFault append_block(scsi::Bytes block);  // capacity is the caller's to watch
  MaybeFault append_block(const CodedBlock& block);
  MaybeFault append_filemark();
  MaybeFault flush();
  MaybeFault sync();  // of all partitions
  MaybeFault provision(bool next, std::uint64_t need);
  // End of data becomes `lba`; durable.
  MaybeFault erase(std::uint32_t partition, std::uint64_t lba);
  // One to four empty partitions of these sizes, bytes; durable. TapeMedium::format.
  MaybeFault format(const std::vector<std::uint64_t>& capacities);
  bool append_failed() const { return failed_; }
  Dirty dirty() const;  // of all partitions
  // Of the partition that begin_append() named last.
  LogWriter* writer() { return writers_[current_].get(); }
  const LogWriter* writer() const { return writers_[current_].get(); }

  // Writes the index and trailer of a sealed segment anew, from its records, and its header if that
  // is damaged.
  MaybeFault mend_segment(std::uint32_t partition, std::size_t segment);
  // Nothing in the cartridge's directory may be changed.
  bool read_only() const { return label_damaged_ || read_only_features_ || !left_alone_.empty(); }

  MamStore& mam() { return mam_; }

  struct Traffic {
    std::uint64_t bytes_written = 0, bytes_read = 0;
  };
  // Seals, writes the tables and marks the cartridge clean; after a failure it only lets go.
  MaybeFault close(const Traffic& traffic);

 private:
  OpenCartridge(FileSystem& files, std::string dir, Options options);
  MaybeFault load(const scsi::ssc::LoadRecord* drive);
  MaybeFault recover();
  bool mended(const MaybeFault& fault);
  MaybeFault make_durable(PartitionLog& log);
  Status write_again(File& file, std::uint64_t from);
  void remember_durable(PartitionLog& log);
  bool is_newer(const format::PartitionName& parsed) const;  // than the label
  Status discard_directory(const std::string& name, const format::PartitionName& parsed);
  void leave_alone(std::string why) { left_alone_ = std::move(why); }
  void choose_io();
  std::unique_ptr<LogWriter> make_writer(std::uint32_t partition);
  MaybeFault begin_epoch();
  MaybeFault cut(std::uint32_t partition, std::uint64_t lba);
  MaybeFault cut_all(std::uint32_t partition);
  MaybeFault cut_after(std::uint32_t partition, std::uint64_t lba);
  std::uint64_t object_count() const;
  MaybeFault mark_clean(const Traffic& traffic);
  MaybeFault seal_all();
  MaybeFault write_segtab(std::uint32_t partition);
  MaybeFault save_cart();
  MaybeFault latched(MaybeFault fault);
  Fault final_fault(Fault fault);
  Fault refusal() const;
  Status discard(const std::string& path);
  MaybeFault empty_pending(std::size_t most);

  FileSystem& files_;
  std::string dir_;
  Options options_;
  std::unique_ptr<File> lock_;
  format::Cart cart_;
  bool label_damaged_ = false;
  bool mam_damaged_ = false;
  bool read_only_features_ = false;
  std::string left_alone_;  // why this load changes nothing, though it could
  FileSystem::Io io_ = FileSystem::Io::kBuffered;
  std::array<std::unique_ptr<PartitionLog>, format::kMaxPartitions> logs_;
  std::array<std::unique_ptr<LogWriter>, format::kMaxPartitions> writers_;
  std::unique_ptr<Stage> stage_;
  std::vector<std::byte> scratch_;  // of the compressor
  MamStore mam_;
  std::uint32_t current_ = 0;
  std::uint32_t epoch_ = 0;  // of this append session; 0: none yet
  std::uint32_t trash_count_ = 0;
  struct Pending {
    std::string directory, name;
  };
  std::vector<Pending> pending_;  // segments that a cut has voided
  MaybeFault pending_failed_;     // one of them could not be moved away for good
  bool durable_mark_failed_ = false;
  std::vector<std::string> notes_;
  bool failed_ = false;
  std::string failure_;
};

}  // namespace vtl
