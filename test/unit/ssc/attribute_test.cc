// READ ATTRIBUTE and WRITE ATTRIBUTE.
#include <map>

#include "test/unit/ssc/rig.h"

using namespace test;

namespace {

struct Tape : Rig {
  explicit Tape(std::size_t partitions = 1) { load(std::make_unique<MemoryMedium>(8, partitions)); }

  const Ended& read_attributes(int action, std::uint16_t first = 0, int partition = 0,
                               std::uint32_t allocation = 32768) {
    return run({0x8C, u8(static_cast<unsigned>(action)), 0, 0, 0, 0, 0,
                u8(static_cast<unsigned>(partition)), u8(first >> 8), u8(first),
                u8(allocation >> 24), u8(allocation >> 16), u8(allocation >> 8), u8(allocation), 0,
                0});
  }
  std::map<std::uint16_t, Data> values(int partition = 0) {
    const Data data = read_attributes(0, 0, partition).data();
    CHECK(be(data, 0, 4) == data.size() - 4);  // does not count itself
    std::map<std::uint16_t, Data> out;
    std::uint64_t previous = 0;
    for (std::size_t at = 4; at < data.size();) {
      const std::uint64_t id = be(data, at, 2), size = be(data, at + 3, 2);
      CHECK((out.empty() || id > previous));
      const bool host = (id >= 0x0800 && id < 0x0C00) || (id >= 0x1400 && id < 0x1800);
      CHECK((be(data, at + 2, 1) & 0x80) == (host ? 0 : 0x80));
      out[static_cast<std::uint16_t>(id)] =
          Data(data.begin() + std::ptrdiff_t(at + 5), data.begin() + std::ptrdiff_t(at + 5 + size));
      previous = id;
      at += 5 + size;
    }
    return out;
  }
  const Ended& write_attributes(const Data& attributes, int partition = 0,
                                bool count_header = false) {
    const std::size_t length = attributes.size() + (count_header ? 4 : 0);
    Data list = bytes({0, 0, static_cast<int>(length >> 8), static_cast<int>(length & 0xFF)});
    list.insert(list.end(), attributes.begin(), attributes.end());
    return send({0x8D, 0, 0, 0, 0, 0, 0, u8(static_cast<unsigned>(partition)), 0, 0, 0, 0,
                 u8(list.size() >> 8), u8(list.size()), 0, 0},
                list);
  }
  static Data attribute(int id, int format, const Data& value) {
    Data out = bytes({id >> 8, id & 0xFF, format, static_cast<int>(value.size() >> 8),
                      static_cast<int>(value.size() & 0xFF)});
    out.insert(out.end(), value.begin(), value.end());
    return out;
  }
};

}  // namespace

TEST_CASE("Attributes have the lengths of the table: Proxmox checks each") {
  Tape tape;
  const std::map<std::uint16_t, std::size_t> lengths{
      {0x0000, 8},  {0x0001, 8},  {0x0002, 8},  {0x0003, 8},  {0x0004, 8},  {0x0005, 8},
      {0x0006, 1},  {0x0007, 2},  {0x0008, 32}, {0x0009, 4},  {0x020A, 40}, {0x020B, 40},
      {0x020C, 40}, {0x020D, 40}, {0x0220, 8},  {0x0221, 8},  {0x0222, 8},  {0x0223, 8},
      {0x0224, 8},  {0x0225, 8},  {0x0340, 90}, {0x0341, 60}, {0x040B, 10}, {0x1000, 28},
      {0x1001, 24}, {0x0400, 8},  {0x0401, 32}, {0x0402, 4},  {0x0403, 4},  {0x0404, 8},
      {0x0405, 1},  {0x0406, 8},  {0x0407, 8},  {0x0408, 1},  {0x0409, 2}};
  std::map<std::uint16_t, std::size_t> found;
  for (const auto& [id, value] : tape.values()) found[id] = value.size();
  CHECK(found == lengths);
  CHECK(be(tape.values()[0x0003], 0, 8) == 1);
  CHECK(be(tape.values()[0x0009], 0, 4) == 1);
  CHECK(be(tape.values()[0x0405], 0, 1) == 0x5E);
  CHECK(scsi::as_text(tape.values()[0x0008]).substr(0, 8) == "VTL001L8");
}

TEST_CASE("Usage history, supported densities, identity") {
  Tape tape;
  tape.medium->label().bytes_written_life = 7u << 20;
  tape.medium->label().bytes_written_load = 3u << 20;
  tape.medium->label().bytes_read_life = 5u << 20;
  const auto values = tape.values();
  const Data medium = values.at(0x0340), partition = values.at(0x0341);
  CHECK(be(medium, 0, 6) == 3);
  CHECK(be(medium, 48, 6) == 7);
  CHECK(be(medium, 60, 6) == 5);
  CHECK(be(medium, 72, 6) == 1);  // loads
  CHECK(be(medium, 84, 6) == 1);  // formats
  CHECK(be(partition, 0, 4) == 3);
  CHECK(be(partition, 32, 4) == 7);
  CHECK(be(partition, 48, 4) == 1);
  CHECK(values.at(0x040B)[0] == std::byte{0x5E});
  CHECK(scsi::as_text(values.at(0x1000)).substr(0, 18) == "VTL     MEM0000001");
  CHECK(scsi::as_text(values.at(0x1001)).substr(0, 18) == "VTL     MEM0000001");
}

