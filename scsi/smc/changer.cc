// What a changer is: its table of commands, and what it tells on its own. Its pages: pages.cc.
#include "scsi/smc/changer.h"

#include <array>

#include "scsi/primary_rows.h"

namespace scsi::smc {
namespace {

using enum ReservationRule;
using primary::kFF;

constexpr std::uint32_t kMoveTimeoutS = 300;

template <void (Changer::*method)(Task&)>
constexpr CommandRow row(const char* name, std::uint8_t opcode, std::uint8_t cdb_length,
                         std::array<std::uint8_t, 16> usage, ReservationRule reservation,
                         std::uint32_t timeout_s = kMoveTimeoutS, std::uint8_t gates = gate::kAll) {
  return {name,        opcode,    kNoServiceAction,        cdb_length, usage, gates,
          reservation, timeout_s, &handle<Changer, method>};
}

constexpr std::array kRows = {
    primary::kTestUnitReady,
    row<&Changer::rezero_unit>("REZERO UNIT", 0x01, 6, {0x01}, kConflict),
    primary::kRequestSense,
    row<&Changer::initialize_element_status>("INITIALIZE ELEMENT STATUS", 0x07, 6, {0x07},
                                             kConflict),
    primary::kInquiry,
    primary::kModeSelect6,
    primary::kReserve6,
    primary::kRelease6,
    primary::kModeSense6,
    row<&Changer::open_close_import_export_element>("OPEN/CLOSE IMPORT/EXPORT ELEMENT", 0x1B, 6,
                                                    {0x1B, 0, kFF, kFF, 0x1F, 0}, kConflict),
    primary::kReceiveDiagnostic,
    primary::kSendDiagnostic,
    primary::kPreventAllow,
    row<&Changer::position_to_element>("POSITION TO ELEMENT", 0x2B, 10,
                                       {0x2B, 0, kFF, kFF, kFF, kFF, 0, 0, 0x01, 0}, kConflict),
    row<&Changer::initialize_element_status_with_range>(
        "INITIALIZE ELEMENT STATUS WITH RANGE", 0x37, 10,
        {0x37, 0x03, kFF, kFF, 0, 0, kFF, kFF, 0, 0}, kConflict),
    primary::kWriteBuffer,
    primary::kReadBuffer,
    primary::kLogSelect,
    primary::kLogSense,
    primary::kModeSelect10,
    primary::kReserve10,
    primary::kRelease10,
    primary::kModeSense10,
    primary::kPersistentReserveInReadKeys,
    primary::kPersistentReserveInReadReservation,
    primary::kPersistentReserveInReportCapabilities,
    primary::kPersistentReserveInReadFullStatus,
    primary::kPersistentReserveOutRegister,
    primary::kPersistentReserveOutReserve,
    primary::kPersistentReserveOutRelease,
    primary::kPersistentReserveOutClear,
    primary::kPersistentReserveOutPreempt,
    primary::kPersistentReserveOutPreemptAndAbort,
    primary::kPersistentReserveOutRegisterAndIgnoreExistingKey,
    primary::kReportLuns,
    primary::kReportSupportedOperationCodes,
    primary::kReportSupportedTaskManagementFunctions,
    primary::kReportTimestamp,
    primary::kSetTimestamp,
    // Byte 11: mtx puts a vendor's extend/retract value into the top bits; no arm, no effect.
    row<&Changer::move_medium>("MOVE MEDIUM", 0xA5, 12,
                               {0xA5, 0, kFF, kFF, kFF, kFF, kFF, kFF, 0, 0, 0x01, 0xC0},
                               kConflict),
    row<&Changer::exchange_medium>("EXCHANGE MEDIUM", 0xA6, 12,
                                   {0xA6, 0, kFF, kFF, kFF, kFF, kFF, kFF, kFF, kFF, 0x03, 0},
                                   kConflict),
    row<&Changer::request_volume_element_address>(
        "REQUEST VOLUME ELEMENT ADDRESS", 0xB5, 12,
        {0xB5, 0x1F, kFF, kFF, kFF, kFF, 0, kFF, kFF, kFF, 0, 0}, kAllowedForRead, 60),
    row<&Changer::send_volume_tag>("SEND VOLUME TAG", 0xB6, 12,
                                   {0xB6, 0x0F, kFF, kFF, 0, 0x1F, 0, 0, kFF, kFF, 0, 0}, kConflict,
                                   60),
    row<&Changer::read_element_status>("READ ELEMENT STATUS", 0xB8, 12,
                                       {0xB8, 0x1F, kFF, kFF, kFF, kFF, 0x07, kFF, kFF, kFF, 0, 0},
                                       kHandled, 60, gate::kAll | gate::kBeside),
    row<&Changer::initialize_element_status_with_range>(
        "INITIALIZE ELEMENT STATUS WITH RANGE (vendor)", 0xE7, 10,
        {0xE7, 0x01, kFF, kFF, 0, 0, kFF, kFF, 0, 0}, kConflict),
};

}  // namespace

std::span<const CommandRow> Changer::command_rows() { return kRows; }

Changer::Changer(ChangerOptions options, Inventory& inventory)
    : PrimaryUnit(kRows, primary_options(options, inventory)),
      inventory_(inventory),
      tag_characters_(options.tag_characters),
      move_ended_(std::move(options.move_ended)) {
  inventory_.observe(this);
}

Changer::~Changer() { inventory_.observe(nullptr); }

// The inventory is always known: there is nothing to scan and no state in which a move must wait.
std::optional<Sense> Changer::not_ready() const { return std::nullopt; }
std::optional<Sense> Changer::take_deferred(const Task&) { return std::nullopt; }

void Changer::on_nexus_lost(const NexusInfo& nexus) {
  PrimaryUnit::on_nexus_lost(nexus);
  tape_alert_.nexus_lost(nexus.id);
  searches_.erase(nexus.id);
}

void Changer::on_reset() {
  PrimaryUnit::on_reset();
  searches_.clear();
}

void Changer::on_prevent_changed() { inventory_.lock_door(prevented()); }

void Changer::inventory_changed() { unit_attentions().raise_all(Asc::kMediumMayHaveChanged); }

void Changer::import_export_accessed() {
  unit_attentions().raise_all(Asc::kImportExportElementAccessed);
}

// Page 1Dh says other numbers, and what was known of the elements may be too little.
void Changer::elements_added() {
  unit_attentions().raise_all(Asc::kModeParametersChanged);
  unit_attentions().raise_all(Asc::kMediumMayHaveChanged);
}

}  // namespace scsi::smc
