// Data that is not as it was agreed upon, and tasks that end before they should: rows of the table
// in README.md.
#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "neighbour.h"

namespace {

constexpr int kSoon = RawSession::kPatience;
constexpr int kInvalidField = 0x09;
constexpr std::uint32_t kSize = 5000;
const ByteString kReady(6), kRewind{0x01, 0, 0, 0, 0, 0};

struct Data : Neighbour {
  using Neighbour::Neighbour;
  // A WRITE whose data has been asked for; `spoil` answers in its way. How it ends.
  std::string solicited(RawSession& bad, const std::function<void(const RawPdu& r2t)>& spoil) {
    bad.send(bad.command(write6(kSize), Way::kOut, kSize));
    const RawPdu r2t = bad.expect(kR2t);
    spoil(r2t);
    return bad.finish(bad.last_tag()).sense_code();
  }
  // A WRITE with `first` bytes in its PDU and more to follow unasked, as `more` says.
  std::string unsolicited(RawSession& bad, std::uint32_t size, std::size_t first,
                          const std::function<void(Header data_out)>& more = {}) {
    Header write = bad.command(write6(size), Way::kOut, size);
    if (more) write.bytes[1] &= 0x7f;
    bad.send(write, pattern(first, 1));
    if (more) more(Header(0x05, 0x80).set32(16, bad.last_tag()).set32(20, 0xffffffff));
    return bad.finish(bad.last_tag()).sense_code();
  }
  // None of it is on the tape.
  void nothing_written(RawSession& bad) {
    CHECK(bad.run(bad.command({0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0}, Way::kIn, 32)).data.at(15) == 0);
  }
};
struct StrictData : Data {
  StrictData() : Data(Server::kStrict) {}
};

}  // namespace

TEST_CASE_METHOD(Data, "bad input 23: data that does not fit what was asked for", "[bad]") {
  RawSession bad = session();
  const ByteString all = pattern(kSize, 1);
  SECTION("of no task") {
    for (const std::uint32_t transfer_tag : {0xffffffffu, 1u})
      CHECK(bad.rejected(Header(0x05, 0x80).set32(16, 0x7777).set32(20, transfer_tag), all) ==
            kInvalidField);
  }
  SECTION("another transfer tag, another logical unit") {
    CHECK(solicited(bad, [&](const RawPdu& r2t) {
            bad.send(bad.data_out(r2t, 0, 0, true).set32(20, number_at(r2t.header, 20) + 1), all);
          }) == "B/4B/00");
    CHECK(solicited(bad, [&](const RawPdu& r2t) {
            bad.send(bad.data_out(r2t, 0, 0, true).set8(9, 1), all);
          }) == "B/4B/00");
    // As if it had not been asked for.
    CHECK(solicited(bad, [&](const RawPdu& r2t) {
            bad.send(bad.data_out(r2t, 0, 0, true).set32(20, 0xffffffff), all);
          }) == "B/0C/0C");
  }
  SECTION("offsets beyond the end, again, with a gap, and past 2^32") {
    for (const std::uint32_t offset : {kSize, kSize + 1, 1u, 0x80000000u, 0xfffff000u, 0xffffffffu})
      CHECK(solicited(bad, [&](const RawPdu& r2t) {
              bad.send(bad.data_out(r2t, 0, offset, true), all);
            }) == "B/4B/05");
    for (const std::uint32_t offset : {0u, 999u, 1001u})
      CHECK(solicited(bad, [&](const RawPdu& r2t) {
              bad.send(bad.data_out(r2t, 0, 0, false), ByteString(1000));
              bad.send(bad.data_out(r2t, 1, offset, true), ByteString(4000));
            }) == "B/4B/05");
  }
  SECTION("too much, too little, and without an end") {
    CHECK(solicited(bad, [&](const RawPdu& r2t) {
            bad.send(bad.data_out(r2t, 0, 0, true), ByteString(kSize + 1));
          }) == "B/4B/00");
    CHECK(solicited(bad, [&](const RawPdu& r2t) {
            bad.send(bad.data_out(r2t, 0, 0, true), ByteString(kSize - 1));
          }) == "B/4B/00");
    CHECK(solicited(bad, [&](const RawPdu& r2t) {
            bad.send(bad.data_out(r2t, 0, 0, false), all);
          }) == "B/4B/00");
    CHECK(solicited(bad, [&](const RawPdu& r2t) {
            bad.send(bad.data_out(r2t, 0, 0, false), ByteString(262144));
          }) == "B/4B/00");
  }
  SECTION("for a command that reads, or that has ended") {
    bad.send(bad.command(kReady));
    CHECK(bad.finish(bad.last_tag()).good());
    CHECK(bad.rejected(Header(0x05, 0x80).set32(16, bad.last_tag()).set32(20, 1), all) ==
          kInvalidField);
  }
  nothing_written(bad);
}

