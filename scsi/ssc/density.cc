// REPORT DENSITY SUPPORT (SSC-4).
#include <algorithm>
#include <string>

#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

constexpr std::uint16_t kWidthTenthMm = 127;
constexpr std::string_view kOrganization = "LTO-CVE";

// 52 bytes.
void density_descriptor(ByteBuilder& out, const Generation& generation, bool writable, bool native,
                        std::uint32_t capacity_mb) {
  out.u8(generation.density_code).u8(generation.density_code);
  out.u8((writable ? 0x80u : 0u) | (native ? 0x20u : 0u));  // WRTOK, DEFLT; DLV = 0
  out.u16(0).u24(generation.bits_per_mm).u16(kWidthTenthMm).u16(generation.tracks).u32(capacity_mb);
  out.ascii(kOrganization, 8).ascii(generation.density_name, 8);
  out.ascii(generation.density_description, 20);
}

// 56 bytes.
void medium_type_descriptor(ByteBuilder& out, const Generation& generation, std::uint8_t type,
                            bool worm) {
  const std::string number = std::to_string(generation.number);
  out.u8(type).u8(0).u16(52);
  out.u8(1).u8(generation.density_code).zeros(8);  // one density code of nine
  out.u16(kWidthTenthMm).u16(generation.length_m).zeros(2);
  out.ascii(kOrganization, 8).ascii("LTO" + number + (worm ? "WORM" : "Data"), 8);
  out.ascii("Ultrium " + number + (worm ? " WORM Tape" : " Data Tape"), 20);
}

}  // namespace

void TapeDrive::Impl::report_density_support(Task& task) {
  const bool media = (task.cdb(1) & 0x01) != 0;
  const bool medium_types = (task.cdb(1) & 0x02) != 0;
  if (media) {
    if (Outcome why = not_ready()) {
      task.fail(*why);
      return;
    }
  }
  ByteBuilder out;
  out.zeros(4);
  for (const Generation& each : generations()) {
    const Access reach = drive_access(generation.number, each.number);
    if (reach == Access::kNone) continue;
    if (media && each.number != medium->info().generation) continue;
    if (medium_types) {
      if (!media || !medium->info().worm)
        medium_type_descriptor(out, each, medium_type(each, false), false);
      if (each.medium_type_worm != 0 && (!media || medium->info().worm))
        medium_type_descriptor(out, each, medium_type(each, true), true);
      continue;
    }
    std::uint64_t capacity_mb = each.capacity_mb;
    if (media) capacity_mb = full_capacity() / kDecimalMb;
    density_descriptor(out, each, reach == Access::kReadWrite, each.number == generation.number,
                       static_cast<std::uint32_t>(std::min<std::uint64_t>(capacity_mb, ~0u)));
  }
  out.patch(0, out.size() - 2, 2);  // counts the two reserved bytes that follow it
  task.set_allocation_length(ByteReader(task.cdb_bytes().subspan(7)).u16());
  task.good(out.take());
}

}  // namespace scsi::ssc
