#include "vtl/cartridge/medium.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "vtl/cartridge/open_cartridge.h"
#include "vtl/cartridge/read_ahead.h"
#include "vtl/cartridge/strand_job.h"
#include "vtl/cartridge/write_behind.h"

namespace vtl {
namespace {

using scsi::Buffer;
using scsi::Done;
using namespace scsi::ssc;  // NOLINT: this file is about nothing else

// WRITE FILEMARKS may ask for millions; the queue takes them in runs.
constexpr std::uint64_t kFilemarkRun = 4096;

// What loading, cutting and unloading tell the loop.
struct Facts {
  MaybeFault fault;
  MediumInfo info;
  std::vector<PartitionInfo> partitions;
  std::vector<std::vector<Attribute>> attributes;
  std::vector<std::string> notes;

  void take_from(OpenCartridge& cartridge) {
    info = cartridge.info();
    for (std::uint32_t p = 0; p < cartridge.partition_count(); ++p) {
      partitions.push_back(cartridge.partition_info(p));
      attributes.push_back(cartridge.mam().attributes(p));
    }
    notes = cartridge.take_notes();
  }
};

class Medium final : public CartridgeMedium {
 public:
  Medium(FileSystem& files, Executor& executor, const CartridgeSummary& summary,
         MediumOptions options)
      : files_(files),
        executor_(executor),
        directory_(summary.directory),
        options_(std::move(options)),
        info_(summary.info) {}

  const MediumInfo& info() const override { return info_; }

  // --- loading
  // ------------------------------------------------------------------------------------------

  void load(LoadRecord drive, Done<LoadOutcome> done) override {
    VTL_CHECK(strand_ == nullptr);
    strand_ = std::make_unique<CartridgeStrand>(executor_, info_.barcode);
    OpenCartridge::Options options;
    options.io_mode = options_.io_mode;
    options.compression = options_.compression;
    options.low_water_bytes = options_.low_water_bytes;
    options.hard_water_bytes = options_.hard_water_bytes;
    if (options_.now_ns) options.now_ns = options_.now_ns;
    strand_->run(
        std::make_shared<Facts>(),
        [&files = files_, directory = directory_, options = std::move(options),
         drive = std::move(drive)](std::unique_ptr<OpenCartridge>& cartridge, Facts& facts) {
          OpenCartridge::Opened opened = OpenCartridge::open(files, directory, options, &drive);
          facts.fault = std::move(opened.fault);
          cartridge = std::move(opened.cartridge);
          if (cartridge != nullptr) facts.take_from(*cartridge);
        },
        [this, done = std::move(done)](Facts& facts) mutable {
          if (facts.fault) {
            strand_.reset();
          } else {
            writer_ = std::make_unique<WriteBehind>(*strand_, options_.queue_bytes,
                                                    format::kMaxSegmentObjects);
            writer_->on_progress = [this](const WriteBehind::Progress& progress) {
              progressed(progress);
            };
            reader_ = std::make_unique<ReadAhead>(*strand_, options_.read_ahead_bytes);
            position_ = {};
            attributes_ = std::move(facts.attributes);
            traffic_ = {};
          }
          if (!facts.fault) learn(facts);
          done(LoadOutcome{std::move(facts.fault)});
        });
  }

  void unload(Done<WriteOutcome> done) override {
    reader_->drop();
    writer_->barrier([this, done = std::move(done)](MaybeFault fault) mutable {
      strand_->run(
          std::make_shared<Facts>(),
          [traffic = traffic_](std::unique_ptr<OpenCartridge>& cartridge, Facts& facts) {
            facts.fault = cartridge->close(traffic);
            facts.take_from(*cartridge);
            cartridge.reset();
          },
          [this, fault = std::move(fault), done = std::move(done)](Facts& facts) mutable {
            traffic_ = {};
            learn(facts);
            writer_.reset();
            reader_.reset();
            strand_.reset();
            if (std::exchange(discarded_, false)) empty_trash_aside();
            WriteOutcome outcome;
            outcome.fault = fault ? std::move(fault) : std::move(facts.fault);
            done(std::move(outcome));
          });
    });
  }

  // --- facts
  // --------------------------------------------------------------------------------------------

