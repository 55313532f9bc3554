// REWIND, SPACE, LOCATE and READ POSITION (SSC-4).
#include <algorithm>
#include <limits>

#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

// READ POSITION, first byte.
constexpr std::uint8_t kBop = 0x80;
constexpr std::uint8_t kEop = 0x40;
constexpr std::uint8_t kObjectCountUnknown = 0x20;   // LOCU
constexpr std::uint8_t kByteCountUnknown = 0x10;     // BYCU
constexpr std::uint8_t kMarkPositionUnknown = 0x08;  // MPU, long form: no LOGICAL FILE IDENTIFIER
constexpr std::uint8_t kPositionError = 0x02;        // PERR: does not fit this form
constexpr std::uint8_t kBpew = 0x01;

constexpr std::uint64_t kMax24 = 0xFF'FFFF;
constexpr std::uint64_t kMax32 = 0xFFFF'FFFF;

// SPACE, CODE field
constexpr std::uint8_t kSpaceBlocks = 0;
constexpr std::uint8_t kSpaceFilemarks = 1;
constexpr std::uint8_t kSpaceEndOfData = 3;

// LOCATE(16), DEST_TYPE field
constexpr std::uint8_t kLocateObject = 0;
constexpr std::uint8_t kLocateFile = 1;
constexpr std::uint8_t kLocateEndOfData = 3;

}  // namespace

bool TapeDrive::Impl::past_programmable_early_warning() const {
  if (generation.number < 5) return false;  // no page 10h/01h
  const Bytes page = modes().value(0x10, 0x01);
  const std::uint64_t pews_mb = ByteReader(page.subspan(6)).u16();
  return pews_mb != 0 && medium->position_bytes() + pews_mb * kDecimalMb >=
                             medium->partition(medium->position().partition).early_warning_bytes;
}

// --- REWIND ---

void TapeDrive::Impl::rewind(Task& task) {
  run(task, (task.cdb(1) & 0x01) != 0, Background::kRewind, [this](Done<Outcome> done) {
    // The beginning of the current partition; the medium flushes first, so a write error is told
    // here.
    medium->locate_object(medium->position().partition, 0,
                          [this, done = std::move(done)](const SpaceOutcome& outcome) mutable {
                            done(located(outcome));
                          });
  });
}

// --- SPACE ---

