// Element status data (SMC-3 6.12): selecting elements and encoding what READ ELEMENT STATUS and
// REQUEST VOLUME ELEMENT ADDRESS return. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "scsi/bytes.h"
#include "scsi/smc/inventory.h"

namespace scsi::smc {

using ElementSelection = std::vector<const Element*>;

// What the bar code reader tells of an element: at most `characters` of the label, nothing of an
// empty element or of a cartridge without a label.
std::string_view volume_tag(const Element& element, std::size_t characters);

// The elements of a type (0: of every type) at `first` and above, at most `number`, ascending by
// address. With every type the pages then follow each other by address too, so a client that pages
// on with last + 1 meets each element once. `elements` ascends by address.
ElementSelection select_elements(std::span<const Element> elements, std::uint8_t type,
                                 std::uint16_t first, std::uint16_t number);

struct ElementStatusFormat {
  bool volume_tags = false;         // VOLTAG: a primary volume tag in each descriptor
  bool device_identifiers = false;  // DVCID: drives bring their 34-byte T10 designator
  std::uint8_t send_action = 0;     // REQUEST VOLUME ELEMENT ADDRESS: what the search was
  std::size_t tag_characters = kVolumeTagCharacters;  // of a barcode that are told
};

// Header, and one page for each run of elements of one type. Encodes no more than needed for the
// first `allocation_length` bytes; counts and lengths always describe the whole answer.
std::vector<std::byte> element_status(const ElementSelection& selection,
                                      const ElementStatusFormat& format,
                                      std::uint32_t allocation_length);

}  // namespace scsi::smc
