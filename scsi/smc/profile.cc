#include "scsi/smc/profile.h"

#include <algorithm>
#include <array>

namespace scsi::smc {
namespace {

constexpr std::string_view kPrefix = "iqn.2026-11.local.vtl";
constexpr std::string_view kLibrary = "vtl";

// first, model_count, address_count, default_count.
constexpr std::array kProfiles = {
    LibraryProfile{
        .name = "stk-l700",
        .description = "StorageTek L700: the widest support among backup products",
        .vendor = "STK",
        .product = "L700",
        .revision = "0108",
        .drive_generation = 8,
        .transport = {1, 1, 9, 1},
        .storage = {1000, 678, 64536, 228},
        .import_export = {10, 46, 490, 20},
        .drives = {500, 20, 500, 10},
        .default_iqn_prefix = kPrefix,
        .default_library = kLibrary,
    },
    LibraryProfile{
        .name = "aws",
        .description = "AWS Storage Gateway in tape mode, as its hosts see it",
        .vendor = "AWS",
        .product = "Gateway-VTL",
        .revision = "0100",
        .drive_generation = 5,
        .transport = {0, 1, 10000, 1},
        .storage = {20000, 1600, 10000, 1600},
        .import_export = {30000, 1600, 35536, 1600},
        .drives = {10000, 10, 10000, 10},
        .default_iqn_prefix = "iqn.1997-05.com.amazon",
        .default_library = "sgw-XXXXXXXX",
    },
    LibraryProfile{
        .name = "ibm-3584",
        .description = "IBM 3584 (TS3500), base frame L32",
        .vendor = "IBM",
        .product = "03584L32",
        .revision = "0402",
        .drive_generation = 8,
        .transport = {1, 1, 256, 1},
        .storage = {1025, 6887, 64511, 281},
        .import_export = {769, 224, 256, 20},
        .drives = {257, 192, 512, 10},
        .default_iqn_prefix = kPrefix,
        .default_library = kLibrary,
    },
    LibraryProfile{
        .name = "ibm-3573",
        .description = "IBM 3573-TL (TS3100, TS3200, TS4300)",
        .vendor = "IBM",
        .product = "3573-TL",
        .revision = "1.20",
        .drive_generation = 8,
        .transport = {1, 1, 15, 1},
        .storage = {4096, 272, 61440, 40},
        .import_export = {16, 35, 240, 5},
        .drives = {256, 21, 3840, 10},
        .default_iqn_prefix = kPrefix,
        .default_library = kLibrary,
    },
    LibraryProfile{
        .name = "hp-msl",
        .description = "HP MSL G3 (MSL8096): the real one has four drives at most",
        .vendor = "HP",
        .product = "MSL G3 Series",
        .revision = "3.00",
        .drive_generation = 6,
        .transport = {1, 1, 31, 1},
        .storage = {32, 96, 416, 96},
        .import_export = {448, 15, 32, 15},
        .drives = {480, 4, 65056, 10},
        .default_iqn_prefix = kPrefix,
        .default_library = kLibrary,
    },
    LibraryProfile{
        .name = "quantum-scalar",
        .description = "Quantum Scalar i2000 (ADIC)",
        .vendor = "ADIC",
        .product = "Scalar i2000",
        .revision = "100A",
        .drive_generation = 6,
        .transport = {1, 1, 15, 1},
        .storage = {4096, 3492, 61440, 100},
        .import_export = {16, 240, 240, 24},
        .drives = {256, 96, 3840, 10},
        .default_iqn_prefix = kPrefix,
        .default_library = kLibrary,
    },
    LibraryProfile{
        .name = "spectra-t950",
        .description = "Spectra Logic T950",
        .vendor = "SPECTRA",
        .product = "PYTHON",
        .revision = "2000",
        .drive_generation = 8,
        .transport = {1, 1, 15, 1},
        .storage = {4096, 10050, 61440, 200},
        .import_export = {16, 240, 240, 20},
        .drives = {256, 120, 3840, 10},
        .default_iqn_prefix = kPrefix,
        .default_library = kLibrary,
    },
};

// Element addresses are 16 bits wide, ranges do not overlap, and defaults fit.
constexpr bool well_formed(const LibraryProfile& profile) {
  std::array ranges = {profile.transport, profile.storage, profile.import_export, profile.drives};
  std::sort(ranges.begin(), ranges.end(),
            [](const ElementRange& a, const ElementRange& b) { return a.first < b.first; });
  std::uint32_t free_from = 0;
  for (const ElementRange& range : ranges) {
    if (range.first < free_from || range.default_count == 0 ||
        range.default_count > range.address_count || range.model_count > range.address_count)
      return false;
    free_from = range.first + range.address_count;
  }
  return free_from <= 0x10000 && profile.vendor.size() <= 8 && profile.product.size() <= 16 &&
         profile.revision.size() == 4;
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
