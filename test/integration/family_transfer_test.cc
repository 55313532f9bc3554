// libiscsi's families of data transfer, told anew on tape: DataSN, residuals, NOP-Out.
#include <catch2/catch.hpp>
#include <functional>

#include "neighbour.h"

namespace {

const ByteString kReady(6), kRewind{0x01, 0, 0, 0, 0, 0};

std::uint8_t byte_of(std::uint32_t value, int index) {
  return static_cast<std::uint8_t>(value >> (8 * index));
}
// Fixed blocks of the length that MODE SELECT has set: WRITE(6) 0Ah, READ(6) 08h.
ByteString fixed6(std::uint8_t opcode, std::uint32_t blocks) {
  return {opcode, 1, byte_of(blocks, 2), byte_of(blocks, 1), byte_of(blocks, 0), 0};
}

struct Transfers : Neighbour {
  RawSession host = session();

  CommandResult none(const ByteString& cdb) { return host.run(host.command(cdb)); }
  CommandResult in(const ByteString& cdb, std::uint32_t expected) {
    return host.run(host.command(cdb, Way::kIn, expected));
  }
  CommandResult out(const ByteString& cdb, std::uint32_t expected, const ByteString& data,
                    std::size_t unasked = SIZE_MAX) {
    return host.run(host.command(cdb, Way::kOut, expected), data, unasked);
  }
  std::uint32_t position() { return number_at(in({0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0}, 32).data, 12); }
  void block_length(std::uint32_t length) {
    ByteString list(12);
    list[2] = 0x10;  // buffered, as ever
    list[3] = 8;
    list[9] = byte_of(length, 2);
    list[10] = byte_of(length, 1);
    list[11] = byte_of(length, 0);
    REQUIRE(out({0x15, 0x10, 0, 0, 12, 0}, 12, list).good());
  }
};

}  // namespace

TEST_CASE_METHOD(Transfers, "DataSN that repeats, jumps, is negative or swapped: never GOOD",
                 "[family][bad]") {
  // In the data that was asked for, and in that which was not.
  for (const bool asked : {true, false}) {
    for (const auto& [first, second] : {std::pair{0u, 0u},
                                        {27u, 28u},
                                        {0u, 27u},
                                        {0xffffffffu, 0u},
                                        {0u, 0xffffffffu},
                                        {1u, 0u}}) {
      CAPTURE(asked, first, second);
      Header write = host.command(write6(2000), Way::kOut, 2000);
      if (!asked) write.bytes[1] &= 0x7f;
      host.send(write);
      Header part(0x05);
      if (asked)
        part = host.data_out(host.expect(kR2t), 0, 0, false);
      else
        part.set32(16, host.last_tag()).set32(20, 0xffffffff);
      host.send(Header(part).set32(36, first), pattern(1000, 1));
      host.send(Header(part).set8(1, 0x80).set32(36, second).set32(40, 1000), pattern(1000, 2));
      CHECK(host.finish(host.last_tag()).sense_code() == "B/4B/05");
    }
  }
  CHECK(position() == 0);
  // As it should be.
  host.send(host.command(write6(2000), Way::kOut, 2000));
  const RawPdu r2t = host.expect(kR2t);
  host.send(host.data_out(r2t, 0, 0, false), pattern(1000, 1));
  host.send(host.data_out(r2t, 1, 1000, true), pattern(1000, 2));
  CHECK(host.finish(host.last_tag()).good());
  CHECK(position() == 1);
  CHECK(none(kRewind).good());
}

TEST_CASE_METHOD(Transfers, "the F bit: missing at the end, and before it", "[family][bad]") {
  for (const auto& [first, second] : {std::pair{0x00, 0x00}, {0x80, 0x80}}) {
    host.send(host.command(write6(2000), Way::kOut, 2000));
    const RawPdu r2t = host.expect(kR2t);
    host.send(host.data_out(r2t, 0, 0, false).set8(1, static_cast<std::uint8_t>(first)),
              pattern(1000, 1));
    host.send(host.data_out(r2t, 1, 1000, false).set8(1, static_cast<std::uint8_t>(second)),
              pattern(1000, 2));
    CHECK(host.finish(host.last_tag()).sense_code() == "B/4B/00");
  }
  CHECK(position() == 0);
}

