// Moves over iSCSI, and what a person does beside them through the control socket.
#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "library.h"

namespace {

std::string place_of(const Library& library, const std::string& barcode) {
  const auto shown = vtl_json({"cartridge", "show", barcode, "--data", library.daemon.data()});
  return shown["place"].is_null() ? "outside" : shown["place"]["name"].get<std::string>();
}

}  // namespace

TEST_CASE("moves over every element type are refused and done as the standard says") {
  Library library;
  Initiator changer = library.attach_changer();
  CHECK(move_medium(changer, kFirstSlot, kFirstDoor).good());
  CHECK(place_of(library, "VTL001L8") == "ie-1");
  CHECK(move_medium(changer, kFirstDoor, kFirstDrive).good());
  CHECK(place_of(library, "VTL001L8") == "drive-1");
  CHECK(move_medium(changer, kFirstDrive, kFirstDrive + 1).good());
  CHECK(move_medium(changer, kFirstDrive + 1, kFirstSlot + 100).good());
  CHECK(place_of(library, "VTL001L8") == "slot-101");

  CHECK(move_medium(changer, kFirstSlot, kFirstDrive).sense_code() == "5/3B/0E");
  CHECK(move_medium(changer, kFirstSlot + 1, kFirstSlot + 2).sense_code() == "5/3B/0D");
  CHECK(move_medium(changer, kFirstSlot + 1, 9999).sense_code() == "5/21/01");
}

TEST_CASE("PREVENT keeps a cartridge in its drive until the nexus is gone") {
  Library library;
  Initiator drive = library.load(1);
  Initiator changer = library.attach_changer();
  REQUIRE(drive.none({0x1e, 0, 0, 0, 1, 0}).good());
  CHECK(move_medium(changer, kFirstDrive, kFirstSlot).sense_code() == "5/53/02");
  const Ended moved =
      run_vtl({"library", "move", "drive-1", "slot-1", "--data", library.daemon.data()});
  CHECK(moved.code == 1);
  CHECK(moved.err.find("prevents") != std::string::npos);
  CHECK(drive.logout());
  CHECK(move_medium(changer, kFirstDrive, kFirstSlot).good());
}

TEST_CASE("PREVENT at the changer locks the door for each host on its own, and not the robot") {
  Library library({}, [](std::string& yaml) {
    replace_in(yaml, "#max_sessions_per_target: 1", "max_sessions_per_target: 2");
  });
  const auto take_out = [&] {
    return run_vtl({"library", "move", "ie-1", "outside", "--data", library.daemon.data()});
  };
  Initiator one = library.attach_changer(), two = library.attach_changer();
  REQUIRE(move_medium(one, kFirstSlot, kFirstDoor).good());
  REQUIRE(one.none({0x1E, 0, 0, 0, 1, 0}).good());
  REQUIRE(two.none({0x1E, 0, 0, 0, 1, 0}).good());
  CHECK(one.none({0x1B, 0, 0, kFirstDoor, 0, 0}).sense_code() == "5/53/02");  // OPEN
  CHECK(one.none({0x1B, 0, 0, kFirstDoor, 1, 0}).good());                     // CLOSE
  CHECK(take_out().code == 1);
  CHECK(move_medium(two, kFirstDoor, kFirstDoor + 1).good());
  CHECK(move_medium(two, kFirstDoor + 1, kFirstDoor).good());
  REQUIRE(one.none({0x1E, 0, 0, 0, 0, 0}).good());
  CHECK(one.none({0x1B, 0, 0, kFirstDoor, 0, 0}).sense_code() == "5/53/02");  // two still does
  CHECK(two.logout());
  CHECK(one.none({0x1B, 0, 0, kFirstDoor, 0, 0}).good());
  CHECK(take_out().code == 0);
  CHECK(one.none({0, 0, 0, 0, 0, 0}).sense_code() == "6/28/01");
}

