// DriveBay: what the library needs of a tape drive - a place that a cartridge can be put into and
// taken out of. The daemon adapts it to scsi::ssc::TapeDrive, which may live on another loop; the
// library never touches the drive itself.
//
// One thread, the library's loop. A `done` may be called from inside the call. One operation at a
// time per bay.
#pragma once

#include <memory>
#include <string>

#include "scsi/done.h"
#include "scsi/ssc/medium.h"

namespace vtl {

struct BayLoad {
  bool taken = true;  // the cartridge is in the bay, even when the drive cannot read it
  // taken: what the drive found wrong with it, for the log ("" if nothing). Not taken: why.
  std::string detail;
};

struct BayUnload {
  enum class Result { kRemoved, kPrevented, kEmpty, kFailed } result = Result::kRemoved;
  std::string detail;  // also with kRemoved: its last writes did not all reach the disk
  std::unique_ptr<scsi::ssc::TapeMedium> medium;  // kRemoved only
};

class DriveBay {
 public:
  virtual ~DriveBay() = default;
  // Called only when the library knows the bay to be empty. The medium comes from
  // CartridgeStore::make_medium(), for this drive.
  virtual void load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<BayLoad> done) = 0;
  // Everything accepted becomes durable, then the cartridge comes out - unless a nexus prevents it.
  virtual void unload(scsi::Done<BayUnload> done) = 0;
  // A nexus prevents removal of the medium. unload() has the last word.
  virtual bool prevented() const = 0;
};

}  // namespace vtl
