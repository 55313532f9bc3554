#include "vtl/config/init.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "scsi/smc/profile.h"
#include "vtl/config/rules.h"

namespace vtl::config {

namespace {

// No I and O: serials are read out over telephones.
constexpr std::string_view kSerialCharacters = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
constexpr std::string_view kHexDigits = "0123456789abcdef";

// Each character with the same chance: bytes beyond the last whole multiple are drawn again.
char draw(std::string_view alphabet, const RandomBytes& random) {
  const std::size_t limit = 256 - 256 % alphabet.size();
  for (;;) {
    std::array<std::byte, 1> byte{};
    random(byte);
    const auto value = std::to_integer<std::size_t>(byte[0]);
    if (value < limit) return alphabet[value % alphabet.size()];
  }
}

std::uint32_t count_of(const char* option, std::optional<std::uint32_t> asked, std::uint32_t min,
                       const scsi::smc::ElementRange& range,
                       const scsi::smc::LibraryProfile& profile, InitPlan& plan) {
  const std::uint32_t count = asked.value_or(range.default_count);
  if (count < min || count > range.address_count)
    plan.errors.push_back(fmt::format("{}: found {}, allowed: {} to {} (profile {})", option, count,
                                      min, range.address_count, profile.name));
  else if (count > range.model_count)
    plan.warnings.push_back(
        fmt::format("{}: {} is more than the {} of a real {} {}: some backup software may object",
                    option, count, range.model_count, profile.vendor, profile.product));
  return count;
}

}  // namespace

DeviceIdentity draw_identity(const RandomBytes& random) {
  DeviceIdentity identity;
  identity.serial = "VT";
  while (identity.serial.size() < 10) identity.serial += draw(kSerialCharacters, random);
  // NAA 5h (SPC-4 7.8.6.6), the form that every client knows, with a company id whose locally
  // administered bit is set, which no company has: 5, 02-56-54, 36 random bits.
  std::string naa = "5025654";
  while (naa.size() < 16) naa += draw(kHexDigits, random);
  identity.naa = *parse_naa(naa);
  return identity;
}

InitPlan plan_init(const InitOptions& options, const RandomBytes& random) {
  InitPlan plan;
  const auto* profile = scsi::smc::find_library_profile(options.profile);
  if (profile == nullptr) {
    plan.errors.push_back(fmt::format("--profile: found \"{}\", allowed: {}",
                                      options.profile.substr(0, 60), profile_names()));
    return plan;
  }
  Config config;
  LibraryConfig& library = config.library;
  library.profile = profile->name;
  library.iqn_prefix = profile->default_iqn_prefix;
  library.name = profile->default_library;
  for (char& c : library.name)
    if (c == 'X') c = draw(kHexDigits, random);
  library.slots = count_of("--slots", options.slots, 1, profile->storage, *profile, plan);
  library.ie_slots =
      count_of("--ie-slots", options.ie_slots, 0, profile->import_export, *profile, plan);
  const std::uint32_t drives =
      count_of("--drives", options.drives, 1, profile->drives, *profile, plan);
  const std::uint8_t generation = options.generation.value_or(profile->drive_generation);
  if (generation < 5 || generation > 9)
    plan.errors.push_back(fmt::format("--generation: found {}, allowed: 5 to 9", generation));
  if (!plan.errors.empty()) return plan;

  library.changer = draw_identity(random);
  for (std::uint32_t i = 0; i < drives; ++i)
    library.drives.push_back({draw_identity(random), generation});
  plan.config = std::move(config);
  return plan;
}

}  // namespace vtl::config
