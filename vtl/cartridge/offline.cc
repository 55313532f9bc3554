// Reader, writer and verification of a whole cartridge, without a drive (cartridge.h).
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/log_reader.h"
#include "vtl/cartridge/open_cartridge.h"
#include "vtl/cartridge/repair.h"
#include "vtl/cartridge/stage.h"

namespace vtl {
namespace {

IoError io_error(const Fault& fault) {
  int code = EIO;
  if (fault.kind == Fault::Kind::kInUse) code = EAGAIN;
  if (fault.kind == Fault::Kind::kNoSpace) code = ENOSPC;
  if (fault.kind == Fault::Kind::kIncompatibleFormat) code = EPROTONOSUPPORT;
  if (fault.kind == Fault::Kind::kFormatCorrupt) code = EBADMSG;
  return {code, fault.detail};
}

Result<std::unique_ptr<OpenCartridge>> open_cartridge(FileSystem& files, const std::string& dir,
                                                      std::uint32_t partition) {
  OpenCartridge::Opened opened = OpenCartridge::open(files, dir, {}, nullptr);
  if (opened.fault) return io_error(*opened.fault);
  if (partition >= opened.cartridge->partition_count())
    return IoError{EINVAL, fmt::format("{}: there is no partition {}", dir, partition)};
  return std::move(opened.cartridge);
}

// Walks one partition of an open cartridge.
class ObjectWalk {
 public:
  ObjectWalk(OpenCartridge& cartridge, std::uint32_t partition)
      : log_(cartridge.log(partition)), pool_(2) {}

  // The next object, or nothing at the end. `gather` asks for a block's bytes in one piece.
  const ReadObject* next() {
    while (next_ == chunk_.objects.size()) {
      if (cursor_.lba >= log_.end_of_data) return nullptr;
      chunk_.clear();
      next_ = 0;
      read_chunk(log_, cursor_, log_.end_of_data, pool_.take(), Stage::kBytes, chunk_);
    }
    return &chunk_.objects[next_++];
  }
  std::uint64_t position() const { return chunk_.first_lba + next_; }
  std::uint64_t end_of_data() const { return log_.end_of_data; }
  const std::string& detail() const { return chunk_.detail; }

  scsi::Bytes gather(const ReadObject& object) {
    scsi::Bytes first = chunk_.buffers[object.buffer].bytes.subspan(object.offset);
    if (first.size() >= object.length) return first.first(object.length);
    block_.clear();
    for (std::size_t b = object.buffer; block_.size() < object.length; ++b) {
      const scsi::Bytes bytes = b == object.buffer ? first : chunk_.buffers[b].bytes;
      const std::size_t n = std::min(bytes.size(), object.length - block_.size());
      block_.insert(block_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    }
    return block_;
  }

 private:
  PartitionLog& log_;
  StagePool pool_;
  ReadCursor cursor_;
  ReadChunk chunk_;
  std::size_t next_ = 0;
  std::vector<std::byte> block_;
};

class Reader final : public CartridgeReader {
 public:
  Reader(std::unique_ptr<OpenCartridge> cartridge, std::uint32_t partition)
      : cartridge_(std::move(cartridge)), walk_(*cartridge_, partition) {}
  ~Reader() override { (void)cartridge_->close({0, bytes_read_}); }

  TapeObject next() override {
    const ReadObject* object = walk_.next();
    if (object == nullptr) return {};
    switch (object->kind) {
      case ReadObject::Kind::kBlock:
        bytes_read_ += object->length;
        return {TapeObject::Kind::kBlock, walk_.gather(*object), {}};
      case ReadObject::Kind::kFilemark:
        return {TapeObject::Kind::kFilemark, {}, {}};
      case ReadObject::Kind::kRefused:
        return {
            TapeObject::Kind::kDamaged,
            {},
            "it is encrypted under a host's key, which is not kept here: copy this tape through "
            "a drive, with the program that has the key"};
      case ReadObject::Kind::kDamaged:
      case ReadObject::Kind::kMissing:
        break;
    }
    return {TapeObject::Kind::kDamaged, {}, walk_.detail()};
  }
  std::uint64_t position() const override { return walk_.position(); }
  std::uint64_t end_of_data() const override { return walk_.end_of_data(); }

