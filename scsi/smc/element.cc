#include "scsi/smc/element.h"

#include <algorithm>

#include "scsi/asc.h"

namespace scsi::smc {
namespace {

constexpr std::size_t kPageHeaderLength = 8;
constexpr std::size_t kPlainDescriptorLength = 16;  // with an empty identifier
constexpr std::size_t kVolumeTagLength =
    36;  // SMC-3 table 5: 32 characters, 2 reserved, 2 sequence
constexpr std::size_t kDriveIdentifierLength = 34;

// Byte 2 of a descriptor (SMC-3 tables 44 to 52).
constexpr std::uint8_t kFull = 0x01;
constexpr std::uint8_t kImpExp = 0x02;
constexpr std::uint8_t kExcept = 0x04;
constexpr std::uint8_t kAccess = 0x08;
constexpr std::uint8_t kExEnab = 0x10;
constexpr std::uint8_t kInEnab = 0x20;

constexpr std::uint8_t kSValid = 0x80;  // byte 9

std::uint8_t flags_of(const Element& e) {
  std::uint8_t flags = e.full ? kFull : 0;
  if (e.exception) flags |= kExcept;
  if (e.type == ElementType::kTransport) return flags;
  if (e.accessible) flags |= kAccess;
  if (e.type == ElementType::kImportExport) {
    flags |= kInEnab | kExEnab;
    if (e.full && e.placed_by_operator) flags |= kImpExp;
  }
  return flags;
}

// SMC-3 table 46: 1 data, 2 cleaning, 4 WORM; 0 unspecified.
std::uint8_t medium_type_of(const Element& e) {
  if (!e.full) return 0;
  if (e.cleaning) return 2;
  return e.worm ? 4 : 1;
}

bool shows_identifier(const Element& e, const ElementStatusFormat& format) {
  return format.device_identifiers && e.type == ElementType::kDrive;
}

std::size_t descriptor_length(const Element& e, const ElementStatusFormat& format) {
  return kPlainDescriptorLength + (format.volume_tags ? kVolumeTagLength : 0) +
         (shows_identifier(e, format) ? kDriveIdentifierLength : 0);
}

void append_descriptor(ByteBuilder& out, const Element& e, const ElementStatusFormat& format) {
  const bool source_valid = e.full && e.source.has_value();
  out.u16(e.address).u8(flags_of(e)).u8(0);
  // What a MOVE MEDIUM of it into a drive would end with.
  out.u16(static_cast<std::uint16_t>(e.exception ? Asc::kMediaLoadOrEjectFailed
                                                 : Asc::kNoAdditionalSense));
  out.zeros(3);
  out.u8((source_valid ? kSValid : 0u) | medium_type_of(e));
  out.u16(source_valid ? *e.source : 0);
  if (format.volume_tags) {
    out.ascii(volume_tag(e, format.tag_characters), kVolumeTagCharacters);
    out.zeros(kVolumeTagLength - kVolumeTagCharacters);
  }
  if (shows_identifier(e, format)) {
    out.u8(0x02).u8(0x01).u8(0).u8(kDriveIdentifierLength);  // ASCII, T10 vendor id based
    out.ascii(e.drive_identifier, kDriveIdentifierLength);
  } else {
    out.zeros(4);
  }
}

}  // namespace

std::string_view volume_tag(const Element& element, std::size_t characters) {
  if (!element.full || !element.labelled) return {};
  return std::string_view(element.barcode).substr(0, characters);
}

ElementSelection select_elements(std::span<const Element> elements, std::uint8_t type,
                                 std::uint16_t first, std::uint16_t number) {
  const auto begin =
      std::lower_bound(elements.begin(), elements.end(), first,
                       [](const Element& e, std::uint16_t address) { return e.address < address; });
  ElementSelection selection;
  for (auto it = begin; it != elements.end() && selection.size() < number; ++it)
    if (type == 0 || static_cast<std::uint8_t>(it->type) == type) selection.push_back(&*it);
  return selection;
}

std::vector<std::byte> element_status(const ElementSelection& selection,
                                      const ElementStatusFormat& format,
                                      std::uint32_t allocation_length) {
  struct Page {
    std::size_t begin, end;
    std::size_t descriptor_bytes;  // of one descriptor
    std::size_t bytes() const { return (end - begin) * descriptor_bytes; }
  };
  std::vector<Page> pages;
  std::size_t byte_count = 0;
  for (std::size_t i = 0; i < selection.size();) {
    std::size_t end = i + 1;
    while (end < selection.size() && selection[end]->type == selection[i]->type) ++end;
    pages.push_back({i, end, descriptor_length(*selection[i], format)});
    byte_count += kPageHeaderLength + pages.back().bytes();
    i = end;
  }

  ByteBuilder out;
  out.u16(selection.empty() ? 0 : selection.front()->address).u16(selection.size());
  out.u8(format.send_action).u24(byte_count);
  for (const Page& page : pages) {
    if (out.size() >= allocation_length) break;
    out.u8(static_cast<std::uint8_t>(selection[page.begin]->type));
    out.u8(format.volume_tags ? 0x80 : 0x00).u16(page.descriptor_bytes).u8(0).u24(page.bytes());
    for (std::size_t i = page.begin; i < page.end && out.size() < allocation_length; ++i)
      append_descriptor(out, *selection[i], format);
  }
  return out.take();
}

}  // namespace scsi::smc
