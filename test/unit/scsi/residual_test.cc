// What is cut, and which residual that leaves: iSCSI 11.4.5, allocation lengths of SPC-4 4.2.5.6.
#include "test/unit/scsi/fake_unit.h"

using namespace test;

TEST_CASE("data-in: expected, asked for and available length") {
  struct Row {
    std::uint32_t expected, asked, available, sent, underflow, overflow;
  };
  const Row rows[] = {
      {512, 512, 512, 512, 0, 0},    // all agree
      {512, 512, 100, 100, 412, 0},  // a short block
      {512, 512, 900, 512, 0, 0},    // a long block: no overflow, its rest was never asked for
      {512, 256, 256, 256, 256, 0},  // the CDB asks for less
      {256, 512, 512, 256, 0, 256},  // the initiator expects less
      {256, 512, 100, 100, 0, 256},  // overflow counts what the CDB asks, not what there is
      {0, 512, 512, 0, 0, 512},     {512, 0, 512, 0, 512, 0},
      {0, 0, 0, 0, 0, 0},           {512, 512, 0, 0, 512, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.expected, row.asked, row.available);
    Fixture f;
    f.unit.available = row.available;
    const Ended end = f.run(kA, cdb_with_length(0x08, row.asked), row.expected);
    CHECK(end.data().size() == row.sent);
    CHECK(end.residual.underflow == row.underflow);
    CHECK(end.residual.overflow == row.overflow);
  }
}

TEST_CASE("an allocation length cuts; only the expected length makes an overflow") {
  struct Row {
    std::uint32_t allocation, expected, sent, underflow, overflow;
  };
  const Row rows[] = {
      {96, 96, 96, 0, 0},   {0, 96, 0, 96, 0},      {5, 96, 5, 91, 0},
      {36, 36, 36, 0, 0},   {255, 255, 96, 159, 0}, {96, 36, 36, 0, 60},
      {255, 36, 36, 0, 60}, {5, 0, 0, 0, 5},        {0, 0, 0, 0, 0},
  };
  for (const Row& row : rows) {
    CAPTURE(row.allocation, row.expected);
    Fixture f;
    const Ended end =
        f.run(kA, {0x12, 0, 0, 0, static_cast<std::uint8_t>(row.allocation), 0}, row.expected);
    CHECK(end.reply.status == SamStatus::kGood);
    CHECK(end.data().size() == row.sent);
    CHECK(end.residual.underflow == row.underflow);
    CHECK(end.residual.overflow == row.overflow);
    if (row.sent > 4) CHECK(end.data()[4] == std::byte{91});  // the length is the full one
  }
}

TEST_CASE("data-out: as long as the CDB says, longer, shorter, not offered") {
  const std::vector<std::byte> data = bytes({1, 2, 3, 4, 5, 6, 7, 8});
  Fixture f;
  Ended end = f.send(kA, cdb_with_length(0x0A, 8), data);
  CHECK(end.reply.status == SamStatus::kGood);
  CHECK((end.residual.underflow == 0 && end.residual.overflow == 0));
  REQUIRE(f.unit.written.size() == 1);
  CHECK(f.unit.written[0] == data);

  end = f.send(kA, cdb_with_length(0x0A, 6), data);  // only the CDB's length is taken
  CHECK(f.recorder.wanted.back().length == 6);
  CHECK(f.unit.written.back() == bytes({1, 2, 3, 4, 5, 6}));
  CHECK(end.residual.underflow == 2);

  f.unit.written.clear();
  f.recorder.wanted.clear();
  end = f.send(kA, cdb_with_length(0x0A, 12), data);  // a record is not written in part
  CHECK(sense_of(end) == "5/24/00");
  CHECK(end.residual.overflow == 4);
  end = f.run(kA, cdb_with_length(0x0A, 12), 12);  // the initiator reads instead
  CHECK(sense_of(end) == "5/24/00");
  CHECK(end.residual.overflow == 12);
  CHECK(f.unit.written.empty());
  CHECK(f.recorder.wanted.empty());

  end = f.send(kA, cdb_with_length(0x0A, 0), data);
  CHECK(end.reply.status == SamStatus::kGood);
  CHECK(end.residual.underflow == 8);
}

TEST_CASE("a parameter list that is offered too short is 5/1A/00") {
  Fixture f;
  CHECK(sense_of(f.send(kA, {0x15, 0x10, 0, 0, 12, 0}, bytes({0, 0, 0x10, 8}))) == "5/1A/00");
  CHECK(sense_of(f.run(kA, {0x15, 0x10, 0, 0, 12, 0}, 0)) == "5/1A/00");
  CHECK(f.run(kA, {0x15, 0x10, 0, 0, 0, 0}, 0).reply.status == SamStatus::kGood);
}

TEST_CASE("the wrong direction gets nothing, and an overflow says how much was due") {
  Fixture f;
  const Ended end = f.send(kA, {0x12, 0, 0, 0, 96, 0}, std::vector<std::byte>(512));
  CHECK(end.reply.status == SamStatus::kGood);
  CHECK(end.data().empty());
  CHECK(end.residual.overflow == 96);
  CHECK(end.residual.underflow == 0);
}

TEST_CASE("a refused command transferred nothing") {
  Fixture f;
  CHECK(f.run(kA, {0xC7}, 512).residual.underflow == 512);
  f.unit.attentions().raise(kA, Asc::kMediumMayHaveChanged);
  CHECK(f.send(kA, cdb_with_length(0x0A, 8), std::vector<std::byte>(8)).residual.underflow == 8);
  CHECK(f.recorder.wanted.empty());
}
