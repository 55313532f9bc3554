// Bad PDUs in full feature phase: rows of the table in README.md. Their data is in
// bad_data_test.cc, their CDBs are in bad_cdb_test.cc.
#include <catch2/catch.hpp>

#include "neighbour.h"

namespace {

constexpr int kSoon = RawSession::kPatience;
constexpr int kNotSupported = 0x05, kTooManyImmediate = 0x06, kTaskInProgress = 0x07,
              kInvalidField = 0x09;

std::string text(const RawPdu& pdu) { return std::string(pdu.data.begin(), pdu.data.end()); }
const ByteString kReady(6);  // TEST UNIT READY

}  // namespace

TEST_CASE_METHOD(Neighbour, "bad input 1: a data segment longer than was declared", "[bad]") {
  std::uint64_t before = 0;
  {
    RawSession usual(port(), drive(1));  // each has its reserve
    before = daemon().server()["buffers_resident_bytes"];
  }
  for (const int opcode : {0x00, 0x01, 0x04, 0x05}) {
    for (const std::uint32_t length : {262145u, 0xffffffu}) {
      CAPTURE(opcode, length);
      RawSession bad(port(), drive(1));
      Header header(static_cast<std::uint8_t>(opcode), 0xa0);
      bad.send(header.set24(5, length).set32(16, 3).set32(20, length).set32(24, 1).bytes);
      CHECK(bad.closed_within(kSoon));
    }
  }
  // Nothing was allocated by what they claimed.
  CHECK(daemon().server()["buffers_resident_bytes"].get<std::uint64_t>() <= before + (4u << 20));
}

TEST_CASE_METHOD(Neighbour, "bad input 2: additional header segments that lie", "[bad]") {
  RawSession bad = session();
  for (const ByteString& ahs :
       {ByteString(1020), ByteString{0xff, 0xff, 1, 0}, ByteString{0, 9, 1, 0, 1, 2, 3, 4},
        ByteString{0, 0, 1, 0}, ByteString{0, 5, 9, 0, 0, 0, 0, 8}}) {
    CAPTURE(ahs.size());
    CHECK(bad.rejected(bad.command(kReady), {}, ahs) == kInvalidField);
    CHECK(bad.alive());  // its CmdSN is used up, and the next one is due
  }
  bad.send(bad.command(kReady).set8(4, 255).bytes);  // and they never come
}

TEST_CASE_METHOD(Neighbour, "bad input 3: no data where data is expected", "[bad]") {
  RawSession bad = session();
  SECTION("a WRITE without any is asked for all of it") {
    const ByteString record = pattern(5000, 3);
    CHECK(bad.run(bad.command(write6(5000), Way::kOut, 5000), record, 0).good());
    CHECK(bad.largest_r2t == 5000);
  }
  SECTION("an empty Data-Out is no answer to an R2T") {
    for (const bool final : {true, false}) {
      bad.send(bad.command(write6(5000), Way::kOut, 5000));
      const RawPdu r2t = bad.expect(kR2t);
      bad.send(bad.data_out(r2t, 0, 0, final));
      CHECK(bad.finish(bad.last_tag()).sense_code() == "B/4B/00");
    }
  }
  SECTION("unsolicited data may end with an empty one, and not go on with it") {
    Header open = bad.command(write6(5000), Way::kOut, 5000);
    open.bytes[1] &= 0x7f;
    Header empty(0x05, 0x80);
    empty.set32(16, bad.last_tag()).set32(20, 0xffffffff).set32(40, 1000);
    bad.send(open, pattern(1000, 3));
    bad.send(empty);
    CHECK(bad.finish(bad.last_tag(), pattern(5000, 3)).good());
    CHECK(bad.largest_r2t == 4000);
    open = bad.command(write6(5000), Way::kOut, 5000);
    open.bytes[1] &= 0x7f;
    empty.set8(1, 0).set32(16, bad.last_tag());
    bad.send(open, pattern(1000, 3));
    bad.send(empty);
    bad.send(Header(empty).set8(1, 0x80).set32(36, 1));
    CHECK(bad.finish(bad.last_tag()).sense_code() == "B/4B/00");
  }
  SECTION("a text request without text has an answer without") {
    bad.send(bad.text());
    const RawPdu answer = bad.expect(kTextResponse);
    CHECK(answer.header[1] == 0x80);
    CHECK(answer.data.empty());
  }
  CHECK(bad.run(bad.command({0x01, 0, 0, 0, 0, 0})).good());
}

