#include "vtl/cartridge/open_cartridge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "vtl/cartridge/recovery.h"
#include "vtl/cartridge/superblock.h"

namespace vtl {

namespace {

// <pool>/carts/<BARCODE> -> <pool>/trash
std::string trash_directory(const std::string& cartridge_dir) {
  const auto parent = [](const std::string& path) {
    return path.substr(0, path.find_last_of('/'));
  };
  return parent(parent(cartridge_dir)) + "/trash";
}

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
    if (const Status synced = sync_cart(files_, dir_); !synced) return load_fault(synced.error());
  }
  choose_io();
  if (MaybeFault fault = recover()) return fault;
  if (MaybeFault fault = mam_.load()) {
    mam_damaged_ = true;
    notes_.push_back(fault->detail);
  }
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
    if (const Status status = discard_directory(name, *parsed); !status)
      notes_.push_back(status.error().what);
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
      return !writer.seal();
    };
    input.mend_header = [this](PartitionLog& log) {
      return make_writer(log.number)->mend_header(log.segments.back()).ok();
    };
    if (MaybeFault fault = recover_partition(*logs_[p], input)) return fault;
    if (logs_[p]->unreadable) leave_alone("the disk cannot read a part of it");
    if (MaybeFault fault = make_durable(*logs_[p])) return fault;
    // I2, also when the newest copy of the label is the one that was lost.
    cart_.next_epoch = std::max(cart_.next_epoch, logs_[p]->highest_epoch + 1);
  }
  return std::nullopt;
}

