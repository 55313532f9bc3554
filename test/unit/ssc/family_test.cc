// Drives of the families beside IBM's: who they say they are, and what they have that others have
// not. Their golden bytes: test/golden/tape_drive_hp.txt and tape_drive_quantum.txt.
#include "scsi/ssc/drive_family.h"

#include <set>

#include "test/unit/ssc/rig.h"

using namespace test;
using scsi::ssc::drive_families;
using scsi::ssc::DriveFamily;
using scsi::ssc::find_drive_family;

namespace {

struct Loaded : Rig {
  explicit Loaded(std::string_view family, std::uint8_t generation = 8, bool worm = false)
      : Rig(generation, family) {
    auto cartridge = std::make_unique<MemoryMedium>(generation);
    if (worm) cartridge->label().worm = true;
    load(std::move(cartridge));
  }
  Data vpd(unsigned page) { return run({0x12, 1, u8(page), 1, 0, 0}).data(); }
  Data mode(unsigned page) { return run({0x5A, 0, u8(page), 0, 0, 0, 0, 0x10, 0, 0}).data(); }
  // The recommended timeout of an operation code without service actions, seconds.
  std::uint64_t timeout(unsigned opcode) {
    const Data one = run({0xA3, 0x0C, 0x81, u8(opcode), 0, 0, 0, 0, 1, 0, 0, 0}).data();
    const std::size_t at = 4 + be(one, 2, 2);
    REQUIRE(one.size() == at + 12);
    return be(one, at + 8, 4);
  }
};

std::string name_of(const DriveFamily& family, std::uint8_t generation) {
  const auto& model = family.model(generation);
  return std::string(model.vendor) + " " + std::string(model.product);
}

}  // namespace

TEST_CASE("Families: the names that LTFS and backup software know drives by") {
  const auto known = [](std::string_view family) {
    std::vector<std::string> names;
    for (std::uint8_t generation = 5; generation <= 9; ++generation)
      names.push_back(name_of(*find_drive_family(family), generation));
    return names;
  };
  CHECK(known("ibm") == std::vector<std::string>{"IBM ULT3580-TD5", "IBM ULT3580-TD6",
                                                 "IBM ULT3580-TD7", "IBM ULT3580-TD8",
                                                 "IBM ULT3580-TD9"});
  CHECK(known("hp") == std::vector<std::string>{"HP Ultrium 5-SCSI", "HP Ultrium 6-SCSI",
                                                "HP Ultrium 7-SCSI", "HPE Ultrium 8-SCSI",
                                                "HPE Ultrium 9-SCSI"});
  CHECK(known("quantum") == std::vector<std::string>{"QUANTUM ULTRIUM-HH5", "QUANTUM ULTRIUM-HH6",
                                                     "QUANTUM ULTRIUM-HH7", "QUANTUM ULTRIUM-HH8",
                                                     "QUANTUM ULTRIUM-HH9"});
  CHECK(find_drive_family("sony") == nullptr);
  CHECK(scsi::ssc::drive_family_names() == "ibm, hp, quantum");
  CHECK(drive_families().front().name == "ibm");
}

TEST_CASE("Families: names fit their fields, and the order is that of the vendors") {
  std::set<std::string> names;
  for (std::size_t i = 0; i < drive_families().size(); ++i) {
    const DriveFamily& family = drive_families()[i];
    INFO(family.name);
    CHECK(static_cast<std::size_t>(family.vendor) == i);
    for (std::uint8_t generation = 1; generation <= 10; ++generation) {
      const auto& model = family.model(generation);
      if (model.product.empty()) continue;
      CHECK(model.vendor.size() <= 8);
      CHECK(model.product.size() <= 16);
      CHECK(model.revision.size() == 4);
      CHECK(names.insert(name_of(family, generation)).second);
    }
  }
}

