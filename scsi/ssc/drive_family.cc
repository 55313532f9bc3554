#include "scsi/ssc/drive_family.h"

#include <algorithm>

namespace scsi::ssc {
namespace {

using Models = std::array<DriveModel, 10>;

// IBM's names stand with the generations.
Models ibm_models() {
  Models out;
  for (const Generation& each : generations())
    out[each.number - 1u] = {"IBM", each.ibm_product, each.ibm_revision};
  return out;
}

// The vendor's name changed with its company, between LTO-7 and LTO-8.
constexpr Models kHpModels{{{},
                            {},
                            {"HP", "Ultrium 3-SCSI", "G24S"},
                            {"HP", "Ultrium 4-SCSI", "U64D"},
                            {"HP", "Ultrium 5-SCSI", "Z51U"},
                            {"HP", "Ultrium 6-SCSI", "25MW"},
                            {"HP", "Ultrium 7-SCSI", "G9Q1"},
                            {"HPE", "Ultrium 8-SCSI", "P381"},
                            {"HPE", "Ultrium 9-SCSI", "S2S1"},
                            {}}};

constexpr Models kQuantumModels{{{},
                                 {},
                                 {},
                                 {"QUANTUM", "ULTRIUM 4", "U53F"},
                                 {"QUANTUM", "ULTRIUM-HH5", "F991"},
                                 {"QUANTUM", "ULTRIUM-HH6", "H991"},
                                 {"QUANTUM", "ULTRIUM-HH7", "KAH1"},
                                 {"QUANTUM", "ULTRIUM-HH8", "M571"},
                                 {"QUANTUM", "ULTRIUM-HH9", "Q3F5"},
                                 {}}};

constexpr std::array kHpComponents{ComponentPage{0xC0, "Firmware"}, ComponentPage{0xC1, "Hardware"},
                                   ComponentPage{0xC2, "PCA"}, ComponentPage{0xC3, "Mechanism"},
                                   ComponentPage{0xC4, "Head Assy"}};

}  // namespace

std::span<const DriveFamily> drive_families() {
  // Quantum's half-height drives are IBM's under another name.
  static const std::array<DriveFamily, 3> kFamilies{{
      {.vendor = DriveFamily::Vendor::kIbm,
       .name = "ibm",
       .models = ibm_models(),
       .max_block_bytes = 0x800000,
       .medium_type_tells_generation = true,
       .worm_in_inquiry = false,
       .read_write_control = true,
       .at_end_of_medium = 0x18,
       .management_address = false,
       .components = {}},
      {.vendor = DriveFamily::Vendor::kHp,
       .name = "hp",
       .models = kHpModels,
       .max_block_bytes = 0xFFFFFF,
       .medium_type_tells_generation = false,
       .worm_in_inquiry = true,
       .read_write_control = false,
       .at_end_of_medium = 0x18,
       .management_address = true,
       .components = kHpComponents},
      {.vendor = DriveFamily::Vendor::kQuantum,
       .name = "quantum",
       .models = kQuantumModels,
       .max_block_bytes = 0x800000,
       .medium_type_tells_generation = true,
       .worm_in_inquiry = false,
       .read_write_control = true,
       .at_end_of_medium = 0x10,
       .management_address = false,
       .components = {}},
  }};
  return kFamilies;
}

const DriveFamily* find_drive_family(std::string_view name) {
  const auto families = drive_families();
  const auto it = std::find_if(families.begin(), families.end(),
                               [&](const DriveFamily& family) { return family.name == name; });
  return it == families.end() ? nullptr : &*it;
}

std::string drive_family_names() {
  std::string names;
  for (const DriveFamily& family : drive_families())
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  return names;
}

}  // namespace scsi::ssc
