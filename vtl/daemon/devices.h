// The logical units of one library - ten drives and a changer - as the configuration names them,
// and the port through which the library reaches a drive.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "scsi/smc/changer.h"
#include "scsi/ssc/tape_drive.h"
#include "scsi/target.h"
#include "transport/net/loop.h"
#include "vtl/cartridge/medium.h"
#include "vtl/config/config.h"
#include "vtl/library/drive_bay.h"
#include "vtl/timing/timed_medium.h"

namespace vtl::daemon {

// vendor(8) product(16) serial(10) of each drive: what the changer reports for a drive element.
std::vector<std::string> drive_identifiers(const config::LibraryConfig& library);
scsi::ssc::TapeDriveOptions drive_options(const config::LibraryConfig& library, std::size_t index);
scsi::smc::ChangerOptions changer_options(const config::LibraryConfig& library);

// A drive and its bay. The drive's loop, unless said otherwise.
class Drive final : public DriveBay {
 public:
  // With alarms it takes the time of a real drive; without it is as fast as it can be.
  using MakeAlarm = std::function<std::unique_ptr<Alarm>()>;
  explicit Drive(scsi::ssc::TapeDriveOptions options, MakeAlarm make_alarm = {});

  void load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<BayLoad> done) override;
  void unload(scsi::Done<BayUnload> done) override;
  // Any thread: what a host was told by this drive before it asks the changer, the changer knows.
  bool prevented() const override { return prevented_; }

  scsi::ssc::TapeDrive& device() { return device_; }
  const scsi::ssc::TapeDrive& device() const { return device_; }
  scsi::Target& target() { return target_; }
  // Has a loaded cartridge write out what waits for a full batch; a few times a second.
  void settle();
  // Accepted from hosts and not yet durable.
  Dirty dirty() const { return medium_ != nullptr ? medium_->dirty() : Dirty{}; }

 private:
  std::atomic<bool> prevented_{false};
  scsi::ssc::TapeDrive device_;
  scsi::Target target_;
  const LtoTiming* timing_;
  MakeAlarm make_alarm_;
  // While they are in the drive, which owns them:
  CartridgeMedium* medium_ = nullptr;
  TimedMedium* timed_ = nullptr;  // around it, if there is one
};

// The library's way to a drive, whichever loop that lives on: calls go there as messages, and the
// answers come back so. The library's loop.
class BayPort final : public DriveBay {
 public:
  BayPort(net::Loop& home, net::Loop& there, Drive& drive)
      : home_(home), there_(there), drive_(drive) {}

  void load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<BayLoad> done) override;
  void unload(scsi::Done<BayUnload> done) override;
  bool prevented() const override { return drive_.prevented(); }

 private:
  net::Loop& home_;
  net::Loop& there_;
  Drive& drive_;
};

// A bay while no server runs: cartridges are put down in it and taken out of it, and nobody opens
// them. What the drive will not be able to read it says as the drive would.
class ParkedBay final : public DriveBay {
 public:
  explicit ParkedBay(std::uint8_t generation) : generation_(generation) {}
  void load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<BayLoad> done) override;
  void unload(scsi::Done<BayUnload> done) override;
  bool prevented() const override { return false; }

 private:
  const std::uint8_t generation_;
  std::unique_ptr<scsi::ssc::TapeMedium> medium_;
};

}  // namespace vtl::daemon
