// SPACE, LOCATE, READ POSITION, REWIND, line by line.
#include "test/unit/ssc/rig.h"

using namespace test;

namespace {

// 0 block, 1 block, 2 FM, 3 block, 4 FM, 5 FM, 6 block, end of data at 7
struct Tape : Rig {
  explicit Tape(std::size_t partitions = 1) {
    load(std::make_unique<MemoryMedium>(8, partitions));
    write(10);
    write(10);
    filemarks(1);
    write(10);
    filemarks(2);
    write(10);
    rewind();
  }
  const Ended& space(int code, int count) {
    return run({0x11, u8(code), u8(count >> 16), u8(count >> 8), u8(count), 0}, a, 0);
  }
  const Ended& space_16(int code, std::int64_t count) {
    Cdb cdb{0x91, u8(code), 0, 0};
    for (int shift = 56; shift >= 0; shift -= 8) cdb.push_back(u8(count >> shift));
    return run(cdb, a, 0);
  }
  const Ended& locate(std::uint32_t object) {
    return run(
        {0x2B, 0x04, 0, u8(object >> 24), u8(object >> 16), u8(object >> 8), u8(object), 0, 0, 0},
        a, 0);
  }
  const Ended& locate_16(int byte1, int partition, std::uint64_t id) {
    Cdb cdb{0x92, u8(byte1), 0, u8(partition)};
    for (int shift = 56; shift >= 0; shift -= 8) cdb.push_back(u8(id >> shift));
    return run(cdb, a, 0);
  }
};

}  // namespace

TEST_CASE("SPACE blocks forward: through, and into a filemark") {
  Tape tape;
  CHECK(good(tape.space(0, 2)));
  CHECK(tape.position() == 2);
  CHECK(sense_of(tape.space(0, 5)) == "0/00/01");
  CHECK(flags_of(tape.last) == "FM info=5");
  CHECK(tape.position() == 3);
  CHECK(sense_of(tape.space(0, 5)) == "0/00/01");
  CHECK(flags_of(tape.last) == "FM info=4");
  CHECK(tape.position() == 5);
}

TEST_CASE("SPACE blocks backward: a positive residual, before the filemark") {
  Tape tape;
  tape.locate(7);
  CHECK(sense_of(tape.space(0, -3)) == "0/00/01");
  CHECK(flags_of(tape.last) == "FM info=2");
  CHECK(tape.position() == 5);
  tape.locate(2);
  CHECK(good(tape.space(0, -1)));
  CHECK(sense_of(tape.space(0, -4)) == "0/00/04");
  CHECK(flags_of(tape.last) == "EOM info=3");
  CHECK(tape.position() == 0);
}

TEST_CASE("SPACE filemarks, both ways, and past both ends") {
  Tape tape;
  CHECK(good(tape.space(1, 2)));
  CHECK(tape.position() == 5);
  CHECK(sense_of(tape.space(1, 0x7FFFFF)) == "8/00/05");  // what `mt eom` sends first
  CHECK(flags_of(tape.last) == "info=" + std::to_string(0x7FFFFF - 1));
  CHECK(tape.position() == 7);
  CHECK(good(tape.space(1, -3)));
  CHECK(tape.position() == 2);  // on the beginning side of the last one
  CHECK(sense_of(tape.space(1, -1)) == "0/00/04");
  CHECK(flags_of(tape.last) == "EOM info=1");
  CHECK(sense_of(tape.space(0, 100)) == "0/00/01");
}

TEST_CASE("SPACE: end of data, count 0, unknown codes") {
  Tape tape;
  CHECK(good(tape.space(3, 12345)));
  CHECK(tape.position() == 7);
  CHECK(good(tape.space(0, 0)));
  CHECK(good(tape.space(1, 0)));
  CHECK(tape.position() == 7);
  for (int code : {2, 4, 5}) CHECK(sense_of(tape.space(code, 1)) == "5/24/00 cdb byte 1 bit 3");
  CHECK(sense_of(tape.space(0, 1)) == "8/00/05");
}

TEST_CASE("SPACE(16): a residual that does not fit 32 bits is left out") {
  Tape tape;
  CHECK(sense_of(tape.space_16(1, std::int64_t{1} << 40)) == "8/00/05");
  CHECK(flags_of(tape.last).empty());
  CHECK(sense_of(tape.space_16(0, std::numeric_limits<std::int64_t>::min())) == "0/00/01");
  CHECK(flags_of(tape.last) == "FM");
  CHECK(good(tape.space_16(3, 0)));
  CHECK(sense_of(tape.space_16(1, 5)) == "8/00/05");
  CHECK(flags_of(tape.last) == "info=5");
}

