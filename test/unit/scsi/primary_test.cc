// REPORT SUPPORTED OPERATION CODES and its kin, PREVENT, timestamps, diagnostics, buffers,
// PERSISTENT RESERVE as the engine carries it out.
#include "test/unit/scsi/fake_unit.h"

using namespace test;

namespace {

Ended rsoc(Fixture& f, std::uint8_t options, std::uint8_t opcode = 0, std::uint8_t action = 0,
           std::uint16_t allocation = 8192) {
  return f.run(
      kA, {0xA3, 0x0C, options, opcode, 0, action, 0, 0, static_cast<std::uint8_t>(allocation >> 8),
           static_cast<std::uint8_t>(allocation), 0, 0});
}
bool good(const Ended& end) { return end.reply.status == SamStatus::kGood; }
std::uint32_t number(const std::vector<std::byte>& data, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value = value << 8 | std::to_integer<std::uint32_t>(data[at + i]);
  return value;
}

}  // namespace

TEST_CASE("RSOC: the list is the table, with and without timeouts, and the forms agree") {
  Fixture f;
  for (const bool timeouts : {false, true}) {
    const std::uint8_t rctd = timeouts ? 0x80 : 0x00;
    const std::size_t step = timeouts ? 20 : 8;
    const auto all = rsoc(f, rctd).data();
    REQUIRE(all.size() == 4 + FakeUnit::kRows.size() * step);
    CHECK(number(all, 0, 4) == all.size() - 4);
    std::size_t at = 4;
    for (const CommandRow& row : FakeUnit::kRows) {
      INFO(row.name);
      const bool service = row.service_action != kNoServiceAction;
      const auto action = static_cast<std::uint8_t>(service ? row.service_action : 0);
      CHECK(number(all, at, 1) == row.opcode);
      CHECK(number(all, at + 2, 2) == action);
      CHECK(number(all, at + 5, 1) == ((timeouts ? 2u : 0u) | (service ? 1u : 0u)));
      CHECK(number(all, at + 6, 2) == row.cdb_length);
      if (timeouts) {
        CHECK(number(all, at + 8, 2) == 10);
        CHECK(number(all, at + 16, 4) == row.recommended_timeout_s);
      }
      at += step;

      const std::uint8_t own = service ? 2 : 1, other = service ? 1 : 2;
      const auto one = rsoc(f, static_cast<std::uint8_t>(rctd | own), row.opcode, action).data();
      REQUIRE(one.size() == 4u + row.cdb_length + (timeouts ? 12u : 0u));
      CHECK(number(one, 1, 1) == (timeouts ? 0x83u : 0x03u));
      CHECK(number(one, 2, 2) == row.cdb_length);
      CHECK(number(one, 4, 1) == row.opcode);
      if (service) CHECK((number(one, 5, 1) & 0x1F) == action);
      for (std::size_t i = 2; i < row.cdb_length; ++i) CHECK(number(one, 4 + i, 1) == row.usage[i]);
      if (timeouts) CHECK(number(one, one.size() - 4, 4) == row.recommended_timeout_s);
      CHECK(rsoc(f, static_cast<std::uint8_t>(rctd | 3), row.opcode, action).data() == one);
      CHECK(sense_of(rsoc(f, static_cast<std::uint8_t>(rctd | other), row.opcode, action)) ==
            "5/24/00 cdb byte 2 bit 2");
    }
  }
}

TEST_CASE("RSOC: what is not supported, bad options, allocation lengths") {
  Fixture f;
  const auto unsupported = bytes({0, 1, 0, 0});
  CHECK(rsoc(f, 1, 0xC7).data() == unsupported);
  CHECK(rsoc(f, 2, 0xC7, 1).data() == unsupported);
  CHECK(rsoc(f, 2, 0xA3, 5).data() == unsupported);
  CHECK(rsoc(f, 3, 0xA3, 5).data() == unsupported);
  CHECK(rsoc(f, 3, 0x00, 5).data() == unsupported);
  CHECK(sense_of(rsoc(f, 4)) == "5/24/00 cdb byte 2 bit 2");
  CHECK(sense_of(rsoc(f, 0x08)) == "5/24/00 cdb byte 2 bit 3");
  const auto full = rsoc(f, 0x80).data();
  for (const int allocation : {0, 1, 4, 19}) {
    const auto cut = rsoc(f, 0x80, 0, 0, static_cast<std::uint16_t>(allocation)).data();
    CHECK(cut == std::vector(full.begin(), full.begin() + allocation));
  }
}

