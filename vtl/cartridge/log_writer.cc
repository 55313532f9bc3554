#include "vtl/cartridge/log_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "scsi/crc32c.h"
#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/scan.h"

namespace vtl {

using format::kBlock;
using format::RecordHeader;
using format::RecordType;

namespace {

// The smallest step in which a segment still grows when the file system is almost full.
constexpr std::uint64_t kSmallestStep = 4u << 20;
// And the step where files are written through the page cache: the pages are set aside one by one,
// and are still in the processor's cache when they are written soon after.
constexpr std::uint64_t kBufferedStep = 4u << 20;

// From this length on a payload's CRC is joined to the file's; below, computing it again is
// quicker.
constexpr std::size_t kWorthJoining = 16u << 10;

// From this length on a block is worth two system calls of its own where it need not go through the
// stage.
constexpr std::size_t kWorthGoingStraight = 64u << 10;

}  // namespace

LogWriter::LogWriter(PartitionLog& log, Stage& stage, WriterConfig config)
    : log_(log), stage_(stage), config_(std::move(config)) {}

// --- opening

void LogWriter::begin(std::uint32_t epoch) {
  VTL_CHECK(!attached() && !failed_);
  epoch_ = epoch;
  written_ = durable_ = log_.end_of_data;
  durable_used_ = log_.used_bytes;
  next_spare_ = std::max(next_spare_, log_.next_seq);
  log_.forget_files();
}

MaybeFault LogWriter::attach(std::uint32_t epoch) {
  begin(epoch);
  if (!log_.segments.empty()) {
    const SegmentInfo& last = log_.segments.back();
    const bool ends_here = last.end_lba() == log_.end_of_data;
    const bool has_room =
        last.data_end < config_.segment_bytes / 4 * 3 && last.count < config_.max_objects;
    if (!last.sealed && !ends_here) {  // a lost extent follows: nothing may be appended before it
      if (MaybeFault fault = reopen()) return fault;
    } else if (!last.sealed || (ends_here && has_room)) {
      return reopen();
    }
  }
  return start_segment(0);
}

MaybeFault LogWriter::reopen() {
  SegmentInfo& last = log_.segments.back();
  const bool was_sealed = last.sealed;
  auto file = log_.files().open(log_.path(last), FileSystem::Mode::kReadWrite, log_.io());
  if (!file && was_sealed) return start_segment(0);  // lost: what follows can still be written
  if (!file) return fail(file.error(), durable_);
  std::uint32_t crc = 0;
  if (was_sealed) {
    const Result<format::Trailer> trailer = log_.read_trailer(**file);
    const auto index = log_.index(log_.segments.size() - 1);
    if (!trailer || !index) return start_segment(0);  // damaged: better left alone
    log_.tail_index = std::make_shared<SegmentIndex>(**index);
    last.last_epoch = trailer->last_epoch;
    last.payload = trailer->payload_bytes;
    crc = trailer->data_crc;
  }
  file_ = std::move(*file);
  last.sealed = false;
  log_.forget_files();
  if (!was_sealed && last.end_lba() != log_.end_of_data) {
    // What is left of objects that are lost stays where it is, in front of the footer.
    const Result<std::uint64_t> size = file_->size();
    if (!size) return fail(size.error(), durable_);
    last.data_end = std::max(last.data_end, *size);
  }
  // What lies behind the end - a footer, a torn tail, what a cut has voided - goes before anything
  // is written, and durably, so that no mixture of old and new can be found after a crash.
  if (const Status cut = file_->truncate(last.data_end); !cut) return fail(cut.error(), durable_);
  if (const Status synced = file_->fdatasync(); !synced) return fail(synced.error(), durable_);
  // I1: a block that was synced is not written again; the next record begins on the next one.
  const std::uint64_t end = format::align_up(last.data_end, kBlock);
  if (!was_sealed) {
    const Result<std::uint32_t> read = checksum(last.data_end);
    if (!read) return fail(read.error(), durable_);
    crc = *read;
  }
  stage_offset_ = end;
  fill_ = 0;
  data_crc_ = crc;
  salt_ = log_.salt(last);
  // Without space for more it stays open: what fits into the reserve may still be written.
  space_ = {end, last.data_end};
  (void)allocate(*file_, space_, 0);
  return std::nullopt;
}

// Of the first `end` bytes of the open segment and the zeros up to the next block.
Result<std::uint32_t> LogWriter::checksum(std::uint64_t end) {
  AlignedReader reader(*file_, end);
  std::uint32_t crc = 0;
  for (std::uint64_t at = 0; at < end;) {
    const scsi::Bytes part = reader.view(at, AlignedReader::kMost);
    if (part.empty()) return reader.error();
    crc = scsi::crc32c(part, crc);
    at += part.size();
  }
  static constexpr std::array<std::byte, kBlock> kZeros{};
  return scsi::crc32c(scsi::Bytes(kZeros).first((kBlock - end % kBlock) % kBlock), crc);
}

// --- appending

bool LogWriter::fits(const RecordHeader& header) const {
  const std::uint64_t limit = header.type == RecordType::kFilemark
                                  ? space_.capacity + kFilemarkReserveBytes
                                  : space_.capacity;
  return log_.segments.back().count < config_.max_objects &&
         log_offset() + header.total_length() <= limit;
}

// Who prepares room himself before he appends has a spare here when the segment is not to grow.
MaybeFault LogWriter::make_room(const RecordHeader& header) {
  if (spares_.empty() && space_.capacity < config_.segment_bytes &&
      log_.segments.back().count < config_.max_objects) {
    if (MaybeFault fault = provision(false, header.total_length())) return fault;
    if (fits(header)) return std::nullopt;
  }
  return start_segment(header.total_length());
}

MaybeFault LogWriter::append_block(const CodedBlock& block) {
  RecordHeader header;
  header.logical_length = block.logical_length;
  header.logical_crc = block.logical_crc;
  header.payload_crc = block.payload_crc;
  header.flags = block.flags;
  header.compression = static_cast<std::uint8_t>(block.compression);
  header.extension_length = block.extension_length;
  if ((block.flags & format::kEncryptedByHost) != 0) header.encryption = format::kAes256Gcm;
  extension_.clear();
  if (block.reed_solomon) {
    const auto value = scsi::encode_protection(scsi::Protection::kReedSolomon, *block.reed_solomon);
    format::put_extension(extension_, format::ExtensionType::kReedSolomonProtection, value);
    header.extension_length = static_cast<std::uint32_t>(extension_.size());
    header.payload_crc = scsi::crc32c_join(scsi::crc32c(extension_), block.payload_crc,
                                           static_cast<std::uint32_t>(block.payload.size()));
  }
  return append(header, extension_, block.payload);
}

MaybeFault LogWriter::append_filemark() {
  RecordHeader header;
  header.type = RecordType::kFilemark;
  return append(header, {}, {});
}

MaybeFault LogWriter::append(RecordHeader header, scsi::Bytes extension, scsi::Bytes payload) {
  VTL_CHECK(attached() && !failed_);
  header.stored_length = static_cast<std::uint32_t>(extension.size() + payload.size());
  if (!fits(header))
    if (MaybeFault fault = make_room(header)) return fault;
  const std::uint64_t lba = log_.end_of_data;
  header.lba = lba;
  header.epoch = epoch_;
  header.filemarks_before = log_.filemarks;
  header.durable_delta =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(lba - durable_, UINT32_MAX));
  const std::uint64_t offset = log_offset();
  std::array<std::byte, format::kRecordHeaderBytes> bytes{};
  format::encode_record_header(header, salt_, bytes);
  const std::size_t padding =
      static_cast<std::size_t>(header.total_length()) - bytes.size() - header.stored_length;
  static constexpr std::array<std::byte, format::kRecordAlign> kZeros{};
  const auto status = [&]() -> Status {
    if (Status put_header = put(bytes); !put_header) return put_header;
    if (Status put_extension = put(extension); !put_extension) return put_extension;
    if (Status put_payload = goes_straight(payload) ? write_straight(payload) : put(payload);
        !put_payload)
      return put_payload;
    return put(scsi::Bytes(kZeros).first(padding));
  }();
  if (!status) return fail(status.error(), written_);
  data_crc_ = scsi::crc32c(bytes, data_crc_);
  data_crc_ = payload.size() < kWorthJoining
                  ? scsi::crc32c(payload, scsi::crc32c(extension, data_crc_))
                  : scsi::crc32c_join(data_crc_, header.payload_crc, header.stored_length);
  data_crc_ = scsi::crc32c(scsi::Bytes(kZeros).first(padding), data_crc_);

