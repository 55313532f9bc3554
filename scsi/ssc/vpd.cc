// INQUIRY data that is a tape drive's own: VPD pages B0h to B5h (SSC-4).
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

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
  out.protect = !protection_methods().empty();
  if (out.protect) out.pages.push_back(protection_vpd());
  return out;
}

}  // namespace scsi::ssc
