// What a changer says of itself beyond the plain case: a family's own form of the serial number,
// elements that are added, exceptions, what the bar code reader tells.
#include <catch2/catch.hpp>

#include "test/unit/smc/changer_fixture.h"
#include "test/unit/support/golden.h"

using namespace scsi;  // NOLINT
using test::bytes;
using test::ChangerWorld;
using test::is_good;
using test::sense_of;

namespace {

struct IbmWorld {
  test::FakeInventory library;
  smc::Changer changer{ibm(), library};
  test::Recorder recorder{changer};
  static smc::ChangerOptions ibm() {
    smc::ChangerOptions options = test::changer_options();
    options.identity.vendor = "IBM";
    options.identity.product = "03584L32";
    options.identity.revision = "0402";
    options.serial_form = smc::SerialForm::kIbm;
    options.tag_characters = 6;
    return options;
  }
  IbmWorld() {
    changer.nexus_established(test::host(1, 'a'));
    recorder.run({1, 1}, {0, 0, 0, 0, 0, 0});
  }
};

const std::vector<std::uint8_t> kReady = {0, 0, 0, 0, 0, 0};

}  // namespace

TEST_CASE("Golden answers in IBM's form") {
  IbmWorld w;
  for (const test::GoldenCase& golden : test::read_golden("changer_ibm.txt")) {
    INFO(golden.at("name"));
    const auto end = w.recorder.run({1, 1}, test::golden_bytes(golden.at("cdb")));
    CHECK(is_good(end));
    CHECK(test::golden_hex(end.data()) == test::golden_hex(test::golden_bytes(golden.at("data"))));
  }
}

TEST_CASE("Elements that are added: page 1Dh says so, and every host is told twice") {
  ChangerWorld w;
  w.library.add_storage(3);
  w.library.observer()->elements_added();
  for (const NexusId nexus : {w.a, w.b}) {
    CHECK(sense_of(w.run(nexus, kReady)) == "6/2A/01");
    CHECK(sense_of(w.run(nexus, kReady)) == "6/28/00");
    CHECK(sense_of(w.run(nexus, kReady)) == "0/00/00");
  }
  const auto page = w.run({0x1A, 0x08, 0x1D, 0, 0xFF, 0}).data();
  CHECK(page == bytes({0x17, 0, 0, 0,  0x1D, 0x12, 0,    1,    0, 1, 0x03, 0xE8,
                       0,    9, 0, 10, 0,    2,    0x01, 0xF4, 0, 2, 0,    0}));
  // What it says now can be sent back, as a host that sets nothing does; what it said before not.
  auto list = page;
  list[0] = std::byte{0};
  const auto select = [&] {
    return w.send(w.a, {0x15, 0x10, 0, 0, static_cast<std::uint8_t>(list.size()), 0}, list);
  };
  CHECK(is_good(select()));
  list[13] = std::byte{6};
  CHECK(sense_of(select()) == "5/26/00 list byte 13 bit 3");
  w.library.put(1000, "VTL001L8");
  CHECK(is_good(w.run(ChangerWorld::move(1000, 1008))));
}

TEST_CASE("EXCEPT with 53/00, and TapeAlert 18h, while a cartridge cannot be loaded") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  const auto flag = [&](std::uint8_t number, NexusId nexus) {
    const auto page = w.run(nexus, {0x4D, 0, 0x6E, 0, 0, 0, 0, 0x10, 0, 0}).data();
    return std::to_integer<int>(page.at(4 + (number - 1u) * 5 + 4));
  };
  CHECK(flag(0x18, w.a) == 0);
  w.library.at(1000).exception = true;
  const auto slot = w.run(ChangerWorld::status(2, 1000, 1)).data();
  CHECK(std::vector(slot.begin() + 16, slot.end()) ==
        bytes({0x03, 0xE8, 0x0D, 0, 0x53, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}));
  CHECK(flag(0x18, w.a) == 1);
  CHECK(flag(0x18, w.a) == 0);  // read, and still so
  CHECK(flag(0x18, w.b) == 1);
  w.library.at(1000).exception = false;
  CHECK(w.run(ChangerWorld::status(2, 1000, 1)).data().at(18) == std::byte{0x09});
  w.changer.nexus_lost(w.b);
  w.changer.nexus_established(test::host(3, 'b'));
  while (w.run({3, 1}, kReady).reply.sense) {
  }
  CHECK(flag(0x18, {3, 1}) == 0);
}

