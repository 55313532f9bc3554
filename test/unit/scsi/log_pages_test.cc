#include "test/unit/scsi/fake_unit.h"

using namespace test;

namespace {
Ended log_sense(Fixture& f, std::uint8_t page, std::uint8_t subpage = 0, std::uint8_t pointer = 0,
                std::uint16_t allocation = 4096, NexusId nexus = kA) {
  return f.run(nexus,
               {0x4D, 0, page, subpage, 0, 0, pointer, static_cast<std::uint8_t>(allocation >> 8),
                static_cast<std::uint8_t>(allocation), 0});
}
Ended log_select(Fixture& f, std::uint8_t byte1, std::uint8_t page = 0) {
  return f.run(kA, {0x4C, byte1, page, 0, 0, 0, 0, 0, 0, 0}, 0);
}
}  // namespace

TEST_CASE("supported pages, alone and with subpages") {
  Fixture f;
  CHECK(log_sense(f, 0x40).data() == bytes({0, 0, 0, 4, 0, 0x0C, 0x12, 0x2E}));
  CHECK(log_sense(f, 0x40, 0xFF).data() ==
        bytes({0x40, 0xFF, 0, 12, 0, 0, 0, 0xFF, 0x0C, 0, 0x0D, 1, 0x12, 0, 0x2E, 0}));
}

TEST_CASE("a page gives its parameters whatever PC says") {
  Fixture f;
  const auto page = bytes({0x0C, 0, 0,    28, 0,    0,    0x60, 8,    0, 0, 0, 0, 0, 0, 0, 7,  //
                           0,    4, 0x60, 4,  0xFF, 0xFF, 0xFF, 0xFF,                          //
                           1,    0, 0x01, 4,  'A',  'B',  ' ',  ' '});
  for (const int control : {0x00, 0x40, 0x80, 0xC0})
    CHECK(log_sense(f, static_cast<std::uint8_t>(control | 0x0C)).data() == page);
  CHECK(log_sense(f, 0x0C, 0, 0, 4).data() == bytes({0x0C, 0, 0, 28}));  // smartctl's first step
  CHECK(log_sense(f, 0x0C, 0, 0, 0).data().empty());
  CHECK(log_sense(f, 0x0D, 1).data() == bytes({0x4D, 1, 0, 0}));
}

TEST_CASE("the parameter pointer skips; beyond the last it is refused") {
  Fixture f;
  CHECK(log_sense(f, 0x0C, 0, 4).data().size() == 4 + 8 + 8);
  CHECK(log_sense(f, 0x12, 0, 1).reply.status == SamStatus::kCheckCondition);
  CHECK(sense_of(log_sense(f, 0x12, 0, 1)) == "5/24/00 cdb byte 5");
}

TEST_CASE("what LOG SENSE refuses") {
  Fixture f;
  CHECK(sense_of(log_sense(f, 0x13)) == "5/24/00 cdb byte 2 bit 5");
  CHECK(sense_of(log_sense(f, 0x0C, 1)) == "5/24/00 cdb byte 3");
  CHECK(sense_of(log_sense(f, 0x0D)) == "5/24/00 cdb byte 3");
  CHECK(sense_of(f.run(kA, {0x4D, 1, 0, 0, 0, 0, 0, 0, 4, 0})) == "5/24/00 cdb byte 1 bit 0");
  CHECK(sense_of(f.run(kA, {0x4D, 2, 0, 0, 0, 0, 0, 0, 4, 0})) == "5/24/00 cdb byte 1 bit 1");
}

TEST_CASE("TapeAlert: page 2Eh is read once by each nexus, page 12h is not used up") {
  Fixture f;
  f.unit.alerts.raise(6);
  const auto flag = [&](NexusId nexus) {
    const auto data = log_sense(f, 0x2E, 0, 0, 4096, nexus).data();
    REQUIRE(data.size() == 4 + 64 * 5);
    CHECK(data[0] == std::byte{0x2E});
    CHECK((data[2] == std::byte{1} && data[3] == std::byte{0x40}));
    return std::to_integer<int>(data[4 + 5 * 5 + 4]);
  };
  CHECK(flag(kA) == 1);
  CHECK(flag(kA) == 0);
  CHECK(flag(kB) == 1);
  CHECK(log_sense(f, 0x12).data() ==
        bytes({0x12, 0, 0, 12, 0, 0, 3, 8, 0x04, 0, 0, 0, 0, 0, 0, 0}));
  f.unit.alerts.raise(6);
  CHECK(flag(kA) == 1);
  f.unit.alerts.clear(6);
  CHECK(flag(kC) == 0);
  f.unit.alerts.raise(64);
  CHECK(f.unit.alerts.is_raised(64));
  CHECK(log_sense(f, 0x12).data().back() == std::byte{1});
}

TEST_CASE("LOG SELECT with PCR resets what can be reset, and tells the others") {
  Fixture f;
  f.unit.alerts.raise(3);
  CHECK(log_select(f, 0).reply.status == SamStatus::kGood);
  CHECK(f.unit.counters_reset == 0);
  CHECK_FALSE(f.unit.attentions().pending(kB));
  CHECK(log_select(f, 2).reply.status == SamStatus::kGood);
  CHECK(f.unit.counters_reset == 1);
  CHECK_FALSE(f.unit.alerts.is_raised(3));
  CHECK(sense_of(f.run(kB, kTur)) == "6/2A/02");
  CHECK_FALSE(f.unit.attentions().pending(kA));
  CHECK(log_select(f, 2, 0x2E).reply.status == SamStatus::kGood);  // one page only
  CHECK(f.unit.counters_reset == 1);
}

TEST_CASE("what LOG SELECT refuses") {
  Fixture f;
  CHECK(sense_of(log_select(f, 1)) == "5/24/00 cdb byte 1 bit 0");
  CHECK(sense_of(log_select(f, 2, 0x13)) == "5/24/00 cdb byte 2 bit 5");
  const auto list = bytes({0x0C, 0, 0, 4, 0, 0, 0, 0});
  CHECK(sense_of(f.send(kA, {0x4C, 0, 0, 0, 0, 0, 0, 0, 8, 0}, list)) == "5/26/01");
  CHECK(sense_of(f.send(kA, {0x4C, 2, 0, 0, 0, 0, 0, 0, 8, 0}, list)) ==
        "5/24/00 cdb byte 1 bit 1");
  CHECK(f.unit.counters_reset == 0);
}
