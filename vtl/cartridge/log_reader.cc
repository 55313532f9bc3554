#include "vtl/cartridge/log_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "scsi/crc32c.h"
#include "vtl/cartridge/cipher.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/scan.h"

namespace vtl {
namespace {

using format::kBlock;
using format::kRecordHeaderBytes;
using format::RecordHeader;
using format::RecordType;
using scsi::Bytes;
using scsi::ssc::CipherRefusal;
using scsi::ssc::Encryption;

constexpr std::uint64_t kMostMissing = 4096;  // objects of a lost extent in one chunk
constexpr std::uint32_t kOneByOne = 16;
// Blocks may have shrunk to a thousandth: a stage of them would be gigabytes.
constexpr std::size_t kMostUnpacked = Stage::kBytes;
// What comes from the page cache is read ahead by the system already. Little at a time, it is still
// in the processor's cache when it is checked and sent.
constexpr std::size_t kBufferedBytes = (1u << 20) + kBlock;  // a large block and its header

class ChunkReader {
 public:
  ChunkReader(PartitionLog& log, ReadCursor& cursor, std::uint64_t end_lba, ReadChunk& chunk,
              const Encryption* encryption)
      : log_(log), cursor_(cursor), end_lba_(end_lba), chunk_(chunk), encryption_(encryption) {}

  void run(StagePtr stage, std::size_t bytes) {
    const auto found = log_.find(cursor_.lba);
    if (!found) return lose(gap_end());
    segment_number_ = *found;
    segment_ = log_.segments[*found];
    if (cursor_.lba == segment_.first_lba) chunk_.first_filemark = segment_.first_filemark;
    if (!place()) return;
    const auto file = log_.open(segment_number_);
    if (!file) return unreadable(file.error());
    if (!read(**file, stage, bytes)) return;
    salt_ = log_.salt(segment_);
    parse();
  }

 private:
  // --- what cannot be read

  void emit(ReadObject::Kind kind, bool mark) {
    ReadObject object;
    object.kind = kind;
    object.counts_as_filemark = mark;
    chunk_.objects.push_back(object);
    ++cursor_.lba;
  }
  void unplace() {
    cursor_.placed = false;
    // Whoever takes the chunk lets go of the stages: pools are not for this thread to give back to.
    std::move(cursor_.carry.begin(), cursor_.carry.end(), std::back_inserter(chunk_.buffers));
    cursor_.carry.clear();
  }
  std::uint64_t gap_end() const {
    for (const SegmentInfo& s : log_.segments)
      if (s.first_lba > cursor_.lba) return s.first_lba;
    return end_lba_;
  }
  void lose(std::uint64_t end) {
    unplace();
    chunk_.detail =
        fmt::format("{}: objects {} to {} are missing", log_.directory, cursor_.lba, end - 1);
    for (std::uint64_t left = std::min({end, end_lba_, cursor_.lba + kMostMissing}) - cursor_.lba;
         left != 0; --left)
      emit(ReadObject::Kind::kMissing, false);
  }
  void unreadable(const IoError& error) {
    if (error.code == ENOENT) return lose(segment_.end_lba());
    chunk_.detail = error.what;
    unplace();
    emit(ReadObject::Kind::kDamaged, false);
  }

  // --- finding and reading

  bool place() {
    if (cursor_.placed && cursor_.seq == segment_.seq && cursor_.epoch == segment_.epoch)
      return true;
    unplace();
    std::uint64_t offset = kBlock;
    if (cursor_.lba != segment_.first_lba) {
      const auto found = log_.offset(segment_number_, ordinal());
      if (!found) {
        unreadable(found.error());
        return false;
      }
      offset = *found;
    }
    cursor_.placed = true;
    cursor_.seq = segment_.seq;
    cursor_.epoch = segment_.epoch;
    cursor_.offset = offset;
    cursor_.read_until = log_.io() == FileSystem::Io::kDirect ? offset / kBlock * kBlock : offset;
    return true;
  }

