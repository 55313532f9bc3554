#include "vtl/timing/tape_motion.h"

#include <algorithm>
#include <cmath>

#include "scsi/check.h"
#include "scsi/ssc/profile.h"

namespace vtl {

namespace {

using Seconds = std::chrono::duration<double>;

TapeMotion::Duration seconds(double n) {
  return std::chrono::duration_cast<TapeMotion::Duration>(Seconds(n));
}

}  // namespace

TapeMotion::TapeMotion(const LtoTiming& timing, std::uint8_t cartridge_generation)
    : timing_(timing),
      rate_bytes_per_s_(static_cast<double>(native_rate_bytes_per_s(cartridge_generation))),
      wrap_bytes_([&] {
        const auto* generation = scsi::ssc::find_generation(cartridge_generation);
        VTL_CHECK(generation != nullptr);
        return generation->capacity_mb * 1e6 / scsi::ssc::wraps(cartridge_generation);
      }()),
      buffer_(seconds(timing.buffer_bytes / rate_bytes_per_s_)) {}

double TapeMotion::along(std::uint64_t bytes) const {
  const double passes = static_cast<double>(bytes) / wrap_bytes_;
  const double whole = std::floor(passes);
  const bool back = std::fmod(whole, 2) != 0;
  return back ? 1 - (passes - whole) : passes - whole;
}

TapeMotion::TimePoint TapeMotion::load(TimePoint now) {
  mode_ = Mode::kIdle;
  return heads_ = now + std::chrono::seconds(timing_.load_s);
}

TapeMotion::TimePoint TapeMotion::unload(TimePoint now, std::uint64_t from_bytes) {
  return heads_ = move(now, from_bytes, 0) + std::chrono::seconds(timing_.unload_s);
}

void TapeMotion::stream(TimePoint now, Mode mode, std::uint64_t bytes) {
  // Reading, the heads go on while the host does something else, as far as the buffer takes it.
  const bool ahead = mode == Mode::kReading && mode_ == Mode::kReading;
  heads_ = std::max(heads_, ahead ? now - buffer_ : now) +
           seconds(static_cast<double>(bytes) / rate_bytes_per_s_);
  mode_ = mode;
}

TapeMotion::TimePoint TapeMotion::write(TimePoint now, std::uint64_t bytes) {
  stream(now, Mode::kWriting, bytes);
  return std::max(now, heads_ - buffer_);
}

TapeMotion::TimePoint TapeMotion::read(TimePoint now, std::uint64_t bytes) {
  stream(now, Mode::kReading, bytes);
  return std::max(now, heads_);
}

TapeMotion::TimePoint TapeMotion::drain(TimePoint now) {
  return mode_ == Mode::kWriting ? std::max(now, heads_) : now;
}

// Half the tape takes the average, for a host that goes anywhere.
TapeMotion::TimePoint TapeMotion::move(TimePoint now, std::uint64_t from_bytes,
                                       std::uint64_t to_bytes) {
  if (from_bytes == to_bytes) return drain(now);
  const TimePoint start = drain(now);
  const double whole_s =
      2.0 * (to_bytes == 0 ? timing_.average_rewind_s : timing_.average_locate_s);
  mode_ = Mode::kIdle;
  return heads_ = start + seconds(whole_s * std::abs(along(to_bytes) - along(from_bytes)));
}

}  // namespace vtl
