// TapeMotion: when a real tape would be where the cartridge is at once. Nothing but numbers.
//
// Bytes lie on the tape in wraps, forth and back in turn, so that what is far in bytes may be near
// in metres. The heads stream at the native rate; the drive's buffer lets a host that writes be
// ahead of them, and reads ahead of one that reads. Times never go back.
#pragma once

#include <chrono>
#include <cstdint>

#include "vtl/timing/lto_timing.h"

namespace vtl {

class TapeMotion {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  TapeMotion(const LtoTiming& timing, std::uint8_t cartridge_generation);

  // Each says when its answer is due, at the earliest `now`.
  TimePoint load(TimePoint now);
  TimePoint unload(TimePoint now, std::uint64_t from_bytes);
  TimePoint write(TimePoint now, std::uint64_t bytes);  // there is room in the buffer again
  TimePoint read(TimePoint now, std::uint64_t bytes);   // they have been read
  TimePoint drain(TimePoint now);                       // all that was written is on the tape
  TimePoint move(TimePoint now, std::uint64_t from_bytes, std::uint64_t to_bytes);

 private:
  enum class Mode { kIdle, kWriting, kReading };
  void stream(TimePoint now, Mode mode, std::uint64_t bytes);
  double along(std::uint64_t bytes) const;  // 0: the beginning of the tape, 1: its end

  const LtoTiming& timing_;
  const double rate_bytes_per_s_;
  const double wrap_bytes_;
  const Duration buffer_;  // to stream it
  Mode mode_ = Mode::kIdle;
  TimePoint heads_{};  // when they are through with all that was asked of them
};

}  // namespace vtl
