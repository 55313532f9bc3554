#include "vtl/cartridge/log_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "scsi/crc32c.h"
#include "vtl/cartridge/scan.h"

namespace vtl {

using format::kBlock;
using format::RecordHeader;
using format::RecordType;

namespace {

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

// --- faults

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
