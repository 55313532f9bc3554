#define FUSE_USE_VERSION 31
#include "test/powercut/volatile_disk.h"

#include <fcntl.h>
#include <fuse.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::chrono::milliseconds kPatience{300};

// The disk as its server has it. Memory that was never written costs nothing.
class Sectors {
 public:
  explicit Sectors(std::uint64_t size)
      : size_(size), medium_(map(size)), cache_(map(size)), is_cached_(size / kSector) {}

  std::uint64_t size() const { return size_; }

  void read(char* into, std::uint64_t offset, std::uint64_t length) const {
    while (length > 0) {
      const std::uint64_t n = std::min(length, kSector - offset % kSector);
      const char* from = is_cached_[offset / kSector] ? cache_ : medium_;
      std::memcpy(into, from + offset, n);
      into += n, offset += n, length -= n;
    }
  }

  void write(const char* from, std::uint64_t offset, std::uint64_t length) {
    while (length > 0) {
      const std::uint64_t n = std::min(length, kSector - offset % kSector);
      const std::uint64_t sector = offset / kSector;
      if (!is_cached_[sector]) {
        if (n < kSector)
          std::memcpy(cache_ + sector * kSector, medium_ + sector * kSector, kSector);
        is_cached_[sector] = true;
        cached_.push_back(sector);
      }
      std::memcpy(cache_ + offset, from, n);
      from += n, offset += n, length -= n;
    }
  }

  void flush() {
    for (const std::uint64_t sector : cached_) keep(sector);
    forget();
  }

  // How likely a sector survives is drawn as well: all, none and everything between occur.
  std::string lose(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    const std::uint64_t percent = std::array<std::uint64_t, 5>{0, 100, 50, 90, random() % 101}.at(
        static_cast<std::size_t>(random() % 5));
    std::size_t survived = 0;
    for (const std::uint64_t sector : cached_) {
      if (random() % 100 >= percent) continue;
      keep(sector);
      ++survived;
    }
    const std::string result = std::to_string(survived) + " of " + std::to_string(cached_.size());
    forget();
    return result;
  }

 private:
  static char* map(std::uint64_t size) {
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) ::_exit(1);
    return static_cast<char*>(at);
  }
  void keep(std::uint64_t sector) {
    std::memcpy(medium_ + sector * kSector, cache_ + sector * kSector, kSector);
  }
  void forget() {
    for (const std::uint64_t sector : cached_) is_cached_[sector] = false;
    cached_.clear();
  }

  std::uint64_t size_;
  char* medium_;
  char* cache_;
  std::vector<bool> is_cached_;
  std::vector<std::uint64_t> cached_;
};

// Two files: "disk", and "power", to which "on" or "off SEED WRITES" is written, and which says
// what has survived since the power is off.
struct Server {
  Sectors sectors;
  DiskSwitch& turned;
  bool on = true;
  std::uint64_t seed = 0;
  std::uint64_t writes_left = 0;  // to the cut; 0: none is coming
  std::string survived{};