TEST_CASE_METHOD(Neighbour, "bad input 4: a second login in full feature phase", "[bad]") {
  RawSession bad(port(), drive(1));
  bad.send(Header(0x43, 0x87).set8(8, 0x80).set32(16, 1).set32(24, 1),
           text_of({"InitiatorName=iqn.2026-11.local.test:raw", "TargetName=" + drive(1)}));
  CHECK(bad.closed_within(kSoon));
}

TEST_CASE_METHOD(Neighbour, "bad input 5: opcodes that are a target's, or none", "[bad]") {
  RawSession bad = session();
  for (const int opcode : {0x07, 0x0f, 0x11, 0x1b, 0x1c, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24,
                           0x25, 0x26, 0x31, 0x32, 0x3c, 0x3f}) {
    CAPTURE(opcode);
    Header header(static_cast<std::uint8_t>(opcode), 0x80);
    CHECK(bad.rejected(header.set32(16, 9).set32(24, bad.cmd_sn), ByteString(40, 1)) ==
          kNotSupported);
  }
  CHECK(bad.alive());
}

TEST_CASE_METHOD(Neighbour, "bad input 20: numbers out of the window, again, and at the wrap",
                 "[bad]") {
  SECTION("too low, too high, and the same again") {
    RawSession bad = session();
    const std::uint32_t due = bad.cmd_sn;
    const std::uint64_t before = reached("command-window");
    for (const std::uint32_t sn :
         {due - 1, due - 100, due + 100000, due + 0x7fffffff, due + 1024}) {
      bad.send(bad.command(kReady).set32(24, sn));
      bad.cmd_sn = due;
      CHECK(bad.silent());
    }
    CHECK(reached("command-window") == before + 5);
    // A gap waits; what waits for its turn is not taken twice.
    bad.send(bad.command(kReady).set32(24, due + 1));
    const std::uint32_t second = bad.last_tag();
    bad.send(bad.command(kReady).set32(24, due + 1));
    bad.cmd_sn = due;
    CHECK(bad.silent());
    bad.send(bad.command(kReady));
    CHECK(bad.finish(bad.last_tag()).good());
    CHECK(bad.finish(second).good());
    bad.cmd_sn = due + 2;
    CHECK(bad.silent());
  }
  SECTION("FFFFFFFFh is followed by 0") {
    RawLogin login;
    login.cmd_sn = 0xfffffffc;
    RawSession bad(port(), drive(1), login);
    for (int i = 0; i < 10; ++i) CHECK(bad.alive());
    CHECK(bad.cmd_sn == 6);
    bad.send(bad.command(kReady).set32(24, 0xffffffff));
    --bad.cmd_sn;
    CHECK(bad.silent());
  }
}

TEST_CASE_METHOD(Neighbour, "bad input 21: a task tag that is in use, or reserved", "[bad]") {
  RawSession bad = session();
  bad.send(bad.command(write6(700), Way::kOut, 700));
  const RawPdu r2t = bad.expect(kR2t);
  const std::uint32_t tag = bad.last_tag();
  CHECK(bad.rejected(bad.command(kReady).set32(16, tag)) == kTaskInProgress);
  CHECK(bad.rejected(bad.command(write6(700), Way::kOut, 700).set32(16, tag), ByteString(700)) ==
        kTaskInProgress);
  CHECK(bad.rejected(bad.command(kReady).set32(16, 0xffffffff)) == kInvalidField);
  bad.send(bad.data_out(r2t, 0, 0, true), pattern(700, 1));
  CHECK(bad.finish(tag).good());  // the one that had it first is none the worse
  CHECK(bad.run(bad.command({0x01, 0, 0, 0, 0, 0})).good());
}

