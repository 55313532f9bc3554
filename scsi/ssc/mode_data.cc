// Mode pages of an LTO drive, as data. Offsets count from the first byte of the page.
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

ModePage page(std::uint8_t code, std::uint8_t subpage, std::uint16_t length,
              std::vector<ByteAt> defaults, std::vector<ByteAt> changeable) {
  ModePage out;
  out.page = code;
  out.subpage = subpage;
  out.length = length;
  out.defaults = std::move(defaults);
  out.changeable = std::move(changeable);
  return out;
}

void set(MutableBytes page, std::size_t offset, std::uint8_t value) {
  page[offset] = std::byte{value};
}

}  // namespace

ModeOptions TapeDrive::Impl::mode_options() {
  // Read-write error recovery: any value is taken; there are no retries to count on this medium.
  std::vector<ModePage> pages = {page(0x01, 0, 0x0A, {}, {{2, 0xFF}, {3, 0xFF}, {8, 0xFF}})};
  // Disconnect-reconnect: the buffer ratios; burst limits are the transport's.
  pages.push_back(page(0x02, 0, 0x0E, {}, {{2, 0xFF}, {3, 0xFF}}));
  pages.back().ignore_unchangeable = true;
  // Control: SWP.
  pages.push_back(page(0x0A, 0, 0x0A, {}, {{4, 0x08}}));
  // Control extension: SCSIP, SET TIMESTAMP wins over other sources.
  pages.push_back(page(0x0A, 0x01, 0x1C, {{4, 0x02}}, {}));
  if (!protection_methods().empty()) pages.push_back(protection_page());
  // Data compression: DCE and the algorithms can be set; DCC and DDE cannot. A drive that cannot
  // compress (DCC = 0) says so; switching it on is taken, as LTFS formats no cartridge otherwise,
  // and changes nothing.
  if (options.compresses)
    pages.push_back(page(0x0F, 0, 0x0E, {{2, 0xC0}, {3, 0x80}, {7, 0x01}, {11, 0x01}},
                         {{2, 0x80}, {7, 0x01}, {11, 0x01}}));
  else
    pages.push_back(page(0x0F, 0, 0x0E, {{3, 0x80}}, {}));
  pages.back().ignore_unchangeable = !options.compresses;
  pages.back().changed = [this](NexusId, Bytes bytes) {
    const bool on = (std::to_integer<unsigned>(bytes[2]) & 0x80) != 0;
    flush_owed = flush_owed || on != (modes().value_byte(0x10, 0, 14) != 0);
    modes().set_byte(0x10, 0, 14, on ? 1 : 0);
    apply_compression();
  };
  const std::uint8_t compresses = options.compresses ? 0x01 : 0x00;
  const std::uint8_t algorithms = options.compresses ? 0xFF : 0x00;
  // Device configuration: write delay 10 s, LOIS, EEG and SEW; SWP and the compression switch.
  pages.push_back(page(0x10, 0, 0x0E,
                       {{7, 0x64}, {8, 0x40}, {10, family.at_end_of_medium}, {14, compresses}},
                       {{6, 0xFF}, {7, 0xFF}, {10, 0x04}, {14, algorithms}}));
  pages.back().ignore_unchangeable = true;
  pages.back().current = [this](NexusId, MutableBytes bytes) {
    if (load == Load::kReady)
      set(bytes, 3, static_cast<std::uint8_t>(medium->position().partition));
  };
  pages.back().changed = [this](NexusId, Bytes bytes) {
    // Any algorithm but none (00h) is the one that there is.
    const bool on = bytes[14] != std::byte{0};
    modes().set_byte(0x10, 0, 14, on ? 1 : 0);
    const unsigned before = modes().value_byte(0x0F, 0, 2);
    const unsigned after = (before & 0x7Fu) | (on ? 0x80u : 0u);
    modes().set_byte(0x0F, 0, 2, static_cast<std::uint8_t>(after));
    apply_compression();
    flush_owed = flush_owed || after != before;
  };
  if (generation.number >= 5) {
    // Device configuration extension: short erase mode 2 (end of data at the position); write mode,
    // PEWS.
    pages.push_back(page(0x10, 0x01, 0x1C, {{5, 0x02}}, {{5, 0xF0}, {6, 0xFF}, {7, 0xFF}}));
    pages.back().validate = [this](NexusId, Bytes bytes) { return check_write_mode(bytes); };
    pages.push_back(partition_page());
  }
  pages.push_back(page(0x1A, 0, 0x0A, {}, {}));  // power condition: none
  // Informational exceptions control: DEXCPT, they are shown in log page 2Eh only.
  pages.push_back(page(0x1C, 0, 0x0A, {{2, 0x08}, {3, 0x03}}, {}));
  // Medium configuration: WORM, label restrictions 1, filemark restrictions 2.
  pages.push_back(page(0x1D, 0, 0x1E, {{4, 0x01}, {5, 0x02}}, {}));
  pages.back().current = [this](NexusId, MutableBytes bytes) {
    if (load == Load::kReady && medium->info().worm) set(bytes, 2, 0x01);
  };
  // IBM read/write control: the Windows driver refuses a drive without it. The encryption method is
  // "application managed"; LTFS shows whether encryption is on, and whether the medium can have it.
  if (family.read_write_control) {
    pages.push_back(page(0x25, 0, 0x1E, {{5, 0x01}, {6, 0x01}, {27, 0x50}}, {}));
    pages.back().current = [this](NexusId nexus, MutableBytes bytes) {
      if (encryption.in_use(nexus) != nullptr) set(bytes, 20, 0x01);
      if (load == Load::kReady && medium->info().generation >= 4) set(bytes, 24, 0x01);
    };
  }

  ModeOptions out;
  out.pages = std::move(pages);
  out.max_block_length = options.max_block_bytes;
  out.medium = [this] {
    ModeMedium now{0, generation.density_code, write_protected()};
    if (load == Load::kReady) {
      const MediumInfo& label = medium->info();
      const Generation* of_medium = find_generation(label.generation);
      now.density = of_medium->density_code;
      now.medium_type = medium_type(*of_medium, label.worm);
    }
    return now;
  };
  return out;
}

std::uint8_t TapeDrive::Impl::medium_type(const Generation& of_medium, bool worm) const {
  if (!family.medium_type_tells_generation) return worm ? 0x01 : 0x00;
  return worm ? of_medium.medium_type_worm : of_medium.medium_type_data;
}

void TapeDrive::Impl::apply_compression() {
  if (load == Load::kReady)
    medium->set_compression((modes().value_byte(0x0F, 0, 2) & 0x80) != 0);  // DCE
}

}  // namespace scsi::ssc
