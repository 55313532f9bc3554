// Persistent reservations through a restart and a kill of the server (APTPL, SPC-4 5.12.5): by a
// foreign initiator, at a drive and at the changer.
#include <signal.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "library.h"

namespace {

constexpr int kRegister = 0, kReserve = 1, kRelease = 2;
constexpr int kExclusiveAccess = 3;

LoginOptions as(const std::string& host) {
  LoginOptions options;
  options.initiator = "iqn.2026-11.local.test:" + host;
  options.isid = 0x1234;
  return options;
}

// PERSISTENT RESERVE OUT with keys of one byte.
CommandResult reserve_out(Initiator& device, int action, int type, int key, int action_key,
                          bool aptpl = false) {
  ByteString list(24, 0);
  list[7] = static_cast<std::uint8_t>(key);
  list[15] = static_cast<std::uint8_t>(action_key);
  list[20] = aptpl ? 1 : 0;
  return device.out({0x5f, action, type, 0, 0, 0, 0, 0, 24, 0}, list);
}
ByteString reserve_in(Initiator& device, int action) {
  const CommandResult result = device.in({0x5e, action, 0, 0, 0, 0, 0, 0, 255, 0}, 255);
  REQUIRE(result.good());
  return result.data;
}
bool conflicts(Initiator& device) {  // MODE SENSE: refused under an exclusive access of another
  return device.in({0x1a, 0, 0x3f, 0, 255, 0}, 255).status == 0x18;
}

}  // namespace

TEST_CASE("reservations with APTPL are there after a restart and after a kill") {
  Library library;
  const std::string folder = library.daemon.data() + "/reservations";
  {
    Initiator drive = library.attach_drive(1, as("a"));
    Initiator changer = library.attach_changer(as("a"));
    CHECK(reserve_in(drive, 2) == ByteString{0, 8, 0x1d, 0x80, 0xea, 1, 0, 0});
    CHECK_FALSE(std::filesystem::exists(folder));
    for (Initiator* device : {&drive, &changer}) {
      REQUIRE(reserve_out(*device, kRegister, 0, 0, 7, true).good());
      REQUIRE(reserve_out(*device, kReserve, kExclusiveAccess, 7, 0).good());
      CHECK(reserve_in(*device, 2) == ByteString{0, 8, 0x1d, 0x81, 0xea, 1, 0, 0});
    }
    // Another drive's is not to be kept.
    Initiator second = library.attach_drive(2, as("a"));
    REQUIRE(reserve_out(second, kRegister, 0, 0, 9).good());
    REQUIRE(reserve_out(second, kReserve, kExclusiveAccess, 9, 0).good());
  }
  for (const int signal : {SIGTERM, SIGKILL}) {
    CAPTURE(signal);
    library.daemon.stop(signal);
    library.daemon.start();
    Initiator first = library.attach_drive(1, as("b"));
    CHECK(conflicts(first));
    Initiator changer = library.attach_changer(as("b"));
    CHECK(conflicts(changer));
    Initiator second = library.attach_drive(2, as("b"));
    CHECK_FALSE(conflicts(second));
    const ByteString keys = reserve_in(changer, 0);
    CHECK(keys == ByteString{0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7});
    CHECK(library.daemon.log().find("is registered with by 1 initiator ports") !=
          std::string::npos);
  }
  // The holder is known by its name and ISID, and can let go; without APTPL nothing is kept.
  {
    Initiator drive = library.attach_drive(1, as("a"));
    CHECK_FALSE(conflicts(drive));
    CHECK(reserve_out(drive, kRelease, kExclusiveAccess, 7, 0).good());
    CHECK(reserve_out(drive, kRegister, 0, 7, 8).good());
    CHECK(reserve_out(drive, kReserve, kExclusiveAccess, 8, 0).good());
  }
  library.daemon.stop(SIGKILL);
  library.daemon.start();
  Initiator drive = library.attach_drive(1, as("b"));
  CHECK_FALSE(conflicts(drive));
  CHECK(reserve_in(drive, 0) == ByteString(8, 0));
}

TEST_CASE("reservations that cannot be read are told, and the unit starts without") {
  Library library;
  const auto shown = vtl_json({"library", "show", "--data", library.daemon.data()});
  const std::string path =
      library.daemon.data() + "/reservations/" + shown["serial"].get<std::string>();
  {
    Initiator changer = library.attach_changer(as("a"));
    REQUIRE(reserve_out(changer, kRegister, 0, 0, 7, true).good());
    REQUIRE(reserve_out(changer, kReserve, kExclusiveAccess, 7, 0).good());
  }
  CHECK(library.daemon.stop() == 0);
  write_text(path, read_text(path).substr(0, 40));
  library.daemon.start();
  Initiator changer = library.attach_changer(as("b"));
  CHECK_FALSE(conflicts(changer));
  const auto alerts = vtl_json({"library", "alerts", "--data", library.daemon.data()})["alerts"];
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0]["cause"] == "reservations");
  const std::string text = alerts[0]["text"];
  CHECK(text.find("the changer cannot be read: " + path + " is damaged") != std::string::npos);
  CHECK(text.find("remove " + path) != std::string::npos);
}