  std::uint32_t partition_count() const override {
    return static_cast<std::uint32_t>(partitions_.size());
  }
  PartitionInfo partition(std::uint32_t index) const override { return partitions_[index]; }
  Position position() const override { return position_; }
  std::uint64_t buffered_objects() const override { return writer_ ? writer_->unwritten() : 0; }
  std::uint64_t buffered_bytes() const override { return writer_ ? writer_->queued_bytes() : 0; }
  std::optional<MediumFault> take_deferred_fault() override {
    return writer_ ? writer_->take_fault() : std::nullopt;
  }
  bool append_failed() const override { return writer_ && writer_->failed(); }
  void settle() override {
    if (writer_) writer_->settle();
  }

  // --- writing
  // ------------------------------------------------------------------------------------------

  void write(Buffer data, std::uint32_t block_length, WriteMode mode,
             Done<WriteOutcome> done) override {
    VTL_CHECK(block_length != 0 && data.size() % block_length == 0 && data.size() != 0);
    write_ = {};
    write_.count = data.size() / block_length;
    write_.data = std::move(data);
    write_.block_length = block_length;
    write_.mode = mode;
    write_.done = std::move(done);
    start_write();
  }

  void write_filemarks(std::uint32_t count, WriteMode mode, Done<WriteOutcome> done) override {
    write_ = {};
    write_.count = count;
    write_.mode = mode;
    write_.done = std::move(done);
    if (count == 0 && !append_failed()) return finish_write();
    start_write();
  }

  void flush(WriteMode mode, Done<WriteOutcome> done) override {
    auto finished = [this, done = std::move(done)](MaybeFault fault) mutable {
      WriteOutcome outcome;
      outcome.zone = zone();
      outcome.fault = std::move(fault);
      done(std::move(outcome));
    };
    if (mode == WriteMode::kDurable) return writer_->barrier(std::move(finished));
    writer_->flush(std::move(finished));
  }

  void erase(Done<WriteOutcome> done) override {
    settled([this, done = std::move(done)](MaybeFault fault) mutable {
      if (!fault && append_failed()) fault = refusal();
      if (fault) return done(outcome_of(std::move(fault)));
      if (position_.object < partitions_[position_.partition].end_of_data) discarded_ = true;
      writer_->end();
      strand_->run(
          std::make_shared<Facts>(),
          [at = position_](std::unique_ptr<OpenCartridge>& cartridge, Facts& facts) {
            facts.fault = cartridge->erase(at.partition, at.object);
            facts.take_from(*cartridge);
          },
          [this, done = std::move(done)](Facts& facts) mutable {
            learn(facts);
            done(outcome_of(std::move(facts.fault)));
          });
    });
  }

  // --- reading
  // ------------------------------------------------------------------------------------------

  void read(std::uint32_t block_length, std::uint32_t count, Done<ReadOutcome> done) override {
    read_ = {};
    read_.block_length = block_length;
    read_.count = count;
    read_.done = std::move(done);
    if (writer_->unwritten() == 0) return continue_read();
    writer_->flush([this](MaybeFault fault) {
      if (!fault) return continue_read();
      read_.outcome.stop = ReadOutcome::Stop::kFault;
      read_.outcome.fault = std::move(fault);
      finish_read();
    });
  }

  // --- moving
  // -------------------------------------------------------------------------------------------

  void space(SpaceUnit unit, std::int64_t count, Done<SpaceOutcome> done) override {
    seek(
        position_.partition,
        [unit, count](PartitionLog& log, const Position& at) { return log.space(at, unit, count); },
        std::move(done));
  }
  void locate_object(std::uint32_t partition, std::uint64_t object,
                     Done<SpaceOutcome> done) override {
    seek(
        partition,
        [object](PartitionLog& log, const Position&) { return log.locate_object(object); },
        std::move(done));
  }
  void locate_file(std::uint32_t partition, std::uint64_t file, Done<SpaceOutcome> done) override {
    seek(
        partition, [file](PartitionLog& log, const Position&) { return log.locate_file(file); },
        std::move(done));
  }
  void locate_end_of_data(std::uint32_t partition, Done<SpaceOutcome> done) override {
    seek(
        partition,
        [](PartitionLog& log, const Position&) { return log.locate_object(log.end_of_data); },
        std::move(done));
  }

  // --- attributes
  // ---------------------------------------------------------------------------------------

