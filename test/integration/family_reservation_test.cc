// libiscsi's families of RESERVE(6) and PERSISTENT RESERVE, told anew on tape.
#include <catch2/catch.hpp>
#include <memory>

#include "neighbour.h"

namespace {

const ByteString kReady(6), kRewind{0x01, 0, 0, 0, 0, 0};
const ByteString kReserve6{0x16, 0, 0, 0, 0, 0}, kRelease6{0x17, 0, 0, 0, 0, 0};
const ByteString kModeSense{0x1a, 0, 0x3f, 0, 255, 0}, kInquiry{0x12, 0, 0, 0, 36, 0};
constexpr int kGood = 0, kConflict = 0x18;
enum : std::uint8_t { kRegister, kReserve, kRelease, kClear, kPreempt, kPreemptAndAbort, kIgnore };
enum : std::uint8_t { kKeys, kReservation, kCapabilities, kFullStatus };

RawLogin named(const std::string& host) {
  RawLogin login;
  login.initiator = "iqn.2026-11.local.test:" + host;
  return login;
}

struct Reservations : Neighbour {
  std::unique_ptr<RawSession> one = std::make_unique<RawSession>(session(named("one")));
  std::unique_ptr<RawSession> two = std::make_unique<RawSession>(session(named("two")));

  static CommandResult none(RawSession& host, const ByteString& cdb) {
    return host.run(host.command(cdb));
  }
  static int status(RawSession& host, const ByteString& cdb) { return none(host, cdb).status; }
  static int mode_sense(RawSession& host) {
    return host.run(host.command(kModeSense, Way::kIn, 255)).status;
  }
  static int inquiry(RawSession& host) {
    return host.run(host.command(kInquiry, Way::kIn, 36)).status;
  }
  static int write(RawSession& host) {
    return host.run(host.command(write6(700), Way::kOut, 700), pattern(700, 1)).status;
  }
  // The other half of a conflict is refused before it reads: what it would read is of no interest.
  static int read(RawSession& host) {
    const CommandResult result = host.run(host.command(read6(700), Way::kIn, 700));
    return result.status == kConflict ? kConflict : kGood;
  }
  static CommandResult reserve_out(RawSession& host, std::uint8_t action, std::uint8_t type,
                                   std::uint8_t key, std::uint8_t action_key = 0) {
    ByteString list(24);
    list[7] = key;
    list[15] = action_key;
    return host.run(host.command({0x5f, action, type, 0, 0, 0, 0, 0, 24, 0}, Way::kOut, 24), list);
  }
  static ByteString reserve_in(RawSession& host, std::uint8_t action, std::uint16_t room = 1024) {
    return host
        .run(host.command({0x5e, action, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(room >> 8),
                           static_cast<std::uint8_t>(room), 0},
                          Way::kIn, room))
        .data;
  }
  // Keys that are registered, in order.
  static std::vector<int> keys(RawSession& host) {
    const ByteString data = reserve_in(host, kKeys);
    std::vector<int> out;
    for (std::size_t at = 8; at + 8 <= data.size(); at += 8) out.push_back(data[at + 7]);
    return out;
  }
  // Type and key of the reservation; {0, 0}: none.
  static std::pair<int, int> reservation(RawSession& host) {
    const ByteString data = reserve_in(host, kReservation);
    if (data.size() < 24) return {0, 0};
    return {data[21], data[15]};
  }
  // one has 1, two has 2.
  void register_both() {
    REQUIRE(reserve_out(*one, kIgnore, 0, 0, 1).good());
    REQUIRE(reserve_out(*two, kIgnore, 0, 0, 2).good());
  }
  ~Reservations() {  // whatever there is: gone
    reserve_out(*one, kIgnore, 0, 0, 1);
    CHECK(reserve_out(*one, kClear, 0, 1).good());
    one->clear_unit_attentions();
    CHECK(none(*one, kRewind).good());
  }
};

}  // namespace

TEST_CASE_METHOD(Reservations, "RESERVE(6) of two initiators", "[family]") {
  CHECK(status(*one, kReserve6) == kGood);
  CHECK(status(*one, kReserve6) == kGood);  // again
  CHECK(status(*two, kReserve6) == kConflict);
  CHECK(status(*two, kRelease6) == kGood);  // of no effect
  CHECK(mode_sense(*one) == kGood);
  CHECK(mode_sense(*two) == kConflict);
  CHECK(status(*two, kReady) == kConflict);
  CHECK(write(*two) == kConflict);
  CHECK(inquiry(*two) == kGood);
  CHECK(two->run(two->command({0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0}, Way::kIn, 16)).good());
  CHECK(status(*two, kReserve6) == kConflict);
  CHECK(status(*one, kRelease6) == kGood);
  CHECK(status(*two, kReserve6) == kGood);
  CHECK(mode_sense(*one) == kConflict);
  CHECK(status(*two, kRelease6) == kGood);
}