TEST_CASE_METHOD(Transfers, "residuals of WRITE: every relation of CDB and expected length",
                 "[family]") {
  const ByteString data = pattern(8192, 1);
  const auto first = [&](std::size_t n) {
    return ByteString(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(n));
  };
  for (const std::size_t unasked : {SIZE_MAX, std::size_t{0}}) {
    CAPTURE(unasked);
    SECTION(unasked == 0 ? "asked for" : "immediate") {
      // A block has the CDB's length; what is expected beyond it is not asked for.
      for (const auto& [length, expected] : {std::pair{512u, 512u},
                                             {512u, 513u},
                                             {512u, 1024u},
                                             {512u, 8192u},
                                             {1u, 512u},
                                             {511u, 512u}}) {
        CAPTURE(length, expected);
        const CommandResult more = out(write6(length), expected, first(expected), unasked);
        CHECK(more.good());
        CHECK(more.residual == std::int64_t{expected} - length);
        REQUIRE(none({0x11, 0, 0xff, 0xff, 0xff, 0}).good());
        CHECK((in(read6(length), length).data == first(length)));
      }
      // With less than a block there is none: a tape does not write half of one.
      const std::uint32_t before = position();
      for (const auto& [length, expected] :
           {std::pair{512u, 511u}, {512u, 1u}, {1024u, 512u}, {8192u, 512u}}) {
        CAPTURE(length, expected);
        const CommandResult less = out(write6(length), expected, first(expected), unasked);
        CHECK(less.sense_code() == "5/24/00");
        CHECK(less.residual == std::int64_t{expected} - length);
      }
      CHECK(position() == before);
    }
  }
  SECTION("no data at all") {
    const CommandResult zero = out(write6(0), 512, first(512));
    CHECK(zero.good());
    CHECK(zero.residual == 512);
    CHECK(out(write6(0), 0, {}).residual == 0);
    const CommandResult unannounced = none(write6(512));
    CHECK(unannounced.sense_code() == "5/24/00");
    CHECK(unannounced.residual == -512);
    CHECK(position() == 0);
  }
  SECTION("fixed blocks") {
    block_length(512);
    for (const auto& [blocks, expected] :
         {std::pair{1u, 512u}, {2u, 1024u}, {1u, 1024u}, {3u, 8192u}}) {
      const CommandResult more = out(fixed6(0x0a, blocks), expected, first(expected));
      CHECK(more.good());
      CHECK(more.residual == std::int64_t{expected} - 512 * blocks);
    }
    const CommandResult less = out(fixed6(0x0a, 2), 1000, first(1000));
    CHECK(less.sense_code() == "5/24/00");
    CHECK(less.residual == -24);
    CHECK(position() == 7);
    block_length(0);
  }
  CHECK(none(kRewind).good());
}