  std::vector<Attribute> host_attributes(std::uint32_t partition) const override {
    return partition < attributes_.size() ? attributes_[partition] : std::vector<Attribute>{};
  }

  void write_host_attributes(std::uint32_t partition, std::vector<Attribute> attributes,
                             Done<WriteOutcome> done) override {
    strand_->run(
        std::make_shared<Facts>(),
        [partition, attributes = std::move(attributes)](std::unique_ptr<OpenCartridge>& cartridge,
                                                        Facts& facts) {
          facts.fault = cartridge->mam().write(partition, attributes);
          facts.attributes.push_back(cartridge->mam().attributes(partition));
        },
        [this, partition, done = std::move(done)](Facts& facts) mutable {
          attributes_[partition] = std::move(facts.attributes[0]);
          done(outcome_of(std::move(facts.fault)));
        });
  }

 private:
  struct Write {
    Buffer data;
    std::uint32_t block_length = 0;  // 0: filemarks
    std::uint64_t count = 0;
    WriteMode mode = WriteMode::kBuffered;
    WriteOutcome outcome;
    Done<WriteOutcome> done;
  };
  struct Read {
    std::uint32_t block_length = 0;
    std::uint32_t count = 0;
    ReadOutcome outcome;
    Done<ReadOutcome> done;
  };

  // --- what the strand has told
  // -------------------------------------------------------------------------

  void alert(const std::vector<std::string>& notes) const {
    for (const std::string& note : notes)
      if (options_.alert) options_.alert(note);
  }

  void learn(Facts& facts) {
    info_ = std::move(facts.info);
    // The label learns of this load's traffic when it ends.
    info_.bytes_written_load += traffic_.bytes_written;
    info_.bytes_read_load += traffic_.bytes_read;
    info_.bytes_written_life += traffic_.bytes_written;
    info_.bytes_read_life += traffic_.bytes_read;
    partitions_ = std::move(facts.partitions);
    alert(facts.notes);
  }

  void progressed(const WriteBehind::Progress& progress) {
    PartitionInfo& partition = partitions_[progress.partition_number];
    partition.used_bytes = writer_->used_bytes();
    info_.volume_change_reference = progress.volume_change_reference;
    alert(progress.notes);
    if (!progress.latched) return;
    partition = progress.partition;
    if (position_.partition == progress.partition_number &&
        position_.object > partition.end_of_data) {
      position_.object = partition.end_of_data;
      position_.filemarks = partition.filemarks;
    }
    if (progress.fault && options_.alert)
      options_.alert(
          fmt::format("{}: writing has failed, and no more is written until it is loaded again: {}",
                      info_.barcode, progress.fault->detail));
  }

  Zone zone() const {
    const PartitionInfo& p = partitions_[position_.partition];
    return p.used_bytes >= p.early_warning_bytes || (writer_ && writer_->pool_low())
               ? Zone::kEarlyWarning
               : Zone::kNormal;
  }
  WriteOutcome outcome_of(MaybeFault fault) const {
    WriteOutcome outcome;
    outcome.zone = zone();
    outcome.fault = std::move(fault);
    return outcome;
  }
  Fault refusal() const {
    return make_fault(Fault::Kind::kWriteError,
                      "an earlier write failed; the cartridge has to be loaded again");
  }

  // --- writing, step by step
  // ----------------------------------------------------------------------------

  void start_write() {
    reader_->drop();
    if (append_failed()) {
      write_.outcome.fault = refusal();
      return end_write();
    }
    if (writer_->is_at(position_.partition, position_.object)) return continue_write();
    const bool cuts = position_.object < partitions_[position_.partition].end_of_data;
    if (writer_->unwritten() == 0) return begin_write(cuts);
    writer_->flush([this, cuts](MaybeFault fault) {
      if (!fault) return begin_write(cuts);
      write_.outcome.fault = std::move(fault);
      end_write();
    });
  }

  void begin_write(bool cuts) {
    writer_->begin(position_.partition, position_.object, [this, cuts](MaybeFault fault) {
      if (fault) {
        if (fault->kind == Fault::Kind::kNoSpace && !append_failed()) {
          alert({fault->detail});
          write_.outcome.full = true;
        } else {
          write_.outcome.fault = std::move(fault);
        }
        return end_write();
      }
      if (cuts) {
        discarded_ = true;
        partitions_[position_.partition].end_of_data = position_.object;
        partitions_[position_.partition].filemarks = position_.filemarks;
      }
      continue_write();
    });
  }

