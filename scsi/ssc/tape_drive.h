// An LTO tape drive (SSC-4 over SPC-4) as a logical unit of device type 01h.
#pragma once

#include <functional>
#include <memory>

#include "scsi/identity.h"
#include "scsi/primary.h"
#include "scsi/ssc/drive_family.h"
#include "scsi/ssc/medium.h"
#include "scsi/ssc/profile.h"

namespace scsi::ssc {

struct TapeDriveOptions {
  Identity identity;
  const DriveFamily* family = &drive_families().front();
  std::uint8_t generation = 8;               // one that the family has
  std::uint32_t max_block_bytes = 8u << 20;  // READ BLOCK LIMITS
  bool compresses = true;                    // its media do, where mode page 0Fh lets them
  std::string library_serial;                // VPD B3h; may be empty
  std::uint16_t element_address = 0;         // VPD B4h
  std::function<std::uint64_t()> now_ms;     // wall clock, milliseconds since 1970
  std::function<void(MutableBytes)> random;  // fills the span; SECURITY PROTOCOL IN, page 0030h
  // Some nexus prevents removal from now on, or none does any more; before the command that says so
  // is answered.
  std::function<void(bool prevented)> prevented_changed;
  PersistenceOptions persistence;
};

// What happened to a cartridge that the robot wants to put in or take out.
struct InsertOutcome {
  // The drive refused or could not load it: TEST UNIT READY says why; the cartridge is in the drive
  // all the same.
  std::optional<MediumFault> fault;
};
struct RemoveOutcome {
  enum class Result { kRemoved, kPrevented, kEmpty } result = Result::kRemoved;
  std::unique_ptr<TapeMedium> medium;
  std::optional<MediumFault> fault;  // it came out, but its last writes did not all reach the disk
};

class TapeDrive : public PrimaryUnit {
 public:
  explicit TapeDrive(TapeDriveOptions options);
  ~TapeDrive() override;

  // --- the robot's side, on the drive's loop
  // ------------------------------------------------------------------ Takes the cartridge, loads
  // it, becomes ready and raises 28/00 for every nexus. The drive must be empty. Waits for its turn
  // behind the command that runs.
  void insert(std::unique_ptr<TapeMedium> medium, Done<InsertOutcome> done);
  // Flushes, unloads and hands the cartridge back, unless a nexus prevents removal. Waits likewise.
  void remove(Done<RemoveOutcome> done);
  // For an orderly stop: everything accepted becomes durable and the cartridge is closed, whatever
  // PREVENT says. It stays in, the drive says 2/04/12, and no LOAD opens it again.
  void shut_down(Done<WriteOutcome> done);

  struct State {
    enum class Load {
      kEmpty,
      kLoading,
      kReady,
      kUnloading,
      kUnloaded,  // in the drive, until it is loaded again or the robot takes it
      kRefused,   // in the drive, and it cannot be used
    } load = Load::kEmpty;
    bool present = false;    // a cartridge is in
    bool loaded = false;     // and ready
    bool prevented = false;  // some nexus prevents removal
    std::string barcode;
    Position position;
    std::uint64_t buffered_bytes = 0;
    bool append_failed = false;
  };
  State state() const;

  struct Impl;  // shared by the files that hold the command handlers

 protected:
  std::optional<Sense> not_ready() const override;
  std::optional<Sense> take_deferred(const Task& task) override;
  Sense pollable_sense() override;
  void on_nexus_established(const NexusInfo& nexus) override;
  void on_nexus_lost(const NexusInfo& nexus) override;
  void on_reset() override;
  void on_prevent_changed() override;
  std::vector<std::byte> diagnostic_dump() const override;
  void on_unheard(const Reply& reply) override;
  void on_reservations_changed(const Task& task) override;
  void end_mode_select(Task& task) override;

 private:
  explicit TapeDrive(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace scsi::ssc
