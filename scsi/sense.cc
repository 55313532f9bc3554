#include "scsi/sense.h"

#include <cstdio>
#include <limits>

#include "scsi/bytes.h"

namespace scsi {

Sense Sense::make(SenseKey key, Asc asc) {
  Sense sense;
  sense.key = key;
  sense.asc = asc;
  return sense;
}

Sense Sense::illegal_request(Asc asc) { return make(SenseKey::kIllegalRequest, asc); }

Sense Sense::invalid_field_in_cdb(std::uint16_t byte, std::optional<std::uint8_t> bit) {
  Sense sense = illegal_request(Asc::kInvalidFieldInCdb);
  sense.field = FieldPointer{true, byte, bit};
  return sense;
}

Sense Sense::invalid_field_in_parameter_list(std::uint16_t byte, std::optional<std::uint8_t> bit) {
  Sense sense = illegal_request(Asc::kInvalidFieldInParameterList);
  sense.field = FieldPointer{false, byte, bit};
  return sense;
}

Sense Sense::parameter_list_length_error() {
  return illegal_request(Asc::kParameterListLengthError);
}

Sense Sense::not_ready(Asc asc) { return make(SenseKey::kNotReady, asc); }

Sense Sense::unit_attention(Asc asc) { return make(SenseKey::kUnitAttention, asc); }

std::vector<std::byte> Sense::encode_fixed() const {
  const bool valid = information && *information >= std::numeric_limits<std::int32_t>::min() &&
                     *information <= std::numeric_limits<std::uint32_t>::max();
  ByteBuilder out;
  out.u8((valid ? 0x80u : 0u) | (deferred ? 0x71u : 0x70u));
  out.u8(0);
  out.u8((filemark ? 0x80u : 0u) | (end_of_medium ? 0x40u : 0u) | (incorrect_length ? 0x20u : 0u) |
         static_cast<unsigned>(key));
  out.u32(valid ? static_cast<std::uint32_t>(*information) : 0);
  out.u8(10);  // additional length
  out.u32(0);  // command-specific information
  out.u8(asc_of(asc)).u8(ascq_of(asc)).u8(0);
  if (field) {  // SPC-4 4.5.2.4.2
    out.u8(0x80u | (field->in_cdb ? 0x40u : 0u) | (field->bit ? 0x08u | (*field->bit & 7u) : 0u));
    out.u16(field->byte);
  } else if (progress) {  // SPC-4 4.5.2.4.4
    out.u8(0x80).u16(*progress);
  } else {
    out.zeros(3);
  }
  return out.take();
}

std::string Sense::text() const {
  char code[16];
  std::snprintf(code, sizeof code, "%X/%02X/%02X ", static_cast<unsigned>(key), asc_of(asc),
                ascq_of(asc));
  std::string out = code;
  out += asc_text(asc);
  if (deferred) out += ", deferred";
  if (filemark) out += ", filemark";
  if (end_of_medium) out += ", end of medium";
  if (incorrect_length) out += ", incorrect length";
  if (information) out += ", information " + std::to_string(*information);
  if (field) {
    out += ", byte " + std::to_string(field->byte);
    if (field->bit) out += " bit " + std::to_string(*field->bit);
  }
  return out;
}

}  // namespace scsi
