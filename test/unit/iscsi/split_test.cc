// The result does not depend on how the bytes were cut.
#include <random>

#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

// A whole conversation as one stream of bytes, so that it can be cut anywhere: nothing in it
// depends on answers but the transfer tag of the one R2T, which is always the same.
Data conversation(bool digests) {
  Data stream;
  const auto add = [&](const Data& bytes) {
    stream.insert(stream.end(), bytes.begin(), bytes.end());
  };
  World world;
  auto i = world.connect();
  LoginRequest login;
  login.transit = true;
  login.current = Stage::kOperational;
  login.next = Stage::kFullFeature;
  login.task_tag = 1;
  login.cmd_sn = 1;
  std::string text;
  append_text(text, "InitiatorName", kInitiatorName);
  append_text(text, "TargetName", kDrive);
  for (const char* key : {"HeaderDigest", "DataDigest"})
    append_text(text, key, digests ? "CRC32C" : "None");
  append_text(text, "InitialR2T", "No");
  append_text(text, "FirstBurstLength", "2048");
  append_text(text, "MaxRecvDataSegmentLength", "1024");
  add(i->encode(login.encode(), scsi::as_bytes(text)));
  i->header_digest = i->data_digest = digests;
  i->cmd_sn = 1;
  add(i->encode(i->command({0x00}).encode()));
  NopOut ping;
  ping.immediate = true;
  ping.task_tag = 7;
  ping.cmd_sn = i->cmd_sn;
  add(i->encode(ping.encode(), pattern(13)));
  ScsiCommand write = i->command({0x0A, 0, 0, 0x13, 0x89, 0}, 5001);
  write.write = true;
  write.final = false;
  const Data record = pattern(5001);
  const scsi::Bytes r = record;
  add(i->encode(write.encode(), r.first(1001)));
  DataOut out;
  out.task_tag = write.task_tag;
  out.offset = 1001;
  add(i->encode(out.encode(), r.subspan(1001, 500)));
  out.data_sn = 1;
  out.offset = 1501;
  out.final = true;
  add(i->encode(out.encode(), r.subspan(1501, 500)));
  out = DataOut();
  out.task_tag = write.task_tag;
  out.transfer_tag = 1;
  out.offset = 2001;
  out.final = true;
  add(i->encode(out.encode(), r.subspan(2001)));
  ScsiCommand read = i->command({0x08, 0, 0, 0x0B, 0xB9}, 3001);
  read.read = true;
  add(i->encode(read.encode()));
  Header unknown{};
  unknown[0] = std::byte{0x1D};
  add(i->encode(unknown, pattern(3), Data(8)));
  TextRequest ask;
  ask.final = true;
  ask.task_tag = 8;
  ask.cmd_sn = i->cmd_sn++;
  add(i->encode(ask.encode(), scsi::as_bytes(std::string("SendTargets=\0", 13))));
  LogoutRequest logout;
  logout.task_tag = 9;
  logout.cmd_sn = i->cmd_sn++;
  add(i->encode(logout.encode()));
  add(Data(100, std::byte{0xEE}));  // after the end: nobody looks
  return stream;
}

Data output_of(const Data& stream, std::function<std::size_t()> next_chunk, bool apart = false) {
  World world({}, {}, {256u << 20, 64u << 20}, apart);
  auto i = world.connect();
  i->next_chunk = std::move(next_chunk);
  i->write(stream);
  REQUIRE(world.unit.records.size() == 1);
  REQUIRE(world.unit.records[0] == pattern(5001));
  return i->all_output;
}

}  // namespace

TEST_CASE("any split of the same bytes gives the same answers", "[iscsi]") {
  const bool apart = GENERATE(false, true);
  for (const bool digests : {false, true}) {
    const Data stream = conversation(digests);
    const Data whole = output_of(stream, [] { return ~std::size_t{0}; });
    CHECK(whole.size() > 3000);
    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
      bool first = true;
      const Data out = output_of(
          stream, [&] { return std::exchange(first, false) ? cut : ~std::size_t{0}; }, apart);
      if (out != whole) FAIL("cut at " << cut);
    }
    for (const std::size_t size : {1u, 2u, 3u, 47u, 48u, 49u}) {
      if (output_of(
              stream, [&] { return size; }, apart) != whole)
        FAIL("pieces of " << size);
    }
    for (unsigned seed = 0; seed < 100; ++seed) {
      std::minstd_rand random(seed);
      if (output_of(
              stream, [&] { return 1 + random() % 700; }, apart) != whole)
        FAIL("seed " << seed);
    }
  }
}

TEST_CASE("answers do not depend on when they are read", "[iscsi]") {
  const Data stream = conversation(true);
  const Data whole = output_of(stream, [] { return ~std::size_t{0}; });
  const bool apart = GENERATE(false, true);
  World world({}, {}, {256u << 20, 64u << 20}, apart);
  auto i = world.connect();
  i->reading = false;
  i->write(stream);
  i->pump();
  CHECK(i->all_output == whole);
}
