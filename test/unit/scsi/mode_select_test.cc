#include "test/unit/scsi/fake_unit.h"

using namespace test;

namespace {

// MODE SELECT(6) with PF = 1.
Ended select6(Fixture& f, const std::vector<std::byte>& list, std::uint8_t byte1 = 0x10) {
  return f.send(kA, {0x15, byte1, 0, 0, static_cast<std::uint8_t>(list.size()), 0}, list);
}
Ended select10(Fixture& f, const std::vector<std::byte>& list) {
  return f.send(kA, {0x55, 0x10, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(list.size()), 0},
                list);
}
std::vector<std::byte> operator+(std::vector<std::byte> a, const std::vector<std::byte>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
std::vector<std::byte> header6(int device_specific = 0x10) {
  return bytes({0, 0, device_specific, 0});
}
std::vector<std::byte> descriptor(int density, int block_length, int blocks = 0) {
  return bytes({density, blocks >> 16, blocks >> 8, blocks, 0, block_length >> 16,
                block_length >> 8, block_length});
}
std::vector<std::byte> with_descriptor(int device_specific, const std::vector<std::byte>& block) {
  return bytes({0, 0, device_specific, 8}) + block;
}
std::vector<std::byte> compression(int byte2, int byte3 = 0x80) {
  return bytes({0x0F, 14, byte2, byte3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0});
}
bool good(const Ended& end) { return end.reply.status == SamStatus::kGood; }

}  // namespace

TEST_CASE("block length and buffered mode: header and descriptor alone, PF or not") {
  Fixture f;
  CHECK(good(select6(f, with_descriptor(0x10, descriptor(0, 65536)))));
  CHECK(f.unit.modes().block_length() == 65536);
  CHECK(good(select6(f, with_descriptor(0x00, descriptor(0x7F, 512)), 0x00)));
  CHECK(f.unit.modes().block_length() == 512);
  CHECK(f.unit.modes().buffered_mode() == 0);
  CHECK(good(select10(f, bytes({0, 0, 0, 0x10, 0, 0, 0, 8}) + descriptor(0x5E, 0, 0xFFFFFF))));
  CHECK(f.unit.modes().block_length() == 0);
  CHECK(f.unit.modes().buffered_mode() == 1);
}

TEST_CASE("what clients echo is not refused: mode data length, medium type, WP, PS") {
  Fixture f;
  CHECK(good(select6(f, bytes({0x33, 0x88, 0x90, 8}) + descriptor(0x5E, 0))));
  auto echoed = compression(0xC0);
  echoed[0] |= std::byte{0x80};
  CHECK(good(select6(f, header6() + echoed)));
}

TEST_CASE("the header and the descriptor: each refusal points at its field") {
  Fixture f;
  const auto sense = [&](const std::vector<std::byte>& list) { return sense_of(select6(f, list)); };
  CHECK(sense(bytes({0, 0, 0x10})) == "5/1A/00");
  CHECK(sense(bytes({0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 0})) == "5/1A/00");
  CHECK(sense(bytes({0, 0, 0x10, 7, 0, 0, 0, 0, 0, 0, 0})) == "5/26/00 list byte 3");
  CHECK(sense(bytes({0, 0, 0x10, 16}) + std::vector<std::byte>(16)) == "5/26/00 list byte 3");
  CHECK(sense(header6(0x20)) == "5/26/00 list byte 2 bit 6");
  CHECK(sense(header6(0x11)) == "5/26/00 list byte 2 bit 3");
  CHECK(sense(with_descriptor(0x10, descriptor(0x58, 0))) == "5/26/00 list byte 4");
  CHECK(sense(with_descriptor(0x10, descriptor(0, 0, 1))) == "5/26/00 list byte 5");
  CHECK(good(select6(f, with_descriptor(0x10, descriptor(0, 8 << 20)))));
  CHECK(sense(with_descriptor(0x10, descriptor(0, (8 << 20) + 1))) == "5/26/00 list byte 9");
  CHECK(sense_of(select10(f, bytes({0, 0, 0, 0x10, 1, 0, 0, 0}))) == "5/26/00 list byte 4 bit 0");
  CHECK(sense_of(select10(f, bytes({0, 0, 0, 0x10, 0, 0, 0, 4}))) == "5/26/00 list byte 6");
  CHECK(sense_of(select6(f, header6(), 0x11)) == "5/24/00 cdb byte 1 bit 0");  // SP
  CHECK(sense_of(select6(f, header6() + compression(0xC0), 0x00)) == "5/24/00 cdb byte 1 bit 4");
}

TEST_CASE("pages: unknown, of the wrong length, cut off") {
  Fixture f;
  const auto sense = [&](const std::vector<std::byte>& page) {
    return sense_of(select6(f, header6() + page));
  };
  CHECK(sense(bytes({0x12, 0})) == "5/26/00 list byte 4 bit 5");
  CHECK(sense(bytes({0x3F, 0})) == "5/26/00 list byte 4 bit 5");
  CHECK(sense(bytes({0x4A, 0x01, 0, 0})) == "5/26/00 list byte 5");
  CHECK(sense(bytes({0x0F})) == "5/1A/00");
  CHECK(sense(bytes({0x4A, 0xF0, 0})) == "5/1A/00");
  CHECK(sense(bytes({0x0F, 13}) + std::vector<std::byte>(13)) == "5/26/00 list byte 5");
  CHECK(sense(bytes({0x0F, 0xFF, 0xC0})) == "5/26/00 list byte 5");
  CHECK(sense(bytes({0x0F, 14, 0xC0})) == "5/1A/00");
  CHECK(sense(bytes({0x4A, 0xF0, 0xFF, 0xFF})) == "5/26/00 list byte 6");
}

TEST_CASE("bits that cannot change: equal to the current value, or refused with their place") {
  Fixture f;
  CHECK(good(select6(f, header6() + compression(0x40))));
  CHECK(f.unit.modes().value_byte(0x0F, 0, 2) == 0x40);
  CHECK(sense_of(select6(f, header6() + compression(0x80))) == "5/26/00 list byte 6 bit 6");
  CHECK(sense_of(select6(f, header6() + compression(0x40, 0x00))) == "5/26/00 list byte 7 bit 7");
  // A page that says so ignores them.
  CHECK(good(select6(
      f, header6() + bytes({0x10, 14, 1, 2, 3, 4, 5, 6, 0xFF, 8, 9, 10, 11, 12, 0x5A, 14}))));
  CHECK(f.unit.modes().value_byte(0x10, 0, 8) == 0x40);
  CHECK(f.unit.modes().value_byte(0x10, 0, 14) == 0x5A);
  // What the hook shows may be echoed.
  const auto shown = f.run(kA, {0x1A, 8, 0x11, 0, 255, 0}).data();
  CHECK(good(select6(f, header6() + std::vector(shown.begin() + 4, shown.end()))));
}

TEST_CASE("a page's own rule refuses with a pointer into the list") {
  Fixture f;
  CHECK(sense_of(select6(f, header6() + bytes({0x1C, 10, 0x0C, 3, 0, 0, 0, 0, 0, 0, 0, 0}))) ==
        "5/26/00 list byte 6 bit 2");
}

TEST_CASE("a page that allows it may come shorter: the rest stays") {
  Fixture f;
  f.unit.modes().set_byte(0x11, 0, 15, 0x77);
  CHECK(good(select6(f, header6() + bytes({0x11, 10, 3, 1, 0, 3, 0, 0, 0, 5, 0, 0}))));
  CHECK(f.unit.modes().value_byte(0x11, 0, 3) == 1);
  CHECK(f.unit.modes().value_byte(0x11, 0, 9) == 5);
  CHECK(f.unit.modes().value_byte(0x11, 0, 15) == 0x77);
  CHECK(sense_of(select6(f, header6() + bytes({0x11, 9}) + std::vector<std::byte>(9))) ==
        "5/26/00 list byte 5");
}

TEST_CASE("nothing is applied unless everything is valid") {
  Fixture f;
  const auto list =
      with_descriptor(0x00, descriptor(0, 512)) + compression(0x40) + bytes({0x12, 0});
  CHECK(sense_of(select6(f, list)) == "5/26/00 list byte 28 bit 5");
  CHECK(f.unit.modes().block_length() == 0);
  CHECK(f.unit.modes().buffered_mode() == 1);
  CHECK(f.unit.modes().value_byte(0x0F, 0, 2) == 0xC0);
  CHECK(f.unit.compression_changes == 0);
  CHECK_FALSE(f.unit.attentions().pending(kB));
}

TEST_CASE("the same page twice: the last one counts") {
  Fixture f;
  CHECK(good(select6(f, header6() + compression(0x40) + compression(0xC0))));
  CHECK(f.unit.modes().value_byte(0x0F, 0, 2) == 0xC0);
  CHECK(f.unit.compression_changes == 0);
}

TEST_CASE("2A/01 goes to the others, and only if a shared value really changed") {
  Fixture f;
  CHECK(good(select6(f, with_descriptor(0x10, descriptor(0x5E, 0)) + compression(0xC0))));
  CHECK_FALSE(f.unit.attentions().pending(kB));
  CHECK(f.unit.compression_changes == 0);
  CHECK(good(select6(f, header6() + compression(0x40))));
  CHECK(f.unit.compression_changes == 1);
  CHECK_FALSE(f.unit.attentions().pending(kA));
  CHECK(sense_of(f.run(kB, kTur)) == "6/2A/01");
  CHECK(sense_of(f.run(kC, kTur)) == "6/2A/01");
  CHECK(good(select6(f, with_descriptor(0x10, descriptor(0, 1024)))));
  CHECK(sense_of(f.run(kB, kTur)) == "6/2A/01");
}

TEST_CASE("a page of each nexus: others neither see it nor are told; it ends with the nexus") {
  Fixture f;
  auto page = bytes({0x4A, 0xF0, 0, 0x1C, 2, 4, 0xC0});
  page.resize(32);
  CHECK(good(select6(f, header6() + page)));
  const auto method = [&](NexusId id) { return f.unit.modes().value_byte(0x0A, 0xF0, 4, id); };
  CHECK(method(kA) == 2);
  CHECK(method(kB) == 0);
  CHECK_FALSE(f.unit.attentions().pending(kB));
  f.unit.nexus_lost(kA);
  CHECK(method(kA) == 0);
}

TEST_CASE("length 0 is no error and changes nothing") {
  Fixture f;
  CHECK(good(f.run(kA, {0x15, 0x10, 0, 0, 0, 0}, 0)));
  CHECK(good(f.run(kA, {0x55, 0x10, 0, 0, 0, 0, 0, 0, 0, 0}, 0)));
}
