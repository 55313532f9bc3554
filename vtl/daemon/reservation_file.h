// Persistent reservations on disk (APTPL): DIR/reservations, with one small file for each unit that
// has some to keep, named by its serial number. JSON with a checksum, so that a person can see who
// holds what.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "scsi/primary.h"
#include "vtl/cartridge/executor.h"
#include "vtl/cartridge/file.h"
#include "vtl/config/config.h"

namespace vtl::daemon {

// What was found at a start. Blocking.
struct ReservationFolder {
  static ReservationFolder read(FileSystem& files, std::string path,
                                const config::LibraryConfig& library);

  std::string path;                                    // "DIR/reservations"
  std::map<std::string, scsi::KeptReservations> kept;  // by serial number of the unit
  // For people: a file that cannot be read. Its unit starts without reservations.
  std::vector<std::string> problems;
  // Likewise: files of units that the library has not, or not any more.
  std::vector<std::string> strangers;
  // Told why something could not be kept; any loop's thread.
  std::function<void(std::string)> failed;
};

// The store of one unit, on the unit's loop. `files`, `executor` and `folder` outlive it.
class ReservationFile final : public scsi::ReservationStore {
 public:
  // `unit` is its name for people, "drive 3".
  ReservationFile(FileSystem& files, Executor& executor, const ReservationFolder& folder,
                  const std::string& serial, std::string unit);

  // For the unit's options.
  scsi::PersistenceOptions options() { return {this, kept_}; }

  void keep(scsi::KeptReservations state, scsi::Done<bool> done) override;

 private:
  FileSystem& files_;
  Executor& executor_;
  const ReservationFolder& folder_;
  std::string path_;
  std::string unit_;
  scsi::KeptReservations kept_;  // what is durable
};

}  // namespace vtl::daemon
