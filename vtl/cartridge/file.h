// The file system as the store needs it: every call that touches a disk goes through here, so that
// a test can fail, delay or lose any of them. Errors are values. Calls block: strands and tools
// only, never a loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "scsi/bytes.h"
#include "scsi/check.h"

namespace vtl {

// A failed system call: "pwrite /data/x.seg at 4096: No space left on device".
struct IoError {
  int code = 0;  // errno
  std::string what;
};
bool is_out_of_space(const IoError& error);

template <class T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}        // NOLINT: meant to convert
  Result(IoError error) : value_(std::move(error)) {}  // NOLINT
  bool ok() const { return std::holds_alternative<T>(value_); }
  explicit operator bool() const { return ok(); }
  T& value() {
    VTL_CHECK(ok());
    return std::get<T>(value_);
  }
  const T& value() const {
    VTL_CHECK(ok());
    return std::get<T>(value_);
  }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const IoError& error() const {
    VTL_CHECK(!ok());
    return std::get<IoError>(value_);
  }

 private:
  std::variant<T, IoError> value_;
};
using Status = Result<std::monostate>;
inline Status ok_status() { return Status(std::monostate{}); }

// An open file. Closing is the destructor's; what was not synced may be lost with power.
class File {
 public:
  virtual ~File() = default;
  virtual Result<std::size_t> pread(scsi::MutableBytes into,
                                    std::uint64_t offset) = 0;  // short only at the end
  virtual Status pwrite(scsi::Bytes from,
                        std::uint64_t offset) = 0;  // all of it; a short write is an error
  virtual Status fdatasync() = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  // FALLOC_FL_KEEP_SIZE of [from, size)
  virtual Status allocate(std::uint64_t from, std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;
  // What was read is not wanted again: the system's memory need not keep it.
  virtual void forget_pages() {}
};

struct SpaceInfo {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // to an unprivileged process
  bool in_memory = false;        // nothing in it makes anybody wait for a disk
};

class FileSystem {
 public:
  enum class Mode { kRead, kReadWrite, kCreate /* O_EXCL */ };
  enum class Io { kBuffered, kDirect };
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, Mode mode,
                                             Io io = Io::kBuffered) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;          // a file or an empty directory
  virtual Status make_directory(const std::string& path) = 0;  // one level; existing is fine
  virtual Status sync_directory(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;  // names, sorted
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<SpaceInfo> space(const std::string& path) = 0;
  // An open-file-description lock on byte 0, held while the returned object lives. EAGAIN when
  // another holds it.
  virtual Result<std::unique_ptr<File>> lock(const std::string& path) = 0;
};

// `path` holds `bytes` from now on, durably: written aside, synced, renamed over, the folder
// synced. Gives the file, open for reading and writing. After a failure it holds what it held
// before, unless the very last step has failed.
Result<std::unique_ptr<File>> replace_file(FileSystem& files, const std::string& path,
                                           scsi::Bytes bytes);
std::string folder_of(const std::string& path);
// Writes the same bytes once more. A sync that has failed may have left them in the system's memory
// only, marked as written, and the next would pass over them. What cannot be read, or be written
// for want of space, stays as it is.
Status write_again(File& file, std::uint64_t offset, std::size_t length);

// The operating system's.
std::unique_ptr<FileSystem> make_posix_file_system();

}  // namespace vtl
