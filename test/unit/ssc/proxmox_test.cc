// Proxmox Backup Server's own reading of a drive: which lengths, formats and positions its tape
// tools (pbs-tape, as published) insist on, at each drive that they may meet. Debian does not have
// them, so their rules stand here. What they send step by step:
// test/golden/transcripts/proxmox.txt.
#include "test/unit/ssc/rig.h"

using namespace test;

namespace {

struct Met {
  int generation;
  std::string family;
};

// Every drive from LTO-5 on, loaded with a cartridge of its generation.
struct Proxmox : Rig {
  explicit Proxmox(const Met& met, bool worm = false) : Rig(u8(met.generation), met.family) {
    auto cartridge = std::make_unique<MemoryMedium>(u8(met.generation));
    cartridge->label().worm = worm;
    load(std::move(cartridge));
  }
  Data answer(const Cdb& cdb, std::uint32_t allocation) {
    const Data data = run(cdb, a, allocation).data();
    REQUIRE(good(last));
    return data;
  }
  // MODE SENSE(10) with block descriptor: the length is what came, the descriptor has 8 bytes.
  Data mode_page(std::uint8_t page) {
    const Data data = answer({0x5A, 0, page, 0, 0, 0, 0, 0x10, 0, 0}, 4096);
    CHECK(data.size() == be(data, 0, 2) + 2);
    CHECK(be(data, 6, 2) == 8);
    CHECK((be(data, 16, 1) & 0x3F) == page);
    return data;
  }
  Data log_page(std::uint8_t page) {
    const Data data = answer({0x4D, 0, u8(0x40u | page), 0, 0, 0, 0, 0x20, 0, 0}, 8192);
    CHECK((be(data, 0, 1) & 0x7F) == page);
    CHECK(be(data, 1, 1) == 0);
    CHECK(be(data, 2, 2) + 4 == data.size());
    return data;
  }
  // READ POSITION, long form: 32 bytes, and no partition but 0.
  std::uint64_t long_position(std::size_t offset) {
    const Data data = answer({0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0}, 32);
    CHECK(data.size() == 32);
    CHECK(be(data, 4, 4) == 0);
    return be(data, offset, 8);
  }
  std::uint64_t object() { return long_position(8); }
  std::uint64_t file() { return long_position(16); }
  std::string sense() { return good(last) ? "" : sense_of(last); }
};

Met any_drive() { return {GENERATE(5, 6, 7, 8, 9), GENERATE("ibm", "hp", "quantum")}; }

// The parameters of a log page: code and value.
std::map<std::uint64_t, Data> parameters_of(const Data& page) {
  std::map<std::uint64_t, Data> out;
  scsi::ByteReader reader(scsi::Bytes(page).subspan(4));
  while (reader.remaining() > 0) {
    const std::uint16_t code = reader.u16();
    reader.skip(1);
    const scsi::Bytes value = reader.bytes(reader.u8());
    REQUIRE(reader.ok());
    out[code] = Data(value.begin(), value.end());
  }
  return out;
}

}  // namespace

TEST_CASE("Proxmox opens a drive: identity, compression page and medium page, the options") {
  const Met met = any_drive();
  CAPTURE(met.generation, met.family);
  Proxmox rig(met);
  const Data inquiry = rig.answer({0x12, 0, 0, 0, 36, 0}, 36);
  CHECK(inquiry.size() == 36);
  CHECK((be(inquiry, 0, 1) & 0x1F) == 1);

  Data page = rig.mode_page(0x0F);
  CHECK(be(page, 17, 1) == 0x0E);
  CHECK(page.size() == 8 + 8 + 16);
  // It sends back what it got, with the length cleared, compression, any block length, a buffer.
  page[0] = page[1] = std::byte{0};
  page[3] = (page[3] & std::byte{0x8F}) | std::byte{0x10};
  for (const std::size_t at : {13u, 14u, 15u}) page[at] = std::byte{0};
  page[18] |= std::byte{0x80};
  rig.send({0x55, 0x10, 0, 0, 0, 0, 0, 0, Rig::u8(page.size()), 0}, page);
  CHECK(good(rig.last));

  const Data medium = rig.mode_page(0x1D);
  CHECK(be(medium, 17, 1) == 0x1E);
  CHECK(medium.size() == 8 + 8 + 32);
  CHECK((be(medium, 18, 1) & 1) == 0);
  CHECK(be(medium, 8, 1) == scsi::ssc::find_generation(Rig::u8(met.generation))->density_code);

  Proxmox worm(met, true);
  CHECK((be(worm.mode_page(0x1D), 18, 1) & 1) == 1);
}

