// What applications send to a changer, replayed from their documents and from reports of their
// traces - not from the applications themselves. Each step is what would break the client.
#include <catch2/catch.hpp>

#include "test/unit/smc/changer_fixture.h"

using namespace scsi;  // NOLINT
using test::ChangerWorld;
using test::is_conflict;
using test::is_good;
using test::sense_of;

namespace {

using Cdb = std::vector<std::uint8_t>;

const Cdb kReady = {0, 0, 0, 0, 0, 0};
const Cdb kPage1d = {0x1A, 0x08, 0x1D, 0, 0x18, 0};
const Cdb kPrevent = {0x1E, 0, 0, 0, 1, 0}, kAllow = {0x1E, 0, 0, 0, 0, 0};

struct Client : ChangerWorld {
  Client() {
    library.put(1000, "VTL001L8");
    library.put(1001, "VTL002L8");
    library.put(500, "VTL003L8");
    library.at(500).source = 1002;
  }
  std::string text(const Cdb& cdb) { return std::string(as_text(run(cdb).data())); }
  // Serial numbers of the drives, by READ ELEMENT STATUS with tags and identifiers.
  std::vector<std::string> drive_serials() {
    const auto data = run(status(0x14, 0, 0xFFFF, 0x10000, 0x01)).data();
    ByteReader r(data);
    r.skip(8);
    CHECK(r.u8() == 4);
    CHECK(r.u8() == 0x80);
    CHECK(r.u16() == 86);
    r.skip(1);
    const std::size_t count = r.u24() / 86;
    std::vector<std::string> serials;
    for (std::size_t i = 0; i < count; ++i) {
      r.skip(48);
      CHECK(r.u32() == 0x02010022);
      serials.push_back(std::string(as_text(r.bytes(34)).substr(24)));
    }
    CHECK(r.ok());
    return serials;
  }
  // How many elements of a type there are by page 1Dh, and by READ ELEMENT STATUS.
  void check_counts() {
    const auto page = run(kPage1d).data();
    REQUIRE(page.size() == 24);
    CHECK(page[0] == std::byte{0x17});
    const std::pair<std::uint8_t, std::size_t> types[] = {{1, 8}, {2, 12}, {3, 16}, {4, 20}};
    for (const auto& [type, offset] : types) {
      const auto data = run(status(static_cast<std::uint8_t>(0x10 | type), 0, 0xFFFF)).data();
      CHECK(data[2] == page[offset]);
      CHECK(data[3] == page[offset + 1]);
    }
  }
};

}  // namespace

TEST_CASE("Windows' changer class: parameters, status by type, lock, moves, tag queries") {
  Client w;
  CHECK(is_good(w.run(kReady)));
  CHECK(w.run({0x12, 0, 0, 0, 0x24, 0}).data().size() == 36);
  CHECK(w.text({0x12, 1, 0x80, 0, 0xFF, 0}).substr(4) == "LIB0000001");
  w.check_counts();
  const auto capabilities = w.run({0x1A, 0x08, 0x1F, 0, 0x18, 0}).data();
  REQUIRE(capabilities.size() == 24);
  CHECK(capabilities[5] == std::byte{0x12});
  CHECK(is_good(w.run(kPrevent)));
  CHECK(is_good(w.run({0x07, 0, 0, 0, 0, 0})));
  CHECK(is_good(w.run(ChangerWorld::move(1000, 501))));
  CHECK(is_good(w.run(ChangerWorld::exchange(1001, 501, 1000))));
  CHECK(is_good(w.run({0x2B, 0, 0, 1, 0x03, 0xE9, 0, 0, 0, 0})));
  // A unit attention resets its own count of locks: it sends PREVENT again.
  w.library.observer()->inventory_changed();
  CHECK(sense_of(w.run(ChangerWorld::status(0x12, 1000, 6))) == "6/28/00");
  CHECK(is_good(w.run(kPrevent)));
  ByteBuilder list;
  list.ascii("VTL002L8", 32).zeros(6).u16(0xFFFF);
  CHECK(is_good(w.send(w.a, {0xB6, 0, 0, 0, 0, 5, 0, 0, 0, 40, 0, 0}, list.take())));
  const auto found = w.run({0xB5, 0x10, 0, 0, 0, 0x10, 0, 0, 0x10, 0, 0, 0}).data();
  CHECK(found.at(3) == std::byte{1});
  CHECK(as_text(found).substr(16 + 12, 8) == "VTL002L8");
  CHECK(is_good(w.run(kAllow)));
  CHECK(w.library.log.back() == "unlock");
}