TEST_CASE(
    "a library of 64,000 slots: in one answer, a thousand at a time, and moved at its far end") {
  Library library({"--slots", "64000", "--ie-slots", "490", "--cartridges", "3"});
  Initiator changer = library.attach_changer();
  const auto status = [&](int type, int first, int number, std::size_t expected) {
    return changer.in({0xB8, type, first >> 8, first & 0xFF, number >> 8, number & 0xFF, 0, 0xFF,
                       0xFF, 0xFF, 0, 0},
                      expected);
  };
  const CommandResult all = status(0x12, 0, 0xFFFF, 0x400000);
  CHECK(all.data.size() == 16 + 64000u * 52);
  CHECK(all.residual == 0x400000 - 16 - 64000 * 52);
  std::size_t seen = 0;
  for (int first = 0; first <= 0xFFFF;) {
    const CommandResult part = status(0x12, first, 1000, 65535);
    REQUIRE(part.good());
    REQUIRE(part.data.size() >= 8);
    const int count = part.data[2] << 8 | part.data[3];
    if (count == 0) break;
    REQUIRE(part.data.size() == 16 + static_cast<std::size_t>(count) * 52);
    seen += static_cast<std::size_t>(count);
    const std::size_t last = part.data.size() - 52;
    first = (part.data[last] << 8 | part.data[last + 1]) + 1;
  }
  CHECK(seen == 64000);
  const int far = kFirstSlot + 63999;
  CHECK(move_medium(changer, kFirstSlot, far).good());
  CHECK(place_of(library, "VTL001L8") == "slot-64000");
  CHECK(move_medium(changer, kFirstSlot + 1, far + 1).sense_code() == "5/21/01");
  // Where is it? The search goes over all of them.
  ByteString pattern(40);
  const std::string name = "VTL001*";
  std::copy(name.begin(), name.end(), pattern.begin());
  REQUIRE(changer.out({0xB6, 0, 0, 0, 0, 5, 0, 0, 0, 40, 0, 0}, pattern).good());
  const CommandResult found =
      changer.in({0xB5, 0x10, 0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF, 0, 0}, 65535);
  REQUIRE(found.data.size() == 16 + 52);
  CHECK((found.data[16] << 8 | found.data[17]) == far);
  CHECK(move_medium(changer, far, kFirstDrive).good());
}

TEST_CASE("slots are added under a host that is logged in") {
  Library library;
  Initiator changer = library.attach_changer();
  const auto slots = [&] {
    const CommandResult page = changer.in({0x1A, 8, 0x1D, 0, 0xFF, 0}, 255);
    REQUIRE(page.data.size() == 24);
    return static_cast<unsigned>(page.data[12]) << 8 | static_cast<unsigned>(page.data[13]);
  };
  const auto serial = [&] { return changer.in({0x12, 1, 0x80, 0, 0xFF, 0}, 255).data; };
  const unsigned before = slots();
  const auto serial_before = serial();
  const std::string more = std::to_string(before + 50);
  CHECK(run_vtl({"library", "grow", "--slots", more, "--data", library.daemon.data()}).code == 0);
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).sense_code() == "6/2A/01");
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).sense_code() == "6/28/00");
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).good());
  CHECK(slots() == before + 50);
  CHECK(serial() == serial_before);
  const int last = kFirstSlot + static_cast<int>(before) + 49;
  CHECK(move_medium(changer, kFirstSlot, last).good());
  CHECK(move_medium(changer, kFirstSlot + 1, last + 1).sense_code() == "5/21/01");
  CHECK(place_of(library, "VTL001L8") == "slot-" + more);
}