TEST_CASE("supported task management functions, short and long") {
  Fixture f;
  CHECK(f.run(kA, {0xA3, 0x0D, 0x80, 0, 0, 0, 0, 0, 0, 255, 0, 0}).data() ==
        bytes({0xDA, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(sense_of(f.run(kA, {0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0})) == "5/24/00 cdb byte 6");
}

TEST_CASE("the timestamp is the clock's, until a host sets it") {
  Fixture f;
  const std::vector<std::uint8_t> report = {0xA3, 0x0F, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0};
  f.unit.now_ms = 0x0102030405;
  CHECK(f.run(kA, report).data() == bytes({0, 10, 3, 0, 0, 1, 2, 3, 4, 5, 0, 0}));
  const auto set = [&](std::uint8_t length, const std::vector<std::byte>& list) {
    return f.send(kA, {0xA4, 0x0F, 0, 0, 0, 0, 0, 0, 0, length, 0, 0}, list);
  };
  const auto list = bytes({0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0});
  CHECK(sense_of(set(11, list)) == "5/1A/00");
  CHECK(sense_of(set(13, std::vector<std::byte>(13))) == "5/1A/00");
  CHECK(good(set(0, {})));
  CHECK_FALSE(f.unit.attentions().pending(kB));
  CHECK(good(set(12, list)));
  CHECK(sense_of(f.run(kB, kTur)) == "6/2A/10");
  CHECK_FALSE(f.unit.attentions().pending(kA));
  f.unit.now_ms += 5;
  CHECK(f.run(kA, report).data() == bytes({0, 10, 2, 0, 0, 0, 0, 1, 0, 5, 0, 0}));
}

TEST_CASE("PREVENT is counted by nexus, and ends with it, with a reset, or with ALLOW") {
  Fixture f;
  const auto prevent = [&](NexusId id, std::uint8_t value) {
    return good(f.run(id, {0x1E, 0, 0, 0, value, 0}));
  };
  CHECK(prevent(kA, 1));
  CHECK(prevent(kA, 1));
  CHECK(prevent(kB, 1));
  CHECK(prevent(kA, 0));
  CHECK(f.unit.prevented());
  CHECK(f.unit.prevent_changes == 1);
  f.unit.nexus_lost(kB);
  CHECK_FALSE(f.unit.prevented());
  CHECK(f.unit.prevent_changes == 2);
  CHECK(prevent(kC, 1));
  f.manage(TaskFunction::kTargetReset, kA);
  CHECK_FALSE(f.unit.prevented());
  CHECK(sense_of(f.run(kC, {0x1E, 0, 0, 0, 2, 0})) == "6/29/03");
  CHECK(sense_of(f.run(kC, {0x1E, 0, 0, 0, 2, 0})) == "5/24/00 cdb byte 4 bit 1");
}

TEST_CASE("PREEMPT AND ABORT ends the victim's tasks and its PREVENT, and tells it") {
  Fixture f;
  const auto out = [&](NexusId id, std::uint8_t action, std::uint8_t type, int key, int argument) {
    std::vector<std::byte> list(24);
    list[7] = static_cast<std::byte>(key);
    list[15] = static_cast<std::byte>(argument);
    return f.send(id, {0x5F, action, type, 0, 0, 0, 0, 0, 24, 0}, list);
  };
  REQUIRE(good(out(kA, 0, 0, 0, 0xA)));
  REQUIRE(good(out(kB, 0, 0, 0, 0xB)));
  REQUIRE(good(out(kB, 1, 0x03, 0xB, 0)));
  REQUIRE(good(f.run(kB, {0x1E, 0, 0, 0, 1, 0})));
  CHECK(f.run(kA, kRewind).reply.status == SamStatus::kReservationConflict);
  CHECK(good(f.run(kA, kTur)));
  CHECK(good(out(kA, 5, 0x03, 0xA, 0xB)));
  CHECK_FALSE(f.unit.prevented());
  CHECK(sense_of(f.run(kB, kTur)) == "6/2A/05");
  CHECK(f.run(kB, cdb_with_length(0x08, 1)).reply.status == SamStatus::kReservationConflict);
  // Registrations and the reservation outlive nexus and reset.
  f.manage(TaskFunction::kLogicalUnitReset, kA);
  f.unit.nexus_lost(kA);
  CHECK(sense_of(f.run(kB, kTur)) == "6/29/03");
  CHECK(f.run(kB, cdb_with_length(0x08, 1)).reply.status == SamStatus::kReservationConflict);
}

TEST_CASE("PERSISTENT RESERVE: lists of the wrong length, allocation lengths") {
  Fixture f;
  for (const int length : {0, 23, 25}) {
    CAPTURE(length);
    CHECK(sense_of(f.send(kA, {0x5F, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(length), 0},
                          std::vector<std::byte>(static_cast<std::size_t>(length)))) == "5/1A/00");
  }
  CHECK(f.run(kA, {0x5F, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0}, 0).reply.status ==
        SamStatus::kCheckCondition);
  for (const std::uint8_t allocation : std::vector<std::uint8_t>{0, 1, 7, 8}) {
    const Ended end = f.run(kA, {0x5E, 2, 0, 0, 0, 0, 0, 0, allocation, 0});
    CHECK(good(end));
    CHECK(end.data().size() == allocation);
  }
}

TEST_CASE("diagnostics: self-test, the list of pages, and nothing else") {
  Fixture f;
  CHECK(good(f.run(kA, {0x1D, 0x04, 0, 0, 0, 0}, 0)));
  CHECK(good(f.run(kA, {0x1D, 0x00, 0, 0, 0, 0}, 0)));
  CHECK(good(f.send(kA, {0x1D, 0x10, 0, 0, 4, 0}, bytes({0, 0, 0, 0}))));
  CHECK(sense_of(f.send(kA, {0x1D, 0x10, 0, 0, 4, 0}, bytes({1, 0, 0, 0}))) ==
        "5/26/00 list byte 0");
  CHECK(sense_of(f.send(kA, {0x1D, 0x10, 0, 0, 4, 0}, bytes({0, 0, 0, 1}))) ==
        "5/26/00 list byte 2");
  CHECK(sense_of(f.send(kA, {0x1D, 0x10, 0, 0, 3, 0}, bytes({0, 0, 0}))) == "5/1A/00");
  CHECK(sense_of(f.send(kA, {0x1D, 0x14, 0, 0, 4, 0}, bytes({0, 0, 0, 0}))) ==
        "5/24/00 cdb byte 3");
  CHECK(sense_of(f.send(kA, {0x1D, 0x00, 0, 0, 4, 0}, bytes({0, 0, 0, 0}))) ==
        "5/24/00 cdb byte 1 bit 4");
  // Self-test codes: background and foreground, short and extended; none runs that could be
  // aborted.
  for (const std::uint8_t code : std::vector<std::uint8_t>{1, 2, 5, 6}) {
    const auto byte_1 = static_cast<std::uint8_t>(code << 5);
    CHECK(good(f.run(kA, {0x1D, byte_1, 0, 0, 0, 0}, 0)));
    CHECK(sense_of(f.run(kA, {0x1D, static_cast<std::uint8_t>(byte_1 | 0x04), 0, 0, 0, 0})) ==
          "5/24/00 cdb byte 1 bit 7");
    CHECK(sense_of(f.send(kA, {0x1D, byte_1, 0, 0, 4, 0}, bytes({0, 0, 0, 0}))) ==
          "5/24/00 cdb byte 3");
  }
  for (const std::uint8_t code : std::vector<std::uint8_t>{3, 4, 7})
    CHECK(sense_of(f.run(kA, {0x1D, static_cast<std::uint8_t>(code << 5), 0, 0, 0, 0})) ==
          "5/24/00 cdb byte 1 bit 7");
  CHECK(f.run(kA, {0x1C, 1, 0, 0, 255, 0}).data() == bytes({0, 0, 0, 1, 0}));
  CHECK(sense_of(f.run(kA, {0x1C, 1, 0x40, 0, 255, 0})) == "5/24/00 cdb byte 2 bit 7");
}

TEST_CASE("the echo buffer is each nexus' own; firmware is refused") {
  Fixture f;
  const std::vector<std::uint8_t> read = {0x3C, 0x0A, 0, 0, 0, 0, 0, 0x10, 0, 0};
  CHECK(sense_of(f.run(kA, read)) == "5/2C/00");
  CHECK(good(f.send(kA, {0x3B, 0x0A, 0, 0, 0, 0, 0, 0, 3, 0}, bytes({1, 2, 3}))));
  CHECK(f.run(kA, read).data() == bytes({1, 2, 3}));
  CHECK(sense_of(f.run(kB, read)) == "5/2C/00");
  CHECK(f.run(kA, {0x3C, 0x0B, 0, 0, 0, 0, 0, 0, 4, 0}).data() == bytes({0, 0, 0x10, 0}));
  CHECK(f.run(kA, {0x3C, 0x03, 0, 0, 0, 0, 0, 0, 4, 0}).data() == bytes({0, 0, 0, 0}));
  CHECK(sense_of(f.run(kA, {0x3C, 0x02, 0, 0, 0, 0, 0, 0, 4, 0})) == "5/24/00 cdb byte 1 bit 4");
  CHECK(good(f.send(kA, {0x3B, 0x0A, 0, 0, 0, 0, 0, 0x10, 0, 0}, std::vector<std::byte>(4096))));
  CHECK(sense_of(f.send(kA, {0x3B, 0x0A, 0, 0, 0, 0, 0, 0x10, 1, 0},
                        std::vector<std::byte>(4097))) == "5/24/00 cdb byte 6");
  for (const std::uint8_t mode :
       std::vector<std::uint8_t>{0x00, 0x02, 0x04, 0x05, 0x07, 0x0D, 0x0E, 0x0F})
    CHECK(sense_of(f.send(kA, {0x3B, mode, 0, 0, 0, 0, 0, 0, 4, 0}, bytes({1, 2, 3, 4}))) ==
          "5/24/00 cdb byte 1 bit 4");
  f.unit.nexus_lost(kA);
  f.unit.log_in(kA);
  CHECK(sense_of(f.run(kA, read)) == "5/2C/00");
}
