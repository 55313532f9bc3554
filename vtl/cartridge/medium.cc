#include "vtl/cartridge/medium.h"

#include <fmt/format.h>

#include "vtl/cartridge/medium_impl.h"

namespace vtl {

using scsi::Buffer;
using scsi::Done;
using namespace scsi::ssc;  // NOLINT: this file is about nothing else

Medium::Medium(FileSystem& files, Executor& executor, const CartridgeSummary& summary,
               MediumOptions options)
    : files_(files),
      executor_(executor),
      directory_(summary.directory),
      options_(std::move(options)),
      info_(summary.info) {}

// --- loading

void Medium::Facts::take_from(OpenCartridge& cartridge) {
  info = cartridge.info();
  for (std::uint32_t p = 0; p < cartridge.partition_count(); ++p) {
    partitions.push_back(cartridge.partition_info(p));
    attributes.push_back(cartridge.mam().attributes(p));
  }
  notes = cartridge.take_notes();
  dirty = cartridge.dirty();
}

void Medium::load(LoadRecord drive, Done<LoadOutcome> done) {
  VTL_CHECK(strand_ == nullptr);
  strand_ = std::make_unique<CartridgeStrand>(executor_, info_.barcode);
  OpenCartridge::Options options;
  options.io_mode = options_.io_mode;
  options.compression = options_.compression;
  options.max_segment_objects = options_.max_segment_objects;
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
        if (cartridge == nullptr) return;
        facts.take_from(*cartridge);
        // Its own files: one cartridge may lie on a disk, or a network, while the pool does not.
        const Result<SpaceInfo> space = files.space(directory);
        facts.in_memory = space && space->in_memory;
      },
      [this, done = std::move(done)](Facts& facts) mutable {
        if (facts.fault) {
          strand_.reset();
        } else {
          if (facts.in_memory) strand_->never_waits();
          writer_ = std::make_unique<WriteBehind>(*strand_, executor_, options_.compression,
                                                  options_.random, options_.queue_bytes,
                                                  options_.max_segment_objects);
          writer_->on_progress = [this](const WriteBehind::Progress& progress) {
            progressed(progress);
          };
          reader_ = std::make_unique<ReadAhead>(*strand_, options_.read_ahead_bytes);
          position_ = {};
          attributes_ = std::move(facts.attributes);
          traffic_ = {};
        }
        if (facts.fault) {
          alert(MediumAlert::Kind::kLoadFailed,
                fmt::format("{}: it cannot be loaded: {}", info_.barcode, facts.fault->detail));
        } else {
          alert(MediumAlert::Kind::kLoaded);
          learn(facts);
        }
        done(LoadOutcome{std::move(facts.fault)});
      });
}

void Medium::unload(Done<WriteOutcome> done) {
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
          if (facts.fault)
            alert(MediumAlert::Kind::kWriteFailed,
                  fmt::format("{}: it could not be closed in order, and its last writes may be "
                              "lost; the next load recovers it: {}",
                              info_.barcode, facts.fault->detail));
          writer_.reset();
          reader_.reset();
          strand_.reset();
          handling_ = {};  // no key stays with a cartridge
          WriteOutcome outcome;
          outcome.fault = fault ? std::move(fault) : std::move(facts.fault);
          done(std::move(outcome));
        });
  });
}

// --- what the strand has told

void Medium::alert(MediumAlert::Kind kind, std::string text) const {
  if (options_.alert) options_.alert({kind, info_.barcode, std::move(text)});
}

void Medium::alert(const std::vector<std::string>& notes) const {
  for (const std::string& note : notes) alert(MediumAlert::Kind::kNote, note);
}

void Medium::learn(Facts& facts) {
  info_ = std::move(facts.info);
  // The label learns of this load's traffic when it ends.
  info_.bytes_written_load += traffic_.bytes_written;
  info_.bytes_read_load += traffic_.bytes_read;
  info_.bytes_written_life += traffic_.bytes_written;
  info_.bytes_read_life += traffic_.bytes_read;
  partitions_ = std::move(facts.partitions);
  alert(facts.notes);
}

