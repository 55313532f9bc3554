// One process at a time works on a data directory: the server, or a command while no server runs.
#pragma once

#include <string>

namespace vtl::daemon {

// Holds an open-file-description lock on DIR/vtl.lock, in which the holder's pid is written for
// people and for the error of the next one. The kernel releases it however the process ends.
class DataLock {
 public:
  DataLock() = default;
  ~DataLock();
  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&& other) noexcept;

  // An empty string, or who holds it and what to do. Blocks for up to two seconds: a command has it
  // for a moment only.
  std::string acquire(const std::string& data_directory);
  bool held() const { return fd_ >= 0; }
  // Whether the last acquire() failed because another process had it.
  bool in_use() const { return in_use_; }
  // The pid of whoever has the lock now; 0 if nobody; -1 if somebody has who could not write it.
  static long holder(const std::string& data_directory);

 private:
  int fd_ = -1;
  bool in_use_ = false;
};

}  // namespace vtl::daemon