TEST_CASE("Proxmox asks for densities: whole descriptors, the drive's own is the highest") {
  const Met met = any_drive();
  CAPTURE(met.generation, met.family);
  Proxmox rig(met);
  const Data data = rig.answer({0x44, 0, 0, 0, 0, 0, 0, 0x20, 0, 0}, 8192);
  CHECK(be(data, 0, 2) + 2 == data.size());
  REQUIRE((data.size() - 4) % 52 == 0);
  std::uint64_t highest = 0;
  for (std::size_t at = 4; at < data.size(); at += 52) highest = std::max(highest, be(data, at, 1));
  CHECK(highest == scsi::ssc::find_generation(Rig::u8(met.generation))->density_code);
}

TEST_CASE("Proxmox asks how the drive is: activity, alerts, volume statistics") {
  const Met met = any_drive();
  CAPTURE(met.generation, met.family);
  Proxmox rig(met);
  rig.write(1000);
  const auto activity = parameters_of(rig.log_page(0x11)).at(0);
  REQUIRE(activity.size() == 4);
  CHECK((be(activity, 0, 1) & 1) == 1);  // the data is valid (DINIT)
  CHECK(be(activity, 2, 1) <= 0x0F);     // activities it knows

  const Data alerts = rig.log_page(0x12);
  CHECK(be(alerts, 2, 2) == 0x0C);
  CHECK(be(alerts, 4, 2) == 0);
  CHECK(be(alerts, 7, 1) == 8);
  CHECK(be(alerts, 8, 8) == 0);

  const auto statistics = parameters_of(rig.log_page(0x17));
  REQUIRE(statistics.contains(0));
  CHECK(statistics.at(0).back() == std::byte{1});  // page valid
  for (const auto& [code, value] : statistics) {
    CAPTURE(code);
    const bool counter =
        code <= 0x17 || code == 0x80 || code == 0x81 || code == 0x101 || code == 0x102;
    if (counter) CHECK((!value.empty() && value.size() <= 8));
  }
}

TEST_CASE("Proxmox reads the cartridge memory: every attribute that it knows has its length") {
  const Met met = any_drive();
  CAPTURE(met.generation, met.family);
  Proxmox rig(met);
  const Data data = rig.answer({0x8C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0}, 32768);
  CHECK(be(data, 0, 4) + 4 == data.size());
  const std::map<std::uint64_t, std::size_t> lengths = {
      {0x0000, 8},  {0x0001, 8},  {0x0002, 8},   {0x0003, 8},   {0x0004, 8},  {0x0005, 8},
      {0x0006, 1},  {0x0007, 2},  {0x0009, 4},   {0x020A, 40},  {0x020B, 40}, {0x020C, 40},
      {0x020D, 40}, {0x0220, 8},  {0x0221, 8},   {0x0222, 8},   {0x0223, 8},  {0x0224, 8},
      {0x0225, 8},  {0x0400, 8},  {0x0401, 32},  {0x0402, 4},   {0x0403, 4},  {0x0404, 8},
      {0x0405, 1},  {0x0406, 8},  {0x0407, 8},   {0x0408, 1},   {0x0409, 2},  {0x040B, 10},
      {0x0800, 8},  {0x0801, 32}, {0x0802, 8},   {0x0803, 160}, {0x0804, 12}, {0x0805, 1},
      {0x0806, 32}, {0x0807, 80}, {0x0808, 160}, {0x080B, 16},  {0x0820, 36}, {0x0821, 36},
      {0x1000, 28}, {0x1001, 24}};
  std::map<std::uint64_t, Data> found;
  scsi::ByteReader reader(scsi::Bytes(data).subspan(4));
  while (reader.remaining() > 0) {
    const std::uint16_t id = reader.u16();
    reader.skip(1);
    const std::uint16_t length = reader.u16();
    const scsi::Bytes value = reader.bytes(length);
    REQUIRE(reader.ok());
    CAPTURE(id);
    if (const auto known = lengths.find(id); known != lengths.end()) CHECK(length == known->second);
    found[id] = Data(value.begin(), value.end());
  }
  // What it cannot do without: the day of manufacture, a date; and what was written and read.
  REQUIRE(found.contains(0x0406));
  for (const std::byte digit : found.at(0x0406))
    CHECK((digit >= std::byte{'0'} && digit <= std::byte{'9'}));
  CHECK(found.contains(0x0220));
  CHECK(found.contains(0x0221));
}

