// Append-only mode (SSC-4 4.2.21, mode page 10h/01h, WRITE MODE) and ALLOW OVERWRITE.
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {
constexpr std::uint8_t kDisabled = 0, kCurrentPosition = 1, kFormat = 2;
constexpr unsigned kAppendOnly = 1;
}  // namespace

bool TapeDrive::Impl::append_only() const {
  return generation.number >= 5 && modes().value_byte(0x10, 0x01, 5) >> 4 == kAppendOnly;
}

// The mode may change at the beginning of the medium, and while there is none.
std::optional<Sense> TapeDrive::Impl::check_write_mode(Bytes page) const {
  const unsigned write_mode = std::to_integer<unsigned>(page[5]) >> 4;
  if (write_mode > kAppendOnly) return Sense::invalid_field_in_parameter_list(5, 7);
  const bool changes = (write_mode == kAppendOnly) != append_only();
  if (!changes || load != Load::kReady) return std::nullopt;
  const Position at = medium->position();
  if (at.partition == 0 && at.object == 0) return std::nullopt;
  return Sense::illegal_request(Asc::kPositionPastBeginningOfMedium);
}

TapeDrive::Impl::Outcome TapeDrive::Impl::append_only_refusal(Allowed needed) const {
  if (!append_only() || allowed == needed) return std::nullopt;
  const Position at = medium->position();
  if (needed == Allowed::kOverwrite && at.object >= medium->partition(at.partition).end_of_data)
    return std::nullopt;
  return Sense::make(SenseKey::kDataProtect, Asc::kWriteAppendPositionError);
}

void TapeDrive::Impl::leave_append_only() {
  if (!append_only()) return;
  modes().set_byte(0x10, 0x01, 5, modes().value_byte(0x10, 0x01, 5) & 0x0F);
}

void TapeDrive::Impl::allow_overwrite(Task& task) {
  if (!append_only()) {
    task.fail(Sense::illegal_request(Asc::kNotInAppendOnlyMode));
    return;
  }
  const std::uint8_t what = task.cdb(2) & 0x0F;
  switch (what) {
    case kDisabled:
      allowed = Allowed::kNothing;
      break;
    case kCurrentPosition: {
      const Position at = medium->position();
      if (task.cdb(3) != at.partition ||
          ByteReader(task.cdb_bytes().subspan(4)).u64() != at.object) {
        task.fail(Sense::illegal_request(Asc::kSequentialPositioningError));
        return;
      }
      allowed = Allowed::kOverwrite;
      break;
    }
    case kFormat:
      allowed = Allowed::kFormat;
      break;
    default:
      task.fail(Sense::invalid_field_in_cdb(2, 3));
      return;
  }
  task.good();
}

}  // namespace scsi::ssc
