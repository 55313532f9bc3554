#include "vtl/cartridge/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "scsi/buffer.h"
#include "scsi/crc32c.h"
#include "vtl/cartridge/scan.h"

namespace vtl {

using format::RecordType;
using scsi::ssc::SpaceOutcome;

namespace {
constexpr std::size_t kOpenSegments = 4;
// Objects whose index entries are kept: two of the largest segments, 24 MiB at worst.
constexpr std::size_t kCachedEntries = 2u * format::kMaxSegmentObjects;
// Filemarks whose places are kept, 8 MiB, and what a segment counts for besides its own.
constexpr std::size_t kCachedMarks = 2u * format::kMaxSegmentObjects;
constexpr std::size_t kMarksOfSegment = 32;
}  // namespace

// --- SegmentIndex

void SegmentIndex::add_lost(std::uint64_t offset, bool filemark) {
  if (filemark) filemarks.push_back(static_cast<std::uint32_t>(entries.size()));
  entries.push_back(format::index_entry(offset, 0, RecordType::kLost));
}

void SegmentIndex::truncate(std::uint64_t count) {
  if (count >= entries.size()) return;
  entries.resize(static_cast<std::size_t>(count));
  while (!filemarks.empty() && filemarks.back() >= count) filemarks.pop_back();
}

std::uint64_t SegmentIndex::payload_estimate(std::uint64_t count, std::uint64_t data_end) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count && i < entries.size(); ++i) {
    if (format::index_type(entries[i]) != RecordType::kData) continue;
    const std::uint64_t next =
        i + 1 < entries.size() ? format::index_offset(entries[i + 1]) : data_end;
    const std::uint64_t room = next - std::min(next, format::index_offset(entries[i]));
    sum +=
        std::min<std::uint64_t>(format::index_length(entries[i]),
                                room - std::min<std::uint64_t>(room, format::kRecordHeaderBytes));
  }
  return sum;
}

// --- PartitionLog: files

PartitionLog::PartitionLog(FileSystem& files, const Uuid& uuid, std::uint32_t partition,
                           std::uint32_t directory_gen, const std::string& cartridge_dir,
                           FileSystem::Io io)
    : number(partition),
      dirgen(directory_gen),
      directory(cartridge_dir + "/" + format::partition_directory(partition, directory_gen)),
      durable_mark(files, directory),
      files_(&files),
      uuid_(uuid),
      io_(io) {}

std::string PartitionLog::path(const SegmentInfo& segment) const {
  return directory + "/" + format::segment_name(segment.seq, segment.epoch);
}

std::uint32_t PartitionLog::salt(const SegmentInfo& segment) const {
  return format::record_salt(uuid_, static_cast<std::uint8_t>(number), segment.seq, segment.epoch);
}

std::optional<std::size_t> PartitionLog::find(std::uint64_t lba) const {
  const auto after =
      std::upper_bound(segments.begin(), segments.end(), lba,
                       [](std::uint64_t v, const SegmentInfo& s) { return v < s.first_lba; });
  if (after == segments.begin()) return std::nullopt;
  const auto segment = std::prev(after);
  if (lba >= segment->end_lba()) return std::nullopt;
  return static_cast<std::size_t>(segment - segments.begin());
}

Result<std::shared_ptr<File>> PartitionLog::open(std::size_t index) {
  const SegmentInfo& segment = segments[index];
  for (auto it = open_.begin(); it != open_.end(); ++it) {
    if (it->seq != segment.seq || it->epoch != segment.epoch) continue;
    open_.splice(open_.begin(), open_, it);
    return open_.front().file;
  }
  auto file = files_->open(path(segment), FileSystem::Mode::kRead, io_);
  if (!file) return file.error();
  open_.push_front({segment.seq, segment.epoch, std::shared_ptr<File>(std::move(*file))});
  if (open_.size() > kOpenSegments) open_.pop_back();
  return open_.front().file;
}

void PartitionLog::forget_files() {
  open_.clear();
  indexes_.clear();
  marks_.clear();
  marks_held_ = 0;
}

Result<format::Trailer> PartitionLog::read_trailer(File& file) const {
  const Result<std::uint64_t> size = file.size();
  if (!size) return size.error();
  if (*size < 2 * format::kBlock || *size % format::kBlock != 0)
    return IoError{EBADMSG, "no trailer"};
  scsi::Buffer block = scsi::Buffer::allocate(format::kBlock);
  const Result<std::size_t> got = file.pread(block.view(), *size - format::kBlock);
  if (!got) return got.error();
  if (*got != format::kBlock) return IoError{EBADMSG, "no trailer"};
  const auto trailer = format::decode_trailer(block.view());
  if (!trailer || trailer->uuid != uuid_ || trailer->partition != number ||
      trailer->data_end + format::footer_bytes(trailer->count, trailer->filemarks) != *size)
    return IoError{EBADMSG, "no valid trailer"};
  return *trailer;
}