TEST_CASE("Proxmox writes a label into the cartridge memory, and removes it") {
  const Met met = any_drive();
  CAPTURE(met.generation, met.family);
  Proxmox rig(met);
  struct Field {
    int id;
    int format;  // 0 binary, 1 ASCII, 2 text
    int length;
  };
  for (const Field field : {Field{0x0800, 1, 8}, Field{0x0801, 1, 32}, Field{0x0802, 1, 8},
                            Field{0x0803, 2, 160}, Field{0x0808, 2, 160}}) {
    CAPTURE(field.id);
    for (const int length : {field.length, 0}) {
      // The label, filled up with zeros to the attribute's length; an empty one removes it.
      Data list =
          bytes({0, 0, 0, 5 + length, field.id >> 8, field.id & 0xFF, field.format, 0, length});
      if (length != 0) list.insert(list.end(), {std::byte{'P'}, std::byte{'B'}, std::byte{'S'}});
      list.resize(9 + std::size_t(length));
      rig.send({0x8D, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Rig::u8(list.size()), 0, 0}, list);
      CHECK(good(rig.last));
    }
  }
}

TEST_CASE("Proxmox sets a key: capabilities, the page, and a status that says so") {
  const Met met = any_drive();
  CAPTURE(met.generation, met.family);
  Proxmox rig(met);
  const auto spin = [&](std::uint8_t page) {
    return rig.answer({0xA2, 0x20, 0, page, 0, 0, 0, 0, 0x20, 4, 0, 0}, 8196);
  };
  const Data capabilities = spin(0x10);
  REQUIRE((capabilities.size() - 20) % 24 == 0);  // it reads descriptors to the last byte
  std::optional<std::uint64_t> index;
  for (std::size_t at = 20; at < capabilities.size() && !index; at += 24) {
    CHECK(be(capabilities, at + 2, 2) == 0x14);
    const bool by_hardware = (be(capabilities, at + 4, 1) & 0x0F) == 0x0A;  // both ways
    if (by_hardware && be(capabilities, at + 20, 4) == 0x00010014 &&
        be(capabilities, at + 10, 2) == 32)
      index = be(capabilities, at, 1);
  }
  REQUIRE(index.has_value());
  const auto status_after = [&](bool key) {
    Data list = bytes({0,
                       0x10,
                       0,
                       key ? 0x30 : 0x10,
                       0x40,
                       0,
                       key ? 2 : 0,
                       key ? 3 : 0,
                       static_cast<int>(*index),
                       0,
                       0,
                       0,
                       0,
                       0,
                       0,
                       0,
                       0,
                       0,
                       0,
                       key ? 32 : 0});
    list.resize(key ? 52 : 20, std::byte{0x5A});
    rig.send({0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, Rig::u8(list.size()), 0, 0}, list);
    CHECK(good(rig.last));
    const Data status = spin(0x20);
    CHECK(be(status, 0, 2) == 0x20);
    CHECK(status.size() >= 24);
    return be(status, 5, 2);
  };
  CHECK(status_after(true) == 0x0203);
  CHECK(good(rig.write(1000)));
  CHECK(status_after(false) == 0);
}

