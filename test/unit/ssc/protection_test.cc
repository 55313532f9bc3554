// Logical block protection (SSC-5): what is offered, the check before a write, and the four
// bytes in every length.
#include "scsi/protection.h"
#include "test/unit/ssc/rig.h"

using namespace test;
using scsi::Protection;

namespace {

Data with_protection(Protection method, const Data& block) {
  Data out = block;
  const auto four = scsi::encode_protection(method, scsi::protection_value(method, block));
  out.insert(out.end(), four.begin(), four.end());
  return out;
}

struct Protected : Rig {
  explicit Protected(std::uint8_t generation = 8) : Rig(generation) {
    load(std::make_unique<MemoryMedium>(generation));
  }
  // MODE SELECT(10) of page 0Ah/F0h alone.
  std::string select(int method, int length, int flags, scsi::NexusId nexus = {1, 1}) {
    Data list = bytes({0, 0, 0, 0x10, 0, 0, 0, 0, 0x4A, 0xF0, 0, 0x1C, method, length, flags});
    list.resize(40);
    return sense_of(send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 40, 0}, list, nexus));
  }
  Ended write_variable(const Data& sent) {
    return send({0x0A, 0, 0, u8(sent.size() >> 8), u8(sent.size()), 0}, sent);
  }
  std::size_t objects() { return medium->at(0).objects.size(); }
};

}  // namespace

TEST_CASE("Protection: methods by generation, in VPD page B5h and in what mode page F0h takes") {
  struct Expected {
    std::uint8_t generation;
    std::string methods;
    std::string crc32c;
  };
  for (const Expected& e : {Expected{5, "\x03\x01\x04\xC0", "5/26/00 list byte 12 bit 7"},
                            Expected{6, "\x03\x01\x04\xC0", "5/26/00 list byte 12 bit 7"},
                            Expected{7, "\x03\x01\x04\xC0\x03\x02\x04\xC0", "0/00/00"},
                            Expected{9, "\x03\x01\x04\xC0\x03\x02\x04\xC0", "0/00/00"}}) {
    INFO(int(e.generation));
    Protected rig(e.generation);
    const Data vpd = rig.run({0x12, 1, 0xB5, 0, 255}).data();
    CHECK(be(vpd, 0, 4) == 0x01B50000 + 4 + e.methods.size());
    CHECK(be(vpd, 4, 4) == 0);
    CHECK(scsi::as_text(vpd).substr(8) == e.methods);
    CHECK(be(rig.run({0x12, 0, 0, 0, 96}).data(), 5, 1) == 1);         // PROTECT
    CHECK(be(rig.run({0x12, 1, 0x86, 0, 255}).data(), 4, 1) == 0x08);  // SPT = 001b
    CHECK(rig.select(1, 4, 0xC0) == "0/00/00");
    CHECK(rig.select(2, 4, 0xC0) == e.crc32c);
  }
}

TEST_CASE("Protection: what makes no sense is refused and changes nothing") {
  Protected rig;
  CHECK(rig.select(0, 0, 0) == "0/00/00");
  CHECK(rig.select(0, 4, 0) == "0/00/00");
  CHECK(rig.select(0, 4, 0x80) == "5/26/00 list byte 14 bit 7");
  CHECK(rig.select(0, 3, 0) == "5/26/00 list byte 13 bit 5");
  CHECK(rig.select(1, 0, 0xC0) == "5/26/00 list byte 13 bit 5");
  CHECK(rig.select(3, 4, 0xC0) == "5/26/00 list byte 12 bit 7");
  CHECK(rig.select(1, 4, 0xE0) == "5/26/00 list byte 14 bit 5");  // RBDP: nothing to recover
  CHECK(good(rig.write(100)));
  CHECK(rig.objects() == 1);
}

TEST_CASE("F19: a wrong check value is 4/10/01, and nothing of the command is stored") {
  for (const Protection method : {Protection::kReedSolomon, Protection::kCrc32c}) {
    Protected rig;
    rig.select(static_cast<int>(method), 4, 0x80);
    Data sent = with_protection(method, pattern(1000));
    CHECK(good(rig.write_variable(sent)));
    REQUIRE(rig.objects() == 1);
    CHECK(rig.medium->at(0).objects[0].data == pattern(1000));

    sent[17] ^= std::byte{0x20};
    CHECK(sense_of(rig.write_variable(sent)) == "4/10/01");
    CHECK(flags_of(rig.last) == "info=1004");
    CHECK(rig.last.residual.underflow == 0);  // it was all transferred
    CHECK(rig.objects() == 1);
    CHECK(rig.position() == 1);

    // Fixed: the third of three is wrong; the two before it are not written either.
    rig.set_block_length(104);
    Data run;
    for (int i = 0; i < 3; ++i) {
      const Data block = with_protection(method, pattern(100, i));
      run.insert(run.end(), block.begin(), block.end());
    }
    run.back() ^= std::byte{1};
    CHECK(sense_of(rig.send({0x0A, 1, 0, 0, 3, 0}, run)) == "4/10/01");
    CHECK(flags_of(rig.last) == "info=3");
    CHECK(rig.objects() == 1);
    run.back() ^= std::byte{1};
    CHECK(good(rig.send({0x0A, 1, 0, 0, 3, 0}, run)));
    REQUIRE(rig.objects() == 4);
    CHECK(rig.medium->at(0).objects[3].data == pattern(100, 2));
  }
}