  std::size_t ordinal() const { return static_cast<std::size_t>(cursor_.lba - segment_.first_lba); }

  bool read(File& file, const StagePtr& stage, std::size_t bytes) {
    file_end_ = format::align_up(segment_.data_end, kBlock);
    const bool careful = cursor_.one_by_one != 0;
    if (log_.io() == FileSystem::Io::kBuffered)
      bytes = std::min(bytes, kBufferedBytes);
    else
      bytes = static_cast<std::size_t>(format::align_up(bytes, kBlock));
    if (careful) {
      --cursor_.one_by_one;
      bytes = exact_bytes(bytes);
    }
    if (std::exchange(cursor_.whole, false)) bytes = 0;
    const std::uint64_t begin = cursor_.read_until;
    const std::uint64_t left = file_end_ - std::min(file_end_, begin);
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes));
    const Result<std::size_t> got = want == 0 ? Result<std::size_t>(std::size_t{0})
                                              : file.pread(stage->all().first(want), begin);
    if (!got) {
      chunk_.detail = got.error().what;
      const std::uint64_t lba = cursor_.lba;
      unplace();
      if (careful) emit(ReadObject::Kind::kDamaged, is_filemark(lba));
      // Somewhere in these bytes is what cannot be read: the objects are tried one at a time.
      if (!careful) cursor_.one_by_one = kOneByOne;
      return false;
    }
    stage->set_size(*got);
    // Before the object, in its first block, are others' bytes.
    const std::size_t skip = cursor_.carry.empty() && begin < cursor_.offset
                                 ? static_cast<std::size_t>(cursor_.offset - begin)
                                 : 0;
    chunk_.buffers = std::move(cursor_.carry);
    cursor_.carry.clear();
    if (*got > skip) chunk_.buffers.push_back({stage, Bytes(stage->data(), *got).subspan(skip)});
    cursor_.read_until = begin + *got;
    at_end_ = *got < want || cursor_.read_until >= file_end_;
    window_end_ = std::max(cursor_.read_until, cursor_.offset);
    return true;
  }

  std::size_t exact_bytes(std::size_t most) {
    const auto index = log_.index(segment_number_);
    if (!index) return kBlock;
    const std::uint64_t end = ordinal() + 1 < (*index)->entries.size()
                                  ? format::index_offset((*index)->entries[ordinal() + 1])
                                  : segment_.data_end;
    const std::uint64_t bytes =
        format::align_up(std::max(end, cursor_.read_until + 1), kBlock) - cursor_.read_until;
    return static_cast<std::size_t>(std::min<std::uint64_t>(bytes, most));
  }

  bool is_filemark(std::uint64_t lba) {
    const auto index = log_.index(segment_number_);
    if (!index) return false;
    return std::binary_search((*index)->filemarks.begin(), (*index)->filemarks.end(),
                              lba - segment_.first_lba);
  }

  // --- the window: what was read, from the object on

  std::uint64_t available() const { return window_end_ - std::min(window_end_, cursor_.offset); }
  void advance(std::uint64_t n) {
    cursor_.offset += n;
    while (n != 0 && buffer_ < chunk_.buffers.size()) {
      const std::size_t step = static_cast<std::size_t>(
          std::min<std::uint64_t>(n, chunk_.buffers[buffer_].bytes.size() - position_));
      position_ += step;
      n -= step;
      if (position_ == chunk_.buffers[buffer_].bytes.size()) {
        ++buffer_;
        position_ = 0;
      }
    }
  }
  // Calls with the pieces of `n` bytes that begin `skip` bytes after the current place.
  template <class F>
  void pieces(std::size_t skip, std::size_t n, F&& take) const {
    std::size_t at = position_ + skip;
    for (std::size_t b = buffer_; n != 0; ++b) {
      const Bytes bytes = chunk_.buffers[b].bytes;
      if (at >= bytes.size()) {
        at -= bytes.size();
        continue;
      }
      const Bytes piece = bytes.subspan(at, std::min(n, bytes.size() - at));
      take(piece);
      n -= piece.size();
      at = 0;
    }
  }
  void copy(std::size_t skip, scsi::MutableBytes to) const {
    std::size_t done = 0;
    pieces(skip, to.size(), [&](Bytes piece) {
      std::memcpy(to.data() + done, piece.data(), piece.size());
      done += piece.size();
    });
  }
  std::uint32_t crc(std::size_t skip, std::size_t n) const {
    std::uint32_t sum = 0;
    pieces(skip, n, [&](Bytes piece) { sum = scsi::crc32c(piece, sum); });
    return sum;
  }

