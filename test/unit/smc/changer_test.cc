// The changer as its hosts see it: tables, identity, pages, locks, reservations, unit attentions.
#include <catch2/catch.hpp>

#include "test/unit/smc/changer_fixture.h"
#include "test/unit/support/golden.h"
#include "test/unit/support/row_walker.h"

using namespace scsi;  // NOLINT
using test::bytes;
using test::ChangerWorld;
using test::is_conflict;
using test::is_good;
using test::sense_of;

TEST_CASE("The command table is sound and every unused bit is refused") {
  ChangerWorld w;
  test::check_table(smc::Changer::command_rows());
  test::walk_reserved_bits(w.recorder, w.a, smc::Changer::command_rows());
}

TEST_CASE("What a changer does not do is no operation code of its own") {
  ChangerWorld w;
  // MOVE MEDIUM ATTACHED, READ ELEMENT STATUS ATTACHED, the ATTRIBUTE commands, SMC-3 extras
  for (const std::uint8_t opcode :
       std::vector<std::uint8_t>{0xA7, 0xB4, 0x8C, 0x8D, 0x9E, 0x44, 0x08, 0x0A, 0x05, 0x34}) {
    CAPTURE(static_cast<int>(opcode));
    CHECK(sense_of(w.run({opcode, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) == "5/20/00");
  }
}

namespace {

// The library of the golden files.
void fill(ChangerWorld& w) {
  w.library.put(500, "VTL003L8");
  w.library.at(500).source = 1003;
  w.library.put(10, "IMP001L8");
  w.library.at(10).placed_by_operator = true;
  w.library.put(1000, "VTL001L8");
  w.library.put(1001, "CLN001CU");
  w.library.at(1001).cleaning = true;
  w.library.put(1002, "VTL002LY");
  w.library.at(1002).worm = true;
}

std::vector<std::byte> golden_data(const test::GoldenCase& golden, const char* key) {
  const auto found = golden.find(key);
  if (found == golden.end()) return {};
  const auto values = test::golden_bytes(found->second);
  std::vector<std::byte> out;
  for (const std::uint8_t value : values) out.push_back(std::byte{value});
  return out;
}

}  // namespace

TEST_CASE("Golden answers") {
  ChangerWorld w;
  fill(w);
  for (const test::GoldenCase& golden : test::read_golden("changer.txt")) {
    INFO(golden.at("name"));
    const auto end = w.run(test::golden_bytes(golden.at("cdb")));
    CHECK(is_good(end));
    CHECK(test::golden_hex(end.data()) == test::golden_hex(test::golden_bytes(golden.at("data"))));
  }
}

TEST_CASE("Golden commands, one after the other") {
  ChangerWorld w;
  fill(w);
  for (const test::GoldenCase& golden : test::read_golden("changer_commands.txt")) {
    INFO(golden.at("name"));
    const auto cdb = test::golden_bytes(golden.at("cdb"));
    const auto out = golden_data(golden, "out");
    const auto end = out.empty() ? w.run(cdb) : w.send(w.a, cdb, out);
    CHECK(test::golden_hex(end.data()) == test::golden_hex(golden_data(golden, "data")));
    const auto sense = end.reply.sense ? end.reply.sense->encode_fixed() : std::vector<std::byte>();
    CHECK(test::golden_hex(sense) == test::golden_hex(golden_data(golden, "sense")));
    CHECK(is_conflict(end) == golden.contains("conflict"));
    if (!golden.contains("sense") && !golden.contains("conflict")) CHECK(is_good(end));
  }
}

// What the unit lists of itself is what clients may ask for: the CDBs of the golden files cover it.
TEST_CASE("Every command, mode page, log page and VPD page has its golden bytes") {
  ChangerWorld w;
  std::vector<std::vector<std::uint8_t>> asked;
  for (const char* file : {"changer.txt", "changer_commands.txt"})
    for (const test::GoldenCase& golden : test::read_golden(file))
      asked.push_back(test::golden_bytes(golden.at("cdb")));
  const auto covered = [&](std::vector<std::pair<std::size_t, int>> wanted) {
    return std::any_of(asked.begin(), asked.end(), [&](const std::vector<std::uint8_t>& cdb) {
      return std::all_of(wanted.begin(), wanted.end(),
                         [&](const auto& byte) { return cdb.at(byte.first) == byte.second; });
    });
  };
  for (const CommandRow& row : smc::Changer::command_rows()) {
    CAPTURE(row.name);
    if (row.service_action == kNoServiceAction)
      CHECK(covered({{0, row.opcode}}));
    else
      CHECK(covered({{0, row.opcode}, {1, row.service_action}}));
  }
  const auto vpd = w.run({0x12, 1, 0, 0, 0xFF, 0}).data();
  REQUIRE(vpd.size() > 4);
  for (std::size_t i = 4; i < vpd.size(); ++i) {
    const int page = std::to_integer<int>(vpd[i]);
    CAPTURE(page);
    CHECK(covered({{0, 0x12}, {1, 1}, {2, page}}));
  }
  const auto log = w.run({0x4D, 0, 0x40, 0, 0, 0, 0, 0, 0xFF, 0}).data();
  REQUIRE(log.size() > 4);
  for (std::size_t i = 4; i < log.size(); ++i)
    CHECK(covered({{0, 0x4D}, {2, 0x40 | std::to_integer<int>(log[i])}}));
  const auto mode = w.run({0x1A, 0x08, 0x3F, 0, 0xFF, 0}).data();
  REQUIRE(mode.size() > 4);
  for (std::size_t i = 4; i + 1 < mode.size(); i += 2 + std::to_integer<std::size_t>(mode[i + 1])) {
    const int page = std::to_integer<int>(mode[i]);
    CAPTURE(page);
    CHECK(covered({{0, 0x1A}, {2, page}}));
  }
}

TEST_CASE("INQUIRY: a medium changer, without ADDR16 and MCHNGR, with a barcode reader") {
  ChangerWorld w;
  const auto data = w.run({0x12, 0, 0, 0, 0xFF, 0}).data();
  REQUIRE(data.size() == 96);
  CHECK(data[0] == std::byte{0x08});
  CHECK(data[1] == std::byte{0x80});
  CHECK(data[4] == std::byte{0x5B});
  CHECK(data[6] == std::byte{0x10});
  CHECK((data[55] & std::byte{1}) == std::byte{1});
  CHECK(as_text(data).substr(8, 28) == "STK     L700            0108");
  CHECK(w.run({0x12, 0, 0, 0, 36, 0}).data().size() == 36);
  CHECK(w.run({0x12, 0, 0, 0, 0, 0}).data().empty());
}

TEST_CASE("MODE SENSE: never a block descriptor, pages at offset 4 or 8") {
  ChangerWorld w;
  SECTION("1Dh as Proxmox and mtx ask: 24 bytes, mode data length 17h") {
    for (const auto& cdb : {std::vector<std::uint8_t>{0x1A, 0x08, 0x1D, 0, 0xFF, 0},
                            std::vector<std::uint8_t>{0x1A, 0x08, 0x1D, 0, 0x88, 0},
                            std::vector<std::uint8_t>{0x1A, 0x00, 0x1D, 0, 0xFF, 0},
                            std::vector<std::uint8_t>{0x1A, 0xE8, 0x1D, 0, 0xFF, 0}}) {
      const auto data = w.run(cdb).data();
      CHECK(data == bytes({0x17, 0, 0, 0,  0x1D, 0x12, 0,    1,    0, 1, 0x03, 0xE8,
                           0,    6, 0, 10, 0,    2,    0x01, 0xF4, 0, 2, 0,    0}));
    }
  }
  SECTION("a library without import/export elements") {
    ChangerWorld bare({.storage = 3, .import_export = 0, .drives = 1});
    const auto data = bare.run({0x1A, 0x08, 0x1D, 0, 0xFF, 0}).data();
    CHECK(std::vector<std::byte>(data.begin() + 14, data.begin() + 18) == bytes({0, 0, 0, 0}));
    CHECK(bare.run(ChangerWorld::status(3, 0, 0xFFFF)).data() == std::vector<std::byte>(8));
  }
  SECTION("1Eh, 1Fh") {
    CHECK(w.run({0x1A, 0x08, 0x1E, 0, 0xFF, 0}).data() == bytes({7, 0, 0, 0, 0x1E, 2, 0, 0}));
    CHECK(w.run({0x1A, 0x08, 0x1F, 0, 0xFF, 0}).data() ==
          bytes({0x17, 0, 0, 0, 0x1F, 0x12, 0x0E, 0,    0, 0x0E, 0x0E, 0x0E,
                 0,    0, 0, 0, 0,    0x0E, 0x0E, 0x0E, 0, 0,    0,    0}));
  }
  SECTION("all of them fit the (6) form") {
    const auto data = w.run({0x1A, 0x00, 0x3F, 0, 0xFF, 0}).data();
    CHECK(data.size() == 88);
    CHECK(data[0] == std::byte{87});
    CHECK(data[3] == std::byte{0});
    std::vector<int> pages;
    for (std::size_t i = 4; i + 1 < data.size(); i += 2 + std::to_integer<std::size_t>(data[i + 1]))
      pages.push_back(std::to_integer<int>(data[i]));
    CHECK(pages == std::vector<int>{0x02, 0x0A, 0x1C, 0x1D, 0x1E, 0x1F});
  }
  SECTION("the (10) form") {
    const auto data = w.run({0x5A, 0, 0x1D, 0, 0, 0, 0, 0x10, 0, 0}).data();
    CHECK(data.size() == 28);
    CHECK(std::vector<std::byte>(data.begin(), data.begin() + 10) ==
          bytes({0, 26, 0, 0, 0, 0, 0, 0, 0x1D, 0x12}));
  }
  SECTION("nothing is changeable, nothing saved") {
    const auto mask = w.run({0x1A, 0x08, 0x5D, 0, 0xFF, 0}).data();
    CHECK(std::vector<std::byte>(mask.begin() + 6, mask.end()) == std::vector<std::byte>(18));
    CHECK(sense_of(w.run({0x1A, 0x08, 0xDD, 0, 0xFF, 0})) == "5/39/00");
    CHECK(sense_of(w.run({0x1A, 0x08, 0x0F, 0, 0xFF, 0})) == "5/24/00 cdb byte 2 bit 5");
  }
}

TEST_CASE("MODE SELECT cannot move elements") {
  ChangerWorld w;
  auto page = w.run({0x1A, 0x08, 0x1D, 0, 0xFF, 0}).data();
  page[0] = std::byte{0};
  const auto select = [&](const std::vector<std::byte>& list) {
    return w.send(w.a, {0x15, 0x10, 0, 0, static_cast<std::uint8_t>(list.size()), 0}, list);
  };
  page[9] = std::byte{2};  // two transports
  CHECK(sense_of(select(page)).starts_with("5/26/00"));
  CHECK(w.run({0x1A, 0x08, 0x1D, 0, 0xFF, 0}).data()[9] == std::byte{1});
  CHECK(sense_of(w.run(w.b, {0, 0, 0, 0, 0, 0})) == "0/00/00");  // and nobody was told
}

TEST_CASE("TapeAlert 04h: moves cannot be recorded, until one can; reading clears for the reader") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  const auto flag_4 = [&](scsi::NexusId nexus) {
    const auto page = w.run(nexus, {0x4D, 0, 0x6E, 0, 0, 0, 0, 0x10, 0, 0}).data();
    REQUIRE(page.size() == 324);
    int raised = 0;
    for (std::size_t flag = 1; flag <= 64; ++flag)
      raised += std::to_integer<int>(page[4 + (flag - 1) * 5 + 4]);
    CHECK(raised == std::to_integer<int>(page[4 + 3 * 5 + 4]));
    return raised;
  };
  const auto move = [&](unsigned from, unsigned to) {
    return sense_of(w.run(ChangerWorld::move(from, to)));
  };
  CHECK(flag_4(w.a) == 0);
  w.library.failures.push_back(scsi::smc::MoveResult::kJournalFailed);
  CHECK(move(1000, 500) == "4/44/00");
  CHECK(flag_4(w.a) == 1);
  CHECK(flag_4(w.a) == 0);
  CHECK(flag_4(w.b) == 1);
  w.library.failures.push_back(scsi::smc::MoveResult::kJournalFailed);
  CHECK(move(1000, 500) == "4/44/00");
  CHECK(move(1000, 500) == "0/00/00");
  CHECK(flag_4(w.a) == 0);
}

TEST_CASE("LOG SENSE: the list and TapeAlert, all quiet") {
  ChangerWorld w;
  CHECK(w.run({0x4D, 0, 0x40, 0, 0, 0, 0, 0, 0xFF, 0}).data() == bytes({0, 0, 0, 2, 0, 0x2E}));
  for (const std::uint8_t page_control : std::vector<std::uint8_t>{0x00, 0x40}) {
    const auto data =
        w.run({0x4D, 0, static_cast<std::uint8_t>(page_control | 0x2E), 0, 0, 0, 0, 0x10, 0, 0})
            .data();
    REQUIRE(data.size() == 324);
    CHECK(data[0] == std::byte{0x2E});
    CHECK(data[2] == std::byte{0x01});
    CHECK(data[3] == std::byte{0x40});
    for (std::size_t flag = 1; flag <= 64; ++flag) {
      CHECK(data[4 + (flag - 1) * 5 + 1] == static_cast<std::byte>(flag));
      CHECK(data[4 + (flag - 1) * 5 + 3] == std::byte{1});
      CHECK(data[4 + (flag - 1) * 5 + 4] == std::byte{0});
    }
  }
  CHECK(sense_of(w.run({0x4D, 0, 0x4C, 0, 0, 0, 0, 0, 0xFF, 0})) == "5/24/00 cdb byte 2 bit 5");
  CHECK(is_good(w.run({0x4C, 0x02, 0x40, 0, 0, 0, 0, 0, 0, 0})));
}

TEST_CASE("PREVENT locks the door, not the robot") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  CHECK(is_good(w.run(w.a, {0x1E, 0, 0, 0, 1, 0})));
  CHECK(is_good(w.run(w.b, {0x1E, 0, 0, 0, 1, 0})));
  CHECK(w.library.log == std::vector<std::string>{"lock"});
  CHECK(is_good(w.run(ChangerWorld::move(1000, 10))));
  w.library.log.clear();
  SECTION("until the last nexus allows") {
    w.run(w.a, {0x1E, 0, 0, 0, 0, 0});
    CHECK(w.library.log.empty());
    w.run(w.b, {0x1E, 0, 0, 0, 0, 0});
  }
  SECTION("or is lost") {
    w.changer.nexus_lost(w.a);
    CHECK(w.library.log.empty());
    w.changer.nexus_lost(w.b);
  }
  SECTION("or the unit is reset") {
    w.changer.manage(TaskFunction::kLogicalUnitReset, w.a, {}, [](TaskFunctionResult) {});
  }
  CHECK(w.library.log == std::vector<std::string>{"unlock"});
}

