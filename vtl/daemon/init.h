// Making a library: `vtl init`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "vtl/config/init.h"
#include "vtl/daemon/data_directory.h"

namespace vtl::daemon {

struct InitOptions {
  std::string data_directory;
  config::InitOptions library;
  std::uint32_t cartridges = 20;
  std::string barcode_prefix = "VTL";
  std::uint64_t capacity_bytes = 0;  // of each cartridge; 0: the generation's
};

struct InitOutcome {
  Problems problems;
  config::Config config;             // of the library that was made
  std::vector<std::string> reasons;  // for what the application was given
};
// All of it, or nothing: a directory that has a library, or anything else, in it is refused and not
// touched. `progress` hears of each cartridge.
InitOutcome init(const InitOptions& options,
                 const std::function<void(std::uint32_t done, std::uint32_t total)>& progress = {});

}  // namespace vtl::daemon
