#include "vtl/cartridge/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace vtl {
namespace {

IoError failure(int code, std::string_view call, const std::string& path) {
  return {code, fmt::format("{} {}: {}", call, path, std::strerror(code))};
}

// So much written in a row without O_DIRECT is on its way to the disk before the next: a page cache
// that is not paced stalls for seconds once the dirty limit is reached, and a later sync pays for
// everything at once.
constexpr std::size_t kPace = 4u << 20;

// A disk takes what is written in the order in which it comes: a synchronising filemark waits for
// what the other drives have under way. So it is little.
constexpr std::size_t kMostAtOnce = 1u << 20;

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path, bool direct)
      : fd_(fd), path_(std::move(path)), direct_(direct) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  Result<std::size_t> pread(scsi::MutableBytes into, std::uint64_t offset) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n =
          ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return at("pread", offset + done);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
      // A direct read that ends inside a block has met the end of the file; going on would be
      // misaligned.
      if (direct_ && done % 512 != 0) break;
    }
    return done;
  }

  Status pwrite(scsi::Bytes from, std::uint64_t offset) override {
    std::size_t done = 0;
    while (done < from.size()) {
      const ssize_t n = ::pwrite(fd_, from.data() + done, std::min(from.size() - done, kMostAtOnce),
                                 static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return at("pwrite", offset + done);
      if (n == 0) {
        errno = EIO;
        return at("pwrite", offset + done);
      }
      done += static_cast<std::size_t>(n);
    }
    if (!direct_) pace(offset, from.size());
    return ok_status();
  }

  Status fdatasync() override {
    // Never repeated: after a failure the kernel calls the lost pages clean (storage F5).
    return ::fdatasync(fd_) == 0 ? ok_status() : Status(failure(errno, "fdatasync", path_));
  }
  Status truncate(std::uint64_t size) override {
    return ::ftruncate(fd_, static_cast<off_t>(size)) == 0 ? ok_status()
                                                           : Status(at("ftruncate", size));
  }
  Status allocate(std::uint64_t from, std::uint64_t size) override {
    if (::fallocate(fd_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
                    static_cast<off_t>(size - from)) == 0)
      return ok_status();
    // Without preallocation the head-room that space() shows must do.
    if (errno == EOPNOTSUPP || errno == ENOSYS) return ok_status();
    return at("fallocate", size);
  }
  Result<std::uint64_t> size() override {
    struct stat st {};
    if (::fstat(fd_, &st) != 0) return failure(errno, "fstat", path_);
    return static_cast<std::uint64_t>(st.st_size);
  }
  void forget_pages() override { ::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }

 private:
  IoError at(std::string_view call, std::uint64_t offset) const {
    const int code = errno;
    return {code, fmt::format("{} {} at {}: {}", call, path_, offset, std::strerror(code))};
  }
  void pace(std::uint64_t offset, std::size_t size) {
    if (offset != run_offset_ + run_size_) {
      run_offset_ = offset;
      run_size_ = 0;
    }
    run_size_ += size;
    if (run_size_ < kPace) return;
    const auto at = static_cast<off_t>(run_offset_);
    const auto length = static_cast<off_t>(run_size_);
    ::sync_file_range(fd_, at, length, SYNC_FILE_RANGE_WRITE);
    if (paced_size_ != 0) {
      const auto before = static_cast<off_t>(paced_offset_);
      const auto before_length = static_cast<off_t>(paced_size_);
      ::sync_file_range(
          fd_, before, before_length,
          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
      ::posix_fadvise(fd_, before, before_length, POSIX_FADV_DONTNEED);
    }
    paced_offset_ = run_offset_;
    paced_size_ = run_size_;
    run_offset_ += run_size_;
    run_size_ = 0;
  }

  int fd_;
  std::string path_;
  bool direct_;
  std::uint64_t run_offset_ = 0, paced_offset_ = 0;  // written in a row; and what is on its way
  std::size_t run_size_ = 0, paced_size_ = 0;
};

// tmpfs takes O_DIRECT since Linux 6.6 and has nothing but its pages all the same. Refused here as
// by others, its files are written and read as suits the page cache.
constexpr auto kTmpfsMagic = 0x01021994;  // statfs(2)

bool in_memory(int fd) {
  struct statfs st {};
  return ::fstatfs(fd, &st) == 0 && st.f_type == kTmpfsMagic;
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, Mode mode, Io io) override {
    int flags = O_CLOEXEC;
    if (mode == Mode::kRead) flags |= O_RDONLY;
    if (mode == Mode::kReadWrite) flags |= O_RDWR;
    if (mode == Mode::kCreate) flags |= O_RDWR | O_CREAT | O_EXCL;
    if (io == Io::kDirect) flags |= O_DIRECT;
    int fd = ::open(path.c_str(), flags, 0640);
    if (fd >= 0 && io == Io::kDirect && in_memory(fd)) {
      ::close(fd);
      fd = -1;
      errno = EINVAL;
    }
    if (fd < 0) {
      const int code = errno;
      // open(2) makes the file before it finds that O_DIRECT is not possible there.
      if (mode == Mode::kCreate && code == EINVAL) ::unlink(path.c_str());
      return failure(code, "open", path);
    }
    return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path, io == Io::kDirect));
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) == 0) return ok_status();
    return failure(errno, "rename", from + " to " + to);
  }
  Status remove(const std::string& path) override {
    return ::remove(path.c_str()) == 0 ? ok_status() : Status(failure(errno, "remove", path));
  }
  Status make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0750) == 0 || errno == EEXIST) return ok_status();
    return failure(errno, "mkdir", path);
  }
  Status sync_directory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failure(errno, "open", path);
    const int code = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    return code == 0 ? ok_status() : Status(failure(code, "fsync", path));
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return failure(errno, "opendir", path);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int code = errno;
    ::closedir(directory);
    if (code != 0) return failure(code, "readdir", path);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<bool> exists(const std::string& path) override {
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return failure(errno, "stat", path);
  }

  Result<SpaceInfo> space(const std::string& path) override {
    struct statfs st {};
    if (::statfs(path.c_str(), &st) != 0) return failure(errno, "statfs", path);
    const auto block = static_cast<std::uint64_t>(st.f_frsize);
    return SpaceInfo{st.f_blocks * block, st.f_bavail * block, st.f_type == kTmpfsMagic};
  }

  Result<std::unique_ptr<File>> lock(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return failure(errno, "open", path);
    auto file = std::make_unique<PosixFile>(fd, path, false);
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    range.l_len = 1;
    if (::fcntl(fd, F_OFD_SETLK, &range) != 0)
      return failure(errno == EACCES ? EAGAIN : errno, "lock", path);
    return std::unique_ptr<File>(std::move(file));
  }
};

}  // namespace