TEST_CASE_METHOD(Data, "bad input 24: unsolicited data that was not agreed upon", "[bad]") {
  RawLogin login;
  login.keys = {"FirstBurstLength=4096", "MaxBurstLength=65536"};
  SECTION("beyond the first burst") {
    RawSession bad = session(login);
    CHECK(unsolicited(bad, 10000, 5000) == "B/0C/0C");
    CHECK(unsolicited(bad, 10000, 4000, [&](Header more) {
            bad.send(more.set32(40, 4000), ByteString(97));
          }) == "B/0C/0C");
    nothing_written(bad);
  }
  SECTION("under InitialR2T=Yes") {
    login.keys.push_back("InitialR2T=Yes");
    RawSession bad = session(login);
    CHECK(unsolicited(bad, 3000, 1000, [&](Header more) {
            bad.send(more.set32(40, 1000), ByteString(2000));
          }) == "B/0C/0C");
    nothing_written(bad);
  }
  SECTION("under ImmediateData=No") {
    login.keys.push_back("ImmediateData=No");
    RawSession bad = session(login);
    CHECK(unsolicited(bad, 3000, 1000) == "B/0C/0C");
    nothing_written(bad);
  }
  SECTION("more than the command expects") {
    RawSession bad = session(login);
    CHECK(unsolicited(bad, 16, 4000) == "B/0C/0C");
    CHECK(unsolicited(bad, 1000, 500, [&](Header more) {
            bad.send(more.set32(40, 500), ByteString(501));
          }) == "B/0C/0C");
    nothing_written(bad);
  }
  SECTION("with a command that takes none") {
    RawSession bad = session(login);
    CHECK(bad.rejected(bad.command({0x12, 0, 0, 0, 36, 0}, Way::kIn, 36), ByteString(100)) == 0x04);
    CHECK(bad.alive());
  }
}

