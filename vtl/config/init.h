// The configuration of a new library: defaults and limits from the profile, identities drawn once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vtl/config/config.h"

namespace vtl::config {

struct InitOptions {
  std::string profile = "stk-l700";
  std::optional<std::uint8_t> generation;                // of the drives; the profile's
  std::optional<std::uint32_t> drives, slots, ie_slots;  // the profile's
};

// Fills the span with unpredictable bytes.
using RandomBytes = std::function<void(std::span<std::byte>)>;

struct InitPlan {
  std::optional<Config> config;  // empty when there are errors
  std::vector<std::string>
      errors;  // what was found, what is allowed; each begins with the option: "--slots: ..."
  std::vector<std::string> warnings;  // above what the real model has
};
InitPlan plan_init(const InitOptions& options, const RandomBytes& random);

// A serial of 10 characters and an NAA that nobody else has; also for a drive that is added later.
DeviceIdentity draw_identity(const RandomBytes& random);

}  // namespace vtl::config
