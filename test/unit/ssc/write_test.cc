// WRITE, WRITE FILEMARKS, ERASE; early warning, end of partition, write modes.
#include "test/unit/ssc/rig.h"

using namespace test;

namespace {

struct Loaded : Rig {
  Loaded() { load(); }
  std::size_t objects() { return medium->at(0).objects.size(); }
};

struct Worm : Rig {
  Worm() {
    auto cartridge = std::make_unique<MemoryMedium>();
    cartridge->label().worm = true;
    load(std::move(cartridge));
  }
};

}  // namespace

TEST_CASE("WRITE: blocks go in whole, in buffered mode, and the position advances at once") {
  Loaded rig;
  CHECK(good(rig.write(1000)));
  CHECK(rig.sink.wanted.back().length == 1000);
  CHECK(rig.medium->last_mode() == WriteMode::kBuffered);
  CHECK(rig.position() == 1);
  rig.set_block_length(100);
  CHECK(good(rig.send({0x0A, 1, 0, 0, 3, 0}, pattern(300))));
  CHECK(rig.objects() == 4);
  CHECK(rig.medium->at(0).objects[3].data.size() == 100);
}

TEST_CASE("WRITE in unbuffered mode is durable when it ends, and forbids immediate filemarks") {
  Loaded rig;
  rig.set_block_length(0, 0);
  CHECK(good(rig.write(10)));
  CHECK(rig.medium->last_mode() == WriteMode::kDurable);
  CHECK(sense_of(rig.filemarks(1, true)) == "5/24/00 cdb byte 1 bit 0");
  CHECK(good(rig.filemarks(1)));
}

TEST_CASE("WRITE: fields that make no sense") {
  Loaded rig;
  CHECK(sense_of(rig.send({0x0A, 1, 0, 0, 1, 0}, pattern(10))) == "5/24/00 cdb byte 1 bit 0");
  CHECK(sense_of(rig.write((1u << 20) + 1)) == "5/24/00 cdb byte 2 bit 7");
  CHECK(rig.last.residual.underflow == (1u << 20) + 1);
  CHECK(good(rig.run({0x0A, 0, 0, 0, 0, 0}, rig.a, 0)));
  // Fewer bytes offered than a block has: nothing of it is written.
  CHECK(sense_of(rig.send({0x0A, 0, 0, 0, 100, 0}, pattern(60))) == "5/24/00");
  CHECK(rig.sink.wanted.empty());
  CHECK(rig.objects() == 0);
}

TEST_CASE("WRITE in the middle discards what is behind, in that partition only") {
  Rig rig;
  rig.load(std::make_unique<MemoryMedium>(8, 2));
  for (int i = 0; i < 3; ++i) rig.write(10, i);
  rig.run({0x92, 0x02, 0, 1}, rig.a, 0);
  rig.write(20);
  rig.run({0x92, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, rig.a, 0);
  CHECK(good(rig.write(30)));
  CHECK(rig.medium->at(0).objects.size() == 2);
  CHECK(rig.medium->at(1).objects.size() == 1);
}

TEST_CASE(
    "Past early warning every write says 0/00/02 EOM with VALID INFORMATION 0, and is taken") {
  Loaded rig;
  rig.medium->set_capacity(250, 400);
  CHECK(good(rig.write(100)));
  CHECK(good(rig.write(100)));
  for (int i = 0; i < 2; ++i) {
    CHECK(sense_of(rig.write(100)) == "0/00/02");
    CHECK(flags_of(rig.last) == "EOM info=0");
    CHECK(rig.last.residual.underflow == 0);
    const Data sense = rig.last.reply.sense->encode_fixed();
    CHECK(be(sense, 0, 1) == 0xF0);
    CHECK(be(sense, 2, 1) == 0x40);
  }
  CHECK(rig.objects() == 4);
  CHECK(sense_of(rig.filemarks(1)) == "0/00/02");
  CHECK(flags_of(rig.last) == "EOM info=0");
  CHECK(good(rig.filemarks(0)));

  CHECK(sense_of(rig.write(1)) == "D/00/02");
  CHECK(flags_of(rig.last) == "EOM info=1");
  CHECK(rig.objects() == 5);
  const Ended position = rig.run({0x34, 0x06});
  CHECK(be(position.data(), 0, 1) == 0x40);
}

TEST_CASE(
    "VOLUME OVERFLOW in fixed mode counts blocks that were not written; none is kept in part") {
  Loaded rig;
  rig.medium->set_capacity(100000, 250);
  rig.set_block_length(100);
  CHECK(sense_of(rig.send({0x0A, 1, 0, 0, 5, 0}, pattern(500))) == "D/00/02");
  CHECK(flags_of(rig.last) == "EOM info=3");
  CHECK(rig.objects() == 2);
}

TEST_CASE("WRITE FILEMARKS at the end: what is not written is in INFORMATION") {
  Loaded rig;
  rig.medium->set_filemark_limit(2);
  CHECK(sense_of(rig.filemarks(5)) == "D/00/02");
  CHECK(flags_of(rig.last) == "EOM info=3");
}

TEST_CASE("Programmable early warning: 0/00/07 only while PEWS is set; BPEW in READ POSITION") {
  Loaded rig;
  rig.medium->set_capacity(1'000'000, 2'000'000);
  CHECK(good(rig.write(10)));
  Data list(16 + 24);  // header (10), no descriptor, page 10h/01h
  list = bytes({0, 0, 0x10, 0, 0, 0, 0, 0, 0x50, 0x01, 0, 0x1C, 0, 0x02, 0, 1});
  list.resize(8 + 32);
  rig.send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 40, 0}, list);
  REQUIRE(good(rig.last));
  CHECK(sense_of(rig.write(10)) == "0/00/07");
  CHECK(flags_of(rig.last) == "EOM");
  CHECK(be(rig.run({0x34, 0x06}).data(), 0, 1) == 0x01);
  CHECK(be(rig.run({0x34, 0x00}).data(), 0, 1) == 0x01);
}