TEST_CASE("OPEN/CLOSE IMPORT/EXPORT ELEMENT") {
  ChangerWorld w;
  const auto open = [&](std::uint8_t address, std::uint8_t action) {
    return sense_of(w.run({0x1B, 0, 0, address, action, 0}));
  };
  CHECK(open(10, 0) == "0/00/00");
  CHECK(open(11, 1) == "0/00/00");
  CHECK(open(12, 0) == "5/21/01");
  CHECK(open(1, 0) == "5/21/01");
  CHECK(open(10, 2) == "5/24/00 cdb byte 4 bit 4");
  w.run(w.b, {0x1E, 0, 0, 0, 1, 0});
  CHECK(open(10, 0) == "5/53/02");
  CHECK(open(10, 1) == "0/00/00");
  w.run(w.b, {0x1E, 0, 0, 0, 0, 0});
  CHECK(open(10, 0) == "0/00/00");
}

TEST_CASE("Unit attentions: what others did to the library, once for each host") {
  ChangerWorld w;
  REQUIRE(w.library.observer() != nullptr);
  const std::vector<std::uint8_t> ready = {0, 0, 0, 0, 0, 0};
  w.library.observer()->inventory_changed();
  w.library.observer()->inventory_changed();  // merged
  CHECK(sense_of(w.run(w.a, ready)) == "6/28/00");
  CHECK(sense_of(w.run(w.a, ready)) == "0/00/00");
  CHECK(sense_of(w.run(w.b, ready)) == "6/28/00");
  CHECK(sense_of(w.run(w.b, ready)) == "0/00/00");
  w.library.observer()->import_export_accessed();
  CHECK(sense_of(w.run(w.b, ChangerWorld::status(0, 0, 0xFFFF))) == "6/28/01");
  CHECK(sense_of(w.run(w.b, ready)) == "0/00/00");
  CHECK(is_good(w.run(w.a, {0x12, 0, 0, 0, 36, 0})));  // INQUIRY leaves it
  CHECK(sense_of(w.run(w.a, ready)) == "6/28/01");

  // What hosts do themselves tells nobody.
  w.library.put(1000, "VTL001L8");
  CHECK(is_good(w.run(w.a, ChangerWorld::move(1000, 10))));
  CHECK(sense_of(w.run(w.a, ready)) == "0/00/00");
  CHECK(sense_of(w.run(w.b, ready)) == "0/00/00");
}

