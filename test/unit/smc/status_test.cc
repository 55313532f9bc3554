// READ ELEMENT STATUS as its clients send it, and the search for volume tags.
#include <catch2/catch.hpp>

#include "test/unit/smc/changer_fixture.h"

using namespace scsi;  // NOLINT
using test::bytes;
using test::ChangerWorld;
using test::is_good;
using test::sense_of;

namespace {

std::uint32_t count_of(const std::vector<std::byte>& data) {
  return ByteReader(data).u32() & 0xFFFF;
}
std::uint32_t byte_count_of(const std::vector<std::byte>& data) {
  ByteReader r(data);
  r.skip(5);
  return r.u24();
}

}  // namespace

TEST_CASE("READ ELEMENT STATUS: the CDB") {
  ChangerWorld w;
  CHECK(sense_of(w.run(ChangerWorld::status(5, 0, 0xFFFF))) == "5/24/00 cdb byte 1 bit 3");
  CHECK(sense_of(w.run(ChangerWorld::status(0x0F, 0, 0xFFFF))) == "5/24/00 cdb byte 1 bit 3");
  CHECK(is_good(w.run(ChangerWorld::status(0xF2, 0, 0xFFFF))));              // with a LUN
  CHECK(is_good(w.run(ChangerWorld::status(0x10, 0, 0xFFFF, 4096, 0x07))));  // all flags
  const auto plain = w.run(ChangerWorld::status(0x10, 0, 0xFFFF)).data();
  CHECK(w.run(ChangerWorld::status(0x10, 0, 0xFFFF, 0xFFFF, 0x02)).data() == plain);  // CURDATA
  CHECK(w.run(ChangerWorld::status(0x10, 0, 0xFFFF, 0xFFFF, 0x04)).data() == plain);  // MIXED
}

TEST_CASE("READ ELEMENT STATUS: allocation cuts the data, never the counts") {
  ChangerWorld w;
  const auto whole = w.run(ChangerWorld::status(0x10, 0, 0xFFFF, 0xFFFFFF, 0x01)).data();
  CHECK(whole.size() == 8 + 4 * 8 + 9 * 52 + 2 * 86);
  CHECK(count_of(whole) == 11);
  CHECK(byte_count_of(whole) == whole.size() - 8);
  for (unsigned length = 0; length <= whole.size(); ++length) {
    const auto end = w.run(ChangerWorld::status(0x10, 0, 0xFFFF, length, 0x01));
    REQUIRE(is_good(end));
    REQUIRE(end.data() == std::vector<std::byte>(whole.begin(), whole.begin() + length));
    REQUIRE(end.residual.overflow == 0);
  }
}

TEST_CASE("READ ELEMENT STATUS: residuals") {
  ChangerWorld w;
  auto end = w.run(w.a, ChangerWorld::status(2, 1000, 1, 4096), 4096);
  CHECK(end.data().size() == 32);
  CHECK(end.residual.underflow == 4096 - 32);
  end = w.run(w.a, ChangerWorld::status(2, 1000, 1, 4096), 16);
  CHECK(end.data().size() == 16);
  CHECK(end.residual.overflow == 16);
}

TEST_CASE("The ch driver: one element, allocation 255, at offset 16, or nothing") {
  ChangerWorld w;
  for (const unsigned address : {1u, 10u, 500u, 1005u}) {
    const auto data = w.run(ChangerWorld::status(0x10, address, 1, 255)).data();
    CHECK(data.size() == 8 + 8 + 52);
    CHECK(data[16] == static_cast<std::byte>(address >> 8));
    CHECK(data[17] == static_cast<std::byte>(address & 0xFF));
    CHECK(w.run(ChangerWorld::status(0x00, address, 1, 255)).data().size() == 32);
  }
  CHECK(w.run(ChangerWorld::status(0x10, 1006, 1, 255)).data() == std::vector<std::byte>(8));
}

TEST_CASE("Proxmox: at most 65 bytes a slot, one type a call, a thousand at a time") {
  ChangerWorld w({.storage = 1000, .import_export = 3, .drives = 10});
  for (std::uint16_t i = 0; i < 1000; ++i)
    w.library.put(static_cast<std::uint16_t>(1000 + i), "VTL" + std::to_string(i));
  const auto full = w.run(ChangerWorld::status(0x12, 0, 1000, 0xFFFF)).data();
  CHECK(count_of(full) == 1000);
  CHECK(byte_count_of(full) + 8 == full.size());  // nothing is cut off in 65,535 bytes
  // it goes on after a full thousand, and a library of exactly that size has no more
  const auto end = w.run(ChangerWorld::status(0x12, 2000, 1000, 0xFFFF));
  CHECK(is_good(end));
  CHECK(end.data() == std::vector<std::byte>(8));
  CHECK(count_of(w.run(ChangerWorld::status(0x13, 0, 1000)).data()) == 3);
  CHECK(count_of(w.run(ChangerWorld::status(0x14, 0, 1000)).data()) == 10);
  CHECK(count_of(w.run(ChangerWorld::status(0x11, 0, 1000)).data()) == 1);
  // drives again with their identifiers, without tags
  const auto drives = w.run(ChangerWorld::status(0x04, 0, 1000, 0xFFFF, 0x01)).data();
  REQUIRE(drives.size() == 8 + 8 + 10 * 50);
  ByteReader r(Bytes(drives).subspan(16 + 12));
  CHECK(r.u32() == 0x02010022);
  CHECK(as_text(r.bytes(34)) == "IBM     ULT3580-TD8     DRV0000000");
}

