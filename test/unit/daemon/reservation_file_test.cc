// Persistent reservations on disk: what is kept, what a failure or a crash at any moment leaves.
#include "vtl/daemon/reservation_file.h"

#include <catch2/catch.hpp>

#include <optional>

#include "test/unit/cartridge/memory_files.h"
#include "test/unit/cartridge/seeded_executor.h"

using namespace vtl;
using namespace vtl::daemon;
using vtl::test::MemoryFiles;
using vtl::test::SeededExecutor;

namespace {

config::LibraryConfig library() {
  config::LibraryConfig out;
  out.changer.serial = "VTCHANGER1";
  out.drives.resize(2);
  out.drives[0].identity.serial = "VTDRIVE001";
  out.drives[1].identity.serial = "VTDRIVE002";
  return out;
}

scsi::KeptReservations state(int hosts, bool reserved) {
  scsi::KeptReservations out;
  for (int i = 0; i < hosts; ++i)
    out.registrations.push_back({{{std::byte{0x45}, static_cast<std::byte>(i)}, 1},
                                 0xFEDCBA9876543210 + static_cast<unsigned>(i),
                                 i == 1});
  if (reserved)
    out.reservation = {scsi::ReservationType::kExclusiveAccessRegistrantsOnly,
                       out.registrations.front().port};
  return out;
}

struct World {
  World() {
    REQUIRE(files.make_directory("/d"));
    REQUIRE(files.sync_directory("/"));
  }
  ReservationFolder read() {
    ReservationFolder out = ReservationFolder::read(files, "/d/reservations", library());
    out.failed = [this](std::string text) { told = std::move(text); };
    return out;
  }
  // As drive 1 sees it; nothing if it was told of damage.
  std::optional<scsi::KeptReservations> found() {
    const ReservationFolder folder = read();
    if (!folder.problems.empty()) return std::nullopt;
    const auto kept = folder.kept.find("VTDRIVE001");
    return kept == folder.kept.end() ? scsi::KeptReservations{} : kept->second;
  }
  std::optional<bool> keep(ReservationFile& file, scsi::KeptReservations what) {
    std::optional<bool> kept;
    file.keep(std::move(what), [&](bool done) { kept = done; });
    CHECK_FALSE(kept);  // the loop does not wait for a disk
    executor.run();
    return kept;
  }
  MemoryFiles files;
  SeededExecutor executor;
  std::string told;
};

}  // namespace

TEST_CASE("what is kept is found at the next start, after a crash too") {
  World w;
  ReservationFolder folder = w.read();
  CHECK(folder.kept.empty());
  CHECK(folder.problems.empty());
  ReservationFile file(w.files, w.executor, folder, "VTDRIVE001", "drive 1");
  CHECK(file.options().kept == scsi::KeptReservations{});
  for (const auto& what : {state(1, false), state(3, true), state(2, true), state(0, false)}) {
    CHECK(w.keep(file, what) == true);
    w.files.crash(0);
    CHECK(w.found() == what);
  }
  CHECK_FALSE(w.files.has("/d/reservations/VTDRIVE001"));
  CHECK(w.told.empty());

  REQUIRE(w.keep(file, state(2, true)) == true);
  const ReservationFolder later = w.read();
  CHECK(later.kept.size() == 1);
  ReservationFile other(w.files, w.executor, later, "VTDRIVE002", "drive 2");
  CHECK(other.options().kept == scsi::KeptReservations{});
  ReservationFile same(w.files, w.executor, later, "VTDRIVE001", "drive 1");
  CHECK(same.options().kept == state(2, true));
}

TEST_CASE("each operation fails in turn: old or new, and the host is told which") {
  for (const auto failure : {MemoryFiles::Failure::kEio, MemoryFiles::Failure::kNoSpace,
                             MemoryFiles::Failure::kShortWrite, MemoryFiles::Failure::kPowerCut}) {
    const bool power = failure == MemoryFiles::Failure::kPowerCut;
    for (int hosts : {0, 3}) {
      for (std::uint64_t at = 0;; ++at) {
        REQUIRE(at < 100);
        CAPTURE(static_cast<int>(failure), hosts, at);
        World w;
        ReservationFolder folder = w.read();
        ReservationFile file(w.files, w.executor, folder, "VTDRIVE001", "drive 1");
        REQUIRE(w.keep(file, state(1, true)) == true);
        w.files.fail_at(at, failure);
        const bool kept = w.keep(file, state(hosts, false)).value();
        if (!w.files.failed()) {
          CHECK(kept);
          break;
        }
        w.files.crash(0.5);
        w.files.heal();
        const auto found = w.found();
        REQUIRE(found);
        if (kept) {
          CHECK(found == state(hosts, false));
        } else {
          CHECK(w.told.find("drive 1 cannot be kept") != std::string::npos);
          // Without power nothing can be put back: which it is was told to nobody.
          if (!power) CHECK(found == state(1, true));
          if (power) CHECK((found == state(1, true) || found == state(hosts, false)));
        }
        // And the next is kept again.
        CHECK(w.keep(file, state(2, true)) == true);
        CHECK(w.found() == state(2, true));
      }
    }
  }
}

