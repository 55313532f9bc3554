// A library whose cartridges lie in two places: on a disk that stalls, and in memory.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "test/integration/library.h"
#include "test/powercut/mounted_disk.h"

// A mount that ends with this object.
class Mount {
 public:
  Mount(const std::string& what, std::string where, const char* type, unsigned long flags);
  ~Mount();
  Mount(Mount&& other) noexcept : where_(std::exchange(other.where_, {})) {}
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  const std::string& path() const { return where_; }

 private:
  std::string where_;
};

// Cartridges STL001L8 to STL006L8 in the slots, five drives, one thread for all of them: whatever
// waits on it, everybody would feel.
class World {
 public:
  // kPool: the pool lies on the disk, all else in memory. kCartridges: the pool is in memory, too,
  // but for some cartridges. kEverything: also vtl.yaml, the journal, the control socket, the log.
  enum class OnDisk { kPool, kCartridges, kEverything };
  World(const std::string& file_system, OnDisk what);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  static std::string barcode(int number) { return "STL00" + std::to_string(number) + "L8"; }
  // Unless everything is on the disk.
  static bool in_memory(int cartridge) { return cartridge == 3 || cartridge == 6; }

  void start() { daemon.start({"--threads", "1"}); }
  Initiator drive(int number) { return attach(daemon.drive(number)); }
  Initiator changer() { return attach(daemon.changer()); }
  // Slot n to drive n, and a session at it.
  Initiator load(int number);
  void stall();
  // Until somebody waits for the disk.
  void wait_until_held();
  // The disk is well again, and what it has is mounted anew. Nobody uses it.
  void repair();

 private:
  Initiator attach(const std::string& target);
  void take_elsewhere(int cartridge, const std::string& pool, const std::string& where);
  void mount_elsewhere();

  TempDir dir_;

 public:
  MountedDisk disk;

 private:
  Mount memory_;
  std::vector<std::pair<std::string, std::string>> elsewhere_;  // there, and where it shows
  std::vector<Mount> mounts_;

 public:
  Daemon daemon;
};
