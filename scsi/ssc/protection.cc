// Logical block protection (SSC-5): what is offered, what a nexus has chosen, and the check
// before anything is written.
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

constexpr std::uint8_t kPage = 0x0A, kSubpage = 0xF0;
// Bytes of the page, and of byte 6 the bits.
constexpr std::size_t kMethod = 4, kInformationLength = 5, kFlags = 6;
constexpr std::uint8_t kLbpW = 0x80, kLbpR = 0x40;

unsigned value_at(Bytes bytes, std::size_t at) { return std::to_integer<unsigned>(bytes[at]); }

}  // namespace

std::span<const Protection> TapeDrive::Impl::protection_methods() const {
  static constexpr std::array kMethods = {Protection::kReedSolomon, Protection::kCrc32c};
  const std::size_t known = generation.number >= 7 ? 2 : generation.number >= 5 ? 1 : 0;
  return std::span(kMethods).first(known);
}

// Control data protection (SSC-5), for each nexus its own; ended by a reset and with the
// nexus.
ModePage TapeDrive::Impl::protection_page() {
  ModePage page;
  page.page = kPage;
  page.subpage = kSubpage;
  page.length = 0x1C;
  page.changeable = {{kMethod, 0xFF}, {kInformationLength, 0x3F}, {kFlags, kLbpW | kLbpR}};
  page.scope = ModePage::Scope::kNexus;
  page.validate = [this](NexusId, Bytes bytes) -> std::optional<Sense> {
    const unsigned length = value_at(bytes, kInformationLength);
    if (value_at(bytes, kMethod) == 0) {
      // LTFS writes the page back at each load to end protection, with either length.
      if (value_at(bytes, kFlags) != 0) return Sense::invalid_field_in_parameter_list(kFlags, 7);
      if (length == 0 || length == kProtectionBytes) return std::nullopt;
      return Sense::invalid_field_in_parameter_list(kInformationLength, 5);
    }
    for (const Protection method : protection_methods()) {
      if (value_at(bytes, kMethod) != static_cast<unsigned>(method)) continue;
      if (length == kProtectionBytes) return std::nullopt;
      return Sense::invalid_field_in_parameter_list(kInformationLength, 5);
    }
    return Sense::invalid_field_in_parameter_list(kMethod, 7);
  };
  return page;
}

// VPD page B5h: four reserved bytes, then a descriptor for each method with LBP_W_C and LBP_R_C.
VpdPage TapeDrive::Impl::protection_vpd() {
  return {0xB5, [this] {
            ByteBuilder out;
            out.u32(0);
            for (const Protection method : protection_methods())
              out.u8(3).u8(static_cast<std::uint8_t>(method)).u8(kProtectionBytes).u8(0xC0);
            return out.take();
          }};
}

Protection TapeDrive::Impl::protection_of(NexusId nexus, std::uint8_t flag) const {
  if (protection_methods().empty()) return Protection::kNone;
  const Bytes page = modes().value(kPage, kSubpage, nexus);
  if ((value_at(page, kFlags) & flag) == 0) return Protection::kNone;
  return static_cast<Protection>(value_at(page, kMethod));
}

Protection TapeDrive::Impl::write_protection(NexusId nexus) const {
  return protection_of(nexus, kLbpW);
}

Protection TapeDrive::Impl::read_protection(NexusId nexus) const {
  return protection_of(nexus, kLbpR);
}

// Nothing of a command is written unless all of its blocks are what the host sent.
TapeDrive::Impl::Outcome TapeDrive::Impl::check_protection(const Transfer& transfer, Bytes data) {
  if (transfer.protection == Protection::kNone) return std::nullopt;
  for (; !data.empty(); data = data.subspan(transfer.block_bytes)) {
    const Bytes block = data.first(transfer.data_bytes());
    const Bytes sent = data.subspan(block.size(), kProtectionBytes);
    if (protection_value(transfer.protection, block) ==
        decode_protection(transfer.protection, sent))
      continue;
    Sense sense = Sense::make(SenseKey::kHardwareError, Asc::kLogicalBlockGuardCheckFailed);
    sense.information = transfer.length;
    return sense;
  }
  return std::nullopt;
}

}  // namespace scsi::ssc