TEST_CASE("A changer that goes away stops observing") {
  test::FakeInventory library;
  {
    smc::Changer changer(test::changer_options(), library);
    CHECK(library.observer() == &changer);
  }
  CHECK(library.observer() == nullptr);
}

TEST_CASE("RESERVE(6) of the changer: the whole unit") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  CHECK(is_good(w.run(w.a, {0x16, 0, 0, 0, 0, 0})));
  CHECK(is_conflict(w.run(w.b, {0, 0, 0, 0, 0, 0})));
  CHECK(is_conflict(w.run(w.b, ChangerWorld::move(1000, 500))));
  CHECK(is_conflict(w.run(w.b, ChangerWorld::status(2, 0, 0xFFFF))));
  CHECK(is_good(w.run(w.b, ChangerWorld::status(2, 0, 0xFFFF, 0xFFFF, 0x02))));  // CURDATA
  CHECK(is_conflict(w.run(w.b, {0x07, 0, 0, 0, 0, 0})));
  CHECK(is_conflict(w.run(w.b, {0x1A, 8, 0x1D, 0, 0xFF, 0})));
  CHECK(is_conflict(w.run(w.b, {0x1E, 0, 0, 0, 1, 0})));
  CHECK(is_good(w.run(w.b, {0x1E, 0, 0, 0, 0, 0})));
  CHECK(is_good(w.run(w.b, {0x12, 0, 0, 0, 36, 0})));
  CHECK(is_good(w.run(w.a, ChangerWorld::move(1000, 500))));
  // element lists are refused
  CHECK(sense_of(w.run(w.a, {0x16, 1, 0, 0, 6, 0})).starts_with("5/24/00"));
  CHECK(is_good(w.run(w.a, {0x17, 0, 0, 0, 0, 0})));
  CHECK(is_good(w.run(w.b, ChangerWorld::move(500, 1000))));
}

