#include "vtl/daemon/accounts.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "vtl/config/secrets.h"

namespace vtl::daemon {
namespace {

// A descriptor that is closed when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string failed(const std::string& path) {
  return "cannot write " + path + ": " + std::strerror(errno);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string replace(const std::string& path, const std::string& text) {
  const std::string aside = path + ".new";
  if (::unlink(aside.c_str()) != 0 && errno != ENOENT) return failed(aside);
  const Descriptor file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return failed(aside);
  if (::fchmod(file.get(), 0600) != 0 || !write_all(file.get(), text) || ::fsync(file.get()) != 0 ||
      ::rename(aside.c_str(), path.c_str()) != 0) {
    std::string why = failed(path);
    ::unlink(aside.c_str());
    return why;
  }
  const std::string parent = path.substr(0, path.rfind('/') + 1);
  const Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return directory.get() >= 0 && ::fsync(directory.get()) == 0 ? "" : failed(parent);
}

}  // namespace

Problems change_accounts(const std::string& data_directory,
                         const std::function<std::string(config::AccessConfig&)>& change) {
  if (std::string why = become_owner(data_directory); !why.empty())
    return {kExitFailed, {std::move(why)}, {}};
  const Descriptor turn(::open(data_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (turn.get() < 0)
    return {kExitFailed, {"cannot open " + data_directory + ": " + std::strerror(errno)}, {}};
  while (::flock(turn.get(), LOCK_EX) != 0) {
    if (errno != EINTR)
      return {kExitFailed, {"cannot lock " + data_directory + ": " + std::strerror(errno)}, {}};
  }
  const config::EditedSecrets edited = config::with_secrets(config_path(data_directory), change);
  if (!edited.errors.empty()) return {kExitFailed, edited.errors, {}};
  if (std::string why = replace(edited.path, edited.text); !why.empty())
    return {kExitFailed, {std::move(why)}, {}};
  return {};
}

}  // namespace vtl::daemon