  SegmentInfo& segment = log_.segments.back();
  log_.tail_index->add(offset, header.logical_length, header.type);
  ++segment.count;
  segment.last_epoch = epoch_;
  segment.payload += header.stored_length;
  segment.data_end = log_offset();
  log_.used_bytes += header.stored_length;
  ++log_.end_of_data;
  if (header.type == RecordType::kFilemark) {
    ++segment.filemarks;
    ++log_.filemarks;
  }
  if (fill_ == 0) written_ = log_.end_of_data;
  if (fill_ == Stage::kBytes)
    if (const Status full = write_stage(fill_); !full) return fail(full.error(), written_);
  return std::nullopt;
}

// O_DIRECT needs the stage: aligned memory, aligned offsets. The page cache does not, and takes a
// block from the record's own buffer.
bool LogWriter::goes_straight(scsi::Bytes payload) const {
  return log_.io() == FileSystem::Io::kBuffered && payload.size() >= kWorthGoingStraight;
}

Status LogWriter::write_straight(scsi::Bytes payload) {
  if (Status status = write_stage(fill_); !status) return status;
  if (Status status = file_->pwrite(payload, stage_offset_); !status) return status;
  stage_offset_ += payload.size();
  return ok_status();
}

Status LogWriter::put(scsi::Bytes bytes) {
  while (!bytes.empty()) {
    // A full stage is written when the next byte comes, so that written_ counts whole records.
    if (fill_ == Stage::kBytes)
      if (const Status status = write_stage(fill_); !status) return status;
    const std::size_t n = std::min(bytes.size(), Stage::kBytes - fill_);
    std::memcpy(stage_.data() + fill_, bytes.data(), n);
    fill_ += n;
    bytes = bytes.subspan(n);
  }
  return ok_status();
}

