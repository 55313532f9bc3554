// Who a logical unit says it is, in INQUIRY and VPD. Names of the transport come in as opaque text.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace scsi {

struct Identity {
  std::string vendor;    // at most 8 characters
  std::string product;   // at most 16
  std::string revision;  // 4
  std::string serial;    // drives: exactly 10, the same in VPD 80h, 83h and the changer's DVCID
  std::array<std::uint8_t, 8> naa{};  // NAA 5h or 3h; first nibble says which
  std::string target_device_name;     // SCSI name string of the target device ("iqn...")
  std::string target_port_name;       // of the target port ("iqn...,t,0x0001")
  std::uint16_t relative_target_port = 1;
  std::uint16_t target_port_group = 1;
};

// vendor(8) product(16) serial(10), space padded: the T10 designator of VPD 83h and the changer's
// DVCID.
std::string t10_identifier(const Identity& identity);

}  // namespace scsi
