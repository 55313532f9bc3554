// One loop of a server with all that belongs to it: some of the drives, the sessions logged in to
// them, and the memory for their records. Nothing of it is touched from outside but by post().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "scsi/buffer.h"
#include "transport/iscsi/portal.h"
#include "transport/net/sockets.h"
#include "vtl/cartridge/executor.h"
#include "vtl/daemon/devices.h"
#include "vtl/daemon/loop_clock.h"
#include "vtl/daemon/reservation_file.h"
#include "vtl/daemon/settings.h"

namespace vtl::daemon {

// A drive as all loops know it.
struct NewDrive {
  std::size_t number;  // from 0
  std::size_t loop;    // where it lives
  std::string target, alias;
  scsi::ssc::TapeDriveOptions options;
  std::size_t reserve_bytes = SIZE_MAX;  // as Portal::add_target()
};

// Made and destroyed while no thread runs it; else on its loop's thread, but for loop() and
// executor() themselves.
class DeviceLoop {
 public:
  // pool_in_memory: cartridges that lie there as well never wait for a disk.
  DeviceLoop(const config::Config& config, const auth::AccessPolicy& access, bool pool_in_memory,
             std::size_t loops, std::size_t index, net::Sockets::Carry carry,
             const ReservationFolder& reservations);
  ~DeviceLoop() { clear(); }
  DeviceLoop(const DeviceLoop&) = delete;
  DeviceLoop& operator=(const DeviceLoop&) = delete;

  net::Loop& loop() { return loop_; }
  Executor& executor() { return *executor_; }
  iscsi::Portal& portal() { return *portal_; }
  net::Sockets& sockets() { return *sockets_; }
  // The next drive of the library: its target is known here, and if this is its loop, it lives
  // here.
  void add_drive(NewDrive drive);
  // Drive n of the library, if it lives here.
  Drive* drive(std::size_t number) const { return drives_[number].get(); }

  // Has the drives write out what waits for a full batch, and memory given back that nobody has
  // used for a while, from now on until stop_drives().
  void settle();
  // Hosts are asked to log out, nobody logs in any more, and drives do not take a real one's time.
  void shut_down();
  // A connection that has logged in at the first loop; `tell` as in Portal::adopt().
  void adopt(net::Socket::Departure departure, std::function<void(iscsi::Elsewhere)> tell);

  struct Report {
    struct OfDrive {
      std::size_t number;  // from 0
      scsi::ssc::TapeDrive::State state;
      Dirty dirty;
    };
    std::vector<OfDrive> drives;
    std::vector<iscsi::Portal::SessionInfo> sessions;
    std::size_t buffers_lent_bytes = 0;
    std::size_t buffers_resident_bytes = 0;
    iscsi::LimitHits limits{};
  };
  Report report() const;

  struct DriveEnd {
    std::size_t number;
    std::string barcode;
    scsi::ssc::WriteOutcome outcome;
  };
  // Makes durable what every drive has accepted, and closes the cartridges.
  void stop_drives(scsi::Done<std::vector<DriveEnd>> done);

  // Lets go of connections and drives, when the loop does not run any more. What they use of others
  // may end then.
  void clear();

 private:
  void give_memory_back();

  const std::size_t index_;
  const bool realistic_;
  const bool compresses_;
  const ReservationFolder& reservation_folder_;
  scsi::BufferPool buffers_;  // outlives everything that may hold a buffer
  net::Loop loop_;
  std::unique_ptr<LoopClock> clock_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<Executor> executor_;
  std::vector<std::unique_ptr<ReservationFile>> reservations_;  // of the drives, which use them
  std::vector<std::unique_ptr<Drive>> drives_;                  // by number; null: elsewhere
  std::vector<std::uint64_t> empty_for_;  // by number: so many times it was found empty
  std::unique_ptr<iscsi::Portal> portal_;
  std::unique_ptr<net::Sockets> sockets_;
  std::unique_ptr<net::Timer> settle_timer_;
};

}  // namespace vtl::daemon
