// INQUIRY data that is a tape drive's own: VPD pages B0h to B5h (SSC-4), and what its family has
// beside them.
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

// HP's page of a component: name(26), version(19), date(24), variant(23). All that there is to tell
// is which firmware this is.
std::vector<std::byte> component_version(const ComponentPage& page, std::string_view revision) {
  const bool firmware = page.component == "Firmware";
  ByteBuilder out;
  out.ascii(page.component, 26).ascii(firmware ? revision : "", 19).ascii("", 24).ascii("", 23);
  return out.take();
}

}  // namespace

InquiryOptions TapeDrive::Impl::inquiry_options() {
  const auto text = [](std::string value) {
    return [value = std::move(value)] {
      const Bytes bytes = as_bytes(value);
      return std::vector<std::byte>(bytes.begin(), bytes.end());
    };
  };
  InquiryOptions out;
  out.device_type = 0x01;
  out.version = 0x06;
  // SAM-5, SPC-4, SSC-4, iSCSI.
  out.version_descriptors = {0x00A0, 0x0460, 0x0520, 0x0960};
  // Sequential-access device capabilities: the drive can handle WORM cartridges.
  out.pages.push_back({0xB0, [this] {
                         const bool worm = generation.medium_type_worm != 0;
                         return ByteBuilder().u8(worm).u8(0).take();
                       }});
  out.pages.push_back({0xB1, text(options.identity.serial)});
  // TapeAlert supported flags: flag 1 is the most significant bit.
  out.pages.push_back({0xB2, [] {
                         std::uint64_t flags = 0;
                         for (const std::uint8_t flag : alert::kAll)
                           flags |= std::uint64_t{1} << (64 - flag);
                         return ByteBuilder().u64(flags).take();
                       }});
  if (!options.library_serial.empty()) {
    out.pages.push_back({0xB3, text(options.library_serial)});
    out.pages.push_back(
        {0xB4, [this] { return ByteBuilder().u16(options.element_address).take(); }});
  }
  if (family.worm_in_inquiry && generation.medium_type_worm != 0) {
    out.vendor_specific.resize(20);
    out.vendor_specific[40 - 36] = std::byte{0x01};
  }
  if (family.management_address)
    out.pages.push_back({0x85, [] { return std::vector<std::byte>(); }});
  for (const ComponentPage& page : family.components)
    out.pages.push_back({page.code, [&page, revision = options.identity.revision] {
                           return component_version(page, revision);
                         }});
  out.protect = !protection_methods().empty();
  if (out.protect) out.pages.push_back(protection_vpd());
  return out;
}

}  // namespace scsi::ssc