  // --- records

  void parse() {
    const std::uint64_t end = std::min(end_lba_, segment_.end_lba());
    const bool single = cursor_.one_by_one != 0;
    while (cursor_.lba < end) {
      if (single && !chunk_.objects.empty()) break;
      if (unpacked_bytes_ >= kMostUnpacked) {
        cursor_.whole = true;
        return carry();
      }
      const std::uint64_t start = cursor_.offset;
      if (!skip_padding()) return carry();
      const auto header = header_here();
      if (!header) {
        if (available() < kRecordHeaderBytes && !at_end_) return carry();
        if (!resolve(start)) return;
        continue;
      }
      if (available() < kRecordHeaderBytes + header->stored_length) {
        cursor_.record_bytes = header->total_length() - available();
        if (!at_end_) return carry();
        if (!resolve(start)) return;
        continue;
      }
      take(*header);
      cursor_.record_bytes = header->total_length();
      advance(std::min(header->total_length(), available()));
    }
    carry();
    if (single || cursor_.lba >= segment_.end_lba()) unplace();
  }

  // False: more has to be read first.
  bool skip_padding() {
    const std::uint64_t rest = format::align_up(cursor_.offset, kBlock) - cursor_.offset;
    if (rest == 0) return true;
    if (available() < 4) {
      if (at_end_) return true;
      if (available() != 0) return false;
    }
    if (available() >= 4) {
      std::array<std::byte, 4> magic{};
      copy(0, magic);
      if (scsi::ByteReader(magic).u32() != 0) return true;
    }
    advance(std::min(rest, available()));
    return cursor_.offset % kBlock == 0 || at_end_;
  }

  std::optional<RecordHeader> header_here() {
    if (available() < kRecordHeaderBytes) return std::nullopt;
    std::array<std::byte, kRecordHeaderBytes> bytes{};
    copy(0, bytes);
    const auto header = format::decode_record_header(bytes, salt_);
    if (!header || header->lba != cursor_.lba) return std::nullopt;
    return header;
  }

  void take(const RecordHeader& h) {
    if (h.type == RecordType::kFilemark) {
      emit(ReadObject::Kind::kFilemark, true);
      return;
    }
    ReadObject object;
    object.length = h.logical_length;
    object.crc = h.logical_crc;
    object.stored = h.stored_length - h.extension_length;
    if (!locate(h, object)) {
      chunk_.detail = fmt::format("{}: object {} does not match its checksum or cannot be decoded",
                                  log_.path(segment_), h.lba);
      emit(ReadObject::Kind::kDamaged, false);
      return;
    }
    chunk_.objects.push_back(object);
    ++cursor_.lba;
  }

