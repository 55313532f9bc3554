// Library: the elements of one tape library, the cartridges in them, and the journal that says so.
//
// The journal is the truth about places; cartridge files never move. A cartridge that is in the
// pool but in no element is "outside": exported, or made and not yet put in. Every change is a
// record in the journal, synced before the model changes and before anyone is told; a crash at any
// moment leaves every cartridge in exactly one place.
//
// Lives on one loop thread; file work runs on a strand of its own. Operations queue up and run one
// at a time, in order; each `done` is called exactly once, unless the library goes away first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scsi/smc/inventory.h"
#include "vtl/cartridge/executor.h"
#include "vtl/cartridge/file.h"
#include "vtl/library/cartridge_store.h"
#include "vtl/library/drive_bay.h"

namespace vtl {

struct ElementRun {
  std::uint16_t first = 0;  // address
  std::uint32_t count = 0;
};

// Runs do not overlap. While the library lives only Library::grow() changes it.
struct Geometry {
  ElementRun transport, storage, import_export, drives;
};

struct LibraryOptions {
  Geometry geometry;
  std::vector<std::string> drive_identifiers;  // vendor(8) product(16) serial(10), one a drive
  std::string journal_path;                    // "DIR/journal"
  // How much of a barcode the changer tells its hosts.
  std::size_t barcode_characters = scsi::smc::kVolumeTagCharacters;
  // Told about what deserves a person's attention: a fault at load, a rollback, a cartridge without
  // files.
  std::function<void(std::string_view)> log;
  // A cartridge whose place or files are not as they should be, until somebody puts it right.
  // Without it such texts go to `log`.
  std::function<void(const std::string& barcode, std::string text)> alert;
  // A cartridge that a drive could not be given, or cannot use, until it is loaded; likewise.
  std::function<void(const std::string& barcode, std::string text)> load_failed;
};

// What a library has more of from now on; elements go behind those of their type.
struct Growth {
  std::uint32_t slots = 0, import_export = 0;  // so many, never fewer
  struct NewDrive {
    std::string identifier;  // as LibraryOptions::drive_identifiers
    DriveBay* bay;           // outlives the library
  };
  std::vector<NewDrive> drives;
};

// What an administrative operation ended with. The text says what happened, to which cartridge, and
// what to do.
struct Outcome {
  std::string error;  // empty: done
  bool ok() const { return error.empty(); }
};

struct Placement {
  CartridgeLabel label;
  std::optional<scsi::smc::ElementType> type;  // empty: outside
  std::uint16_t address = 0;
  std::optional<std::uint16_t> source;
};

struct CreateRequest {
  std::vector<CartridgeLabel> cartridges;
  std::uint64_t capacity_bytes = 0;  // of each; 0: the generation's
  enum class Where { kSlot, kImportExport, kOutside } where = Where::kSlot;
};

class Library final : public scsi::smc::Inventory {
 public:
  // `store`, `files`, `executor` and the bays (one a drive, in address order) outlive the library.
  Library(LibraryOptions options, CartridgeStore& store, FileSystem& files, Executor& executor,
          std::vector<DriveBay*> bays);
  ~Library() override;
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  // Reads the journal and begins to load the cartridges that are recorded in drives. `opened` when
  // elements() is true; `settled` when those loads have ended. Operations asked for in between wait
  // for their turn.
  void open(scsi::Done<Outcome> opened, scsi::Callback settled = {});
  // Waits for what runs, refuses what waits and all that comes; cartridges stay in their drives.
  void close(scsi::Callback done);

  // --- Inventory
  std::span<const scsi::smc::Element> elements() const override;
  void move(std::uint16_t source, std::uint16_t destination,
            scsi::Done<scsi::smc::MoveOutcome> done) override;
  void exchange(std::uint16_t source, std::uint16_t first, std::uint16_t second,
                scsi::Done<scsi::smc::MoveOutcome> done) override;
  void lock_door(bool locked) override;
  void observe(scsi::smc::InventoryObserver* observer) override;

  // --- administration
  std::vector<Placement> cartridges() const;  // inside and outside, by barcode
  std::optional<Placement> find(std::string_view barcode) const;
  bool door_locked() const;

  // As move(), asked for by a person, who means the cartridge that is at the source now. The
  // changer's initiators are told.
  void operator_move(std::uint16_t source, std::uint16_t destination,
                     scsi::Done<scsi::smc::MoveOutcome> done);
  // "", or why a new cartridge may not be called so (rules, taken, last six characters taken).
  std::string barcode_problem(std::string_view barcode) const;
  // All or none of them: label rules, uniqueness and room are checked before the first is made.
  // Moves go on between one and the next.
  void create(CreateRequest request, scsi::Done<Outcome> done);
  // A cartridge that was made in the pool beside the library (an import) becomes known, outside.
  void adopt(std::string barcode, scsi::Done<Outcome> done);
  // From a storage or import/export element, or outside; never from a drive, and never a WORM
  // cartridge with data.
  void remove(std::string barcode, scsi::Done<Outcome> done);
  // An outside cartridge comes in: through the door into an import/export element (refused while
  // the door is locked), or straight into a free slot; nowhere else. With no element given the
  // first free one.
  void insert(std::string barcode, scsi::smc::ElementType type,
              std::optional<std::uint16_t> element, scsi::Done<Outcome> done);
  // A cartridge leaves through the door: it must be in an import/export element.
  void take_out(std::string barcode, scsi::Done<Outcome> done);
  // A cartridge whose place on record was missing is there again; in a drive it is loaded. The
  // changer's hosts are told.
  void grow(Growth growth, scsi::Done<Outcome> done);
  // Not while the cartridge is in a drive.
  void set_write_protected(std::string barcode, bool on, scsi::Done<Outcome> done);
  // What the cartridge's label says; of a cartridge in a drive, as of its last clean unload.
  void read_summary(std::string barcode, scsi::Done<Result<CartridgeSummary>> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // what runs on the executor holds it weakly
};

// Text for people: "slot 4 (element 1003)", "drive 2 (element 501)"; the library counts
// from 1.
std::string describe(const Geometry& geometry, std::uint16_t address);
// Runs do not overlap, and addresses have 16 bits.
bool is_sound(const Geometry& geometry);
// Whether it is an element that a cartridge can be in.
bool has_place(const Geometry& geometry, std::uint16_t address);

// Writes a new journal from the places that the cartridges' labels name; a cartridge without a good
// one goes into a free storage element, or stays outside. For when the journal is damaged beyond
// its tail. Blocking; for tools, with the library closed. `report` gets a line for each cartridge.
// The old journal is kept beside it as "<journal>.damaged".
Status rebuild_journal(FileSystem& files, CartridgeStore& store, const Geometry& geometry,
                       const std::string& journal_path,
                       const std::function<void(std::string_view)>& report);

}  // namespace vtl
