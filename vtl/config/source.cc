// The configuration's door to the disk.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "vtl/config/config.h"

namespace vtl::config {

namespace {

constexpr std::size_t kLargest = 1u << 20;

std::variant<SourceFile, std::string> read_open_file(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::string("cannot be read: ") + std::strerror(errno);
  if (!S_ISREG(status.st_mode)) return std::string("is not a file");
  SourceFile file;
  file.mode = status.st_mode & 07777;
  for (;;) {
    char piece[8192];
    const ssize_t n = ::read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::string("cannot be read: ") + std::strerror(errno);
    if (n == 0) return file;
    file.text.append(piece, static_cast<std::size_t>(n));
    if (file.text.size() > kLargest)
      return std::string("is larger than 1 MiB: this is not a configuration");
  }
}

}  // namespace

ReadFile read_from_disk() {
  return [](const std::string& path) -> std::variant<SourceFile, std::string> {
    // Non-blocking: opening a pipe must not wait for a writer.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) return std::string(kNoSuchFile);
    if (fd < 0) return std::string("cannot be opened: ") + std::strerror(errno);
    auto file = read_open_file(fd);
    ::close(fd);
    return file;
  };
}

}  // namespace vtl::config
