// A disk with a volatile write cache, as drives have one: a file in a FUSE file system of its own.
//
// What is written lies in the cache; a flush of the file makes all of it persistent. When the power
// is cut a random part of the cached sectors, any of them, has reached the medium; the rest is
// gone, and everything that is asked of the disk fails until the power is back.
//
// The file system is a process of its own, single-threaded: a cut falls between two requests.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

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

 private:
  // Writes `to`, and waits at most so long for an answer.
  std::string switch_power(const std::string& to, std::chrono::milliseconds limit);
  std::string directory_;
  pid_t server_ = -1;
};