TEST_CASE(
    "a drive that another host has reserved gives its cartridge up, a reserved changer nothing") {
  Library library;
  Initiator drive = library.load(1);
  REQUIRE(drive.none({0x16, 0, 0, 0, 0, 0}).good());
  Initiator changer = library.attach_changer();
  CHECK(move_medium(changer, kFirstDrive, kFirstSlot).good());
  CHECK(move_medium(changer, kFirstSlot, kFirstDrive).good());
  CHECK(drive.clear_unit_attentions().good());
  REQUIRE(changer.none({0x16, 0, 0, 0, 0, 0}).good());
  CHECK(changer.logout());  // and the reservation ends with the session
  Initiator again = library.attach_changer();
  CHECK(move_medium(again, kFirstDrive, kFirstSlot).good());
}

TEST_CASE("a kill at any moment of a growth leaves the old library or the new one") {
  Library library({"--drives", "2", "--slots", "10", "--cartridges", "5"});
  const std::string data = library.daemon.data();
  std::size_t drives = 2, slots = 10;
  for (int round = 0; round < 8; ++round) {
    CAPTURE(round, drives, slots);
    std::thread growing([&] {
      (void)run_vtl({"library", "grow", "--drives", std::to_string(drives + 1), "--slots",
                     std::to_string(slots + 5), "--data", data});
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(15 * round));
    CHECK(library.daemon.stop(9) == 128 + 9);
    growing.join();  // without the server it may make the change by itself
    CHECK(run_vtl({"config", "check", "--data", data}).code == 0);
    library.daemon.start();
    const auto shown = vtl_json({"library", "show", "--data", data});
    std::size_t drives_now = 0, slots_now = 0;
    for (const auto& element : shown["elements"]) {
      drives_now += element["type"] == "drive" ? 1 : 0;
      slots_now += element["type"] == "storage" ? 1 : 0;
    }
    const bool grown = drives_now == drives + 1 && slots_now == slots + 5;
    CHECK((grown || (drives_now == drives && slots_now == slots)));
    CHECK(Initiator::discover(library.daemon.portal()).size() == 1 + drives_now);
    CHECK(place_of(library, "VTL001L8") == "slot-1");
    drives = drives_now;
    slots = slots_now;
  }
  CHECK(drives > 2);
}

TEST_CASE("a cleaning cartridge by MOVE MEDIUM: it cleans, comes out, and has a use less") {
  Library library;
  const std::string data = library.daemon.data();
  REQUIRE(run_vtl({"cartridge", "create", "CLN001CU", "--data", data}).code == 0);
  Initiator changer = library.attach_changer();
  const auto place = vtl_json({"cartridge", "show", "CLN001CU", "--data", data})["place"];
  const int slot = place["address"].get<int>();
  CHECK(move_medium(changer, slot, kFirstDrive).good());
  Initiator drive = library.attach_drive(1);
  CHECK(drive.clear_unit_attentions().sense_code() == "2/3A/00");
  CHECK(vtl_json({"cartridge", "show", "CLN001CU", "--data", data})["cleanings_left"] == 49);
  CHECK(move_medium(changer, kFirstDrive, slot).good());
}

TEST_CASE("an operator's move tells the changer's initiators") {
  Library library;
  Initiator changer = library.attach_changer();
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).good());
  const Ended moved =
      run_vtl({"library", "move", "VTL001L8", "slot-50", "--data", library.daemon.data()});
  CHECK(moved.code == 0);
  CHECK(moved.out == "VTL001L8 is in slot-50 now\n");
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).sense_code() == "6/28/00");
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).good());
  CHECK(run_vtl({"library", "move", "ie-1", "outside", "--data", library.daemon.data()}).code == 1);
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).good());  // nothing was moved
  CHECK(run_vtl({"library", "move", "slot-50", "ie-1", "--data", library.daemon.data()}).code == 0);
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).sense_code() == "6/28/00");
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).sense_code() == "6/28/01");
  CHECK(run_vtl({"library", "move", "ie-1", "outside", "--data", library.daemon.data()}).code == 0);
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).sense_code() == "6/28/01");
  // Straight into a drive it does not come; the server says so and goes on.
  const Ended refused =
      run_vtl({"library", "move", "VTL001L8", "drive-1", "--data", library.daemon.data()});
  CHECK(refused.code == 1);
  CHECK(refused.err.find("import/export slot") != std::string::npos);
  CHECK(changer.none({0, 0, 0, 0, 0, 0}).good());
}