TEST_CASE("WRITE FILEMARKS: IMMED = 0 is durable, also with count 0; IMMED = 1 is buffered") {
  Loaded rig;
  rig.write(10);
  CHECK(rig.medium->at(0).durable == 0);
  CHECK(good(rig.filemarks(0)));
  CHECK(rig.medium->at(0).durable == 1);
  CHECK(good(rig.filemarks(2, true)));
  CHECK(rig.medium->last_mode() == WriteMode::kBuffered);
  CHECK(rig.medium->at(0).durable == 1);
  CHECK(good(rig.filemarks(1)));
  CHECK(rig.medium->at(0).durable == 4);
  CHECK(sense_of(rig.run({0x10, 0x02, 0, 0, 1, 0}, rig.a, 0)) == "5/24/00 cdb byte 1 bit 1");
}

TEST_CASE("ERASE makes the position the end of data") {
  Loaded rig;
  for (int i = 0; i < 3; ++i) rig.write(10);
  rig.run({0x2B, 0, 0, 0, 0, 0, 1}, rig.a, 0);
  for (const int kind : {0x01, 0x00, 0x03})
    CHECK(good(rig.run({0x19, Rig::u8(static_cast<unsigned>(kind))}, rig.a, 0)));
  CHECK(rig.position() == 1);
  CHECK(rig.objects() == 1);
}

TEST_CASE("Write protection: 7/27/00 by the cartridge, 7/27/02 by software; count 0 is GOOD") {
  Loaded rig;
  rig.write(10);
  rig.medium->label().write_protected = true;
  CHECK(sense_of(rig.write(10)) == "7/27/00");
  CHECK(sense_of(rig.filemarks(1)) == "7/27/00");
  CHECK(sense_of(rig.run({0x19, 0x01}, rig.a, 0)) == "7/27/00");
  CHECK(good(rig.filemarks(0)));
  CHECK(be(rig.run({0x1A, 0, 0, 0, 12, 0}).data(), 2, 1) == 0x90);
  CHECK(rig.sink.wanted.size() == 1);  // no data was asked for

  rig.medium->label().write_protected = false;
  rig.send({0x15, 0x10, 0, 0, 16, 0},
           bytes({0, 0, 0x10, 0, 0x0A, 0x0A, 0, 0, 0x08, 0, 0, 0, 0, 0, 0, 0}));
  REQUIRE(good(rig.last));
  CHECK(sense_of(rig.write(10)) == "7/27/02");
  CHECK(be(rig.run({0x1A, 0, 0, 0, 12, 0}).data(), 2, 1) == 0x90);
}

