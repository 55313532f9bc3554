// One process at a time works on a data directory, and on a pool: the server, or a command while no
// server runs.
#pragma once

#include <string>

namespace vtl::daemon {

// Holds an open-file-description lock on DIR/vtl.lock or POOL/LOCK, in which the holder's pid is
// written for people and for the error of the next one. The kernel releases it however the process
// ends.
class DataLock {
 public:
  DataLock() = default;
  ~DataLock();
  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&& other) noexcept;

  // An empty string, or who holds it and what to do. Blocks for up to two seconds: a command has it
  // for a moment only.
  std::string acquire(const std::string& data_directory);
  // The same for the pool of this data directory: another one may name the same folder, and each
  // would move, delete and clear away what is the other's.
  std::string acquire_pool(const std::string& pool, const std::string& data_directory);
  bool held() const { return fd_ >= 0; }
  // Whether the last acquire failed because another process had it.
  bool in_use() const { return in_use_; }
  // The pid of whoever has the lock now; 0 if nobody; -1 if somebody has who could not write it.
  static long holder(const std::string& data_directory);

 private:
  struct Holder {
    long pid = 0;                // 0: it could not write it
    std::string data_directory;  // of a pool's lock
  };
  static Holder read_holder(int fd);
  // An error, or empty: then `other` says who has it, if in_use().
  std::string take(const std::string& path, const std::string& about, Holder& other);

  int fd_ = -1;
  bool in_use_ = false;
};

}  // namespace vtl::daemon