TEST_CASE_METHOD(Neighbour, "bad input 22: a flood of what does not wait its turn", "[bad]") {
  RawSession bad = session();
  // Behind a WRITE that waits for its data, so that none of the commands can end.
  bad.send(bad.command(write6(700), Way::kOut, 700));
  const RawPdu r2t = bad.expect(kR2t);
  const std::uint32_t write = bad.last_tag();
  SECTION("commands: four wait, the others are told 06") {
    std::vector<std::uint32_t> tags;
    for (int i = 0; i < 500; ++i) {
      bad.send(RawSession::immediate(bad.command({0x01, 0, 0, 0, 0, 0})));
      --bad.cmd_sn;
      tags.push_back(bad.last_tag());
    }
    for (std::size_t i = 4; i < tags.size(); ++i) {
      const RawPdu reject = bad.expect(kReject);
      if (reject.header[2] != kTooManyImmediate) FAIL("reason " << int{reject.header[2]});
    }
    bad.send(bad.data_out(r2t, 0, 0, true), pattern(700, 1));
    CHECK(bad.finish(write).good());
    for (std::size_t i = 0; i < 4; ++i) CHECK(bad.finish(tags[i]).good());
    CHECK(reached("immediate-commands") >= 496);
  }
  SECTION("pings and functions are answered, each once") {
    for (int i = 0; i < 500; ++i) {
      bad.send(RawSession::immediate(bad.ping()), ByteString(100, 'p'));
      --bad.cmd_sn;
      bad.send(bad.management(1, 0x77777777));
    }
    for (int i = 0; i < 500; ++i) {
      if (bad.expect(kNopIn).data.size() != 100) FAIL("a ping without its data");
      if (bad.expect(kManagementResponse).header[2] != 1) FAIL("a task that there is not");
    }
    bad.send(bad.data_out(r2t, 0, 0, true), pattern(700, 1));
    CHECK(bad.finish(write).good());
  }
  CHECK(bad.run(bad.command({0x01, 0, 0, 0, 0, 0})).good());
}

