#include "scsi/mode_pages.h"

#include <algorithm>

#include "scsi/bytes.h"

namespace scsi {
namespace {

std::size_t header_size(const ModePage& page) { return page.subpage == 0 ? 2 : 4; }

std::vector<std::byte> expand(const ModePage& page, const std::vector<ByteAt>& values) {
  ByteBuilder out;
  if (page.subpage == 0)
    out.u8(page.page).u8(page.length);
  else
    out.u8(0x40u | page.page).u8(page.subpage).u16(page.length);
  out.zeros(page.length);
  std::vector<std::byte> bytes = out.take();
  for (const ByteAt& value : values) {
    VTL_CHECK(value.offset >= header_size(page) && value.offset < bytes.size());
    bytes[value.offset] = std::byte{value.value};
  }
  return bytes;
}

// Page 00h has no format of its own and comes last (SPC-4 6.9.1, table 3Fh).
int order(const ModePage& page) { return (page.page == 0 ? 0x40 : page.page) << 8 | page.subpage; }

}  // namespace

ModePages::ModePages(ModeOptions options) : options_(std::move(options)) {
  for (ModePage& description : options_.pages) {
    VTL_CHECK(description.page < 0x3F && description.subpage != 0xFF);
    VTL_CHECK(description.subpage != 0 || description.length <= 0xFF);
    Page page;
    page.defaults = page.settings = expand(description, description.defaults);
    page.changeable = expand(description, description.changeable);
    page.description = std::move(description);
    pages_.push_back(std::move(page));
  }
  options_.pages.clear();
  std::sort(pages_.begin(), pages_.end(), [](const Page& a, const Page& b) {
    return order(a.description) < order(b.description);
  });
}

const ModePages::Page* ModePages::find(std::uint8_t page, std::uint8_t subpage) const {
  for (const Page& candidate : pages_)
    if (candidate.description.page == page && candidate.description.subpage == subpage)
      return &candidate;
  return nullptr;
}

ModePages::Page* ModePages::find(std::uint8_t page, std::uint8_t subpage) {
  return const_cast<Page*>(std::as_const(*this).find(page, subpage));
}

const std::vector<std::byte>& ModePages::settings_of(const Page& page, NexusId nexus) {
  const auto own = page.per_nexus.find(nexus);
  return own == page.per_nexus.end() ? page.settings : own->second;
}

Bytes ModePages::value(std::uint8_t page, std::uint8_t subpage, NexusId nexus) const {
  const Page* found = find(page, subpage);
  VTL_CHECK(found != nullptr);
  return settings_of(*found, nexus);
}

std::uint8_t ModePages::value_byte(std::uint8_t page, std::uint8_t subpage, std::size_t offset,
                                   NexusId nexus) const {
  const Bytes bytes = value(page, subpage, nexus);
  VTL_CHECK(offset < bytes.size());
  return std::to_integer<std::uint8_t>(bytes[offset]);
}

void ModePages::set_byte(std::uint8_t page, std::uint8_t subpage, std::size_t offset,
                         std::uint8_t byte, NexusId nexus) {
  Page* found = find(page, subpage);
  VTL_CHECK(found != nullptr && offset < found->settings.size());
  if (found->description.scope == ModePage::Scope::kShared) {
    found->settings[offset] = std::byte{byte};
    return;
  }
  const auto own = found->per_nexus.emplace(nexus, found->settings).first;
  own->second[offset] = std::byte{byte};
}

void ModePages::restore(std::uint8_t page, std::uint8_t subpage) {
  Page* found = find(page, subpage);
  VTL_CHECK(found != nullptr);
  found->settings = found->defaults;
}

void ModePages::reset() {
  header_ = {};
  for (Page& page : pages_) {
    page.settings = page.defaults;
    page.per_nexus.clear();
  }
}

void ModePages::nexus_lost(NexusId nexus) {
  for (Page& page : pages_) page.per_nexus.erase(nexus);
}

// --- MODE SENSE ---

std::vector<std::byte> ModePages::shown(const Page& page, NexusId nexus,
                                        std::uint8_t page_control) const {
  if (page_control == 1) return page.changeable;
  std::vector<std::byte> bytes = page_control == 2 ? page.defaults : settings_of(page, nexus);
  if (page.description.current) page.description.current(nexus, bytes);
  return bytes;
}

// SPC-4 table 97: page 3Fh is every page; subpage FFh every subpage.
std::vector<const ModePages::Page*> ModePages::asked_for(std::uint8_t page,
                                                         std::uint8_t subpage) const {
  std::vector<const Page*> out;
  for (const Page& candidate : pages_)
    if ((page == 0x3F || candidate.description.page == page) &&
        (subpage == 0xFF || candidate.description.subpage == subpage))
      out.push_back(&candidate);
  return out;
}

std::variant<std::vector<std::byte>, Sense> ModePages::sense(NexusId nexus, Bytes cdb) const {
  ByteReader reader(cdb);
  const bool ten = reader.u8() == 0x5A;
  const bool with_descriptor = (reader.u8() & 0x08) == 0 && options_.block_descriptor;
  const std::uint8_t third = reader.u8();
  const std::uint8_t page_control = third >> 6;
  const std::uint8_t code = third & 0x3F;
  const std::uint8_t subpage = reader.u8();

  if (page_control == 3) return Sense::illegal_request(Asc::kSavingParametersNotSupported);
  if (code == 0x3F && subpage != 0 && subpage != 0xFF) return Sense::invalid_field_in_cdb(3);
  std::vector<const Page*> pages = asked_for(code, subpage);
  // Page 00h is asked for to get header and descriptor: st, Windows. It need not exist.
  if (pages.empty() && (code != 0 || (subpage != 0 && subpage != 0xFF)))
    return asked_for(code, 0xFF).empty() && code != 0 ? Sense::invalid_field_in_cdb(2, 5)
                                                      : Sense::invalid_field_in_cdb(3);

  const ModeMedium medium = options_.medium ? options_.medium() : ModeMedium{};
  const Header header = page_control == 2 ? Header{} : header_;
  const unsigned device_specific =
      options_.block_descriptor
          ? (medium.write_protected ? 0x80u : 0u) | unsigned{header.buffered_mode} << 4
          : 0u;
  const auto build = [&] {
    ByteBuilder out;
    if (ten)
      out.u16(0).u8(medium.medium_type).u8(device_specific).u16(0).u16(with_descriptor ? 8 : 0);
    else
      out.u8(0).u8(medium.medium_type).u8(device_specific).u8(with_descriptor ? 8 : 0);
    if (with_descriptor) out.u8(medium.density).u24(0).u8(0).u24(header.block_length);
    for (const Page* page : pages) out.bytes(shown(*page, nexus, page_control));
    return out;
  };
  ByteBuilder out = build();
  if (!ten && out.size() > 256 && subpage == 0xFF) {
    // Too much for a length of one byte: first the subpages go, then what is beyond it.
    std::erase_if(pages, [](const Page* page) { return page->description.subpage != 0; });
    out = build();
  }
  const std::size_t width = ten ? 2 : 1;
  out.patch(0, ten ? out.size() - 2 : std::min<std::size_t>(out.size() - 1, 255), width);
  std::vector<std::byte> data = out.take();
  if (!ten && data.size() > 256) data.resize(256);
  return data;
}

}  // namespace scsi