// As its footer has it; EBADMSG if that is damaged.
Result<std::shared_ptr<const SegmentIndex>> PartitionLog::read_footer(const SegmentInfo& segment,
                                                                      File& file) const {
  const Result<format::Trailer> trailer = read_trailer(file);
  if (!trailer) return trailer.error();
  if (trailer->count != segment.count || trailer->filemarks != segment.filemarks)
    return IoError{EBADMSG, "another trailer"};
  AlignedReader reader(
      file, trailer->data_end + format::footer_bytes(trailer->count, trailer->filemarks));
  auto index = std::make_shared<SegmentIndex>();
  index->entries.reserve(static_cast<std::size_t>(trailer->count));
  index->filemarks.reserve(static_cast<std::size_t>(trailer->filemarks));
  std::uint64_t at = trailer->index_offset;
  // Reads `count` numbers of `width` bytes and gives their checksum.
  const auto numbers = [&](std::uint64_t count, std::size_t width, const auto& take) {
    std::uint32_t crc = 0;
    for (std::uint64_t left = count * width; left != 0;) {
      const scsi::Bytes part = reader.view(
          at, static_cast<std::size_t>(std::min<std::uint64_t>(left, AlignedReader::kMost)));
      if (part.size() < width) break;
      const scsi::Bytes whole = part.first(part.size() / width * width);
      crc = scsi::crc32c(whole, crc);
      for (scsi::ByteReader r(whole); r.remaining() != 0;) take(r);
      at += whole.size();
      left -= whole.size();
    }
    return crc;
  };
  const std::uint32_t index_crc =
      numbers(trailer->count, 8, [&](scsi::ByteReader& r) { index->entries.push_back(r.u64()); });
  const std::uint32_t filemark_crc = numbers(
      trailer->filemarks, 4, [&](scsi::ByteReader& r) { index->filemarks.push_back(r.u32()); });
  if (!reader.ok()) return reader.error();
  if (index_crc != trailer->index_crc || filemark_crc != trailer->filemark_crc)
    return IoError{EBADMSG, "no valid index"};
  return std::shared_ptr<const SegmentIndex>(std::move(index));
}

bool PartitionLog::footer_is_sound(std::size_t number_of_segment) {
  const Result<std::shared_ptr<File>> file = open(number_of_segment);
  return file && read_footer(segments[number_of_segment], **file);
}

bool PartitionLog::header_is_sound(std::size_t number_of_segment) {
  const SegmentInfo& segment = segments[number_of_segment];
  const Result<std::shared_ptr<File>> file = open(number_of_segment);
  if (!file) return false;
  scsi::Buffer block = scsi::Buffer::allocate(format::kBlock);
  const Result<std::size_t> got = (*file)->pread(block.view(), 0);
  if (!got || *got != format::kBlock) return false;
  const auto header = format::decode_segment_header(block.view());
  return header && header->uuid == uuid_ && header->partition == number &&
         header->seq == segment.seq && header->epoch == segment.epoch &&
         header->first_lba == segment.first_lba;
}

Result<std::shared_ptr<const SegmentIndex>> PartitionLog::load_index(const SegmentInfo& segment,
                                                                     File& file) {
  if (auto index = read_footer(segment, file)) return index;
  const Result<std::uint64_t> size = file.size();
  if (!size) return size.error();
  ScanRules rules;
  rules.salt = salt(segment);
  rules.first_lba = segment.first_lba;
  rules.first_filemark = segment.first_filemark;
  rules.expected_count = segment.count;
  Result<ScanResult> scanned = scan_segment(file, *size, rules);
  if (!scanned) return scanned.error();
  // What a disk does not show now is not lost yet, and a filemark in it not where it seems.
  if (scanned->unreadable) return *scanned->unreadable;
  notes.push_back(
      fmt::format("{}: its index is damaged and was rebuilt from the records", path(segment)));
  auto index = std::make_shared<SegmentIndex>(std::move(scanned->index));
  while (index->entries.size() < segment.count) {
    const std::uint64_t missing = segment.count - index->entries.size();
    index->add_lost(segment.data_end, missing + index->filemarks.size() <= segment.filemarks);
  }
  return std::shared_ptr<const SegmentIndex>(std::move(index));
}

