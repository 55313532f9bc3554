#include "vtl/daemon/data_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace vtl::daemon {
namespace {

constexpr std::chrono::seconds kPatience{2};

std::string lock_path(const std::string& data_directory) { return data_directory + "/vtl.lock"; }

struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

long read_pid(int fd) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size() - 1, 0);
  long pid = 0;
  if (n > 0) std::from_chars(text.data(), text.data() + n, pid);
  return pid;
}

// For people only, so a full disk is no error: tapes can be read, and deleted, all the same. A
// wrong pid would mislead, so then there is none.
void write_pid(int fd) {
  const std::string pid = std::to_string(::getpid()) + "\n";
  const auto size = static_cast<ssize_t>(pid.size());
  // Written over the old one before the file is cut, which on most file systems needs no new block.
  if (::pwrite(fd, pid.data(), pid.size(), 0) != size || ::ftruncate(fd, size) != 0) {
    (void)!::ftruncate(fd, 0);
  }
}

}  // namespace

DataLock::~DataLock() {
  if (fd_ >= 0) ::close(fd_);
}

DataLock::DataLock(DataLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), in_use_(other.in_use_) {}

DataLock& DataLock::operator=(DataLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(in_use_, other.in_use_);
  return *this;
}

std::string DataLock::acquire(const std::string& data_directory) {
  const std::string path = lock_path(data_directory);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return "cannot open " + path + ": " + std::strerror(errno) +
           "; the data directory must exist and be writable by this user";
  }
  struct flock lock = whole_file();
  int error = 0;
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while ((error = ::fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno) != 0) {
    const bool held = error == EAGAIN || error == EACCES;
    if (!held || std::chrono::steady_clock::now() > limit) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (error != 0) {
    const long pid = read_pid(fd);
    ::close(fd);
    in_use_ = error == EAGAIN || error == EACCES;
    if (!in_use_) {
      return "cannot lock " + path + ": " + std::strerror(error);
    }
    return data_directory + " is in use by another vtl process" +
           (pid > 0 ? " (pid " + std::to_string(pid) + ")" : "") +
           "; wait until it has ended, or stop it";
  }
  write_pid(fd);
  fd_ = fd;
  return {};
}

long DataLock::holder(const std::string& data_directory) {
  const int fd = ::open(lock_path(data_directory).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  struct flock lock = whole_file();
  const bool taken = ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  const long pid = taken ? read_pid(fd) : 0;
  ::close(fd);
  return taken && pid == 0 ? -1 : pid;
}

}  // namespace vtl::daemon
