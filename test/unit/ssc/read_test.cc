// READ(6), line by line: sense, data, INFORMATION, residual and the position
// afterwards.
#include "test/unit/ssc/rig.h"

using namespace test;

namespace {

// block 100, block 200, filemark, block 50, end of data; at the beginning.
struct Tape : Rig {
  Tape() {
    load();
    write(100, 1);
    write(200, 2);
    filemarks(1);
    write(50, 3);
    rewind();
  }
};

struct FixedTape : Rig {  // four blocks of 64, one of 32, two of 64, a filemark
  FixedTape() {
    load();
    for (int i = 0; i < 4; ++i) write(64, i);
    write(32, 4);
    for (int i = 5; i < 7; ++i) write(64, i);
    filemarks(1);
    rewind();
    set_block_length(64);
  }
};

}  // namespace

TEST_CASE("READ variable: a block of the length asked for") {
  Tape tape;
  CHECK(good(tape.read(100)));
  CHECK(tape.last.data() == pattern(100, 1));
  CHECK(tape.last.residual.underflow == 0);
  CHECK(tape.position() == 1);
}

TEST_CASE("READ variable, shorter block, SILI = 0: ILI, positive INFORMATION, residual agrees") {
  Tape tape;
  CHECK(sense_of(tape.read(150)) == "0/00/00");
  CHECK(tape.last.reply.status == scsi::SamStatus::kCheckCondition);
  CHECK(flags_of(tape.last) == "ILI info=50");
  CHECK(tape.last.data() == pattern(100, 1));
  CHECK(tape.last.residual.underflow == 50);
  CHECK(tape.last.residual.overflow == 0);
  CHECK(tape.position() == 1);
}

TEST_CASE("READ variable, longer block, SILI = 0: ILI, negative INFORMATION, no residual") {
  Tape tape;
  CHECK(sense_of(tape.read(40)) == "0/00/00");
  CHECK(flags_of(tape.last) == "ILI info=-60");
  Data first = pattern(100, 1);
  first.resize(40);
  CHECK(tape.last.data() == first);
  CHECK(tape.last.residual.underflow == 0);
  CHECK(tape.last.residual.overflow == 0);
  CHECK(tape.position() == 1);
  const Data sense = tape.last.reply.sense->encode_fixed();
  CHECK(be(sense, 0, 1) == 0xF0);
  CHECK(be(sense, 3, 4) == 0xFFFFFFC4);
}

TEST_CASE("READ variable, SILI = 1: a shorter block is GOOD with an underflow") {
  Tape tape;
  CHECK(good(tape.read(150, true)));
  CHECK(tape.last.data().size() == 100);
  CHECK(tape.last.residual.underflow == 50);
}

TEST_CASE("READ variable, SILI = 1: a longer block is GOOD only while the mode block length is 0") {
  Tape tape;
  CHECK(good(tape.read(40, true)));
  CHECK(tape.last.data().size() == 40);
  CHECK(tape.last.residual.underflow == 0);
  tape.rewind();
  tape.set_block_length(512);
  CHECK(sense_of(tape.read(40, true)) == "0/00/00");
  CHECK(flags_of(tape.last) == "ILI info=-60");
  tape.rewind();
  CHECK(good(tape.read(150, true)));  // shorter still passes
}

TEST_CASE("READ variable at a filemark: FM, the whole length in INFORMATION, position behind it") {
  Tape tape;
  tape.read(100);
  tape.read(200);
  CHECK(sense_of(tape.read(300)) == "0/00/01");
  CHECK(flags_of(tape.last) == "FM info=300");
  CHECK(tape.last.data().empty());
  CHECK(tape.last.residual.underflow == 300);
  CHECK(tape.position() == 3);
  CHECK(good(tape.read(50)));
}

TEST_CASE("READ variable at end of data: 8/00/05, and again") {
  Tape tape;
  tape.run({0x11, 0x03}, tape.a, 0);
  for (int i = 0; i < 2; ++i) {
    CHECK(sense_of(tape.read(300)) == "8/00/05");
    CHECK(flags_of(tape.last) == "info=300");
    CHECK(tape.last.residual.underflow == 300);
    CHECK(tape.position() == 4);
  }
}

