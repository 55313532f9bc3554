#include "scsi/log_pages.h"

#include <algorithm>

#include "scsi/bytes.h"

namespace scsi {

LogParameter LogParameter::number(std::uint16_t code, std::uint8_t control, std::uint64_t value,
                                  std::size_t width) {
  VTL_CHECK(width >= 1 && width <= 8);
  const std::uint64_t most = ~std::uint64_t{0} >> (8 * (8 - width));
  value = std::min(value, most);
  LogParameter parameter{code, control, std::vector<std::byte>(width)};
  for (std::size_t i = 0; i < width; ++i)
    parameter.value[i] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
  return parameter;
}

LogParameter LogParameter::text(std::uint16_t code, std::string_view value, std::size_t width) {
  ByteBuilder out;
  out.ascii(value, width);
  return {code, kAsciiList, out.take()};
}

LogPages::LogPages(std::vector<LogPage> pages) : pages_(std::move(pages)) {
  const auto key = [](const LogPage& page) { return page.page << 8 | page.subpage; };
  std::sort(pages_.begin(), pages_.end(),
            [&](const LogPage& a, const LogPage& b) { return key(a) < key(b); });
  for (const LogPage& page : pages_) VTL_CHECK(page.page != 0 && page.page < 0x3F);
}

// SPC-4 7.3.3 and 7.3.4
std::vector<std::byte> LogPages::supported(bool with_subpages) const {
  ByteBuilder out;
  if (with_subpages) {
    out.u8(0x40).u8(0xFF).u16(0);
    out.u16(0x0000).u16(0x00FF);
    for (const LogPage& page : pages_) out.u8(page.page).u8(page.subpage);
  } else {
    out.u8(0).u8(0).u16(0);
    out.u8(0);
    for (const LogPage& page : pages_)
      if (page.subpage == 0) out.u8(page.page);
  }
  out.patch(2, out.size() - 4, 2);
  return out.take();
}

std::variant<std::vector<std::byte>, Sense> LogPages::sense(NexusId nexus, Bytes cdb) const {
  ByteReader reader(cdb);
  reader.skip(2);
  const std::uint8_t code = reader.u8() & 0x3F;  // PC: current values, whichever were asked for
  const std::uint8_t subpage = reader.u8();
  reader.skip(1);
  const std::uint16_t pointer = reader.u16();
  const std::uint16_t allocation_length = reader.u16();
  if (code == 0 && (subpage == 0 || subpage == 0xFF)) {
    if (pointer != 0) return Sense::invalid_field_in_cdb(5);
    return supported(subpage == 0xFF);
  }
  const LogPage* found = nullptr;
  bool page_known = code == 0;
  for (const LogPage& page : pages_) {
    page_known = page_known || page.page == code;
    if (page.page == code && page.subpage == subpage) found = &page;
  }
  if (found == nullptr)
    return page_known ? Sense::invalid_field_in_cdb(3) : Sense::invalid_field_in_cdb(2, 5);

  ByteBuilder out;
  out.u8(code | (subpage != 0 ? 0x40u : 0u)).u8(subpage).u16(0);
  const std::vector<LogParameter> parameters = found->parameters(nexus);
  std::optional<std::uint16_t> last_whole;
  for (const LogParameter& parameter : parameters) {
    if (parameter.code < pointer) continue;
    VTL_CHECK(parameter.value.size() <= 0xFF);
    out.u16(parameter.code).u8(parameter.control).u8(parameter.value.size()).bytes(parameter.value);
    if (out.size() <= allocation_length) last_whole = parameter.code;
  }
  // SPC-4 6.7: a pointer beyond the last parameter.
  if (out.size() == 4 && pointer != 0) return Sense::invalid_field_in_cdb(5);
  out.patch(2, out.size() - 4, 2);
  if (last_whole && found->told) found->told(nexus, pointer, *last_whole);
  return out.take();
}

std::uint32_t LogPages::select_length(Bytes cdb) {
  ByteReader reader(cdb);
  reader.skip(7);
  return reader.u16();
}

LogPages::Selected LogPages::select(Bytes cdb, Bytes list) {
  ByteReader reader(cdb);
  reader.skip(1);
  const bool reset = (reader.u8() & 0x02) != 0;  // PCR
  const std::uint8_t code = reader.u8() & 0x3F;
  const std::uint8_t subpage = reader.u8();
  if (!list.empty()) {
    // SPC-4 6.6: PCR with a list is an error; and no parameter of any page can be set.
    if (reset) return {Sense::invalid_field_in_cdb(1, 1)};
    return {Sense::illegal_request(Asc::kParameterNotSupported)};
  }
  const bool all = code == 0 && (subpage == 0 || subpage == 0xFF);
  bool found = all;
  for (const LogPage& page : pages_)
    found = found || (page.page == code && (page.subpage == subpage || subpage == 0xFF));
  if (!found) return {Sense::invalid_field_in_cdb(2, 5)};
  if (!reset) return {};
  Selected selected;
  for (LogPage& page : pages_) {
    if (!all && (page.page != code || (page.subpage != subpage && subpage != 0xFF))) continue;
    if (!page.reset) continue;
    page.reset();
    selected.changed = true;
  }
  return selected;
}

}  // namespace scsi