// Writes the first `bytes` of the stage, all that is in it. Objects that end in it are in the file
// then.
Status LogWriter::write_stage(std::size_t bytes) {
  const scsi::Bytes out(stage_.data(), bytes);
  dirty_ = true;
  if (const Status status = file_->pwrite(out, stage_offset_); !status) return status;
  if (!in_footer_) written_ = log_.end_of_data;
  stage_offset_ += bytes;
  fill_ = 0;
  return ok_status();
}

Status LogWriter::pad_and_write() {
  const std::size_t end =
      static_cast<std::size_t>(format::align_up(log_offset(), kBlock) - stage_offset_);
  if (end == 0) return ok_status();
  const scsi::MutableBytes padding = stage_.all().first(end).subspan(fill_);
  std::fill(padding.begin(), padding.end(), std::byte{});
  fill_ = end;
  if (!in_footer_) {
    data_crc_ = scsi::crc32c(padding, data_crc_);
    log_.segments.back().data_end = log_offset();
  }
  return write_stage(end);
}

MaybeFault LogWriter::flush() {
  VTL_CHECK(attached() && !failed_);
  if (const Status status = pad_and_write(); !status) return fail(status.error(), written_);
  return std::nullopt;
}

MaybeFault LogWriter::sync() {
  if (MaybeFault fault = flush()) return fault;
  // I5: durable is only what a successful sync of the file and of its directory has covered.
  if (dirty_)
    if (const Status status = file_->fdatasync(); !status) return fail(status.error(), durable_);
  dirty_ = false;
  if (directory_dirty_)
    if (const Status status = log_.files().sync_directory(log_.directory); !status)
      return fail(status.error(), durable_);
  directory_dirty_ = false;
  durable_ = log_.end_of_data;
  durable_used_ = log_.used_bytes;
  return std::nullopt;
}