TEST_CASE_METHOD(Data, "bad input 25: directions and lengths that contradict the CDB", "[bad]") {
  RawSession bad = session();
  const ByteString record = pattern(3000, 1);
  REQUIRE(bad.run(bad.command(write6(3000), Way::kOut, 3000), record).good());
  REQUIRE(bad.run(bad.command(kRewind)).good());
  const auto run = [&](const ByteString& cdb, Way way, std::uint32_t expected,
                       const ByteString& data = {}) {
    return bad.run(bad.command(cdb, way, expected), data);
  };
  SECTION("data for a command that takes none") {
    const CommandResult result = run(kReady, Way::kOut, 100, ByteString(100));
    CHECK(result.good());
    CHECK(result.residual == 100);
  }
  SECTION("none expected, or too little, of a READ") {
    for (const std::uint32_t expected : {0u, 1u, 512u, 2999u}) {
      const CommandResult result = run(read6(3000), Way::kIn, expected);
      CHECK((result.data == ByteString(record.begin(), record.begin() + expected)));
      CHECK(result.residual == std::int64_t{expected} - 3000);
      REQUIRE(run(kRewind, Way::kNone, 0).good());
    }
    const CommandResult none = run(read6(3000), Way::kNone, 0);
    CHECK(none.data.empty());
    CHECK(none.residual == -3000);
  }
  SECTION("4 GiB expected") {
    const std::uint64_t lent = daemon().server()["buffers_lent_bytes"];
    const CommandResult read = run(read6(3000), Way::kIn, 0xffffffff);
    CHECK((read.data == record));
    CHECK(read.residual == 0xffffffffll - 3000);
    REQUIRE(run(kRewind, Way::kNone, 0).good());
    const CommandResult write =
        bad.run(bad.command(write6(3000), Way::kOut, 0xffffffff), record, 0);
    CHECK(write.good());
    CHECK(bad.largest_r2t == 3000);
    CHECK(write.residual == 0xffffffffll - 3000);
    CHECK(daemon().server()["buffers_lent_bytes"].get<std::uint64_t>() <= lent + (16u << 20));
  }
  SECTION("a WRITE that announces to read, or nothing: no block is written") {
    REQUIRE(run(kRewind, Way::kNone, 0).good());
    CHECK(run(write6(3000), Way::kIn, 3000).sense_code() == "5/24/00");
    CHECK(run(write6(3000), Way::kNone, 0).sense_code() == "5/24/00");
    const CommandResult less = run(write6(3000), Way::kOut, 1000, ByteString(1000));
    CHECK(less.sense_code() == "5/24/00");
    CHECK(less.residual == -2000);
    nothing_written(bad);
    CHECK((run(read6(3000), Way::kIn, 3000).data == record));
  }
  SECTION("a READ that announces to write") {
    const CommandResult result = run(read6(3000), Way::kOut, 3000, ByteString(3000));
    CHECK(result.data.empty());
  }
  CHECK(run(kRewind, Way::kNone, 0).good());
}

TEST_CASE_METHOD(Data, "bad input 30: functions on tasks and units that are not one's own",
                 "[bad]") {
  RawSession bad = session();
  Header own = bad.management(1);
  CHECK(bad.manage(own.set32(20, bad.last_tag())) == 1);
  // Another host's task, by its tag and its number.
  RawLogin login;
  login.initiator = "iqn.2026-11.local.test:other";
  RawSession other = session(login);
  other.send(other.command(write6(700), Way::kOut, 700).set32(16, 0x4711));
  const RawPdu r2t = other.expect(kR2t);
  CHECK(bad.manage(bad.management(1, 0x4711).set32(32, other.cmd_sn - 1)) == 1);
  CHECK(bad.manage(bad.management(2)) == 0);  // ABORT TASK SET: one's own
  CHECK(bad.manage(bad.management(5).set8(9, 1)) == 2);
  CHECK(bad.manage(bad.management(8, 0x4711)) == 4);
  CHECK(bad.manage(bad.management(1, 0x4711).set8(9, 3)) == 1);
  for (const int function : {3, 9, 10, 11, 12, 0, 100, 127})
    CHECK(bad.manage(bad.management(function)) == 5);
  other.send(other.data_out(r2t, 0, 0, true), pattern(700, 1));
  CHECK(other.finish(0x4711).good());
  CHECK(other.run(other.command(kRewind)).good());
}

TEST_CASE_METHOD(Data, "bad input 31: ABORT TASK while the command ends", "[bad]") {
  RawSession bad = session();
  int ended = 0, aborted = 0;
  for (int i = 0; i < 200; ++i) {
    // In one piece, so that they meet: with all data there, or none, or a command that is over.
    const bool write = i % 2 == 0;
    const Header command =
        write ? bad.command(write6(700), Way::kOut, 700) : bad.command({0x11, 3, 0, 0, 0, 0});
    const std::uint32_t tag = bad.last_tag();
    ByteString both = bad.encode(command, write && i % 4 == 0 ? pattern(700, 1) : ByteString());
    const ByteString abort = bad.encode(bad.management(1, tag).set32(32, bad.cmd_sn - 1));
    both.insert(both.end(), abort.begin(), abort.end());
    bad.send(both);
    int responses = 0;
    for (;;) {
      const auto pdu = bad.next();
      REQUIRE(pdu);
      if (pdu->opcode() == kR2t) continue;
      if (pdu->opcode() == kScsiResponse) {
        ++responses;
        continue;
      }
      REQUIRE(pdu->opcode() == kManagementResponse);
      REQUIRE((pdu->header[2] == 0 || pdu->header[2] == 1));
      aborted += pdu->header[2] == 0;
      REQUIRE(responses == (pdu->header[2] == 0 ? 0 : 1));  // one of the two, and not both
      break;
    }
    ended += responses;
  }
  CHECK(ended + aborted == 200);
  CHECK(bad.silent());
  CHECK(bad.run(bad.command(kRewind)).good());
}