TEST_CASE("WRITE FILEMARKS of 0 behind software write protection still makes everything durable") {
  Loaded rig;
  rig.write(10);
  rig.send({0x15, 0x10, 0, 0, 16, 0},
           bytes({0, 0, 0x10, 0, 0x0A, 0x0A, 0, 0, 0x08, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(good(rig.filemarks(0)));
  CHECK(rig.medium->at(0).durable == 1);
  rig.medium->fail_next(MediumFault::Kind::kWriteError);
  CHECK(sense_of(rig.rewind()) == "3/0C/00");
  CHECK(sense_of(rig.filemarks(0)) == "3/0C/00");
}

TEST_CASE("Drives without page 10h/01h have no programmable early warning") {
  Rig rig(4);
  rig.load(std::make_unique<MemoryMedium>(4));
  CHECK(good(rig.write(10)));
  CHECK(be(rig.run({0x34, 0x06}).data(), 0, 1) == 0);
}

TEST_CASE("An older generation is read only") {
  Rig rig(7);
  rig.load(std::make_unique<MemoryMedium>(5));
  CHECK(good(rig.run({0x00})));
  CHECK(sense_of(rig.write(10)) == "7/27/00");
  CHECK(be(rig.run({0x1A, 0, 0, 0, 12, 0}).data(), 2, 1) == 0x90);
}

TEST_CASE("WORM: appending only, and over trailing filemarks but the first") {
  Worm rig;
  CHECK(good(rig.write(10)));
  CHECK(good(rig.filemarks(2)));
  rig.run({0x11, 0x01, 0xFF, 0xFF, 0xFF}, rig.a, 0);  // between the two
  CHECK(rig.position() == 2);
  CHECK(good(rig.write(20)));
  CHECK(rig.medium->at(0).objects.size() == 3);

  rig.run({0x2B, 0, 0, 0, 0, 0, 1}, rig.a, 0);  // before the first
  CHECK(sense_of(rig.write(10)) == "7/30/0C");
  CHECK(rig.position() == 1);
  rig.rewind();
  CHECK(sense_of(rig.write(10)) == "7/30/0C");
  CHECK(sense_of(rig.filemarks(1)) == "7/30/0C");
  CHECK(sense_of(rig.run({0x19, 0x01}, rig.a, 0)) == "7/30/0C");
  CHECK(good(rig.filemarks(0)));
  CHECK(rig.medium->at(0).objects.size() == 3);
  CHECK(be(rig.run({0x4D, 0, 0x2E, 0, 0, 0, 0, 0x02, 0}).data(), 4 + 5 * 0x3B + 4, 1) == 1);
}

TEST_CASE("WORM: nothing is written for a session that goes while the position is looked at") {
  for (const Cdb& cdb : {Cdb{0x10, 0, 0, 0, 3}, Cdb{0x0A, 0, 0, 0, 4}}) {
    Worm rig;
    rig.write(10);
    rig.filemarks(2);
    rig.run({0x11, 0x01, 0xFF, 0xFF, 0xFF}, rig.a, 0);
    rig.medium->defer_completions(true);
    if (cdb[0] == 0x10)
      rig.sink.submit(rig.a, cdb, 0);
    else
      rig.sink.submit(rig.a, cdb, 0, pattern(4));
    REQUIRE(rig.medium->outstanding() == 1);
    rig.drive.nexus_lost(rig.a);
    rig.medium->complete_all();
    CHECK(rig.medium->at(0).objects.size() == 3);
    CHECK(rig.drive.task_count() == 0);
    CHECK(rig.position() == 2);
  }
}

TEST_CASE("WORM: the first of the trailing filemarks stays, wherever it stands") {
  Worm rig;
  rig.write(10);
  rig.filemarks(2);
  rig.run({0x2B, 0, 0, 0, 0, 0, 1}, rig.a, 0);
  CHECK(sense_of(rig.filemarks(1)) == "7/30/0C");
  CHECK(rig.position() == 1);
  CHECK(rig.run({0x1A, 0, 0, 0, 12, 0}).data()[1] == std::byte{0x8C});
  CHECK(be(rig.run({0x1A, 0x08, 0x1D, 0, 255, 0}).data(), 4 + 2, 1) == 0x01);
}