TEST_CASE("Families: firmware levels of drives that IBM builds are dates") {
  // IBM LTO SCSI Reference (GA32-0928): year, month, day and version, in letters where one digit
  // is not enough. Quantum's drives from LTO-5 on are IBM's; HPE's are from LTO-8 on.
  const auto check = [](std::string_view family, std::uint8_t first) {
    for (std::uint8_t generation = first; generation <= 10; ++generation) {
      const std::string_view level = find_drive_family(family)->model(generation).revision;
      if (level.empty()) continue;
      INFO(family << " LTO-" << int{generation} << " " << level);
      CHECK((level[0] >= 'A' && level[0] <= 'S'));  // B is 2011
      CHECK(std::string_view("123456789ABC").find(level[1]) != std::string_view::npos);
      CHECK(std::string_view("123456789ABCDEFGHIJKLMNOPQRSTUV").find(level[2]) !=
            std::string_view::npos);
    }
  };
  check("ibm", 5);
  check("quantum", 5);
  check("hp", 8);
}

TEST_CASE("HP: WORM is told in byte 40, and by medium type 01h") {
  Loaded data("hp");
  CHECK(be(data.run({0x12, 0, 0, 0, 96, 0}).data(), 40, 1) == 0x01);
  CHECK(be(data.mode(0x3F), 2, 1) == 0x00);
  Loaded worm("hp", 8, true);
  CHECK(be(worm.mode(0x3F), 2, 1) == 0x01);
  // REPORT DENSITY SUPPORT, medium types: two of LTO-7, two of LTO-8, 56 bytes each.
  const Data types = data.run({0x44, 2, 0, 0, 0, 0, 0, 0x10, 0, 0}).data();
  REQUIRE(types.size() == 4 + 4 * 56);
  for (std::size_t i = 0; i < 4; ++i) CHECK(be(types, 4 + 56 * i, 1) == i % 2);
  for (const char* family : {"ibm", "quantum"}) {
    Loaded other(family);
    CHECK(be(other.run({0x12, 0, 0, 0, 96, 0}).data(), 40, 1) == 0x00);
    CHECK(be(other.mode(0x3F), 2, 1) == 0x88);
  }
}

TEST_CASE("HP: pages that tell of components, and none of IBM's") {
  Loaded rig("hp");
  for (const unsigned page : {0xC0u, 0xC1u, 0xC2u, 0xC3u, 0xC4u}) {
    const Data data = rig.vpd(page);
    INFO(page);
    REQUIRE(data.size() == 4 + 0x5C);
    CHECK(be(data, 1, 3) == (page << 16 | 0x5C));
  }
  CHECK(scsi::as_text(rig.vpd(0xC0)).substr(4, 8) == "Firmware");
  CHECK(scsi::as_text(rig.vpd(0xC0)).substr(30, 4) == find_drive_family("hp")->model(8).revision);
  CHECK(rig.vpd(0x85) == bytes({0x01, 0x85, 0, 0}));
  rig.mode(0x25);
  CHECK(sense_of(rig.last).substr(0, 7) == "5/24/00");
  for (const char* family : {"ibm", "quantum"}) {
    Loaded other(family);
    CHECK(other.mode(0x25).size() == 48);
    for (const unsigned page : {0x85u, 0xC0u, 0xC4u}) {
      other.vpd(page);
      CHECK(sense_of(other.last).substr(0, 7) == "5/24/00");
    }
  }
}

TEST_CASE("Quantum: no synchronising at early warning (mode page 10h)") {
  CHECK(be(Loaded("quantum").mode(0x10), 16 + 10, 1) == 0x10);
  CHECK(be(Loaded("ibm").mode(0x10), 16 + 10, 1) == 0x18);
  CHECK(be(Loaded("hp").mode(0x10), 16 + 10, 1) == 0x18);
}

TEST_CASE("Families: the longest block") {
  CHECK(find_drive_family("ibm")->max_block_bytes == 0x800000);
  CHECK(find_drive_family("hp")->max_block_bytes == 0xFFFFFF);
  CHECK(find_drive_family("quantum")->max_block_bytes == 0x800000);
}

