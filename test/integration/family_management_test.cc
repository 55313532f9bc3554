// libiscsi's families of task management, PREVENT ALLOW and two paths, told anew on tape.
#include <catch2/catch.hpp>
#include <memory>

#include "neighbour.h"

namespace {

const ByteString kReady(6), kRewind{0x01, 0, 0, 0, 0, 0};
const ByteString kPrevent{0x1e, 0, 0, 0, 1, 0}, kAllow{0x1e, 0, 0, 0, 0, 0};
const ByteString kUnload{0x1b, 0, 0, 0, 0, 0}, kLoad{0x1b, 0, 0, 0, 1, 0};
constexpr int kAbortTask = 1, kAbortTaskSet = 2, kClearTaskSet = 4, kUnitReset = 5, kWarmReset = 6,
              kColdReset = 7;

RawLogin named(const std::string& host) {
  RawLogin login;
  login.initiator = "iqn.2026-11.local.test:" + host;
  return login;
}

struct Functions : Neighbour {
  std::unique_ptr<RawSession> one = std::make_unique<RawSession>(session(named("one")));
  std::unique_ptr<RawSession> two = std::make_unique<RawSession>(session(named("two")));

  static CommandResult none(RawSession& host, const ByteString& cdb) {
    return host.run(host.command(cdb));
  }
  static std::string sense(RawSession& host, const ByteString& cdb) {
    return none(host, cdb).sense_code();
  }
  // A WRITE that waits for its data, so that it is under way for as long as one wants.
  static RawPdu write_under_way(RawSession& host) {
    host.send(host.command(write6(700), Way::kOut, 700));
    return host.expect(kR2t);
  }
  static std::uint32_t position(RawSession& host) {
    return number_at(host.run(host.command({0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0}, Way::kIn, 32)).data,
                     12);
  }
  static void load_again(RawSession& host) {
    CHECK(none(host, kLoad).good());
    host.clear_unit_attentions();
    for (int i = 0; i < 1000 && sense(host, kReady) == "2/04/01"; ++i) {
    }
    CHECK(none(host, kReady).good());
  }
};

}  // namespace

TEST_CASE_METHOD(Functions, "ABORT TASK: one that is there, and one that is not", "[family]") {
  CHECK(one->manage(one->management(kAbortTask, 0x12345).set32(32, one->cmd_sn - 1)) == 1);
  const RawPdu r2t = write_under_way(*one);
  const std::uint32_t tag = one->last_tag();
  CHECK(one->manage(one->management(kAbortTask, tag).set32(32, one->cmd_sn - 1)) == 0);
  // Its data is on its way: it is swallowed, and there is no response to the task.
  one->send(one->data_out(r2t, 0, 0, true), pattern(700, 1));
  CHECK(one->silent());
  CHECK(one->manage(one->management(kAbortTask, tag).set32(32, one->cmd_sn - 1)) == 1);
  CHECK(position(*one) == 0);
  CHECK(none(*one, kReady).good());  // no unit attention for what one did oneself
}

TEST_CASE_METHOD(Functions, "ABORT TASK of a command behind another", "[family]") {
  const RawPdu r2t = write_under_way(*one);
  const std::uint32_t write = one->last_tag();
  one->send(one->command({0x10, 0, 0, 0, 1, 0}));  // a filemark, which waits
  CHECK(one->manage(one->management(kAbortTask, one->last_tag()).set32(32, one->cmd_sn - 1)) == 0);
  one->send(one->data_out(r2t, 0, 0, true), pattern(700, 1));
  CHECK(one->finish(write).good());
  CHECK(position(*one) == 1);  // the block, and no filemark
  CHECK(none(*one, kRewind).good());
}

