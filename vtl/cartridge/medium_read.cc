// Reading: blocks as slices of what was read ahead.
#include <fmt/format.h>

#include <algorithm>

#include "vtl/cartridge/medium_impl.h"

namespace vtl {

using scsi::Buffer;
using scsi::Done;
using namespace scsi::ssc;  // NOLINT: this file is about nothing else

void Medium::set_handling(const BlockHandling& handling) {
  handling_ = handling;
  if (!read_.done) apply_encryption();  // else when that read has ended
}

void Medium::apply_encryption() {
  if (reader_ && reader_->encryption() != handling_.encryption)
    reader_->decrypt(handling_.encryption);
}

void Medium::next_block(Done<NextBlock> done) {
  if (position_.object >= partitions_[position_.partition].end_of_data) {
    NextBlock out;
    out.kind = NextBlock::Kind::kEndOfData;
    return done(std::move(out));
  }
  strand_->run(
      std::make_shared<NextBlock>(),
      [at = position_, encryption = handling_.encryption](std::unique_ptr<OpenCartridge>& cartridge,
                                                          NextBlock& out) {
        out = look_at(cartridge->log(at.partition), at.object, encryption.get());
      },
      [done = std::move(done)](NextBlock& out) mutable { done(std::move(out)); });
}

void Medium::read(std::uint32_t block_length, std::uint32_t count, Done<ReadOutcome> done) {
  read_ = {};
  read_.block_length = block_length;
  read_.count = count;
  read_.protection = handling_.read;
  read_.done = std::move(done);
  if (writer_->unwritten() == 0) return continue_read();
  writer_->flush([this](MaybeFault fault) {
    if (!fault) return continue_read();
    read_.outcome.stop = ReadOutcome::Stop::kFault;
    read_.outcome.fault = std::move(fault);
    finish_read();
  });
}

void Medium::continue_read() {
  ReadOutcome& out = read_.outcome;
  using Stop = ReadOutcome::Stop;
  reader_->aim(position_.partition, position_.object, partitions_[position_.partition].end_of_data);
  while (out.blocks < read_.count && out.stop == Stop::kNone) {
    if (reader_->at_end()) {
      out.stop = Stop::kEndOfData;
      stay_inside(position_.partition);  // of filemarks that are lost only the number is known
      break;
    }
    const ReadObject* object = reader_->peek();
    if (object == nullptr)
      return reader_->wait(read_.count - out.blocks, [this] { continue_read(); });
    const ReadChunk& chunk = reader_->chunk();
    if (reader_->at_chunk_start() && chunk.first_filemark)
      position_ = {position_.partition, position_.object, *chunk.first_filemark};
    switch (object->kind) {
      case ReadObject::Kind::kBlock:
        take_block(*object, chunk);
        break;
      case ReadObject::Kind::kFilemark:
        out.stop = Stop::kFilemark;
        break;
      case ReadObject::Kind::kDamaged:
        out.stop = Stop::kFault;
        out.fault = make_fault(Fault::Kind::kReadError, chunk.detail);
        break;
      case ReadObject::Kind::kMissing:
        out.stop = Stop::kFault;
        out.fault = make_fault(Fault::Kind::kObjectMissing, chunk.detail);
        break;
      case ReadObject::Kind::kRefused:
        out.stop = Stop::kRefused;
        out.refusal = object->refusal;
        return finish_read();
    }
    ++position_.object;
    if (object->counts_as_filemark) ++position_.filemarks;
    reader_->pass();
  }
  if (out.fault) {
    // Whether it was a filemark the reader cannot say for certain: that is asked when somebody
    // wants to know, of a disk that may be well again. What was read ahead may have failed with it.
    position_.filemarks_known = false;
    reader_->drop();
  }
  finish_read();
}

void Medium::count_filemarks(Done<MaybeFault> done) {
  if (position_.filemarks_known) return done(std::nullopt);
  strand_->run(
      std::make_shared<PartitionLog::Seek>(),
      [at = position_](std::unique_ptr<OpenCartridge>& cartridge, PartitionLog::Seek& result) {
        result = cartridge->log(at.partition).locate_object(at.object);
      },
      [this, done = std::move(done)](PartitionLog::Seek& result) mutable {
        if (!result.outcome.fault) position_ = result.position;
        done(std::move(result.outcome.fault));
      });
}

void Medium::take_block(const ReadObject& object, const ReadChunk& chunk) {
  ReadOutcome& out = read_.outcome;
  if (object.length == read_.block_length) {
    ++out.blocks;
  } else {
    out.stop = ReadOutcome::Stop::kLength;
    out.actual_length = object.length;
  }
  const std::size_t first_slice = out.data.size();
  std::size_t left = std::min(object.length, read_.block_length);
  std::size_t offset = object.offset;
  for (std::size_t b = object.buffer; left != 0; ++b) {
    const ReadBuffer& buffer = chunk.buffers[b];
    const scsi::Bytes bytes =
        buffer.bytes.subspan(offset, std::min(left, buffer.bytes.size() - offset));
    if (!bytes.empty()) out.data.push_back({buffer.owner, bytes});
    left -= bytes.size();
    offset = 0;
  }
  if (read_.protection != scsi::Protection::kNone) add_protection(object, first_slice);
  traffic_.bytes_read += object.stored;
  info_.bytes_read_load += object.stored;
  info_.bytes_read_life += object.stored;
}

// What the host has written comes back as it was. Otherwise - another method, none, a block that is
// cut off - it is made from what is given.
void Medium::add_protection(const ReadObject& object, std::size_t first_slice) {
  const scsi::Protection method = read_.protection;
  scsi::SliceList& data = read_.outcome.data;
  std::optional<std::uint32_t> value = object.reed_solomon;
  if (method == scsi::Protection::kCrc32c) value = object.crc;
  if (!value || object.length > read_.block_length) {
    value = 0;
    for (std::size_t i = first_slice; i < data.size(); ++i)
      value = scsi::protection_value(method, data[i].bytes, *value);
  }
  const auto bytes = std::make_shared<const std::array<std::byte, scsi::kProtectionBytes>>(
      scsi::encode_protection(method, *value));
  data.push_back({bytes, *bytes});
}

void Medium::finish_read() {
  // What had to be written first and could not be is another alert's.
  if (read_.outcome.fault && read_.outcome.fault->kind != Fault::Kind::kWriteError)
    alert(MediumAlert::Kind::kReadFailed,
          fmt::format("{}: object {} cannot be read: {}", info_.barcode, position_.object - 1,
                      read_.outcome.fault->detail));
  auto done = std::move(read_.done);
  apply_encryption();
  done(std::move(read_.outcome));
}

}  // namespace vtl