  // Verifies a block, and finds or makes its bytes as the host wrote them.
  bool locate(const RecordHeader& h, ReadObject& object) {
    if (crc(kRecordHeaderBytes, h.stored_length) != h.payload_crc) return false;
    const bool by_host = (h.flags & format::kEncryptedByHost) != 0;
    if ((h.flags & format::kEncryptedAtRest) != 0 ||
        h.encryption != (by_host ? format::kAes256Gcm : 0))
      return false;
    std::vector<std::byte> extensions(h.extension_length);
    copy(kRecordHeaderBytes, extensions);
    object.refusal = cipher_refusal(encryption_, h.flags, extensions);
    if (object.refusal != CipherRefusal::kNone) {
      object.kind = ReadObject::Kind::kRefused;
      return true;
    }
    if (by_host) return decipher(h, object);
    if (!take_protection(extensions, object)) return false;
    const std::size_t skip = kRecordHeaderBytes + h.extension_length;
    const std::size_t length = h.stored_length - h.extension_length;
    if (h.compression == 0) {
      if (length != h.logical_length) return false;
      const std::uint32_t logical_crc = h.extension_length == 0 ? h.payload_crc : crc(skip, length);
      if (logical_crc != h.logical_crc) return false;
      std::size_t buffer = buffer_;
      std::size_t offset = position_ + skip;
      while (offset >= chunk_.buffers[buffer].bytes.size())
        offset -= chunk_.buffers[buffer++].bytes.size();
      object.buffer = static_cast<std::uint32_t>(buffer);
      object.offset = static_cast<std::uint32_t>(offset);
      return true;
    }
    std::vector<std::byte> stored(length);
    copy(skip, stored);
    auto block = std::make_shared<std::vector<std::byte>>(h.logical_length);
    if (!decompress(h.compression, stored, *block) || scsi::crc32c(*block) != h.logical_crc)
      return false;
    keep(std::move(block), object);
    return true;
  }

  // A block that is not where it was read to.
  void keep(std::shared_ptr<std::vector<std::byte>> block, ReadObject& object) {
    object.buffer = static_cast<std::uint32_t>(chunk_.buffers.size() + unpacked_.size());
    object.offset = 0;
    object.length = static_cast<std::uint32_t>(block->size());
    unpacked_bytes_ += block->size();
    unpacked_.push_back({block, *block});
    chunk_.coded = true;
  }

  bool decipher(const RecordHeader& h, ReadObject& object) {
    std::vector<std::byte> payload(h.stored_length);
    copy(kRecordHeaderBytes, payload);
    auto block = std::make_shared<std::vector<std::byte>>();
    if (encryption_->read == Encryption::Read::kRaw) {
      *block = raw_block(h, payload);
      object.crc = scsi::crc32c(*block);
      keep(std::move(block), object);
      return true;
    }
    SealedBlock sealed{h.flags, h.compression, h.logical_length, 0, 0};
    if (!unseal(*encryption_, h.extension_length, payload, sealed, *block)) {
      object.kind = ReadObject::Kind::kRefused;
      object.refusal = CipherRefusal::kTampered;
      return true;
    }
    if (h.compression != 0) {
      auto stored = std::exchange(block, std::make_shared<std::vector<std::byte>>());
      block->resize(h.logical_length);
      if (!decompress(h.compression, *stored, *block)) return false;
    }
    if (block->size() != h.logical_length || scsi::crc32c(*block) != sealed.logical_crc)
      return false;
    object.crc = sealed.logical_crc;
    if (sealed.reed_solomon != 0) object.reed_solomon = sealed.reed_solomon;
    keep(std::move(block), object);
    return true;
  }

  static bool take_protection(Bytes extensions, ReadObject& object) {
    using Type = format::ExtensionType;
    const auto reed_solomon = format::find_extension(extensions, Type::kReedSolomonProtection);
    if (!reed_solomon) return true;
    if (reed_solomon->size() != scsi::kProtectionBytes) return false;
    object.reed_solomon = scsi::decode_protection(scsi::Protection::kReedSolomon, *reed_solomon);
    return true;
  }