TEST_CASE_METHOD(Reservations, "RESERVE(6) ends with its nexus, and with each reset", "[family]") {
  REQUIRE(status(*one, kReserve6) == kGood);
  REQUIRE(mode_sense(*two) == kConflict);
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
  SECTION("LOGICAL UNIT RESET") { CHECK(two->manage(two->management(5)) == 0); }
  SECTION("TARGET WARM RESET") { CHECK(two->manage(two->management(6)) == 0); }
  SECTION("TARGET COLD RESET") {
    CHECK(two->manage(two->management(7)) == 0);
    CHECK(two->closed_within(RawSession::kPatience));
    two = std::make_unique<RawSession>(session(named("two")));
  }
  two->clear_unit_attentions();
  CHECK(mode_sense(*two) == kGood);
  CHECK(status(*two, kReserve6) == kGood);
  CHECK(status(*two, kRelease6) == kGood);
  one = std::make_unique<RawSession>(session(named("one")));
}

TEST_CASE_METHOD(Reservations, "PERSISTENT RESERVE IN: keys, cut keys, capabilities, actions",
                 "[family][misread]") {
  CHECK(keys(*one).empty());
  const std::uint32_t generation = number_at(reserve_in(*one, kKeys), 0);
  register_both();
  const ByteString all = reserve_in(*one, kKeys);
  CHECK(number_at(all, 0) == generation + 2);
  CHECK(keys(*one) == std::vector<int>{1, 2});
  for (const std::uint16_t room :
       std::vector<std::uint16_t>{4, 8, 12, 16, 23}) {  // ADDITIONAL LENGTH says how much there is
    const ByteString cut = reserve_in(*one, kKeys, room);
    CHECK((cut == ByteString(all.begin(), all.begin() + room)));
    if (room >= 8) CHECK(number_at(cut, 4) == 16);
  }
  CHECK(reserve_in(*one, kReservation) == ByteString{all[0], all[1], all[2], all[3], 0, 0, 0, 0});
  // Types as SPC-4 table 229 has them: all six, and APTPL can be.
  CHECK(reserve_in(*one, kCapabilities) == ByteString{0, 8, 0x1d, 0x80, 0xea, 1, 0, 0});
  const ByteString full = reserve_in(*one, kFullStatus);
  REQUIRE(full.size() > 8 + 24 + 20);
  CHECK(full[8 + 7] == 1);
  CHECK(std::string(full.begin(), full.end()).find("iqn.2026-11.local.test:two,i,0x") !=
        std::string::npos);
  for (std::uint8_t action = 4; action < 0x20; ++action)
    CHECK(one->run(one->command({0x5e, action, 0, 0, 0, 0, 0, 0, 255, 0}, Way::kIn, 255))
              .sense_code() == "5/24/00");
  for (std::uint8_t action = 7; action < 0x20; ++action)
    CHECK(reserve_out(*one, action, 1, 1).sense_code() == "5/24/00");
}

TEST_CASE_METHOD(Reservations, "REGISTER: once, again, with the wrong key, and gone", "[family]") {
  CHECK(reserve_out(*one, kRegister, 0, 0, 1).good());
  CHECK(keys(*two) == std::vector<int>{1});
  CHECK(reserve_out(*one, kRegister, 0, 0, 5).status == kConflict);  // the key was due
  CHECK(reserve_out(*one, kRegister, 0, 4, 5).status == kConflict);
  CHECK(reserve_out(*one, kRegister, 0, 1, 5).good());
  CHECK(reserve_out(*one, kIgnore, 0, 9, 6).good());
  CHECK(keys(*two) == std::vector<int>{6});
  CHECK(reserve_out(*two, kReserve, 1, 0).status == kConflict);  // not registered
  CHECK(reserve_out(*one, kRegister, 0, 6, 0).good());
  CHECK(keys(*two).empty());
}

