// Mode and log pages: the lengths and bytes that clients check.
#include "test/unit/ssc/rig.h"

using namespace test;

namespace {

struct Loaded : Rig {
  explicit Loaded(std::uint8_t generation = 8) : Rig(generation) {
    load(std::make_unique<MemoryMedium>(generation));
  }
  explicit Loaded(std::unique_ptr<MemoryMedium> cartridge) { load(std::move(cartridge)); }
  Data mode(int page, int subpage = 0, int dbd = 0x08) {
    return run({0x5A, u8(static_cast<unsigned>(dbd)), u8(static_cast<unsigned>(page)),
                u8(static_cast<unsigned>(subpage)), 0, 0, 0, 0x10, 0, 0})
        .data();
  }
  // A parameter of a log page: its value; empty if it is missing.
  Data log(int page, std::uint16_t code) {
    const Data all =
        run({0x4D, 0, u8(0x40u | static_cast<unsigned>(page)), 0, 0, 0, 0, 0xFF, 0xFF, 0}).data();
    REQUIRE(all.size() == 4 + be(all, 2, 2));
    for (std::size_t at = 4; at < all.size(); at += 4 + be(all, at + 3, 1))
      if (be(all, at, 2) == code)
        return Data(all.begin() + std::ptrdiff_t(at + 4),
                    all.begin() + std::ptrdiff_t(at + 4 + be(all, at + 3, 1)));
    return {};
  }
  std::uint64_t log_number(int page, std::uint16_t code) {
    const Data value = log(page, code);
    return be(value, 0, value.size());
  }
};

}  // namespace

TEST_CASE("MODE SENSE page 00h: header and block descriptor, with and without a cartridge") {
  Rig empty;
  CHECK(empty.run({0x1A, 0, 0, 0, 12, 0}).data() ==
        bytes({11, 0, 0x10, 8, 0x5E, 0, 0, 0, 0, 0, 0, 0}));
  Loaded rig;
  CHECK(rig.run({0x1A, 0, 0, 0, 12, 0}).data() ==
        bytes({11, 0x88, 0x10, 8, 0x5E, 0, 0, 0, 0, 0, 0, 0}));
  Rig old(8);
  old.load(std::make_unique<MemoryMedium>(7));
  CHECK(be(old.run({0x1A, 0, 0, 0, 12, 0}).data(), 1, 1) == 0x78);
  CHECK(be(old.last.data(), 4, 1) == 0x5C);
}

TEST_CASE("Mode pages have the lengths that clients insist on") {
  Loaded rig;
  struct Expected {
    int page, subpage;
    std::size_t size;
  };
  for (const Expected& e : std::initializer_list<Expected>{{0x01, 0, 12},
                                                           {0x02, 0, 16},
                                                           {0x0A, 0, 12},
                                                           {0x0A, 0x01, 32},
                                                           {0x0A, 0xF0, 32},
                                                           {0x0F, 0, 16},
                                                           {0x10, 0, 16},
                                                           {0x10, 0x01, 32},
                                                           {0x11, 0, 16},
                                                           {0x1A, 0, 12},
                                                           {0x1C, 0, 12},
                                                           {0x1D, 0, 32},
                                                           {0x25, 0, 32}}) {
    INFO(e.page << "/" << e.subpage);
    const Data data = rig.mode(e.page, e.subpage);
    CHECK(data.size() == 8 + e.size);
    CHECK(be(data, 0, 2) == data.size() - 2);
    const Data with_descriptor = rig.mode(e.page, e.subpage, 0);
    CHECK(with_descriptor.size() == 16 + e.size);
    CHECK(be(with_descriptor, 6, 2) == 8);
  }
  CHECK(sense_of((rig.mode(0x24), rig.last)) == "5/24/00 cdb byte 2 bit 5");
}

