// A real file system on a volatile disk, through a loop device.
#pragma once

#include <cstdint>
#include <string>

#include "test/powercut/volatile_disk.h"

class MountedDisk {
 public:
  // Makes it and mounts it on `directory`/mnt. `type` is ext4, xfs or btrfs.
  MountedDisk(const std::string& directory, std::string type);
  ~MountedDisk();
  MountedDisk(const MountedDisk&) = delete;
  MountedDisk& operator=(const MountedDisk&) = delete;

  const std::string& path() const { return mount_point_; }
  void sync();
  std::string cut_power(std::uint64_t seed, std::uint64_t writes) {
    return disk_.cut_power(seed, writes);
  }
  void turn(DiskSwitch::To to) { disk_.turn(to); }
  bool holds() const { return disk_.holds(); }
  // After a cut, or when it has failed, when nobody uses it any more: mounts what survived.
  void power_on();

 private:
  void mount();
  void unmount();
  std::string type_, mount_point_;
  VolatileDisk disk_;
};

// Mounts are this process's own from here on, so that they go when it goes, however it ends.
void keep_mounts_private();
