// What a changer is: its table of commands, its pages, and what it tells on its own.
#include "scsi/smc/changer.h"

#include <algorithm>
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
                         std::uint32_t timeout_s = kMoveTimeoutS) {
  return {name,        opcode,    kNoServiceAction,        cdb_length, usage, gate::kAll,
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
                                       kHandled, 60),
    row<&Changer::initialize_element_status_with_range>(
        "INITIALIZE ELEMENT STATUS WITH RANGE (vendor)", 0xE7, 10,
        {0xE7, 0x01, kFF, kFF, 0, 0, kFF, kFF, 0, 0}, kConflict),
};

ModePage page_of(std::uint8_t code, std::size_t length, std::vector<ByteAt> defaults = {}) {
  ModePage page;
  page.page = code;
  page.length = static_cast<std::uint16_t>(length);
  page.defaults = std::move(defaults);
  return page;
}

// Element address assignment (SMC-3 7.3.4): first address and count of each type.
ModePage element_address_assignment(std::span<const Element> elements) {
  ModePage page = page_of(0x1D, 0x12);
  std::uint16_t offset = 2;
  for (const ElementType type : {ElementType::kTransport, ElementType::kStorage,
                                 ElementType::kImportExport, ElementType::kDrive}) {
    const auto of_type = [&](const Element& e) { return e.type == type; };
    const auto first = std::find_if(elements.begin(), elements.end(), of_type);
    const auto count = std::count_if(elements.begin(), elements.end(), of_type);
    const std::uint16_t address = first == elements.end() ? std::uint16_t{0} : first->address;
    for (const auto value : {address, static_cast<std::uint16_t>(count)}) {
      page.defaults.push_back({offset++, static_cast<std::uint8_t>(value >> 8)});
      page.defaults.push_back({offset++, static_cast<std::uint8_t>(value & 0xFF)});
    }
  }
  return page;
}

// Transport geometry descriptors (SMC-3 7.3.5): no rotation; members of one set, numbered.
ModePage transport_geometry(std::span<const Element> elements) {
  const auto transports = std::count_if(elements.begin(), elements.end(), [](const Element& e) {
    return e.type == ElementType::kTransport;
  });
  ModePage page = page_of(0x1E, 2 * static_cast<std::size_t>(transports));
  for (std::uint16_t i = 0; i < transports; ++i)
    page.defaults.push_back({static_cast<std::uint16_t>(3 + 2 * i), static_cast<std::uint8_t>(i)});
  return page;
}

// Device capabilities (SMC-3 7.3.2): cartridges rest in storage, import/export and drives, not in
// the transport, and every move and exchange between those three works.
ModePage device_capabilities() {
  constexpr std::uint8_t kAll = 0x0E;  // drives, import/export, storage
  return page_of(0x1F, 0x12,
                 {{2, kAll}, {5, kAll}, {6, kAll}, {7, kAll}, {13, kAll}, {14, kAll}, {15, kAll}});
}

std::vector<ModePage> mode_pages_of(std::span<const Element> elements) {
  return {
      page_of(0x02, 0x0E),
      page_of(0x0A, 0x0A),
      // No sense of its own for informational exceptions: DEXCPT.
      page_of(0x1C, 0x0A, {{2, 0x08}, {3, 0x03}}),
      element_address_assignment(elements),
      transport_geometry(elements),
      device_capabilities(),
  };
}

}  // namespace

std::span<const CommandRow> Changer::command_rows() { return kRows; }

PrimaryOptions Changer::primary_options(const ChangerOptions& options, const Inventory& inventory) {
  PrimaryOptions primary;
  primary.identity = options.identity;
  primary.inquiry.device_type = 0x08;
  primary.inquiry.version_descriptors = {0x00A0, 0x0460, 0x0480,
                                         0x0960};  // SAM-5 SPC-4 SMC-3 iSCSI
  primary.inquiry.vendor_specific.resize(20);
  primary.inquiry.vendor_specific[55 - 36] = std::byte{0x01};  // a barcode reader is present
  primary.mode.block_descriptor = false;
  primary.mode.pages = mode_pages_of(inventory.elements());
  // tape_alert_ is made after the base class: it is reached for when the page is asked for.
  LogPage& alerts = primary.log.emplace_back();
  alerts.page = 0x2E;
  alerts.parameters = [this](NexusId nexus) { return tape_alert_.page_2e().parameters(nexus); };
  alerts.reset = [this] { tape_alert_.clear_all(); };
  alerts.told = [this](NexusId nexus, std::uint16_t first, std::uint16_t last) {
    tape_alert_.page_2e().told(nexus, first, last);
  };
  primary.now_ms = options.now_ms;
  return primary;
}

Changer::Changer(ChangerOptions options, Inventory& inventory)
    : PrimaryUnit(kRows, primary_options(options, inventory)),
      inventory_(inventory),
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

}  // namespace scsi::smc