TEST_CASE("Compression: page 0Fh and the switch in page 10h say the same") {
  Loaded rig;
  const Data page = rig.mode(0x0F);
  CHECK(be(page, 8, 4) == 0x0F0EC080);
  CHECK(be(rig.mode(0x10), 8 + 14, 1) == 1);
  Data list = page;
  list[0] = list[1] = std::byte{0};
  list[10] = std::byte{0x40};
  CHECK(good(rig.send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 24, 0}, list)));
  CHECK(be(rig.mode(0x10), 8 + 14, 1) == 0);
  CHECK(sense_of(rig.run({0x00}, rig.b)) == "6/2A/01");
  Data configuration = rig.mode(0x10);
  configuration[0] = configuration[1] = std::byte{0};
  configuration[8 + 14] = std::byte{1};
  CHECK(good(rig.send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 24, 0}, configuration)));
  CHECK(be(rig.mode(0x0F), 10, 1) == 0xC0);
}

TEST_CASE(
    "Medium partition page shows what the cartridge has, and can be selected as it was read") {
  auto cartridge = std::make_unique<MemoryMedium>(8, 2);
  cartridge->set_capacity(9'900'000'000, 40'000'000'000);
  Loaded rig(std::move(cartridge));
  const Data page = rig.mode(0x11);
  CHECK(be(page, 8, 8) == 0x110E03013C030900);
  CHECK(be(page, 16, 4) == (40u << 16 | 40u));
  Data list = page;
  list[0] = list[1] = std::byte{0};
  CHECK(good(rig.send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 24, 0}, list)));
  CHECK(rig.mode(0x11) == page);
}

TEST_CASE("Every mode page can be selected as it was just read, on one partition or several") {
  for (const std::size_t partitions : {1u, 4u}) {
    auto cartridge = std::make_unique<MemoryMedium>(8, partitions);
    cartridge->set_capacity(9'900'000'000, 40'000'000'000);
    Loaded rig(std::move(cartridge));
    for (const auto& [page, subpage] : std::initializer_list<std::pair<int, int>>{{0x01, 0},
                                                                                  {0x02, 0},
                                                                                  {0x0A, 0},
                                                                                  {0x0A, 1},
                                                                                  {0x0A, 0xF0},
                                                                                  {0x0F, 0},
                                                                                  {0x10, 0},
                                                                                  {0x10, 1},
                                                                                  {0x11, 0},
                                                                                  {0x1A, 0},
                                                                                  {0x1C, 0},
                                                                                  {0x1D, 0},
                                                                                  {0x25, 0}}) {
      INFO("page " << page << "/" << subpage);
      Data list = rig.mode(page, subpage, 0);
      const Data before = list;
      list[0] = list[1] = std::byte{0};
      CHECK(good(rig.send({0x55, 0x10, 0, 0, 0, 0, 0, 0, Rig::u8(list.size()), 0}, list)));
      CHECK(rig.mode(page, subpage, 0) == before);
      CHECK(good(rig.run({0x00}, rig.b)));  // nothing has changed, and nobody is told
    }
  }
}

TEST_CASE("Compression: pages 0Fh and 10h switch it for the medium, and follow each other") {
  Loaded rig;
  const auto select = [&](int page, int at, int value) {
    Data list = rig.mode(page);
    list[0] = list[1] = std::byte{0};
    list[8 + static_cast<std::size_t>(at)] = static_cast<std::byte>(value);
    CHECK(good(rig.send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 24, 0}, list)));
    rig.drain(rig.b);
  };
  const auto shown = [&] {
    return std::pair(be(rig.mode(0x0F), 10, 1), be(rig.mode(0x10), 8 + 14, 1));
  };
  CHECK(rig.medium->compresses());
  select(0x0F, 2, 0x40);
  CHECK_FALSE(rig.medium->compresses());
  CHECK(shown() == std::pair<std::uint64_t, std::uint64_t>(0x40, 0));
  CHECK(rig.log_number(0x1B, 0x0100) == 0);
  CHECK((be(rig.log(0x11, 0x0000), 0, 1) & 0x10) == 0);
  select(0x10, 14, 1);
  CHECK(rig.medium->compresses());
  CHECK(shown() == std::pair<std::uint64_t, std::uint64_t>(0xC0, 1));
  select(0x10, 14, 0);
  select(0x10, 14, 0x10);  // some algorithm
  CHECK(rig.medium->compresses());
  CHECK(shown() == std::pair<std::uint64_t, std::uint64_t>(0xC0, 1));
  select(0x10, 14, 0);
  // It holds for the next cartridge, too, until a reset.
  CHECK(good(rig.run({0x1B, 0, 0, 0, 0}, rig.a, 0)));
  CHECK(good(rig.run({0x1B, 0, 0, 0, 1}, rig.a, 0)));
  CHECK_FALSE(rig.medium->compresses());
  rig.drive.manage(scsi::TaskFunction::kLogicalUnitReset, rig.a, {}, [](auto) {});
  rig.drain(rig.a);
  CHECK(rig.medium->compresses());
}