 private:
  std::unique_ptr<OpenCartridge> cartridge_;
  ObjectWalk walk_;
  std::uint64_t bytes_read_ = 0;
};

class Writer final : public CartridgeWriter {
 public:
  Writer(std::unique_ptr<OpenCartridge> cartridge, std::uint32_t partition)
      : cartridge_(std::move(cartridge)), partition_(partition) {}

  MaybeFault begin(At at) {
    const std::uint64_t lba = at == At::kBeginning ? 0 : cartridge_->log(partition_).end_of_data;
    return cartridge_->begin_append(partition_, lba);
  }
  Status write_block(scsi::Bytes block) override {
    if (block.empty() || block.size() > kMaxBlockBytes)
      return IoError{
          EINVAL, fmt::format("a block has 1 to {} bytes, not {}", kMaxBlockBytes, block.size())};
    const scsi::ssc::PartitionInfo info = cartridge_->partition_info(partition_);
    if (info.used_bytes + block.size() > info.capacity_bytes)
      return IoError{ENOSPC, fmt::format("the cartridge is full: {} of {} bytes are used",
                                         info.used_bytes, info.capacity_bytes)};
    bytes_written_ += block.size();
    return outcome(cartridge_->append_block(block));
  }
  Status write_filemark() override { return outcome(cartridge_->append_filemark()); }
  Status finish() override {
    if (const Status status = outcome(cartridge_->sync()); !status) return status;
    return outcome(cartridge_->close({bytes_written_, 0}));
  }

 private:
  static Status outcome(const MaybeFault& fault) {
    return fault ? Status(io_error(*fault)) : ok_status();
  }

