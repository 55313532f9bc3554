#include "test/powercut/mounted_disk.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

constexpr std::uint64_t kDiskBytes = std::uint64_t{4} << 30;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

void run(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  ::posix_spawn_file_actions_init(&quiet);
  ::posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  errno = ::posix_spawnp(&pid, argv[0], &quiet, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&quiet);
  if (errno != 0) fail("cannot run " + arguments[0] + " (see test/packages)");
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) throw std::runtime_error(arguments[0] + " failed");
}

// Small logs, no lazy work in the background: a round is to take seconds.
std::vector<std::string> make_command(const std::string& type) {
  if (type == "ext4")
    return {"mkfs.ext4", "-q", "-F", "-N", "4096", "-J", "size=16", "-E", "nodiscard"};
  if (type == "xfs") return {"mkfs.xfs", "-q", "-f", "-K"};
  if (type == "btrfs") return {"mkfs.btrfs", "-q", "-f", "-K"};
  throw std::runtime_error("no such file system: " + type);
}

// The device goes with its last user.
int attach_loop(const std::string& file, std::string& device) {
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) fail("/dev/loop-control (modprobe loop)");
  const int backing = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (backing < 0) fail(file);
  for (int attempt = 0; attempt < 20; ++attempt) {  // others take free devices, too
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    device = "/dev/loop" + std::to_string(number);
    const int loop = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
    loop_config config{};
    config.fd = static_cast<std::uint32_t>(backing);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (loop >= 0 && ::ioctl(loop, LOOP_CONFIGURE, &config) == 0) {
      ::close(backing);
      ::close(control);
      return loop;
    }
    if (loop >= 0) ::close(loop);
  }
  fail("no loop device");
}

}  // namespace

MountedDisk::MountedDisk(const std::string& directory, std::string type)
    : type_(std::move(type)),
      mount_point_(directory + "/mnt"),
      disk_(directory + "/disk", kDiskBytes) {
  std::vector<std::string> make = make_command(type_);
  make.push_back(disk_.path());
  run(make);
  if (::mkdir(mount_point_.c_str(), 0700) != 0) fail(mount_point_);
  mount();
}

MountedDisk::~MountedDisk() { ::umount2(mount_point_.c_str(), MNT_DETACH); }

void MountedDisk::sync() {
  const int fd = ::open(mount_point_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::syncfs(fd) != 0) fail("syncfs " + mount_point_);
  ::close(fd);
}

void MountedDisk::power_on() {
  unmount();
  disk_.power_on();
  mount();
}

void MountedDisk::mount() {
  std::string device;
  const int loop = attach_loop(disk_.path(), device);
  const int result = ::mount(device.c_str(), mount_point_.c_str(), type_.c_str(), 0, nullptr);
  const int code = errno;
  ::close(loop);
  errno = code;
  if (result != 0) fail("mounting " + type_ + " on " + device);
}

// Not lazily: a file system that is still there would write to the survivors.
void MountedDisk::unmount() {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (::umount2(mount_point_.c_str(), 0) != 0) {
    if (errno != EBUSY || std::chrono::steady_clock::now() > limit) fail("umount " + mount_point_);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void keep_mounts_private() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    fail("mounting needs root");
  }
}