// The overwritten past goes to the trash. A directory that the label does not know yet is what an
// interrupted cut has left if it is empty; otherwise a newer label is lost, and its data are not.
Status OpenCartridge::discard_directory(const std::string& name,
                                        const format::PartitionName& parsed) {
  const auto content = files_.list(dir_ + "/" + name);
  if (!content) return content.error();
  const bool newer = parsed.partition >= cart_.partition_count ||
                     parsed.dirgen > cart_.partitions[parsed.partition].dirgen;
  if (!newer || content->empty()) return discard(dir_ + "/" + name);
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

// I2: the epoch is durable before a record carries it.
MaybeFault OpenCartridge::begin_epoch() {
  if (epoch_ == 0) ++cart_.volume_change_reference;  // once per load (ssc-drive 11.3)
  epoch_ = cart_.next_epoch++;
  cart_.set(format::kClean, false);
  return save_cart();
}

MaybeFault OpenCartridge::append_block(scsi::Bytes block) {
  if (scratch_.size() < block.size() && options_.compression != Compression::kNone)
    scratch_.resize(block.size());
  return append_block(code_block(options_.compression, block, scratch_));
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

// --- discarding

MaybeFault OpenCartridge::erase(std::uint32_t partition, std::uint64_t lba) {
  if (failed_) return refusal();
  if (info().write_protected)
    return make_fault(Fault::Kind::kWriteError, info().write_protect_reason);
  if (lba >= log(partition).end_of_data) return sync();
  return cut(partition, lba);
}

MaybeFault OpenCartridge::cut(std::uint32_t partition, std::uint64_t lba) {
  PartitionLog& log = *logs_[partition];
  if (cart_.worm) {
    // Only filemarks at the very end may go, so that a closed tape can be appended to.
    const PartitionLog::Seek place = log.locate_object(lba);
    if (place.outcome.fault) return place.outcome.fault;
    if (log.end_of_data - lba != log.filemarks - place.position.filemarks)
      return make_fault(Fault::Kind::kWriteError, "written WORM data cannot be overwritten");
  }
  return lba == 0 ? cut_all(partition) : cut_after(partition, lba);
}

// A new directory takes the old one's place: the same time for any amount of data.
MaybeFault OpenCartridge::cut_all(std::uint32_t partition) {
  format::PartitionRow& row = cart_.partitions[partition];
  const std::string old_directory = logs_[partition]->directory;
  const std::string new_directory =
      dir_ + "/" + format::partition_directory(partition, row.dirgen + 1);
  Status status = files_.make_directory(new_directory);
  if (!status) {
    Fault fault = write_fault(status.error());  // for want of space nothing was changed
    return is_out_of_space(status.error()) ? fault : final_fault(std::move(fault));
  }
  if (status = files_.sync_directory(dir_); !status)
    return final_fault(write_fault(status.error()));
  writers_[partition].reset();
  std::erase_if(pending_, [&](const Pending& p) { return p.directory == old_directory; });
  ++row.dirgen;
  row.cut_epoch = 0;
  row.cut_lba = row.clean_eod = row.clean_filemarks = row.clean_used = 0;
  if (MaybeFault fault = begin_epoch()) return fault;
  logs_[partition] =
      std::make_unique<PartitionLog>(files_, cart_.uuid, partition, row.dirgen, dir_, io_);
  if (status = discard(old_directory); !status) notes_.push_back(status.error().what);
  return std::nullopt;
}

MaybeFault OpenCartridge::cut_after(std::uint32_t partition, std::uint64_t lba) {
  PartitionLog& log = *logs_[partition];
  current_ = partition;
  // I3: what stays is durable before the cut is, and the cut before anything goes.
  if (!log.segments.empty() && !log.segments.back().sealed) {
    if (writers_[partition] == nullptr) writers_[partition] = make_writer(partition);
    if (MaybeFault fault = latched(writer()->seal())) return fault;
  }
  if (writers_[partition] != nullptr) writers_[partition]->drop_spares();
  writers_[partition].reset();

  const std::optional<std::size_t> hit = log.find(lba);
  std::shared_ptr<SegmentIndex> kept;
  if (hit && log.segments[*hit].first_lba < lba) {
    const auto index = log.index(*hit);
    if (!index) return read_fault(index.error());
    kept = std::make_shared<SegmentIndex>(**index);
  }
  // What an older cut has voided must be gone, durably, before this one replaces it in CART.
  if (MaybeFault fault = empty_pending(pending_.size())) return final_fault(std::move(*fault));
  if (const Status status = files_.sync_directory(log.directory); !status)
    return final_fault(write_fault(status.error()));
  format::PartitionRow& row = cart_.partitions[partition];
  row.cut_epoch = cart_.next_epoch;
  row.cut_lba = lba;
  if (row.clean_eod > lba) {
    row.clean_eod = lba;
    row.clean_filemarks = log.locate_object(lba).position.filemarks;
    row.clean_used = std::min(row.clean_used, hit ? log.segments[*hit].base_used : row.clean_used);
  }
  if (MaybeFault fault = begin_epoch()) return fault;

  for (const SegmentInfo& segment : log.segments)
    if (segment.first_lba >= lba)
      pending_.push_back({log.directory, format::segment_name(segment.seq, segment.epoch)});
  if (kept != nullptr) {
    log.segments[*hit].sealed = false;
    log.tail_index = std::move(kept);
  }
  log.forget_files();
  log.truncate(lba);
  return std::nullopt;
}

Status OpenCartridge::discard(const std::string& path) {
  const Result<std::string> to =
      free_name(files_, fmt::format("{}/{}-{}-{}", trash_directory(dir_), to_string(cart_.uuid),
                                    cart_.owner_epoch, ++trash_count_));
  return to ? files_.rename(path, *to) : Status(to.error());
}

// After a failure here nothing is tried again: a directory whose sync has failed may call itself
// durable the next time.
MaybeFault OpenCartridge::empty_pending(std::size_t most) {
  std::vector<std::string> touched;
  while (!pending_failed_ && !pending_.empty() && most-- != 0) {
    const Pending next = pending_.back();
    const Status status = discard(next.directory + "/" + next.name);
    if (!status && status.error().code != ENOENT) pending_failed_ = write_fault(status.error());
    if (touched.empty() || touched.back() != next.directory) touched.push_back(next.directory);
    if (!pending_failed_) pending_.pop_back();
  }
  for (const std::string& directory : touched)
    if (const Status status = files_.sync_directory(directory); !status && !pending_failed_)
      pending_failed_ = write_fault(status.error());
  return pending_failed_;
}

MaybeFault OpenCartridge::mend_segment(std::uint32_t partition, std::size_t segment) {
  PartitionLog& log = *logs_[partition];
  const auto index = log.index(segment);
  if (!index) return read_fault(index.error());
  if (!log.header_is_sound(segment))
    if (const Status status = make_writer(partition)->mend_header(log.segments[segment]); !status)
      return write_fault(status.error());
  // A log of that segment alone: its last, and open.
  PartitionLog one(files_, cart_.uuid, partition, log.dirgen, dir_, io_);
  one.segments.push_back(log.segments[segment]);
  SegmentInfo& info = one.segments.back();
  info.sealed = false;
  info.last_epoch = std::max(info.last_epoch, info.epoch);
  if (info.payload == 0) info.payload = (*index)->payload_estimate(info.count, info.data_end);
  one.tail_index = std::make_shared<SegmentIndex>(**index);
  const auto is_lost = [](std::uint64_t entry) {
    return format::index_type(entry) == format::RecordType::kLost;
  };
  if (std::any_of((*index)->entries.begin(), (*index)->entries.end(), is_lost)) {
    // What is left of objects that cannot be read stays where it is, in front of the new index.
    const auto file = log.open(segment);
    if (!file) return read_fault(file.error());
    const Result<std::uint64_t> size = (*file)->size();
    if (!size) return read_fault(size.error());
    info.data_end = std::max(info.data_end, *size);
  }
  one.end_of_data = info.end_lba();
  LogWriter writer(one, *stage_, make_writer(partition)->config());
  log.forget_files();
  return writer.seal();
}

// --- closing

MaybeFault OpenCartridge::seal_all() {
  for (std::uint32_t p = 0; p < partition_count(); ++p) {
    PartitionLog& log = *logs_[p];
    current_ = p;
    if (!log.segments.empty() && !log.segments.back().sealed) {
      if (writers_[p] == nullptr) writers_[p] = make_writer(p);
      if (MaybeFault fault = latched(writer()->seal())) return fault;
    }
    if (writers_[p] != nullptr) writers_[p]->drop_spares();
  }
  return empty_pending(pending_.size());
}

MaybeFault OpenCartridge::write_segtab(std::uint32_t partition) {
  PartitionLog& log = *logs_[partition];
  format::PartitionRow& row = cart_.partitions[partition];
  row.clean_eod = log.end_of_data;
  row.clean_filemarks = log.filemarks;
  row.clean_used = log.used_bytes;
  format::Segtab table;
  table.cart_gen = cart_.gen + 1;  // of the label that will say CLEAN
  for (const SegmentInfo& s : log.segments)
    table.entries.push_back({s.seq, s.epoch, s.first_lba, s.count, s.first_filemark, s.filemarks,
                             s.base_used, s.data_end, s.data_end, 1});
  const std::vector<std::byte> bytes = format::encode_segtab(table);
  row.segtab_crc = format::segtab_crc(bytes);
  row.segtab_entries = static_cast<std::uint32_t>(table.entries.size());

  const std::string temporary = log.directory + "/SEGTAB.tmp";
  const auto write = [&]() -> Status {
    (void)files_.remove(temporary);  // of an earlier crash
    auto file = files_.open(temporary, FileSystem::Mode::kCreate);
    if (!file) return file.error();
    if (const Status status = (*file)->pwrite(bytes, 0); !status) return status;
    if (const Status status = (*file)->fdatasync(); !status) return status;
    if (const Status status = files_.rename(temporary, log.directory + "/SEGTAB"); !status)
      return status;
    return files_.sync_directory(log.directory);
  };
  if (const Status status = write(); !status) {
    // I7: without it the next load reads the trailers.
    notes_.push_back(status.error().what);
    row.segtab_crc = row.segtab_entries = 0;
  }
  return std::nullopt;
}

MaybeFault OpenCartridge::close(const Traffic& traffic) {
  MaybeFault fault;
  if (!failed_ && !read_only()) {
    const std::uint64_t objects = object_count();
    fault = mark_clean(traffic);
    // What is durable but for want of space not sealed, or not called clean, the next load
    // recovers.
    if (fault && fault->kind == Fault::Kind::kNoSpace && object_count() == objects) {
      notes_.push_back(std::move(fault->detail));
      fault.reset();
    }
  }
  writers_ = {};
  lock_.reset();
  return fault;
}

std::uint64_t OpenCartridge::object_count() const {
  std::uint64_t sum = 0;
  for (std::uint32_t p = 0; p < partition_count(); ++p) sum += logs_[p]->end_of_data;
  return sum;
}

MaybeFault OpenCartridge::mark_clean(const Traffic& traffic) {
  if (MaybeFault fault = seal_all()) return fault;
  const bool table_lost = std::any_of(logs_.begin(), logs_.end(), [](const auto& log) {
    return log != nullptr && !log->from_table && !log->segments.empty();
  });
  if (epoch_ != 0 || !cart_.has(format::kClean) || table_lost) {
    for (std::uint32_t p = 0; p < partition_count(); ++p)
      if (MaybeFault fault = write_segtab(p)) return fault;
    cart_.clean_gen = cart_.gen + 1;
    cart_.worm_floor = logs_[0]->end_of_data;
    cart_.set(format::kClean, true);
  }
  cart_.bytes_written_life += traffic.bytes_written;
  cart_.bytes_read_life += traffic.bytes_read;
  cart_.bytes_written_load += traffic.bytes_written;
  cart_.bytes_read_load += traffic.bytes_read;
  return save_cart();
}

}  // namespace vtl
