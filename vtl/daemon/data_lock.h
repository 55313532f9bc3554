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

  // An empty string, or who holds it and what to do.
  std::string acquire(const std::string& data_directory);
  bool held() const { return fd_ >= 0; }
  // The pid of whoever has the lock now; 0 if nobody, or if it cannot be told.
  static long holder(const std::string& data_directory);

 private:
  int fd_ = -1;
};

}  // namespace vtl::daemon
