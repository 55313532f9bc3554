// Partitions: the layout by wraps, mode page 11h, FORMAT MEDIUM, SET CAPACITY.
#include "scsi/ssc/partition_layout.h"
#include "test/unit/ssc/rig.h"

using namespace test;
using namespace scsi::ssc;  // NOLINT: the layout

namespace {

constexpr std::uint64_t kGb = 1'000'000'000;
constexpr std::uint64_t kRestOf = kRestOfMedium;
using Sizes = std::vector<std::uint64_t>;

// An LTO cartridge of its native capacity, loaded.
struct Cartridge : Rig {
  explicit Cartridge(std::uint8_t generation = 8, std::size_t partitions = 1) : Rig(generation) {
    auto cartridge = std::make_unique<MemoryMedium>(generation, partitions);
    const std::uint64_t bytes = find_generation(generation)->capacity_mb * std::uint64_t{1'000'000};
    cartridge->set_capacity(bytes / partitions - kGb, bytes / partitions);
    load(std::move(cartridge));
  }
  Data page_11() { return run({0x5A, 0x08, 0x11, 0, 0, 0, 0, 0x10, 0, 0}).data(); }
  // MODE SELECT(10) of page 11h, cut to `sizes.size()` partition sizes.
  const Ended& select(int additional, int flags, int units, const std::vector<int>& sizes) {
    Data list = bytes({0, 0, 0, 0x10, 0, 0, 0, 0, 0x11, static_cast<int>(6 + 2 * sizes.size()),
                       static_cast<int>(be(page_11(), 10, 1)), additional, flags, 3, units, 0});
    for (const int size : sizes) {
      list.push_back(static_cast<std::byte>(size >> 8));
      list.push_back(static_cast<std::byte>(size));
    }
    send({0x55, 0x10, 0, 0, 0, 0, 0, 0, u8(list.size()), 0}, list);
    const Ended result = last;
    drain(b);
    last = result;
    return last;
  }
  const Ended& format(int how, int immediate = 0) {
    return run({0x04, u8(static_cast<unsigned>(immediate)), u8(static_cast<unsigned>(how))}, a, 0);
  }
  const Ended& locate(int partition, std::uint64_t object = 0) {
    return run({0x92, 0x02, 0, u8(static_cast<unsigned>(partition)), 0, 0, 0, 0, 0, 0,
                u8(object >> 8), u8(object), 0, 0, 0, 0},
               a, 0);
  }
  Sizes capacities() const {
    Sizes out;
    for (std::uint32_t i = 0; i < medium->partition_count(); ++i)
      out.push_back(medium->partition(i).capacity_bytes);
    return out;
  }
};

}  // namespace

