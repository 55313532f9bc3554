// The order of checks for one command: unit attention, reservation, validity of the CDB, deferred
// error, readiness.
#include "test/unit/scsi/fake_unit.h"
#include "test/unit/support/row_walker.h"

using namespace test;

TEST_CASE("the table of the fake device is well formed") { check_table(FakeUnit::kRows); }

TEST_CASE("every reserved bit, alone, is refused with a pointer to it") {
  Fixture f;
  walk_reserved_bits(f.recorder, kA, FakeUnit::kRows);
}

TEST_CASE("a bit in the old LUN field changes nothing") {
  Fixture f;
  for (const int bit : {5, 6, 7}) {
    auto cdb = kTur;
    cdb[1] = static_cast<std::uint8_t>(1u << bit);
    CHECK(f.run(kA, cdb).reply.status == SamStatus::kGood);
  }
}

TEST_CASE("NACA, FLAG and LINK are refused in the control byte of every length") {
  Fixture f;
  CHECK(sense_of(f.run(kA, {0, 0, 0, 0, 0, 0x04})) == "5/24/00 cdb byte 5 bit 2");
  CHECK(sense_of(f.run(kA, {0, 0, 0, 0, 0, 0x03})) == "5/24/00 cdb byte 5 bit 1");
  CHECK(sense_of(f.run(kA, {0x5A, 0, 0, 0, 0, 0, 0, 0, 8, 0x04})) == "5/24/00 cdb byte 9 bit 2");
  CHECK(sense_of(f.run(kA, {0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0x04})) ==
        "5/24/00 cdb byte 11 bit 2");
}

TEST_CASE("unknown opcodes and service actions") {
  Fixture f;
  CHECK(sense_of(f.run(kA, {0xC7})) == "5/20/00");
  CHECK(sense_of(f.run(kA, {0x7F, 0, 0, 0, 0, 0, 0, 24})) == "5/20/00");
  CHECK(sense_of(f.run(kA, {0xA3, 0x05})) == "5/24/00 cdb byte 1 bit 4");
  CHECK(sense_of(f.run(kA, {0x5F, 0x07})) == "5/24/00 cdb byte 1 bit 4");
}

TEST_CASE("a unit attention wins over everything else, once") {
  Fixture f;
  f.unit.unready = Sense::not_ready(Asc::kMediumNotPresent);
  f.unit.deferred = Sense::make(SenseKey::kMediumError, Asc::kWriteError);
  REQUIRE(f.run(kB, {0x16}).reply.status == SamStatus::kGood);
  for (const std::vector<std::uint8_t>& cdb :
       {kTur, std::vector<std::uint8_t>{0xC7}, std::vector<std::uint8_t>{0xA3, 0x05},
        std::vector<std::uint8_t>{0x01, 0x1E}}) {
    f.unit.attentions().raise(kA, Asc::kMediumMayHaveChanged);
    CHECK(sense_of(f.run(kA, cdb)) == "6/28/00");
  }
  CHECK(f.run(kA, {0x01, 0x1E}).reply.status == SamStatus::kReservationConflict);
  REQUIRE(f.run(kB, {0x17}).reply.status == SamStatus::kGood);
  CHECK(sense_of(f.run(kA, {0x01, 0x1E})) == "5/24/00 cdb byte 1 bit 4");
  CHECK(f.unit.deferred);  // a refused command does not use it up
  Ended deferred = f.run(kA, kTur);
  CHECK(sense_of(deferred) == "3/0C/00");
  CHECK(deferred.reply.sense->encode_fixed()[2] == std::byte{3});
  CHECK(sense_of(f.run(kA, kTur)) == "2/3A/00");
  f.unit.unready.reset();
  CHECK(f.run(kA, kTur).reply.status == SamStatus::kGood);
}

TEST_CASE("INQUIRY and REPORT LUNS leave a unit attention and a deferred error pending") {
  Fixture f;
  f.unit.unready = Sense::not_ready(Asc::kMediumNotPresent);
  f.unit.deferred = Sense::make(SenseKey::kMediumError, Asc::kWriteError);
  f.unit.attentions().raise(kA, Asc::kMediumMayHaveChanged);
  REQUIRE(f.run(kB, {0x16}).reply.status == SamStatus::kGood);
  CHECK(f.run(kA, {0x12, 0, 0, 0, 96, 0}).reply.status == SamStatus::kGood);
  CHECK(f.run(kA, {0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0}).reply.status == SamStatus::kGood);
  CHECK(f.unit.attentions().pending(kA));
  CHECK(f.unit.deferred);
}

