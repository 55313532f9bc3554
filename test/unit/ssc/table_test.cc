// The command table, REPORT SUPPORTED OPERATION CODES, and the generations.
#include <map>
#include <random>

#include "test/unit/ssc/rig.h"

using namespace test;

TEST_CASE(
    "REPORT SUPPORTED OPERATION CODES with timeouts: 20 bytes a command, all that LTFS needs") {
  Rig rig;
  const Data list = rig.run({0xA3, 0x0C, 0x80, 0, 0, 0, 0, 0, 0x10, 0}).data();
  REQUIRE(list.size() < 4096);
  CHECK((list.size() - 4) % 20 == 0);
  CHECK(be(list, 0, 4) == list.size() - 4);
  std::map<std::uint64_t, std::uint64_t> timeouts;
  for (std::size_t at = 4; at < list.size(); at += 20)
    timeouts.emplace(be(list, at, 1), be(list, at + 16, 4));
  for (const int opcode :
       {0x00, 0x01, 0x03, 0x04, 0x05, 0x08, 0x0A, 0x0B, 0x10, 0x13, 0x3C, 0x82, 0x11, 0x12,
        0x15, 0x16, 0x17, 0x19, 0x1A, 0x1B, 0x1D, 0x1E, 0x2B, 0x34, 0x44, 0x4C, 0x4D, 0x55,
        0x56, 0x57, 0x5A, 0x5E, 0x5F, 0x8C, 0x8D, 0x91, 0x92, 0xA0, 0xA3, 0xA4}) {
    INFO(opcode);
    CHECK(timeouts.contains(static_cast<std::uint64_t>(opcode)));
  }
  CHECK(timeouts[0x19] == 54896);
  CHECK(timeouts[0x08] == 2280);
  CHECK(timeouts[0x00] == 60);
}

TEST_CASE("What LTFS reads after an error: a dump of fixed size, forced or not") {
  Rig rig;
  CHECK(good(rig.send({0x1D, 0x10, 0, 0, 8, 0}, bytes({0x80, 0, 0, 4, 1, 0x60, 0, 0}))));
  CHECK(sense_of(rig.send({0x1D, 0x10, 0, 0, 8, 0}, bytes({0x80, 0, 0, 3, 1, 0x60, 0, 0}))) ==
        "5/26/00 list byte 2");
  CHECK(sense_of(rig.send({0x1D, 0x10, 0, 0, 4, 0}, bytes({0x81, 0, 0, 0}))) ==
        "5/26/00 list byte 0");
  CHECK(rig.run({0x3C, 3, 1, 0, 0, 0, 0, 0, 4}).data() == bytes({0, 0, 0x10, 0}));
  CHECK(rig.run({0x3C, 3, 0, 0, 0, 0, 0, 0, 4}).data() == bytes({0, 0, 0, 0}));
  const Data empty = rig.run({0x3C, 2, 1, 0, 0, 0, 0, 0x20, 0}).data();
  CHECK(empty.size() == 4096);
  CHECK(scsi::as_text(empty).find("VTL0000001") != std::string_view::npos);
  rig.load();
  rig.write(10);
  const Data loaded = rig.run({0x3C, 2, 1, 0, 0, 0, 0, 0x20, 0}).data();
  CHECK(scsi::as_text(loaded).find("object: 1") != std::string_view::npos);
  CHECK(rig.run({0x3C, 2, 1, 0, 0x0F, 0xFF, 0, 0x20, 0}).data().size() == 1);
  CHECK(sense_of(rig.run({0x3C, 2, 1, 0, 0x10, 0x01})) == "5/24/00 cdb byte 3 bit 7");
  CHECK(sense_of(rig.run({0x3C, 2, 0})) == "5/24/00 cdb byte 2 bit 7");
}

TEST_CASE("REPORT IDENTIFYING INFORMATION, READ MEDIA SERIAL NUMBER") {
  Rig rig;
  CHECK(rig.run({0xA3, 0x05, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}).data() == bytes({0, 0, 0, 0}));
  CHECK(sense_of(rig.run({0xAB, 1})) == "2/3A/00");
  rig.load();
  const Data serial = rig.run({0xAB, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}).data();
  CHECK(be(serial, 0, 4) == 12);
  CHECK(scsi::as_text(serial).substr(4) == std::string_view("MEM0000001\0\0", 12));
}

