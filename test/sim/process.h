// One life of the product: what vtl/daemon/server.cc puts together, on an executor, a file system
// and lines that are simulated.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scsi/buffer.h"
#include "scsi/smc/changer.h"
#include "test/sim/claims.h"
#include "test/sim/swarm.h"
#include "test/sim/tape_model.h"
#include "test/unit/cartridge/memory_files.h"
#include "test/unit/cartridge/seeded_executor.h"
#include "transport/iscsi/connection.h"
#include "transport/iscsi/portal.h"
#include "vtl/cartridge/trash.h"
#include "vtl/daemon/devices.h"
#include "vtl/daemon/reservation_file.h"
#include "vtl/library/library.h"
#include "vtl/library/pool_store.h"

namespace sim {

inline constexpr std::uint16_t kFirstSlot = 1000, kFirstDrive = 500;
inline constexpr unsigned kSlots = 8;
std::string drive_target(std::size_t index);
inline constexpr const char* kChangerTarget = "iqn.2026-11.local.vtl:sim-changer";
inline constexpr const char* kClaimedTarget = "iqn.2026-11.local.vtl:sim-claimed";

// What is known of the library: where each cartridge may be, and what is on it. Outlives processes.
struct Books {
  struct Cartridge {
    explicit Cartridge(std::string barcode) : tape(std::move(barcode)) {}
    TapeModel tape;
    std::vector<std::uint16_t> places;  // one, or two while a move is not known to have ended
    bool mended =
        false;  // an alert says that a disk's fault left something to set aside or rebuild
  };
  std::map<std::string, std::unique_ptr<Cartridge>> cartridges;
  bool library_faults = false;  // the journal's file has failed
  Claims claims;

  Cartridge& at(const std::string& barcode) { return *cartridges.at(barcode); }
};

// Notes what goes in and comes out.
class Bay final : public vtl::DriveBay {
 public:
  Bay(scsi::ssc::TapeDriveOptions options, Books& books)
      : drive(std::move(options)), books_(books) {}
  void load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<vtl::BayLoad> done) override;
  void unload(scsi::Done<vtl::BayUnload> done) override;
  bool prevented() const override { return drive.prevented(); }

  vtl::daemon::Drive drive;
  Books::Cartridge* inside = nullptr;
  // A write error that came out in unloading: whoever wrote is to be told at its next command,
  // once, if that comes before the next cartridge.
  struct Owed {
    bool told, told_later;  // before the unload
  };
  std::optional<Owed> owed;

 private:
  Books& books_;
};

// Notes moves on their way from the changer to the library.
class NotedInventory final : public scsi::smc::Inventory {
 public:
  NotedInventory(vtl::Library& library, Books& books) : library_(library), books_(books) {}
  std::span<const scsi::smc::Element> elements() const override { return library_.elements(); }
  void move(std::uint16_t source, std::uint16_t destination,
            scsi::Done<scsi::smc::MoveOutcome> done) override;
  void exchange(std::uint16_t source, std::uint16_t first, std::uint16_t second,
                scsi::Done<scsi::smc::MoveOutcome> done) override;
  void lock_door(bool locked) override { library_.lock_door(locked); }
  void observe(scsi::smc::InventoryObserver* observer) override { library_.observe(observer); }

  unsigned under_way = 0;
  std::uint64_t moved = 0;

 private:
  struct Move {
    std::uint16_t source, destination;
    Books::Cartridge* cartridge = nullptr;
  };
  // Notes that these are on their way, and when they have ended where they are.
  scsi::Done<scsi::smc::MoveOutcome> noted(std::vector<Move> moves,
                                           scsi::Done<scsi::smc::MoveOutcome> done);

  vtl::Library& library_;
  Books& books_;
};

class Process {
 public:
  Process(const Swarm& swarm, std::uint64_t seed, vtl::test::MemoryFiles& files, Books& books,
          std::function<void(const std::string&)> log);
  ~Process();

  void open();
  bool is_open() const { return open_; }
  const std::string& open_error() const { return open_error_; }
  // Every cartridge in exactly one element, where it may be, and in the drive that says so.
  void check_places();
  // By the library's word: a cartridge that could not be loaded at the start is there on paper
  // only.
  bool drive_full(std::size_t drive) const;
  void settle();

  scsi::BufferPool buffers;
  vtl::test::SeededExecutor executor;
  vtl::Trash trash;
  vtl::PoolStore store;
  std::vector<std::unique_ptr<Bay>> bays;
  std::unique_ptr<vtl::Library> library;
  std::unique_ptr<NotedInventory> inventory;
  std::unique_ptr<iscsi::Portal> portal;

  static constexpr const char* kPool = "/lib/pool";
  // Where CHAP is asked for: what hosts prove themselves with, and what the target does.
  static constexpr const char *kUser = "backup", *kSecret = "first-secret-01";
  static constexpr const char *kTargetUser = "library", *kTargetSecret = "other-secret-02";
  static vtl::LibraryOptions library_options(const Swarm& swarm);
  static vtl::PoolStoreOptions store_options(const Swarm& swarm, Random& random);

 private:
  void alerted(const vtl::MediumAlert& alert);
  void make_claimed();

  const Swarm& swarm_;
  vtl::test::MemoryFiles& files_;
  Books& books_;
  Random random_;
  std::function<void(const std::string&)> log_;
  auth::AccessPolicy policy_;
  scsi::Target changer_target_;
  std::unique_ptr<scsi::smc::Changer> changer_;
  // A drive outside the library, always empty: whom it obeys is all there is to it.
  vtl::daemon::ReservationFolder reservations_;
  std::unique_ptr<vtl::daemon::ReservationFile> reservation_file_;
  std::unique_ptr<vtl::daemon::Drive> claimed_;
  bool open_ = false, settled_ = false;
  std::string open_error_;
};

}  // namespace sim