Dirty LogWriter::dirty() const {
  return {log_.end_of_data - std::min(log_.end_of_data, durable_),
          log_.used_bytes - std::min(log_.used_bytes, durable_used_)};
}

// --- segments

// Into the first block of the stage, which is empty.
void LogWriter::encode_header(const SegmentInfo& segment) {
  format::SegmentHeader header = config_.header;
  header.seq = segment.seq;
  header.epoch = segment.epoch;
  header.first_lba = segment.first_lba;
  header.first_filemark = segment.first_filemark;
  header.base_used = segment.base_used;
  header.created_ns = config_.now_ns();
  format::encode_segment_header(header, stage_.all().first(kBlock));
}

Status LogWriter::mend_header(const SegmentInfo& segment) {
  VTL_CHECK(!attached());
  log_.forget_files();
  const auto file = log_.files().open(log_.path(segment), FileSystem::Mode::kReadWrite, log_.io());
  if (!file) return file.error();
  encode_header(segment);
  const Status status = (*file)->pwrite(stage_.all().first(kBlock), 0);
  return status ? (*file)->fdatasync() : status;
}

MaybeFault LogWriter::start_segment(std::uint64_t need) {
  if (spares_.empty() || spares_.front().space.capacity < kBlock + need)
    if (MaybeFault fault = provision(spares_.empty(), need)) return fault;
  // I4: a segment has a successor only when it is sealed, and durable with its name.
  if (attached())
    if (MaybeFault fault = finish_segment()) return fault;

  SegmentInfo segment;
  segment.seq = log_.next_seq;
  segment.epoch = segment.last_epoch = epoch_;
  segment.first_lba = log_.end_of_data;
  segment.first_filemark = log_.filemarks;
  segment.base_used = log_.used_bytes;
  encode_header(segment);

  Spare spare = std::move(spares_.front());
  spares_.pop_front();
  file_ = std::move(spare.file);
  stage_offset_ = 0;
  fill_ = kBlock;
  data_crc_ = scsi::crc32c(scsi::Bytes(stage_.data(), kBlock));
  if (const Status status = write_stage(kBlock); !status) return fail(status.error(), durable_);
  if (const Status status = log_.files().rename(spare.path, log_.path(segment)); !status)
    return fail(status.error(), durable_);
  directory_dirty_ = true;
  space_ = spare.space;
  salt_ = log_.salt(segment);
  ++segment_number_;
  ++log_.next_seq;
  log_.segments.push_back(segment);
  log_.tail_index = std::make_shared<SegmentIndex>();
  return std::nullopt;
}

MaybeFault LogWriter::finish_segment() {
  if (MaybeFault fault = flush()) return fault;
  SegmentInfo& segment = log_.segments.back();
  format::Trailer trailer;
  if (MaybeFault fault = write_index(segment, trailer)) return fault;
  // A trailer says that what is before it can be trusted, data and index: it must not be the only
  // thing that has survived when power goes.
  if (MaybeFault fault = sync()) return fault;
  format::encode_trailer(trailer, stage_.all().first(kBlock));
  fill_ = kBlock;
  in_footer_ = true;
  const Status written = write_stage(kBlock);
  in_footer_ = false;
  if (!written) return fail(written.error(), durable_);
  // The same size: frees what was preallocated behind it.
  if (const Status status = file_->truncate(stage_offset_); !status)
    return fail(status.error(), durable_);
  if (MaybeFault fault = sync()) return fault;
  segment.sealed = true;
  log_.tail_index.reset();
  log_.forget_files();
  file_.reset();
  return std::nullopt;
}

