// Making a library: `vtl init`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vtl/daemon/data_directory.h"

namespace vtl::daemon {

struct InitOptions {
  std::string data_directory;
  std::string profile = "stk-l700";
  std::optional<std::uint8_t> generation;  // of drives and cartridges; the profile's
  std::uint32_t drives = 10;
  std::optional<std::uint32_t> slots;     // the profile's
  std::optional<std::uint32_t> ie_slots;  // likewise
  std::uint32_t cartridges = 20;
  std::string barcode_prefix = "VTL";
  std::uint64_t capacity_bytes = 0;  // of each cartridge; 0: the generation's
};

// Makes the directory, new identities, the pool, cartridges in the first slots, and, last,
// vtl.yaml. A directory that has one, or has anything else in it, is refused and not touched.
struct InitOutcome {
  Problems problems;
  config::Config config;
};
InitOutcome init(const InitOptions& options);

}  // namespace vtl::daemon
