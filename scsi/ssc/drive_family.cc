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

// Volume statistics and compression came with SSC-4 and LTO-5; tape usage and the compression page
// before it went with LTO-7.
constexpr LogPageOf kUsage{0x30, 1, 6}, kOldCompression{0x32, 1, 6}, kCompression{0x1B, 5, 10};
constexpr std::array kIbmLogPages{
    LogPageOf{0x02}, LogPageOf{0x03}, LogPageOf{0x0C}, LogPageOf{0x0D}, LogPageOf{0x10},
    LogPageOf{0x11}, LogPageOf{0x12}, LogPageOf{0x14}, LogPageOf{0x17}, kCompression,
    LogPageOf{0x2E}, kUsage,          LogPageOf{0x31}, kOldCompression, LogPageOf{0x37, 5}};
constexpr std::array kHpLogPages{LogPageOf{0x02},    LogPageOf{0x03}, LogPageOf{0x0C},
                                 LogPageOf{0x0D},    LogPageOf{0x11}, LogPageOf{0x12, 5},
                                 LogPageOf{0x14, 5}, kCompression,    LogPageOf{0x17, 5},
                                 LogPageOf{0x2E},    kUsage,          LogPageOf{0x31},
                                 kOldCompression};
constexpr std::array kQuantumLogPages{
    LogPageOf{0x02},    LogPageOf{0x03}, LogPageOf{0x0C}, LogPageOf{0x0D},    LogPageOf{0x10, 5},
    LogPageOf{0x11, 5}, LogPageOf{0x12}, LogPageOf{0x14}, LogPageOf{0x17, 5}, kCompression,
    LogPageOf{0x2E},    kUsage,          LogPageOf{0x31}, kOldCompression};

}  // namespace

bool DriveFamily::has_log_page(std::uint8_t page, std::uint8_t generation) const {
  return std::any_of(log_pages.begin(), log_pages.end(), [&](const LogPageOf& each) {
    return each.page == page && generation >= each.first && generation <= each.last;
  });
}

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
       .components = {},
       .log_pages = kIbmLogPages},
      {.vendor = DriveFamily::Vendor::kHp,
       .name = "hp",
       .models = kHpModels,
       .max_block_bytes = 0xFFFFFF,
       .medium_type_tells_generation = false,
       .worm_in_inquiry = true,
       .read_write_control = false,
       .at_end_of_medium = 0x18,
       .management_address = true,
       .components = kHpComponents,
       .log_pages = kHpLogPages},
      {.vendor = DriveFamily::Vendor::kQuantum,
       .name = "quantum",
       .models = kQuantumModels,
       .max_block_bytes = 0x800000,
       .medium_type_tells_generation = true,
       .worm_in_inquiry = false,
       .read_write_control = true,
       .at_end_of_medium = 0x10,
       .management_address = false,
       .components = {},
       .log_pages = kQuantumLogPages},
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