TEST_CASE("Proxmox writes media sets: files end where it thinks, and are found again") {
  const Met met = any_drive();
  CAPTURE(met.generation, met.family);
  Proxmox rig(met);
  constexpr std::uint32_t kBlock = 256u << 10;
  for (int file = 0; file < 4; ++file) {
    CHECK(good(rig.write(kBlock, file)));
    CHECK(good(rig.write(kBlock, file + 10)));
    CHECK(good(rig.filemarks(1)));
  }
  CHECK(good(rig.filemarks(0)));  // its way to synchronize
  // To a file: one before it by LOCATE, then over a filemark. It measures the difference once.
  std::int64_t offset = 0;
  const auto locate = [&](std::uint64_t file) {
    const auto wanted = std::uint64_t(std::int64_t(file) + offset - 1);
    rig.run({0x92, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0, Rig::u8(wanted), 0, 0, 0, 0});
    CHECK(good(rig.last));
    rig.run({0x11, 0x01, 0, 0, 1, 0});
    CHECK(good(rig.last));
    return rig.file();
  };
  for (const std::uint64_t file : {2u, 3u, 4u}) {
    offset = 0;
    if (const auto found = locate(file); found != file) {
      offset = std::int64_t(file) - std::int64_t(found);
      CHECK(locate(file) == file);
    }
    if (file == 4) continue;
    CHECK(rig.read(kBlock, true).data() == pattern(kBlock, int(file)));
    CHECK(rig.read(kBlock, true).data() == pattern(kBlock, int(file) + 10));
    rig.read(kBlock, true);
    CHECK(rig.sense() == "0/00/01");
  }
  rig.read(kBlock, true);
  CHECK(rig.sense() == "8/00/05");
  // The end: one object back is a filemark, which it goes over again; or it would write one.
  rig.rewind();
  CHECK(good(rig.run({0x11, 0x03, 0, 0, 0, 0})));
  CHECK(rig.object() == 12);
  rig.run({0x11, 0x00, 0xFF, 0xFF, 0xFF, 0});
  CHECK(rig.sense() == "0/00/01");
  CHECK(good(rig.run({0x11, 0x01, 0, 0, 1, 0})));
  CHECK(rig.object() == 12);
}

TEST_CASE("Proxmox at early warning: exactly 0/00/02, for a block and for a filemark") {
  const Met met = any_drive();
  CAPTURE(met.generation, met.family);
  Proxmox rig(met);
  rig.medium->set_capacity(600u << 10, 4u << 20);
  std::string sense;
  for (int i = 0; i < 5 && sense.empty(); ++i) {
    rig.write(256u << 10);
    sense = rig.sense();
  }
  CHECK(sense == "0/00/02");
  CHECK((rig.last.reply.sense->encode_fixed().at(0) & std::byte{0x7F}) == std::byte{0x70});
  rig.filemarks(1);
  CHECK(rig.sense() == "0/00/02");
}

TEST_CASE("Proxmox formats: FORMAT MEDIUM to LTO-8, ERASE from LTO-9; a WORM cartridge is asked") {
  const Met met = any_drive();
  CAPTURE(met.generation, met.family);
  Proxmox rig(met);
  rig.write(1000);
  rig.rewind();
  if (met.generation < 9) {
    CHECK(good(rig.run({0x04, 0, 0, 0, 0, 0})));
    CHECK(good(rig.run({0x19, 0x01, 0, 0, 0, 0})));
  } else {
    CHECK(good(rig.run({0x19, 0x00, 0, 0, 0, 0})));
  }
  CHECK(good(rig.run({0x11, 0x03, 0, 0, 0, 0})));
  CHECK(rig.object() == 0);

  Proxmox worm(met, true);
  CHECK(good(worm.run({0x11, 0x03, 0, 0, 0, 0})));
  CHECK(worm.object() == 0);
}
