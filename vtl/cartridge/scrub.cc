#include "vtl/cartridge/scrub.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "scsi/crc32c.h"
#include "vtl/cartridge/index.h"
#include "vtl/cartridge/mam.h"
#include "vtl/cartridge/scan.h"
#include "vtl/cartridge/superblock.h"

namespace vtl {

using format::kBlock;

CartridgeScrub::CartridgeScrub(FileSystem& files, std::string dir, FileSystem::Io io,
                               ScrubState from)
    : files_(files), dir_(std::move(dir)), io_(io), state_(std::move(from)) {}

CartridgeScrub::~CartridgeScrub() = default;

bool CartridgeScrub::step(std::uint64_t bytes, const std::atomic<bool>& stop) {
  if (!begun_ && !begin()) at_end_ = true;
  begun_ = true;
  const std::uint64_t until =
      state_.report.bytes + std::min(bytes, UINT64_MAX - state_.report.bytes);
  while (!at_end_ && !stop && state_.report.bytes < until) {
    if (file_ != nullptr)
      read_some();
    else if (!names_)
      begin_partition();
    else if (!open_next())
      end_partition();
  }
  return !at_end_;
}

// --- the label

bool CartridgeScrub::begin() {
  const Result<Label> label = read_label(files_, dir_);
  if (!label) {
    state_.report = {};
    const auto there = files_.exists(dir_);
    const bool lost = label.error().code == ENOENT && there && *there;  // not all of its files
    if (label.error().code == EBADMSG || lost)
      damaged(0, 0, label.error().what);
    else
      state_.report.error = label.error().what;
    return false;
  }
  cart_ = label->cart;
  // What a crash has left only recovery can tell from damage.
  if (!label->damaged && !cart_.has(format::kClean)) {
    state_ = {};
    state_.report.error = dir_ + ": it was not unloaded in order; the next load recovers it";
    return false;
  }
  const std::string uuid = to_string(cart_.uuid);
  if (state_.uuid != uuid || state_.change != cart_.volume_change_reference) state_ = {};
  state_.uuid = uuid;
  state_.change = cart_.volume_change_reference;
  if (state_.partition != 0 || state_.seq != 0) return true;  // all this was looked at
  if (label->damaged)
    damaged(0, 0, dir_ + "/CART: both copies of the label are damaged; it loads write-protected");
  if (MaybeFault fault = MamStore(files_, dir_).load()) damaged(0, 0, fault->detail);
  return true;
}

void CartridgeScrub::damaged(std::uint64_t first, std::uint64_t objects, std::string what) {
  state_.report.damage.push_back({state_.partition, first, objects, std::move(what)});
}

// --- partitions

std::string CartridgeScrub::path(const std::string& name) const {
  const auto dirgen = cart_.partitions[state_.partition].dirgen;
  return dir_ + "/" + format::partition_directory(state_.partition, dirgen) +
         (name.empty() ? "" : "/") + name;
}

void CartridgeScrub::begin_partition() {
  next_lba_.reset();
  if (state_.seq == 0) next_lba_ = 0;
  names_.emplace();
  const auto found = files_.list(path(""));
  if (!found) {
    // A blank partition need not have one.
    if (found.error().code != ENOENT) damaged(0, 0, found.error().what);
    return;
  }
  for (const std::string& name : *found) {
    const auto parsed = format::parse_segment_name(name);
    if (parsed && parsed->seq >= state_.seq) names_->push_back(name);
  }
  std::reverse(names_->begin(), names_->end());  // taken from the back
}

void CartridgeScrub::end_partition() {
  expect(cart_.partitions[state_.partition].clean_eod);
  names_.reset();
  ++state_.partition;
  state_.seq = 0;
  at_end_ = state_.partition >= cart_.partition_count;
}

void CartridgeScrub::expect(std::uint64_t first_lba) {
  if (!next_lba_ || first_lba <= *next_lba_) return;
  damaged(*next_lba_, first_lba - *next_lba_, path("") + ": the segments with these are missing");
}

// --- segments

bool CartridgeScrub::open_next() {
  if (names_->empty()) return false;
  const std::string name = std::move(names_->back());
  names_->pop_back();
  open_segment(name, *format::parse_segment_name(name));
  return true;
}

void CartridgeScrub::open_segment(const std::string& name, const format::SegmentName& parsed) {
  state_.seq = parsed.seq;
  name_ = name;
  auto file = files_.open(path(name), FileSystem::Mode::kRead, io_);
  if (!file && file.error().code == EINVAL && io_ == FileSystem::Io::kDirect) {
    io_ = FileSystem::Io::kBuffered;
    file = files_.open(path(name), FileSystem::Mode::kRead, io_);
  }
  if (!file) return damaged(next_lba_.value_or(0), 0, file.error().what);
  PartitionLog log(files_, cart_.uuid, state_.partition, cart_.partitions[state_.partition].dirgen,
                   dir_, io_);
  const Result<format::Trailer> trailer = log.read_trailer(**file);
  if (!trailer || trailer->seq != parsed.seq || trailer->epoch != parsed.epoch) {
    damaged(next_lba_.value_or(0), 0,
            fmt::format("{}: {}", path(name),
                        trailer ? "its trailer belongs to another segment"
                        : trailer.error().code == EBADMSG
                            ? "its trailer is damaged; the next load rebuilds it"
                            : trailer.error().what.c_str()));
    next_lba_.reset();
    return;
  }
  expect(trailer->first_lba);
  next_lba_ = std::max(next_lba_.value_or(0), trailer->first_lba + trailer->count);
  trailer_ = *trailer;
  const std::uint64_t index_end = trailer->index_offset + 8 * trailer->count;
  SegmentInfo segment;
  segment.seq = trailer->seq;
  segment.epoch = trailer->epoch;
  segment.first_lba = trailer->first_lba;
  log.segments.push_back(segment);
  // The header is in the checksum of the data; damage to it costs no object.
  if (log.header_is_sound(0))
    regions_ = {{trailer->data_end, trailer->data_crc, trailer->count, "its data are damaged"}};
  else
    regions_ = {{trailer->data_end, trailer->data_crc, 0, "its header is damaged"}};
  regions_.push_back({index_end, trailer->index_crc, 0, "its index is damaged"});
  regions_.push_back({index_end + 4 * trailer->filemarks, trailer->filemark_crc, 0,
                      "its list of filemarks is damaged"});
  region_ = 0;
  offset_ = 0;
  crc_ = 0;
  file_ = std::move(*file);
  reader_ = std::make_unique<AlignedReader>(
      *file_, trailer->data_end + format::footer_bytes(trailer->count, trailer->filemarks));
}

void CartridgeScrub::read_some() {
  const Region& region = regions_[region_];
  if (offset_ < region.end) {
    const scsi::Bytes part =
        reader_->view(offset_, static_cast<std::size_t>(std::min<std::uint64_t>(
                                   region.end - offset_, AlignedReader::kMost)));
    if (part.empty()) {
      damaged(trailer_.first_lba, trailer_.count,
              fmt::format("{}: {}", path(name_), reader_->error().what));
      return end_segment();
    }
    crc_ = scsi::crc32c(part, crc_);
    offset_ += part.size();
    state_.report.bytes += part.size();
    return;
  }
  if (crc_ != region.crc)
    damaged(trailer_.first_lba, region.objects, fmt::format("{}: {}", path(name_), region.what));
  crc_ = 0;
  if (++region_ == regions_.size()) end_segment();
}

void CartridgeScrub::end_segment() {
  if (io_ == FileSystem::Io::kBuffered) file_->forget_pages();
  reader_.reset();
  file_.reset();
  ++state_.report.segments;
  ++state_.seq;
}

}  // namespace vtl
