// LogWriter: space on the disk, before anything is accepted for it (FORMAT.md, invariant 8).
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/log_writer.h"

namespace vtl {

using format::kBlock;

namespace {

// The smallest step in which a segment still grows when the file system is almost full.
constexpr std::uint64_t kSmallestStep = 4u << 20;
// And the step where files are written through the page cache: the pages are set aside one by one,
// and are still in the processor's cache when they are written soon after.
constexpr std::uint64_t kBufferedStep = 4u << 20;

}  // namespace

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
  const auto create = [&] {
    return log_.files().open(spare.path, FileSystem::Mode::kCreate, log_.io());
  };
  auto file = create();
  // One that an unload could not remove, and no recovery has since: nothing is in it.
  if (!file && file.error().code == EEXIST && log_.files().remove(spare.path)) file = create();
  if (!file) return file.error();
  ++next_spare_;
  spare.space.capacity = kBlock;
  if (const Status backed = allocate(**file, spare.space, need); !backed) {
    file->reset();
    (void)log_.files().remove(spare.path);  // what is left of it gives way to the next of its name
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
    (void)log_.files().remove(spare.path);
  }
  spares_.clear();
}

LogWriter::Room LogWriter::room() const {
  Room room{segment_number_,   log_offset(),          log_.segments.back().count,
            {space_.capacity}, config_.segment_bytes, step()};
  for (const Spare& spare : spares_) room.capacities.push_back(spare.space.capacity);
  return room;
}

}  // namespace vtl