  // Blocks that still fit into the partition. Filemarks always do.
  std::uint64_t fitting() const {
    const PartitionInfo& p = partitions_[position_.partition];
    const std::uint64_t left = p.capacity_bytes - std::min(p.capacity_bytes, p.used_bytes);
    return std::min(write_.count, left / write_.block_length);
  }

  void continue_write() {
    while (write_.outcome.accepted < write_.count) {
      Run run;
      if (write_.block_length == 0) {
        run.count = static_cast<std::uint32_t>(
            std::min(write_.count - write_.outcome.accepted, kFilemarkRun));
      } else {
        const std::uint64_t fit = fitting();
        write_.outcome.full = fit < write_.count;
        if (fit == 0) break;
        run.count = static_cast<std::uint32_t>(fit);
        run.block_length = write_.block_length;
        run.data = std::move(write_.data);
      }
      const std::uint32_t asked = run.count;
      const WriteBehind::Admission admission = writer_->append(std::move(run));
      using Admit = WriteBehind::Admit;
      if (admission.admit == Admit::kFaulted) break;
      if (admission.admit == Admit::kFull) {
        write_.data = std::move(run.data);
        return writer_->when_room([this] { continue_write(); });
      }
      accept(admission.accepted);
      if (admission.admit == Admit::kNoSpace) {
        alert({fmt::format("{}: the pool has no space left", info_.barcode)});
        write_.outcome.full = true;
        break;
      }
      if (write_.block_length != 0) break;  // one run holds them all
      if (write_.outcome.accepted < write_.count && writer_->above_high_water())
        return writer_->when_room([this] { continue_write(); });
      VTL_CHECK(asked == admission.accepted);
    }
    finish_write();
  }

  void accept(std::uint32_t count) {
    PartitionInfo& p = partitions_[position_.partition];
    write_.outcome.accepted += count;
    position_.object += count;
    p.end_of_data = position_.object;
    if (write_.block_length == 0) {
      position_.filemarks += count;
      p.filemarks = position_.filemarks;
      return;
    }
    const std::uint64_t bytes = std::uint64_t{count} * write_.block_length;
    p.used_bytes = writer_->used_bytes();
    traffic_.bytes_written += bytes;
    info_.bytes_written_load += bytes;
    info_.bytes_written_life += bytes;
  }

  void finish_write() {
    if (append_failed()) {
      write_.outcome.fault = writer_->take_fault();
      if (!write_.outcome.fault) write_.outcome.fault = refusal();
      return end_write();
    }
    if (write_.mode == WriteMode::kDurable)
      return writer_->barrier([this](MaybeFault fault) {
        write_.outcome.fault = std::move(fault);
        end_write();
      });
    // A real drive with a full buffer makes the host wait; so does this one.
    if (writer_->above_high_water())
      return writer_->when_room([this] {
        if (append_failed()) write_.outcome.fault = writer_->take_fault();
        end_write();
      });
    end_write();
  }

  void end_write() {
    write_.outcome.zone = zone();
    write_.data = {};
    auto done = std::move(write_.done);
    done(std::move(write_.outcome));
  }

  // --- reading, step by step
  // ----------------------------------------------------------------------------

  void continue_read() {
    ReadOutcome& out = read_.outcome;
    using Stop = ReadOutcome::Stop;
    reader_->aim(position_.partition, position_.object,
                 partitions_[position_.partition].end_of_data);
    while (out.blocks < read_.count && out.stop == Stop::kNone) {
      if (reader_->at_end()) {
        out.stop = Stop::kEndOfData;
        break;
      }
      const ReadObject* object = reader_->peek();
      if (object == nullptr) return reader_->wait([this] { continue_read(); });
      const ReadChunk& chunk = reader_->chunk();
      if (reader_->at_chunk_start() && chunk.first_filemark)
        position_.filemarks = *chunk.first_filemark;
      switch (object->kind) {
        case ReadObject::Kind::kBlock:
          take_block(*object, chunk);
          break;
        case ReadObject::Kind::kFilemark:
          out.stop = Stop::kFilemark;
          break;
        case ReadObject::Kind::kDamaged:
          out.stop = Stop::kFault;
          out.fault = make_fault(Fault::Kind::kReadError, chunk.detail);
          break;
        case ReadObject::Kind::kMissing:
          out.stop = Stop::kFault;
          out.fault = make_fault(Fault::Kind::kObjectMissing, chunk.detail);
          break;
      }
      ++position_.object;
      if (object->counts_as_filemark) ++position_.filemarks;
      reader_->pass();
    }
    finish_read();
  }