void Medium::progressed(const WriteBehind::Progress& progress) {
  PartitionInfo& partition = partitions_[progress.partition_number];
  partition.used_bytes = writer_->used_bytes();
  traffic_.bytes_written -= progress.saved;
  info_.bytes_written_load -= progress.saved;
  info_.bytes_written_life -= progress.saved;
  info_.volume_change_reference = progress.volume_change_reference;
  alert(progress.notes);
  if (progress.pool_low && !pool_low_)
    alert(MediumAlert::Kind::kPoolLow,
          info_.barcode +
              ": the pool is short of free space (low_water_bytes of storage), so the "
              "tape reports early warning: free some, or give it more");
  pool_low_ = progress.pool_low;
  // The strand knows it all where nothing is on its way: also when writing has just begun, or could
  // not begin and what was to be overwritten may be gone all the same.
  if (!progress.latched && writer_->active() && writer_->unwritten() != 0) return;
  partition = progress.partition;
  stay_inside(progress.partition_number);
  if (progress.fault)
    alert(MediumAlert::Kind::kWriteFailed,
          fmt::format("{}: writing has failed, and no more is written until it is loaded again: {}",
                      info_.barcode, progress.fault->detail));
}

// End of data has come back to what is really there; and there all filemarks are behind.
void Medium::stay_inside(std::uint32_t partition) {
  const PartitionInfo& p = partitions_[partition];
  if (position_.partition == partition && position_.object >= p.end_of_data)
    position_ = {partition, p.end_of_data, p.filemarks};
}

Zone Medium::zone() const {
  const PartitionInfo& p = partitions_[position_.partition];
  return p.used_bytes >= p.early_warning_bytes || (writer_ && writer_->pool_low())
             ? Zone::kEarlyWarning
             : Zone::kNormal;
}

WriteOutcome Medium::outcome_of(MaybeFault fault) const {
  WriteOutcome outcome;
  outcome.zone = zone();
  outcome.fault = std::move(fault);
  return outcome;
}

// --- moving

template <class Search>
void Medium::seek(std::uint32_t partition, Search search, Done<SpaceOutcome> done) {
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
        std::make_shared<PartitionLog::Seek>(),
        [partition, search = std::move(search), at = position_](
            std::unique_ptr<OpenCartridge>& cartridge, PartitionLog::Seek& result) {
          result = search(cartridge->log(partition), at);
        },
        [this, done = std::move(done)](PartitionLog::Seek& result) mutable {
          position_ = result.position;
          done(std::move(result.outcome));
        });
  });
}

void Medium::space(SpaceUnit unit, std::int64_t count, Done<SpaceOutcome> done) {
  seek(
      position_.partition,
      [unit, count](PartitionLog& log, const Position& at) { return log.space(at, unit, count); },
      std::move(done));
}

void Medium::locate_object(std::uint32_t partition, std::uint64_t object, Done<SpaceOutcome> done) {
  seek(
      partition, [object](PartitionLog& log, const Position&) { return log.locate_object(object); },
      std::move(done));
}

void Medium::locate_file(std::uint32_t partition, std::uint64_t file, Done<SpaceOutcome> done) {
  seek(
      partition, [file](PartitionLog& log, const Position&) { return log.locate_file(file); },
      std::move(done));
}

void Medium::locate_end_of_data(std::uint32_t partition, Done<SpaceOutcome> done) {
  seek(
      partition,
      [](PartitionLog& log, const Position&) { return log.locate_object(log.end_of_data); },
      std::move(done));
}

// --- attributes

void Medium::write_host_attributes(std::uint32_t partition, std::vector<Attribute> attributes,
                                   Done<WriteOutcome> done) {
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

std::unique_ptr<CartridgeMedium> make_medium(FileSystem& files, Executor& executor,
                                             const CartridgeSummary& summary,
                                             MediumOptions options) {
  return std::make_unique<Medium>(files, executor, summary, std::move(options));
}

}  // namespace vtl