TEST_CASE("Families: recommended timeouts are each family's own") {
  struct Row {
    const char* family;
    std::uint8_t generation;
    std::uint64_t erase, load, read, write, verify, rewind;
  };
  for (const Row& row :
       std::initializer_list<Row>{{"ibm", 8, 54896, 960, 2280, 1500, 47700, 600},
                                  {"hp", 5, 18000, 600, 1200, 300, 18000, 600},
                                  {"hp", 7, 29400, 1020, 1920, 1920, 28860, 780},
                                  {"hp", 9, 53040, 840, 2340, 1680, 53040, 660},
                                  {"quantum", 5, 19200, 1020, 1920, 1920, 19980, 780},
                                  {"quantum", 8, 46380, 840, 2340, 1560, 47700, 660}}) {
    CAPTURE(row.family, static_cast<int>(row.generation));
    Loaded rig(row.family, row.generation);
    CHECK(rig.timeout(0x19) == row.erase);
    CHECK(rig.timeout(0x1B) == row.load);
    CHECK(rig.timeout(0x08) == row.read);
    CHECK(rig.timeout(0x0A) == row.write);
    CHECK(rig.timeout(0x13) == row.verify);
    CHECK(rig.timeout(0x01) == row.rewind);
  }
}

TEST_CASE("Families: a cartridge remembers whose drive it was in (MAM 020Ah)") {
  for (const char* family : {"ibm", "hp", "quantum"}) {
    Loaded rig(family);
    const Data data = rig.run({0x8C, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x0A, 0, 0, 0x10, 0, 0, 0}).data();
    std::string vendor(find_drive_family(family)->model(8).vendor);
    vendor.resize(8, ' ');
    CHECK(scsi::as_text(data).substr(9, 18) == vendor + "VTL0000001");
  }
}

TEST_CASE("Families: the log pages that each has, by generation") {
  const auto pages = [](std::string_view family, std::uint8_t generation) {
    Loaded rig(family, generation);
    return scsi::gather(rig.run({0x4D, 0, 0x40, 0, 0, 0, 0, 1, 0, 0}).reply.data_in);
  };
  const auto list = [](std::initializer_list<int> codes) {
    Data out = bytes({0, 0, 0, static_cast<int>(codes.size())});
    for (const int code : codes) out.push_back(static_cast<std::byte>(code));
    return out;
  };
  const auto without_37 = [](Data page) {  // performance characteristics: the last
    REQUIRE(page.back() == std::byte{0x37});
    page.pop_back();
    page[3] = static_cast<std::byte>(page.size() - 4);
    return page;
  };
  for (const std::uint8_t generation : std::initializer_list<std::uint8_t>{5, 6})
    CHECK(pages("hp", generation) == list({0x00, 0x02, 0x03, 0x0C, 0x0D, 0x11, 0x12, 0x14, 0x17,
                                           0x1B, 0x2E, 0x30, 0x31, 0x32}));
  CHECK(pages("hp", 4) == list({0x00, 0x02, 0x03, 0x0C, 0x0D, 0x11, 0x2E, 0x30, 0x31, 0x32}));
  CHECK(pages("hp", 9) ==
        list({0x00, 0x02, 0x03, 0x0C, 0x0D, 0x11, 0x12, 0x14, 0x17, 0x1B, 0x2E, 0x31}));
  CHECK(pages("quantum", 4) ==
        list({0x00, 0x02, 0x03, 0x0C, 0x0D, 0x12, 0x14, 0x2E, 0x30, 0x31, 0x32}));
  for (std::uint8_t generation = 5; generation <= 9; ++generation)
    CHECK(pages("quantum", generation) == without_37(pages("ibm", generation)));
  CHECK(pages("ibm", 4) ==
        list({0x00, 0x02, 0x03, 0x0C, 0x0D, 0x10, 0x11, 0x12, 0x14, 0x17, 0x2E, 0x30, 0x31, 0x32}));
  CHECK(pages("ibm", 6) == list({0x00, 0x02, 0x03, 0x0C, 0x0D, 0x10, 0x11, 0x12, 0x14, 0x17, 0x1B,
                                 0x2E, 0x30, 0x31, 0x32, 0x37}));
}