// The index and the list of filemarks, and what the trailer says of them.
MaybeFault LogWriter::write_index(const SegmentInfo& segment, format::Trailer& trailer) {
  const SegmentIndex& index = *log_.tail_index;
  trailer.uuid = log_.uuid();
  trailer.partition = log_.number;
  trailer.seq = segment.seq;
  trailer.epoch = segment.epoch;
  // After a cut the last record's own epoch may be unknown here, but not below this.
  trailer.last_epoch = std::max(segment.last_epoch, segment.epoch);
  trailer.first_lba = segment.first_lba;
  trailer.count = segment.count;
  trailer.first_filemark = segment.first_filemark;
  trailer.filemarks = segment.filemarks;
  trailer.base_used = segment.base_used;
  trailer.data_end = trailer.index_offset = stage_offset_;
  trailer.data_crc = data_crc_;
  trailer.sealed_ns = config_.now_ns();
  trailer.payload_bytes = segment.payload;

  in_footer_ = true;
  const auto put_number = [&](std::uint64_t value, std::size_t width, std::uint32_t& crc) {
    std::array<std::byte, 8> bytes{};
    scsi::ByteWriter w(bytes);
    width == 8 ? w.u64(value) : w.u32(value);
    crc = scsi::crc32c(scsi::Bytes(bytes).first(width), crc);
    return put(scsi::Bytes(bytes).first(width));
  };
  Status status = ok_status();
  for (std::size_t i = 0; i < index.entries.size() && status.ok(); ++i)
    status = put_number(index.entries[i], 8, trailer.index_crc);
  for (std::size_t i = 0; i < index.filemarks.size() && status.ok(); ++i)
    status = put_number(index.filemarks[i], 4, trailer.filemark_crc);
  if (status.ok()) status = pad_and_write();
  in_footer_ = false;
  if (!status) return fail(status.error(), written_);
  return std::nullopt;
}

MaybeFault LogWriter::seal() {
  if (!attached()) {
    VTL_CHECK(!log_.segments.empty() && !log_.segments.back().sealed);
    begin(epoch_);
    if (MaybeFault fault = reopen()) return fault;
  }
  return finish_segment();
}

// --- space

MaybeFault LogWriter::provision(bool next, std::uint64_t need) {
  const bool here = spares_.empty();
  if (!next && (!here || attached())) {
    File& last = here ? *file_ : *spares_.back().file;
    Space& space = here ? space_ : spares_.back().space;
    // Nothing is in a spare: it grows for `need`.
    const bool grows = !here && space.capacity < kBlock + need;
    if (space.capacity < config_.segment_bytes || grows) {
      const Status grown = allocate(last, space, grows ? kBlock + need - space.capacity : 0);
      return grown ? std::nullopt : MaybeFault(no_room(grown.error()));
    }
  }
  Result<Spare> spare = make_spare(need);
  if (!spare) return no_room(spare.error());
  spares_.push_back(std::move(*spare));
  return std::nullopt;
}

Result<LogWriter::Spare> LogWriter::make_spare(std::uint64_t need) {
  Spare spare;
  spare.path = fmt::format("{}/{:010}.spare", log_.directory, next_spare_);
  auto file = log_.files().open(spare.path, FileSystem::Mode::kCreate, log_.io());
  if (!file) return file.error();
  ++next_spare_;
  spare.space.capacity = kBlock;
  if (const Status backed = allocate(**file, spare.space, need); !backed) {
    file->reset();
    (void)log_.files().remove(spare.path);  // recovery removes what is left of it
    return backed.error();
  }
  spare.file = std::move(*file);
  return spare;
}

