// Every allocation length and every parameter list length that a host may choose: what is sent is
// the beginning of the whole answer, and a list that is not whole changes nothing.
#include "scsi/protection.h"
#include "test/unit/ssc/rig.h"

using namespace test;

namespace {

// A command that sends data, and where its allocation length is.
struct Asked {
  const char* name;
  Cdb cdb;
  std::size_t at, width;
};

const std::vector<Asked> kAsked = {
    {"REQUEST SENSE", {0x03, 0, 0, 0, 0}, 4, 1},
    {"INQUIRY", {0x12, 0, 0, 0, 0}, 3, 2},
    {"INQUIRY, page 83h", {0x12, 1, 0x83, 0, 0}, 3, 2},
    {"INQUIRY, page B2h", {0x12, 1, 0xB2, 0, 0}, 3, 2},
    {"MODE SENSE(6)", {0x1A, 0, 0x3F, 0, 0}, 4, 1},
    {"MODE SENSE(10)", {0x5A, 0, 0x3F, 0xFF, 0, 0, 0, 0, 0}, 7, 2},
    {"RECEIVE DIAGNOSTIC RESULTS", {0x1C, 0, 0, 0, 0}, 3, 2},
    {"READ POSITION, extended form", {0x34, 8, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
    {"READ BUFFER, dump", {0x3C, 2, 1, 0, 0, 0, 0, 0, 0}, 6, 3},
    {"READ BUFFER, descriptor", {0x3C, 3, 1, 0, 0, 0, 0, 0, 0}, 6, 3},
    {"REPORT DENSITY SUPPORT", {0x44, 1, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
    {"REPORT DENSITY SUPPORT, medium types", {0x44, 2, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
    {"LOG SENSE, list", {0x4D, 0, 0x40, 0xFF, 0, 0, 0, 0, 0}, 7, 2},
    {"LOG SENSE, page 17h", {0x4D, 0, 0x57, 0, 0, 0, 0, 0, 0}, 7, 2},
    {"LOG SENSE, page 2Eh", {0x4D, 0, 0x6E, 0, 0, 0, 0, 0, 0}, 7, 2},
    {"PERSISTENT RESERVE IN, full status", {0x5E, 3, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
    {"PERSISTENT RESERVE IN, capabilities", {0x5E, 2, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
    {"READ ATTRIBUTE, values", {0x8C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 10, 4},
    {"READ ATTRIBUTE, list", {0x8C, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 10, 4},
    {"READ ATTRIBUTE, partitions", {0x8C, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 10, 4},
    {"SECURITY PROTOCOL IN, protocols", {0xA2, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 6, 4},
    {"SECURITY PROTOCOL IN, capabilities", {0xA2, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 0}, 6, 4},
    {"SECURITY PROTOCOL IN, status", {0xA2, 0x20, 0, 0x20, 0, 0, 0, 0, 0, 0}, 6, 4},
    {"SECURITY PROTOCOL IN, next block", {0xA2, 0x20, 0, 0x21, 0, 0, 0, 0, 0, 0}, 6, 4},
    {"REPORT IDENTIFYING INFORMATION", {0xA3, 5, 0, 0, 0, 0, 0, 0, 0, 0}, 6, 4},
    {"REPORT SUPPORTED OPERATION CODES", {0xA3, 0x0C, 0x80, 0, 0, 0, 0, 0, 0, 0}, 6, 4},
    {"REPORT TIMESTAMP", {0xA3, 0x0F, 0, 0, 0, 0, 0, 0, 0, 0}, 6, 4},
    {"READ MEDIA SERIAL NUMBER", {0xAB, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 6, 4},
};

Cdb with(const Asked& asked, std::size_t length) {
  Cdb cdb = asked.cdb;
  for (std::size_t i = 0; i < asked.width; ++i)
    cdb[asked.at + i] = Rig::u8(length >> 8 * (asked.width - 1 - i));
  return cdb;
}

}  // namespace

TEST_CASE("Lengths: whatever is asked for, the beginning of the whole answer, and the residual") {
  Rig rig;
  rig.load(std::make_unique<MemoryMedium>(8, 2));
  rig.write(100);
  rig.rewind();
  for (const Asked& asked : kAsked) {
    INFO(asked.name);
    const std::size_t most = asked.width == 1 ? 0xFF : 0xFFFF;
    const Data whole = rig.run(with(asked, most)).data();
    REQUIRE(good(rig.last));
    REQUIRE(whole.size() >= 4);
    for (std::size_t length = 0; length <= std::min(whole.size() + 2, most);
         length += length > 300 && length + 8 < whole.size() ? 7 : 1) {
      INFO("allocation length " << length);
      const auto expected = static_cast<std::uint32_t>(length);
      const Data part = rig.run(with(asked, length), rig.a, expected).data();
      REQUIRE(good(rig.last));
      REQUIRE(part.size() == std::min(length, whole.size()));
      REQUIRE(std::equal(part.begin(), part.end(), whole.begin()));
      REQUIRE(rig.last.residual.underflow == length - part.size());
      REQUIRE(rig.last.residual.overflow == 0);
      if (length == 0) continue;
      // The line offers less than the CDB asks for: as much as fits, and an overflow.
      const Data less = rig.run(with(asked, length), rig.a, expected - 1).data();
      REQUIRE(less.size() == std::min(length - 1, whole.size()));
      REQUIRE(rig.last.residual.overflow == (length <= whole.size() ? 1 : 0));
    }
  }
  CHECK(rig.position() == 0);
}

namespace {

// A command that takes a list, a list that it takes, and which beginnings of it are lists, too.
struct Sent {
  const char* name;
  Cdb cdb;
  std::size_t at, width;
  Data list;
  std::vector<std::size_t> also;
};

Data joined(std::initializer_list<Data> parts, std::size_t zeros = 0) {
  Data out;
  for (const Data& part : parts) out.insert(out.end(), part.begin(), part.end());
  out.resize(out.size() + zeros);
  return out;
}

std::vector<Sent> lists() {
  const Data descriptor = bytes({0, 0, 0, 0, 0, 0, 2, 0});  // blocks of 512 bytes
  const Data extension = joined({bytes({0x50, 1, 0, 0x1C, 0, 2, 0, 9})}, 24);
  const Data protection = joined({bytes({0x4A, 0xF0, 0, 0x1C, 1, 4, 0xC0})}, 25);
  const Data key = joined({bytes({0, 0x10, 0, 57, 0x40, 0, 2, 3, 1, 0, 0}), Data(8), bytes({32}),
                           pattern(32), bytes({0, 0, 0, 5, 'l', 'a', 'b', 'e', 'l'})});
  const Data attributes =
      bytes({0,    0,    0, 19, 0x08, 0x05, 0,   0,   1,   0x81,  //
             0x08, 0x00, 1, 0,  8,    'V',  'T', 'L', ' ', ' ',  ' ', ' ', ' '});
  return {
      {"MODE SELECT(6)", {0x15, 0x10}, 4, 1, joined({bytes({0, 0, 0x10, 8}), descriptor}), {}},
      {"MODE SELECT(10), pages",
       {0x55, 0x10},
       7,
       2,
       joined({bytes({0, 0, 0, 0x10, 0, 0, 0, 8}), descriptor, extension, protection}),
       {16, 48}},
      {"SEND DIAGNOSTIC", {0x1D, 0x10}, 3, 2, bytes({0x80, 0, 0, 4, 1, 0x60, 0, 0}), {}},
      {"PERSISTENT RESERVE OUT", {0x5F, 6}, 5, 4, joined({Data(15), bytes({7})}, 8), {}},
      {"WRITE ATTRIBUTE", {0x8D, 0}, 10, 4, attributes, {}},
      {"SECURITY PROTOCOL OUT", {0xB5, 0x20, 0, 0x10}, 6, 4, key, {}},
      {"SET TIMESTAMP", {0xA4, 0x0F}, 6, 4, joined({Data(4), bytes({1, 2, 3, 4, 5, 6})}, 2), {}},
  };
}

// All that the lists above can change.
Data settings(Rig& rig) {
  Data out;
  for (const Cdb& cdb : {Cdb{0x5A, 0, 0x3F, 0xFF, 0, 0, 0, 0x10, 0},
                         Cdb{0x8C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0},
                         Cdb{0xA2, 0x20, 0, 0x20, 0, 0, 0, 0, 1, 0}, Cdb{0x5E, 0, 0, 0, 0, 0, 0, 1},
                         Cdb{0xA3, 0x0F, 0, 0, 0, 0, 0, 0, 1, 0}}) {
    const Data part = rig.run(cdb).data();
    REQUIRE(good(rig.last));
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

}  // namespace

TEST_CASE("Lengths: a parameter list that is cut off, too long or not all sent changes nothing") {
  for (const Sent& sent : lists()) {
    INFO(sent.name);
    const auto with_length = [&](std::size_t length) {
      Cdb cdb = sent.cdb;
      cdb.resize(16);
      for (std::size_t i = 0; i < sent.width; ++i)
        cdb[sent.at + i] = Rig::u8(length >> 8 * (sent.width - 1 - i));
      return cdb;
    };
    const auto fresh = [] {
      auto rig = std::make_unique<Rig>();
      rig->load(std::make_unique<MemoryMedium>(8, 2));
      return rig;
    };
    auto rig = fresh();
    const Data before = settings(*rig);
    for (std::size_t length = 0; length < sent.list.size() + 6; ++length) {
      INFO("of " << length << " bytes");
      Data list = sent.list;
      list.resize(length);
      const bool whole = length == sent.list.size() ||
                         std::find(sent.also.begin(), sent.also.end(), length) != sent.also.end();
      if (!whole) {
        rig->send(with_length(length), list);
        CHECK(good(rig->last) == (length == 0 && sent.cdb[0] != 0x5F));
        if (!good(rig->last)) CHECK(rig->last.reply.sense->key == scsi::SenseKey::kIllegalRequest);
        REQUIRE(settings(*rig) == before);
        REQUIRE(good(rig->run({0x00}, rig->b)));  // and nobody is told
      }
      // All of the list is announced, and that much is sent.
      if (length < sent.list.size()) {
        CHECK(sense_of(rig->send(with_length(sent.list.size()), list)) == "5/1A/00");
        REQUIRE(settings(*rig) == before);
      }
    }
    std::vector<std::size_t> lengths = sent.also;
    lengths.push_back(sent.list.size());
    for (const std::size_t length : lengths) {
      auto other = fresh();
      Data list = sent.list;
      list.resize(length);
      CHECK(good(other->send(with_length(length), list)));
      if (sent.cdb[0] != 0x1D) CHECK(settings(*other) != before);
    }
  }
}

TEST_CASE("Lengths: blocks of 2^24 - 1 bytes, alone, with protection, and one byte too many") {
  constexpr std::uint32_t kMost = 0xFF'FFFF;
  auto options = drive_options();
  options.max_block_bytes = kMost;
  TestDrive drive(std::move(options));
  Recorder sink(drive);
  scsi::NexusInfo host;
  host.id = {1, 1};
  drive.nexus_established(host);
  auto cartridge = std::make_unique<MemoryMedium>();
  const MemoryMedium& medium = *cartridge;
  drive.insert(std::move(cartridge), [](scsi::ssc::InsertOutcome) {});
  const auto run = [&](const Cdb& cdb, std::uint32_t expected) {
    return sink.run(host.id, cdb, expected);
  };
  const auto send = [&](const Cdb& cdb, const Data& data) {
    return sink.run(host.id, cdb, 0, data);
  };
  while (!good(run({0x00}, 0))) {
  }
  CHECK(run({0x05}, 6).data() == bytes({0, 0xFF, 0xFF, 0xFF, 0, 1}));
  const Data block = pattern(kMost);
  CHECK(good(send({0x0A, 0, 0xFF, 0xFF, 0xFF}, block)));
  CHECK(good(run({0x01}, 0)));
  CHECK(run({0x08, 0, 0xFF, 0xFF, 0xFF}, kMost).data() == block);

  // Fixed: one such block fits into a command, two do not.
  Data list = bytes({0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF});
  CHECK(good(send({0x15, 0x10, 0, 0, 12}, list)));
  CHECK(good(run({0x01}, 0)));
  CHECK(good(run({0x08, 1, 0, 0, 1}, kMost)));
  CHECK(sense_of(run({0x08, 1, 0, 0, 2}, kMost)) == "5/24/00 cdb byte 2 bit 7");
  CHECK(sense_of(run({0x08, 1, 0xFF, 0xFF, 0xFF}, kMost)) == "5/24/00 cdb byte 2 bit 7");
  CHECK(medium.position().object == 1);

  // The four bytes of protection are part of the block length.
  Data protection = bytes({0, 0, 0, 0x10, 0, 0, 0, 0, 0x4A, 0xF0, 0, 0x1C, 2, 4, 0xC0});
  protection.resize(40);
  CHECK(good(send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 40}, protection)));
  Data sealed(block.begin(), block.end() - 4);
  const auto four = scsi::encode_protection(
      scsi::Protection::kCrc32c, scsi::protection_value(scsi::Protection::kCrc32c, sealed));
  sealed.insert(sealed.end(), four.begin(), four.end());
  CHECK(good(send({0x0A, 0, 0xFF, 0xFF, 0xFF}, sealed)));
  CHECK(medium.partition(0).used_bytes == 2ull * kMost - 4);
  CHECK(good(run({0x2B, 0, 0, 0, 0, 0, 1}, 0)));
  CHECK(run({0x08, 0, 0xFF, 0xFF, 0xFF}, kMost).data() == sealed);
  // The block without protection is longer now than a READ can say.
  CHECK(good(run({0x01}, 0)));
  const Ended longer = run({0x08, 0, 0xFF, 0xFF, 0xFF}, kMost);
  CHECK(flags_of(longer) == "ILI info=-4");
  CHECK(longer.residual.overflow == 0);
  CHECK(medium.position().object == 1);
}
