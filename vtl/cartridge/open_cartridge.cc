#include "vtl/cartridge/open_cartridge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "vtl/cartridge/recovery.h"
#include "vtl/cartridge/superblock.h"

namespace vtl {

namespace {

Fault load_fault(const IoError& error) {
  switch (error.code) {
    case EAGAIN:
      return make_fault(Fault::Kind::kInUse, error.what);
    case EPROTONOSUPPORT:
      return make_fault(Fault::Kind::kIncompatibleFormat, error.what);
    case EBADMSG:
    case ENOENT:
      return make_fault(Fault::Kind::kFormatCorrupt, error.what);
    default:
      return make_fault(Fault::Kind::kReadError, error.what);
  }
}

}  // namespace

OpenCartridge::OpenCartridge(FileSystem& files, std::string dir, Options options)
    : files_(files),
      dir_(std::move(dir)),
      options_(std::move(options)),
      stage_(std::make_unique<Stage>()),
      mam_(files, dir_) {}

OpenCartridge::~OpenCartridge() = default;

// --- opening

OpenCartridge::Opened OpenCartridge::open(FileSystem& files, const std::string& dir,
                                          Options options, const scsi::ssc::LoadRecord* drive) {
  std::unique_ptr<OpenCartridge> cartridge(new OpenCartridge(files, dir, std::move(options)));
  if (MaybeFault fault = cartridge->load(drive)) return {nullptr, std::move(fault)};
  return {std::move(cartridge), std::nullopt};
}

MaybeFault OpenCartridge::load(const scsi::ssc::LoadRecord* drive) {
  if (const auto there = files_.exists(dir_); !there || !*there)
    return load_fault(there ? IoError{ENOENT, dir_ + ": no such cartridge"} : there.error());
  auto lock = files_.lock(dir_ + "/LOCK");
  if (!lock) return load_fault(lock.error());
  lock_ = std::move(*lock);
  Result<Label> label = read_label(files_, dir_);
  if (!label) return load_fault(label.error());
  cart_ = std::move(label->cart);
  label_damaged_ = label->damaged;
  read_only_features_ = (cart_.feat_ro_compat & ~format::kKnownReadOnlyCompat) != 0;
  if (cart_.has(format::kStub))
    return make_fault(Fault::Kind::kIncompatibleFormat, dir_ + ": its data are on the shelf");
  if (cart_.at_rest_encryption != 0)
    return make_fault(Fault::Kind::kIncompatibleFormat,
                      dir_ + ": it is encrypted, which this version cannot read");
  if (label_damaged_) notes_.push_back(dir_ + "/CART: damaged; the cartridge is write-protected");

  if (!read_only()) {
    if (const Status synced = sync_cart(files_, dir_); !synced)
      return make_fault(Fault::Kind::kWriteError, synced.error().what);
  }
  choose_io();
  if (MaybeFault fault = recover()) return fault;
  if (MaybeFault fault = mam_.load()) {
    mam_damaged_ = true;
    notes_.push_back(fault->detail);
  }
  if (cart_.initialization_count > 1) mam_.formatted(cart_.initialization_count - 1);
  if (read_only()) return std::nullopt;

  // Whoever held the cartridge before is fenced off by the new owner epoch. Recovery went well, so
  // what an earlier life latched is over.
  ++cart_.owner_epoch;
  cart_.set(format::kAppendFailed, false);
  if (drive != nullptr) {
    ++cart_.load_count;
    std::rotate(cart_.last_loads.begin(), cart_.last_loads.end() - 1, cart_.last_loads.end());
    cart_.last_loads[0] = *drive;
    cart_.bytes_written_load = cart_.bytes_read_load = 0;
  }
  if (MaybeFault fault = save_cart()) {
    // Without space it can still be read; whoever writes is told. (Its label is written then.)
    if (fault->kind != Fault::Kind::kNoSpace) return fault;
    failed_ = false;
    notes_.push_back(fault->detail);
  }
  return std::nullopt;
}

void OpenCartridge::choose_io() {
  const bool direct =
      options_.io_mode == IoMode::kDirect ||
      (options_.io_mode == IoMode::kAuto && direct_io_works(files_, dir_ + "/CART"));
  io_ = direct ? FileSystem::Io::kDirect : FileSystem::Io::kBuffered;
}

MaybeFault OpenCartridge::recover() {
  const auto names = files_.list(dir_);
  if (!names) return load_fault(names.error());
  for (const std::string& name : *names) {
    // A directory of another generation: an overwrite from the beginning was interrupted.
    const auto parsed = format::parse_partition_directory(name);
    if (!parsed || read_only()) continue;
    if (parsed->partition < cart_.partition_count &&
        parsed->dirgen == cart_.partitions[parsed->partition].dirgen)
      continue;
    if (const Status status = discard_directory(name, *parsed); !status) {
      notes_.push_back(status.error().what);
      // An overwrite from the beginning would take it for its own.
      if (is_newer(*parsed)) leave_alone("what its label does not know of cannot be set aside");
    }
  }
  for (std::uint32_t p = 0; p < cart_.partition_count; ++p) {
    logs_[p] = std::make_unique<PartitionLog>(files_, cart_.uuid, p, cart_.partitions[p].dirgen,
                                              dir_, io_);
    RecoveryInput input;
    input.cart = &cart_;
    input.cartridge_dir = dir_;
    input.read_only = read_only();
    input.use_table = !options_.read_every_trailer;
    input.notes = &notes_;
    input.discard = [this, p](const std::string& name) {
      const Status status = discard(logs_[p]->directory + "/" + name);
      // No other cut may take this one's place while it is there.
      if (!status) pending_.push_back({logs_[p]->directory, name});
      return status;
    };
    input.repair = [this](PartitionLog& log) {
      LogWriter writer(log, *stage_, make_writer(log.number)->config());
      return mended(writer.seal());
    };
    input.mend_header = [this](PartitionLog& log) {
      const Status status = make_writer(log.number)->mend_header(log.segments.back());
      return mended(status ? MaybeFault() : write_fault(status.error()));
    };
    if (MaybeFault fault = recover_partition(*logs_[p], input)) return fault;
    if (logs_[p]->unreadable) leave_alone("the disk cannot read a part of it");
    if (MaybeFault fault = make_durable(*logs_[p])) return fault;
    // I2, also when the newest copy of the label is the one that was lost.
    cart_.next_epoch = std::max(cart_.next_epoch, logs_[p]->highest_epoch + 1);
  }
  return std::nullopt;
}

// What could not be mended must not be called clean, or no load would try again.
bool OpenCartridge::mended(const MaybeFault& fault) {
  if (!fault) return true;
  leave_alone("what was damaged in it could not be written anew");
  notes_.push_back(fault->detail);
  return false;
}

// A partition that is no more keeps its row: FORMAT MEDIUM left it behind.
bool OpenCartridge::is_newer(const format::PartitionName& parsed) const {
  return parsed.partition >= format::kMaxPartitions ||
         parsed.dirgen > cart_.partitions[parsed.partition].dirgen;
}

// The overwritten past goes to the trash. A directory that the label does not know yet is what an
// interrupted cut has left if it is empty; otherwise a newer label is lost, and its data are not.
Status OpenCartridge::discard_directory(const std::string& name,
                                        const format::PartitionName& parsed) {
  const auto content = files_.list(dir_ + "/" + name);
  if (!content) return content.error();
  if (!is_newer(parsed) || content->empty()) return discard(dir_ + "/" + name);
  notes_.push_back(
      fmt::format("{}/{}: set aside in quarantine/, as the label does not know of it", dir_, name));
  return set_aside(files_, dir_, name, name);
}

// A process that died may have left the end of the log in the system's memory only, names too. What
// is read and built upon from here on has to survive power loss. (I4: all but the last segment do.)
MaybeFault OpenCartridge::make_durable(PartitionLog& log) {
  if (cart_.has(format::kClean) || log.segments.empty()) return std::nullopt;
  const SegmentInfo& last = log.segments.back();
  const auto file = files_.open(
      log.path(last), read_only() ? FileSystem::Mode::kRead : FileSystem::Mode::kReadWrite, io_);
  if (!file) return read_fault(file.error());
  Status status = ok_status();
  if (!read_only()) status = write_again(**file, log.durable_end);
  if (status) status = (*file)->fdatasync();
  if (status) status = files_.sync_directory(log.directory);
  if (!status) return make_fault(Fault::Kind::kWriteError, status.error().what);
  if (!read_only()) remember_durable(log);
  return std::nullopt;
}

// After a sync has failed the system's memory may show what the disk never got, and call it clean:
// the next sync would pass over it. The same bytes, written once more, are dirty again. Whether one
// has failed the label may not have been able to say.
Status OpenCartridge::write_again(File& file, std::uint64_t from) {
  for (std::uint64_t offset = from / format::kBlock * format::kBlock;; offset += Stage::kBytes) {
    const Result<std::size_t> read = file.pread(stage_->all(), offset);
    if (!read) {
      leave_alone("the disk cannot read a part of it");
      notes_.push_back(read.error().what);
      return ok_status();
    }
    const std::size_t whole = format::align_up(*read, format::kBlock);
    std::fill(stage_->data() + *read, stage_->data() + whole, std::byte{});
    if (whole != 0)
      if (Status status = file.pwrite(stage_->all().first(whole), offset); !status) {
        if (!is_out_of_space(status.error())) return status;
        leave_alone("for want of space it was not made certain that all of it is on the disk");
        notes_.push_back(status.error().what);
        return ok_status();
      }
    if (*read < Stage::kBytes) return ok_status();
  }
}

std::unique_ptr<LogWriter> OpenCartridge::make_writer(std::uint32_t partition) {
  WriterConfig config;
  config.header.partition = static_cast<std::uint8_t>(partition);
  config.header.uuid = cart_.uuid;
  config.header.barcode = cart_.barcode;
  config.header.generation = cart_.generation;
  config.header.density = cart_.density;
  config.header.worm = cart_.worm;
  config.header.partition_count = cart_.partition_count;
  config.header.segment_mib = cart_.segment_mib;
  config.header.dirgen = cart_.partitions[partition].dirgen;
  config.header.capacity_bytes = cart_.partitions[partition].capacity_bytes;
  config.segment_bytes = std::uint64_t{cart_.segment_mib} << 20;
  config.max_objects = options_.max_segment_objects;
  config.low_water_bytes = options_.low_water_bytes;
  config.hard_water_bytes = options_.hard_water_bytes;
  config.now_ns = options_.now_ns;
  return std::make_unique<LogWriter>(*logs_[partition], *stage_, std::move(config));
}

// --- facts

scsi::ssc::MediumInfo OpenCartridge::info() const {
  scsi::ssc::MediumInfo info = medium_info({cart_, label_damaged_});
  if (!left_alone_.empty()) {
    info.write_protected = info.software_protected = true;
    info.write_protect_reason = left_alone_ + "; until a load can, nothing is written";
  }
  info.memory_damaged = label_damaged_ || mam_damaged_;
  info.directory_damaged = std::any_of(logs_.begin(), logs_.end(), [](const auto& log) {
    return log != nullptr && log->table_damaged;
  });
  return info;
}

scsi::ssc::PartitionInfo OpenCartridge::partition_info(std::uint32_t partition) const {
  const format::PartitionRow& row = cart_.partitions[partition];
  const PartitionLog& log = *logs_[partition];
  scsi::ssc::PartitionInfo info;
  info.capacity_bytes = row.capacity_bytes;
  info.early_warning_bytes =
      row.capacity_bytes - std::min(row.capacity_bytes, row.early_warning_bytes);
  info.used_bytes = log.used_bytes;
  info.end_of_data = log.end_of_data;
  info.filemarks = log.filemarks;
  return info;
}

std::vector<std::string> OpenCartridge::take_notes() {
  for (const auto& log : logs_) {
    if (log == nullptr) continue;
    std::move(log->notes.begin(), log->notes.end(), std::back_inserter(notes_));
    log->notes.clear();
  }
  return std::exchange(notes_, {});
}

// --- writing

MaybeFault OpenCartridge::latched(MaybeFault fault) {
  const auto has_failed = [](const auto& w) { return w != nullptr && w->failed(); };
  if (!fault || failed_ || std::none_of(writers_.begin(), writers_.end(), has_failed))
    return fault;  // at worst out of space, and nothing lost
  return final_fault(std::move(*fault));
}

Fault OpenCartridge::final_fault(Fault fault) {
  if (failed_) return fault;
  failed_ = true;
  failure_ = fault.detail;
  cart_.set(format::kAppendFailed, true);
  (void)write_cart(files_, dir_, cart_);  // if it can still be said, it is said
  return fault;
}

Fault OpenCartridge::refusal() const {
  return make_fault(Fault::Kind::kWriteError, "an earlier write failed: " + failure_);
}

MaybeFault OpenCartridge::save_cart() {
  if (const Status status = write_cart(files_, dir_, cart_); !status) {
    failed_ = true;
    failure_ = status.error().what;
    return write_fault(status.error());
  }
  return std::nullopt;
}

MaybeFault OpenCartridge::begin_append(std::uint32_t partition, std::uint64_t lba) {
  if (failed_) return refusal();
  VTL_CHECK(partition < partition_count() && lba <= log(partition).end_of_data);
  if (info().write_protected)
    return make_fault(Fault::Kind::kWriteError, info().write_protect_reason);
  if (writers_[current_] != nullptr && writers_[current_]->attached() && current_ != partition)
    if (MaybeFault fault = flush()) return fault;
  current_ = partition;
  if (lba < log(partition).end_of_data) {
    if (MaybeFault fault = cut(partition, lba)) return fault;
  } else if (epoch_ == 0) {
    if (MaybeFault fault = begin_epoch()) return fault;
  }
  if (writers_[partition] == nullptr) writers_[partition] = make_writer(partition);
  if (!writer()->attached()) return latched(writer()->attach(epoch_));
  writer()->set_epoch(epoch_);
  return std::nullopt;
}

// I2: the epoch is durable before a record carries it. In both copies of the label: with one of
// them damaged, the other must not take the tape for what it was before.
MaybeFault OpenCartridge::begin_epoch() {
  if (epoch_ == 0) ++cart_.volume_change_reference;  // once per load (ssc-drive 11.3)
  epoch_ = cart_.next_epoch++;
  cart_.set(format::kClean, false);
  if (MaybeFault fault = save_cart()) return fault;
  return save_cart();
}

MaybeFault OpenCartridge::append_block(scsi::Bytes block) {
  if (scratch_.size() < block.size() && options_.compression != Compression::kNone)
    scratch_.resize(block.size());
  return append_block(code_block({options_.compression, {}, {}}, block, scratch_, {}));
}

MaybeFault OpenCartridge::append_block(const CodedBlock& block) {
  if (failed_) return refusal();
  return latched(writer()->append_block(block));
}

MaybeFault OpenCartridge::append_filemark() {
  if (failed_) return refusal();
  return latched(writer()->append_filemark());
}

MaybeFault OpenCartridge::flush() {
  if (failed_) return refusal();
  if (writer() == nullptr || !writer()->attached()) return std::nullopt;
  if (MaybeFault fault = latched(writer()->flush())) return fault;
  if (!pending_failed_)
    if (MaybeFault fault = empty_pending(64))
      notes_.push_back(fault->detail);  // the next cut fails
  return std::nullopt;
}

MaybeFault OpenCartridge::sync() {
  if (failed_) return refusal();  // I5
  for (std::uint32_t p = 0; p < partition_count(); ++p) {
    if (writers_[p] == nullptr || !writers_[p]->attached()) continue;
    if (MaybeFault fault = latched(writers_[p]->sync())) return fault;
    remember_durable(*logs_[p]);
  }
  return std::nullopt;
}

// All of the log has just been made durable.
void OpenCartridge::remember_durable(PartitionLog& log) {
  const Status status = log.durable_mark.write({.uuid = cart_.uuid,
                                                .partition = log.number,
                                                .cut_epoch = cart_.partitions[log.number].cut_epoch,
                                                .end_of_data = log.end_of_data,
                                                .filemarks = log.filemarks,
                                                .used_bytes = log.used_bytes});
  // Nothing is lost but a proof that is wanted only when the disk damages what was just written.
  if (!status && !std::exchange(durable_mark_failed_, true)) notes_.push_back(status.error().what);
}

Dirty OpenCartridge::dirty() const {
  Dirty sum;
  for (const auto& each : writers_) {
    if (each == nullptr) continue;
    const Dirty dirty = each->dirty();
    sum.objects += dirty.objects;
    sum.bytes += dirty.bytes;
  }
  return sum;
}

MaybeFault OpenCartridge::provision(bool next, std::uint64_t need) {
  return latched(writer()->provision(next, need));
}

}  // namespace vtl
