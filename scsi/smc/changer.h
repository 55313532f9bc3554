// A medium changer (SMC-3 over SPC-4) as a logical unit of device type 08h.
//
// One thread: the loop that owns the unit and its inventory.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "scsi/identity.h"
#include "scsi/primary.h"
#include "scsi/smc/element.h"
#include "scsi/smc/inventory.h"
#include "scsi/smc/profile.h"
#include "scsi/tape_alert.h"

namespace scsi::smc {

// How a move that an initiator asked for has ended. Valid during the call only.
struct MoveEnd {
  const std::vector<std::byte>& transport_id;   // of the initiator, as in NexusInfo
  const std::vector<std::string>& cartridges;   // one, or the source's and the first destination's
  const std::vector<std::uint16_t>& addresses;  // source, destination or destinations
  const MoveOutcome& outcome;
};

struct ChangerOptions {
  Identity identity;
  SerialForm serial_form = SerialForm::kPlain;
  // How much of a barcode the reader tells: real libraries can be set to leave the two characters
  // of the media type out.
  std::size_t tag_characters = kVolumeTagCharacters;
  std::function<std::uint64_t()> now_ms;  // wall clock, milliseconds since 1970
  // For the log; may be empty. Not of what was refused before the inventory was asked.
  std::function<void(const MoveEnd&)> move_ended;
  PersistenceOptions persistence;
};

class Changer : public PrimaryUnit, public InventoryObserver {
 public:
  // Observes `inventory`, which outlives the changer. A move that is under way when the changer
  // goes away ends in the inventory alone.
  Changer(ChangerOptions options, Inventory& inventory);
  ~Changer() override;

  static std::span<const CommandRow> command_rows();

  void inventory_changed() override;
  void import_export_accessed() override;
  void elements_added() override;

  // --- handlers, for command rows ---
  void rezero_unit(Task& task);
  void initialize_element_status(Task& task);
  void initialize_element_status_with_range(Task& task);
  void open_close_import_export_element(Task& task);
  void position_to_element(Task& task);
  void move_medium(Task& task);
  void exchange_medium(Task& task);
  void read_element_status(Task& task);
  void send_volume_tag(Task& task);
  void request_volume_element_address(Task& task);

 protected:
  std::optional<Sense> not_ready() const override;
  std::optional<Sense> take_deferred(const Task& task) override;
  void on_nexus_lost(const NexusInfo& nexus) override;
  void on_reset() override;
  void on_prevent_changed() override;

 private:
  // What SEND VOLUME TAG asked for; REQUEST VOLUME ELEMENT ADDRESS looks it up then.
  struct VolumeSearch {
    std::uint8_t action = 0;  // SEND ACTION CODE
    std::uint8_t type = 0;
    std::uint16_t first = 0;
    std::string pattern;        // '*' any characters, '?' one
    bool sequence_fits = true;  // our volumes have sequence number 0
  };

  PrimaryOptions primary_options(const ChangerOptions& options, const Inventory& inventory);
  void note_exceptions();

  const Element* find(std::uint16_t address) const;
  bool is_transport(std::uint16_t address) const;  // 0000h: the default one
  Done<MoveOutcome> end_of(Task& task, std::vector<std::string> cartridges,
                           std::vector<std::uint16_t> addresses);
  bool refuse_reserved(Task& task);
  void send_element_status(Task& task, const ElementSelection& selection,
                           ElementStatusFormat format);

  Inventory& inventory_;
  std::size_t tag_characters_;
  std::function<void(const MoveEnd&)> move_ended_;
  TapeAlert tape_alert_;
  std::map<NexusId, VolumeSearch> searches_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace scsi::smc
