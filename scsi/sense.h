// Sense data as a full value: made by named constructors, encoded in one place (SPC-4 4.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "scsi/asc.h"

namespace scsi {

// SPC-4 4.5.6
enum class SenseKey : std::uint8_t {
  kNoSense = 0x0,
  kRecoveredError = 0x1,
  kNotReady = 0x2,
  kMediumError = 0x3,
  kHardwareError = 0x4,
  kIllegalRequest = 0x5,
  kUnitAttention = 0x6,
  kDataProtect = 0x7,
  kBlankCheck = 0x8,
  kAbortedCommand = 0xB,
  kVolumeOverflow = 0xD,
  kMiscompare = 0xE,
};

// Points at the field of the CDB or the parameter list that was refused (SPC-4 4.5.2.4.2).
struct FieldPointer {
  bool in_cdb = true;
  std::uint16_t byte = 0;
  std::optional<std::uint8_t> bit;  // most significant bit of the field
};

struct Sense {
  SenseKey key = SenseKey::kNoSense;
  Asc asc = Asc::kNoAdditionalSense;
  bool deferred = false;  // response code 71h: about an earlier command
  bool filemark = false;
  bool end_of_medium = false;
  bool incorrect_length = false;
  std::optional<std::int64_t> information;  // left out (VALID=0) where it does not fit 32 bits
  std::optional<FieldPointer> field;
  std::optional<std::uint16_t> progress;  // of 65536 (SPC-4 4.5.2.4.4)

  static Sense make(SenseKey key, Asc asc);
  static Sense illegal_request(Asc asc);
  static Sense invalid_field_in_cdb(std::uint16_t byte, std::optional<std::uint8_t> bit = {});
  static Sense invalid_field_in_parameter_list(std::uint16_t byte,
                                               std::optional<std::uint8_t> bit = {});
  static Sense parameter_list_length_error();
  static Sense not_ready(Asc asc);
  static Sense unit_attention(Asc asc);

  // Fixed format, 18 bytes. A tape drive never sends descriptor format: several clients reject it.
  std::vector<std::byte> encode_fixed() const;
  // For people: "5/24/00 invalid field in CDB, byte 2".
  std::string text() const;
};

}  // namespace scsi