  // Before anything that is asked of the disk; false: it fails.
  bool serves() {
    while (turned.to == DiskSwitch::To::kStall) {
      turned.holds = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    turned.holds = false;
    return on && turned.to == DiskSwitch::To::kServe;
  }
  void cut() {
    on = false;
    writes_left = 0;
    survived = sectors.lose(seed);
  }
  void command(const std::string& text) {
    if (text == "on") {
      on = true;
      survived.clear();
    }
    if (text == "on" || !on) return;
    char* end = nullptr;
    seed = std::strtoull(text.c_str() + std::strlen("off "), &end, 10);
    writes_left = std::strtoull(end, nullptr, 10);
    if (writes_left == 0) cut();
  }
};

Server& server() { return *static_cast<Server*>(fuse_get_context()->private_data); }
bool is_disk(const char* path) { return std::string_view(path) == "/disk"; }

void* start(fuse_conn_info* connection, fuse_config*) {
  connection->max_write = 1u << 20;
  return &server();
}

int attributes(const char* path, struct stat* st, fuse_file_info*) {
  *st = {};
  if (std::string_view(path) == "/") {
    st->st_mode = S_IFDIR | 0700;
    return 0;
  }
  if (!is_disk(path) && std::string_view(path) != "/power") return -ENOENT;
  st->st_mode = S_IFREG | 0600;
  st->st_size = is_disk(path) ? static_cast<off_t>(server().sectors.size()) : 0;
  return 0;
}

int open_file(const char*, fuse_file_info* file) {
  file->direct_io = 1;  // there is one cache too many already
  return 0;
}

int read_file(const char* path, char* into, std::size_t size, off_t offset, fuse_file_info*) {
  const auto at = static_cast<std::uint64_t>(offset);
  if (is_disk(path)) {
    if (!server().serves()) return -EIO;
    const std::uint64_t end = server().sectors.size();
    const std::uint64_t n = at >= end ? 0 : std::min<std::uint64_t>(size, end - at);
    server().sectors.read(into, at, n);
    return static_cast<int>(n);
  }
  const std::string& text = server().survived;
  const std::size_t n = at >= text.size() ? 0 : std::min<std::size_t>(size, text.size() - at);
  std::memcpy(into, text.data() + std::min<std::size_t>(at, text.size()), n);
  return static_cast<int>(n);
}

int write_file(const char* path, const char* from, std::size_t size, off_t offset,
               fuse_file_info*) {
  const auto at = static_cast<std::uint64_t>(offset);
  if (is_disk(path)) {
    if (!server().serves()) return -EIO;
    if (at + size > server().sectors.size()) return -ENOSPC;
    server().sectors.write(from, at, size);
    if (server().writes_left > 0 && --server().writes_left == 0) server().cut();
    return static_cast<int>(size);
  }
  server().command(std::string(from, size));
  return static_cast<int>(size);
}

int sync_file(const char* path, int, fuse_file_info*) {
  if (!is_disk(path)) return 0;
  if (!server().serves()) return -EIO;
  server().sectors.flush();
  return 0;
}

[[noreturn]] void serve(const std::string& directory, std::uint64_t size, DiskSwitch& turned,
                        int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  fuse_operations operations{};
  operations.init = start;
  operations.getattr = attributes;
  operations.open = open_file;
  operations.read = read_file;
  operations.write = write_file;
  operations.fsync = sync_file;
  Server disk{.sectors = Sectors(size), .turned = turned};
  std::array<char*, 1> argv = {const_cast<char*>("volatile-disk")};
  fuse_args args = FUSE_ARGS_INIT(1, argv.data());
  fuse* const mounted = fuse_new(&args, &operations, sizeof operations, &disk);
  if (mounted == nullptr || fuse_mount(mounted, directory.c_str()) != 0) ::_exit(1);
  if (::write(ready, "", 1) != 1) ::_exit(1);
  ::close(ready);
  ::_exit(fuse_loop(mounted));
}

}  // namespace

VolatileDisk::VolatileDisk(std::string directory, std::uint64_t size_bytes)
    : directory_(std::move(directory)) {
  void* const shared = ::mmap(nullptr, sizeof(DiskSwitch), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw std::runtime_error("no memory to share");
  switch_ = new (shared) DiskSwitch;
  std::array<int, 2> ready{};
  if (::mkdir(directory_.c_str(), 0700) != 0 || ::pipe2(ready.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("cannot make " + directory_);
  }
  server_ = ::fork();
  if (server_ == 0) serve(directory_, size_bytes, *switch_, ready[1]);
  ::close(ready[1]);
  char byte = 0;
  const bool mounted = ::read(ready[0], &byte, 1) == 1;
  ::close(ready[0]);
  if (mounted) return;
  ::waitpid(server_, nullptr, 0);
  throw std::runtime_error(
      "cannot mount the volatile disk: it needs root, and /dev/fuse (modprobe fuse)");
}

VolatileDisk::~VolatileDisk() {
  ::kill(server_, SIGKILL);
  ::waitpid(server_, nullptr, 0);
  ::umount2(directory_.c_str(), MNT_DETACH);
  ::munmap(switch_, sizeof(DiskSwitch));
}

std::string VolatileDisk::cut_power(std::uint64_t seed, std::uint64_t writes) {
  const std::string off = "off " + std::to_string(seed) + ' ';
  const std::string survived = switch_power(off + std::to_string(writes), kPatience);
  return survived.empty() ? switch_power(off + '0', kPatience) : survived;
}

void VolatileDisk::power_on() { switch_power("on", {}); }

std::string VolatileDisk::switch_power(const std::string& to, std::chrono::milliseconds limit) {
  const int fd = ::open((directory_ + "/power").c_str(), O_RDWR | O_CLOEXEC);
  bool fine = fd >= 0 && ::write(fd, to.data(), to.size()) == static_cast<ssize_t>(to.size());
  std::array<char, 64> answer{};
  for (std::chrono::milliseconds waited{0}; fine && answer[0] == 0 && waited < limit; ++waited) {
    fine = ::pread(fd, answer.data(), answer.size() - 1, 0) >= 0;
    if (answer[0] == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ::close(fd);
  if (!fine) throw std::runtime_error("the volatile disk does not answer");
  return answer.data();
}