  void take_block(const ReadObject& object, const ReadChunk& chunk) {
    ReadOutcome& out = read_.outcome;
    if (object.length == read_.block_length) {
      ++out.blocks;
    } else {
      out.stop = ReadOutcome::Stop::kLength;
      out.actual_length = object.length;
    }
    std::size_t left = std::min(object.length, read_.block_length);
    std::size_t offset = object.offset;
    for (std::size_t b = object.buffer; left != 0; ++b) {
      const ReadBuffer& buffer = chunk.buffers[b];
      const scsi::Bytes bytes =
          buffer.bytes.subspan(offset, std::min(left, buffer.bytes.size() - offset));
      if (!bytes.empty()) out.data.push_back({buffer.owner, bytes});
      left -= bytes.size();
      offset = 0;
    }
    traffic_.bytes_read += object.length;
    info_.bytes_read_load += object.length;
    info_.bytes_read_life += object.length;
  }

  void finish_read() {
    if (read_.outcome.fault && options_.alert)
      options_.alert(fmt::format("{}: {}", info_.barcode, read_.outcome.fault->detail));
    auto done = std::move(read_.done);
    done(std::move(read_.outcome));
  }

  // --- the rest
  // -----------------------------------------------------------------------------------------

  // Everything that was accepted is in the files, and nothing is being read.
  template <class Next>
  void settled(Next next) {
    reader_->drop();
    if (writer_->unwritten() == 0) return next(MaybeFault());
    writer_->flush(std::move(next));
  }

  struct SeekResult {
    PartitionLog::Seek seek;
  };
  template <class Search>
  void seek(std::uint32_t partition, Search search, Done<SpaceOutcome> done) {
    VTL_CHECK(partition < partitions_.size());
    settled([this, partition, search = std::move(search),
             done = std::move(done)](MaybeFault fault) mutable {
      if (fault) {
        SpaceOutcome outcome;
        outcome.stop = SpaceOutcome::Stop::kFault;
        outcome.fault = std::move(fault);
        return done(std::move(outcome));
      }
      strand_->run(
          std::make_shared<SeekResult>(),
          [partition, search = std::move(search), at = position_](
              std::unique_ptr<OpenCartridge>& cartridge, SeekResult& result) {
            result.seek = search(cartridge->log(partition), at);
          },
          [this, done = std::move(done)](SeekResult& result) mutable {
            position_ = result.seek.position;
            done(std::move(result.seek.outcome));
          });
    });
  }

  // Unlinking hundreds of megabytes takes long: on a strand that ends when it has done it.
  void empty_trash_aside() {
    const auto parent = [](const std::string& path) {
      return path.substr(0, path.find_last_of('/'));
    };
    const Strand strand = executor_.make_strand("trash");
    executor_.submit(
        strand,
        [&files = files_, pool = parent(parent(directory_))] { (void)empty_trash(files, pool); },
        [] {});
    executor_.close_strand(strand);
  }

  FileSystem& files_;
  Executor& executor_;
  const std::string directory_;
  const MediumOptions options_;
  MediumInfo info_;
  std::unique_ptr<CartridgeStrand> strand_;  // while loaded
  std::unique_ptr<WriteBehind> writer_;
  std::unique_ptr<ReadAhead> reader_;
  std::vector<PartitionInfo> partitions_;
  std::vector<std::vector<Attribute>> attributes_;
  Position position_;
  Write write_;
  Read read_;
  OpenCartridge::Traffic traffic_;
  bool discarded_ = false;  // since the trash was emptied last
};

}  // namespace

std::unique_ptr<CartridgeMedium> make_medium(FileSystem& files, Executor& executor,
                                             const CartridgeSummary& summary,
                                             MediumOptions options) {
  return std::make_unique<Medium>(files, executor, summary, std::move(options));
}

}  // namespace vtl
