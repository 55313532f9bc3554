// A disk with a volatile write cache, as drives have one: a file in a FUSE file system of its own.
//
// What is written lies in the cache; a flush of the file makes all of it persistent. When the power
// is cut a random part of the cached sectors, any of them, has reached the medium; the rest is
// gone, and everything that is asked of the disk fails until the power is back.
//
// It can also stall: whatever it is asked then waits, as with a path to a disk array that is gone.
//
// The file system is a process of its own, single-threaded: a cut falls between two requests.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

// In memory that both processes have: a file system that stalls cannot be asked.
struct DiskSwitch {
  enum class To { kServe, kStall, kFail };
  std::atomic<To> to = To::kServe;
  std::atomic<bool> holds = false;
};

class VolatileDisk {
 public:
  // All zeros. `directory` is where it is mounted; only root may do that.
  VolatileDisk(std::string directory, std::uint64_t size_bytes);
  ~VolatileDisk();
  VolatileDisk(const VolatileDisk&) = delete;
  VolatileDisk& operator=(const VolatileDisk&) = delete;

  std::string path() const { return directory_ + "/disk"; }

  // Behind the write that is so many writes away - then there is something to lose - or soon, when
  // so many do not come. How many sectors survive of those that were not persistent: "17 of 4711".
  std::string cut_power(std::uint64_t seed, std::uint64_t writes);
  void power_on();

  // Stalled, every read, write and flush waits; then it is done, or fails with EIO like all after
  // it.
  void turn(DiskSwitch::To to) { switch_->to = to; }
  // Whether something waits.
  bool holds() const { return switch_->holds; }

 private:
  // Writes `to`, and waits at most so long for an answer.
  std::string switch_power(const std::string& to, std::chrono::milliseconds limit);
  std::string directory_;
  DiskSwitch* switch_;  // shared with the server
  pid_t server_ = -1;
};
