// Inventory: what a medium changer needs of a library. Implemented by vtl/library.
//
// One thread, the changer's loop; `done` may be called from inside the call. Moves are served one
// at a time, in order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scsi/done.h"

namespace scsi::smc {

// SMC-3 table 10; the values are those of the wire.
enum class ElementType : std::uint8_t {
  kTransport = 1,
  kStorage = 2,
  kImportExport = 3,
  kDrive = 4
};

inline constexpr std::size_t kVolumeTagCharacters = 32;  // SMC-3 table 5

struct Element {
  std::uint16_t address = 0;
  ElementType type = ElementType::kStorage;
  bool full = false;
  std::string barcode;     // of the cartridge in it; at most 32 characters
  bool labelled = true;    // its case bears the barcode; else that is only what its owner calls it
  bool exception = false;  // EXCEPT: what is on record here cannot be loaded, or was not
  std::optional<std::uint16_t>
      source;                       // the storage or import/export element it was last moved from
  bool placed_by_operator = false;  // IMPEXP: it came through the door, not by the robot
  bool accessible = true;           // ACCESS: the robot can take it (a drive: not locked)
  bool cleaning = false;            // medium type 2
  bool worm = false;                // medium type 4
  // Drives: vendor(8) product(16) serial(10), space padded - the drive's own T10 designator
  // (DVCID).
  std::string drive_identifier;
};

enum class MoveResult {
  kMoved,
  kNoSuchElement,     // 5/21/01
  kSourceEmpty,       // 5/3B/0E
  kDestinationFull,   // 5/3B/0D
  kRemovalPrevented,  // 5/53/02
  kLoadFailed,        // 4/53/00: nothing moved
  kUnloadFailed,      // 4/53/01: nothing moved
  kJournalFailed,     // 4/44/00: the move could not be made durable; nothing moved
};

struct MoveOutcome {
  MoveResult result = MoveResult::kMoved;
  std::string detail;  // for people; with kMoved: why the drive cannot use the cartridge it has
};

// Told of changes that did not come through this changer.
class InventoryObserver {
 public:
  virtual ~InventoryObserver() = default;
  virtual void inventory_changed() = 0;       // 28/00: an administrator changed something inside
  virtual void import_export_accessed() = 0;  // 28/01: a cartridge came or went through the door
  virtual void elements_added() = 0;          // 2A/01 and 28/00: there are more elements
};

class Inventory {
 public:
  virtual ~Inventory() = default;
  // Every element, ascending by address; one consistent state: no cartridge twice, none missing.
  // There may be more of them later, never fewer, and no address changes its type.
  // Valid until the next call that is not const.
  virtual std::span<const Element> elements() const = 0;
  // Unloads a drive that is the source, loads one that is the destination. kMoved only when the
  // change is durable and the drive has the cartridge.
  virtual void move(std::uint16_t source, std::uint16_t destination, Done<MoveOutcome> done) = 0;
  // first -> second, then source -> first; all or nothing. second may equal source.
  virtual void exchange(std::uint16_t source, std::uint16_t first, std::uint16_t second,
                        Done<MoveOutcome> done) = 0;
  // PREVENT on the changer: the operator's door to import/export elements is locked while any nexus
  // prevents.
  virtual void lock_door(bool locked) = 0;
  virtual void observe(InventoryObserver* observer) = 0;  // at most one; nullptr to stop
};

}  // namespace scsi::smc