TEST_CASE("mtx: status, load, unload, transfer") {
  ChangerWorld w;
  w.library.put(1000, "VTL001L8");
  w.library.put(1001, "VTL002L8");
  CHECK(is_good(w.run({0x12, 0, 0, 0, 0x38, 0})));
  CHECK(w.run({0x1A, 0x08, 0x1D, 0, 0x88, 0}).data().size() == 24);
  // it asks a few bytes first, then what the byte count says
  const auto head = w.run(ChangerWorld::status(0x12, 1000, 6, 8)).data();
  CHECK(head.size() == 8);
  const auto slots = w.run(ChangerWorld::status(0x12, 1000, 6, byte_count_of(head) + 8)).data();
  CHECK(slots.size() == 8 + 8 + 6 * 52);
  CHECK(is_good(w.run(ChangerWorld::move(1000, 500))));
  auto drive = w.run(ChangerWorld::status(0x14, 500, 1)).data();
  CHECK(drive[16 + 2] == std::byte{0x09});
  CHECK(drive[16 + 9] == std::byte{0x81});
  CHECK(drive[16 + 10] == std::byte{0x03});  // source 1000
  CHECK(drive[16 + 11] == std::byte{0xE8});
  CHECK(as_text(drive).substr(16 + 12, 8) == "VTL001L8");
  // drive to drive keeps the slot of origin
  CHECK(is_good(w.run(ChangerWorld::move(500, 501))));
  drive = w.run(ChangerWorld::status(0x14, 501, 1)).data();
  CHECK(drive[16 + 11] == std::byte{0xE8});
  CHECK(is_good(w.run(ChangerWorld::move(501, 1000))));
  CHECK(is_good(w.run(ChangerWorld::move(1001, 10))));
  const auto ie = w.run(ChangerWorld::status(0x13, 10, 1)).data();
  CHECK(ie[16 + 2] == std::byte{0x39});  // by the robot: IMPEXP 0
}

