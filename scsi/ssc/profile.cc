#include "scsi/ssc/profile.h"

#include <algorithm>
#include <array>

namespace scsi::ssc {

namespace {

// Sources: the density table that each generation's drives return to REPORT DENSITY SUPPORT, and
// the barcode label specification. What the LTO program does not publish of LTO-10 (tracks,
// density, length) is nominal.
constexpr std::array<Generation, 10> kGenerations{{
    {.number = 1,
     .name = "LTO-1",
     .density_code = 0x40,
     .medium_type_data = 0x18,
     .medium_type_worm = 0,
     .capacity_mb = 100'000,
     .tracks = 384,
     .bits_per_mm = 4880,
     .length_m = 609,
     .density_name = "U-18",
     .density_description = "Ultrium 1/8T",
     .barcode_suffix_data = "L1",
     .barcode_suffix_worm = "",
     .max_partitions = 1,
     .ibm_product = "",
     .ibm_revision = "",
     .mam_capacity_bytes = 4096},
    {.number = 2,
     .name = "LTO-2",
     .density_code = 0x42,
     .medium_type_data = 0x28,
     .medium_type_worm = 0,
     .capacity_mb = 200'000,
     .tracks = 512,
     .bits_per_mm = 7398,
     .length_m = 609,
     .density_name = "U-28",
     .density_description = "Ultrium 2/8T",
     .barcode_suffix_data = "L2",
     .barcode_suffix_worm = "",
     .max_partitions = 1,
     .ibm_product = "",
     .ibm_revision = "",
     .mam_capacity_bytes = 4096},
    {.number = 3,
     .name = "LTO-3",
     .density_code = 0x44,
     .medium_type_data = 0x38,
     .medium_type_worm = 0x3C,
     .capacity_mb = 400'000,
     .tracks = 704,
     .bits_per_mm = 9638,
     .length_m = 680,
     .density_name = "U-316",
     .density_description = "Ultrium 3/16T",
     .barcode_suffix_data = "L3",
     .barcode_suffix_worm = "LT",
     .max_partitions = 1,
     .ibm_product = "ULT3580-TD3",
     .ibm_revision = "93GM",
     .mam_capacity_bytes = 4096},
    {.number = 4,
     .name = "LTO-4",
     .density_code = 0x46,
     .medium_type_data = 0x48,
     .medium_type_worm = 0x4C,
     .capacity_mb = 800'000,
     .tracks = 896,
     .bits_per_mm = 12725,
     .length_m = 820,
     .density_name = "U-416",
     .density_description = "Ultrium 4/16T",
     .barcode_suffix_data = "L4",
     .barcode_suffix_worm = "LU",
     .max_partitions = 1,
     .ibm_product = "ULT3580-TD4",
     .ibm_revision = "C7RC",
     .mam_capacity_bytes = 8192},
    {.number = 5,
     .name = "LTO-5",
     .density_code = 0x58,
     .medium_type_data = 0x58,
     .medium_type_worm = 0x5C,
     .capacity_mb = 1'500'000,
     .tracks = 1280,
     .bits_per_mm = 15142,
     .length_m = 846,
     .density_name = "U-516",
     .density_description = "Ultrium 5/16T",
     .barcode_suffix_data = "L5",
     .barcode_suffix_worm = "LV",
     .max_partitions = 2,
     .ibm_product = "ULT3580-TD5",
     .ibm_revision = "G361",
     .mam_capacity_bytes = 8192},
    {.number = 6,
     .name = "LTO-6",
     .density_code = 0x5A,
     .medium_type_data = 0x68,
     .medium_type_worm = 0x6C,
     .capacity_mb = 2'500'000,
     .tracks = 2176,
     .bits_per_mm = 15142,
     .length_m = 846,
     .density_name = "U-616",
     .density_description = "Ultrium 6/16T",
     .barcode_suffix_data = "L6",
     .barcode_suffix_worm = "LW",
     .max_partitions = 4,
     .ibm_product = "ULT3580-TD6",
     .ibm_revision = "H991",
     .mam_capacity_bytes = 16384},
    {.number = 7,
     .name = "LTO-7",
     .density_code = 0x5C,
     .medium_type_data = 0x78,
     .medium_type_worm = 0x7C,
     .capacity_mb = 6'000'000,
     .tracks = 3584,
     .bits_per_mm = 19107,
     .length_m = 960,
     .density_name = "U-732",
     .density_description = "Ultrium 7/32T",
     .barcode_suffix_data = "L7",
     .barcode_suffix_worm = "LX",
     .max_partitions = 4,
     .ibm_product = "ULT3580-TD7",
     .ibm_revision = "MA71",
     .mam_capacity_bytes = 16384},
    {.number = 8,
     .name = "LTO-8",
     .density_code = 0x5E,
     .medium_type_data = 0x88,
     .medium_type_worm = 0x8C,
     .capacity_mb = 12'000'000,
     .tracks = 6656,
     .bits_per_mm = 20669,
     .length_m = 960,
     .density_name = "U-832",
     .density_description = "Ultrium 8/32T",
     .barcode_suffix_data = "L8",
     .barcode_suffix_worm = "LY",
     .max_partitions = 4,
     .ibm_product = "ULT3580-TD8",
     .ibm_revision = "N9M1",
     .mam_capacity_bytes = 16384},
    {.number = 9,
     .name = "LTO-9",
     .density_code = 0x60,
     .medium_type_data = 0x98,
     .medium_type_worm = 0x9C,
     .capacity_mb = 18'000'000,
     .tracks = 8960,
     .bits_per_mm = 21456,
     .length_m = 1035,
     .density_name = "U-932",
     .density_description = "Ultrium 9/32T",
     .barcode_suffix_data = "L9",
     .barcode_suffix_worm = "LZ",
     .max_partitions = 4,
     .ibm_product = "ULT3580-TD9",
     .ibm_revision = "Q3F5",
     .mam_capacity_bytes = 16384},
    {.number = 10,
     .name = "LTO-10",
     .density_code = 0x62,
     .medium_type_data = 0xA8,
     .medium_type_worm = 0xAC,
     .capacity_mb = 30'000'000,
     .tracks = 15104,
     .bits_per_mm = 23031,
     .length_m = 1035,
     .density_name = "U-1032",
     .density_description = "Ultrium 10/32T",
     .barcode_suffix_data = "LA",
     .barcode_suffix_worm = "LH",
     .max_partitions = 4,
     .ibm_product = "ULT3580-TDA",
     .ibm_revision = "S57A",
     .mam_capacity_bytes = 16384},
}};

// Oldest generation that a drive writes, and reads; by drive generation.
struct Reach {
  std::uint8_t writes_from;
  std::uint8_t reads_from;
};
constexpr std::array<Reach, 10> kReach{
    {{1, 1}, {1, 1}, {2, 1}, {3, 2}, {4, 3}, {5, 4}, {6, 5}, {7, 7}, {8, 8}, {10, 10}}};

}  // namespace

std::span<const Generation> generations() { return kGenerations; }

const Generation* find_generation(std::uint8_t number) {
  if (number < 1 || number > kGenerations.size()) return nullptr;
  return &kGenerations[number - 1u];
}

const Generation* find_generation_by_density(std::uint8_t density_code) {
  for (const Generation& generation : kGenerations)
    if (generation.density_code == density_code) return &generation;
  return nullptr;
}

std::optional<SuffixMatch> find_generation_by_barcode(std::string_view barcode) {
  if (barcode.size() != 8) return std::nullopt;
  const std::string_view suffix = barcode.substr(6);
  for (const Generation& generation : kGenerations) {
    if (suffix == generation.barcode_suffix_data) return SuffixMatch{&generation, false};
    if (suffix == generation.barcode_suffix_worm) return SuffixMatch{&generation, true};
  }
  return std::nullopt;
}

std::string_view bar_code_of(std::string_view name) {
  const auto says = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  return std::all_of(name.begin(), name.end(), says) ? name : std::string_view();
}

// 8 tracks at a time up to LTO-2, 16 up to LTO-6, 32 since.
std::uint32_t wraps(std::uint8_t number) {
  const Generation* known = find_generation(number);
  if (known == nullptr) return 1;
  return known->tracks / (number <= 2 ? 8u : number <= 6 ? 16u : 32u);
}

Access drive_access(std::uint8_t drive_generation, std::uint8_t cartridge_generation) {
  if (find_generation(drive_generation) == nullptr ||
      find_generation(cartridge_generation) == nullptr || cartridge_generation > drive_generation)
    return Access::kNone;
  const Reach reach = kReach[drive_generation - 1u];
  if (cartridge_generation >= reach.writes_from) return Access::kReadWrite;
  return cartridge_generation >= reach.reads_from ? Access::kRead : Access::kNone;
}

}  // namespace scsi::ssc