TEST_CASE("Layout: sizes round up to pairs of wraps, one partition takes the rest") {
  const Tape lto5{1500 * kGb, 80, 1};  // 40 pairs of 37.5 GB
  CHECK(lay_out(lto5, {kGb, kRestOf}).capacities == Sizes{37'500'000'000, 1'462'500'000'000});
  CHECK(lay_out(lto5, {kRestOf, 38 * kGb}).capacities == Sizes{1425 * kGb, 75 * kGb});
  CHECK(lay_out(lto5, {kRestOf}).capacities == Sizes{1500 * kGb});
  // Without "the rest" the largest gives way.
  CHECK(lay_out(lto5, {kGb, 1499 * kGb}).capacities == Sizes{37'500'000'000, 1'462'500'000'000});
  CHECK(lay_out(lto5, {10 * kGb, 20 * kGb}).capacities == Sizes{37'500'000'000, 1'462'500'000'000});
  CHECK(lay_out(lto5, {kRestOf, kRestOf}).refused == 1u);
  CHECK(lay_out(lto5, {kRestOf, 0}).refused == 1u);
  CHECK(lay_out(lto5, {kRestOf, 1500 * kGb}).refused == 1u);
  CHECK(lay_out(lto5, {800 * kGb, 701 * kGb}).refused == 1u);
  CHECK(lay_out(lto5, {kRestOf, ~std::uint64_t{0} - 1}).refused == 1u);
  // What was made shows as the same again.
  CHECK(lay_out(lto5, {37 * kGb, 1462 * kGb}).capacities ==
        Sizes{37'500'000'000, 1'462'500'000'000});
}

TEST_CASE("Layout: no partition is smaller than the medium can have") {
  const Tape small{kGb, 208, 134'217'728};
  const Layout layout = lay_out(small, {1, kRestOf});
  REQUIRE_FALSE(layout.refused);
  CHECK(layout.capacities[0] >= 134'217'728);
  CHECK(layout.capacities[0] < 134'217'728 + kGb / 104 + 1);
  CHECK(layout.capacities[0] + layout.capacities[1] == kGb);
  CHECK(lay_out(small, {kRestOf, 900'000'000}).refused == 1u);
  CHECK(equal_parts(small, 4) == Sizes{250'000'000, 250'000'000, 250'000'000, 250'000'000});
  CHECK_FALSE(equal_parts({400'000'000, 208, 134'217'728}, 3));
  CHECK(equal_parts({1500 * kGb, 80, 1}, 3) ==
        Sizes{13 * 37'500'000'000, 13 * 37'500'000'000, 14 * 37'500'000'000});
  CHECK_FALSE(equal_parts({3, 80, 1}, 4));
}

TEST_CASE("Page 11h of an unpartitioned cartridge, by generation") {
  Cartridge five(5);
  CHECK(be(five.page_11(), 0, 2) == 6 + 12);
  CHECK(be(five.page_11(), 8, 8) == 0x110A01001C030900);
  CHECK(be(five.page_11(), 16, 4) == 0x05DC0000);  // 1500 units of 10^9 bytes
  Cartridge eight(8);
  CHECK(be(eight.page_11(), 8, 8) == 0x110E03001C030900);
  CHECK(be(eight.page_11(), 16, 8) == 0x2EE0000000000000);
  Cartridge worm(8);
  worm.medium->label().worm = true;
  CHECK(be(worm.page_11(), 8, 4) == 0x110E0000);
  Rig older(8);
  older.load(std::make_unique<MemoryMedium>(7));
  CHECK(be(older.run({0x1A, 8, 0x11, 0, 255}).data(), 4, 4) == 0x110E0300);
  Rig empty(8);
  CHECK(be(empty.run({0x1A, 8, 0x11, 0, 255}).data(), 4, 8) == 0x110E03001C030900);
  CHECK(be(empty.last.data(), 12, 8) == 0);
}

TEST_CASE("FORMAT MEDIUM makes the partitions that MODE SELECT has asked for, as mkltfs does") {
  Cartridge rig(5);
  rig.write(1000);
  rig.rewind();
  CHECK(good(rig.select(1, 0x3C, 9, {1, 0xFFFF})));
  // Staged: page 11h shows it, the cartridge is as it was.
  CHECK(be(rig.page_11(), 8, 8) == 0x110A01013C030900);
  CHECK(be(rig.page_11(), 16, 4) == 0x002505B6);  // 37 and 1462
  CHECK(rig.medium->partition_count() == 1);
  CHECK(good(rig.format(1)));
  CHECK(rig.capacities() == Sizes{37'500'000'000, 1'462'500'000'000});
  CHECK(be(rig.page_11(), 8, 8) == 0x110A01013C030900);
  CHECK(rig.medium->partition(0).end_of_data == 0);
  CHECK(rig.medium->label().volume_change_reference == 2);  // once, for the write before
  // Again, and back: FORMAT without page 11h is one partition.
  CHECK(good(rig.select(1, 0x3C, 9, {1, 0xFFFF})));
  CHECK(good(rig.format(2)));
  CHECK(rig.medium->partition_count() == 2);
  CHECK(good(rig.format(0)));
  CHECK(rig.capacities() == Sizes{1500 * kGb});
  CHECK(be(rig.page_11(), 8, 8) == 0x110A01001C030900);
}

TEST_CASE("Up to four partitions; FDP and SDP leave the sizes to the drive") {
  Cartridge rig(8);  // 104 pairs
  CHECK(good(rig.select(3, 0x3C, 9, {100, 200, 0xFFFF, 1})));
  CHECK(good(rig.format(1)));
  const std::uint64_t pair = 12000 * kGb / 104;
  REQUIRE(rig.medium->partition_count() == 4);
  CHECK(rig.capacities()[0] == pair);
  CHECK(rig.capacities()[1] == 12000 * kGb / 52);
  CHECK(rig.capacities()[3] == pair);
  CHECK(be(rig.page_11(), 8, 8) == 0x110E03033C030900);
  CHECK(good(rig.select(1, 0x9C, 9, {})));
  CHECK(good(rig.format(1)));
  CHECK(rig.capacities() == Sizes{6000 * kGb, 6000 * kGb});
  CHECK(good(rig.select(2, 0x5C, 9, {})));
  CHECK(good(rig.format(1)));
  CHECK(rig.medium->partition_count() == 3);
  // PSUM: bytes, 10^3, 10^6; st has 10^6.
  CHECK(good(rig.select(1, 0x34, 0, {0xFFFF, 50'000})));
  CHECK(be(rig.page_11(), 8, 8) == 0x110E030134030000);
  CHECK(good(rig.format(1)));
  CHECK(rig.capacities()[1] == pair);
  // Removed as page 11h asks for it.
  CHECK(good(rig.select(0, 0x1C, 9, {})));
  CHECK(good(rig.format(1)));
  CHECK(rig.medium->partition_count() == 1);
}

TEST_CASE("FORMAT of the partitions that are there empties them") {
  Cartridge rig(8, 2);
  const Sizes before = rig.capacities();
  for (const int partition : {0, 1}) {
    rig.locate(partition);
    rig.write(100);
  }
  rig.locate(0);
  CHECK(good(rig.format(1)));
  CHECK(rig.capacities() == before);
  for (const std::uint32_t i : {0u, 1u}) CHECK(rig.medium->partition(i).end_of_data == 0);
  CHECK(rig.drive.state().position.partition == 0);
}

TEST_CASE("MODE SELECT of page 11h: what is refused, and where") {
  Cartridge rig(8);
  CHECK(sense_of(rig.select(4, 0x3C, 9, {1, 1, 1, 1})) == "5/26/00 list byte 11");
  CHECK(sense_of(rig.select(1, 0x7C, 9, {1, 0xFFFF})) == "5/26/00 list byte 12 bit 7");
  CHECK(sense_of(rig.select(1, 0x1C, 9, {1, 0xFFFF})) == "5/26/00 list byte 12 bit 7");
  CHECK(sense_of(rig.select(1, 0x3E, 9, {1, 0xFFFF})) == "5/26/00 list byte 12 bit 1");  // CLEAR
  CHECK(sense_of(rig.select(1, 0x38, 9, {1, 0xFFFF})) == "5/26/00 list byte 12 bit 2");  // POFM
  CHECK(sense_of(rig.select(2, 0x9C, 9, {})) == "5/26/00 list byte 11");
  CHECK(sense_of(rig.select(1, 0x3C, 9, {0xFFFF, 0xFFFF})) == "5/26/00 list byte 18");
  CHECK(sense_of(rig.select(1, 0x3C, 9, {0xFFFF})) == "5/26/00 list byte 18");  // no second size
  CHECK(sense_of(rig.select(1, 0x3C, 9, {0, 0xFFFF})) == "5/26/00 list byte 16");
  CHECK(sense_of(rig.select(1, 0x3C, 9, {12'001, 0xFFFF})) == "5/26/00 list byte 16");
  CHECK(sense_of(rig.select(1, 0x3C, 15, {0xFFFF, 0xFFFE})) == "5/26/00 list byte 18");
  CHECK(sense_of(rig.select(1, 0x3C, 0x19, {1, 0xFFFF})) == "5/26/00 list byte 14 bit 4");
  CHECK(be(rig.page_11(), 8, 8) == 0x110E03001C030900);  // nothing of it was taken
  Cartridge five(5);
  CHECK(sense_of(five.select(2, 0x3C, 9, {1, 0xFFFF})) == "5/26/00 list byte 11");
  rig.medium->label().worm = true;
  CHECK(sense_of(rig.select(1, 0x3C, 9, {1, 0xFFFF})) == "5/26/00 list byte 11");
  Rig empty;
  const Data list = bytes({0, 0, 0x10, 0, 0x11, 6, 3, 1, 0x9C, 3, 9, 0});
  CHECK(sense_of(empty.send({0x15, 0x10, 0, 0, 12, 0}, list)) == "2/3A/00");
}

TEST_CASE("MODE SELECT of page 11h: sizes that are not sent stay as they are") {
  Cartridge rig(8, 2);
  CHECK(good(rig.select(1, 0x3C, 9, {0xFFFF})));
  CHECK(good(rig.format(1)));
  CHECK(rig.capacities() == Sizes{6000 * kGb, 6000 * kGb});
  CHECK(good(rig.select(1, 0x3C, 9, {1})));
  CHECK(good(rig.format(1)));
  CHECK(rig.capacities()[0] == 12000 * kGb / 104);
}

TEST_CASE("What page 11h has asked for goes with the cartridge, and by a reset") {
  Cartridge rig(8);
  CHECK(good(rig.select(1, 0x3C, 9, {1, 0xFFFF})));
  CHECK(good(rig.run({0x1B, 0, 0, 0, 0}, rig.a, 0)));
  CHECK(good(rig.run({0x1B, 0, 0, 0, 1}, rig.a, 0)));
  CHECK(be(rig.page_11(), 8, 8) == 0x110E03001C030900);
  CHECK(good(rig.select(1, 0x3C, 9, {1, 0xFFFF})));
  rig.drive.manage(scsi::TaskFunction::kLogicalUnitReset, rig.a, {}, [](auto) {});
  rig.drain(rig.a);
  CHECK(be(rig.page_11(), 8, 8) == 0x110E03001C030900);
  CHECK(good(rig.format(1)));
  CHECK(rig.medium->partition_count() == 1);
}

TEST_CASE("FORMAT MEDIUM and SET CAPACITY: what stands in the way") {
  for (const Cdb& cdb : {Cdb{0x04}, Cdb{0x0B, 0, 0, 0xFF, 0xFF, 0}}) {
    Cartridge rig(8, 2);
    rig.write(1000);
    CHECK(sense_of(rig.run(cdb, rig.a, 0)) == "5/3B/0C");
    rig.locate(1);
    CHECK(sense_of(rig.run(cdb, rig.a, 0)) == "5/3B/0C");  // the beginning of another partition
    rig.locate(0);
    rig.medium->label().write_protected = true;
    CHECK(sense_of(rig.run(cdb, rig.a, 0)) == "7/27/00");
    rig.medium->label().write_protected = false;
    rig.medium->label().worm = true;
    CHECK(sense_of(rig.run(cdb, rig.a, 0)) == "7/30/0C");
    rig.medium->label().worm = false;
    rig.medium->fail_next(MediumFault::Kind::kWriteError);
    CHECK(sense_of(rig.run(cdb, rig.a, 0)) == "3/0C/00");
    CHECK(sense_of(rig.run(cdb, rig.a, 0)) == "3/0C/00");  // until the next load
    CHECK(rig.medium->partition_count() == 2);
    Rig empty;
    CHECK(sense_of(empty.run(cdb)) == "2/3A/00");
    Rig reader(7);
    reader.load(std::make_unique<MemoryMedium>(5));
    CHECK(sense_of(reader.run(cdb, reader.a, 0)) == "7/27/00");
  }
  Cartridge rig(8);
  CHECK(sense_of(rig.format(3)) == "5/24/00 cdb byte 2 bit 3");
  Rig four(4);
  four.load(std::make_unique<MemoryMedium>(4));
  CHECK(sense_of(four.run({0x04, 0, 1})) == "5/24/00 cdb byte 2 bit 3");
  CHECK(good(four.run({0x04, 0, 0}, four.a, 0)));
}

TEST_CASE("FORMAT with IMMED: in progress, then done; a failure is deferred") {
  Cartridge rig(9);
  CHECK(good(rig.select(1, 0x3C, 9, {1, 0xFFFF})));
  rig.medium->defer_completions(true);
  CHECK(good(rig.format(1, 1)));
  CHECK(sense_of(rig.run({0x00})) == "2/04/04");
  CHECK(sense_of(rig.run({0x01})) == "2/04/04");
  CHECK(be(rig.run({0x03, 0, 0, 0, 18}).data(), 2, 1) == 2);
  CHECK(be(rig.last.data(), 12, 2) == 0x0404);
  CHECK((be(rig.run({0x4D, 0, 0x51, 0, 0, 0, 0, 1, 0}).data(), 8, 4) & 0xFF00) == 0x0A00);
  rig.medium->complete_all();
  CHECK(good(rig.run({0x00})));
  CHECK(rig.medium->partition_count() == 2);
  rig.medium->fail_next(MediumFault::Kind::kWriteError);
  CHECK(good(rig.format(0, 1)));
  rig.medium->complete_all();
  CHECK(sense_of(rig.run({0x00})) == "3/0C/00");
  CHECK(flags_of(rig.last).find("deferred") != std::string::npos);
}

TEST_CASE("SET CAPACITY: a proportion of all there is, seen in log pages and attributes only") {
  Cartridge rig(8, 2);
  const auto set_capacity = [&](unsigned proportion) {
    return good(rig.run({0x0B, 0, 0, Rig::u8(proportion >> 8), Rig::u8(proportion), 0}, rig.a, 0));
  };
  CHECK(set_capacity(0x8000));
  CHECK(rig.capacities() ==
        Sizes{12000 * kGb / 0xFFFF * 0x8000 + 12000 * kGb % 0xFFFF * 0x8000 / 0xFFFF});
  CHECK(rig.medium->label().full_capacity_bytes == 12000 * kGb);
  // The density and the page of partitions: what the cartridge is, and what of it there is.
  CHECK(be(rig.run({0x44, 1, 0, 0, 0, 0, 0, 0x20, 0}).data(), 16, 4) == 12'000'000);
  CHECK(be(rig.page_11(), 16, 2) == 6000);
  CHECK(good(rig.format(0)));
  CHECK(rig.capacities()[0] < 6001 * kGb);
  CHECK(set_capacity(0));
  CHECK(rig.capacities() == Sizes{600 * kGb});
  rig.medium->label().smallest_partition_bytes = 700 * kGb;
  CHECK(set_capacity(1));
  CHECK(rig.capacities() == Sizes{700 * kGb});
  CHECK(set_capacity(0xFFFF));
  CHECK(rig.capacities() == Sizes{12000 * kGb});
  CHECK(rig.medium->label().full_capacity_bytes == 0);
}

TEST_CASE("Partitions: each has its own end, filemarks, early warning and attributes") {
  Cartridge rig(8, 2);
  rig.medium->at(0).early_warning_bytes = 2000;
  rig.medium->at(0).capacity_bytes = 10'000;
  rig.write(2500);
  CHECK(sense_of(rig.last) == "0/00/02");
  CHECK(good(rig.locate(1)));
  CHECK(good(rig.write(2500)));
  CHECK(good(rig.filemarks(2)));
  const Data position = rig.run({0x34, 0x06}).data();
  CHECK(be(position, 0, 1) == 0);
  CHECK(be(position, 4, 4) == 1);
  CHECK(be(position, 8, 8) == 3);
  CHECK(be(position, 16, 8) == 2);
  CHECK(good(rig.rewind()));  // of this partition
  CHECK(be(rig.run({0x34, 0x00}).data(), 0, 2) == 0x8001);
  CHECK(good(rig.run({0x11, 0x03}, rig.a, 0)));
  CHECK(be(rig.run({0x34, 0x08, 0, 0, 0, 0, 0, 0, 32}).data(), 8, 8) == 3);
  CHECK(sense_of(rig.locate(0, 9)) == "8/00/05");
  CHECK(rig.position() == 1);
  CHECK(sense_of(rig.locate(2)) == "5/24/00 cdb byte 3 bit 7");
  CHECK(sense_of(rig.run({0x2B, 0x02, 0, 0, 0, 0, 0, 0, 7}, rig.a, 0)) ==
        "5/24/00 cdb byte 8 bit 7");
  CHECK(rig.drive.state().position.partition == 0);
  CHECK(be(rig.run({0x5A, 0x08, 0x10, 0, 0, 0, 0, 0, 64, 0}).data(), 11, 1) == 0);
  rig.locate(1);
  CHECK(be(rig.run({0x5A, 0x08, 0x10, 0, 0, 0, 0, 0, 64, 0}).data(), 11, 1) == 1);
}

TEST_CASE("FORMAT: attributes of partitions go, those of the cartridge stay") {
  Cartridge rig(8, 2);
  const auto write = [&](int partition, int id, int size) {
    Data list = bytes({0, 0, 0, 5 + size, id >> 8, id & 0xFF, id == 0x080C ? 0 : 1, 0, size});
    list.resize(9 + static_cast<std::size_t>(size), std::byte{0x41});
    CHECK(good(rig.send({0x8D, 0, 0, 0, 0, 0, 0, Rig::u8(static_cast<unsigned>(partition)), 0, 0, 0,
                         0, 0, Rig::u8(list.size()), 0, 0},
                        list)));
  };
  for (const int partition : {0, 1}) {
    write(partition, 0x080C, 70);
    write(partition, 0x0809, 16);
  }
  write(0, 0x0801, 32);
  CHECK(good(rig.format(1)));
  const auto has = [&](int id, int partition) {
    return good(rig.run({0x8C, 0, 0, 0, 0, 0, 0, Rig::u8(static_cast<unsigned>(partition)),
                         Rig::u8(static_cast<unsigned>(id) >> 8),
                         Rig::u8(static_cast<unsigned>(id)), 0, 0, 1, 0, 0, 0}));
  };
  CHECK(has(0x0801, 0));
  CHECK(has(0x0801, 1));
  for (const int partition : {0, 1})
    for (const int id : {0x080C, 0x0809}) CHECK_FALSE(has(id, partition));
}