TEST_CASE_METHOD(Reservations, "RESERVE and RELEASE: simple, of each type", "[family]") {
  register_both();
  for (const std::uint8_t type : ByteString{1, 3, 5, 6, 7, 8}) {
    CAPTURE(static_cast<int>(type));
    CHECK(reserve_out(*one, kReserve, type, 9).status == kConflict);  // the wrong key
    CHECK(reserve_out(*one, kReserve, type, 1).good());
    CHECK(reservation(*two) == std::pair<int, int>{type, type >= 7 ? 0 : 1});
    CHECK(reserve_out(*one, kReserve, type, 1).good());  // again
    CHECK(reserve_out(*one, kReserve, type == 1 ? 3 : 1, 1).status == kConflict);
    CHECK(reserve_out(*one, kRelease, type == 1 ? 3 : 1, 1).sense_code() == "5/26/04");
    CHECK(reserve_out(*one, kRelease, type, 1).good());
    // Those that were shut in with it are told that it is over.
    CHECK(none(*two, kReady).sense_code() == (type >= 5 ? "6/2A/04" : ""));
    CHECK(reservation(*two).first == 0);
  }
  for (const std::uint8_t type : ByteString{0, 2, 4, 9, 15, 0x11, 0xf1})
    CHECK(reserve_out(*one, kReserve, type, 1).sense_code() == "5/24/00");
}

// SPC-4 5.12.1, SSC-5 table 14: READ moves the tape, so that it is no mere look even under write
// exclusive; MODE SENSE is.
TEST_CASE_METHOD(Reservations, "access of others under each type: the matrix", "[family]") {
  REQUIRE(write(*one) == kGood);
  struct Row {
    std::uint8_t type;
    bool exclusive, registrants;
  };
  for (const Row& row : {Row{1, false, false}, Row{3, true, false}, Row{5, false, true},
                         Row{6, true, true}, Row{7, false, true}, Row{8, true, true}}) {
    register_both();
    REQUIRE(reserve_out(*one, kReserve, row.type, 1).good());
    for (const bool registered : {true, false}) {
      CAPTURE(static_cast<int>(row.type), registered);
      if (!registered) REQUIRE(reserve_out(*two, kRegister, 0, 2, 0).good());
      const bool in = registered && row.registrants;
      CHECK(write(*two) == (in ? kGood : kConflict));
      CHECK(status(*two, {0x10, 1, 0, 0, 0, 0}) == (in ? kGood : kConflict));
      CHECK(status(*two, kRewind) == (in ? kGood : kConflict));
      CHECK(read(*two) == (in ? kGood : kConflict));
      CHECK(mode_sense(*two) == (in || !row.exclusive ? kGood : kConflict));
      CHECK(status(*two, {0x1e, 0, 0, 0, 1, 0}) == (in ? kGood : kConflict));  // PREVENT
      CHECK(status(*two, {0x1e, 0, 0, 0, 0, 0}) == kGood);                     // ALLOW
      // CRH of REPORT CAPABILITIES: who has access gets a GOOD that means nothing.
      CHECK(status(*two, kReserve6) == (in ? kGood : kConflict));
      CHECK(status(*two, kRelease6) == kGood);  // of no effect
      CHECK(inquiry(*two) == kGood);
      CHECK(status(*two, kReady) == kGood);
      CHECK(reserve_in(*two, kKeys).size() >= 16);
      CHECK(status(*one, kRewind) == kGood);
      CHECK(read(*one) == kGood);
      CHECK(write(*one) == kGood);
    }
    REQUIRE(reserve_out(*one, kClear, 0, 1).good());
    one->clear_unit_attentions();
    two->clear_unit_attentions();
    CHECK(write(*two) == kGood);
  }
}

TEST_CASE_METHOD(Reservations, "ownership: what becomes of it when its holder goes", "[family]") {
  for (const std::uint8_t type : ByteString{1, 3, 5, 6, 7, 8}) {
    CAPTURE(static_cast<int>(type));
    register_both();
    REQUIRE(reserve_out(*one, kReserve, type, 1).good());
    CHECK(reserve_out(*two, kRelease, type, 2).good());  // a holder's only, if all hold it
    CHECK(reservation(*two).first == (type >= 7 ? 0 : type));
    CHECK(none(*one, kReady).sense_code() == (type >= 7 ? "6/2A/04" : ""));
    if (type >= 7) REQUIRE(reserve_out(*one, kReserve, type, 1).good());
    CHECK(reserve_out(*one, kRegister, 0, 1, 0).good());
    CHECK(none(*two, kReady).sense_code() == (type == 5 || type == 6 ? "6/2A/04" : ""));
    // With all registrants it stays with those that are left.
    CHECK(reservation(*two).first == (type >= 7 ? type : 0));
    CHECK(reserve_out(*two, kClear, 0, 2).good());
    CHECK(keys(*one).empty());
  }
}

