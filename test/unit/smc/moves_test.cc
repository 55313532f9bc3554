// MOVE MEDIUM, EXCHANGE MEDIUM, POSITION TO ELEMENT, the initializing commands: checks in their
// order.
#include <catch2/catch.hpp>

#include "test/unit/smc/changer_fixture.h"

using namespace scsi;  // NOLINT
using smc::MoveResult;
using test::ChangerWorld;
using test::is_good;
using test::sense_of;
using Log = std::vector<std::string>;

TEST_CASE("MOVE MEDIUM from anywhere to anywhere that holds cartridges") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  unsigned at = 1000;
  for (const unsigned to : {500u, 501u, 10u, 500u, 1005u, 11u, 1000u}) {
    CAPTURE(to);
    CHECK(is_good(w.run(ChangerWorld::move(at, to))));
    CHECK_FALSE(w.library.at(static_cast<std::uint16_t>(at)).full);
    CHECK(w.library.at(static_cast<std::uint16_t>(to)).full);
    at = to;
  }
  CHECK(w.library.log.size() == 7);
}

TEST_CASE("MOVE MEDIUM refuses, and nothing has moved") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  w.library.put(1001, "VTL002L8");
  const auto move = [&](unsigned from, unsigned to, unsigned transport = 1) {
    return sense_of(w.run(ChangerWorld::move(from, to, transport)));
  };
  SECTION("unknown addresses, a transport as a place, a place as a transport") {
    CHECK(move(999, 500) == "5/21/01");
    CHECK(move(1006, 500) == "5/21/01");
    CHECK(move(0, 500) == "5/21/01");
    CHECK(move(0xFFFF, 500) == "5/21/01");
    CHECK(move(1000, 502) == "5/21/01");
    CHECK(move(1000, 12) == "5/21/01");
    CHECK(move(1, 500) == "5/21/01");
    CHECK(move(1000, 1) == "5/21/01");
    CHECK(move(1000, 500, 2) == "5/21/01");
    CHECK(move(1000, 500, 500) == "5/21/01");
  }
  SECTION("empty source, full destination") {
    CHECK(move(1002, 500) == "5/3B/0E");
    CHECK(move(500, 1002) == "5/3B/0E");
    CHECK(move(1000, 1001) == "5/3B/0D");
    CHECK(move(1002, 1001) == "5/3B/0E");  // the source first
    CHECK(move(1002, 9999) == "5/21/01");  // addresses before that
  }
  SECTION("a cartridge turned over") {
    auto cdb = ChangerWorld::move(1000, 500);
    cdb[10] = 1;
    CHECK(sense_of(w.run(cdb)) == "5/24/00 cdb byte 10 bit 0");
    cdb[7] = 0x77;  // an unknown address comes first
    CHECK(sense_of(w.run(cdb)) == "5/21/01");
  }
  CHECK(w.library.log.empty());
  CHECK(w.library.at(1000).full);
}

TEST_CASE("What mtx and older drivers leave in the CDB does not matter") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  auto cdb = ChangerWorld::move(1000, 500, 0);  // the default transport
  cdb[1] = 0xE0;                                // a LUN, as SCSI-2 had it
  cdb[11] = 0xC0;                               // mtx's extend/retract
  CHECK(is_good(w.run(cdb)));
  CHECK(w.library.log == Log{"move 1000 500"});
}

TEST_CASE("Moving to where it is: nothing for a slot, unload and load for a drive") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  w.library.put(500, "VTL002L8");
  CHECK(is_good(w.run(ChangerWorld::move(1000, 1000))));
  CHECK(w.library.log.empty());
  CHECK(is_good(w.run(ChangerWorld::move(500, 500))));
  CHECK(w.library.log == Log{"move 500 500"});
  CHECK(sense_of(w.run(ChangerWorld::move(1002, 1002))) == "5/3B/0E");
  CHECK(sense_of(w.run(ChangerWorld::move(501, 501))) == "5/3B/0E");
}

TEST_CASE("What the library says becomes sense") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  const struct {
    MoveResult result;
    const char* sense;
  } cases[] = {
      {MoveResult::kNoSuchElement, "5/21/01"},   {MoveResult::kSourceEmpty, "5/3B/0E"},
      {MoveResult::kDestinationFull, "5/3B/0D"}, {MoveResult::kRemovalPrevented, "5/53/02"},
      {MoveResult::kLoadFailed, "4/53/00"},      {MoveResult::kUnloadFailed, "4/53/01"},
      {MoveResult::kJournalFailed, "4/44/00"},
  };
  for (const auto& c : cases) {
    w.library.failures.push_back(c.result);
    CHECK(sense_of(w.run(ChangerWorld::move(1000, 500))) == c.sense);
  }
  CHECK(w.library.at(1000).full);
  CHECK(is_good(w.run(ChangerWorld::move(1000, 500))));
}