TEST_CASE("LOCATE(10): the block address, with BT = 1 too; past the end of data") {
  Tape tape;
  CHECK(good(tape.locate(3)));
  CHECK(tape.position() == 3);
  CHECK(sense_of(tape.locate(8)) == "8/00/05");
  CHECK(tape.position() == 7);
  CHECK(good(tape.run({0x2B, 0x00, 0, 0, 0, 0, 1, 0, 9}, tape.a, 0)));  // CP = 0: byte 8 is ignored
  CHECK(sense_of(tape.run({0x2B, 0x02, 0, 0, 0, 0, 0, 0, 1}, tape.a, 0)) ==
        "5/24/00 cdb byte 8 bit 7");
  CHECK(tape.position() == 1);
}

TEST_CASE("LOCATE(16): object, file, end of data") {
  Tape tape;
  CHECK(good(tape.locate_16(0x00, 0, 6)));
  CHECK(tape.position() == 6);
  for (const auto& [file, object] : {std::pair{0, 0}, {1, 3}, {2, 5}, {3, 6}}) {
    CHECK(good(tape.locate_16(0x08, 0, static_cast<std::uint64_t>(file))));
    CHECK(tape.position() == static_cast<std::uint64_t>(object));
    CHECK(tape.drive.state().position.filemarks == static_cast<std::uint64_t>(file));
  }
  CHECK(sense_of(tape.locate_16(0x08, 0, 4)) == "8/00/05");
  CHECK(tape.position() == 7);
  tape.rewind();
  CHECK(good(tape.locate_16(0x18, 0, 99)));
  CHECK(tape.position() == 7);
  tape.rewind();
  CHECK(sense_of(tape.locate_16(0x00, 0, ~std::uint64_t{0})) == "8/00/05");  // what LTFS does
  CHECK(tape.position() == 7);
  CHECK(sense_of(tape.locate_16(0x10, 0, 0)) == "5/24/00 cdb byte 1 bit 4");
  CHECK(sense_of(tape.locate_16(0x02, 1, 0)) == "5/24/00 cdb byte 3 bit 7");
  CHECK(sense_of(tape.run({0x92, 0, 0x01}, tape.a, 0)) == "5/24/00 cdb byte 2 bit 0");  // BAM
  CHECK(tape.position() == 7);
}

TEST_CASE("LOCATE changes the partition; REWIND stays in it; LOAD goes to partition 0") {
  Tape tape(2);
  CHECK(good(tape.locate_16(0x02, 1, 0)));
  CHECK(good(tape.write(5)));
  CHECK(tape.drive.state().position.partition == 1);
  CHECK(good(tape.rewind()));
  CHECK(tape.drive.state().position.partition == 1);
  CHECK(tape.position() == 0);
  CHECK(be(tape.run({0x34, 0x06}).data(), 4, 4) == 1);
  CHECK(be(tape.run({0x34, 0x00}).data(), 1, 1) == 1);
  CHECK(good(tape.run({0x1B, 0, 0, 0, 1}, tape.a, 0)));
  CHECK(tape.drive.state().position.partition == 0);
}