TEST_CASE_METHOD(Transfers, "residuals of READ: every relation of block, CDB and expected length",
                 "[family]") {
  const ByteString block = pattern(1000, 1);
  REQUIRE(out(write6(1000), 1000, block).good());
  REQUIRE(none({0x10, 0, 0, 0, 1, 0}).good());
  const auto read = [&](std::uint32_t length, std::uint32_t expected, bool sili) {
    REQUIRE(none(kRewind).good());
    ByteString cdb = read6(length);
    cdb[1] = sili ? 2 : 0;
    return in(cdb, expected);
  };
  const auto first = [&](std::size_t n) {
    return ByteString(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(n));
  };
  SECTION("the CDB asks for the block") {
    for (const std::uint32_t expected : {0u, 1u, 512u, 999u, 1000u, 1001u, 4096u}) {
      const CommandResult result = read(1000, expected, false);
      CAPTURE(expected);
      CHECK(result.good());
      CHECK((result.data == first(std::min(expected, 1000u))));
      CHECK(result.residual == std::int64_t{expected} - 1000);
    }
  }
  SECTION("for more than the block: ILI, or not if that is suppressed") {
    for (const bool sili : {false, true}) {
      for (const std::uint32_t expected : {500u, 1000u, 1500u, 2000u, 3000u}) {
        const CommandResult result = read(2000, expected, sili);
        CAPTURE(sili, expected);
        CHECK(result.status == (sili ? 0 : 2));
        if (!sili) CHECK(result.information() == 1000);
        CHECK((result.data == first(std::min(expected, 1000u))));
        // What the CDB asks for counts, not what the tape has (SAM-5 5.4.3).
        CHECK(result.residual ==
              (expected < 2000 ? std::int64_t{expected} - 2000 : std::int64_t{expected} - 1000));
      }
    }
  }
  SECTION("for less than the block") {
    for (const std::uint32_t expected : {200u, 400u, 600u}) {
      const CommandResult result = read(400, expected, false);
      CAPTURE(expected);
      CHECK(result.incorrect_length());
      CHECK(result.information() == -600);
      CHECK((result.data == first(std::min(expected, 400u))));
      CHECK(result.residual == std::int64_t{expected} - 400);
    }
  }
  SECTION("a filemark, the end of data, and nothing") {
    REQUIRE(read(1000, 1000, false).good());
    const CommandResult filemark = in(read6(1000), 1000);
    CHECK(filemark.filemark());
    CHECK(filemark.residual == 1000);
    const CommandResult end = in(read6(1000), 1000);
    CHECK(end.sense_code() == "8/00/05");
    CHECK(end.residual == 1000);
    CHECK(in(read6(0), 512).residual == 512);
  }
  SECTION("commands without data, with some expected") {
    for (const ByteString& cdb : {kReady, kRewind, ByteString{0x1e, 0, 0, 0, 0, 0}}) {
      CHECK(none(cdb).residual == 0);
      CHECK(in(cdb, 512).residual == 512);
      CHECK(out(cdb, 512, ByteString(512)).residual == 512);
    }
  }
  CHECK(none(kRewind).good());
}

TEST_CASE_METHOD(Transfers, "residuals of MODE SENSE and INQUIRY", "[family][misread]") {
  for (const ByteString& cdb :
       {ByteString{0x1a, 0, 0x3f, 0, 4, 0}, ByteString{0x12, 0, 0, 0, 4, 0}}) {
    CHECK(in(cdb, 4).residual == 0);
    CHECK(in(cdb, 4).data.size() == 4);
    CHECK(in(cdb, 2).residual == -2);
    CHECK(in(cdb, 0).residual == -4);
    CHECK(in(cdb, 255).residual == 251);
  }
  const CommandResult all = in({0x1a, 0, 0x3f, 0, 255, 0}, 255);
  CHECK(all.residual == 255 - static_cast<std::int64_t>(all.data.size()));
}

TEST_CASE_METHOD(Transfers, "NOP-Out: simple, in a row, between commands", "[family]") {
  for (const std::size_t size : {0u, 1u, 3u, 4u, 4096u, 262144u}) {
    const ByteString data = pattern(size, 9);
    host.send(host.ping(), data);
    const RawPdu pong = host.expect(kNopIn);
    CHECK((pong.data == data));
    CHECK(number_at(pong.header, 20) == 0xffffffff);
  }
  for (int i = 0; i < 20; ++i) host.send(i % 2 == 0 ? host.ping() : host.command(kReady));
  std::uint32_t tag = host.last_tag() - 19;
  for (int i = 0; i < 20; ++i, ++tag) {  // they are taken in the order of their numbers
    const auto answer = host.next();
    REQUIRE(answer);
    CHECK(answer->opcode() == (i % 2 == 0 ? kNopIn : kScsiResponse));
    CHECK(number_at(answer->header, 16) == tag);
  }
}
