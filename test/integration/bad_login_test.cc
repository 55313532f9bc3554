// Bad input to a login, or instead of one: rows of the table in README.md.
#include <catch2/catch.hpp>
#include <thread>

#include "neighbour.h"

namespace {

constexpr int kSoon = RawSession::kPatience;

// Login Request: immediate; T from operational negotiation to full feature phase, unless `flags`
// says otherwise.
Header login_request(std::uint8_t flags = 0x87) {
  return Header(0x43, flags).set8(8, 0x80).set32(16, 1).set32(24, 1);
}
std::vector<std::string> names(const std::string& target) {
  return {"InitiatorName=iqn.2026-11.local.test:bad", "SessionType=Normal", "TargetName=" + target};
}
ByteString with(std::vector<std::string> pairs, std::initializer_list<std::string> more) {
  pairs.insert(pairs.end(), more);
  return text_of(pairs);
}
std::string text(const RawPdu& pdu) { return std::string(pdu.data.begin(), pdu.data.end()); }
bool has(const std::string& all, const std::string& part) {
  return all.find(part) != std::string::npos;
}

// Status class and detail of the answer that comes, e.g. 0x020B; -1: none, only the end. Of a
// refusal the connection has to end.
int status(RawConnection& connection) {
  const auto response = connection.receive(kSoon);
  if (!response) return -1;
  if (response->opcode() != kLoginResponse) return -2;
  const int code = static_cast<int>(number_at(response->header, 36, 2));
  if (code != 0 && ((response->header[1] & 0x83) != 0 || !connection.closed_within(kSoon)))
    return -3;
  return code;
}

struct Logins : Neighbour {
  using Neighbour::Neighbour;
  int answer(const Header& header, const ByteString& data = {}) {
    RawConnection connection(port());
    connection.send(header, data);
    return status(connection);
  }
  int answer(const ByteString& data) { return answer(login_request(), data); }
  std::vector<std::string> one() { return names(drive(1)); }
};
struct StrictLogins : Logins {
  StrictLogins() : Logins(Server::kStrict) {}
};

}  // namespace

TEST_CASE_METHOD(Logins, "bad input 1: a login's data segment above 8192 bytes", "[bad]") {
  for (const std::uint32_t length : {8193u, 262144u, 0xffffffu}) {
    RawConnection connection(port());
    connection.send(login_request().set24(5, length).bytes);
    CHECK(status(connection) == 0x020b);
  }
}

TEST_CASE_METHOD(Logins, "bad input 2: additional header segments of a login", "[bad]") {
  // Nothing of a login stands there: they are passed over, and what counts is what follows.
  RawConnection full(port());
  full.send(login_request(), text_of(one()), ByteString(1020));
  const auto response = full.receive();
  REQUIRE(response);
  CHECK(number_at(response->header, 36, 2) == 0);
  RawConnection cut(port());
  cut.send(login_request().set8(4, 255).bytes);
}

TEST_CASE_METHOD(Logins, "bad input 3: a login without text", "[bad]") {
  CHECK(answer(ByteString()) == 0x0207);
}

TEST_CASE_METHOD(Logins, "bad input 4: another PDU before the login", "[bad]") {
  for (const int opcode : {0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x10, 0x1c}) {
    CAPTURE(opcode);
    CHECK(answer(Header(static_cast<std::uint8_t>(opcode), 0x80), ByteString(16, 1)) == -1);
  }
}

TEST_CASE_METHOD(Logins, "bad input 5: an opcode that is none, before the login", "[bad]") {
  for (const int opcode : {0x07, 0x11, 0x20, 0x23, 0x3f}) {
    CAPTURE(opcode);
    CHECK(answer(Header(static_cast<std::uint8_t>(opcode), 0x80)) == -1);
  }
  for (const ByteString& noise : {ByteString(65536), ByteString(65536, 0xff), pattern(65536, 5)}) {
    RawConnection connection(port());
    connection.send(noise);
    CHECK(connection.closed_within(kSoon));
  }
}