  // The next record is not where or what it should be, from `start` on: the index knows better.
  // False: this chunk ends here.
  bool resolve(std::uint64_t start) {
    const auto index = log_.index(segment_number_);
    if (!index) {
      unreadable(index.error());
      finish();
      return false;
    }
    const std::size_t i = ordinal();
    const std::uint64_t entry = (*index)->entries[i];
    const std::uint64_t true_offset = format::index_offset(entry);
    std::uint64_t next = true_offset;
    if (true_offset == start || true_offset == cursor_.offset ||
        format::index_type(entry) == RecordType::kLost) {
      chunk_.detail = fmt::format("{}: object {} is damaged", log_.path(segment_), cursor_.lba);
      emit(ReadObject::Kind::kDamaged, is_filemark(cursor_.lba));
      next = i + 1 < (*index)->entries.size() ? format::index_offset((*index)->entries[i + 1])
                                              : segment_.data_end;
    }
    if (next >= cursor_.offset && next - cursor_.offset <= available()) {
      advance(next - cursor_.offset);
      return true;
    }
    finish();
    unplace();
    return false;
  }

  void finish() {
    for (ReadBuffer& buffer : unpacked_) chunk_.buffers.push_back(std::move(buffer));
    unpacked_.clear();
  }

  // What is left of the window goes to the next chunk.
  void carry() {
    for (std::size_t b = buffer_; b < chunk_.buffers.size(); ++b) {
      ReadBuffer rest = chunk_.buffers[b];
      if (b == buffer_) rest.bytes = rest.bytes.subspan(position_);
      if (!rest.bytes.empty()) cursor_.carry.push_back(std::move(rest));
    }
    finish();
  }

  PartitionLog& log_;
  ReadCursor& cursor_;
  const std::uint64_t end_lba_;
  ReadChunk& chunk_;
  const Encryption* const encryption_;
  std::size_t segment_number_ = 0;
  SegmentInfo segment_;
  std::uint32_t salt_ = 0;
  std::uint64_t file_end_ = 0;
  std::uint64_t window_end_ = 0;  // file offset behind the window
  bool at_end_ = false;           // nothing of the segment follows the window
  std::size_t buffer_ = 0;        // the current place in chunk_.buffers
  std::size_t position_ = 0;
  std::vector<ReadBuffer> unpacked_;
  std::size_t unpacked_bytes_ = 0;
};

}  // namespace

void read_chunk(PartitionLog& log, ReadCursor& cursor, std::uint64_t end_lba, StagePtr stage,
                std::size_t bytes, ReadChunk& chunk, const Encryption* encryption) {
  chunk.clear();
  chunk.first_lba = cursor.lba;
  if (cursor.lba >= end_lba) return;
  ChunkReader(log, cursor, end_lba, chunk, encryption).run(std::move(stage), bytes);
}

scsi::ssc::NextBlock look_at(PartitionLog& log, std::uint64_t lba, const Encryption* encryption) {
  scsi::ssc::NextBlock out;
  out.kind = scsi::ssc::NextBlock::Kind::kUnreadable;
  const auto number = log.find(lba);
  if (!number) return out;
  const SegmentInfo segment = log.segments[*number];
  const auto offset = log.offset(*number, static_cast<std::size_t>(lba - segment.first_lba));
  const auto file = log.open(*number);
  if (!offset || !file) return out;
  AlignedReader reader(**file, format::align_up(segment.data_end, kBlock));
  const auto header =
      format::decode_record_header(reader.view(*offset, kRecordHeaderBytes), log.salt(segment));
  if (!header || header->lba != lba) return out;
  const Bytes extensions = reader.view(*offset + kRecordHeaderBytes, header->extension_length);
  if (extensions.size() < header->extension_length) return out;
  using Kind = scsi::ssc::NextBlock::Kind;
  out.kind = header->type == RecordType::kFilemark ? Kind::kFilemark : Kind::kBlock;
  out.compressed = header->compression != 0;
  out.encrypted = (header->flags & format::kEncryptedByHost) != 0;
  out.external = (header->flags & format::kWrittenExternally) != 0;
  out.raw_readable = (header->flags & format::kRawReadable) != 0;
  out.refusal = cipher_refusal(encryption, header->flags, extensions);
  out.associated = associated_data(extensions);
  return out;
}

}  // namespace vtl
