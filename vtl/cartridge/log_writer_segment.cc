// LogWriter: how a segment begins and ends (FORMAT.md, "new segment", "seal").
#include <algorithm>
#include <array>

#include "scsi/crc32c.h"
#include "vtl/cartridge/log_writer.h"

namespace vtl {

using format::kBlock;

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

}  // namespace vtl