// SAM-5 8.6: it is SIMPLE, and so may be reordered; what is ORDERED or was put at the head of the
// queue is not passed.
TEST_CASE_METHOD(Functions, "TEST UNIT READY beside a WRITE whose host does not send its data",
                 "[family]") {
  constexpr int kSimple = 1, kOrdered = 2, kHeadOfQueue = 3;
  const auto with = [](Header header, int attribute) {
    header.bytes[1] = static_cast<std::uint8_t>((header.bytes[1] & 0xf8) | attribute);
    return header;
  };
  const auto write = [&](int attribute) {
    one->send(with(one->command(write6(700), Way::kOut, 700), attribute));
    return one->expect(kR2t);
  };
  const auto ask = [&](RawSession& host, int attribute) {
    host.send(with(host.command(kReady), attribute));
    return host.last_tag();
  };
  const auto finish_write = [&](const RawPdu& r2t) {
    one->send(one->data_out(r2t, 0, 0, true), pattern(700, 1));
    CHECK(one->finish(number_at(r2t.header, 16)).good());
  };
  RawPdu r2t = write(kSimple);
  for (RawSession* host : {two.get(), one.get(), two.get()})
    CHECK(host->finish(ask(*host, kSimple)).good());
  const std::uint32_t ordered = ask(*two, kOrdered);
  CHECK(two->silent());
  const std::uint32_t behind = ask(*one, kSimple);
  CHECK(one->silent());
  finish_write(r2t);
  CHECK(two->finish(ordered).good());
  CHECK(one->finish(behind).good());
  for (const int attribute : {kOrdered, kHeadOfQueue}) {
    CAPTURE(attribute);
    r2t = write(attribute);
    const std::uint32_t waits = ask(*two, kSimple);
    CHECK(two->silent());
    finish_write(r2t);
    CHECK(two->finish(waits).good());
  }
  CHECK(position(*two) == 3);
  CHECK(none(*one, kRewind).good());
}

TEST_CASE_METHOD(Functions, "ABORT TASK SET ends one's own, CLEAR TASK SET everybody's",
                 "[family]") {
  for (const int function : {kAbortTaskSet, kClearTaskSet}) {
    CAPTURE(function);
    const RawPdu of_one = write_under_way(*one);
    two->send(two->command({0x10, 0, 0, 0, 1, 0}));  // waits behind it
    const std::uint32_t waiting = two->last_tag();
    CHECK(two->silent());
    CHECK(one->manage(one->management(function)) == 0);
    one->send(one->data_out(of_one, 0, 0, true), pattern(700, 1));
    CHECK(one->silent());
    if (function == kAbortTaskSet) {
      CHECK(two->finish(waiting).good());
      CHECK(none(*two, kRewind).good());
    } else {
      CHECK(two->silent());
      CHECK(sense(*two, kReady) == "6/2F/00");  // commands cleared by another initiator
    }
    CHECK(none(*one, kReady).good());
    CHECK(none(*two, kReady).good());
  }
}

TEST_CASE_METHOD(Functions, "LOGICAL UNIT RESET and TARGET WARM RESET, idle and under way",
                 "[family]") {
  for (const int function : {kUnitReset, kWarmReset}) {
    for (const bool busy : {false, true}) {
      CAPTURE(function, busy);
      RawPdu r2t;
      std::uint32_t waiting = 0;
      if (busy) {
        r2t = write_under_way(*one);
        two->send(two->command(kRewind));
        waiting = two->last_tag();
      }
      CHECK(two->manage(two->management(function)) == 0);
      if (busy) {
        one->send(one->data_out(r2t, 0, 0, true), pattern(700, 1));
        (void)waiting;
        CHECK(one->silent());
        CHECK(two->silent());
      }
      // Both hear of it, also who asked for it; once.
      for (RawSession* host : {one.get(), two.get()}) {
        CHECK(sense(*host, kReady).substr(0, 5) == "6/29/");
        CHECK(none(*host, kReady).good());
      }
      CHECK(position(*one) == 0);
    }
  }
  // The tape stays loaded, and where it is; what was written before is on it.
  const RawPdu r2t = write_under_way(*one);
  one->send(one->data_out(r2t, 0, 0, true), pattern(700, 5));
  CHECK(one->finish(one->last_tag()).good());
  CHECK(one->manage(one->management(kUnitReset)) == 0);
  one->clear_unit_attentions();
  two->clear_unit_attentions();
  CHECK(none(*one, kRewind).good());
  CHECK(one->run(one->command(read6(700), Way::kIn, 700)).data == pattern(700, 5));
  CHECK(none(*one, kRewind).good());
}