TEST_CASE_METHOD(Reservations, "a registration outlives its nexus, and a reset", "[family]") {
  register_both();
  REQUIRE(reserve_out(*one, kReserve, 3, 1).good());
  one->send(one->logout(0));
  CHECK(one->expect(kLogoutResponse).header[2] == 0);
  CHECK(mode_sense(*two) == kConflict);
  CHECK(two->manage(two->management(5)) == 0);
  two->clear_unit_attentions();
  CHECK(mode_sense(*two) == kConflict);
  one = std::make_unique<RawSession>(port(), drive(1), named("one"));
  one->clear_unit_attentions();
  CHECK(mode_sense(*one) == kGood);
  CHECK(reservation(*one) == std::pair<int, int>{3, 1});
}

TEST_CASE_METHOD(Reservations, "CLEAR: everything goes, and the others are told", "[family]") {
  register_both();
  REQUIRE(reserve_out(*one, kReserve, 3, 1).good());
  CHECK(reserve_out(*two, kClear, 0, 9).status == kConflict);
  CHECK(reserve_out(*two, kClear, 0, 2).good());
  CHECK(keys(*two).empty());
  CHECK(reservation(*two).first == 0);
  CHECK(none(*one, kReady).sense_code() == "6/2A/03");
  CHECK(none(*two, kReady).good());
}

TEST_CASE_METHOD(Reservations, "PREEMPT and PREEMPT AND ABORT", "[family]") {
  register_both();
  REQUIRE(reserve_out(*one, kReserve, 3, 1).good());
  SECTION("takes the reservation, and the registration goes") {
    CHECK(reserve_out(*two, kPreempt, 1, 2, 1).good());
    CHECK(reservation(*two) == std::pair<int, int>{1, 2});
    CHECK(keys(*two) == std::vector<int>{2});
    CHECK(none(*one, kReady).sense_code() == "6/2A/05");
    CHECK(reserve_out(*one, kRelease, 1, 1).status == kConflict);
    CHECK(write(*one) == kConflict);
    CHECK(reserve_out(*two, kClear, 0, 2).good());
  }
  SECTION("of a key that is nobody's, and with none") {
    CHECK(reserve_out(*two, kPreempt, 3, 2, 9).status == kConflict);
    CHECK(reserve_out(*two, kPreempt, 3, 2, 0).sense_code() == "5/26/00");
    CHECK(reservation(*two) == std::pair<int, int>{3, 1});
  }
  SECTION("of a registration only") {
    CHECK(reserve_out(*one, kPreempt, 3, 1, 2).good());
    CHECK(reservation(*one) == std::pair<int, int>{3, 1});
    CHECK(keys(*one) == std::vector<int>{1});
    CHECK(none(*two, kReady).sense_code() == "6/2A/05");
  }
  SECTION("with abort: its tasks end, and nobody waits for them") {
    one->send(one->command(write6(700), Way::kOut, 700));
    const RawPdu r2t = one->expect(kR2t);
    two->send(two->command({0x5f, kPreemptAndAbort, 3, 0, 0, 0, 0, 0, 24, 0}, Way::kOut, 24));
    const std::uint32_t tag = two->last_tag();
    CHECK(two->silent());
    one->send(one->command({0x10, 0, 0, 0, 1, 0}));  // waits behind both
    // One command at a time: the WRITE has the unit until its data is there.
    one->send(one->data_out(r2t, 0, 0, true), pattern(700, 1));
    ByteString list(24);
    list[7] = 2;
    list[15] = 1;
    CHECK(two->finish(tag, list).good());
    CHECK(reservation(*two) == std::pair<int, int>{3, 2});
    CHECK(one->finish(number_at(r2t.header, 16)).good());  // it had ended before
    CHECK(one->silent());
    CHECK(number_at(two->run(two->command({0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0}, Way::kIn, 32)).data,
                    12) == 1);  // no filemark
    CHECK(none(*one, kReady).sense_code() == "6/2A/05");
    CHECK(reserve_out(*two, kClear, 0, 2).good());
  }
}
