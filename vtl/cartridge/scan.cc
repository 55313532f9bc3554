#include "vtl/cartridge/scan.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "scsi/crc32c.h"

namespace vtl {

using format::RecordHeader;
using format::RecordType;
using scsi::Bytes;

scsi::Bytes AlignedReader::view(std::uint64_t offset, std::size_t want) {
  if (offset >= size_) return {};
  const auto have =
      static_cast<std::size_t>(std::min<std::uint64_t>(std::min(want, kMost), size_ - offset));
  if (offset < start_ || offset + have > start_ + filled_) {
    start_ = offset / format::kBlock * format::kBlock;
    filled_ = 0;
    const auto length = static_cast<std::size_t>(
        std::min<std::uint64_t>(Stage::kBytes, format::align_up(size_ - start_, format::kBlock)));
    if (!fill(length)) {
      ok_ = false;
      return {};
    }
    if (start_ + filled_ < offset + have) {
      ok_ = false;
      error_ = {EIO, "file ends early"};
      return {};
    }
  }
  return Bytes(stage_.data(), filled_).subspan(static_cast<std::size_t>(offset - start_), have);
}

// Reads from `start_`; where that fails and patching is on, block by block.
bool AlignedReader::fill(std::size_t length) {
  const Result<std::size_t> all = file_.pread(stage_.all().first(length), start_);
  if (all) {
    filled_ = *all;
    return true;
  }
  error_ = all.error();
  if (!patches_) return false;
  for (; filled_ < length; filled_ += format::kBlock) {
    const scsi::MutableBytes block = stage_.all().subspan(filled_, format::kBlock);
    const std::uint64_t end = start_ + filled_ + format::kBlock;
    const Result<std::size_t> got = file_.pread(block, start_ + filled_);
    if (got) continue;
    error_ = got.error();
    std::fill(block.begin(), block.end(), std::byte{});
    if (end <= patched_until_) continue;  // known from before
    patched_until_ = end;
    if (++patched_ > kMostPatched) return false;
  }
  filled_ = std::min<std::size_t>(filled_, static_cast<std::size_t>(size_ - start_));
  return true;
}

namespace {

bool is_zero_magic(Bytes bytes) { return scsi::ByteReader(bytes).u32() == 0; }

// Every record header of this salt from `from` on, until `enough` says so: then true.
template <class Enough>
bool for_each_header(AlignedReader& reader, std::uint64_t from, std::uint32_t salt,
                     const Enough& enough) {
  std::uint64_t offset = format::align_up(from, format::kRecordAlign);
  while (offset + format::kRecordHeaderBytes <= reader.size()) {
    const Bytes part = reader.view(offset, AlignedReader::kMost);
    if (part.size() < format::kRecordHeaderBytes) break;
    std::size_t at = 0;
    for (; at + format::kRecordHeaderBytes <= part.size(); at += format::kRecordAlign) {
      static constexpr std::array<char, 4> kMagic = {'V', 'T', 'R', '1'};
      if (std::memcmp(part.data() + at, kMagic.data(), kMagic.size()) != 0) continue;
      const auto header = format::decode_record_header(part.subspan(at), salt);
      if (header && enough(*header, offset + at)) return true;
    }
    offset += at;
  }
  return false;
}

class Scanner {
 public:
  Scanner(File& file, std::uint64_t size, const ScanRules& rules)
      : reader_(file, size), rules_(rules) {
    reader_.patch();
  }

  Result<ScanResult> run() {
    out_.last_epoch = rules_.min_epoch;
    filemarks_ = rules_.first_filemark;
    std::uint64_t offset = format::kBlock;
    while (reader_.ok() && !complete()) {
      offset = skip_padding(offset);
      if (const auto header = record_at(offset);
          header && follows(*header) && payload_sound(*header, offset)) {
        accept(*header, offset);
        offset += header->total_length();
        continue;
      }
      // A record that later ones call durable is damaged, not torn: what follows it still counts.
      const auto next = search(offset + format::kRecordAlign);
      if (!next) break;
      lose_until(next->header, next->offset);
      offset = next->offset;
    }
    if (!reader_.ok()) return reader_.error();
    if (reader_.patched_until() != 0 && (out_.lost != 0 || !complete())) {
      out_.unreadable = reader_.error();
      out_.end_unreadable = rules_.expected_count == 0 && reader_.patched_until() > out_.data_end;
    }
    return std::move(out_);
  }

