// The 48-byte basic header segment of every PDU, as plain structs (RFC 7143 11).
//
// Each PDU has one layout function in pdu.cc that both its decoder and its encoder are made of, so
// that they cannot disagree. Encoding leaves TotalAHSLength and DataSegmentLength at 0; whoever
// attaches data sets them. Decoding reads any 48 bytes: values are checked by who uses them. Value
// types, any thread.
#pragma once

#include <array>
#include <cstdint>

#include "scsi/bytes.h"

namespace iscsi {

inline constexpr std::size_t kHeaderSize = 48;
using Header = std::array<std::byte, kHeaderSize>;

inline constexpr std::uint32_t kReservedTag = 0xFFFFFFFF;  // no ITT or TTT
inline constexpr std::uint32_t kMaxAhsSize = 255 * 4;
inline constexpr std::uint32_t kLoginDataLimit =
    8192;  // of a data segment before full feature phase
inline constexpr std::uint32_t kMaxDataSegment = 0xFFFFFF;  // what the field can say

enum class Opcode : std::uint8_t {
  kNopOut = 0x00,
  kScsiCommand = 0x01,
  kTaskManagementRequest = 0x02,
  kLoginRequest = 0x03,
  kTextRequest = 0x04,
  kDataOut = 0x05,
  kLogoutRequest = 0x06,
  kSnackRequest = 0x10,
  kNopIn = 0x20,
  kScsiResponse = 0x21,
  kTaskManagementResponse = 0x22,
  kLoginResponse = 0x23,
  kTextResponse = 0x24,
  kDataIn = 0x25,
  kLogoutResponse = 0x26,
  kR2t = 0x31,
  kAsyncMessage = 0x32,
  kReject = 0x3F,
};

// What all headers share.
inline Opcode opcode_of(const Header& h) {
  return static_cast<Opcode>(std::to_integer<std::uint8_t>(h[0]) & 0x3F);
}
inline bool is_immediate(const Header& h) { return (h[0] & std::byte{0x40}) != std::byte{0}; }
std::uint32_t ahs_length_of(const Header& h);   // bytes
std::uint32_t data_length_of(const Header& h);  // bytes, without padding
void set_data_length(Header& h, std::uint32_t bytes);
std::uint32_t task_tag_of(const Header& h);        // Initiator Task Tag
std::uint32_t command_number_of(const Header& h);  // CmdSN, where the PDU has one
constexpr std::uint32_t padding_of(std::uint32_t length) { return (4 - length % 4) % 4; }

// ISID: who of the initiator's ports this is (RFC 7143 11.12.5). Six opaque bytes.
using Isid = std::array<std::byte, 6>;

struct NopOut {
  bool immediate = false;
  std::uint64_t lun = 0;
  std::uint32_t task_tag = kReservedTag, transfer_tag = kReservedTag;
  std::uint32_t cmd_sn = 0, exp_stat_sn = 0;
  static NopOut decode(const Header&);
  Header encode() const;
};

struct ScsiCommand {
  bool immediate = false, final = false, read = false, write = false;
  std::uint8_t attribute = 0;
  std::uint64_t lun = 0;
  std::uint32_t task_tag = 0, expected_length = 0, cmd_sn = 0, exp_stat_sn = 0;
  std::array<std::byte, 16> cdb{};
  static ScsiCommand decode(const Header&);
  Header encode() const;
};

// RFC 7143 11.5.1, 11.6.1; 9 and more: RFC 7144.
enum class TaskManagementFunction : std::uint8_t {
  kAbortTask = 1,
  kAbortTaskSet = 2,
  kClearAca = 3,
  kClearTaskSet = 4,
  kLogicalUnitReset = 5,
  kTargetWarmReset = 6,
  kTargetColdReset = 7,
  kTaskReassign = 8,
};
enum class TaskManagementCode : std::uint8_t {
  kComplete = 0,
  kNoSuchTask = 1,
  kNoSuchLun = 2,
  kStillAllegiant = 3,
  kReassignNotSupported = 4,
  kNotSupported = 5,
  kNotAuthorized = 6,
  kRejected = 255,
};

struct TaskManagementRequest {
  bool immediate = false;
  std::uint8_t function = 0;
  std::uint64_t lun = 0;
  std::uint32_t task_tag = 0, referenced_tag = kReservedTag;
  std::uint32_t cmd_sn = 0, exp_stat_sn = 0, ref_cmd_sn = 0, exp_data_sn = 0;
  static TaskManagementRequest decode(const Header&);
  Header encode() const;
};

enum class Stage : std::uint8_t { kSecurity = 0, kOperational = 1, kInvalid = 2, kFullFeature = 3 };

struct LoginRequest {
  bool immediate = true, transit = false, more = false;
  Stage current = Stage::kSecurity, next = Stage::kSecurity;
  std::uint8_t version_max = 0, version_min = 0;
  Isid isid{};
  std::uint16_t tsih = 0;
  std::uint32_t task_tag = 0;
  std::uint16_t connection_id = 0;
  std::uint32_t cmd_sn = 0, exp_stat_sn = 0;
  static LoginRequest decode(const Header&);
  Header encode() const;
};

struct TextRequest {
  bool immediate = false, final = false, more = false;
  std::uint64_t lun = 0;
  std::uint32_t task_tag = 0, transfer_tag = kReservedTag, cmd_sn = 0, exp_stat_sn = 0;
  static TextRequest decode(const Header&);
  Header encode() const;
};

struct DataOut {
  bool final = false;
  std::uint64_t lun = 0;
  std::uint32_t task_tag = 0, transfer_tag = kReservedTag, exp_stat_sn = 0, data_sn = 0, offset = 0;
  static DataOut decode(const Header&);
  Header encode() const;
};

struct LogoutRequest {
  bool immediate = false;
  std::uint8_t reason = 0;  // 0 close session, 1 close connection, 2 remove for recovery
  std::uint32_t task_tag = 0;
  std::uint16_t connection_id = 0;
  std::uint32_t cmd_sn = 0, exp_stat_sn = 0;
  static LogoutRequest decode(const Header&);
  Header encode() const;
};

// The numbers in every PDU that a target sends; the connection fills them in at the last moment.
struct Numbers {
  std::uint32_t stat_sn = 0, exp_cmd_sn = 0, max_cmd_sn = 0;
};

struct NopIn {
  std::uint64_t lun = 0;
  std::uint32_t task_tag = kReservedTag, transfer_tag = kReservedTag;
  Numbers numbers;
  static NopIn decode(const Header&);
  Header encode() const;
};

struct ScsiResponse {
  bool overflow = false, underflow = false;
  std::uint8_t response = 0;  // 0 completed at target, 1 target failure
  std::uint8_t status = 0;
  std::uint32_t task_tag = 0, exp_data_sn = 0, residual = 0;
  Numbers numbers;
  static ScsiResponse decode(const Header&);
  Header encode() const;
};

struct TaskManagementResponse {
  TaskManagementCode response = TaskManagementCode::kComplete;
  std::uint32_t task_tag = 0;
  Numbers numbers;
  static TaskManagementResponse decode(const Header&);
  Header encode() const;
};

struct LoginResponse {
  bool transit = false, more = false;
  Stage current = Stage::kSecurity, next = Stage::kSecurity;
  std::uint8_t version_max = 0, version_active = 0;
  Isid isid{};
  std::uint16_t tsih = 0;
  std::uint32_t task_tag = 0;
  Numbers numbers;
  std::uint16_t status = 0;  // class in the high byte, detail in the low one
  static LoginResponse decode(const Header&);
  Header encode() const;
};

struct TextResponse {
  bool final = false, more = false;
  std::uint64_t lun = 0;
  std::uint32_t task_tag = 0, transfer_tag = kReservedTag;
  Numbers numbers;
  static TextResponse decode(const Header&);
  Header encode() const;
};

struct DataIn {
  bool final = false, acknowledge = false, overflow = false, underflow = false, has_status = false;
  std::uint8_t status = 0;
  std::uint64_t lun = 0;
  std::uint32_t task_tag = 0, transfer_tag = kReservedTag;
  Numbers numbers;  // stat_sn: 0 without status
  std::uint32_t data_sn = 0, offset = 0, residual = 0;
  static DataIn decode(const Header&);
  Header encode() const;
};

struct LogoutResponse {
  std::uint8_t response =
      0;  // 0 closed, 1 CID not found, 2 recovery not supported, 3 cleanup failed
  std::uint32_t task_tag = 0;
  Numbers numbers;
  std::uint16_t time_to_wait = 0, time_to_retain = 0;
  static LogoutResponse decode(const Header&);
  Header encode() const;
};

struct R2t {
  std::uint64_t lun = 0;
  std::uint32_t task_tag = 0, transfer_tag = 0;
  Numbers numbers;
  std::uint32_t r2t_sn = 0, offset = 0, length = 0;
  static R2t decode(const Header&);
  Header encode() const;
};

enum class AsyncEvent : std::uint8_t {
  kScsi = 0,
  kLogoutRequest = 1,
  kDropConnection = 2,
  kDropSession = 3
};

struct AsyncMessage {
  std::uint64_t lun = 0;
  Numbers numbers;
  AsyncEvent event = AsyncEvent::kScsi;
  std::uint8_t vendor_code = 0;
  std::uint16_t parameter1 = 0, parameter2 = 0, parameter3 = 0;
  static AsyncMessage decode(const Header&);
  Header encode() const;
};

// RFC 7143 11.17.1
enum class RejectReason : std::uint8_t {
  kDataDigestError = 0x02,
  kSnackReject = 0x03,
  kProtocolError = 0x04,
  kNotSupported = 0x05,
  kTooManyImmediate = 0x06,
  kTaskInProgress = 0x07,
  kInvalidDataAck = 0x08,
  kInvalidField = 0x09,
};

struct Reject {
  RejectReason reason = RejectReason::kProtocolError;
  Numbers numbers;
  std::uint32_t data_sn = 0;
  static Reject decode(const Header&);
  Header encode() const;
};

// The numbers of a PDU that is otherwise encoded: bytes 24-35, alike in every PDU of a target.
void set_numbers(Header& h, const Numbers& numbers);

}  // namespace iscsi