TEST_CASE("Protection: the bytes of one method are wrong for the other, and in the other order") {
  Protected rig;
  rig.select(2, 4, 0x80);
  CHECK(sense_of(rig.write_variable(with_protection(Protection::kReedSolomon, pattern(50)))) ==
        "4/10/01");
  Data sent = with_protection(Protection::kCrc32c, pattern(50));
  std::reverse(sent.end() - 4, sent.end());
  CHECK(sense_of(rig.write_variable(sent)) == "4/10/01");
  CHECK(rig.objects() == 0);
}

TEST_CASE("Protection on READ: every length, INFORMATION and residual count the four bytes") {
  for (const Protection method : {Protection::kReedSolomon, Protection::kCrc32c}) {
    Protected rig;
    rig.write(1000);
    rig.filemarks(1);
    rig.select(static_cast<int>(method), 4, 0x40);
    const Data whole = with_protection(method, pattern(1000));

    rig.rewind();
    CHECK(rig.read(1004).data() == whole);
    CHECK(good(rig.last));
    CHECK(rig.last.residual.underflow == 0);

    rig.rewind();
    CHECK(rig.read(2000).data() == whole);
    CHECK(sense_of(rig.last) == "0/00/00");
    CHECK(flags_of(rig.last) == "ILI info=996");
    CHECK(rig.last.residual.underflow == 996);

    rig.rewind();
    CHECK(rig.read(2000, true).data() == whole);
    CHECK(good(rig.last));
    CHECK(rig.last.residual.underflow == 996);

    // A block that is longer: as much of it as fits, and the check value of that.
    rig.rewind();
    Data beginning = pattern(1000);
    beginning.resize(100);
    CHECK(rig.read(104).data() == with_protection(method, beginning));
    CHECK(flags_of(rig.last) == "ILI info=-900");
    CHECK(rig.last.residual.underflow == 0);
    CHECK(rig.last.residual.overflow == 0);
    CHECK(rig.position() == 1);

    CHECK(rig.read(1004).data().empty());
    CHECK(flags_of(rig.last) == "FM info=1004");
    CHECK(rig.last.residual.underflow == 1004);

    rig.rewind();
    CHECK(sense_of(rig.read(4)) == "5/24/00 cdb byte 2 bit 7");  // no byte of a block
    CHECK(rig.position() == 0);
  }
}

TEST_CASE("Protection on READ in fixed mode: each block with its own") {
  Protected rig;
  rig.set_block_length(100);
  rig.send({0x0A, 1, 0, 0, 3, 0}, pattern(300));
  rig.select(2, 4, 0x40);
  rig.set_block_length(104);
  rig.rewind();
  Data expected;
  for (int i = 0; i < 3; ++i) {
    const Data all = pattern(300);
    const Data block = with_protection(Protection::kCrc32c,
                                       Data(all.begin() + 100 * i, all.begin() + 100 * (i + 1)));
    expected.insert(expected.end(), block.begin(), block.end());
  }
  CHECK(rig.read_fixed(3, 104).data() == expected);
  CHECK(good(rig.last));
  rig.rewind();
  CHECK(rig.read_fixed(5, 104).data() == expected);
  CHECK(sense_of(rig.last) == "8/00/05");
  CHECK(flags_of(rig.last) == "info=2");
  CHECK(rig.last.residual.underflow == 208);
}

TEST_CASE("Protection: VERIFY counts the four bytes, too") {
  Protected rig;
  rig.write(1000);
  rig.select(2, 4, 0x40);
  rig.rewind();
  CHECK(good(rig.run({0x13, 0, 0, 0x03, 0xEC, 0}, rig.a, 0)));
  rig.rewind();
  CHECK(flags_of(rig.run({0x13, 0, 0, 0x03, 0xE8, 0}, rig.a, 0)) == "ILI info=-4");
}

TEST_CASE("Protection: each nexus has its own, and it ends with the nexus and with a reset") {
  Protected rig;
  CHECK(rig.select(2, 4, 0xC0) == "0/00/00");
  const auto plain = [&](scsi::NexusId nexus) {
    return sense_of(rig.send({0x0A, 0, 0, 0, 10, 0}, pattern(10), nexus));
  };
  CHECK(plain(rig.b) == "0/00/00");  // nobody told it of anything: it has its own
  CHECK(plain(rig.a) == "4/10/01");
  scsi::NexusInfo again = *rig.drive.find_nexus(rig.a);
  rig.drive.nexus_lost(rig.a);
  rig.drive.nexus_established(again);
  rig.drain(rig.a);
  CHECK(plain(rig.a) == "0/00/00");
  rig.select(2, 4, 0xC0);
  rig.drive.manage(scsi::TaskFunction::kLogicalUnitReset, rig.b, {},
                   [](scsi::TaskFunctionResult) {});
  rig.drain(rig.a);
  CHECK(plain(rig.a) == "0/00/00");
}

TEST_CASE("Protection: what hosts wrote and read is counted without it") {
  Protected rig;
  rig.select(2, 4, 0xC0);
  rig.write_variable(with_protection(Protection::kCrc32c, pattern(1000)));
  rig.rewind();
  rig.read(1004);
  const Data page = rig.run({0x4D, 0, 0x4C, 0, 0, 0, 0, 1, 0, 0}).data();
  CHECK(be(page, 8, 8) == 1000);               // parameter 0000h: received
  CHECK(be(page, 4 + 3 * 12 + 4, 8) == 1000);  // parameter 0003h: sent
}