TEST_CASE("places survive a restart and a kill") {
  Library library;
  {
    Initiator changer = library.attach_changer();
    REQUIRE(move_medium(changer, kFirstSlot + 4, kFirstDrive + 2).good());
    REQUIRE(move_medium(changer, kFirstSlot + 5, kFirstDoor + 3).good());
  }
  CHECK(library.daemon.stop(9) == 128 + 9);
  // Without a server the commands read the directory themselves.
  CHECK(place_of(library, "VTL005L8") == "drive-3");
  CHECK(place_of(library, "VTL006L8") == "ie-4");
  library.daemon.start();
  CHECK(place_of(library, "VTL005L8") == "drive-3");
  Initiator drive = library.attach_drive(3);
  CHECK(drive.wait_ready().good());
  CHECK(drive.logout());
  CHECK(library.daemon.stop() == 0);
  CHECK(run_vtl({"library", "move", "drive-3", "slot-5", "--data", library.daemon.data()}).code ==
        0);
  CHECK(place_of(library, "VTL005L8") == "slot-5");
}

TEST_CASE("a cartridge that somebody works on stays in its slot") {
  Library library;
  Initiator changer = library.attach_changer();
  // As an export or a check holds it.
  const std::string lock = library.daemon.data() + "/pool/carts/VTL001L8/LOCK";
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  REQUIRE(fd >= 0);
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_len = 1;
  REQUIRE(::fcntl(fd, F_OFD_SETLK, &range) == 0);
  CHECK(move_medium(changer, kFirstSlot, kFirstDrive).sense_code() == "4/53/00");
  CHECK(place_of(library, "VTL001L8") == "slot-1");
  ::close(fd);
  CHECK(move_medium(changer, kFirstSlot, kFirstDrive).good());
  Initiator drive = library.attach_drive(1);
  CHECK(drive.wait_ready().good());
}

TEST_CASE("what a crash left of deletions and imports is gone soon after the next start") {
  namespace fs = std::filesystem;
  Library library;
  CHECK(library.daemon.stop(9) == 128 + 9);
  const fs::path pool = fs::path(library.daemon.data()) / "pool";
  for (const char* left : {"trash/deleted-OLD001L8-0/p0.1", ".incoming/NEW001L8/carts/NEW001L8",
                           ".incoming/NEW002L8.new/p0.1"})
    fs::create_directories(pool / left);
  write_text((pool / "trash/deleted-OLD001L8-0/p0.1/segment").string(), "data");
  library.daemon.start();
  CHECK(fs::is_empty(pool / ".incoming"));
  for (int i = 0; i < 500 && !fs::is_empty(pool / "trash"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(fs::is_empty(pool / "trash"));
  CHECK(place_of(library, "VTL001L8") == "slot-1");
}

TEST_CASE("in and out through the door") {
  Library library;
  const std::string data = library.daemon.data();
  CHECK(run_vtl({"library", "move", "slot-1", "ie-1", "--data", data}).code == 0);
  CHECK(run_vtl({"library", "move", "ie-1", "outside", "--data", data}).code == 0);
  CHECK(place_of(library, "VTL001L8") == "outside");
  const Ended back = run_vtl({"library", "move", "VTL001L8", "slot-3", "--data", data});
  CHECK(back.code == 1);  // there is VTL003L8
  CHECK(run_vtl({"library", "move", "VTL001L8", "ie-20", "--data", data}).code == 0);
  CHECK(place_of(library, "VTL001L8") == "ie-20");
  CHECK(run_vtl({"library", "move", "slot-2", "outside", "--data", data}).code == 1);
}