TEST_CASE("a file that is damaged is told, and its unit starts without") {
  World w;
  ReservationFolder folder = w.read();
  ReservationFile drive(w.files, w.executor, folder, "VTDRIVE001", "drive 1");
  ReservationFile changer(w.files, w.executor, folder, "VTCHANGER1", "the changer");
  REQUIRE(w.keep(drive, state(2, true)) == true);
  REQUIRE(w.keep(changer, state(1, true)) == true);
  const std::string path = "/d/reservations/VTDRIVE001";
  std::size_t size = 0;
  w.files.edit(path, [&](std::vector<std::byte>& bytes) { size = bytes.size(); });
  const auto check = [&] {
    const ReservationFolder after = w.read();
    CHECK(after.kept.size() == 1);
    CHECK(after.kept.at("VTCHANGER1") == state(1, true));
    REQUIRE(after.problems.size() == 1);
    CHECK(after.problems[0].find("drive 1 cannot be read: " + path + " is damaged") !=
          std::string::npos);
    CHECK(after.problems[0].find("remove " + path) != std::string::npos);
  };
  SECTION("each byte, but for the spaces of the text") {
    for (std::size_t at = 0; at < size; ++at) {
      CAPTURE(at);
      std::byte old{};
      w.files.edit(path, [&](std::vector<std::byte>& bytes) { old = bytes[at]; });
      if (old == std::byte{' '} || old == std::byte{'\n'}) continue;
      w.files.edit(path, [&](std::vector<std::byte>& bytes) { bytes[at] ^= std::byte{0x02}; });
      check();
      w.files.edit(path, [&](std::vector<std::byte>& bytes) { bytes[at] = old; });
    }
  }
  SECTION("cut short") {
    for (const std::size_t left : {std::size_t{0}, std::size_t{1}, size / 2, size - 2}) {
      w.files.edit(path, [&](std::vector<std::byte>& bytes) { bytes.resize(left); });
      check();
    }
  }
  SECTION("too long") {
    w.files.edit(path, [&](std::vector<std::byte>& bytes) { bytes.resize(2u << 20); });
    const ReservationFolder after = w.read();
    REQUIRE(after.problems.size() == 1);
    CHECK(after.problems[0].find("too large") != std::string::npos);
  }
  SECTION("that cannot be read") {
    w.files.bad_block = [&](const std::string& at, std::uint64_t, std::size_t) {
      return at == path;
    };
    const ReservationFolder after = w.read();
    CHECK(after.kept.size() == 1);
    REQUIRE(after.problems.size() == 1);
  }
  // The next that it has to keep takes its place.
  w.files.bad_block = {};
  w.files.edit(path, [&](std::vector<std::byte>& bytes) { bytes.resize(5); });
  const ReservationFolder after = w.read();
  ReservationFile again(w.files, w.executor, after, "VTDRIVE001", "drive 1");
  REQUIRE(w.keep(again, state(1, false)) == true);
  CHECK(w.found() == state(1, false));
}

TEST_CASE("what is kept of a drive that is not there any more is told, and stays") {
  World w;
  ReservationFolder folder = w.read();
  CHECK(folder.strangers.empty());
  ReservationFile drive(w.files, w.executor, folder, "VTDRIVE001", "drive 1");
  ReservationFile gone(w.files, w.executor, folder, "VTDRIVE009", "drive 9");
  REQUIRE(w.keep(drive, state(2, true)) == true);
  REQUIRE(w.keep(gone, state(1, true)) == true);
  const ReservationFolder after = w.read();
  REQUIRE(after.strangers.size() == 1);
  CHECK(after.strangers[0].find("/d/reservations/VTDRIVE009 keeps") == 0);
  CHECK(after.kept.size() == 1);
  CHECK(*w.files.exists("/d/reservations/VTDRIVE009"));
}