TEST_CASE("REQUEST SENSE gives the unit attention as data, then the state, always with GOOD") {
  Fixture f;
  f.unit.unready = Sense::not_ready(Asc::kBecomingReady);
  f.unit.deferred = Sense::make(SenseKey::kMediumError, Asc::kWriteError);
  f.unit.attentions().raise(kA, Asc::kMediumMayHaveChanged);
  REQUIRE(f.run(kB, {0x16}).reply.status == SamStatus::kGood);
  const auto ask = [&](std::uint8_t allocation) {
    const Ended end = f.run(kA, {0x03, 0, 0, 0, allocation, 0});
    CHECK(end.reply.status == SamStatus::kGood);
    return end.data();
  };
  CHECK(ask(252) == Sense::unit_attention(Asc::kMediumMayHaveChanged).encode_fixed());
  CHECK(ask(252) == Sense::not_ready(Asc::kBecomingReady).encode_fixed());
  f.unit.unready.reset();
  CHECK(ask(252) == Sense{}.encode_fixed());
  CHECK(ask(0).empty());
  CHECK(ask(14).size() == 14);
  CHECK(f.unit.deferred);
}

TEST_CASE("a deferred error ends the next command of its nexus, which is not executed") {
  Fixture f;
  f.unit.deferred = Sense::make(SenseKey::kMediumError, Asc::kWriteError);
  f.unit.deferred->deferred = true;
  CHECK(f.run(kB, kTur).reply.status == SamStatus::kGood);  // another one's
  const Ended end = f.send(kA, cdb_with_length(0x0A, 8), bytes({1, 2, 3, 4, 5, 6, 7, 8}));
  CHECK(sense_of(end) == "3/0C/00");
  CHECK(end.reply.sense->deferred);
  CHECK(f.unit.written.empty());
  CHECK(f.recorder.wanted.empty());  // no data was asked for
  CHECK(f.send(kA, cdb_with_length(0x0A, 8), bytes({1, 2, 3, 4, 5, 6, 7, 8})).reply.status ==
        SamStatus::kGood);
}

TEST_CASE("commands without the readiness gate run on an empty unit") {
  Fixture f;
  f.unit.unready = Sense::not_ready(Asc::kMediumNotPresent);
  CHECK(f.run(kA, {0x1A, 0, 0x3F, 0, 255, 0}).reply.status == SamStatus::kGood);
  CHECK(f.run(kA, {0x4D, 0, 0x40, 0, 0, 0, 0, 1, 0, 0}).reply.status == SamStatus::kGood);
  CHECK(f.run(kA, {0x1E, 0, 0, 0, 1, 0}).reply.status == SamStatus::kGood);
  CHECK(sense_of(f.run(kA, cdb_with_length(0x08, 1))) == "2/3A/00");
}

TEST_CASE("RESERVE by another nexus: who may still send what") {
  Fixture f;
  REQUIRE(f.run(kB, {0x16}).reply.status == SamStatus::kGood);
  const auto status = [&](const std::vector<std::uint8_t>& cdb) {
    return f.run(kA, cdb).reply.status;
  };
  for (const auto& cdb :
       std::vector<std::vector<std::uint8_t>>{kTur,
                                              {0x1A, 0, 0x3F, 0, 255, 0},
                                              cdb_with_length(0x08, 1),
                                              {0x1E, 0, 0, 0, 1, 0},
                                              {0x16},
                                              {0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}}) {
    CHECK(status(cdb) == SamStatus::kReservationConflict);
  }
  for (const auto& cdb :
       std::vector<std::vector<std::uint8_t>>{{0x12, 0, 0, 0, 96, 0},
                                              {0x03, 0, 0, 0, 18, 0},
                                              {0x1E},
                                              {0x17},
                                              {0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0},
                                              {0x4D, 0, 0x40, 0, 0, 0, 0, 1, 0, 0}}) {
    CHECK(status(cdb) == SamStatus::kGood);
  }
  CHECK(status(kTur) == SamStatus::kReservationConflict);  // RELEASE of another changed nothing
  CHECK(f.run(kB, kTur).reply.status == SamStatus::kGood);
  f.unit.nexus_lost(kB);
  CHECK(status(kTur) == SamStatus::kGood);
}