TEST_CASE("A cartridge without a label: full, and no volume tag; TapeAlert 20h") {
  ChangerWorld w;
  w.library.put(1000, "unlabelled-1");
  w.library.at(1000).labelled = false;
  const auto slot = w.run(ChangerWorld::status(0x12, 1000, 1)).data();
  CHECK(slot.at(18) == std::byte{0x09});
  CHECK(as_text(slot).substr(28, 32) == std::string(32, ' '));
  const auto page = w.run({0x4D, 0, 0x6E, 0, 0, 0, 0, 0x10, 0, 0}).data();
  CHECK(page.at(4 + 31 * 5 + 4) == std::byte{1});
  // It is moved like any other, and no search finds it.
  CHECK(is_good(w.run(ChangerWorld::move(1000, 500))));
  ByteBuilder list;
  list.ascii("unlabelled*", 32).zeros(8);
  REQUIRE(is_good(w.send(w.a, {0xB6, 0, 0, 0, 0, 5, 0, 0, 0, 40, 0, 0}, list.take())));
  CHECK(w.run({0xB5, 0x10, 0, 0, 0xFF, 0xFF, 0, 0, 0x10, 0, 0, 0}).data() ==
        bytes({0, 0, 0, 0, 5, 0, 0, 0}));
}

TEST_CASE("A reader that tells six characters: in element status and in searches") {
  IbmWorld w;
  w.library.put(1000, "VTL001L8");
  const auto run = [&](const std::vector<std::uint8_t>& cdb) {
    return w.recorder.run({1, 1}, cdb).data();
  };
  CHECK(as_text(run(ChangerWorld::status(0x12, 1000, 1))).substr(28, 9) == "VTL001   ");
  const auto found = [&](const char* pattern) {
    ByteBuilder list;
    list.ascii(pattern, 32).zeros(8);
    REQUIRE(
        is_good(w.recorder.run({1, 1}, {0xB6, 0, 0, 0, 0, 5, 0, 0, 0, 40, 0, 0}, 0, list.take())));
    return run({0xB5, 0x10, 0, 0, 0xFF, 0xFF, 0, 0, 0x10, 0, 0, 0}).size() > 8;
  };
  CHECK(found("VTL001"));
  CHECK_FALSE(found("VTL001L8"));
}

TEST_CASE("64,000 elements through the unit, a thousand at a time, with tags and identifiers") {
  ChangerWorld w({.storage = 64000, .import_export = 490, .drives = 500});
  std::vector<std::uint16_t> seen;
  for (std::uint32_t next = 0; next <= 0xFFFF;) {
    const auto data = w.run(ChangerWorld::status(0x10, next, 1000, 0xFFFFFF, 0x01)).data();
    ByteReader r(data);
    r.skip(2);
    const std::size_t count = r.u16();
    r.skip(1);
    REQUIRE(r.u24() == data.size() - 8);
    REQUIRE(count <= 1000);
    if (count == 0) break;
    for (std::size_t left = count; left > 0;) {
      r.skip(2);
      const std::size_t length = r.u16();
      r.skip(1);
      for (std::size_t bytes_left = r.u24(); bytes_left > 0; bytes_left -= length, --left) {
        seen.push_back(r.u16());
        r.skip(length - 2);
      }
    }
    REQUIRE(r.ok());
    next = seen.back() + 1u;
  }
  CHECK(seen.size() == 64991);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
  CHECK(seen.back() == 64999);
  // All in one answer, of which a host may take as little as it likes.
  const auto head = w.run(ChangerWorld::status(0x12, 0, 0xFFFF, 8)).data();
  CHECK(head == bytes({0x03, 0xE8, 0xFA, 0x00, 0, 0x32, 0xC8, 0x08}));
  CHECK(w.run(ChangerWorld::status(0x12, 0, 0xFFFF, 0xFFFFFF)).data().size() == 16 + 64000u * 52);
}
