// OpenCartridge: sealing, mending, and the end of a load (FORMAT.md, "unload").
#include <algorithm>

#include "vtl/cartridge/open_cartridge.h"

namespace vtl {

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