TEST_CASE("Log pages 1Bh, 32h and 17h: the ratio of what the host sent to what the medium took") {
  Loaded rig(6);
  for (int i = 0; i < 4; ++i) rig.write(1000);
  rig.medium->label().bytes_written_load = 1600;  // so well did it shrink
  CHECK(rig.log_number(0x1B, 0x0001) == 250);
  CHECK(rig.log_number(0x32, 0x0001) == 250);
  CHECK(rig.log_number(0x17, 0x0012) == 250);
  CHECK(rig.log_number(0x17, 0x0013) == 100);
  CHECK(rig.log_number(0x1B, 0x0007) == 4000);
  CHECK(rig.log_number(0x1B, 0x0009) == 1600);
  // LOG SELECT resets what counts the drive's traffic, not the cartridge's.
  CHECK(good(rig.run({0x4C, 0x02, 0x40}, rig.a, 0)));
  CHECK(rig.log_number(0x1B, 0x0001) == 100);
  CHECK(rig.log_number(0x17, 0x0012) == 250);
}

TEST_CASE("An LTO-4 drive has neither partitions nor logical block protection") {
  Rig rig(4);
  rig.load(std::make_unique<MemoryMedium>(4));
  for (const Cdb& cdb : {Cdb{0x1A, 8, 0x11, 0, 255}, Cdb{0x1A, 8, 0x0A, 0xF0, 255}})
    CHECK(sense_of(rig.run(cdb)).substr(0, 7) == "5/24/00");
}

TEST_CASE("Log page 00h lists the pages") {
  Rig rig;
  const Data page = rig.run({0x4D, 0, 0x40, 0, 0, 0, 0, 1, 0}).data();
  CHECK(page == bytes({0, 0, 0, 14, 0x00, 0x02, 0x03, 0x0C, 0x0D, 0x10, 0x11, 0x12, 0x14, 0x17,
                       0x1B, 0x2E, 0x31, 0x37}));
}

TEST_CASE("Log page 0Dh: degrees Celsius, more with a tape to move; no reference") {
  Rig empty;
  const Cdb cdb = {0x4D, 0, 0x4D, 0, 0, 0, 0, 1, 0, 0};
  CHECK(empty.run(cdb).data() == bytes({0x0D, 0, 0, 12, 0, 0, 3, 2, 0, 31, 0, 1, 3, 2, 0, 0xFF}));
  Loaded rig;
  CHECK(rig.log_number(0x0D, 0x0000) == 36);
}

