#include "vtl/config/init.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "scsi/smc/profile.h"
#include "scsi/ssc/drive_family.h"
#include "vtl/config/applications.h"
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
                       std::uint32_t usual, const scsi::smc::ElementRange& range,
                       const scsi::smc::LibraryProfile& profile, InitPlan& plan) {
  const std::uint32_t count = asked.value_or(usual);
  if (count < min || count > range.address_count)
    plan.errors.push_back(fmt::format("{}: found {}, allowed: {} to {} (profile {})", option, count,
                                      min, range.address_count, profile.name));
  else if (count > range.model_count)
    plan.warnings.push_back(
        fmt::format("{}: {} is more than the {} of a real {} {}: some backup software may object",
                    option, count, range.model_count, profile.vendor, profile.product));
  return count;
}

// The generation of each drive.
std::vector<std::uint8_t> generations_of(const InitOptions& options, std::uint8_t usual,
                                         const scsi::smc::LibraryProfile& profile, InitPlan& plan) {
  std::uint32_t in_groups = 0;
  for (const DriveGroup& group : options.generation) {
    in_groups += group.drives.value_or(0);
    if (group.generation < 5 || group.generation > 9)
      plan.errors.push_back(
          fmt::format("--generation: found {}, allowed: 5 to 9", group.generation));
  }
  if (in_groups != 0 && options.drives && *options.drives != in_groups)
    plan.errors.push_back(
        fmt::format("--generation names {} drives, --drives {}", in_groups, *options.drives));
  const std::optional<std::uint32_t> asked = in_groups != 0 ? in_groups : options.drives;
  const std::uint32_t drives =
      count_of("--drives", asked, 1, profile.drives.default_count, profile.drives, profile, plan);
  if (!plan.errors.empty()) return {};
  if (options.generation.empty()) return std::vector<std::uint8_t>(drives, usual);
  std::vector<std::uint8_t> out;
  for (const DriveGroup& group : options.generation)
    out.insert(out.end(), group.drives.value_or(drives), group.generation);
  return out;
}

void explain(const Application& application, InitPlan& plan) {
  const auto& library = plan.config->library;
  const auto because = [&](const std::string& what, bool as_proposed, std::string_view why) {
    plan.reasons.push_back(what + ": " +
                           (as_proposed ? std::string(why) : "as you have asked for it"));
  };
  const std::uint8_t generation = library.drives.front().generation;
  because("profile " + library.profile, library.profile == application.profile,
          application.why_profile);
  const bool usual_drives = library.drives.front().family ==
                            scsi::smc::find_library_profile(application.profile)->drive_family;
  because(fmt::format("LTO-{}", generation), generation == application.generation && usual_drives,
          application.why_generation);
  because(fmt::format("{} slots, {} import/export slots", library.slots, library.ie_slots),
          library.slots == application.slots && library.ie_slots == application.ie_slots,
          application.why_slots);
  because("barcodes", true, application.why_barcodes);
}

}  // namespace

std::variant<std::vector<DriveGroup>, std::string> parse_drive_groups(std::string_view text) {
  const std::string allowed =
      "a generation from 5 to 9, or how many drives of each, as 9x4,8x6 for ten";
  std::vector<DriveGroup> groups;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    more = comma != std::string_view::npos;
    text = more ? text.substr(comma + 1) : std::string_view();
    DriveGroup& group = groups.emplace_back();
    if (const std::size_t x = item.find('x'); x != std::string_view::npos) {
      const auto count = parse_count(item.substr(x + 1));
      if (!count || *count < 1 || *count > 0xFFFF) return allowed;
      group.drives = static_cast<std::uint32_t>(*count);
      item = item.substr(0, x);
    }
    const auto generation = parse_count(item);
    if (!generation || *generation < 5 || *generation > 9) return allowed;
    group.generation = static_cast<std::uint8_t>(*generation);
  }
  // Without a number, one generation is all there is.
  if (groups.size() > 1)
    for (const DriveGroup& group : groups)
      if (!group.drives) return allowed;
  return groups;
}

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
  const Application* application = find_application(options.application);
  if (application == nullptr && !options.application.empty()) {
    plan.errors.push_back(fmt::format("--for: found \"{}\", allowed: {}",
                                      options.application.substr(0, 60), application_names()));
    return plan;
  }
  const std::string profile_name = options.profile.value_or(
      application != nullptr ? std::string(application->profile) : "stk-l700");
  const auto* profile = scsi::smc::find_library_profile(profile_name);
  if (profile == nullptr) {
    plan.errors.push_back(fmt::format("--profile: found \"{}\", allowed: {}",
                                      profile_name.substr(0, 60), profile_names()));
    return plan;
  }
  // Sizes that suit the application are those of its own profile.
  const bool as_proposed = application != nullptr && application->profile == profile_name;
  Config config;
  LibraryConfig& library = config.library;
  library.profile = profile->name;
  library.iqn_prefix = profile->default_iqn_prefix;
  library.name = profile->default_library;
  for (char& c : library.name)
    if (c == 'X') c = draw(kHexDigits, random);
  library.slots = count_of("--slots", options.slots, 1,
                           as_proposed ? application->slots : profile->storage.default_count,
                           profile->storage, *profile, plan);
  library.ie_slots =
      count_of("--ie-slots", options.ie_slots, 0,
               as_proposed ? application->ie_slots : profile->import_export.default_count,
               profile->import_export, *profile, plan);
  if (application != nullptr) library.barcode_characters = application->barcode_characters;
  const std::string family = options.identity.value_or(std::string(profile->drive_family));
  if (scsi::ssc::find_drive_family(family) == nullptr)
    plan.errors.push_back(fmt::format("--identity: found \"{}\", allowed: {}", family.substr(0, 60),
                                      scsi::ssc::drive_family_names()));
  const std::vector<std::uint8_t> generations = generations_of(
      options, application != nullptr ? application->generation : profile->drive_generation,
      *profile, plan);
  if (!plan.errors.empty()) return plan;

  library.changer = draw_identity(random);
  for (const std::uint8_t generation : generations)
    library.drives.push_back({draw_identity(random), generation, family});
  plan.config = std::move(config);
  if (application != nullptr) explain(*application, plan);
  return plan;
}

}  // namespace vtl::config
