// Append-only mode (mode page 10h/01h) and ALLOW OVERWRITE.
#include "test/unit/ssc/rig.h"

using namespace test;

namespace {

struct Tape : Rig {
  Tape() { load(std::make_unique<MemoryMedium>(8, 2)); }
  const Ended& select_write_mode(int mode) {
    Data list = run({0x5A, 0x08, 0x10, 0x01, 0, 0, 0, 0, 64, 0}).data();
    REQUIRE(list.size() == 40);
    list[0] = list[1] = std::byte{0};
    list[8 + 5] = static_cast<std::byte>(mode << 4 | 2);
    send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 40, 0}, list);
    const Ended result = last;
    drain(b);
    last = result;
    return last;
  }
  int write_mode() {
    return static_cast<int>(be(run({0x5A, 0x08, 0x10, 0x01, 0, 0, 0, 0, 64, 0}).data(), 13, 1) >>
                            4);
  }
  const Ended& allow(int what, int partition = 0, std::uint64_t object = 0) {
    return run({0x82, 0, u8(static_cast<unsigned>(what)), u8(static_cast<unsigned>(partition)), 0,
                0, 0, 0, 0, 0, u8(object >> 8), u8(object), 0, 0, 0, 0},
               a, 0);
  }
  const Ended& locate(int partition, std::uint64_t object) {
    return run({0x92, 0x02, 0, u8(static_cast<unsigned>(partition)), 0, 0, 0, 0, 0, 0,
                u8(object >> 8), u8(object), 0, 0, 0, 0},
               a, 0);
  }
};

}  // namespace

TEST_CASE("Append-only: writing at end of data only, elsewhere 7/50/01") {
  Tape tape;
  CHECK(good(tape.select_write_mode(1)));
  CHECK(good(tape.write(100)));  // a blank tape's beginning is its end
  CHECK(good(tape.write(100)));
  CHECK(good(tape.filemarks(1)));
  CHECK(good(tape.locate(0, 1)));
  CHECK(sense_of(tape.write(100)) == "7/50/01");
  CHECK(sense_of(tape.filemarks(1)) == "7/50/01");
  CHECK(good(tape.filemarks(0)));
  CHECK(sense_of(tape.run({0x19}, tape.a, 0)) == "7/50/01");
  CHECK(good(tape.rewind()));
  CHECK(sense_of(tape.write(100)) == "7/50/01");
  CHECK(sense_of(tape.run({0x04}, tape.a, 0)) == "7/50/01");
  CHECK(sense_of(tape.run({0x0B, 0, 0, 0xFF, 0xFF}, tape.a, 0)) == "7/50/01");
  CHECK(tape.medium->partition(0).end_of_data == 3);
  CHECK(good(tape.run({0x11, 0x03}, tape.a, 0)));
  CHECK(good(tape.write(100)));
}

TEST_CASE("ALLOW OVERWRITE: for the position where the tape stands, once, until it moves") {
  Tape tape;
  for (int i = 0; i < 4; ++i) tape.write(100);
  CHECK(sense_of(tape.allow(1)) == "5/20/0C");
  tape.rewind();
  CHECK(good(tape.select_write_mode(1)));
  CHECK(good(tape.locate(0, 2)));
  CHECK(sense_of(tape.allow(1, 0, 1)) == "5/3B/00");
  CHECK(sense_of(tape.allow(1, 1, 2)) == "5/3B/00");
  CHECK(sense_of(tape.allow(3, 0, 2)) == "5/24/00 cdb byte 2 bit 3");
  CHECK(good(tape.allow(1, 0, 2)));
  CHECK(good(tape.write(100)));  // 3 objects now
  CHECK(tape.medium->partition(0).end_of_data == 3);
  CHECK(good(tape.locate(0, 1)));
  CHECK(sense_of(tape.write(100)) == "7/50/01");  // consumed
  SECTION("motion ends it") {
    CHECK(good(tape.allow(1, 0, 1)));
    tape.rewind();
    CHECK(good(tape.locate(0, 1)));
    CHECK(sense_of(tape.write(100)) == "7/50/01");
  }
  SECTION("and so does a read") {
    CHECK(good(tape.allow(1, 0, 1)));
    CHECK(good(tape.read(100)));
    CHECK(good(tape.locate(0, 1)));
    CHECK(sense_of(tape.write(100)) == "7/50/01");
  }
  SECTION("or the host") {
    CHECK(good(tape.allow(1, 0, 1)));
    CHECK(good(tape.allow(0)));
    CHECK(sense_of(tape.write(100)) == "7/50/01");
  }
  SECTION("what is allowed for a write is not for FORMAT, nor the other way round") {
    tape.rewind();
    CHECK(good(tape.allow(1, 0, 0)));
    CHECK(sense_of(tape.run({0x04}, tape.a, 0)) == "7/50/01");
    CHECK(good(tape.allow(2)));
    CHECK(sense_of(tape.write(100)) == "7/50/01");
    CHECK(good(tape.run({0x04}, tape.a, 0)));
    CHECK(tape.medium->partition(0).end_of_data == 0);
  }
  SECTION("an erase is a write") {
    CHECK(good(tape.allow(1, 0, 1)));
    CHECK(good(tape.run({0x19}, tape.a, 0)));
    CHECK(tape.medium->partition(0).end_of_data == 1);
  }
}

TEST_CASE("Append-only mode changes at the beginning of the medium only, and ends with the load") {
  Tape tape;
  tape.write(100);
  CHECK(sense_of(tape.select_write_mode(1)) == "5/3B/0C");
  CHECK(sense_of(tape.select_write_mode(2)) == "5/26/00 list byte 13 bit 7");
  CHECK(good(tape.locate(1, 0)));
  CHECK(sense_of(tape.select_write_mode(1)) == "5/3B/0C");
  CHECK(good(tape.locate(0, 0)));
  CHECK(good(tape.select_write_mode(1)));
  CHECK(tape.write_mode() == 1);
  CHECK(good(tape.run({0x11, 0x03}, tape.a, 0)));
  CHECK(sense_of(tape.select_write_mode(0)) == "5/3B/0C");
  CHECK(good(tape.select_write_mode(1)));  // no change, no harm
  CHECK(good(tape.rewind()));
  CHECK(good(tape.select_write_mode(0)));
  CHECK(good(tape.select_write_mode(1)));
  CHECK(good(tape.run({0x1B, 0, 0, 0, 0}, tape.a, 0)));
  CHECK(tape.write_mode() == 0);
  CHECK(good(tape.run({0x1B, 0, 0, 0, 1}, tape.a, 0)));
  CHECK(good(tape.write(100)));
  CHECK(tape.medium->partition(0).end_of_data == 1);
  tape.rewind();
  CHECK(good(tape.select_write_mode(1)));
  tape.drive.manage(scsi::TaskFunction::kLogicalUnitReset, tape.a, {}, [](auto) {});
  tape.drain(tape.a);
  CHECK(tape.write_mode() == 0);
}
