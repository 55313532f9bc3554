// The configuration of a new library: defaults and limits from the profile, identities drawn once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vtl/config/config.h"

namespace vtl::config {

// So many drives of a generation; without a number: all there are.
struct DriveGroup {
  std::uint8_t generation = 8;
  std::optional<std::uint32_t> drives;
};
// "8", or "9x4,8x6". An error says what is allowed.
std::variant<std::vector<DriveGroup>, std::string> parse_drive_groups(std::string_view text);

struct InitOptions {
  std::string application{};              // what `find_application()` knows, or empty
  std::optional<std::string> profile{};   // the application's, or stk-l700
  std::vector<DriveGroup> generation{};   // of the drives; empty: the application's or profile's
  std::optional<std::string> identity{};  // of the drives: their family; the profile's
  std::optional<std::uint32_t> drives{}, slots{}, ie_slots{};  // likewise
};

// Fills the span with unpredictable bytes.
using RandomBytes = std::function<void(std::span<std::byte>)>;

struct InitPlan {
  std::optional<Config> config;  // empty when there are errors
  std::vector<std::string>
      errors;  // what was found, what is allowed; each begins with the option: "--slots: ..."
  std::vector<std::string> warnings;  // above what the real model has
  std::vector<std::string> reasons;   // what was chosen for the application, and why
};
InitPlan plan_init(const InitOptions& options, const RandomBytes& random);

// A serial of 10 characters and an NAA that nobody else has; also for a drive that is added later.
DeviceIdentity draw_identity(const RandomBytes& random);

}  // namespace vtl::config