const PartitionLog::CachedIndex* PartitionLog::cached_index(const SegmentInfo& segment) {
  for (auto it = indexes_.begin(); it != indexes_.end(); ++it) {
    if (it->seq != segment.seq || it->epoch != segment.epoch) continue;
    indexes_.splice(indexes_.begin(), indexes_, it);
    return &indexes_.front();
  }
  return nullptr;
}

Result<std::shared_ptr<const SegmentIndex>> PartitionLog::index(std::size_t number_of_segment) {
  const SegmentInfo& segment = segments[number_of_segment];
  if (!segment.sealed) return std::shared_ptr<const SegmentIndex>(tail_index);
  if (const CachedIndex* cached = cached_index(segment)) return cached->index;
  Result<std::shared_ptr<File>> file = open(number_of_segment);
  if (!file) return file.error();
  auto loaded = load_index(segment, **file);
  if (!loaded) return loaded;
  indexes_.push_front({segment.seq, segment.epoch, *loaded});
  std::size_t entries = 0;
  for (auto it = indexes_.begin(); it != indexes_.end(); ++it) {
    entries += it->index->entries.size();
    if (it == indexes_.begin() || entries <= kCachedEntries) continue;
    indexes_.erase(it, indexes_.end());
    break;
  }
  return loaded;
}

Result<std::uint64_t> PartitionLog::offset(std::size_t number_of_segment, std::size_t ordinal) {
  const SegmentInfo& segment = segments[number_of_segment];
  if (segment.sealed && cached_index(segment) == nullptr) {
    const auto file = open(number_of_segment);
    if (!file) return file.error();
    const std::uint64_t at = format::align_up(segment.data_end, format::kBlock) + 8 * ordinal;
    scsi::Buffer block = scsi::Buffer::allocate(format::kBlock);
    const auto got = (*file)->pread(block.view(), at / format::kBlock * format::kBlock);
    if (got && *got == format::kBlock) {
      scsi::ByteReader r(block.view().subspan(at % format::kBlock));
      const std::uint64_t found = format::index_offset(r.u64());
      if (found >= format::kBlock && found < segment.data_end) return found;
    }
  }
  const auto whole = index(number_of_segment);
  if (!whole) return whole.error();
  return format::index_offset((*whole)->entries[ordinal]);
}

Result<PartitionLog::Marks> PartitionLog::load_marks(const SegmentInfo& segment, File& file) const {
  const IoError damaged{EBADMSG, path(segment) + ": its index is damaged"};
  const Result<format::Trailer> trailer = read_trailer(file);
  if (!trailer) return trailer.error();
  if (trailer->count != segment.count || trailer->filemarks != segment.filemarks) return damaged;
  const std::uint64_t begin = trailer->index_offset + 8 * trailer->count;
  const std::uint64_t skip = begin % format::kBlock;
  const std::uint64_t bytes = 4 * trailer->filemarks;
  const std::uint64_t whole = format::align_up(skip + bytes, format::kBlock);
  scsi::Buffer blocks = scsi::Buffer::allocate(static_cast<std::size_t>(whole));
  const auto got = file.pread(blocks.view(), begin - skip);
  if (!got) return got.error();
  if (*got != whole) return damaged;
  const scsi::Bytes stored = std::as_const(blocks).view().subspan(skip, bytes);
  if (scsi::crc32c(stored) != trailer->filemark_crc) return damaged;
  auto marks = std::make_shared<std::vector<std::uint32_t>>();
  marks->reserve(static_cast<std::size_t>(trailer->filemarks));
  for (scsi::ByteReader r(stored); r.remaining() != 0;) marks->push_back(r.u32());
  return Marks(std::move(marks));
}

Result<PartitionLog::Marks> PartitionLog::marks(std::size_t number_of_segment) {
  const SegmentInfo& segment = segments[number_of_segment];
  const std::uint64_t key = std::uint64_t{segment.seq} << 32 | segment.epoch;
  if (segment.sealed && cached_index(segment) == nullptr) {
    if (const auto kept = marks_.find(key); kept != marks_.end()) return kept->second;
    const auto file = open(number_of_segment);
    if (!file) return file.error();
    Result<Marks> loaded = load_marks(segment, **file);
    if (loaded) {
      if (marks_held_ + (*loaded)->size() > kCachedMarks) {
        marks_.clear();
        marks_held_ = 0;
      }
      marks_held_ += (*loaded)->size() + kMarksOfSegment;
      marks_.emplace(key, *loaded);
    }
    if (loaded) return loaded;
  }
  const auto whole = index(number_of_segment);
  if (!whole) return whole.error();
  return Marks(*whole, &(*whole)->filemarks);
}