TEST_CASE_METHOD(Functions, "TARGET COLD RESET ends every session of the target", "[family]") {
  write_under_way(*one);
  CHECK(two->manage(two->management(kColdReset)) == 0);
  CHECK(one->closed_within(RawSession::kPatience));
  CHECK(two->closed_within(RawSession::kPatience));
  RawSession again(port(), drive(1), named("one"));
  CHECK(none(again, kReady).good());  // its end was word enough
  CHECK(position(again) == 0);
}

TEST_CASE_METHOD(Functions, "two paths: each sees what the other did", "[family]") {
  const ByteString inquiry{0x12, 1, 0x83, 0, 255, 0};
  CHECK(one->run(one->command(inquiry, Way::kIn, 255)).data ==
        two->run(two->command(inquiry, Way::kIn, 255)).data);
  CHECK(one->run(one->command(write6(700), Way::kOut, 700), pattern(700, 3)).good());
  CHECK(position(*two) == 1);
  CHECK(none(*two, kRewind).good());
  CHECK(two->run(two->command(read6(700), Way::kIn, 700)).data == pattern(700, 3));
  CHECK(none(*one, kRewind).good());
  // Parameters that one changes, and a tape that goes and comes, are told to the other.
  ByteString list(12);
  list[2] = 0x10;
  list[3] = 8;
  list[10] = 2;  // blocks of 512
  CHECK(one->run(one->command({0x15, 0x10, 0, 0, 12, 0}, Way::kOut, 12), list).good());
  CHECK(sense(*two, kReady) == "6/2A/01");
  list[10] = 0;
  CHECK(two->run(two->command({0x15, 0x10, 0, 0, 12, 0}, Way::kOut, 12), list).good());
  CHECK(sense(*one, kReady) == "6/2A/01");
  CHECK(none(*one, kUnload).good());
  CHECK(sense(*two, kReady).substr(0, 2) == "2/");
  CHECK(none(*one, kLoad).good());
  CHECK(sense(*two, kReady) == "6/28/00");
  one->clear_unit_attentions();
  CHECK(none(*one, kReady).good());
}

TEST_CASE_METHOD(Functions, "PREVENT: the tape does not go, until it is allowed", "[family]") {
  CHECK(none(*one, kPrevent).good());
  CHECK(none(*one, kPrevent).good());  // twice is once
  CHECK(sense(*one, kUnload) == "5/53/02");
  CHECK(none(*one, kReady).good());  // it is still loaded
  CHECK(none(*one, kAllow).good());
  CHECK(none(*one, kUnload).good());
  load_again(*one);
}

TEST_CASE_METHOD(Functions, "PREVENT of one holds against the other, and of both needs both",
                 "[family]") {
  CHECK(none(*one, kPrevent).good());
  CHECK(sense(*two, kUnload) == "5/53/02");
  CHECK(none(*two, kAllow).good());  // not two's to give
  CHECK(sense(*two, kUnload) == "5/53/02");
  CHECK(none(*two, kPrevent).good());
  CHECK(none(*one, kAllow).good());
  CHECK(sense(*one, kUnload) == "5/53/02");
  CHECK(none(*two, kAllow).good());
  CHECK(none(*one, kUnload).good());
  load_again(*one);
}

TEST_CASE_METHOD(Functions, "PREVENT ends with its nexus, and with each reset", "[family]") {
  CHECK(none(*one, kPrevent).good());
  CHECK(sense(*two, kUnload) == "5/53/02");
  SECTION("logout") {
    one->send(one->logout(0));
    CHECK(one->expect(kLogoutResponse).header[2] == 0);
  }
  SECTION("a connection that drops") {
    one->reset_at_end();
    one.reset();
    for (int i = 0; i < 1000 && daemon().server()["sessions"].size() > 2; ++i) {
    }
  }
  SECTION("reinstatement") { one = std::make_unique<RawSession>(session(named("one"))); }
  SECTION("LOGICAL UNIT RESET") { CHECK(two->manage(two->management(kUnitReset)) == 0); }
  SECTION("TARGET WARM RESET") { CHECK(two->manage(two->management(kWarmReset)) == 0); }
  SECTION("TARGET COLD RESET") {
    CHECK(two->manage(two->management(kColdReset)) == 0);
    CHECK(two->closed_within(RawSession::kPatience));
    two = std::make_unique<RawSession>(session(named("two")));
  }
  two->clear_unit_attentions();
  CHECK(none(*two, kUnload).good());
  load_again(*two);
}
