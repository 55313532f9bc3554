// One row per command: dispatch, reserved-bit checks with a field pointer, gates and REPORT
// SUPPORTED OPERATION CODES all come from it. Rows are constexpr data in the file of the device
// that serves them.
#pragma once

#include <array>
#include <cstdint>

namespace scsi {

class LogicalUnit;
class Task;

// Which gates a command passes on its way; combine with |.
namespace gate {
inline constexpr std::uint8_t kNone = 0;
inline constexpr std::uint8_t kReady = 1;  // refused with not_ready() while that gives a sense
inline constexpr std::uint8_t kUnitAttention = 2;  // a pending unit attention is reported instead
                                                   // (not for INQUIRY, REPORT LUNS, REQUEST SENSE)
inline constexpr std::uint8_t kDeferred = 4;       // a deferred error is reported instead
// Asks only: answered beside a command that runs, which may wait for a disk, an erase or a host
// (what a host asks of a unit that it does not know yet, or not any more; READ ELEMENT STATUS). No
// deferred error, then: the commands that are in order tell it.
inline constexpr std::uint8_t kBeside = 8;
inline constexpr std::uint8_t kAll = kReady | kUnitAttention | kDeferred;
inline constexpr std::uint8_t kAnyState = kUnitAttention | kDeferred;  // allowed when not ready
}  // namespace gate

// What other nexuses may do while one holds a reservation (SPC-4 table 66, SSC-4 table 13).
enum class ReservationRule : std::uint8_t {
  kAllowed,         // always
  kAllowedForRead,  // conflicts with exclusive access, not with write exclusive
  kConflict,        // conflicts with both
  kReserveOnly,  // conflicts with RESERVE(6)/(10), never with a persistent reservation (TEST UNIT
                 // READY)
  kHandled,  // the handler decides (RESERVE, RELEASE, PERSISTENT RESERVE, PREVENT with prevent = 0)
};

inline constexpr std::int32_t kNoServiceAction = -1;

struct CommandRow {
  const char* name;
  std::uint8_t opcode;
  std::int32_t service_action;  // kNoServiceAction, or the value of the low five bits of byte 1
  std::uint8_t cdb_length;
  // CDB usage data (SPC-4 6.35): bits that the device looks at. Byte 0 is the opcode. A set bit
  // outside the mask is 5/24/00 with a field pointer, but for bits 7-5 of byte 1 of up to 12 bytes
  // (the LUN of SCSI-2).
  std::array<std::uint8_t, 16> usage;
  std::uint8_t gates;
  ReservationRule reservation;
  std::uint32_t recommended_timeout_s;
  void (*handler)(LogicalUnit&, Task&);
};

// The same row with another recommended timeout: those of shared commands differ between models.
constexpr CommandRow with_timeout(CommandRow row, std::uint32_t seconds) {
  row.recommended_timeout_s = seconds;
  return row;
}

// Makes a row's handler out of a member function of the device.
template <class Device, void (Device::*method)(Task&)>
void handle(LogicalUnit& unit, Task& task) {
  (static_cast<Device&>(unit).*method)(task);
}

}  // namespace scsi
