// MODE SELECT: the whole parameter list is read and judged before any of it is applied (SPC-4 6.9).
#include <algorithm>

#include "scsi/bytes.h"
#include "scsi/mode_pages.h"

namespace scsi {
namespace {

std::uint8_t highest_bit(unsigned bits) {
  std::uint8_t bit = 7;
  while ((bits >> bit & 1u) == 0) --bit;
  return bit;
}

Sense refused_at(std::size_t offset, std::optional<std::uint8_t> bit = {}) {
  return Sense::invalid_field_in_parameter_list(static_cast<std::uint16_t>(offset), bit);
}

}  // namespace

std::uint32_t ModePages::select_length(Bytes cdb) {
  ByteReader reader(cdb);
  const bool ten = reader.u8() == 0x55;
  reader.skip(ten ? 6 : 3);
  return ten ? reader.u16() : reader.u8();
}

// The mode data length is reserved here, and the medium type and WP are what the client read: all
// three are ignored.
std::optional<Sense> ModePages::read_header(Bytes list, bool ten, Selecting& selecting,
                                            std::size_t& offset) const {
  const std::size_t header_length = ten ? 8 : 4;
  if (list.size() < header_length) return Sense::parameter_list_length_error();
  ByteReader reader(list);
  reader.skip(ten ? 3 : 2);
  const std::uint8_t device_specific = reader.u8();
  if (ten && (reader.u8() & 1) != 0) return refused_at(4, 0);  // LONGLBA
  if (ten) reader.skip(1);
  const std::uint16_t descriptor_length = ten ? reader.u16() : reader.u8();
  if (descriptor_length != 0 && (descriptor_length != 8 || !options_.block_descriptor))
    return refused_at(ten ? 6 : 3);
  if (list.size() < header_length + descriptor_length) return Sense::parameter_list_length_error();

  if (options_.block_descriptor) {
    const std::size_t at = ten ? 3 : 2;
    const std::uint8_t buffered_mode = device_specific >> 4 & 7;
    if (buffered_mode > 1) return refused_at(at, 6);
    if ((device_specific & 0x0F) != 0) return refused_at(at, 3);  // SPEED: only the default
    selecting.header.buffered_mode = buffered_mode;
  }
  if (descriptor_length == 8) {
    const std::uint8_t density = reader.u8();
    const std::uint32_t blocks = reader.u24();
    reader.skip(1);
    const std::uint32_t block_length = reader.u24();
    const bool same = options_.medium && density == options_.medium().density;
    // 00h is the default and 7Fh no change: both leave the density to the cartridge (SSC-4 8.3.2).
    if (density != 0x00 && density != 0x7F && !same) return refused_at(header_length);
    if (blocks != 0 && blocks != 0xFF'FFFF) return refused_at(header_length + 1);
    if (block_length > options_.max_block_length) return refused_at(header_length + 5);
    selecting.header.block_length = block_length;
  }
  offset = header_length + descriptor_length;
  return {};
}

std::optional<Sense> ModePages::read_page(NexusId nexus, Bytes list, Selecting& selecting,
                                          std::size_t& offset) {
  ByteReader reader(list.subspan(offset));
  const std::uint8_t first = reader.u8();  // PS (bit 7) is what the client read
  const bool subpage_format = (first & 0x40) != 0;
  const std::uint8_t subpage = subpage_format ? reader.u8() : 0;
  const std::uint16_t length = subpage_format ? reader.u16() : reader.u8();
  if (!reader.ok()) return Sense::parameter_list_length_error();

  Page* page = subpage_format && subpage == 0 ? nullptr : find(first & 0x3F, subpage);
  if (page == nullptr)
    return subpage_format && !asked_for(first & 0x3F, 0xFF).empty() ? refused_at(offset + 1)
                                                                    : refused_at(offset, 5);
  const ModePage& description = page->description;
  const std::uint16_t shortest =
      description.shortest_select != 0 ? description.shortest_select : description.length;
  if (length > description.length || length < shortest)
    return refused_at(offset + (subpage_format ? 2 : 1));
  const std::size_t start = reader.position();
  const Bytes given = reader.bytes(length);
  if (!reader.ok()) return Sense::parameter_list_length_error();

  const auto earlier =  // the same page twice in a list: the second is on top of the first
      std::find_if(selecting.changes.begin(), selecting.changes.end(),
                   [&](const Change& change) { return change.page == page; });
  Change change{page,
                earlier != selecting.changes.end() ? earlier->settings : settings_of(*page, nexus)};
  const auto as_shown = [&](std::vector<std::byte> settings) {
    if (description.current) description.current(nexus, settings);
    return settings;
  };
  std::vector<std::byte> proposed = as_shown(change.settings);
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::size_t at = start + i;
    const std::byte mask = page->changeable[at];
    const std::byte extra = (given[i] ^ proposed[at]) & ~mask;
    if (extra != std::byte{0} && !description.ignore_unchangeable)
      return refused_at(offset + at, highest_bit(std::to_integer<unsigned>(extra)));
    proposed[at] = (proposed[at] & ~mask) | (given[i] & mask);
    change.settings[at] = (change.settings[at] & ~mask) | (given[i] & mask);
  }
  change.differs = proposed != as_shown(settings_of(*page, nexus));
  if (description.validate) {
    std::optional<Sense> refused = description.validate(nexus, proposed);
    if (refused) {
      if (refused->field)
        refused->field->byte = static_cast<std::uint16_t>(refused->field->byte + offset);
      return refused;
    }
  }
  change.proposed = std::move(proposed);
  if (earlier != selecting.changes.end())
    *earlier = std::move(change);
  else
    selecting.changes.push_back(std::move(change));
  offset += start + length;
  return {};
}

ModePages::Selected ModePages::select(NexusId nexus, Bytes cdb, Bytes list) {
  if (list.empty()) return {};  // SPC-4 6.9: not an error
  VTL_CHECK(list.size() <= 0xFFFF);
  ByteReader reader(cdb);
  const bool ten = reader.u8() == 0x55;
  const bool page_format = (reader.u8() & 0x10) != 0;

  Selecting selecting;
  selecting.header = header_;
  std::size_t offset = 0;
  if (auto refused = read_header(list, ten, selecting, offset)) return {std::move(refused)};
  if (!page_format && offset != list.size()) return {Sense::invalid_field_in_cdb(1, 4)};
  while (offset < list.size())
    if (auto refused = read_page(nexus, list, selecting, offset)) return {std::move(refused)};

  Selected selected;
  selected.shared_changed = !(selecting.header == header_);
  header_ = selecting.header;
  for (const Change& change : selecting.changes) {
    const bool shared = change.page->description.scope == ModePage::Scope::kShared;
    if (shared && change.differs) selected.shared_changed = true;
    (shared ? change.page->settings : change.page->per_nexus[nexus]) = change.settings;
  }
  for (const Change& change : selecting.changes) {
    const ModePage& page = change.page->description;
    if (page.changed && change.differs) page.changed(nexus, settings_of(*change.page, nexus));
    if (page.selected) page.selected(nexus, change.proposed);
  }
  return selected;
}

}  // namespace scsi