TEST_CASE_METHOD(Data, "bad input 32: reset, logout and the end of the connection amid I/O",
                 "[bad]") {
  const ByteString record = pattern(200000, 1);
  // As many as the window lets; nothing of what comes back is waited for.
  const auto stream = [&](RawSession& bad) {
    for (int i = 0; i < 12; ++i) {
      bad.send(
          bad.command(write6(record.size()), Way::kOut, static_cast<std::uint32_t>(record.size())),
          record);
      if (i % 4 == 3) bad.send(bad.command({0x10, 1, 0, 0, 1, 0}));
    }
    bad.send(bad.command({0x11, 0, 0xff, 0xff, 0xff, 0}));
    for (int i = 0; i < 4; ++i) bad.send(bad.command(read6(200000), Way::kIn, 200000));
  };
  for (int round = 0; round < 3; ++round) {
    {
      RawSession bad = session();
      stream(bad);
      const Header reset = bad.management(round == 0 ? 5 : 6);
      bad.send(reset);
      for (;;) {
        const auto pdu = bad.next();
        REQUIRE(pdu);
        if (pdu->opcode() != kManagementResponse) continue;
        CHECK(pdu->header[2] == 0);
        break;
      }
      CHECK(bad.silent());  // no response of a task that was ended
      bad.clear_unit_attentions();
      CHECK(bad.run(bad.command(kRewind)).good());
    }
    {
      RawSession bad = session();
      stream(bad);
      bad.send(bad.logout(0).set32(24, bad.cmd_sn));
      bad.end_sending();
      bool answered = false;
      while (const auto pdu = bad.receive(kSoon)) answered |= pdu->opcode() == kLogoutResponse;
      CHECK(answered);
    }
    {
      RawSession bad = session();
      if (round == 1) bad.reset_at_end();
      stream(bad);
    }
    {
      RawSession bad = session();
      stream(bad);
      RawSession again = session();  // the same initiator port: the first one is ended for it
      CHECK(bad.closed_within(kSoon));
      CHECK(again.alive());
    }
  }
  RawSession after = session();  // what of it was taken is written by then
}

TEST_CASE_METHOD(StrictData, "bad input 37: who never reads", "[bad]") {
  RawSession pings(port(), drive(1));
  RawLogin login;
  login.initiator = "iqn.2026-11.local.test:reader";
  RawSession reads = session(login);
  REQUIRE(reads.run(reads.command(write6(1000000), Way::kOut, 1000000), pattern(1000000, 1), 262144)
              .good());
  for (int i = 0; i < 16; ++i) {
    reads.send(reads.command({0x01, 0, 0, 0, 0, 0}));
    reads.send(reads.command(read6(1000000), Way::kIn, 1000000));
  }
  const std::uint64_t before = reached("unread");
  const Header ping = RawSession::immediate(pings.ping());
  const ByteString payload(16384, 'p');
  int sent = 0;
  while (sent < 100000 && pings.send(ping, payload)) ++sent;
  CHECK(sent < 100000);  // dropped, and so is the other
  CHECK(reached("unread") >= before + 1);
  for (int i = 0; i < 500 && daemon().server()["sessions"].size() > 1; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(daemon().server()["sessions"].size() == 1);
}