TEST_CASE("Log page 10h: the last twenty self-tests, the newest first") {
  auto options = drive_options();
  std::uint64_t now = 1'800'000'000'000;
  options.now_ms = [&now] { return now; };
  TestDrive drive(std::move(options));
  Recorder sink(drive);
  scsi::NexusInfo info;
  info.id = {1, 1};
  drive.nexus_established(info);
  sink.run(info.id, {0x00});
  const auto results = [&] {
    return sink.run(info.id, {0x4D, 0, 0x50, 0, 0, 0, 0, 2, 0, 0}).data();
  };
  CHECK(results().size() == 4 + 20 * 20);
  CHECK(be(results(), 4, 8) == 0x0001031000000000);          // no test yet
  CHECK(good(sink.run(info.id, {0x1D, 0x04, 0, 0, 0, 0})));  // the default one is not noted
  CHECK(be(results(), 8, 8) == 0);
  CHECK(good(sink.run(info.id, {0x1D, 0x20, 0, 0, 0, 0})));
  now += 3 * 3'600'000;
  CHECK(good(sink.run(info.id, {0x1D, 0xC0, 0, 0, 0, 0})));
  const Data page = results();
  CHECK(be(page, 4, 8) == 0x00010310C0000003);  // foreground extended, after three hours
  CHECK(be(page, 12, 8) == 0xFFFF'FFFF'FFFF'FFFF);
  CHECK(be(page, 24, 8) == 0x0002031020000000);
  CHECK(be(page, 44 + 4, 8) == 0);
  for (int i = 0; i < 19; ++i) sink.run(info.id, {0x1D, 0x40, 0, 0, 0, 0});
  CHECK(results().size() == 4 + 20 * 20);
  CHECK(be(results(), 4 + 19 * 20 + 4, 1) == 0xC0);
}

TEST_CASE("Compression: a drive whose media have none says so, and takes what changes nothing") {
  auto options = drive_options();
  options.compresses = false;
  TestDrive drive(std::move(options));
  Recorder sink(drive);
  scsi::NexusInfo info;
  info.id = {1, 1};
  drive.nexus_established(info);
  sink.run(info.id, {0x00});
  const auto mode = [&](std::uint8_t page) {
    return sink.run(info.id, {0x5A, 8, page, 0, 0, 0, 0, 1, 0, 0}).data();
  };
  const Data compression = mode(0x0F), configuration = mode(0x10);
  CHECK(be(compression, 8, 4) == 0x0F0E0080);  // DCE = 0, DCC = 0
  CHECK(be(compression, 12, 8) == 0);
  CHECK(be(configuration, 8 + 14, 1) == 0);
  CHECK(be(mode(0x4F), 10, 1) == 0);
  CHECK((be(sink.run(info.id, {0x4D, 0, 0x51, 0, 0, 0, 0, 1, 0, 0}).data(), 8, 1) & 0x10) == 0);
  for (const auto& [page, at] : {std::pair<Data, std::size_t>(compression, 10),
                                 std::pair<Data, std::size_t>(configuration, 8 + 14)}) {
    Data list = page;
    list[0] = list[1] = std::byte{0};
    list[at] = std::byte{0x80};
    CHECK(good(sink.run(info.id, {0x55, 0x10, 0, 0, 0, 0, 0, 0, 24, 0}, 0, list)));
    CHECK(mode(0x0F) == compression);
    CHECK(mode(0x10) == configuration);
  }
}

TEST_CASE(
    "MODE SELECT that changes compression or partitions ends when the buffer is on the tape") {
  Loaded rig;
  const auto select = [&](int page, std::size_t at, int value) {
    Data list = rig.mode(page);
    list[0] = list[1] = std::byte{0};
    list[at] = static_cast<std::byte>(value);
    return rig.send({0x55, 0x10, 0, 0, 0, 0, 0, 0, Rig::u8(list.size()), 0}, list);
  };
  const auto durable = [&] { return rig.medium->at(0).durable; };
  rig.write(100);
  CHECK(durable() == 0);
  CHECK(good(select(0x10, 8 + 10, 0x1C)));  // write protection: not what this is about
  CHECK(good(select(0x10, 8 + 10, 0x18)));
  CHECK(good(select(0x0F, 10, 0xC0)));  // no change
  CHECK(durable() == 0);
  CHECK(good(select(0x0F, 10, 0x40)));
  CHECK(durable() == 1);
  rig.write(100);
  CHECK(good(select(0x10, 8 + 14, 1)));
  CHECK(durable() == 2);
  rig.write(100);
  CHECK(good(select(0x11, 8 + 3, 0)));
  CHECK(durable() == 3);
  rig.write(100);
  rig.medium->fail_next(MediumFault::Kind::kWriteError);
  CHECK(sense_of(select(0x0F, 10, 0x40)) == "3/0C/00");
  CHECK(be(rig.mode(0x0F), 10, 1) == 0x40);  // it is what it was asked to be
  // Without a cartridge there is nothing to wait for.
  REQUIRE(rig.remove());
  CHECK(good(select(0x0F, 10, 0xC0)));
}

TEST_CASE("Log page 0Ch counts what went through, and LOG SELECT resets it") {
  Loaded rig;
  rig.write(1000);
  rig.filemarks(1);
  rig.rewind();
  rig.read(1000);
  CHECK(rig.log_number(0x0C, 0x0000) == 1000);
  CHECK(rig.log_number(0x0C, 0x0001) == 1000);
  CHECK(rig.log_number(0x0C, 0x0002) == 1000);
  CHECK(rig.log_number(0x0C, 0x0003) == 1000);
  CHECK(rig.log(0x0C, 0x0100).size() == 8);
  CHECK(rig.log_number(0x02, 0x0005) == 1000);
  CHECK(rig.log_number(0x1B, 0x0001) == 100);
  CHECK(good(rig.run({0x4C, 0x02, 0x40}, rig.a, 0)));
  CHECK(rig.log_number(0x0C, 0x0000) == 0);
  CHECK(rig.log_number(0x0C, 0x0001) == 0);
  CHECK(sense_of(rig.run({0x00}, rig.b)) == "6/2A/02");
}

TEST_CASE(
    "Log page 0Ch counts the cartridge's traffic while it unloads, whatever was reset before") {
  Loaded rig;
  rig.write(1000);
  CHECK(good(rig.run({0x4C, 0x02, 0, 0, 0, 0, 0, 0, 0}, rig.a, 0)));
  rig.write(500);
  rig.drain(rig.b);
  rig.medium->defer_completions(true);
  CHECK(good(rig.run({0x1B, 0x01}, rig.a, 0)));
  CHECK(rig.log_number(0x0C, 0x0001) == 500);
  rig.medium->complete_all();
  CHECK(rig.log_number(0x0C, 0x0001) == 500);
}

TEST_CASE("Log page 14h: a clock that was set back does not make power-on hours") {
  auto options = drive_options();
  std::uint64_t now = 1'800'000'000'000;
  options.now_ms = [&now] { return now; };
  TestDrive drive(std::move(options));
  Recorder sink(drive);
  scsi::NexusInfo info;
  info.id = {1, 1};
  drive.nexus_established(info);
  sink.run(info.id, {0x00});
  const auto hours = [&] {
    return be(sink.run(info.id, {0x4D, 0, 0x54, 0, 0, 0, 2, 0, 12, 0}).data(), 8, 4);
  };
  now += 7'200'000;
  CHECK(hours() == 2);
  now -= 10'000'000;
  CHECK(hours() == 0);
}

TEST_CASE("Log page 11h: very high frequency data") {
  Rig empty;
  const auto vhf = [](Rig& rig) {
    return be(rig.run({0x4D, 0, 0x51, 0, 0, 0, 0, 1, 0}).data(), 8, 4);
  };
  CHECK(vhf(empty) == 0x11200000);
  Loaded rig;
  CHECK(vhf(rig) == 0x31370000);
  rig.run({0x1E, 0, 0, 0, 1});
  CHECK(vhf(rig) == 0xB1170000);
}

TEST_CASE("Log page 12h has 0Ch bytes, page 2Eh 140h") {
  Rig rig;
  CHECK(be(rig.run({0x4D, 0, 0x12, 0, 0, 0, 0, 1, 0}).data(), 0, 4) == 0x1200000C);
  CHECK(be(rig.run({0x4D, 0, 0x2E, 0, 0, 0, 0, 2, 0}).data(), 0, 4) == 0x2E000140);
}

TEST_CASE("Log page 17h: valid only with a cartridge; two partitions give two records") {
  Rig empty;
  const Data page = empty.run({0x4D, 0, 0x57, 0, 0, 0, 0, 1, 0}).data();
  CHECK(page == bytes({0x17, 0, 0, 5, 0, 0, 3, 1, 0}));
  auto cartridge = std::make_unique<MemoryMedium>(8, 2);
  cartridge->set_capacity(9'000'000, 10'000'000);
  Loaded rig(std::move(cartridge));
  for (int i = 0; i < 3; ++i) rig.write(1'000'000);
  CHECK(rig.log_number(0x17, 0x0000) == 1);
  CHECK(rig.log(0x17, 0x0203).size() == 16);
  CHECK(rig.log(0x17, 0x0203) == bytes({7, 0, 0, 0, 0, 0, 0, 3, 7, 0, 0, 1, 0, 0, 0, 0}));
  CHECK(rig.log(0x17, 0x0202) == bytes({7, 0, 0, 0, 0, 0, 0, 9, 7, 0, 0, 1, 0, 0, 0, 9}));
  CHECK(rig.log(0x17, 0x0204) == bytes({7, 0, 0, 0, 0, 0, 0, 6, 7, 0, 0, 1, 0, 0, 0, 9}));
  CHECK(rig.log(0x17, 0x0200).size() == 20);
  CHECK(rig.log(0x17, 0x0040).size() == 32);
  CHECK(rig.log(0x17, 0x0045).size() == 9);
  CHECK(rig.log_number(0x17, 0x0016) == 18);
  CHECK(rig.log_number(0x17, 0x0017) == 3);
}

TEST_CASE("Log page 17h: every parameter that real drives have, with its length") {
  Loaded rig;
  const std::initializer_list<std::pair<int, std::size_t>> lengths{
      {0x0000, 1}, {0x0001, 4},  {0x0002, 8},  {0x0003, 4}, {0x0004, 2},  {0x0005, 2},
      {0x0006, 2}, {0x0007, 8},  {0x0008, 4},  {0x0009, 2}, {0x000A, 2},  {0x000B, 2},
      {0x000C, 2}, {0x000D, 2},  {0x000E, 4},  {0x000F, 4}, {0x0010, 8},  {0x0011, 8},
      {0x0012, 2}, {0x0013, 2},  {0x0014, 6},  {0x0015, 6}, {0x0016, 4},  {0x0017, 4},
      {0x0018, 4}, {0x0019, 1},  {0x0040, 32}, {0x0041, 8}, {0x0042, 32}, {0x0043, 8},
      {0x0044, 4}, {0x0045, 9},  {0x0080, 1},  {0x0081, 1}, {0x0082, 1},  {0x0101, 4},
      {0x0102, 4}, {0x0200, 10}, {0x0201, 10}, {0x0202, 8}, {0x0203, 8},  {0x0204, 8}};
  for (const auto& [code, length] : lengths) {
    INFO("parameter " << code);
    CHECK(rig.log(0x17, static_cast<std::uint16_t>(code)).size() == length);
  }
  CHECK(scsi::as_text(rig.log(0x17, 0x0045)) == "Ultrium-8");
  rig.medium->label().generation = 10;
  CHECK(scsi::as_text(rig.log(0x17, 0x0045)) == "Ultrium10");
  rig.medium->label().bytes_written_life = 50'000'000;
  CHECK(rig.log_number(0x17, 0x0002) == 10);
  Loaded six(6);
  six.medium->label().bytes_written_life = 50'000'000;
  CHECK(six.log_number(0x30, 0x0002) == 10);
  rig.medium->fail_next(MediumFault::Kind::kWriteError);
  rig.write(100);
  CHECK(rig.log_number(0x17, 0x000C) == 1);
}

TEST_CASE("Log pages 17h and 30h: errors are the cartridge's, 02h and 03h those of the drive") {
  Loaded rig(6);
  rig.write(100);
  rig.medium->damage(0, 0, MediumFault::Kind::kReadError);
  rig.rewind();
  CHECK(sense_of(rig.read(100)) == "3/11/00");
  rig.medium->fail_next(MediumFault::Kind::kWriteError);
  CHECK(sense_of(rig.write(100)) == "3/0C/00");
  const auto errors = [&] {
    std::vector<std::uint64_t> out;
    for (const auto& [page, code] :
         {std::pair(0x17, 0x0004), std::pair(0x17, 0x0009), std::pair(0x17, 0x000C),
          std::pair(0x17, 0x000D), std::pair(0x30, 0x0004), std::pair(0x30, 0x0009),
          std::pair(0x02, 0x0006), std::pair(0x03, 0x0006)})
      out.push_back(rig.log_number(page, static_cast<std::uint16_t>(code)));
    return out;
  };
  CHECK(errors() == std::vector<std::uint64_t>{1, 1, 1, 1, 1, 1, 1, 1});
  REQUIRE(rig.remove());
  CHECK(rig.log_number(0x30, 0x0004) == 0);
  rig.load(std::make_unique<MemoryMedium>(6));  // another one is not to blame
  CHECK(errors() == std::vector<std::uint64_t>{0, 0, 0, 0, 0, 0, 1, 1});
}

TEST_CASE("Log page 31h and MAM agree on capacity, in units of 2^20") {
  auto cartridge = std::make_unique<MemoryMedium>();
  cartridge->set_capacity(10u << 20, 12u << 20);
  Loaded rig(std::move(cartridge));
  rig.write(1u << 20);
  CHECK(rig.log_number(0x31, 0x0001) == 9);
  CHECK(rig.log_number(0x31, 0x0002) == 0);
  CHECK(rig.log_number(0x31, 0x0003) == 10);
  CHECK(rig.log_number(0x31, 0x0004) == 0);
  const Data mam = rig.run({0x8C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}).data();
  CHECK(be(mam, 4 + 5, 8) == 9);
  CHECK(be(mam, 4 + 13 + 5, 8) == 10);
}

TEST_CASE("Log page 37h: the medium is as good as can be, and unknown without a cartridge") {
  const Cdb performance{0x4D, 0, 0x77, 0, 0, 0, 0, 1, 0};
  Rig empty;
  CHECK(empty.run(performance).data() == bytes({0x37, 0, 0, 5, 0, 1, 0x03, 1, 0x00}));
  Loaded rig;
  CHECK(rig.run(performance).data() == bytes({0x37, 0, 0, 5, 0, 1, 0x03, 1, 0x01}));
  CHECK(rig.log_number(0x37, 0x0001) == 1);
}

TEST_CASE("REPORT DENSITY SUPPORT: what the drive reads, ascending, 52 bytes each") {
  Loaded rig;
  const Data all = rig.run({0x44, 0, 0, 0, 0, 0, 0, 0x20, 0}).data();
  CHECK(all.size() == 4 + 2 * 52);
  CHECK(be(all, 0, 2) == all.size() - 2);
  CHECK(be(all, 4, 3) == 0x5C5C80);
  CHECK(be(all, 56, 3) == 0x5E5EA0);
  CHECK(be(all, 56 + 12, 4) == 12'000'000);
  Rig seven(7);
  CHECK(be(seven.run({0x44, 0, 0, 0, 0, 0, 0, 0x20, 0}).data(), 0, 2) == 0x9E);
  CHECK(be(seven.last.data(), 6, 1) == 0x00);  // LTO-5: read only
  rig.medium->set_capacity(1, 1'541'438'000'000);
  const Data media = rig.run({0x44, 1, 0, 0, 0, 0, 0, 0x20, 0}).data();
  CHECK(media.size() == 56);
  CHECK(be(media, 16, 4) == 1'541'438);
  const Data types = rig.run({0x44, 2, 0, 0, 0, 0, 0, 0x20, 0}).data();
  CHECK(types.size() == 4 + 4 * 56);
  CHECK(rig.run({0x44, 0, 0, 0, 0, 0, 0, 0, 10}).data().size() == 10);
}