void TapeDrive::Impl::space_6(Task& task) {
  const std::uint32_t count = ByteReader(task.cdb_bytes().subspan(2)).u24();
  // A 24-bit two's complement number.
  space(task, std::int64_t{count} - ((count & 0x80'0000) != 0 ? 0x100'0000 : 0));
}

void TapeDrive::Impl::space_16(Task& task) {
  const auto count = static_cast<std::int64_t>(ByteReader(task.cdb_bytes().subspan(4)).u64());
  space(task, std::max(count, -std::numeric_limits<std::int64_t>::max()));
}

void TapeDrive::Impl::space(Task& task, std::int64_t count) {
  const std::uint8_t code = task.cdb(1) & 0x0F;
  if (code == kSpaceEndOfData) {
    leave_position();
    medium->locate_end_of_data(medium->position().partition,
                               [this, &task](const SpaceOutcome& outcome) {
                                 if (Outcome sense = located(outcome))
                                   task.fail(*sense);
                                 else
                                   task.good();
                               });
    return;
  }
  if (code != kSpaceBlocks && code != kSpaceFilemarks) {
    task.fail(Sense::invalid_field_in_cdb(1, 3));
    return;
  }
  if (count == 0) {
    task.good();
    return;
  }
  leave_position();
  const SpaceUnit unit_spaced = code == kSpaceBlocks ? SpaceUnit::kBlocks : SpaceUnit::kFilemarks;
  medium->space(unit_spaced, count, [this, &task, count](const SpaceOutcome& outcome) {
    using Stop = SpaceOutcome::Stop;
    if (outcome.stop == Stop::kNone) {
      task.good();
      return;
    }
    // Nothing was spaced over: what was to be on the medium before is not, and INFORMATION counts
    // it.
    if (outcome.fault && outcome.fault->kind == MediumFault::Kind::kWriteError) {
      task.fail(*located(outcome));
      return;
    }
    Sense sense;
    switch (outcome.stop) {
      case Stop::kNone:
        break;
      case Stop::kFilemark:
        sense = Sense::make(SenseKey::kNoSense, Asc::kFilemarkDetected);
        sense.filemark = true;
        break;
      case Stop::kEndOfData:
        sense = Sense::make(SenseKey::kBlankCheck, Asc::kEndOfDataDetected);
        break;
      case Stop::kBeginning:
        sense = Sense::make(SenseKey::kNoSense, Asc::kBeginningOfPartitionDetected);
        sense.end_of_medium = true;
        break;
      case Stop::kFault:
        VTL_CHECK(outcome.fault.has_value());
        sense = fault(*outcome.fault);
        break;
    }
    // A magnitude in both directions.
    const std::int64_t residual =
        (count < 0 ? -count : count) - static_cast<std::int64_t>(outcome.spaced);
    if (residual <= static_cast<std::int64_t>(kMax32)) sense.information = residual;
    task.fail(sense);
  });
}

// --- LOCATE ---

void TapeDrive::Impl::locate_10(Task& task) {
  // BT, the device-specific address, is the same as the ordinary one: st and Windows set it always.
  locate(task, kLocateObject, 8, ByteReader(task.cdb_bytes().subspan(3)).u32());
}

void TapeDrive::Impl::locate_16(Task& task) {
  const auto destination = static_cast<std::uint8_t>((task.cdb(1) >> 3) & 0x03);
  locate(task, destination, 3, ByteReader(task.cdb_bytes().subspan(4)).u64());
}

void TapeDrive::Impl::locate(Task& task, std::uint8_t destination, std::uint8_t partition_byte,
                             std::uint64_t target) {
  if (destination != kLocateObject && destination != kLocateFile &&
      destination != kLocateEndOfData) {
    task.fail(Sense::invalid_field_in_cdb(1, 4));
    return;
  }
  const bool change_partition = (task.cdb(1) & 0x02) != 0;
  const std::uint32_t partition =
      change_partition ? task.cdb(partition_byte) : medium->position().partition;
  if (partition >= medium->partition_count()) {
    task.fail(Sense::invalid_field_in_cdb(partition_byte, 7));
    return;
  }
  const bool immediate = (task.cdb(1) & 0x01) != 0;
  run(task, immediate, Background::kLocate,
      [this, destination, partition, target](Done<Outcome> done) {
        Done<SpaceOutcome> end = [this, done = std::move(done)](SpaceOutcome outcome) mutable {
          done(located(outcome));
        };
        if (destination == kLocateObject)
          medium->locate_object(partition, target, std::move(end));
        else if (destination == kLocateFile)
          medium->locate_file(partition, target, std::move(end));
        else
          medium->locate_end_of_data(partition, std::move(end));
      });
}

TapeDrive::Impl::Outcome TapeDrive::Impl::located(const SpaceOutcome& outcome) {
  leave_position();
  if (outcome.fault) {
    Sense sense = fault(*outcome.fault);
    if (outcome.fault->kind == MediumFault::Kind::kWriteError)
      sense.information = static_cast<std::int64_t>(outcome.fault->objects_lost);
    return sense;
  }
  if (outcome.stop == SpaceOutcome::Stop::kEndOfData)
    return Sense::make(SenseKey::kBlankCheck, Asc::kEndOfDataDetected);
  return std::nullopt;
}

// --- READ POSITION ---

std::uint8_t TapeDrive::Impl::position_flags() const {
  const Position at = medium->position();
  std::uint8_t flags = 0;
  if (at.object == 0) flags |= kBop;
  if (at_early_warning ||
      medium->position_bytes() >= medium->partition(at.partition).early_warning_bytes)
    flags |= kEop;
  if (past_programmable_early_warning()) flags |= kBpew;
  return flags;
}

// LOLU stays 0 in every form: st takes it for an error.
void TapeDrive::Impl::read_position_short(Task& task) {
  const Position at = medium->position();
  const std::uint64_t objects = medium->buffered_objects();
  const std::uint64_t bytes = medium->buffered_bytes();
  std::uint8_t flags = position_flags();
  if (objects > kMax24) flags |= kObjectCountUnknown;
  if (bytes > kMax32) flags |= kByteCountUnknown;
  if (at.object > kMax32) flags |= kPositionError;
  ByteBuilder out;
  out.u8(flags).u8(at.partition).zeros(2);
  out.u32(std::min(at.object, kMax32)).u32(std::min(at.object - objects, kMax32));
  out.u8(0).u24(objects > kMax24 ? 0 : objects).u32(bytes > kMax32 ? 0 : bytes);
  task.good(out.take());
}

void TapeDrive::Impl::read_position_long(Task& task) {
  medium->count_filemarks([this, &task](const std::optional<MediumFault>&) {
    const Position at = medium->position();
    std::uint8_t flags = position_flags();
    if (!at.filemarks_known) flags |= kMarkPositionUnknown;
    ByteBuilder out;
    out.u8(flags).zeros(3).u32(at.partition).u64(at.object);
    out.u64(at.filemarks_known ? at.filemarks : 0).zeros(8);
    task.good(out.take());
  });
}

void TapeDrive::Impl::read_position_extended(Task& task) {
  const Position at = medium->position();
  const std::uint64_t objects = medium->buffered_objects();
  std::uint8_t flags = position_flags();
  if (objects > kMax24) flags |= kObjectCountUnknown;
  ByteBuilder out;
  out.u8(flags).u8(at.partition).u16(0x001C).u8(0).u24(objects > kMax24 ? 0 : objects);
  out.u64(at.object).u64(at.object - objects).u64(medium->buffered_bytes());
  task.set_allocation_length(ByteReader(task.cdb_bytes().subspan(7)).u16());
  task.good(out.take());
}

}  // namespace scsi::ssc
