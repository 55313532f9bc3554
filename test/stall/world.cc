#include "test/stall/world.h"

#include <sys/mount.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>

namespace fs = std::filesystem;

namespace {

// Longer than anything takes that does not wait for the disk, on any machine.
constexpr int kPatienceSeconds = 30;

void vtl(const std::vector<std::string>& arguments) {
  if (const Ended ended = run_vtl(arguments); ended.code != 0)
    throw std::runtime_error("vtl " + arguments[0] + ": " + ended.err);
}

std::string folder(const std::string& path) {
  fs::create_directories(path);
  return path;
}

}  // namespace

Mount::Mount(const std::string& what, std::string where, const char* type, unsigned long flags)
    : where_(std::move(where)) {
  if (::mount(what.c_str(), where_.c_str(), type, flags, nullptr) != 0)
    throw std::runtime_error("mounting " + where_ + ": " + std::strerror(errno));
}

Mount::~Mount() {
  if (!where_.empty()) ::umount2(where_.c_str(), MNT_DETACH);
}

World::World(const std::string& file_system, OnDisk what)
    : disk(dir_.path(), file_system),
      memory_("memory", folder(dir_ / "memory"), "tmpfs", 0),
      daemon((what == OnDisk::kEverything ? disk.path() : memory_.path()) + "/library") {
  const std::string data = daemon.data();
  vtl({"init", "--data", data, "--slots", "10", "--drives", "5", "--cartridges", "0"});
  std::string pool = data + "/pool";
  std::string yaml = read_text(data + "/vtl.yaml");
  if (what == OnDisk::kPool) {
    fs::copy(pool, disk.path() + "/pool", fs::copy_options::recursive);
    pool = disk.path() + "/pool";
    replace_in(yaml, "#pool: pool", "pool: " + pool);
  }
  replace_in(yaml, "#max_sessions_per_target: 1", "max_sessions_per_target: 4");
  replace_in(yaml, "#buffer_bytes_per_drive: 64MiB", "buffer_bytes_per_drive: 32MiB");
  write_text(data + "/vtl.yaml", yaml);
  vtl({"cartridge", "create", "--data", data, "--prefix", "STL", "--count", "6"});
  for (int n = 1; n <= 6; ++n) {
    if (what == OnDisk::kPool && in_memory(n)) take_elsewhere(n, pool, memory_.path());
    if (what == OnDisk::kCartridges && !in_memory(n)) take_elsewhere(n, pool, disk.path());
  }
  mount_elsewhere();
  disk.sync();
  start();
}

World::~World() {
  disk.turn(DiskSwitch::To::kServe);  // nothing ends before
}

void World::take_elsewhere(int cartridge, const std::string& pool, const std::string& where) {
  const std::string here = pool + "/carts/" + barcode(cartridge);
  const std::string there = folder(where + "/elsewhere") + "/" + barcode(cartridge);
  fs::copy(here, there, fs::copy_options::recursive);
  elsewhere_.emplace_back(there, here);
}

void World::mount_elsewhere() {
  for (const auto& [there, here] : elsewhere_) mounts_.emplace_back(there, here, nullptr, MS_BIND);
}

Initiator World::attach(const std::string& target) {
  LoginOptions options;
  options.timeout_seconds = kPatienceSeconds;
  return Initiator::attach(daemon.portal(), target, options);
}

Initiator World::load(int number) {
  Initiator robot = changer();
  const CommandResult moved = move_medium(robot, kFirstSlot + number - 1, kFirstDrive + number - 1);
  if (!moved.good()) throw std::runtime_error("MOVE MEDIUM: " + moved.sense_code());
  Initiator session = drive(number);
  if (const CommandResult ready = session.wait_ready(); !ready.good())
    throw std::runtime_error("the drive is not ready: " + ready.sense_code());
  return session;
}

void World::stall() { disk.turn(DiskSwitch::To::kStall); }

void World::wait_until_held() {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(kPatienceSeconds);
  while (!disk.holds()) {
    if (std::chrono::steady_clock::now() > limit)
      throw std::runtime_error("nobody has asked the disk for anything");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void World::repair() {
  mounts_.clear();
  disk.turn(DiskSwitch::To::kServe);
  disk.power_on();
  mount_elsewhere();
}
