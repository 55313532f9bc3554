// Library models as data: identity, element address map and sizes. One row each; where the numbers
// come from is in this folder's README.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace scsi::smc {

struct ElementRange {
  std::uint16_t first;          // address of the first element
  std::uint32_t model_count;    // what the real model has at most: above it `init` warns
  std::uint32_t address_count;  // what fits before the next range: above it `init` refuses
  std::uint32_t default_count;
};

// How a library tells its serial number (INQUIRY, VPD 80h and 83h).
enum class SerialForm : std::uint8_t {
  kPlain,
  kIbm,  // also in the standard data, and with the address of the first storage element behind it
};

struct LibraryProfile {
  std::string_view name;  // "stk-l700"
  std::string_view description;
  std::string_view vendor;  // changer INQUIRY
  std::string_view product;
  std::string_view revision;
  SerialForm serial_form;
  std::uint8_t drive_generation;  // default
  std::string_view drive_family;  // default: a name that ssc::find_drive_family() knows
  ElementRange transport, storage, import_export, drives;
  // For people: whose published lists name it, and what of it is not a device's but ours.
  std::string_view applications;
  std::string_view ours;
  // Target names: "<iqn_prefix>:<library>-mediachanger".
  std::string_view default_iqn_prefix = "iqn.2026-11.local.vtl";
  // Each 'X' stands for one random lower-case hexadecimal digit, drawn once when a library is made:
  // a Tape Gateway is named "sgw-1a2b3c4d".
  std::string_view default_library = "vtl";
};

// The default first.
std::span<const LibraryProfile> library_profiles();
const LibraryProfile* find_library_profile(std::string_view name);  // nullptr if unknown

}  // namespace scsi::smc