std::uint64_t LogWriter::step() const {
  const std::uint64_t step = config_.segment_bytes / kStepsOfSegment;
  return log_.io() == FileSystem::Io::kBuffered ? std::min(step, kBufferedStep) : step;
}

// Bytes of a file that has room for records up to `capacity`, filemarks behind them, and a footer
// for as many objects as that can be: those that are there, and the smallest there are.
std::uint64_t LogWriter::footprint(const Space& space, std::uint64_t capacity) const {
  const bool here = &space == &space_;
  const std::uint64_t end = capacity + kFilemarkReserveBytes;
  const std::uint64_t from = here ? std::min(end, log_offset()) : kBlock;
  const std::uint64_t objects =
      std::min<std::uint64_t>(config_.max_objects, (here ? log_.segments.back().count : 0) +
                                                       (end - from) / format::kRecordHeaderBytes);
  return end + format::footer_bytes(objects, objects) + kBlock;
}

// Backs a segment with more space: a step, or `need` bytes if that is more. The file system's last
// bytes are for footers, filemarks and labels.
Status LogWriter::allocate(File& file, Space& space, std::uint64_t need) {
  const Result<SpaceInfo> pool = log_.files().space(log_.directory);
  if (!pool) return pool.error();
  const std::uint64_t low = low_water(config_.low_water_bytes, pool->total_bytes);
  const std::uint64_t hard = std::min(config_.hard_water_bytes, pool->total_bytes / 16);
  IoError error{ENOSPC,
                fmt::format("{}: only {} bytes are free", log_.directory, pool->free_bytes)};
  const std::uint64_t left =
      config_.segment_bytes - std::min(config_.segment_bytes, space.capacity);
  const std::uint64_t least = std::max(need, std::min({kSmallestStep, step(), left}));
  std::uint64_t growth = std::max(std::min(step(), left), least);
  while (true) {
    const std::uint64_t capacity = space.capacity + growth;
    const std::uint64_t total = std::max(footprint(space, capacity), space.backed);
    const std::uint64_t more = total - space.backed;
    if (pool->free_bytes >= more + hard) {
      const Status status = more == 0 ? ok_status() : file.allocate(space.backed, total);
      if (status) {
        pool_low_ = pool->free_bytes - more < low;
        space = {capacity, total};
        return ok_status();
      }
      if (!is_out_of_space(status.error())) return status.error();
      error = status.error();
    }
    pool_low_ = true;
    if (growth == least) return error;
    growth = std::max(growth / 2, least);
  }
}

void LogWriter::drop_spares() {
  for (Spare& spare : spares_) {
    spare.file.reset();
    (void)log_.files().remove(spare.path);  // recovery removes what is left
  }
  spares_.clear();
}

LogWriter::Room LogWriter::room() const {
  Room room{segment_number_,   log_offset(),          log_.segments.back().count,
            {space_.capacity}, config_.segment_bytes, step()};
  for (const Spare& spare : spares_) room.capacities.push_back(spare.space.capacity);
  return room;
}

// Out of space leaves everything as it was; a disk that fails is not written to any more.
Fault LogWriter::no_room(const IoError& error) {
  return is_out_of_space(error) ? write_fault(error) : fail(error, written_);
}

Fault LogWriter::fail(const IoError& error, std::uint64_t good_until) {
  failed_ = true;
  written_ = std::min(written_, good_until);
  durable_ = std::min(durable_, good_until);
  fill_ = 0;
  file_.reset();
  // The system call knows the file by the name that it was opened by; it may have been a spare
  // then.
  const std::string where =
      log_.segments.empty() ? log_.directory : log_.path(log_.segments.back());
  log_.truncate(good_until);
  log_.forget_files();
  return write_fault({error.code, fmt::format("{}: {}", where, error.what)});
}

}  // namespace vtl
