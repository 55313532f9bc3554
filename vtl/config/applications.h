// What `vtl init --for` knows of backup software: a library that suits it, and why.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace vtl::config {

struct Application {
  std::string_view name;   // "netbackup"
  std::string_view title;  // "Veritas NetBackup"
  std::string_view profile;
  std::uint8_t generation;
  std::uint32_t slots, ie_slots;
  std::uint32_t barcode_characters;  // that hosts are told; 0: all
  // One reason a choice, for people.
  std::string_view why_profile, why_generation, why_slots, why_barcodes;
};

std::span<const Application> applications();
const Application* find_application(std::string_view name);  // nullptr if unknown
// "netbackup, veeam, ..."
std::string_view application_names();

}  // namespace vtl::config