TEST_CASE("NetBackup: robot and drives by serial number, inventory, inject and eject") {
  Client w;
  CHECK(w.text({0x12, 0, 0, 0, 0xFF, 0}).substr(8, 12) == "STK     L700");
  CHECK(w.text({0x12, 1, 0x80, 0, 0xFF, 0}).substr(4) == "LIB0000001");
  CHECK(w.text({0x12, 1, 0x83, 0, 0xFF, 0}).substr(8, 34) == "STK     L700            LIB0000001");
  CHECK(w.drive_serials() == std::vector<std::string>{"DRV0000000", "DRV0000001"});
  w.check_counts();
  CHECK(is_good(w.run({0x07, 0, 0, 0, 0, 0})));
  CHECK(is_good(w.run({0xE7, 1, 0x03, 0xE8, 0, 0, 0, 6, 0, 0})));
  // An operator puts a cartridge into the media access port: told once, then emptied into a slot.
  w.library.put(10, "VTL009L8");
  w.library.at(10).placed_by_operator = true;
  w.library.observer()->import_export_accessed();
  CHECK(sense_of(w.run(kReady)) == "6/28/01");
  const auto port = w.run(ChangerWorld::status(0x13, 0, 0xFFFF)).data();
  CHECK(port.at(16 + 2) == std::byte{0x3B});
  CHECK(is_good(w.run(ChangerWorld::move(10, 1003))));
  // A drive that a host keeps: the move is refused, and says why.
  w.library.failures.push_back(smc::MoveResult::kRemovalPrevented);
  CHECK(sense_of(w.run(ChangerWorld::move(500, 1002))) == "5/53/02");
  CHECK(is_good(w.run(ChangerWorld::move(500, 1002))));
  CHECK(is_good(w.run(ChangerWorld::move(1002, 10))));
}

TEST_CASE("Veeam: everything in one answer, tags and identifiers together") {
  Client w;
  CHECK(is_good(w.run({0x12, 1, 0x80, 0, 0xFF, 0})));
  CHECK(is_good(w.run({0x12, 1, 0x83, 0, 0xFF, 0})));
  w.check_counts();
  const auto all = w.run(ChangerWorld::status(0x10, 0, 0xFFFF, 0xFFFFFF, 0x01)).data();
  CHECK(all.size() == 8 + 4 * 8 + 9 * 52 + 2 * 86);
  for (const char* text : {"VTL001L8", "VTL002L8", "VTL003L8", "DRV0000000", "DRV0000001"})
    CHECK(as_text(all).find(text) != std::string_view::npos);
  CHECK(is_good(w.run(ChangerWorld::move(1000, 501))));
  CHECK(sense_of(w.run(w.b, kReady)) == "0/00/00");  // nobody is told of a client's own moves
}

TEST_CASE("DPM: class driver calls, tapes come in through the door") {
  Client w;
  w.check_counts();
  CHECK(is_good(w.run(kPrevent)));
  CHECK(sense_of(w.run({0x1B, 0, 0, 10, 0, 0})) == "5/53/02");
  CHECK(is_good(w.run(kAllow)));
  CHECK(is_good(w.run({0x1B, 0, 0, 10, 0, 0})));
  w.library.put(10, "VTL009L8");
  w.library.at(10).placed_by_operator = true;
  w.library.observer()->import_export_accessed();
  CHECK(sense_of(w.run({0x1B, 0, 0, 10, 1, 0})) == "6/28/01");
  CHECK(is_good(w.run({0x1B, 0, 0, 10, 1, 0})));
  CHECK(is_good(w.run(ChangerWorld::move(10, 501))));
  const auto drive = w.run(ChangerWorld::status(0x14, 501, 1)).data();
  CHECK(as_text(drive).substr(16 + 12, 8) == "VTL009L8");
}

TEST_CASE("Spectrum Protect: all types in one allocation, under a persistent reservation") {
  Client w;
  const auto out = [&](std::uint8_t action, std::uint8_t type, std::uint8_t key,
                       std::uint8_t action_key) {
    std::vector<std::byte> list(24);
    list[7] = std::byte{key};
    list[15] = std::byte{action_key};
    return w.send(w.a, {0x5F, action, type, 0, 0, 0, 0, 0, 24, 0}, list);
  };
  CHECK(is_good(out(0x06, 0, 0, 7)));  // register, whatever was
  CHECK(is_good(out(0x01, 3, 7, 0)));  // reserve: exclusive access
  CHECK(w.run(ChangerWorld::status(0x10, 0, 0xFFFF, 0x40000)).data().size() == 8 + 4 * 8 + 11 * 52);
  CHECK(is_good(w.run(kPage1d)));
  CHECK(is_good(w.run(ChangerWorld::move(1000, 501))));
  CHECK(is_conflict(w.run(w.b, ChangerWorld::move(501, 1000))));
  CHECK(is_good(w.run(w.b, {0x12, 0, 0, 0, 0xFF, 0})));
  CHECK(is_good(out(0x02, 3, 7, 0)));  // release
  CHECK(is_good(w.run(w.b, ChangerWorld::move(501, 1000))));
}

TEST_CASE("Bacula and Amanda by mtx: status, load, transfer, a door that is opened") {
  Client w;
  CHECK(is_good(w.run({0x12, 0, 0, 0, 0x38, 0})));
  CHECK(w.run({0x1A, 0x08, 0x1D, 0, 0x88, 0}).data().size() == 24);
  for (const std::uint8_t type : Cdb{4, 2, 3, 1})
    CHECK(is_good(w.run(ChangerWorld::status(0x10 | type, 0, 0xFFFF, 0x8000))));
  CHECK(is_good(w.run(ChangerWorld::move(1000, 501, 0))));
  // It tells what is wrong by the code alone.
  CHECK(sense_of(w.run(ChangerWorld::move(1001, 501))) == "5/3B/0D");
  CHECK(sense_of(w.run(ChangerWorld::move(1004, 1005))) == "5/3B/0E");
  CHECK(is_good(w.run(ChangerWorld::move(501, 1000))));
  CHECK(is_good(w.run(ChangerWorld::move(1001, 11))));
  CHECK(is_good(w.run({0x1B, 0, 0, 11, 0, 0})));
}