TEST_CASE(
    "A move under way: later ones wait, what is where is told, a reset ends it for the host") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  w.library.wait = true;
  w.recorder.submit(w.a, ChangerWorld::move(1000, 500));
  const auto full = [&w](const scsi::NexusId& host) {
    const auto data = w.run(host, ChangerWorld::status(4, 500, 1)).data();
    REQUIRE(data.size() == 32);
    return (data[16 + 2] & std::byte{0x01}) != std::byte{0};
  };
  for (const scsi::NexusId& host : {w.b, w.a}) CHECK_FALSE(full(host));
  w.recorder.ended.clear();
  w.recorder.submit(w.b, {0x01, 0, 0, 0, 0, 0});  // REZERO UNIT
  CHECK(w.recorder.ended.empty());
  REQUIRE(w.library.waiting.size() == 1);
  SECTION("done") {
    w.library.waiting[0]();
    REQUIRE(w.recorder.ended.size() == 2);
    for (const test::Ended& end : w.recorder.ended) CHECK(is_good(end));
    CHECK(full(w.a));
  }
  SECTION("reset") {
    w.changer.manage(TaskFunction::kLogicalUnitReset, w.b, {}, [](TaskFunctionResult) {});
    REQUIRE(w.recorder.ended.size() == 2);
    CHECK(w.recorder.ended[0].aborted);
    CHECK(w.recorder.ended[1].aborted);
    w.library.waiting[0]();  // the cartridge arrives all the same
    CHECK(w.recorder.ended.size() == 2);
    CHECK(w.library.at(500).full);
    CHECK(sense_of(w.run(w.a, {0, 0, 0, 0, 0, 0})) == "6/29/03");
    CHECK(is_good(w.run(w.a, {0, 0, 0, 0, 0, 0})));
  }
  SECTION("nexus loss") {
    w.changer.nexus_lost(w.a);
    w.library.waiting[0]();
    REQUIRE(w.recorder.ended.size() == 1);
    CHECK(w.recorder.ended[0].nexus == w.b);
    CHECK(w.library.at(500).full);
  }
}

TEST_CASE("A move that outlives the changer ends in the library alone") {
  test::FakeInventory library;
  library.put(1000, "VTL001L8");
  library.wait = true;
  {
    smc::Changer changer(test::changer_options(), library);
    test::Recorder recorder(changer);
    changer.nexus_established(test::host(1, 'a'));
    recorder.run({1, 1}, {0, 0, 0, 0, 0, 0});  // 29/00
    recorder.submit({1, 1}, ChangerWorld::move(1000, 500));
    REQUIRE(library.waiting.size() == 1);
  }
  library.waiting[0]();
  CHECK(library.at(500).full);
}

TEST_CASE("EXCHANGE MEDIUM") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  w.library.put(500, "VTL002L8");
  w.library.put(1005, "VTL003L8");
  const auto exchange = [&](unsigned source, unsigned first, unsigned second) {
    return sense_of(w.run(ChangerWorld::exchange(source, first, second)));
  };
  SECTION("to a third place") {
    CHECK(exchange(1000, 500, 1002) == "0/00/00");
    CHECK(w.library.at(500).barcode == "VTL001L8");
    CHECK(w.library.at(1002).barcode == "VTL002L8");
    CHECK_FALSE(w.library.at(1000).full);
  }
  SECTION("a swap") {
    CHECK(exchange(1000, 500, 1000) == "0/00/00");
    CHECK(w.library.at(500).barcode == "VTL001L8");
    CHECK(w.library.at(1000).barcode == "VTL002L8");
  }
  SECTION("refused, and nothing has moved") {
    CHECK(exchange(999, 500, 1002) == "5/21/01");
    CHECK(exchange(1000, 999, 1002) == "5/21/01");
    CHECK(exchange(1000, 500, 999) == "5/21/01");
    CHECK(exchange(1000, 500, 1) == "5/21/01");
    CHECK(exchange(1, 500, 1000) == "5/21/01");
    CHECK(exchange(1002, 500, 1003) == "5/3B/0E");
    CHECK(exchange(1000, 501, 1003) == "5/3B/0E");
    CHECK(exchange(1000, 500, 1005) == "5/3B/0D");
    CHECK(exchange(1000, 500, 500) == "5/3B/0D");
    CHECK(exchange(1000, 1000, 1002).starts_with("5/24/00 cdb byte 6"));
    auto cdb = ChangerWorld::exchange(1000, 500, 1002);
    cdb[10] = 2;
    CHECK(sense_of(w.run(cdb)) == "5/24/00 cdb byte 10 bit 1");
    cdb[10] = 1;
    CHECK(sense_of(w.run(cdb)) == "5/24/00 cdb byte 10 bit 0");
    cdb[10] = 0;
    cdb[3] = 2;
    CHECK(sense_of(w.run(cdb)) == "5/21/01");
    CHECK(w.library.log.empty());
    w.library.failures.push_back(MoveResult::kRemovalPrevented);
    CHECK(exchange(1000, 500, 1002) == "5/53/02");
    CHECK(w.library.at(1000).barcode == "VTL001L8");
    CHECK(w.library.at(500).barcode == "VTL002L8");
  }
}

