// Families of LTO drives as data: what a vendor's drives say they are, and what they have that
// others' have not. What all LTO drives of a generation share is in profile.h; where the figures
// come from is in this folder's README.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "scsi/ssc/profile.h"

namespace scsi::ssc {

struct DriveModel {
  std::string_view vendor;
  std::string_view product;  // empty: the family has no drive of this generation here
  std::string_view revision;
};

// A VPD page that tells the version of one of the drive's components.
struct ComponentPage {
  std::uint8_t code;
  std::string_view component;
};

// A log page that drives of these generations have.
struct LogPageOf {
  std::uint8_t page;
  std::uint8_t first = 1, last = 10;
};

struct DriveFamily {
  enum class Vendor : std::uint8_t { kIbm, kHp, kQuantum } vendor;  // as drive_families() has them
  std::string_view name;                                            // "hp", in the configuration
  std::array<DriveModel, 10> models;                                // of generation 1 to 10
  std::uint32_t max_block_bytes;                                    // READ BLOCK LIMITS
  // The medium type of the mode parameter header names generation and WORM; without, it is 00h, or
  // 01h for WORM.
  bool medium_type_tells_generation;
  bool worm_in_inquiry;           // standard data, byte 40 bit 0: the drive has WORM
  bool read_write_control;        // mode page 25h
  std::uint8_t at_end_of_medium;  // mode page 10h byte 10: EEG (10h), SEW (08h)
  bool management_address;        // VPD 85h; there is none to tell
  std::span<const ComponentPage> components;
  std::span<const LogPageOf> log_pages;

  bool has_log_page(std::uint8_t page, std::uint8_t generation) const;
  const DriveModel& model(std::uint8_t generation) const { return models.at(generation - 1u); }
};

// IBM's first, which a drive is of if nobody says otherwise.
std::span<const DriveFamily> drive_families();
const DriveFamily* find_drive_family(std::string_view name);  // nullptr if unknown
std::string drive_family_names();                             // "ibm, hp, quantum"

}  // namespace scsi::ssc