TEST_CASE("READ fixed: all blocks, then one of another size after n good ones") {
  FixedTape tape;
  CHECK(good(tape.read_fixed(2, 64)));
  CHECK(tape.last.data().size() == 128);
  CHECK(sense_of(tape.read_fixed(5, 64)) == "0/00/00");
  CHECK(flags_of(tape.last) == "ILI info=3");  // the bad block counts as not read
  CHECK(tape.last.data().size() == 128);       // and none of it is sent
  CHECK(tape.last.residual.underflow == 3 * 64);
  CHECK(tape.position() == 5);
}

TEST_CASE("READ fixed: a longer block is an incorrect length too") {
  FixedTape tape;
  tape.set_block_length(16);
  CHECK(sense_of(tape.read_fixed(2, 16)) == "0/00/00");
  CHECK(flags_of(tape.last) == "ILI info=2");
  CHECK(tape.last.data().empty());
  CHECK(tape.position() == 1);
}

TEST_CASE("READ fixed: filemark after n, end of data after n") {
  FixedTape tape;
  tape.run({0x2B, 0, 0, 0, 0, 0, 5}, tape.a, 0);
  CHECK(sense_of(tape.read_fixed(4, 64)) == "0/00/01");
  CHECK(flags_of(tape.last) == "FM info=2");
  CHECK(tape.last.data().size() == 128);
  CHECK(tape.last.residual.underflow == 128);
  CHECK(tape.position() == 8);
  CHECK(sense_of(tape.read_fixed(4, 64)) == "8/00/05");
  CHECK(flags_of(tape.last) == "info=4");
}

TEST_CASE("READ of a damaged block: n blocks, 3/11/00, position behind it, neighbours fine") {
  FixedTape tape;
  tape.medium->damage(0, 2, MediumFault::Kind::kReadError);
  CHECK(sense_of(tape.read_fixed(4, 64)) == "3/11/00");
  CHECK(flags_of(tape.last) == "info=2");
  CHECK(tape.last.data().size() == 128);
  CHECK(tape.position() == 3);
  CHECK(good(tape.read_fixed(1, 64)));
  CHECK(tape.last.data() == pattern(64, 3));

  tape.medium->damage(0, 4, MediumFault::Kind::kObjectMissing);
  tape.run({0x2B, 0, 0, 0, 0, 0, 4}, tape.a, 0);
  CHECK(sense_of(tape.read(64)) == "3/14/00");
  CHECK(flags_of(tape.last) == "info=64");
}

TEST_CASE("READ: fields that make no sense") {
  Tape tape;
  CHECK(sense_of(tape.read_fixed(1, 0)) == "5/24/00 cdb byte 1 bit 0");  // no block length set
  tape.set_block_length(64);
  CHECK(sense_of(tape.run({0x08, 0x03, 0, 0, 1, 0})) == "5/24/00 cdb byte 1 bit 1");
  CHECK(sense_of(tape.read((1u << 20) + 1)) == "5/24/00 cdb byte 2 bit 7");  // READ BLOCK LIMITS
  CHECK(tape.position() == 0);
  CHECK(good(tape.run({0x08, 0x01, 0, 0, 0, 0}, tape.a, 0)));  // length 0: no motion
  CHECK(good(tape.run({0x08, 0x00, 0, 0, 0, 0}, tape.a, 0)));
  CHECK(tape.position() == 0);
}

TEST_CASE("READ: the largest block there is") {
  Tape tape;
  tape.write(1u << 20);
  tape.run({0x11, 0, 0xFF, 0xFF, 0xFF}, tape.a, 0);
  CHECK(good(tape.read(1u << 20)));
  CHECK(tape.last.data().size() == 1u << 20);
}

TEST_CASE("READ: the initiator expects less than the CDB asks for") {
  Tape tape;
  const Ended end = tape.run({0x08, 0, 0, 0, 100, 0}, tape.a, 60);
  CHECK(good(end));
  CHECK(end.data().size() == 60);
  CHECK(end.residual.overflow == 40);
  CHECK(tape.position() == 1);
}

TEST_CASE("READ never says EOM past early warning") {
  Tape tape;
  tape.medium->set_capacity(120, 1000);
  CHECK(good(tape.read(100)));
  CHECK(good(tape.read(200)));
}

TEST_CASE("READ BLOCK LIMITS") {
  Rig rig;  // without a cartridge
  CHECK(rig.run({0x05}).data() == bytes({0, 0x10, 0, 0, 0, 1}));
  CHECK(rig.run({0x05, 0x01}).data().size() == 20);
}