TEST_CASE_METHOD(Logins, "bad input 6: keys of a login that are malformed", "[bad]") {
  CHECK(answer(text_of({"InitiatorName"})) == 0x020b);
  CHECK(answer(ByteString(8192, '=')) == 0x020b);
  CHECK(answer(ByteString(100, 'A')) == 0x020b);  // no NUL
  CHECK(answer(text_of({"=value"})) == 0x020b);
  CHECK(answer(with(one(), {std::string(64, 'K') + "=1"})) == 0x020b);
  CHECK(answer(with(one(), {"InitiatorAlias=" + std::string(256, 'v')})) == 0x020b);
  CHECK(answer(ByteString(500)) == 0x0207);  // NULs are nothing, and nothing is missing a name
  // The longest that is allowed comes back in full, and no more than that.
  RawConnection longest(port());
  longest.send(login_request(), with(one(), {std::string(63, 'K') + "=" + std::string(255, 'v')}));
  const auto response = longest.receive();
  REQUIRE(response);
  CHECK(number_at(response->header, 36, 2) == 0);
  CHECK(has(text(*response), std::string(63, 'K') + "=NotUnderstood"));
  CHECK_FALSE(has(text(*response), "vvv"));
}

TEST_CASE_METHOD(Logins, "bad input 7: a login of keys without end", "[bad]") {
  SECTION("a thousand keys that nobody knows: the answers would be too long") {
    std::vector<std::string> keys = one();
    for (int i = 0; i < 1000; ++i) keys.push_back("k" + std::to_string(i) + "=1");
    CHECK(answer(text_of(keys)) == 0x020b);
  }
  SECTION("text that continues for ever") {
    RawConnection connection(port());
    int code = 0, rounds = 0;
    for (; code == 0; ++rounds) {
      connection.send(login_request(0x44), ByteString(8000, 'x'));
      code = status(connection);
    }
    CHECK(code == 0x020b);
    CHECK(rounds == 5);  // 32 KiB
  }
  SECTION("rounds without a byte") {
    RawConnection connection(port());
    int code = 0, rounds = 0;
    for (; code == 0; ++rounds) {
      connection.send(login_request(0x44));
      code = status(connection);
    }
    CHECK(code == 0x020b);
    CHECK(rounds == 33);
  }
}

TEST_CASE_METHOD(Logins, "bad input 8: what a log could take for its own", "[bad]") {
  CHECK(answer(text_of({"InitiatorName=iqn.2026-11.x:%s%n%x", "TargetName=" + drive(1)})) ==
        0x020b);
  CHECK(answer(text_of({"InitiatorName=iqn.2026-11.x:y", "TargetName=%n%s\n1999 \x1b[2J"})) ==
        0x0203);
  CHECK(answer(with(one(), {"X-%n%s=1"})) == 0x020b);
  CHECK(has(daemon().log(), "unknown target \"%n%s\\x0a1999 \\x1b[2J\""));
}

TEST_CASE_METHOD(Logins, "bad input 9: keys twice, and numbers that are none", "[bad]") {
  CHECK(answer(with(one(), {"MaxBurstLength=512", "MaxBurstLength=512"})) == 0x020b);
  CHECK(answer(with(one(), {"X-a=1", "X-a=2"})) == 0x020b);
  for (const char* number : {"0xFFFFFFFFF", "4294967808", "-1", "", "01000", "1e3", " 600", "0x"}) {
    RawConnection connection(port());
    connection.send(login_request(), with(one(), {std::string("MaxBurstLength=") + number}));
    const auto response = connection.receive();
    CAPTURE(number);
    REQUIRE(response);
    CHECK(number_at(response->header, 36, 2) == 0);
    CHECK(has(text(*response), "MaxBurstLength=Reject"));
  }
  // What was negotiated is not negotiated again (RFC 7143 6.3).
  RawSession session(port(), drive(1));
  session.send(session.text(), text_of({"HeaderDigest=CRC32C", "MaxBurstLength=512"}));
  CHECK(text(session.expect(kTextResponse)) ==
        std::string("HeaderDigest=Reject\0MaxBurstLength=Reject\0", 42));
  CHECK(session.alive());
}

TEST_CASE_METHOD(Logins, "bad input 10: MaxRecvDataSegmentLength out of its range", "[bad]") {
  // It is declared and not negotiated: there is no answer that would say Reject.
  for (const char* number : {"0", "511", "16777216", "", "-1", "0x"}) {
    CAPTURE(number);
    CHECK(answer(with(one(), {std::string("MaxRecvDataSegmentLength=") + number})) == 0x020b);
  }
  RawLogin login;
  login.keys = {"MaxRecvDataSegmentLength=512"};
  RawSession session(port(), drive(1), login);
  session.send(session.ping(), ByteString(10000, 'p'));
  CHECK((session.expect(kNopIn).data == ByteString(512, 'p')));
  CHECK(session.rejected(session.text(), text_of({"MaxRecvDataSegmentLength=0"})) == 0x04);
  CHECK(session.alive());
}

