// LTO generations as data: identity, densities, capacities, and who reads and writes what.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace scsi::ssc {

struct Generation {
  std::uint8_t number;            // 1..10
  std::string_view name;          // "LTO-8"
  std::uint8_t density_code;      // 5Eh
  std::uint8_t medium_type_data;  // MODE SENSE header, IBM: 88h
  std::uint8_t medium_type_worm;  // 8Ch; 0 where there is no WORM
  std::uint32_t capacity_mb;      // native, 10^6 bytes
  std::uint16_t tracks;
  std::uint32_t bits_per_mm;
  std::uint16_t length_m;
  std::string_view density_name;         // "U-832"
  std::string_view density_description;  // "Ultrium 8/32T"
  std::string_view barcode_suffix_data;  // "L8"
  std::string_view barcode_suffix_worm;  // "LY"; empty where there is none
  std::uint8_t max_partitions;
  // The drive's side.
  std::string_view ibm_product;   // "ULT3580-TD8"; empty: no such drive here
  std::string_view ibm_revision;  // a firmware level that LTFS accepts
  std::uint32_t mam_capacity_bytes;
};

std::span<const Generation> generations();               // ascending by number
const Generation* find_generation(std::uint8_t number);  // nullptr if unknown
const Generation* find_generation_by_density(std::uint8_t density_code);
// By the last two characters of an 8-character barcode; `worm` tells which of the two suffixes it
// was.
struct SuffixMatch {
  const Generation* generation;
  bool worm;
};
std::optional<SuffixMatch> find_generation_by_barcode(std::string_view barcode);

// A cartridge's name as the label on its case has it. Nothing for a name that no bar code can say
// (A-Z and 0-9): that cartridge has no label.
std::string_view bar_code_of(std::string_view name);

// How often a universal cleaning cartridge cleans before it is worn out.
inline constexpr std::uint32_t kCleaningUses = 50;

// How often the tape is passed from end to end until it is full; 1 if the generation is unknown.
std::uint32_t wraps(std::uint8_t generation);

enum class Access { kNone, kRead, kReadWrite };
// What a drive of one generation can do with a cartridge of another (LTO compatibility matrix).
Access drive_access(std::uint8_t drive_generation, std::uint8_t cartridge_generation);

}  // namespace scsi::ssc