TEST_CASE("POSITION TO ELEMENT") {
  ChangerWorld w;
  const auto position = [&](std::uint8_t transport, unsigned to, std::uint8_t invert = 0) {
    return sense_of(w.run(
        {0x2B, 0, 0, transport, ChangerWorld::hi(to), ChangerWorld::lo(to), 0, 0, invert, 0}));
  };
  CHECK(position(1, 1000) == "0/00/00");
  CHECK(position(0, 500) == "0/00/00");
  CHECK(position(1, 10) == "0/00/00");
  CHECK(position(2, 1000) == "5/21/01");
  CHECK(position(1, 1006) == "5/21/01");
  CHECK(position(1, 1000, 1) == "5/24/00 cdb byte 8 bit 0");
}

TEST_CASE("Scanning: always known, so done at once") {
  ChangerWorld w;
  w.run(w.a, {0x1E, 0, 0, 0, 1, 0});  // a prevented door does not matter
  CHECK(is_good(w.run({0x07, 0, 0, 0, 0, 0})));
  CHECK(is_good(w.run({0x01, 0, 0, 0, 0, 0})));
  CHECK(is_good(w.run({0xE7, 0, 0, 0, 0, 0, 0, 0, 0, 0})));
  CHECK(is_good(w.run({0xE7, 1, 0x03, 0xE8, 0, 0, 0, 6, 0, 0})));
  CHECK(sense_of(w.run({0xE7, 1, 0x0F, 0xFF, 0, 0, 0, 6, 0, 0})) == "5/21/01");
  CHECK(is_good(w.run({0x37, 2, 0, 0, 0, 0, 0, 0, 0, 0})));  // FAST
  CHECK(is_good(w.run({0x37, 1, 0x03, 0xE8, 0, 0, 0xFF, 0xFF, 0, 0})));
  CHECK(sense_of(w.run({0x37, 1, 0, 0, 0, 0, 0, 1, 0, 0})) == "5/21/01");
  CHECK(is_good(w.run({0x37, 0, 0x0F, 0xFF, 0, 0, 0, 6, 0, 0})));  // without RANGE: unused
}

TEST_CASE("How a move ended is told with its initiator, cartridges and places") {
  test::FakeInventory library;
  library.put(1000, "VTL001L8");
  library.put(500, "VTL002L8");
  Log told;
  smc::ChangerOptions options = test::changer_options();
  options.move_ended = [&](const smc::MoveEnd& end) {
    std::string line = std::string(1, static_cast<char>(end.transport_id.at(0))) +
                       (end.outcome.result == MoveResult::kMoved ? " moved" : " failed");
    for (const std::string& cartridge : end.cartridges) line += " " + cartridge;
    for (const std::uint16_t address : end.addresses) line += " " + std::to_string(address);
    told.push_back(line);
  };
  smc::Changer changer(std::move(options), library);
  test::Recorder recorder(changer);
  changer.nexus_established(test::host(7, 'h'));
  while (recorder.run({7, 1}, {0, 0, 0, 0, 0, 0}).reply.sense) {
  }
  (void)recorder.run({7, 1}, ChangerWorld::exchange(1000, 500, 1002));
  library.failures.push_back(MoveResult::kLoadFailed);
  (void)recorder.run({7, 1}, ChangerWorld::move(1002, 501));
  (void)recorder.run({7, 1}, ChangerWorld::move(1003, 501));  // empty: the library is not asked
  CHECK(told == Log{"h moved VTL001L8 VTL002L8 1000 500 1002", "h failed VTL002L8 1002 501"});
}
