// VERIFY(6): like READ, by comparison, by filemarks, to end of data.
#include "test/unit/ssc/rig.h"

using namespace test;

namespace {

struct Tape : Rig {
  Tape() { load(); }
  const Ended& verify(int flags, std::uint32_t length) {
    return run(
        {0x13, u8(static_cast<unsigned>(flags)), u8(length >> 16), u8(length >> 8), u8(length), 0},
        a, 0);
  }
  const Ended& compare(bool fixed, std::uint32_t length, const Data& data) {
    return send({0x13, u8(fixed ? 3 : 2), u8(length >> 16), u8(length >> 8), u8(length), 0}, data);
  }
  // Files of so many blocks of 10 to 2000 bytes, each closed by a filemark.
  void files(std::initializer_list<int> blocks) {
    for (const int count : blocks) {
      for (int i = 0; i < count; ++i) write(static_cast<std::size_t>(10 + i % 200 * 10), i);
      filemarks(1);
    }
    rewind();
  }
};

}  // namespace

TEST_CASE("VERIFY without comparison follows the rules of READ") {
  Tape tape;
  tape.write(1000);
  tape.filemarks(1);
  tape.rewind();
  CHECK(good(tape.verify(0, 1000)));
  CHECK(sense_of(tape.verify(0, 1000)) == "0/00/01");
  CHECK(flags_of(tape.last) == "FM info=1000");
  CHECK(sense_of(tape.verify(0, 1000)) == "8/00/05");
  tape.rewind();
  CHECK(sense_of(tape.verify(0, 1200)) == "0/00/00");
  CHECK(flags_of(tape.last) == "ILI info=200");
  CHECK(good(tape.verify(0, 0)));
  CHECK(sense_of(tape.verify(1, 1)) == "5/24/00 cdb byte 1 bit 0");  // no block length
}

TEST_CASE("VERIFY with BYTCMP: equal, different, and where the tape stands then") {
  Tape tape;
  for (int i = 0; i < 4; ++i) tape.write(500, i);
  tape.rewind();
  CHECK(good(tape.compare(false, 500, pattern(500, 0))));
  Data other = pattern(500, 1);
  other[499] ^= std::byte{1};
  CHECK(sense_of(tape.compare(false, 500, other)) == "E/1D/00");
  CHECK(flags_of(tape.last) == "info=500");
  CHECK(tape.position() == 2);
  CHECK(sense_of(tape.compare(false, 600, pattern(600, 2))) == "0/00/00");
  CHECK(flags_of(tape.last) == "ILI info=100");
  CHECK(tape.position() == 3);
  CHECK(sense_of(tape.run({0x13, 0x02, 0, 0, 100, 0}, tape.a, 0)) == "5/24/00");  // no data came

  tape.set_block_length(500);
  tape.rewind();
  Data four;
  for (int i = 0; i < 4; ++i) {
    const Data one = pattern(500, i);
    four.insert(four.end(), one.begin(), one.end());
  }
  CHECK(good(tape.compare(true, 4, four)));
  tape.rewind();
  four[1200] ^= std::byte{1};
  CHECK(sense_of(tape.compare(true, 4, four)) == "E/1D/00");
  CHECK(flags_of(tape.last) == "info=2");
  CHECK(tape.position() == 3);
  CHECK(sense_of(tape.compare(true, 4, four)) == "E/1D/00");
  CHECK(flags_of(tape.last) == "info=4");
}

TEST_CASE("VERIFY by filemarks and to end of data") {
  Tape tape;
  tape.files({3, 500, 2});
  CHECK(good(tape.verify(0x08, 2)));
  CHECK(tape.position() == 3 + 1 + 500 + 1);
  CHECK(sense_of(tape.verify(0x08, 3)) == "8/00/05");
  CHECK(flags_of(tape.last) == "info=2");
  tape.rewind();
  CHECK(good(tape.verify(0x08, 0)));
  CHECK(tape.position() == 0);
  CHECK(good(tape.verify(0x20, 0)));
  CHECK(tape.position() == 508);
  CHECK(good(tape.verify(0x20, 0)));
  tape.medium->damage(0, 100, MediumFault::Kind::kReadError);
  tape.rewind();
  CHECK(sense_of(tape.verify(0x20, 0)) == "3/11/00");
  CHECK(flags_of(tape.last).empty());
  CHECK(tape.position() == 101);
  tape.rewind();
  CHECK(sense_of(tape.verify(0x08, 2)) == "3/11/00");
  CHECK(flags_of(tape.last) == "info=1");
}

TEST_CASE("VERIFY: what does not go together") {
  Tape tape;
  CHECK(sense_of(tape.verify(0x06, 1)) == "5/24/00 cdb byte 1 bit 2");
  CHECK(sense_of(tape.verify(0x09, 1)) == "5/24/00 cdb byte 1 bit 0");
  CHECK(sense_of(tape.verify(0x21, 1)) == "5/24/00 cdb byte 1 bit 0");
  CHECK(sense_of(tape.verify(0x0A, 1)) == "5/24/00 cdb byte 1 bit 1");
  CHECK(sense_of(tape.verify(0x28, 1)) == "5/24/00 cdb byte 1 bit 5");
  CHECK(sense_of(tape.verify(0x10, 1)) == "5/24/00 cdb byte 1 bit 4");
}

TEST_CASE("VERIFY with IMMED goes on by itself, and a reset ends it") {
  Tape tape;
  tape.files({50});
  tape.medium->damage(0, 20, MediumFault::Kind::kReadError);
  tape.medium->defer_completions(true);
  CHECK(good(tape.verify(0x24, 0)));
  CHECK(sense_of(tape.run({0x00})) == "2/04/07");
  CHECK(be(tape.run({0x03, 0, 0, 0, 18}).data(), 12, 2) == 0x0016);
  CHECK(be(tape.last.data(), 15, 3) == 0x80'0000);
  tape.medium->complete_one();
  CHECK(be(tape.run({0x03, 0, 0, 0, 18}).data(), 15, 3) == 0x80'0000 + 65535 / 51);
  tape.medium->complete_all();
  CHECK(sense_of(tape.run({0x00})) == "3/11/00");
  CHECK(flags_of(tape.last) == "deferred");
  CHECK(good(tape.run({0x00})));
  CHECK(tape.position() == 21);
  CHECK(good(tape.verify(0x24, 0)));
  tape.medium->complete_one();
  tape.drive.manage(scsi::TaskFunction::kLogicalUnitReset, tape.a, {}, [](auto) {});
  tape.medium->complete_all();
  tape.drain(tape.a);
  CHECK(tape.position() == 23);
}

TEST_CASE("VERIFY that is aborted stops where it is") {
  Tape tape;
  tape.files({50});
  tape.medium->defer_completions(true);
  const scsi::TaskTag tag = tape.sink.submit(tape.a, {0x13, 0x20, 0, 0, 0, 0}, 0);
  tape.medium->complete_one();
  tape.drive.manage(scsi::TaskFunction::kAbortTask, tape.a, tag, [](auto) {});
  tape.medium->complete_all();
  CHECK(tape.position() == 2);
  tape.medium->defer_completions(false);
  CHECK(good(tape.run({0x00})));
}