TEST_CASE_METHOD(Neighbour, "bad input 28: long CDBs, both directions, attributes", "[bad]") {
  RawSession bad = session();
  const ByteString extended = {0, 17, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  const CommandResult result = bad.run(bad.command({0x7f}, Way::kIn, 100), {}, 0, extended);
  CHECK(result.sense_code() == "5/20/00");
  CHECK(result.residual == 100);
  const ByteString bidirectional = {0, 5, 2, 0, 0, 0, 0, 8};
  CHECK(bad.rejected(bad.command(kReady), {}, bidirectional) == kInvalidField);
  Header both = bad.command(read6(512), Way::kIn, 512);
  both.bytes[1] |= 0x20;
  CHECK(bad.rejected(both) == kInvalidField);
  for (const int attribute : {5, 6, 7}) {
    Header header = bad.command(kReady);
    header.bytes[1] = static_cast<std::uint8_t>(0x80 | attribute);
    CHECK(bad.rejected(header) == kInvalidField);
  }
  CHECK(bad.alive());
}

TEST_CASE_METHOD(Neighbour, "bad input 29: logical units that there are not", "[bad]") {
  RawSession bad = session();
  const auto at = [](Header header, const ByteString& lun) {
    for (std::size_t i = 0; i < lun.size(); ++i) header.set8(8 + i, lun[i]);
    return header;
  };
  for (const ByteString& lun :
       {ByteString{0, 1}, ByteString{0, 0xff}, ByteString{0x40, 1}, ByteString{0x7f, 0xff},
        ByteString{0xff, 0xff}, ByteString{0xc1, 1}, ByteString{1, 0}, ByteString{0x80, 0},
        ByteString{0, 0, 1}, ByteString{0, 0, 0, 0, 0, 0, 0, 1},
        ByteString{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}) {
    CAPTURE(static_cast<int>(lun[0]), static_cast<int>(lun[1]), lun.size());
    CHECK(bad.run(at(bad.command(kReady), lun)).sense_code() == "5/25/00");
    CHECK(
        bad.run(at(bad.command(write6(700), Way::kOut, 700), lun), pattern(700, 1)).sense_code() ==
        "5/25/00");
    const CommandResult inquiry =
        bad.run(at(bad.command({0x12, 0, 0, 0, 36, 0}, Way::kIn, 36), lun));
    REQUIRE(inquiry.data.size() == 36);
    CHECK(inquiry.data[0] == 0x7f);
    const CommandResult luns =
        bad.run(at(bad.command({0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0}, Way::kIn, 16), lun));
    CHECK(luns.data == ByteString{0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    const CommandResult sense = bad.run(at(bad.command({0x03, 0, 0, 0, 18, 0}, Way::kIn, 18), lun));
    REQUIRE(sense.data.size() == 18);
    CHECK((sense.data[2] & 0x0f) == 5);
    CHECK(sense.data[12] == 0x25);
  }
  CHECK(bad.alive());
}

TEST_CASE_METHOD(Neighbour, "bad input 33: logouts of what there is not", "[bad]") {
  RawSession bad = session();
  const auto logout = [&](Header request) {
    bad.send(request);
    return bad.expect(kLogoutResponse).header[2];
  };
  CHECK(logout(bad.logout(1).set16(20, 9)) == 1);
  CHECK(logout(bad.logout(2)) == 2);
  for (const int reason : {3, 0x7f}) CHECK(bad.rejected(bad.logout(reason)) == kInvalidField);
  CHECK(bad.alive());
  // Twice, and more behind it: one answer, then the end.
  const std::uint32_t tag = number_at(bad.logout(0).bytes, 16) + 1;
  bad.send(bad.logout(0));
  bad.send(bad.logout(0));
  bad.send(bad.command(kReady));
  const RawPdu answer = bad.expect(kLogoutResponse);
  CHECK(answer.header[2] == 0);
  CHECK(number_at(answer.header, 16) == tag);
  bad.end_sending();  // it waits for that
  CHECK_FALSE(bad.receive(kSoon).has_value());
}

TEST_CASE_METHOD(Neighbour, "bad input 34: pings that are none", "[bad]") {
  RawSession bad = session();
  Header nothing(0x00, 0x80);
  CHECK(bad.rejected(nothing.set32(16, 0xffffffff).set32(20, 0xffffffff).set32(24, bad.cmd_sn)) ==
        kInvalidField);
  ++bad.cmd_sn;
  for (int i = 0; i < 200; ++i) {  // answers to what was never asked
    Header answer(0x40, 0x80);
    bad.send(answer.set32(16, 0xffffffff)
                 .set32(20, 0x1000u + static_cast<std::uint32_t>(i))
                 .set32(24, bad.cmd_sn),
             ByteString(50));
  }
  CHECK(bad.silent());
  CHECK(bad.alive());
  bad.send(bad.ping().set24(5, 0xffffff).bytes);
  CHECK(bad.closed_within(kSoon));
}

TEST_CASE_METHOD(Neighbour, "bad input 35: SNACK", "[bad]") {
  RawSession bad = session();
  for (const int type : {0, 1, 2, 3, 15}) {
    Header snack(0x10, static_cast<std::uint8_t>(0x80 | type));
    CHECK(bad.rejected(snack.set32(16, 0xffffffff).set32(40, 0xfffffff0).set32(44, 0xffffffff)) ==
          0x03);
  }
  CHECK(bad.alive());
}

TEST_CASE_METHOD(Neighbour, "bad input 36: digests that are wrong, or to be changed", "[bad]") {
  RawLogin login;
  login.keys = {"HeaderDigest=CRC32C,None", "DataDigest=CRC32C"};
  RawSession bad = session(login);
  REQUIRE((bad.header_digest && bad.data_digest));
  SECTION("of a header: the connection ends without a word") {
    ByteString bytes = bad.encode(bad.command(kReady));
    bytes[50] ^= 1;
    bad.send(bytes);
    CHECK_FALSE(bad.receive(kSoon).has_value());
    CHECK(bad.closed_within(kSoon));
  }
  SECTION("of data: Reject 02, and the end") {
    ByteString bytes = bad.encode(bad.command(write6(700), Way::kOut, 700), pattern(700, 1));
    bytes.back() ^= 1;
    bad.send(bytes);
    CHECK(bad.expect(kReject).header[2] == 0x02);
    CHECK(bad.closed_within(kSoon));
  }
  SECTION("without them, though they were agreed upon") {
    const Header header = bad.command(kReady);
    bad.header_digest = false;
    bad.send(header);
    bad.send(header);
    CHECK(bad.closed_within(kSoon));
  }
  SECTION("to be changed in full feature phase: refused, and they go on") {
    bad.send(bad.text(), text_of({"HeaderDigest=None", "DataDigest=None"}));
    CHECK(text(bad.expect(kTextResponse)) ==
          std::string("HeaderDigest=Reject\0DataDigest=Reject\0", 38));
    const ByteString record = pattern(3000, 1);
    CHECK(bad.run(bad.command(write6(3000), Way::kOut, 3000), record, 1000).good());
    CHECK(bad.run(bad.command({0x01, 0, 0, 0, 0, 0})).good());
  }
}
