// Drives and changer as a configuration makes them: what the changer tells of a drive (DVCID) is
// what the drive tells of itself, under every profile.
#include "vtl/daemon/devices.h"

#include <catch2/catch.hpp>

#include "scsi/smc/profile.h"
#include "test/unit/support/recorder.h"
#include "vtl/config/init.h"
#include "vtl/daemon/system.h"

using namespace vtl;

namespace {

std::vector<std::byte> vpd(test::Recorder& recorder, std::uint8_t page) {
  return recorder.run({1, 1}, {0x12, 1, page, 0x10, 0, 0}).data();
}

}  // namespace

TEST_CASE("a drive's 34 bytes in the changer are those of its own VPD 83h") {
  for (const auto& profile : scsi::smc::library_profiles()) {
    INFO(profile.name);
    const auto plan =
        config::plan_init({.profile = std::string(profile.name), .generation = {{9, 1}, {5, 1}}},
                          daemon::random_bytes);
    REQUIRE(plan.config);
    const config::LibraryConfig& library = plan.config->library;
    const auto identifiers = daemon::drive_identifiers(library);
    REQUIRE(identifiers.size() == 2);
    for (std::size_t i = 0; i < identifiers.size(); ++i) {
      CHECK(identifiers[i].size() == 34);
      // As a real one, HP's libraries have HP's drives.
      if (profile.drive_family == "hp")
        CHECK(identifiers[i].substr(0, 24) ==
              (i == 0 ? "HPE     Ultrium 9-SCSI  " : "HP      Ultrium 5-SCSI  "));
      else
        CHECK(identifiers[i].substr(0, 24) ==
              (i == 0 ? "IBM     ULT3580-TD9     " : "IBM     ULT3580-TD5     "));
      scsi::ssc::TapeDrive drive(daemon::drive_options(library, i));
      scsi::NexusInfo host;
      host.id = {1, 1};
      host.transport_id.assign(24, std::byte{1});
      drive.nexus_established(host);
      test::Recorder recorder(drive);
      const auto page = vpd(recorder, 0x83);
      REQUIRE(page.size() > 8 + 34);
      CHECK(page[7] == std::byte{34});
      CHECK(scsi::as_text(page).substr(8, 34) == identifiers[i]);
      const auto serial = vpd(recorder, 0x80);
      CHECK(scsi::as_text(serial).substr(4) == identifiers[i].substr(24));
    }
  }
}