TEST_CASE("READ POSITION, short form, with what is buffered") {
  Tape tape;
  CHECK(tape.run({0x34, 0x00}).data() ==
        bytes({0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  tape.run({0x11, 0x03}, tape.a, 0);
  tape.write(1000);
  tape.write(500);
  const Data expected = bytes({0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0x05, 0xDC});
  CHECK(tape.run({0x34, 0x00}).data() == expected);
  CHECK(tape.run({0x34, 0x01}).data() == expected);
  CHECK(tape.medium->flushes() == 0);  // asking does not flush
  tape.filemarks(0);
  CHECK(be(tape.run({0x34, 0x00}).data(), 8, 4) == 9);
}

TEST_CASE("READ POSITION, long and extended form") {
  Tape tape;
  tape.locate(6);
  const Data position = tape.run({0x34, 0x06}).data();
  CHECK(position.size() == 32);
  CHECK(be(position, 0, 1) == 0);
  CHECK(be(position, 4, 4) == 0);
  CHECK(be(position, 8, 8) == 6);
  CHECK(be(position, 16, 8) == 3);
  CHECK(be(position, 24, 8) == 0);
  const Data extended = tape.run({0x34, 0x08, 0, 0, 0, 0, 0, 0, 32}).data();
  CHECK(extended.size() == 32);
  CHECK(be(extended, 2, 2) == 0x1C);
  CHECK(be(extended, 8, 8) == 6);
  CHECK(be(extended, 16, 8) == 6);
  CHECK(tape.run({0x34, 0x08, 0, 0, 0, 0, 0, 0, 10}).data().size() == 10);
  CHECK(sense_of(tape.run({0x34, 0x02})) == "5/24/00 cdb byte 1 bit 4");
  CHECK(sense_of(tape.run({0x34, 0x06, 0, 0, 0, 0, 0, 0, 32})) == "5/24/00 cdb byte 8 bit 5");
}

TEST_CASE("READ POSITION: what does not fit the form says so, and is never LOLU") {
  struct Far : MemoryMedium {
    scsi::ssc::Position position() const override { return {0, 0x1'0000'0005, 0x2'0000'0003}; }
    std::uint64_t buffered_objects() const override { return objects; }
    std::uint64_t buffered_bytes() const override { return buffered; }
    std::uint64_t objects = 0, buffered = 0;
  };
  Rig rig;
  auto cartridge = std::make_unique<Far>();
  Far& far = *cartridge;
  rig.load(std::move(cartridge));
  const auto short_form = [&] { return rig.run({0x34, 0x00}).data(); };
  CHECK(short_form() == bytes({0x02, 0,    0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                               0xFF, 0xFF, 0, 0, 0,    0,    0,    0,    0,    0}));  // PERR
  far.objects = 0x100'0000;
  far.buffered = 0x1'0000'0000;
  CHECK(be(short_form(), 0, 1) == 0x32);  // LOCU, BYCU, PERR
  // The objects before those that are buffered are written, and that number fits.
  CHECK(be(rig.last.data(), 4, 8) == 0xFFFF'FFFF'FF00'0005);
  CHECK(be(rig.last.data(), 12, 8) == 0);
  const Data position = rig.run({0x34, 0x06}).data();
  CHECK(be(position, 0, 1) == 0);
  CHECK(be(position, 8, 8) == 0x1'0000'0005);
  CHECK(be(position, 16, 8) == 0x2'0000'0003);
  const Data extended = rig.run({0x34, 0x08, 0, 0, 0, 0, 0, 0, 32}).data();
  CHECK(be(extended, 0, 1) == 0x20);  // LOCU
  CHECK(be(extended, 4, 4) == 0);
  CHECK(be(extended, 8, 8) == 0x1'0000'0005);
  CHECK(be(extended, 16, 8) == 0x1'0000'0005 - 0x100'0000);
  CHECK(be(extended, 24, 8) == 0x1'0000'0000);
}

TEST_CASE("READ POSITION: EOP from early warning on, also when reading there") {
  Tape tape;
  tape.medium->set_capacity(25, 1000);
  CHECK(be(tape.run({0x34, 0x00}).data(), 0, 1) == 0x80);
  tape.locate(4);
  CHECK(be(tape.run({0x34, 0x00}).data(), 0, 1) == 0x40);
}

TEST_CASE(
    "Motion with IMMED = 1: GOOD at once, then 2/04/07 until it ended; a failure is deferred") {
  Tape tape;
  tape.medium->defer_completions(true);
  CHECK(good(tape.run({0x2B, 0x01, 0, 0, 0, 0, 99}, tape.a, 0)));
  CHECK(sense_of(tape.run({0x00})) == "2/04/07");
  CHECK(sense_of(tape.run({0x34, 0x06})) == "2/04/07");
  CHECK(be(tape.run({0x03, 0, 0, 0, 252}).data(), 12, 2) == 0x0019);
  // SKSV, and a share of 65536: without them a poller takes the operation for ended.
  CHECK(be(tape.last.data(), 15, 3) == 0x80'0000);
  tape.medium->set_progress(0x4000);
  CHECK(be(tape.run({0x03, 0, 0, 0, 252}).data(), 15, 3) == 0x80'4000);
  CHECK(sense_of(tape.run({0x00})) == "2/04/07");
  CHECK(tape.last.reply.sense->progress == 0x4000);
  CHECK(good(tape.run({0x12, 0, 0, 0, 96})));
  tape.medium->complete_all();
  CHECK(good(tape.run({0x00}, tape.b)));
  CHECK(sense_of(tape.run({0x00})) == "8/00/05");
  CHECK(flags_of(tape.last) == "deferred");
  CHECK(good(tape.run({0x00})));
  CHECK(tape.position() == 7);

  CHECK(good(tape.run({0x01, 0x01}, tape.a, 0)));
  CHECK(be(tape.run({0x03, 0, 0, 0, 252}).data(), 12, 2) == 0x001A);
  tape.medium->complete_all();
  CHECK(good(tape.run({0x19, 0x03}, tape.a, 0)));
  CHECK(be(tape.run({0x03, 0, 0, 0, 252}).data(), 12, 2) == 0x0018);
  tape.medium->complete_all();
  CHECK(good(tape.run({0x00})));
}