  std::unique_ptr<OpenCartridge> cartridge_;
  std::uint32_t partition_;
  std::uint64_t bytes_written_ = 0;
};

}  // namespace

Result<std::unique_ptr<CartridgeReader>> CartridgeReader::open(FileSystem& files,
                                                               const std::string& dir,
                                                               std::uint32_t partition) {
  auto cartridge = open_cartridge(files, dir, partition);
  if (!cartridge) return cartridge.error();
  return std::unique_ptr<CartridgeReader>(
      std::make_unique<Reader>(std::move(*cartridge), partition));
}

Result<std::unique_ptr<CartridgeWriter>> CartridgeWriter::open(FileSystem& files,
                                                               const std::string& dir, At at,
                                                               std::uint32_t partition) {
  auto cartridge = open_cartridge(files, dir, partition);
  if (!cartridge) return cartridge.error();
  const scsi::ssc::MediumInfo info = (*cartridge)->info();
  if (info.write_protected) {
    (void)(*cartridge)->close({});
    return IoError{
        EROFS, fmt::format("{} is write-protected: {}", info.barcode, info.write_protect_reason)};
  }
  auto writer = std::make_unique<Writer>(std::move(*cartridge), partition);
  if (const MaybeFault fault = writer->begin(at)) return io_error(*fault);
  return std::unique_ptr<CartridgeWriter>(std::move(writer));
}

namespace {

// What recoveries have set aside is for people to look at; nothing else ever mentions it again.
std::vector<std::string> quarantined(FileSystem& files, const std::string& dir) {
  const auto names = files.list(dir + "/quarantine");
  if (!names || names->empty()) return {};
  return {fmt::format(
      "{}/quarantine: what a load or a repair has set aside is there ({}); it is not part of the "
      "tape. Delete it when nobody misses anything",
      dir, names->size() == 1 ? names->front() : fmt::format("{} files", names->size()))};
}

// Reads all objects of an open cartridge.
Status read_all(OpenCartridge& cartridge, VerifyReport& report, const Progress& progress) {
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  for (std::uint32_t p = 0; p < cartridge.partition_count(); ++p)
    total += cartridge.log(p).end_of_data;
  for (std::uint32_t p = 0; p < cartridge.partition_count(); ++p) {
    ObjectWalk walk(cartridge, p);
    while (const ReadObject* object = walk.next()) {
      const std::uint64_t lba = walk.position() - 1;
      // Without the key: its checksum was right, and that is all that can be known.
      if (object->kind == ReadObject::Kind::kBlock || object->kind == ReadObject::Kind::kRefused) {
        ++report.blocks;
        report.bytes += object->length;
      } else if (object->kind == ReadObject::Kind::kFilemark) {
        ++report.filemarks;
      } else if (!report.damage.empty() && report.damage.back().partition == p &&
                 report.damage.back().first_object + report.damage.back().objects == lba) {
        ++report.damage.back().objects;
      } else {
        report.damage.push_back({p, lba, 1, walk.detail()});
      }
      if (++done % 1024 == 0 && progress && !progress(done, total))
        return IoError{ECANCELED, cartridge.cart().barcode + ": stopped"};
    }
  }
  if (progress) progress(done, total);
  return ok_status();
}

}  // namespace

Result<VerifyReport> verify_cartridge(FileSystem& files, const std::string& dir,
                                      const Progress& progress) {
  VerifyReport report;
  const Result<LabelFindings> label = check_label(files, dir, false);
  if (!label) return label.error();
  report.repairable = label->damaged;
  OpenCartridge::Opened opened = OpenCartridge::open(files, dir, {}, nullptr);
  if (opened.fault) return io_error(*opened.fault);
  const Status read = read_all(*opened.cartridge, report, progress);
  if (const auto found = check_segments(*opened.cartridge, false); found)
    report.repairable.insert(report.repairable.end(), found->begin(), found->end());
  const MaybeFault fault = opened.cartridge->close({});
  report.notes = label->torn;
  for (std::string& note : opened.cartridge->take_notes()) report.notes.push_back(std::move(note));
  const auto after = check_label(files, dir, false);
  if (after &&
      after->damaged.size() + after->torn.size() < label->damaged.size() + label->torn.size())
    report.notes.push_back(dir +
                           "/CART: written anew when the cartridge was closed, so that both "
                           "copies of the label are good again");
  for (std::string& note : quarantined(files, dir)) report.notes.push_back(std::move(note));
  if (!read) return read.error();
  if (fault) return io_error(*fault);
  return report;
}

Result<RepairReport> repair_cartridge(FileSystem& files, const std::string& dir,
                                      const Progress& progress) {
  RepairReport report;
  Result<LabelFindings> label = check_label(files, dir, true);
  if (!label) return label.error();
  report.repaired = std::move(label->damaged);
  report.after.notes = std::move(label->torn);
  // First what its table of segments knows of, then what the files say without one.
  for (const bool every_trailer : {false, true}) {
    OpenCartridge::Options options;
    options.read_every_trailer = every_trailer;
    OpenCartridge::Opened opened = OpenCartridge::open(files, dir, options, nullptr);
    if (opened.fault) return io_error(*opened.fault);
    OpenCartridge& cartridge = *opened.cartridge;
    if (const auto found = check_segments(cartridge, true); found)
      report.repaired.insert(report.repaired.end(), found->begin(), found->end());
    Status read = ok_status();
    if (every_trailer) {
      read = read_all(cartridge, report.after, progress);
      if (auto found = check_segments(cartridge, false); found)
        report.after.repairable = std::move(*found);
    }
    const MaybeFault fault = cartridge.close({});
    for (std::string& note : cartridge.take_notes()) report.after.notes.push_back(std::move(note));
    if (!read) return read.error();
    if (fault) return io_error(*fault);
  }
  for (std::string& note : quarantined(files, dir)) report.after.notes.push_back(std::move(note));
  return report;
}

}  // namespace vtl
