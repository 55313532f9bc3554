#include "vtl/daemon/data_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstring>
#include <filesystem>
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

// For people only, so a full disk is no error: tapes can be read, and deleted, all the same. A
// wrong pid would mislead, so then there is none.
void write_down(int fd, const std::string& about) {
  const auto size = static_cast<ssize_t>(about.size());
  // Written over the old one before the file is cut, which on most file systems needs no new block.
  if (::pwrite(fd, about.data(), about.size(), 0) != size || ::ftruncate(fd, size) != 0) {
    (void)!::ftruncate(fd, 0);
  }
}

std::string of_process(long pid) { return pid > 0 ? " (pid " + std::to_string(pid) + ")" : ""; }

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

DataLock::Holder DataLock::read_holder(int fd) {
  std::array<char, 32 + PATH_MAX> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  Holder holder;
  if (n <= 0) return holder;
  const char* end = text.data() + n;
  const char* rest = std::from_chars(text.data(), end, holder.pid).ptr;
  const char* line = std::find(rest, end, '\n');
  if (line != end) holder.data_directory.assign(line + 1, std::find(line + 1, end, '\n'));
  return holder;
}

std::string DataLock::take(const std::string& path, const std::string& about, Holder& other) {
  in_use_ = false;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return "cannot open " + path + ": " + std::strerror(errno) +
           "; its directory must exist and be writable by this user";
  }
  struct flock lock = whole_file();
  int error = 0;
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while ((error = ::fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno) != 0) {
    const bool held = error == EAGAIN || error == EACCES;
    if (!held || std::chrono::steady_clock::now() > limit) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (error == 0) {
    write_down(fd, about);
    fd_ = fd;
    return {};
  }
  other = read_holder(fd);
  ::close(fd);
  in_use_ = error == EAGAIN || error == EACCES;
  return in_use_ ? "in use" : "cannot lock " + path + ": " + std::strerror(error);
}

std::string DataLock::acquire(const std::string& data_directory) {
  Holder other;
  std::string error = take(lock_path(data_directory), std::to_string(::getpid()) + "\n", other);
  if (!in_use_) return error;
  return data_directory + " is in use by another vtl process" + of_process(other.pid) +
         "; wait until it has ended, or stop it";
}

std::string DataLock::acquire_pool(const std::string& pool, const std::string& data_directory) {
  std::error_code ignored;
  const std::string own = std::filesystem::absolute(data_directory, ignored).string();
  Holder other;
  std::string error = take(pool + "/LOCK", std::to_string(::getpid()) + "\n" + own + "\n", other);
  if (!in_use_) return error;
  return "the pool " + pool + " is in use by another vtl process" + of_process(other.pid) +
         (other.data_directory.empty() ? "" : ", which works on " + other.data_directory) +
         ": a pool belongs to one library. Stop that process, or name another folder here";
}

long DataLock::holder(const std::string& data_directory) {
  const int fd = ::open(lock_path(data_directory).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  struct flock lock = whole_file();
  const bool taken = ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  const long pid = taken ? read_holder(fd).pid : 0;
  ::close(fd);
  return taken && pid == 0 ? -1 : pid;
}

}  // namespace vtl::daemon
