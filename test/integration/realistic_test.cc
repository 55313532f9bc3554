// serve --realistic: the loop's clock and the drive around what test/unit/timing proves in virtual
// time.
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "library.h"

TEST_CASE("a realistic drive becomes ready in its time, and a stop does not wait for it") {
  Library library;
  REQUIRE(library.daemon.stop() == 0);
  library.daemon.start({"--realistic"});
  Initiator drive = library.attach_drive(1);
  // Asked for and not waited for: the answer comes when the cartridge is loaded.
  std::thread robot([&] {
    Initiator changer = library.attach_changer();
    (void)move_medium(changer, kFirstSlot, kFirstDrive);
  });
  const auto started = std::chrono::steady_clock::now();
  const auto passed = [&] { return std::chrono::steady_clock::now() - started; };
  std::string state;
  while (state != "2/04/01" && passed() < std::chrono::seconds(10)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    state = drive.clear_unit_attentions().sense_code();
  }
  CHECK(state == "2/04/01");
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(drive.clear_unit_attentions().sense_code() == "2/04/01");
  CHECK(library.daemon.stop() == 0);
  CHECK(passed() < std::chrono::seconds(14));  // LTO-8 takes 15 s
  robot.join();
}