TEST_CASE("READ ATTRIBUTE: where it starts, what does not exist, truncation") {
  Tape tape;
  CHECK(be(tape.read_attributes(0, 0x0400).data(), 4, 2) == 0x0400);
  CHECK(sense_of(tape.read_attributes(0, 0x0800)) == "5/24/00 cdb byte 8 bit 7");
  CHECK(sense_of(tape.read_attributes(0, 0x2000)) == "5/24/00 cdb byte 8 bit 7");
  CHECK(sense_of(tape.read_attributes(0, 0, 1)) == "5/24/00 cdb byte 7 bit 7");
  const std::uint64_t full = be(tape.read_attributes(0).data(), 0, 4);
  const Data cut = tape.read_attributes(0, 0, 0, 20).data();
  CHECK(cut.size() == 20);
  CHECK(be(cut, 0, 4) == full);
  CHECK(sense_of(tape.read_attributes(4)) == "5/24/00 cdb byte 1 bit 4");
  CHECK(sense_of(tape.run({0x8C, 0, 0, 0, 0, 1})) == "5/24/00 cdb byte 5 bit 0");  // volume 1
}

TEST_CASE("READ ATTRIBUTE: the lists") {
  Tape tape(2);
  const Data list = tape.read_attributes(1).data();
  CHECK(be(list, 0, 4) == list.size() - 4);
  CHECK((list.size() - 4) / 2 == tape.values().size());
  CHECK(tape.read_attributes(2).data() == bytes({0, 2, 0, 1}));
  CHECK(tape.read_attributes(3).data() == bytes({0, 2, 0, 2}));
  const Data supported = tape.read_attributes(5).data();
  CHECK(supported.size() > list.size());
}

TEST_CASE("Host attributes: written, shown, removed; both ways to count the list") {
  Tape tape;
  tape.write(10);
  const Data name = pattern(32);
  CHECK(good(tape.write_attributes(tape.attribute(0x0801, 1, name))));
  CHECK(good(tape.write_attributes(tape.attribute(0x1623, 0, bytes({1})), 0, true)));
  CHECK(tape.values()[0x0801] == name);
  CHECK(tape.values()[0x1623] == bytes({1}));
  CHECK(tape.position() == 1);
  CHECK(tape.medium->buffered_objects() == 1);  // nothing was flushed
  CHECK(be(tape.values()[0x0009], 0, 4) == 2);  // the write counted, the attributes did not
  CHECK(be(tape.values()[0x0004], 0, 8) == 8192 - (5 + 32) - (5 + 1));
  CHECK(good(tape.write_attributes(tape.attribute(0x0801, 1, {}))));
  CHECK(tape.values().count(0x0801) == 0);
}

TEST_CASE("Coherency information belongs to a partition, other attributes to the medium") {
  Tape tape(2);
  Data list = tape.attribute(0x080C, 0, pattern(70, 1));
  const Data label = tape.attribute(0x0803, 2, pattern(160));
  list.insert(list.end(), label.begin(), label.end());
  CHECK(good(tape.write_attributes(list, 1)));
  CHECK(good(tape.write_attributes(tape.attribute(0x080C, 0, pattern(50, 2)), 0)));
  CHECK(tape.values(0)[0x080C] == pattern(50, 2));
  CHECK(tape.values(1)[0x080C] == pattern(70, 1));
  CHECK(tape.values(0)[0x0803] == pattern(160));
  CHECK(tape.values(1)[0x0803] == pattern(160));
}

TEST_CASE("WRITE ATTRIBUTE: everything is checked before anything is applied") {
  Tape tape;
  const auto with_good = [&](const Data& bad) {
    Data list = tape.attribute(0x0802, 1, pattern(8));
    list.insert(list.end(), bad.begin(), bad.end());
    return sense_of(tape.write_attributes(list));
  };
  CHECK(with_good(tape.attribute(0x0400, 1, pattern(8))) == "5/26/00 list byte 17");
  CHECK(with_good(tape.attribute(0x0801, 1, pattern(31))) == "5/26/00 list byte 20");
  CHECK(with_good(tape.attribute(0x0801, 0, pattern(32))) == "5/26/00 list byte 19 bit 1");
  CHECK(with_good(bytes({0x08, 0x01, 1, 0, 32, 1, 2})) == "5/1A/00");
  CHECK(with_good(tape.attribute(0x0900, 3, pattern(4))) == "5/26/00 list byte 19 bit 1");
  CHECK(sense_of(tape.write_attributes(tape.attribute(0x080C, 0, pattern(9000)))) == "5/55/06");
  CHECK(tape.values().count(0x0802) == 0);
  CHECK(sense_of(tape.send({0x8D, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, pattern(3))) ==
        "5/1A/00");
  CHECK(good(tape.run({0x8D}, tape.a, 0)));
  tape.medium->label().write_protected = true;
  CHECK(sense_of(tape.write_attributes(tape.attribute(0x0802, 1, pattern(8)))) == "7/27/00");
  tape.medium->label().write_protected = false;
  tape.medium->fail_next(MediumFault::Kind::kAttributeStore);
  CHECK(sense_of(tape.write_attributes(tape.attribute(0x0802, 1, pattern(8)))) == "3/0C/0B");
}