TEST_CASE("A search for volume tags") {
  ChangerWorld w;
  w.library.put(500, "VTL010L8");
  w.library.put(1000, "VTL001L8");
  w.library.put(1002, "VTL002L8");
  w.library.put(1003, "CLN001CU");
  const auto list = [](std::string pattern, int min_sequence = 0) {
    ByteBuilder out;
    out.ascii(pattern, 32).u16(0).u16(static_cast<std::uint64_t>(min_sequence)).u16(0).u16(0xFFFF);
    return out.take();
  };
  const auto send = [&](NexusId nexus, std::string pattern, std::uint8_t type = 0,
                        std::uint8_t action = 5, unsigned first = 0, int sequence = 0) {
    return w.send(nexus,
                  {0xB6, type, ChangerWorld::hi(first), ChangerWorld::lo(first), 0, action, 0, 0, 0,
                   40, 0, 0},
                  list(std::move(pattern), sequence));
  };
  const auto found = [&](NexusId nexus, std::uint8_t type = 0, unsigned first = 0,
                         unsigned number = 0xFFFF) {
    const auto data =
        w.run(nexus, {0xB5, static_cast<std::uint8_t>(0x10 | type), ChangerWorld::hi(first),
                      ChangerWorld::lo(first), ChangerWorld::hi(number), ChangerWorld::lo(number),
                      0, 0, 0x10, 0, 0, 0})
            .data();
    std::string tags;
    for (const char* tag : {"VTL010L8", "VTL001L8", "VTL002L8", "CLN001CU"})
      if (as_text(data).find(tag) != std::string_view::npos) tags += std::string(tag, 6) + " ";
    CHECK(data[4] == std::byte{5});
    return tags;
  };
  SECTION("nothing was asked for") {
    CHECK(sense_of(w.run({0xB5, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0x10, 0, 0, 0})) == "5/2C/00");
    REQUIRE(is_good(send(w.b, "*")));  // of another host
    CHECK(sense_of(w.run({0xB5, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0x10, 0, 0, 0})) == "5/2C/00");
  }
  SECTION("templates") {
    const auto search = [&](std::string pattern) {
      REQUIRE(is_good(send(w.a, std::move(pattern))));
      return found(w.a);
    };
    CHECK(search("*") == "VTL010 VTL001 VTL002 CLN001 ");
    CHECK(search("VTL*") == "VTL010 VTL001 VTL002 ");
    CHECK(search("VTL001L8") == "VTL001 ");
    CHECK(search("VTL00?L8") == "VTL001 VTL002 ");
    CHECK(search("*CU") == "CLN001 ");
    CHECK(search("*0*1*") == "VTL010 VTL001 CLN001 ");
    CHECK(search("VTL001") == "");
    CHECK(search("????????") == "VTL010 VTL001 VTL002 CLN001 ");
    CHECK(search("?????????") == "");
    CHECK(search("") == "");
  }
  SECTION("types and addresses, of the search and of the request") {
    REQUIRE(is_good(send(w.a, "VTL*", 2)));
    CHECK(found(w.a) == "VTL001 VTL002 ");
    CHECK(found(w.a, 4) == "");
    CHECK(found(w.a, 2, 1001) == "VTL002 ");
    CHECK(found(w.a, 2, 0, 1) == "VTL001 ");
    REQUIRE(is_good(send(w.a, "*", 0, 5, 1001)));
    CHECK(found(w.a) == "VTL002 CLN001 ");
    CHECK(sense_of(w.run({0xB5, 5, 0, 0, 0xFF, 0xFF, 0, 0, 0x10, 0, 0, 0})) ==
          "5/24/00 cdb byte 1 bit 3");
  }
  SECTION("more than are asked for: the next request goes on behind the last") {
    REQUIRE(is_good(send(w.a, "*")));
    CHECK(found(w.a, 0, 0, 2) == "VTL010 VTL001 ");
    CHECK(found(w.a, 0, 1001, 2) == "VTL002 CLN001 ");
    CHECK(found(w.a, 0, 1004, 2) == "");
    CHECK(found(w.a, 0, 0, 0) == "");
  }
  SECTION("a cartridge without a label has no tag that could be found") {
    w.library.put(1004, "unlabelled-1");
    w.library.at(1004).labelled = false;
    for (const char* pattern : {"*", "", "unlabelled-1"}) {
      REQUIRE(is_good(send(w.a, pattern, 2)));
      const auto data = w.run({0xB5, 2, 0x03, 0xEC, 0xFF, 0xFF, 0, 0, 0x10, 0, 0, 0}).data();
      CHECK(count_of(data) == 0);
    }
  }
  SECTION("it finds where they are now") {
    REQUIRE(is_good(send(w.a, "VTL001L8", 4)));
    CHECK(found(w.a) == "");
    REQUIRE(is_good(w.run(ChangerWorld::move(1000, 501))));
    CHECK(found(w.a) == "VTL001 ");
  }
  SECTION("alternate tags and sequence numbers: there are none") {
    const auto count = [&] {
      return count_of(w.run({0xB5, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0x10, 0, 0, 0}).data());
    };
    REQUIRE(is_good(send(w.a, "*", 0, 2)));
    CHECK(count() == 0);
    REQUIRE(is_good(send(w.a, "*", 0, 1, 0, 1)));  // from sequence number 1
    CHECK(count() == 0);
    REQUIRE(is_good(send(w.a, "*", 0, 5, 0, 1)));  // ignoring it
    CHECK(count() == 4);
    REQUIRE(is_good(send(w.a, "*", 0, 0)));
    CHECK(count() == 4);
  }
  SECTION("refused") {
    for (const std::uint8_t action :
         std::vector<std::uint8_t>{3, 7, 8, 9, 0x0A, 0x0B, 0x0C, 0x0D, 0x1F})
      CHECK(sense_of(send(w.a, "*", 0, action)) == "5/24/00 cdb byte 5 bit 4");
    CHECK(sense_of(send(w.a, "*", 5)) == "5/24/00 cdb byte 1 bit 3");
    CHECK(sense_of(w.send(w.a, {0xB6, 0, 0, 0, 0, 5, 0, 0, 0, 39, 0, 0},
                          std::vector<std::byte>(39))) == "5/1A/00");
    CHECK(sense_of(w.run({0xB6, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0})) == "5/1A/00");
    CHECK(sense_of(w.send(w.a, {0xB6, 0, 0, 0, 0, 5, 0, 0, 0, 40, 0, 0},
                          std::vector<std::byte>(8))) == "5/24/00");
  }
  SECTION("a reset and the end of the session forget it") {
    REQUIRE(is_good(send(w.a, "*")));
    w.changer.manage(TaskFunction::kLogicalUnitReset, w.a, {}, [](TaskFunctionResult) {});
    w.run({0, 0, 0, 0, 0, 0});  // 29/03
    CHECK(sense_of(w.run({0xB5, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0x10, 0, 0, 0})) == "5/2C/00");
  }
}
