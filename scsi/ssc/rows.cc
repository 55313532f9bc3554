// The command table of a tape drive: one row per command, the same for every family and generation
// but for the recommended timeouts, and that LTO-3 knows no encryption.
#include <algorithm>
#include <utility>

#include "scsi/primary_rows.h"
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

// Recommended command timeouts, seconds.
struct Timeouts {
  std::uint32_t erase, format, load, locate, space, read, verify;
  std::uint32_t set_capacity = 780, rewind = 600, send_diagnostic = 1980, write = 1500,
                write_filemarks = 1620;
  std::uint32_t read_buffer = 480, write_buffer = 540;
};
// The figures that LTFS, to which these vendors contribute, has for each family.
using ByGeneration = std::array<Timeouts, 5>;  // LTO-5 to LTO-9; others as the nearest
constexpr ByGeneration kIbm{{{16380, 1560, 780, 2040, 2040, 1500, 16920},
                             {24600, 3000, 780, 2940, 2040, 1500, 24600},
                             {27540, 3000, 960, 2880, 2880, 2280, 28860},
                             {54896, 3000, 960, 2880, 2880, 2280, 47700},
                             {74341, 3000, 960, 2940, 2940, 2340, 63300}}};
constexpr Timeouts kHpUntil6{18000, 1560, 600, 1200, 1200, 1200, 18000,
                             780,   600,  600, 300,  300,  60,   60};
constexpr Timeouts kHp7{29400, 3000, 1020, 2700, 2700, 1920, 28860, 780, 780, 1980, 1920, 1920};
constexpr Timeouts kHpFrom8{53040, 3000, 840, 2940, 2940, 2340, 53040, 780, 660, 1980, 1680, 1680};
constexpr ByGeneration kHp{{kHpUntil6, kHpUntil6, kHp7, kHpFrom8, kHpFrom8}};
constexpr Timeouts kQuantum5{19200, 1980, 1020, 2700, 2700, 1920, 19980,
                             960,   780,  3120, 1920, 1740, 660,  720};
constexpr Timeouts kQuantum6{29400, 3840, 1020, 2700, 2700, 1920, 30000,
                             960,   780,  3120, 1920, 1740, 660,  720};
constexpr Timeouts kQuantum7{27540, 3240, 840, 2940, 2940, 2340, 28860, 960, 660, 2040, 1560, 1680};
constexpr Timeouts kQuantumFrom8{46380, 3240, 840, 2940, 2940, 2340,
                                 47700, 960,  660, 2040, 1560, 1680};
constexpr ByGeneration kQuantum{{kQuantum5, kQuantum6, kQuantum7, kQuantumFrom8, kQuantumFrom8}};

using enum ReservationRule;
constexpr std::uint8_t kAny = 0xFF;
constexpr std::uint8_t kSecurityProtocolIn = 0xA2, kSecurityProtocolOut = 0xB5;

constexpr CommandRow row(const char* name, std::uint8_t opcode, std::int32_t service_action,
                         std::uint8_t cdb_length, std::array<std::uint8_t, 16> usage,
                         std::uint8_t gates, ReservationRule reservation,
                         void (*handler)(LogicalUnit&, Task&), std::uint32_t timeout_s = 60) {
  return {name, opcode, service_action, cdb_length, usage, gates, reservation, timeout_s, handler};
}

}  // namespace

// A nested type, so that it may name the handlers.
struct TapeDrive::Impl::Table {
  template <void (Impl::*method)(Task&)>
  static constexpr auto kCall = &Impl::call<method>;

  static constexpr CommandRow read_position(const char* name, std::uint8_t service_action,
                                            std::uint8_t allocation,
                                            void (*handler)(LogicalUnit&, Task&)) {
    return row(name, 0x34, service_action, 10,
               {0x34, service_action, 0, 0, 0, 0, 0, allocation, allocation, 0}, gate::kAll,
               kAllowedForRead, handler);
  }
  static constexpr CommandRow read_attribute(const char* name, std::uint8_t service_action,
                                             void (*handler)(LogicalUnit&, Task&)) {
    return row(
        name, 0x8C, service_action, 16,
        {0x8C, service_action, 0, 0, 0, 0, 0, kAny, kAny, kAny, kAny, kAny, kAny, kAny, 0x01, 0},
        gate::kAll, kAllowedForRead, handler);
  }