bool is_out_of_space(const IoError& error) {
  return error.code == ENOSPC || error.code == EDQUOT || error.code == EFBIG;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::unique_ptr<File>> replace_file(FileSystem& files, const std::string& path,
                                           scsi::Bytes bytes) {
  const std::string aside = path + ".new";
  const Result<bool> left_over = files.exists(aside);
  if (!left_over) return left_over.error();
  if (*left_over) {
    if (Status removed = files.remove(aside); !removed) return removed.error();
  }
  auto file = files.open(aside, FileSystem::Mode::kCreate);
  if (!file) return file.error();
  if (Status written = (*file)->pwrite(bytes, 0); !written) return written.error();
  if (Status synced = (*file)->fdatasync(); !synced) return synced.error();
  if (Status renamed = files.rename(aside, path); !renamed) return renamed.error();
  if (Status synced = files.sync_directory(folder_of(path)); !synced) return synced.error();
  return std::move(*file);
}

Status write_again(File& file, std::uint64_t offset, std::size_t length) {
  std::vector<std::byte> bytes(length);
  const Result<std::size_t> got = file.pread(bytes, offset);
  if (!got || *got == 0) return ok_status();
  bytes.resize(*got);
  Status written = file.pwrite(bytes, offset);
  return written || is_out_of_space(written.error()) ? ok_status() : written;
}

std::unique_ptr<FileSystem> make_posix_file_system() { return std::make_unique<PosixFileSystem>(); }

}  // namespace vtl