void PartitionLog::truncate(std::uint64_t lba) {
  while (!segments.empty() && (segments.back().first_lba > lba ||
                               (segments.back().first_lba == lba && segments.back().sealed))) {
    if (!segments.back().sealed) tail_index.reset();
    const std::uint64_t base = segments.back().base_used;
    segments.pop_back();
    if (!segments.empty())
      segments.back().payload = base - std::min(base, segments.back().base_used);
  }
  filemarks = used_bytes = 0;
  if (!segments.empty()) {
    SegmentInfo& last = segments.back();
    if (!last.sealed && lba < last.end_lba()) {
      const std::uint64_t keep = lba - last.first_lba;
      last.data_end = format::index_offset(tail_index->entries[static_cast<std::size_t>(keep)]);
      tail_index->truncate(keep);
      last.count = keep;
      last.filemarks = tail_index->filemarks.size();
      last.payload = tail_index->payload_estimate(keep, last.data_end);
    }
    filemarks = last.first_filemark + last.filemarks;
    used_bytes = last.base_used + last.payload;
  }
  end_of_data = lba;
}

// --- PartitionLog: searches

PartitionLog::Found PartitionLog::filemark_lba(std::uint64_t ordinal) {
  const auto after =
      std::upper_bound(segments.begin(), segments.end(), ordinal,
                       [](std::uint64_t v, const SegmentInfo& s) { return v < s.first_filemark; });
  Found found;
  if (after == segments.begin()) {
    found.fault =
        make_fault(Fault::Kind::kObjectMissing, directory + ": the first segment is missing");
    return found;
  }
  // Segments without a filemark share first_filemark with their successor: the last of them is the
  // right one, unless the filemark lies in a gap behind it.
  const auto segment = std::prev(after);
  if (ordinal >= segment->first_filemark + segment->filemarks) {
    found.fault = make_fault(
        Fault::Kind::kObjectMissing,
        fmt::format("{}: objects from {} on are missing", directory, segment->end_lba()));
    found.fault_lba = segment->end_lba();
    return found;
  }
  const auto loaded = marks(static_cast<std::size_t>(segment - segments.begin()));
  if (!loaded) {
    found.fault = read_fault(loaded.error());
    found.fault_lba = segment->first_lba;
    found.fault_end = segment->end_lba();
    return found;
  }
  const std::uint64_t nth = ordinal - segment->first_filemark;
  if (nth >= (*loaded)->size()) {  // rebuilt from what damage has left of the records
    found.fault = make_fault(Fault::Kind::kReadError,
                             fmt::format("{}: filemark {} is damaged", path(*segment), ordinal));
    found.fault_lba = segment->first_lba;
    return found;
  }
  found.value = segment->first_lba + (**loaded)[static_cast<std::size_t>(nth)];
  return found;
}

PartitionLog::Found PartitionLog::filemarks_before(std::uint64_t lba) {
  Found found;
  if (lba >= end_of_data) {
    found.value = filemarks;
    return found;
  }
  const auto after =
      std::upper_bound(segments.begin(), segments.end(), lba,
                       [](std::uint64_t v, const SegmentInfo& s) { return v < s.first_lba; });
  if (after == segments.begin()) return found;  // a gap at the beginning
  const auto segment = std::prev(after);
  if (lba == segment->first_lba || segment->filemarks == 0) {
    found.value = segment->first_filemark;
  } else if (lba >= segment->end_lba()) {
    found.value = segment->first_filemark + segment->filemarks;
  } else if (const auto loaded = marks(static_cast<std::size_t>(segment - segments.begin()));
             loaded) {
    const std::vector<std::uint32_t>& places = **loaded;
    const auto next = std::lower_bound(places.begin(), places.end(), lba - segment->first_lba);
    found.value = segment->first_filemark + static_cast<std::uint64_t>(next - places.begin());
  } else {
    found.fault = read_fault(loaded.error());
    found.fault_lba = lba;
  }
  return found;
}

PartitionLog::Seek PartitionLog::at(std::uint64_t lba, std::uint64_t spaced,
                                    SpaceOutcome::Stop stop) {
  const Found marks = filemarks_before(lba);
  if (marks.fault) return failed(lba, spaced, *marks.fault);
  return {{spaced, stop, std::nullopt}, {number, lba, marks.value}};
}