  static constexpr auto make(Timeouts t) {
    using namespace primary;
    using enum ReservationRule;
    using I = Impl;
    constexpr std::uint8_t F = 0xFF;
    return std::array{
        kTestUnitReady,
        row("REWIND", 0x01, kNoServiceAction, 6, {0x01, 0x01}, gate::kAll, kConflict,
            kCall<&I::rewind>, t.rewind),
        kRequestSense,
        row("FORMAT MEDIUM", 0x04, kNoServiceAction, 6, {0x04, 0x03, 0x0F, 0, 0, 0}, gate::kAll,
            kConflict, kCall<&I::format_medium>, t.format),
        row("READ BLOCK LIMITS", 0x05, kNoServiceAction, 6, {0x05, 0x01}, gate::kAnyState, kAllowed,
            kCall<&I::read_block_limits>),
        row("READ(6)", 0x08, kNoServiceAction, 6, {0x08, 0x03, F, F, F, 0}, gate::kAll, kConflict,
            kCall<&I::read>, t.read),
        row("WRITE(6)", 0x0A, kNoServiceAction, 6, {0x0A, 0x01, F, F, F, 0}, gate::kAll, kConflict,
            kCall<&I::write>, t.write),
        row("SET CAPACITY", 0x0B, kNoServiceAction, 6, {0x0B, 0x01, 0, F, F, 0}, gate::kAll,
            kConflict, kCall<&I::set_capacity>, t.set_capacity),
        row("WRITE FILEMARKS(6)", 0x10, kNoServiceAction, 6, {0x10, 0x01, F, F, F, 0}, gate::kAll,
            kConflict, kCall<&I::write_filemarks>, t.write_filemarks),
        row("SPACE(6)", 0x11, kNoServiceAction, 6, {0x11, 0x0F, F, F, F, 0}, gate::kAll, kConflict,
            kCall<&I::space_6>, t.space),
        kInquiry,
        row("VERIFY(6)", 0x13, kNoServiceAction, 6, {0x13, 0x2F, F, F, F, 0}, gate::kAll, kConflict,
            kCall<&I::verify>, t.verify),
        kModeSelect6,
        kReserve6,
        kRelease6,
        row("ERASE(6)", 0x19, kNoServiceAction, 6, {0x19, 0x03}, gate::kAll, kConflict,
            kCall<&I::erase>, t.erase),
        kModeSense6,
        row("LOAD UNLOAD", 0x1B, kNoServiceAction, 6, {0x1B, 0x01, 0, 0, 0x0F, 0}, gate::kAnyState,
            kConflict, kCall<&I::load_unload>, t.load),
        kReceiveDiagnostic,
        with_timeout(kSendDiagnostic, t.send_diagnostic),
        kPreventAllow,
        row("LOCATE(10)", 0x2B, kNoServiceAction, 10, {0x2B, 0x07, 0, F, F, F, F, 0, F, 0},
            gate::kAll, kConflict, kCall<&I::locate_10>, t.locate),
        read_position("READ POSITION, SHORT FORM", 0x00, 0, kCall<&I::read_position_short>),
        read_position("READ POSITION, VENDOR-SPECIFIC SHORT FORM", 0x01, 0,
                      kCall<&I::read_position_short>),
        read_position("READ POSITION, LONG FORM", 0x06, 0, kCall<&I::read_position_long>),
        read_position("READ POSITION, EXTENDED FORM", 0x08, F, kCall<&I::read_position_extended>),
        with_timeout(kWriteBuffer, t.write_buffer),
        with_timeout(kReadBuffer, t.read_buffer),
        row("REPORT DENSITY SUPPORT", 0x44, kNoServiceAction, 10,
            {0x44, 0x03, 0, 0, 0, 0, 0, F, F, 0}, gate::kAnyState, kAllowed,
            kCall<&I::report_density_support>),
        kLogSelect,
        kLogSense,
        kModeSelect10,
        kReserve10,
        kRelease10,
        kModeSense10,
        kPersistentReserveInReadKeys,
        kPersistentReserveInReadReservation,
        kPersistentReserveInReportCapabilities,
        kPersistentReserveInReadFullStatus,
        kPersistentReserveOutRegister,
        kPersistentReserveOutReserve,
        kPersistentReserveOutRelease,
        kPersistentReserveOutClear,
        kPersistentReserveOutPreempt,
        kPersistentReserveOutPreemptAndAbort,
        kPersistentReserveOutRegisterAndIgnoreExistingKey,
        row("ALLOW OVERWRITE", 0x82, kNoServiceAction, 16,
            {0x82, 0, 0x0F, F, F, F, F, F, F, F, F, F, 0, 0, 0, 0}, gate::kAll, kConflict,
            kCall<&I::allow_overwrite>),
        read_attribute("READ ATTRIBUTE, VALUES", 0x00, kCall<&I::read_attribute_values>),
        read_attribute("READ ATTRIBUTE, LIST", 0x01, kCall<&I::read_attribute_list>),
        read_attribute("READ ATTRIBUTE, LOGICAL VOLUME LIST", 0x02,
                       kCall<&I::read_logical_volume_list>),
        read_attribute("READ ATTRIBUTE, PARTITION LIST", 0x03, kCall<&I::read_partition_list>),
        read_attribute("READ ATTRIBUTE, SUPPORTED ATTRIBUTES", 0x05,
                       kCall<&I::read_supported_attributes>),
        row("WRITE ATTRIBUTE", 0x8D, kNoServiceAction, 16,
            {0x8D, 0x01, 0, 0, 0, 0, 0, F, 0, 0, F, F, F, F, 0, 0}, gate::kAll, kConflict,
            kCall<&I::write_attribute>),
        row("SPACE(16)", 0x91, kNoServiceAction, 16,
            {0x91, 0x0F, 0, 0, F, F, F, F, F, F, F, F, 0, 0, 0, 0}, gate::kAll, kConflict,
            kCall<&I::space_16>, t.space),
        row("LOCATE(16)", 0x92, kNoServiceAction, 16,
            {0x92, 0x1B, 0, F, F, F, F, F, F, F, F, F, 0, 0, 0, 0}, gate::kAll, kConflict,
            kCall<&I::locate_16>, t.locate),
        kReportLuns,
        row("SECURITY PROTOCOL IN", kSecurityProtocolIn, kNoServiceAction, 12,
            {kSecurityProtocolIn, F, F, F, 0, 0, F, F, F, F, 0, 0}, gate::kAnyState,
            kAllowedForRead, kCall<&I::security_protocol_in>),
        row("REPORT IDENTIFYING INFORMATION", 0xA3, 0x05, 12,
            {0xA3, 0x05, 0, 0, 0, 0, F, F, F, F, 0xFE, 0}, gate::kAnyState, kAllowedForRead,
            kCall<&I::report_identifying_information>),
        kReportSupportedOperationCodes,
        kReportSupportedTaskManagementFunctions,
        kReportTimestamp,
        kSetTimestamp,
        row("READ MEDIA SERIAL NUMBER", 0xAB, 0x01, 12, {0xAB, 0x01, 0, 0, 0, 0, F, F, F, F, 0, 0},
            gate::kAll, kAllowedForRead, kCall<&I::read_media_serial_number>),
        row("SECURITY PROTOCOL OUT", kSecurityProtocolOut, kNoServiceAction, 12,
            {kSecurityProtocolOut, F, F, F, 0, 0, F, F, F, F, 0, 0}, gate::kAnyState, kConflict,
            kCall<&I::security_protocol_out>),
    };
  }
  static constexpr auto make_all(const ByGeneration& t) {
    return std::array{make(t[0]), make(t[1]), make(t[2]), make(t[3]), make(t[4])};
  }
};

namespace {

// Tape encryption came with LTO-4.
std::vector<CommandRow> without_encryption(std::span<const CommandRow> all) {
  std::vector<CommandRow> out;
  for (const CommandRow& each : all)
    if (each.opcode != kSecurityProtocolIn && each.opcode != kSecurityProtocolOut)
      out.push_back(each);
  return out;
}

}  // namespace

std::span<const CommandRow> TapeDrive::Impl::rows(const DriveFamily& family,
                                                  std::uint8_t generation) {
  static constexpr std::array kRows{Table::make_all(kIbm), Table::make_all(kHp),
                                    Table::make_all(kQuantum)};
  static const std::array kRows3{without_encryption(kRows[0][0]), without_encryption(kRows[1][0]),
                                 without_encryption(kRows[2][0])};
  const auto vendor = static_cast<std::size_t>(family.vendor);
  if (generation < 4) return kRows3[vendor];
  return kRows[vendor][std::clamp<std::size_t>(generation, 5, 9) - 5];
}

}  // namespace scsi::ssc