TEST_CASE_METHOD(Logins, "bad input 11: a first burst longer than a burst", "[bad]") {
  RawLogin login;
  login.keys = {"MaxBurstLength=512", "FirstBurstLength=16777215"};
  RawSession session = Neighbour::session(login);
  const ByteString& answer = session.login_answer();
  CHECK(has(std::string(answer.begin(), answer.end()), "FirstBurstLength=512"));
  const ByteString record = pattern(2000, 1);
  CHECK(session.run(session.command(write6(2000), Way::kOut, 2000), record, 512).good());
  CHECK(session.r2ts == 3);
  CHECK(session.largest_r2t == 512);
  CHECK(session.run(session.command({0x11, 0, 0xff, 0xff, 0xff, 0})).good());
  CHECK((session.run(session.command(read6(2000), Way::kIn, 2000)).data == record));
  CHECK(session.largest_in == 512);
  CHECK(session.run(session.command({0x01, 0, 0, 0, 0, 0})).good());
}

TEST_CASE_METHOD(Logins, "bad input 12: stages that there are not, or not yet", "[bad]") {
  for (const int flags : {0x8b, 0x08, 0x86, 0x82, 0x84, 0x81 | 0x04, 0xc7, 0x8f}) {
    CAPTURE(flags);
    CHECK(answer(login_request(static_cast<std::uint8_t>(flags)), text_of(one())) == 0x020b);
  }
  for (const auto& [first, second] : {std::pair{0x04, 0x00}, {0x04, 0x83}, {0x00, 0x04}}) {
    RawConnection connection(port());
    connection.send(login_request(static_cast<std::uint8_t>(first)), text_of(one()));
    CHECK(status(connection) == 0);
    connection.send(login_request(static_cast<std::uint8_t>(second)));
    CAPTURE(first, second);
    CHECK(status(connection) == 0x020b);
  }
  // Out of the security stage, or past it, before CHAP is through.
  CHECK(answer(login_request(0x81), text_of(names(drive(4)))) == 0x0201);
  CHECK(answer(login_request(0x87), text_of(names(drive(4)))) == 0x0201);
}

TEST_CASE_METHOD(Logins, "bad input 13: another's session, or another in the middle", "[bad]") {
  const auto changed = [&](Header second) {
    RawConnection connection(port());
    connection.send(login_request(0x04), text_of(one()));
    CHECK(status(connection) == 0);
    connection.send(std::move(second));
    return status(connection);
  };
  CHECK(changed(login_request().set32(16, 2)) == 0x020b);  // ITT
  CHECK(changed(login_request().set8(11, 1)) == 0x020b);   // ISID
  CHECK(changed(login_request().set16(14, 1)) == 0x020b);  // TSIH
  CHECK(changed(login_request().set16(20, 1)) == 0x020b);  // CID
  const std::uint16_t tsih = neighbour().tsih();
  REQUIRE(tsih != 0);
  const auto attach = [&](const std::string& initiator, std::uint16_t isid, std::uint16_t handle) {
    return answer(login_request().set16(12, isid).set16(14, handle),
                  text_of({"InitiatorName=" + initiator, "TargetName=" + drive(2)}));
  };
  CHECK(attach("iqn.2026-11.local.test:bad", 0, tsih) == 0x020a);
  CHECK(attach("iqn.2026-11.local.test:neighbour", 1, tsih) == 0x020a);
  CHECK(attach("iqn.2026-11.local.test:neighbour", 0, static_cast<std::uint16_t>(tsih + 1)) ==
        0x020a);
  // The right ones with another CID: a second connection, which there is not.
  CHECK(answer(login_request().set16(14, tsih).set16(20, 7),
               text_of({"InitiatorName=iqn.2026-11.local.test:neighbour",
                        "TargetName=" + drive(2)})) == 0x0206);
}