TEST_CASE("Reservations: what another nexus may still do") {
  Rig rig;
  rig.load();
  CHECK(good(rig.run({0x16})));
  const auto conflicts = [&](const Cdb& cdb) {
    return rig.run(cdb, rig.b, 0).reply.status == scsi::SamStatus::kReservationConflict;
  };
  for (const Cdb& cdb :
       {Cdb{0x00}, Cdb{0x01}, Cdb{0x08, 0, 0, 0, 1}, Cdb{0x0A, 0, 0, 0, 1}, Cdb{0x10}, Cdb{0x11, 3},
        Cdb{0x19}, Cdb{0x1B}, Cdb{0x2B}, Cdb{0x34}, Cdb{0x92}, Cdb{0x8C}})
    CHECK(conflicts(cdb));
  for (const Cdb& cdb : {Cdb{0x12}, Cdb{0x03}, Cdb{0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16}, Cdb{0x05},
                         Cdb{0x44}, Cdb{0x4D}, Cdb{0x17}, Cdb{0x1E}})
    CHECK_FALSE(conflicts(cdb));
  CHECK(good(rig.run({0x00})));
}

TEST_CASE("Generations: who reads and writes what") {
  using scsi::ssc::Access;
  const char* rows[] = {"W---------", "WW--------", "RWW-------", "-RWW------", "--RWW-----",
                        "---RWW----", "----RWW---", "------WW--", "-------WW-", "---------W"};
  for (std::uint8_t drive = 1; drive <= 10; ++drive)
    for (std::uint8_t cartridge = 1; cartridge <= 10; ++cartridge) {
      INFO("drive " << int(drive) << " cartridge " << int(cartridge));
      const char expected = rows[drive - 1][cartridge - 1];
      const Access access = scsi::ssc::drive_access(drive, cartridge);
      CHECK(access == (expected == 'W'   ? Access::kReadWrite
                       : expected == 'R' ? Access::kRead
                                         : Access::kNone));
    }
  CHECK(scsi::ssc::drive_access(0, 1) == Access::kNone);
  CHECK(scsi::ssc::drive_access(11, 10) == Access::kNone);
}

TEST_CASE("Generations: found by number, density and barcode") {
  using namespace scsi::ssc;
  CHECK(find_generation(0) == nullptr);
  CHECK(find_generation(11) == nullptr);
  for (const Generation& each : generations()) {
    CHECK(find_generation(each.number) == &each);
    CHECK(find_generation_by_density(each.density_code) == &each);
    CHECK(each.name == "LTO-" + std::to_string(each.number));
  }
  CHECK(find_generation_by_density(0x00) == nullptr);
  CHECK(find_generation_by_barcode("VTL001L8")->generation->number == 8);
  CHECK_FALSE(find_generation_by_barcode("VTL001L8")->worm);
  CHECK(find_generation_by_barcode("VTL001LY")->worm);
  CHECK_FALSE(find_generation_by_barcode("VTL001XX"));
  CHECK_FALSE(find_generation_by_barcode("VTL01L8"));
  CHECK_FALSE(find_generation_by_barcode(""));
  CHECK(find_generation(5)->ibm_revision >= "B170");  // LTFS compares them as strings
  CHECK(find_generation(8)->ibm_revision >= "HB81");
}

TEST_CASE("Any bytes for a CDB, any bytes for its data: one answer, and within what was expected") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    Rig rig;
    rig.load(std::make_unique<MemoryMedium>(8, 2));
    rig.medium->set_capacity(50'000, 100'000);
    rig.medium->set_filemark_limit(50);
    for (int i = 0; i < 300; ++i) {
      const auto rows = rig.drive.rows();
      const scsi::CommandRow& row = rows[below(static_cast<std::uint32_t>(rows.size()))];
      Cdb cdb(16);
      cdb[0] = below(20) == 0 ? Rig::u8(below(256)) : row.opcode;
      for (std::size_t byte = 1; byte < 16; ++byte) {
        const unsigned used = below(20) == 0 ? 0xFFu : row.usage[byte];
        if (below(2) == 0) cdb[byte] = Rig::u8(below(256) & used);
      }
      if (row.service_action >= 0) cdb[1] = Rig::u8(static_cast<unsigned>(row.service_action));
      const scsi::NexusId nexus = below(4) == 0 ? rig.b : rig.a;
      const std::uint32_t length = below(2000);
      if (below(2) == 0) {
        rig.send(cdb, pattern(length, i), nexus);
      } else {
        rig.run(cdb, nexus, length);
        CHECK(rig.last.data().size() <= length);
      }
      CHECK((rig.last.residual.underflow == 0 || rig.last.residual.overflow == 0));
      const bool check = rig.last.reply.status == scsi::SamStatus::kCheckCondition;
      CHECK(check == rig.last.reply.sense.has_value());
    }
  }
}
