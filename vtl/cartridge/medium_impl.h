// The class behind make_medium(). Its calls are grouped by file: loading and moving (medium.cc),
// writing (medium_write.cc), reading (medium_read.cc).
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vtl/cartridge/medium.h"
#include "vtl/cartridge/open_cartridge.h"
#include "vtl/cartridge/read_ahead.h"
#include "vtl/cartridge/strand_job.h"
#include "vtl/cartridge/write_behind.h"

namespace vtl {

class Medium final : public CartridgeMedium {
 public:
  Medium(FileSystem& files, Executor& executor, const CartridgeSummary& summary,
         MediumOptions options);

  const scsi::ssc::MediumInfo& info() const override { return info_; }
  void load(scsi::ssc::LoadRecord drive, scsi::Done<scsi::ssc::LoadOutcome> done) override;
  void unload(scsi::Done<scsi::ssc::WriteOutcome> done) override;

  std::uint32_t partition_count() const override {
    return static_cast<std::uint32_t>(partitions_.size());
  }
  scsi::ssc::PartitionInfo partition(std::uint32_t index) const override {
    return partitions_[index];
  }
  scsi::ssc::Position position() const override { return position_; }
  void count_filemarks(scsi::Done<MaybeFault> done) override;
  std::uint64_t buffered_objects() const override { return writer_ ? writer_->unwritten() : 0; }
  std::uint64_t buffered_bytes() const override { return writer_ ? writer_->queued_bytes() : 0; }
  std::optional<scsi::ssc::MediumFault> take_deferred_fault() override {
    return writer_ ? writer_->take_fault() : std::nullopt;
  }
  bool append_failed() const override { return writer_ && writer_->failed(); }
  void settle() override {
    if (writer_) writer_->settle();
  }
  Dirty dirty() const override { return writer_ ? writer_->dirty() : Dirty{}; }

  void set_handling(const scsi::ssc::BlockHandling& handling) override;
  void next_block(scsi::Done<scsi::ssc::NextBlock> done) override;
  void write(scsi::Buffer data, std::uint32_t block_length, scsi::ssc::WriteMode mode,
             scsi::Done<scsi::ssc::WriteOutcome> done) override;
  void write_filemarks(std::uint32_t count, scsi::ssc::WriteMode mode,
                       scsi::Done<scsi::ssc::WriteOutcome> done) override;
  void flush(scsi::ssc::WriteMode mode, scsi::Done<scsi::ssc::WriteOutcome> done) override;
  void erase(scsi::Done<scsi::ssc::WriteOutcome> done) override;
  void format(std::vector<std::uint64_t> capacities,
              scsi::Done<scsi::ssc::WriteOutcome> done) override;
  void set_compression(bool on) override {
    writer_->set_compression(on ? options_.compression : Compression::kNone);
  }
  void read(std::uint32_t block_length, std::uint32_t count,
            scsi::Done<scsi::ssc::ReadOutcome> done) override;

  void space(scsi::ssc::SpaceUnit unit, std::int64_t count,
             scsi::Done<scsi::ssc::SpaceOutcome> done) override;
  void locate_object(std::uint32_t partition, std::uint64_t object,
                     scsi::Done<scsi::ssc::SpaceOutcome> done) override;
  void locate_file(std::uint32_t partition, std::uint64_t file,
                   scsi::Done<scsi::ssc::SpaceOutcome> done) override;
  void locate_end_of_data(std::uint32_t partition,
                          scsi::Done<scsi::ssc::SpaceOutcome> done) override;

  std::vector<scsi::ssc::Attribute> host_attributes(std::uint32_t partition) const override {
    return partition < attributes_.size() ? attributes_[partition]
                                          : std::vector<scsi::ssc::Attribute>{};
  }
  void write_host_attributes(std::uint32_t partition, std::vector<scsi::ssc::Attribute> attributes,
                             scsi::Done<scsi::ssc::WriteOutcome> done) override;

 private:
  // What loading, cutting and unloading tell the loop.
  struct Facts {
    MaybeFault fault;
    bool failed = false;  // for good: nothing is written until the next load
    bool in_memory = false;
    scsi::ssc::MediumInfo info;
    std::vector<scsi::ssc::PartitionInfo> partitions;
    std::vector<std::vector<scsi::ssc::Attribute>> attributes;
    std::vector<std::string> notes;
    Dirty dirty;
    void take_from(OpenCartridge& cartridge);
  };
  struct Write {
    scsi::Buffer data;
    std::uint32_t block_length = 0;  // 0: filemarks
    std::uint64_t count = 0;
    BlockForm form;
    scsi::ssc::WriteMode mode = scsi::ssc::WriteMode::kBuffered;
    scsi::ssc::WriteOutcome outcome;
    scsi::Done<scsi::ssc::WriteOutcome> done;
  };
  struct Read {
    std::uint32_t block_length = 0;
    std::uint32_t count = 0;
    scsi::Protection protection = scsi::Protection::kNone;
    scsi::ssc::ReadOutcome outcome;
    scsi::Done<scsi::ssc::ReadOutcome> done;
  };

  void alert(MediumAlert::Kind kind, std::string text = {}) const;
  void alert(const std::vector<std::string>& notes) const;
  void learn(Facts& facts);
  void progressed(const WriteBehind::Progress& progress);
  void stay_inside(std::uint32_t partition);
  void count_lost(scsi::ssc::MediumFault& fault, std::uint64_t object) const;
  scsi::ssc::Zone zone() const;
  scsi::ssc::WriteOutcome outcome_of(MaybeFault fault) const;

  // A write, step by step: begin where the position is, admit, wait for room or for durability,
  // end.
  void start_write();
  void begin_write(bool cuts);
  bool all_ciphertext() const;
  std::uint64_t fitting() const;
  void continue_write();
  void accept(std::uint32_t count);
  void finish_write();
  void end_write();

  void apply_encryption();
  void continue_read();
  void take_block(const ReadObject& object, const ReadChunk& chunk);
  void add_protection(const ReadObject& object, std::size_t first_slice);
  void finish_read();

  // `next` once all that was accepted is in the files and nothing is being read, or with a fault.
  template <class Next>
  void settled(Next next) {
    reader_->drop();
    if (writer_->unwritten() == 0) return next(MaybeFault());
    writer_->flush(std::move(next));
  }
  template <class Search>
  void seek(std::uint32_t partition, Search search, scsi::Done<scsi::ssc::SpaceOutcome> done);

  FileSystem& files_;
  Executor& executor_;
  const std::string directory_;
  const MediumOptions options_;
  scsi::ssc::MediumInfo info_;
  std::unique_ptr<CartridgeStrand> strand_;  // these three: while loaded
  std::unique_ptr<WriteBehind> writer_;
  std::unique_ptr<ReadAhead> reader_;
  std::vector<scsi::ssc::PartitionInfo> partitions_;
  std::vector<std::vector<scsi::ssc::Attribute>> attributes_;
  scsi::ssc::Position position_;
  scsi::ssc::BlockHandling handling_;
  Write write_;
  Read read_;
  OpenCartridge::Traffic traffic_;
  bool pool_low_ = false;  // and the log knows
};

}  // namespace vtl
