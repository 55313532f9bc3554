// What a new library is made of: by profile, by generation, for an application.
#include "vtl/config/init.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

#include "scsi/smc/profile.h"
#include "vtl/config/applications.h"

using namespace vtl::config;

namespace {

RandomBytes seeded(unsigned seed) {
  return [engine = std::make_shared<std::mt19937>(seed)](std::span<std::byte> out) {
    for (std::byte& byte : out) byte = static_cast<std::byte>((*engine)());
  };
}

std::optional<Config> read_back(const Config& config) {
  const SourceFile file{write_default(config), 0600};
  return load("/data/vtl.yaml",
              [&](const std::string&) -> std::variant<SourceFile, std::string> { return file; })
      .config;
}

}  // namespace

TEST_CASE("init: every profile makes a library without a warning") {
  for (const auto& profile : scsi::smc::library_profiles()) {
    const InitPlan plan = plan_init({.profile = std::string(profile.name)}, seeded(6));
    INFO(profile.name);
    REQUIRE(plan.config);
    CHECK(plan.warnings.empty());
    CHECK(plan.reasons.empty());
    CHECK(plan.config->library.drives.size() == std::min(profile.drives.model_count, 10u));
    CHECK(read_back(*plan.config) == plan.config);
  }
}

TEST_CASE("init: drives are those that the profile's real library has, or as asked for") {
  const auto family = [](const InitOptions& options) {
    const InitPlan plan = plan_init(options, seeded(6));
    REQUIRE(plan.config);
    for (const Drive& drive : plan.config->library.drives)
      CHECK(drive.family == plan.config->library.drives.front().family);
    CHECK(read_back(*plan.config) == plan.config);
    return plan.config->library.drives.front().family;
  };
  CHECK(family({}) == "ibm");
  CHECK(family({.profile = "aws"}) == "ibm");
  CHECK(family({.profile = "hp-msl"}) == "hp");
  CHECK(family({.profile = "hp-esl"}) == "hp");
  CHECK(family({.profile = "quantum-scalar"}) == "ibm");
  CHECK(family({.profile = "quantum-scalar", .identity = "quantum"}) == "quantum");
  CHECK(family({.profile = "hp-msl", .identity = "ibm"}) == "ibm");
  CHECK(plan_init({.identity = "sony"}, seeded(6)).errors ==
        std::vector<std::string>{"--identity: found \"sony\", allowed: ibm, hp, quantum"});
  // What was chosen for an application, and is not that any more, is not explained by it.
  const InitPlan asked = plan_init({.application = "netbackup", .identity = "hp"}, seeded(6));
  REQUIRE(asked.reasons.size() == 4);
  CHECK(asked.reasons[1] == "LTO-8: as you have asked for it");
}

TEST_CASE("init: drives of several generations") {
  using Groups = std::vector<DriveGroup>;
  const auto groups = parse_drive_groups("9x4,8x6");
  REQUIRE(std::holds_alternative<Groups>(groups));
  const InitPlan plan = plan_init({.generation = std::get<Groups>(groups)}, seeded(7));
  REQUIRE(plan.config);
  std::string generations;
  for (const Drive& drive : plan.config->library.drives)
    generations += std::to_string(drive.generation);
  CHECK(generations == "9999888888");
  CHECK(std::get<Groups>(parse_drive_groups("7")).front().generation == 7);
  for (const char* wrong : {"", "4", "10", "8x", "8x0", "8,9", "8x2,", "x2", "8x2x2", "8x2 "})
    CHECK(std::holds_alternative<std::string>(parse_drive_groups(wrong)));
  CHECK(plan_init({.generation = {{9, 2}, {8, 2}}, .drives = 5}, seeded(7)).errors ==
        std::vector<std::string>{"--generation names 4 drives, --drives 5"});
  CHECK(
      plan_init({.generation = {{9, {}}}, .drives = 5}, seeded(7)).config->library.drives.size() ==
      5);
}

TEST_CASE("init --for: a library that suits the application, and why") {
  for (const Application& application : applications()) {
    INFO(application.name);
    const InitPlan plan = plan_init({.application = std::string(application.name)}, seeded(8));
    REQUIRE(plan.config);
    CHECK(plan.warnings.empty());
    const LibraryConfig& library = plan.config->library;
    CHECK(library.profile == application.profile);
    CHECK(library.slots == application.slots);
    CHECK(library.drives.front().generation == application.generation);
    CHECK(library.barcode_characters == application.barcode_characters);
    CHECK(plan.reasons.size() == 4);
    for (const std::string& reason : plan.reasons) CHECK(reason.find(": ") + 5 < reason.size());
  }
  CHECK(find_application("netbackup")->profile == "stk-l700");
  CHECK(find_application("spectrum-protect")->profile == "ibm-3584");
  CHECK(plan_init({.application = "word"}, seeded(8)).errors ==
        std::vector<std::string>{R"(--for: found "word", allowed: )" +
                                 std::string(application_names())});

  // What is asked for goes before what is proposed.
  const InitPlan plan =
      plan_init({.application = "dpm", .profile = "hp-esl", .slots = 30}, seeded(8));
  REQUIRE(plan.config);
  CHECK(plan.config->library.profile == "hp-esl");
  CHECK(plan.config->library.slots == 30);
  CHECK(plan.config->library.ie_slots == 20);
  CHECK(plan.reasons.front() == "profile hp-esl: as you have asked for it");
}