 private:
  std::uint64_t next_lba() const { return rules_.first_lba + out_.index.entries.size(); }
  bool complete() const {
    return out_.index.entries.size() >= format::kMaxSegmentObjects ||
           (rules_.expected_count != 0 && out_.index.entries.size() >= rules_.expected_count);
  }
  std::uint64_t skip_padding(std::uint64_t offset) {
    const Bytes head = reader_.view(offset, 4);
    const bool padding = offset % format::kBlock != 0 && (head.size() < 4 || is_zero_magic(head));
    return padding ? format::align_up(offset, format::kBlock) : offset;
  }
  std::optional<RecordHeader> record_at(std::uint64_t offset) {
    const auto header =
        format::decode_record_header(reader_.view(offset, format::kRecordHeaderBytes), rules_.salt);
    if (!header || offset + format::kRecordHeaderBytes + header->stored_length > reader_.size())
      return std::nullopt;
    return header;
  }
  bool is_cut(const RecordHeader& h) const {
    return h.epoch < rules_.cut_epoch && h.lba >= rules_.cut_lba;
  }
  bool follows(const RecordHeader& h) const {
    return h.lba == next_lba() && h.epoch >= out_.last_epoch && h.filemarks_before == filemarks_ &&
           !is_cut(h);
  }
  bool payload_sound(const RecordHeader& h, std::uint64_t offset) {
    std::uint64_t at = offset + format::kRecordHeaderBytes;
    std::uint64_t left = h.stored_length;
    std::uint32_t crc = 0;
    while (left != 0) {
      const Bytes part = reader_.view(
          at, static_cast<std::size_t>(std::min<std::uint64_t>(left, AlignedReader::kMost)));
      if (part.empty()) return false;
      crc = scsi::crc32c(part, crc);
      at += part.size();
      left -= part.size();
    }
    return crc == h.payload_crc;
  }
  void accept(const RecordHeader& h, std::uint64_t offset) {
    out_.index.add(offset, h.logical_length, h.type);
    out_.last_epoch = h.epoch;
    out_.payload += h.stored_length;
    out_.durable_lba =
        std::max(out_.durable_lba, h.lba - std::min<std::uint64_t>(h.durable_delta, h.lba));
    out_.data_end = offset + h.total_length();
    if (h.type == RecordType::kFilemark) ++filemarks_;
  }
  // The next record of this segment, if it or one behind it proves that what we wait for had been
  // durable before that was written.
  std::optional<FoundRecord> search(std::uint64_t from) {
    std::optional<FoundRecord> next;
    const bool proved = for_each_header(
        reader_, from, rules_.salt, [&](const RecordHeader& header, std::uint64_t offset) {
          if (!may_follow(header, offset)) return false;
          if (!next) next = FoundRecord{header, offset};
          return proves_loss(header) && header.lba >= next->header.lba;
        });
    return proved ? next : std::nullopt;
  }
  bool may_follow(const RecordHeader& h, std::uint64_t offset) const {
    return h.lba > next_lba() && h.epoch >= out_.last_epoch && !is_cut(h) &&
           h.filemarks_before >= filemarks_ &&
           h.lba - rules_.first_lba < format::kMaxSegmentObjects &&
           (rules_.expected_count == 0 || h.lba - rules_.first_lba < rules_.expected_count) &&
           offset + format::kRecordHeaderBytes + h.stored_length <= reader_.size();
  }
  bool proves_loss(const RecordHeader& h) const {
    return rules_.expected_count != 0 || next_lba() < rules_.durable_lba ||
           h.lba - std::min<std::uint64_t>(h.durable_delta, h.lba) > next_lba();
  }
  void lose_until(const RecordHeader& next, std::uint64_t offset) {
    // Filemarks among the lost objects are known by number only: the last ones stand for them.
    std::uint64_t lost_marks = next.filemarks_before - filemarks_;
    while (next_lba() < next.lba) {
      const bool mark = next.lba - next_lba() <= lost_marks;
      out_.index.add_lost(offset, mark);
      ++out_.lost;
    }
    filemarks_ = next.filemarks_before;
    out_.data_end = offset;
  }

  AlignedReader reader_;
  ScanRules rules_;
  ScanResult out_;
  std::uint64_t filemarks_ = 0;
};

}  // namespace

Result<std::optional<FoundRecord>> find_record(File& file, std::uint64_t size, std::uint32_t salt) {
  AlignedReader reader(file, size);
  reader.patch();
  std::optional<FoundRecord> found;
  for_each_header(reader, format::kBlock, salt,
                  [&](const RecordHeader& header, std::uint64_t offset) {
                    found = FoundRecord{header, offset};
                    return true;
                  });
  if (!reader.ok() || (!found && reader.patched_until() != 0)) return reader.error();
  return found;
}

Result<ScanResult> scan_segment(File& file, std::uint64_t size, const ScanRules& rules) {
  return Scanner(file, size, rules).run();
}

}  // namespace vtl
