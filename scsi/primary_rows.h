// Rows of the commands that PrimaryUnit serves, for the tables of devices; `with_timeout()` adapts
// one to a model.
#pragma once

#include "scsi/primary.h"

namespace scsi {

namespace primary {

template <void (PrimaryUnit::*method)(Task&)>
constexpr CommandRow row(const char* name, std::uint8_t opcode, std::int32_t service_action,
                         std::uint8_t cdb_length, std::array<std::uint8_t, 16> usage,
                         std::uint8_t gates, ReservationRule reservation) {
  return {name,        opcode, service_action,
          cdb_length,  usage,  gates,
          reservation, 60,     &handle<PrimaryUnit, method>};
}

using enum ReservationRule;
inline constexpr std::uint8_t kFF = 0xFF;

inline constexpr CommandRow kTestUnitReady = row<&PrimaryUnit::test_unit_ready>(
    "TEST UNIT READY", 0x00, kNoServiceAction, 6, {0x00}, gate::kAll | gate::kBeside, kReserveOnly);
inline constexpr CommandRow kRequestSense = row<&PrimaryUnit::request_sense>(
    "REQUEST SENSE", 0x03, kNoServiceAction, 6, {0x03, 0, 0, 0, kFF, 0}, gate::kBeside, kAllowed);
inline constexpr CommandRow kInquiry = row<&PrimaryUnit::inquiry>(
    "INQUIRY", 0x12, kNoServiceAction, 6, {0x12, 0x01, kFF, kFF, kFF, 0}, gate::kBeside, kAllowed);
inline constexpr CommandRow kModeSelect6 =
    row<&PrimaryUnit::mode_select>("MODE SELECT(6)", 0x15, kNoServiceAction, 6,
                                   {0x15, 0x10, 0, 0, kFF, 0}, gate::kAnyState, kConflict);
inline constexpr CommandRow kReserve6 = row<&PrimaryUnit::reserve>(
    "RESERVE(6)", 0x16, kNoServiceAction, 6, {0x16}, gate::kAnyState, kHandled);
inline constexpr CommandRow kRelease6 = row<&PrimaryUnit::release>(
    "RELEASE(6)", 0x17, kNoServiceAction, 6, {0x17}, gate::kAnyState, kHandled);
inline constexpr CommandRow kModeSense6 =
    row<&PrimaryUnit::mode_sense>("MODE SENSE(6)", 0x1A, kNoServiceAction, 6,
                                  {0x1A, 0x08, kFF, kFF, kFF, 0}, gate::kAnyState, kAllowedForRead);
inline constexpr CommandRow kReceiveDiagnostic = row<&PrimaryUnit::receive_diagnostic>(
    "RECEIVE DIAGNOSTIC RESULTS", 0x1C, kNoServiceAction, 6, {0x1C, 0x01, kFF, kFF, kFF, 0},
    gate::kAnyState, kAllowedForRead);
inline constexpr CommandRow kSendDiagnostic =
    row<&PrimaryUnit::send_diagnostic>("SEND DIAGNOSTIC", 0x1D, kNoServiceAction, 6,
                                       {0x1D, 0xF4, 0, kFF, kFF, 0}, gate::kAnyState, kConflict);
inline constexpr CommandRow kPreventAllow =
    row<&PrimaryUnit::prevent_allow>("PREVENT ALLOW MEDIUM REMOVAL", 0x1E, kNoServiceAction, 6,
                                     {0x1E, 0, 0, 0, 0x01, 0}, gate::kAnyState, kHandled);
inline constexpr CommandRow kWriteBuffer = row<&PrimaryUnit::write_buffer>(
    "WRITE BUFFER", 0x3B, kNoServiceAction, 10, {0x3B, 0x1F, kFF, kFF, kFF, kFF, kFF, kFF, kFF, 0},
    gate::kAnyState, kConflict);
inline constexpr CommandRow kReadBuffer = row<&PrimaryUnit::read_buffer>(
    "READ BUFFER", 0x3C, kNoServiceAction, 10, {0x3C, 0x1F, kFF, kFF, kFF, kFF, kFF, kFF, kFF, 0},
    gate::kAnyState, kAllowedForRead);
inline constexpr CommandRow kLogSelect = row<&PrimaryUnit::log_select>(
    "LOG SELECT", 0x4C, kNoServiceAction, 10, {0x4C, 0x02, kFF, kFF, 0, 0, 0, kFF, kFF, 0},
    gate::kAnyState, kConflict);
inline constexpr CommandRow kLogSense = row<&PrimaryUnit::log_sense>(
    "LOG SENSE", 0x4D, kNoServiceAction, 10, {0x4D, 0x00, kFF, kFF, 0, kFF, kFF, kFF, kFF, 0},
    gate::kAnyState, kAllowed);
inline constexpr CommandRow kModeSelect10 = row<&PrimaryUnit::mode_select>(
    "MODE SELECT(10)", 0x55, kNoServiceAction, 10, {0x55, 0x10, 0, 0, 0, 0, 0, kFF, kFF, 0},
    gate::kAnyState, kConflict);
inline constexpr CommandRow kReserve10 = row<&PrimaryUnit::reserve>(
    "RESERVE(10)", 0x56, kNoServiceAction, 10, {0x56}, gate::kAnyState, kHandled);
inline constexpr CommandRow kRelease10 = row<&PrimaryUnit::release>(
    "RELEASE(10)", 0x57, kNoServiceAction, 10, {0x57}, gate::kAnyState, kHandled);
inline constexpr CommandRow kModeSense10 = row<&PrimaryUnit::mode_sense>(
    "MODE SENSE(10)", 0x5A, kNoServiceAction, 10, {0x5A, 0x18, kFF, kFF, 0, 0, 0, kFF, kFF, 0},
    gate::kAnyState, kAllowedForRead);
// One row for each service action: they are listed one by one in REPORT SUPPORTED OPERATION CODES.
constexpr CommandRow persistent_reserve_in(const char* name, PersistentReserveIn action) {
  const auto sa = static_cast<std::uint8_t>(action);
  return row<&PrimaryUnit::persistent_reserve_in>(
      name, 0x5E, sa, 10, {0x5E, sa, 0, 0, 0, 0, 0, kFF, kFF, 0}, gate::kAnyState, kHandled);
}
constexpr CommandRow persistent_reserve_out(const char* name, PersistentReserveOut action) {
  const auto sa = static_cast<std::uint8_t>(action);
  return row<&PrimaryUnit::persistent_reserve_out>(
      name, 0x5F, sa, 10, {0x5F, sa, kFF, 0, 0, kFF, kFF, kFF, kFF, 0}, gate::kAnyState, kHandled);
}
inline constexpr CommandRow kPersistentReserveInReadKeys =
    persistent_reserve_in("PERSISTENT RESERVE IN, READ KEYS", PersistentReserveIn::kReadKeys);
inline constexpr CommandRow kPersistentReserveInReadReservation = persistent_reserve_in(
    "PERSISTENT RESERVE IN, READ RESERVATION", PersistentReserveIn::kReadReservation);
inline constexpr CommandRow kPersistentReserveInReportCapabilities = persistent_reserve_in(
    "PERSISTENT RESERVE IN, REPORT CAPABILITIES", PersistentReserveIn::kReportCapabilities);
inline constexpr CommandRow kPersistentReserveInReadFullStatus = persistent_reserve_in(
    "PERSISTENT RESERVE IN, READ FULL STATUS", PersistentReserveIn::kReadFullStatus);
inline constexpr CommandRow kPersistentReserveOutRegister =
    persistent_reserve_out("PERSISTENT RESERVE OUT, REGISTER", PersistentReserveOut::kRegister);
inline constexpr CommandRow kPersistentReserveOutReserve =
    persistent_reserve_out("PERSISTENT RESERVE OUT, RESERVE", PersistentReserveOut::kReserve);
inline constexpr CommandRow kPersistentReserveOutRelease =
    persistent_reserve_out("PERSISTENT RESERVE OUT, RELEASE", PersistentReserveOut::kRelease);
inline constexpr CommandRow kPersistentReserveOutClear =
    persistent_reserve_out("PERSISTENT RESERVE OUT, CLEAR", PersistentReserveOut::kClear);
inline constexpr CommandRow kPersistentReserveOutPreempt =
    persistent_reserve_out("PERSISTENT RESERVE OUT, PREEMPT", PersistentReserveOut::kPreempt);
inline constexpr CommandRow kPersistentReserveOutPreemptAndAbort = persistent_reserve_out(
    "PERSISTENT RESERVE OUT, PREEMPT AND ABORT", PersistentReserveOut::kPreemptAndAbort);
inline constexpr CommandRow kPersistentReserveOutRegisterAndIgnoreExistingKey =
    persistent_reserve_out("PERSISTENT RESERVE OUT, REGISTER AND IGNORE EXISTING KEY",
                           PersistentReserveOut::kRegisterAndIgnoreExistingKey);
inline constexpr CommandRow kReportLuns = row<&PrimaryUnit::report_luns>(
    "REPORT LUNS", 0xA0, kNoServiceAction, 12, {0xA0, 0, kFF, 0, 0, 0, kFF, kFF, kFF, kFF, 0, 0},
    gate::kBeside, kAllowed);

inline constexpr CommandRow kReportSupportedOperationCodes =
    row<&PrimaryUnit::report_supported_operation_codes>(
        "REPORT SUPPORTED OPERATION CODES", 0xA3, 0x0C, 12,
        {0xA3, 0x0C, 0x87, kFF, kFF, kFF, kFF, kFF, kFF, kFF, 0, 0}, gate::kAnyState,
        kAllowedForRead);
inline constexpr CommandRow kReportSupportedTaskManagementFunctions =
    row<&PrimaryUnit::report_supported_task_management_functions>(
        "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", 0xA3, 0x0D, 12,
        {0xA3, 0x0D, 0x80, 0, 0, 0, kFF, kFF, kFF, kFF, 0, 0}, gate::kAnyState, kAllowedForRead);
inline constexpr CommandRow kReportTimestamp = row<&PrimaryUnit::report_timestamp>(
    "REPORT TIMESTAMP", 0xA3, 0x0F, 12, {0xA3, 0x0F, 0, 0, 0, 0, kFF, kFF, kFF, kFF, 0, 0},
    gate::kAnyState, kReserveOnly);
inline constexpr CommandRow kSetTimestamp = row<&PrimaryUnit::set_timestamp>(
    "SET TIMESTAMP", 0xA4, 0x0F, 12, {0xA4, 0x0F, 0, 0, 0, 0, kFF, kFF, kFF, kFF, 0, 0},
    gate::kAnyState, kConflict);

}  // namespace primary
}  // namespace scsi
