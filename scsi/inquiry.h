// INQUIRY: standard data and vital product data pages (SPC-4 6.6, 7.8). A device gives its type,
// its Identity and the pages that are its own; pages 00h, 80h, 83h, 86h, 87h and 88h are made here,
// unless the device brings one of the same code.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "scsi/bytes.h"
#include "scsi/identity.h"

namespace scsi {

struct VpdPage {
  std::uint8_t code;
  // The bytes after the four of the header, made anew for each request.
  std::function<std::vector<std::byte>()> body;
};

struct InquiryOptions {
  std::uint8_t device_type = 0x01;  // 01h sequential access, 08h medium changer
  std::uint8_t version = 0x06;      // SPC-4
  bool protect = false;             // byte 5 bit 0: logical block protection is offered
  std::vector<std::uint16_t> version_descriptors;  // at most 8
  std::vector<std::byte> vendor_specific;          // bytes 36-55, at most 20
  std::vector<VpdPage> pages;
  std::size_t standard_length = 96;  // of the standard data: 58, or 96
  // Where a family's own form is asked for: behind the serial number in page 80h, and instead of
  // vendor(8) product(16) serial in page 83h.
  std::string serial_suffix;
  std::vector<std::byte> t10_designator;
};

class Inquiry {
 public:
  Inquiry(InquiryOptions options, Identity identity);

  std::vector<std::byte> standard() const;
  // The whole page with its header; nothing if there is no such page.
  std::optional<std::vector<std::byte>> vpd(std::uint8_t code) const;
  const Identity& identity() const { return identity_; }

 private:
  InquiryOptions options_;
  Identity identity_;
  std::vector<VpdPage> pages_;  // ascending by code, 00h first
};

}  // namespace scsi
