#include "scsi/inquiry.h"

#include <algorithm>

#include "scsi/check.h"

namespace scsi {
namespace {

constexpr std::uint8_t kBinary = 0x01, kAscii = 0x02, kUtf8 = 0x03;  // CODE SET
// PIV and ASSOCIATION over DESIGNATOR TYPE; iSCSI is protocol 5h, in the high half of the byte
// before.
constexpr std::uint8_t kIscsi = 0x50;
constexpr std::uint8_t kPort = 0x90, kDevice = 0xA0;

void add_designator(ByteBuilder& out, std::uint8_t code_set, std::uint8_t type, Bytes designator) {
  out.u8(code_set).u8(type).u8(0).u8(designator.size()).bytes(designator);
}

// A SCSI name string ends with a NUL and is padded to a multiple of four (SPC-4 7.8.6.11).
void add_name(ByteBuilder& out, std::uint8_t type, std::string_view name) {
  if (name.empty()) return;
  ByteBuilder padded;
  padded.bytes(as_bytes(name)).zeros(4 - name.size() % 4);
  add_designator(out, kIscsi | kUtf8, type, padded.view());
}

std::vector<std::byte> device_identification(const Identity& identity, Bytes t10) {
  ByteBuilder out;  // 83h, SPC-4 7.8.6
  const std::string plain = t10_identifier(identity);
  add_designator(out, kAscii, 0x01, t10.empty() ? as_bytes(plain) : t10);
  add_designator(out, kBinary, 0x03, std::as_bytes(std::span(identity.naa)));
  ByteBuilder number;
  number.u16(0).u16(identity.relative_target_port);
  add_designator(out, kIscsi | kBinary, kPort | 0x4, number.view());
  ByteBuilder group;
  group.u16(0).u16(identity.target_port_group);
  add_designator(out, kIscsi | kBinary, kPort | 0x5, group.view());
  add_name(out, kPort | 0x8, identity.target_port_name);
  add_name(out, kDevice | 0x8, identity.target_device_name);
  return out.take();
}

std::vector<std::byte> scsi_ports(const Identity& identity) {  // 88h, SPC-4 7.8.14
  ByteBuilder name;
  add_name(name, kPort | 0x8, identity.target_port_name);
  ByteBuilder out;
  out.u16(0).u16(identity.relative_target_port).u16(0).u16(0).u16(0).u16(name.size());
  out.bytes(name.view());
  return out.take();
}

std::vector<std::byte> extended_inquiry(const InquiryOptions& options) {  // 86h, SPC-4 7.8.7
  ByteBuilder out;
  out.u8(options.protect ? 0x08 : 0x00);  // SPT = 001b
  out.u8(0x01);                           // SIMPSUP
  out.zeros(58);
  return out.take();
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const Bytes view = as_bytes(text);
  return {view.begin(), view.end()};
}

}  // namespace

Inquiry::Inquiry(InquiryOptions options, Identity identity)
    : options_(std::move(options)), identity_(std::move(identity)) {
  pages_ = std::move(options_.pages);
  const auto add = [&](std::uint8_t code, std::function<std::vector<std::byte>()> body) {
    const auto same = [&](const VpdPage& page) { return page.code == code; };
    if (std::none_of(pages_.begin(), pages_.end(), same)) pages_.push_back({code, std::move(body)});
  };
  // Bodies are asked through a copy of what they need: this object may move.
  add(0x80, [serial = identity_.serial + options_.serial_suffix] { return bytes_of(serial); });
  add(0x83,
      [id = identity_, t10 = options_.t10_designator] { return device_identification(id, t10); });
  add(0x86, [body = extended_inquiry(options_)] { return body; });
  add(0x87, [] {  // one policy for every page: shared (SPC-4 7.8.9)
    return std::vector<std::byte>{std::byte{0x3F}, std::byte{0xFF}, std::byte{0}, std::byte{0}};
  });
  add(0x88, [id = identity_] { return scsi_ports(id); });
  std::sort(pages_.begin(), pages_.end(),
            [](const VpdPage& a, const VpdPage& b) { return a.code < b.code; });
  std::vector<std::byte> codes = {std::byte{0}};
  for (const VpdPage& page : pages_) codes.push_back(std::byte{page.code});
  pages_.insert(pages_.begin(), {0x00, [codes] { return codes; }});
}

std::vector<std::byte> Inquiry::standard() const {  // SPC-4 6.6.2
  const std::size_t length = options_.standard_length;
  VTL_CHECK(options_.version_descriptors.size() <= 8 && options_.vendor_specific.size() <= 20);
  ByteBuilder out;
  out.u8(options_.device_type);
  out.u8(0x80);  // RMB
  out.u8(options_.version);
  out.u8(0x02);  // response data format
  out.u8(length - 5);
  out.u8(options_.protect ? 0x01 : 0x00);
  out.u8(0x10);  // MULTIP
  out.u8(0x02);  // CMDQUE
  out.ascii(identity_.vendor, 8).ascii(identity_.product, 16).ascii(identity_.revision, 4);
  out.bytes(options_.vendor_specific).zeros(58 - out.size());
  for (const std::uint16_t version : options_.version_descriptors) out.u16(version);
  out.zeros(length - out.size());
  return out.take();
}

std::optional<std::vector<std::byte>> Inquiry::vpd(std::uint8_t code) const {
  for (const VpdPage& page : pages_) {
    if (page.code != code) continue;
    const std::vector<std::byte> body = page.body();
    ByteBuilder out;
    out.u8(options_.device_type).u8(code).u16(body.size()).bytes(body);
    return out.take();
  }
  return {};
}

}  // namespace scsi
