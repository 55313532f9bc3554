// OpenCartridge: what discards. A cut is durable before anything goes (FORMAT.md, "cut").
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "vtl/cartridge/open_cartridge.h"
#include "vtl/cartridge/recovery.h"

namespace vtl {

namespace {

// <pool>/carts/<BARCODE> -> <pool>/trash
std::string trash_directory(const std::string& cartridge_dir) {
  const auto parent = [](const std::string& path) {
    return path.substr(0, path.find_last_of('/'));
  };
  return parent(parent(cartridge_dir)) + "/trash";
}

}  // namespace

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
  // What an older cut has voided must be gone, durably, before this one replaces it in CART. What
  // went before this was durable then: each time here, and with what a load found (make_durable).
  if (MaybeFault fault = empty_pending(pending_.size())) return final_fault(std::move(*fault));
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

}  // namespace vtl