TEST_CASE_METHOD(Logins, "bad input 14: connections that drop in the middle of a login", "[bad]") {
  const RawConnection encoder(port());
  const ByteString whole = encoder.encode(login_request(), text_of(one()));
  for (std::size_t size = 0; size <= whole.size(); size += 13) {
    RawConnection connection(port());
    if (size % 2 == 0) connection.reset_at_end();
    connection.send(ByteString(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  for (int i = 0; i < 20; ++i) {  // after an answer, and after the last request
    RawConnection connection(port());
    connection.reset_at_end();
    connection.send(login_request(0x04), text_of(one()));
    if (i % 2 == 0) CHECK(status(connection) == 0);
    connection.send(login_request());
  }
  CHECK(answer(text_of({"InitiatorName=x"})) == 0x020b);
}

TEST_CASE_METHOD(Logins, "bad input 43: names that are too long, or lead elsewhere", "[bad]") {
  const auto login = [&](const std::string& initiator, const std::string& target) {
    return answer(text_of({"InitiatorName=" + initiator, "TargetName=" + target}));
  };
  const std::string good = "iqn.2026-11.local.test:bad";
  CHECK(login("iqn.2026-11.x:" + std::string(210, 'y'), drive(1)) == 0x020b);
  CHECK(login("../../etc/passwd", drive(1)) == 0x020b);
  CHECK(login("iqn.2026-11.x:../../etc/passwd", drive(1)) == 0x020b);
  CHECK(login("", drive(1)) == 0x020b);
  CHECK(login(std::string("iqn.2026-11.x\0:y", 16), drive(1)) == 0x020b);
  CHECK(login(good, "iqn.2026-11.x:" + std::string(210, 'y')) == 0x0203);
  CHECK(login(good, "../../../etc/passwd") == 0x0203);
  CHECK(login(good, "\xff\xfe\xc0\xaf") == 0x0203);
  CHECK(login(good, drive(1) + std::string(1, '\0') + "x") == 0x020b);
  CHECK(login(good, drive(1) + "/..") == 0x0203);
}

TEST_CASE_METHOD(StrictLogins, "bad input 38: bytes that come slowly, or not at all", "[bad]") {
  // All at a time, as each takes its second.
  RawConnection nothing(port()), half_header(port()), drip(port());
  RawSession session(port(), drive(1));
  half_header.send(ByteString(20, 0x43));
  session.send(Header(0x01, 0x80).set24(5, 5000).bytes);  // a command whose data stays out
  const ByteString slow = drip.encode(login_request(), text_of(one()));
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < slow.size() - 1 && !drip.closed_within(0); ++i) {
    if (!drip.send(ByteString{slow[i]})) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (std::chrono::steady_clock::now() - start > std::chrono::milliseconds(1500)) break;
  }
  CHECK(drip.closed_within(kSoon));
  CHECK(nothing.closed_within(kSoon));
  CHECK(half_header.closed_within(kSoon));
  CHECK(session.closed_within(kSoon));
  CHECK(reached("login-time") >= 3);
  CHECK(reached("pdu-time") >= 1);
}

TEST_CASE_METHOD(StrictLogins, "bad input 39: more connections than may be", "[bad]") {
  SECTION("from one address") {
    std::vector<std::unique_ptr<RawConnection>> crowd;
    for (int i = 0; i < 100; ++i)
      crowd.push_back(std::make_unique<RawConnection>(port(), "127.0.2.1"));
    int closed = 0;
    for (std::size_t i = 16; i < crowd.size(); ++i) closed += crowd[i]->closed_within(kSoon);
    CHECK(closed == 84);
    CHECK(reached("connections-per-address") >= 84);
    RawSession other(port(), drive(1));  // somebody else gets in meanwhile
    CHECK(other.alive());
  }
  SECTION("from many: who has been at its login for longest goes, and the next comes in") {
    std::vector<std::unique_ptr<RawConnection>> crowd;
    for (int i = 0; i < 30; ++i)
      crowd.push_back(std::make_unique<RawConnection>(port(), "127.0.3." + std::to_string(i + 1)));
    CHECK(crowd.front()->closed_within(kSoon));
    CHECK(reached("logins") >= 1);
    RawSession other(port(), drive(1));
    CHECK(other.alive());
  }
  SECTION("sessions: the third at a target is told to come again") {
    RawLogin login;
    RawSession first(port(), drive(1), login);
    login.isid = 1;
    RawSession second(port(), drive(1), login);
    CHECK(answer(login_request().set16(12, 2), text_of(one())) == 0x0301);
    CHECK(first.alive());
    CHECK(second.alive());
  }
}