TEST_CASE("Persistent reservations reach the changer's commands") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  const auto out = [&](NexusId nexus, std::uint8_t action, std::uint8_t type, std::uint8_t key,
                       std::uint8_t sa_key) {
    auto list = std::vector<std::byte>(24);
    list[7] = std::byte{key};
    list[15] = std::byte{sa_key};
    return w.send(nexus, {0x5F, action, type, 0, 0, 0, 0, 0, 24, 0}, list);
  };
  REQUIRE(is_good(out(w.a, 0, 0, 0, 7)));
  REQUIRE(is_good(out(w.b, 0, 0, 0, 8)));
  SECTION("write exclusive: others look, and do not move") {
    REQUIRE(is_good(out(w.a, 1, 1, 7, 0)));
    CHECK(is_good(w.run(w.b, ChangerWorld::status(2, 0, 0xFFFF))));
    CHECK(is_good(w.run(w.b, {0x1A, 8, 0x1D, 0, 0xFF, 0})));
    CHECK(is_conflict(w.run(w.b, ChangerWorld::move(1000, 500))));
    CHECK(is_conflict(w.run(w.b, ChangerWorld::exchange(1000, 500, 1000))));
    CHECK(is_conflict(w.run(w.b, {0x07, 0, 0, 0, 0, 0})));
    CHECK(is_good(w.run(w.b, {0, 0, 0, 0, 0, 0})));
  }
  SECTION("exclusive access: they don't look either") {
    REQUIRE(is_good(out(w.a, 1, 3, 7, 0)));
    CHECK(is_conflict(w.run(w.b, ChangerWorld::status(2, 0, 0xFFFF))));
    CHECK(is_good(w.run(w.b, ChangerWorld::status(2, 0, 0xFFFF, 0xFFFF, 0x02))));
    CHECK(is_good(w.run(w.b, {0, 0, 0, 0, 0, 0})));
  }
  SECTION("preempt and abort: the victim is told, and its lock ends") {
    REQUIRE(is_good(out(w.b, 1, 3, 8, 0)));
    w.run(w.b, {0x1E, 0, 0, 0, 1, 0});
    CHECK(is_good(out(w.a, 5, 3, 7, 8)));
    CHECK(w.library.log == std::vector<std::string>{"lock", "unlock"});
    CHECK(sense_of(w.run(w.b, {0, 0, 0, 0, 0, 0})) == "6/2A/05");
    CHECK(is_conflict(w.run(w.b, ChangerWorld::move(1000, 500))));
  }
}

TEST_CASE("REPORT SUPPORTED OPERATION CODES lists what the table has") {
  ChangerWorld w;
  const auto data = w.run({0xA3, 0x0C, 0x80, 0, 0, 0, 0, 0, 0x10, 0, 0, 0}).data();
  const auto rows = smc::Changer::command_rows();
  CHECK(data.size() == 4 + 20 * rows.size());
  CHECK(data.size() < 4096);
}
