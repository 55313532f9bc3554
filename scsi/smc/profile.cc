#include "scsi/smc/profile.h"

#include <algorithm>
#include <array>

namespace scsi::smc {
namespace {

// First addresses. A range ends where the next one begins.
struct Map {
  std::uint16_t transport, import_export, drives, storage;
};
constexpr Map kStk{1, 10, 500, 1000};  // also HP's large libraries
constexpr Map kAws{0, 30000, 10000, 20000};
constexpr Map kIbm3584{1, 769, 257, 1025};
constexpr Map kSmall{1, 16, 256, 4096};  // IBM 3573, ADIC and Quantum, Spectra
constexpr Map kMsl{1, 448, 480, 32};

struct Sizes {
  std::uint32_t slots, default_slots, import_export, default_import_export, drives;
};

constexpr ElementRange range(const Map& map, std::uint16_t first, std::uint32_t model,
                             std::uint32_t usual) {
  std::uint32_t end = 0x10000;
  for (const std::uint32_t other : {map.transport, map.import_export, map.drives, map.storage})
    if (other > first) end = std::min(end, other);
  return {first, model, end - first, usual};
}

struct Model {
  std::string_view name, description, vendor, product, revision;
  Map map;
  Sizes sizes;
  std::string_view applications, ours;
  std::uint8_t generation = 8;
  SerialForm serial_form = SerialForm::kPlain;
  std::string_view family = "ibm";
};

constexpr LibraryProfile profile(const Model& m) {
  return {.name = m.name,
          .description = m.description,
          .vendor = m.vendor,
          .product = m.product,
          .revision = m.revision,
          .serial_form = m.serial_form,
          .drive_generation = m.generation,
          .drive_family = m.family,
          .transport = range(m.map, m.map.transport, 1, 1),
          .storage = range(m.map, m.map.storage, m.sizes.slots, m.sizes.default_slots),
          .import_export = range(m.map, m.map.import_export, m.sizes.import_export,
                                 m.sizes.default_import_export),
          .drives = range(m.map, m.map.drives, m.sizes.drives, std::min(m.sizes.drives, 10u)),
          .applications = m.applications,
          .ours = m.ours};
}

constexpr LibraryProfile tape_gateway() {
  LibraryProfile aws = profile(
      {.name = "aws",
       .description = "AWS Storage Gateway in tape mode, as its hosts see it",
       .vendor = "AWS",
       .product = "Gateway-VTL",
       .revision = "0100",
       .map = kAws,
       .sizes = {1600, 1600, 1600, 1600, 10},
       .applications = "The Tape Gateway's guide: NetBackup 7 and 8, Backup Exec from 2014, Veeam "
                       "11A, NetWorker 19.5, Data Protector, Arcserve, Bacula",
       .ours = "the revision, which is not published",
       .generation = 5});
  aws.default_iqn_prefix = "iqn.1997-05.com.amazon";
  aws.default_library = "sgw-XXXXXXXX";
  return aws;
}

constexpr std::string_view kSizes = "sizes are from product literature";
constexpr std::string_view kRevisionToo = "the revision; sizes are from product literature";

constexpr std::array kProfiles = {
    profile({.name = "stk-l700",
             .description = "StorageTek L700: the widest support among backup products",
             .vendor = "STK",
             .product = "L700",
             .revision = "0108",
             .map = kStk,
             .sizes = {678, 228, 46, 20, 20},
             .applications = "The Tape Gateway's guide: Commvault 11, DPM 2012 R2 and 2016, "
                             "NovaStor, NetVault, Backup Exec 2012, Bacula",
             .ours = "the revision is that of common emulations"}),
    tape_gateway(),
    profile({.name = "ibm-3584",
             .description = "IBM 3584 (TS3500), base frame L32",
             .vendor = "IBM",
             .product = "03584L32",
             .revision = "0402",
             .map = kIbm3584,
             .sizes = {6887, 281, 224, 20, 192},
             .applications = "The Tape Gateway's guide: Spectrum Protect 8.1.10",
             .ours = "the padding of the serial number; the I/E count is from product literature",
             .serial_form = SerialForm::kIbm}),
    profile({.name = "ibm-ts4500",
             .description = "IBM TS4500, which keeps the 3584's name",
             .vendor = "IBM",
             .product = "03584L32",
             .revision = "1B00",
             .map = kIbm3584,
             .sizes = {23170, 660, 224, 36, 128},
             .applications = "",
             .ours = "the padding of the serial number; sizes are from product literature",
             .generation = 9,
             .serial_form = SerialForm::kIbm}),
    profile({.name = "ibm-3573",
             .description = "IBM 3573-TL (TS3200, TS4300)",
             .vendor = "IBM",
             .product = "3573-TL",
             .revision = "6.50",
             .map = kSmall,
             .sizes = {272, 40, 35, 5, 21},
             .applications = "",
             .ours = kSizes}),
    profile({.name = "ibm-ts3100",
             .description = "IBM TS3100, the smallest 3573-TL",
             .vendor = "IBM",
             .product = "3573-TL",
             .revision = "6.50",
             .map = kSmall,
             .sizes = {24, 23, 1, 1, 2},
             .applications = "",
             .ours = kSizes,
             .generation = 6}),
    profile({.name = "stk-l20",
             .description = "StorageTek L20",
             .vendor = "STK",
             .product = "L20",
             .revision = "0215",
             .map = kStk,
             .sizes = {20, 20, 1, 1, 2},
             .applications = "",
             .ours = kRevisionToo,
             .generation = 5}),
    profile({.name = "stk-l80",
             .description = "StorageTek L80",
             .vendor = "STK",
             .product = "L80",
             .revision = "0215",
             .map = kStk,
             .sizes = {80, 80, 10, 10, 8},
             .applications = "",
             .ours = kRevisionToo,
             .generation = 5}),
    profile({.name = "stk-l180",
             .description = "StorageTek L180",
             .vendor = "STK",
             .product = "L180",
             .revision = "0315",
             .map = kStk,
             .sizes = {174, 84, 10, 10, 10},
             .applications = "",
             .ours = kSizes,
             .generation = 5}),
    profile({.name = "stk-sl500",
             .description = "StorageTek SL500",
             .vendor = "STK",
             .product = "SL500",
             .revision = "1073",
             .map = kStk,
             .sizes = {575, 50, 45, 5, 18},
             .applications = "",
             .ours = kRevisionToo,
             .generation = 6}),
    profile({.name = "hp-msl",
             .description = "HP MSL G3 (MSL8096)",
             .vendor = "HP",
             .product = "MSL G3 Series",
             .revision = "3.00",
             .map = kMsl,
             .sizes = {96, 96, 15, 15, 4},
             .applications = "",
             .ours = kSizes,
             .generation = 6,
             .family = "hp"}),
    profile({.name = "hp-esl",
             .description = "HP ESL E-Series",
             .vendor = "HP",
             .product = "ESL E-Series",
             .revision = "6.24",
             .map = kStk,
             .sizes = {712, 200, 40, 20, 24},
             .applications = "",
             .ours = kRevisionToo,
             .generation = 6,
             .family = "hp"}),
    profile({.name = "hp-eml",
             .description = "HP EML E-Series",
             .vendor = "HP",
             .product = "EML E-Series",
             .revision = "6.24",
             .map = kStk,
             .sizes = {505, 100, 25, 10, 16},
             .applications = "",
             .ours = kRevisionToo,
             .generation = 6,
             .family = "hp"}),
    profile({.name = "quantum-scalar",
             .description = "Quantum Scalar i2000 (ADIC)",
             .vendor = "ADIC",
             .product = "Scalar i2000",
             .revision = "100A",
             .map = kSmall,
             .sizes = {3492, 100, 240, 24, 96},
             .applications = "",
             .ours = kRevisionToo,
             .generation = 6}),
    profile({.name = "adic-scalar-100",
             .description = "ADIC Scalar 100",
             .vendor = "ADIC",
             .product = "Scalar 100",
             .revision = "100A",
             .map = kSmall,
             .sizes = {72, 60, 12, 12, 6},
             .applications = "",
             .ours = kRevisionToo,
             .generation = 5}),
    profile({.name = "quantum-i6000",
             .description = "Quantum Scalar i6000",
             .vendor = "QUANTUM",
             .product = "Scalar i6000",
             .revision = "100A",
             .map = kSmall,
             .sizes = {12006, 100, 240, 24, 192},
             .applications = "",
             .ours = kRevisionToo}),
    profile({.name = "spectra-t950",
             .description = "Spectra Logic T950",
             .vendor = "SPECTRA",
             .product = "PYTHON",
             .revision = "2000",
             .map = kSmall,
             .sizes = {10050, 200, 240, 20, 120},
             .applications = "",
             .ours = kRevisionToo}),
    profile({.name = "spectra-t50",
             .description = "Spectra Logic T50, under the T-series' common name",
             .vendor = "SPECTRA",
             .product = "PYTHON",
             .revision = "2000",
             .map = kSmall,
             .sizes = {50, 46, 4, 4, 4},
             .applications = "",
             .ours = kRevisionToo}),
    profile({.name = "overland-neo",
             .description = "Overland NEO series (NEO 4000)",
             .vendor = "OVERLAND",
             .product = "NEO Series",
             .revision = "0508",
             .map = kStk,
             .sizes = {60, 58, 4, 2, 4},
             .applications = "",
             .ours = "the revision and the element addresses; sizes are from product literature",
             .generation = 5}),
    profile({.name = "dell-tl2000",
             .description = "Dell PowerVault TL2000, built as an IBM TS3100",
             .vendor = "DELL",
             .product = "PV-TL2000",
             .revision = "6.50",
             .map = kSmall,
             .sizes = {24, 23, 1, 1, 2},
             .applications = "",
             .ours = "the revision and the element addresses, which are taken from the IBM 3573; "
                     "sizes are from product literature",
             .generation = 6}),
    profile({.name = "dell-tl4000",
             .description = "Dell PowerVault TL4000, built as an IBM TS3200",
             .vendor = "DELL",
             .product = "PV-TL4000",
             .revision = "6.50",
             .map = kSmall,
             .sizes = {48, 45, 3, 3, 4},
             .applications = "",
             .ours = "the revision and the element addresses, which are taken from the IBM 3573; "
                     "sizes are from product literature",
             .generation = 6}),
    profile({.name = "dell-ml6000",
             .description = "Dell PowerVault ML6000, built as a Quantum Scalar i500",
             .vendor = "DELL",
             .product = "PV-ML6000",
             .revision = "100A",
             .map = kSmall,
             .sizes = {402, 100, 24, 18, 18},
             .applications = "",
             .ours = "the revision and the element addresses, which are taken from Quantum's "
                     "Scalar; sizes are from product literature",
             .generation = 6}),
};

// Element addresses are 16 bits wide, ranges do not overlap, and defaults fit.
constexpr bool well_formed(const LibraryProfile& profile) {
  std::array ranges = {profile.transport, profile.storage, profile.import_export, profile.drives};
  std::sort(ranges.begin(), ranges.end(),
            [](const ElementRange& a, const ElementRange& b) { return a.first < b.first; });
  std::uint32_t free_from = 0;
  for (const ElementRange& range : ranges) {
    if (range.first < free_from || range.default_count == 0 ||
        range.default_count > range.model_count || range.model_count > range.address_count)
      return false;
    free_from = range.first + range.address_count;
  }
  return free_from <= 0x10000 && profile.vendor.size() <= 8 && profile.product.size() <= 16 &&
         profile.revision.size() == 4 && !profile.ours.empty();
}
static_assert(std::all_of(kProfiles.begin(), kProfiles.end(), well_formed));

}  // namespace

std::span<const LibraryProfile> library_profiles() { return kProfiles; }

const LibraryProfile* find_library_profile(std::string_view name) {
  const auto it = std::find_if(kProfiles.begin(), kProfiles.end(),
                               [&](const LibraryProfile& p) { return p.name == name; });
  return it == kProfiles.end() ? nullptr : &*it;
}

}  // namespace scsi::smc