PartitionLog::Seek PartitionLog::failed(std::uint64_t lba, std::uint64_t spaced, Fault fault) {
  // SPACE and WRITE go on from this count, so it has to be right: a disk that failed once is asked
  // again, and if it fails again the position is the nearest one before whose count is known.
  const Found known = filemarks_before(lba);
  std::uint64_t marks = known.value;
  if (known.fault)
    for (const SegmentInfo& s : segments)
      if (s.first_lba <= known.fault_lba) {
        lba = s.first_lba;
        marks = s.first_filemark;
        spaced = 0;
      }
  return {{spaced, SpaceOutcome::Stop::kFault, std::move(fault)}, {number, lba, marks}};
}

PartitionLog::Seek PartitionLog::space(scsi::ssc::Position from, scsi::ssc::SpaceUnit unit,
                                       std::int64_t count) {
  using Stop = SpaceOutcome::Stop;
  const bool forward = count >= 0;
  const std::uint64_t n = forward ? static_cast<std::uint64_t>(count)
                                  : std::uint64_t{0} - static_cast<std::uint64_t>(count);
  if (n == 0) return at(from.object, 0, Stop::kNone);
  if (!from.filemarks_known) {
    const Seek here = at(from.object, 0, Stop::kNone);
    if (here.outcome.fault) return here;
    from = here.position;
  }

  if (unit == scsi::ssc::SpaceUnit::kFilemarks) {
    if (forward && n > filemarks - from.filemarks)
      return at(end_of_data, filemarks - from.filemarks, Stop::kEndOfData);
    if (!forward && n > from.filemarks) return at(0, from.filemarks, Stop::kBeginning);
    const std::uint64_t target = forward ? from.filemarks + n - 1 : from.filemarks - n;
    const Found mark = filemark_lba(target);
    if (mark.fault) {
      const Found before = filemarks_before(mark.fault_lba);
      const std::uint64_t passed = forward
                                       ? before.value - std::min(before.value, from.filemarks)
                                       : from.filemarks - std::min(before.value, from.filemarks);
      return failed(mark.fault_lba, std::min(passed, n), *mark.fault);
    }
    return {{n, Stop::kNone, std::nullopt},
            {number, forward ? mark.value + 1 : mark.value, forward ? target + 1 : target}};
  }

  if (forward) {
    const std::uint64_t most = end_of_data - from.object;
    const std::uint64_t end = from.object + std::min(n, most);
    if (from.filemarks < filemarks) {
      const Found mark = filemark_lba(from.filemarks);
      const std::uint64_t lba = std::max(mark.fault_lba, from.object);
      if (mark.fault && lba < end && mark.is_within(from.object, end))
        return failed(lba, lba - from.object, *mark.fault);
      if (!mark.fault && mark.value < end)
        return {{mark.value - from.object, Stop::kFilemark, std::nullopt},
                {number, mark.value + 1, from.filemarks + 1}};
    }
    return {{end - from.object, n > most ? Stop::kEndOfData : Stop::kNone, std::nullopt},
            {number, end, from.filemarks}};
  }
  const std::uint64_t begin = from.object - std::min(n, from.object);
  if (from.filemarks > 0) {
    const Found mark = filemark_lba(from.filemarks - 1);
    const std::uint64_t lba = std::max(mark.fault_lba, begin);
    if (mark.fault && mark.is_within(begin, from.object))
      return failed(lba, from.object - lba, *mark.fault);
    if (!mark.fault && mark.value >= begin)
      return {{from.object - mark.value - 1, Stop::kFilemark, std::nullopt},
              {number, mark.value, from.filemarks - 1}};
  }
  return {{from.object - begin, n > from.object ? Stop::kBeginning : Stop::kNone, std::nullopt},
          {number, begin, from.filemarks}};
}

PartitionLog::Seek PartitionLog::locate_object(std::uint64_t lba) {
  if (lba > end_of_data) return at(end_of_data, 0, SpaceOutcome::Stop::kEndOfData);
  return at(lba, 0, SpaceOutcome::Stop::kNone);
}

PartitionLog::Seek PartitionLog::locate_file(std::uint64_t file) {
  if (file == 0) return at(0, 0, SpaceOutcome::Stop::kNone);
  if (file > filemarks) return at(end_of_data, 0, SpaceOutcome::Stop::kEndOfData);
  const Found mark = filemark_lba(file - 1);
  if (mark.fault) return failed(mark.fault_lba, 0, *mark.fault);
  return {{0, SpaceOutcome::Stop::kNone, std::nullopt}, {number, mark.value + 1, file}};
}

}  // namespace vtl
