// Published flaws of iSCSI targets, each by its number: the input that did the harm, told anew from
// its description, and what has to come instead. The table in README.md says which flaws of the
// list have no counterpart here.
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "auth/chap.h"
#include "neighbour.h"

namespace {

constexpr int kSoon = RawSession::kPatience;

Header login_request(std::uint8_t flags = 0x87) {
  return Header(0x43, flags).set8(8, 0x80).set32(16, 1).set32(24, 1);
}
int status(RawConnection& connection) {
  const auto response = connection.receive(kSoon);
  return response && response->opcode() == kLoginResponse
             ? static_cast<int>(number_at(response->header, 36, 2))
             : -1;
}

}  // namespace

TEST_CASE_METHOD(Neighbour, "CVE-2010-0743: names with format characters go to a log",
                 "[bad][cve]") {
  for (const std::string directive : {"%s%s%s%s%s%s", "%n%n%n%n", "%08x.%08x", "%*999999d"}) {
    RawConnection connection(port());
    connection.send(login_request(),
                    text_of({"InitiatorName=iqn.2026-11.x:y", "TargetName=" + directive}));
    CHECK(status(connection) == 0x0203);
    CHECK(daemon().log().find("unknown target \"" + directive + "\"") != std::string::npos);
  }
}

TEST_CASE_METHOD(Neighbour, "CVE-2010-2221: names longer than any buffer for them", "[bad][cve]") {
  for (const std::size_t size : {224u, 225u, 255u, 256u, 1024u, 4096u, 8000u}) {
    for (const char* key : {"InitiatorName=", "TargetName=", "InitiatorAlias="}) {
      RawConnection connection(port());
      connection.send(login_request(), text_of({std::string(key) + "iqn." + std::string(size, 'n'),
                                                "TargetName=x", "InitiatorName=iqn.2026-11.x:y"}));
      const int code = status(connection);
      CAPTURE(size, key);
      CHECK((code == 0x020b || code == 0x0203));
      CHECK(connection.closed_within(kSoon));
    }
  }
}

TEST_CASE_METHOD(Neighbour, "CVE-2011-0001: a login that fails is freed once", "[bad][cve]") {
  // It failed in the receive handler of a connection that another path had given up already.
  for (int round = 0; round < 30; ++round) {
    RawConnection connection(port());
    if (round % 3 == 0) connection.reset_at_end();
    ByteString both = connection.encode(login_request(0x44), ByteString(300, 'x'));
    for (const ByteString& more :
         {connection.encode(login_request(), text_of({"InitiatorName=no"})),
          connection.encode(login_request(), text_of({"InitiatorName=no"})),
          connection.encode(Header(0x01, 0x80))})
      both.insert(both.end(), more.begin(), more.end());
    connection.send(both);
    if (round % 3 == 1) CHECK(connection.closed_within(kSoon));
  }
}

TEST_CASE_METHOD(Neighbour, "CVE-2013-2850: a long key that nobody knows is echoed", "[bad][cve]") {
  for (const std::size_t size : {64u, 65u, 128u, 255u, 1000u, 8000u}) {
    RawConnection connection(port());
    connection.send(login_request(),
                    text_of({"InitiatorName=iqn.2026-11.x:y", "TargetName=" + drive(1),
                             std::string(size, 'A') + "=Yes"}));
    CHECK(status(connection) == 0x020b);
    RawSession session(port(), drive(1));
    CHECK(session.rejected(session.text(), text_of({std::string(size, 'A') + "=Yes"})) == 0x04);
    CHECK(session.alive());
  }
}

TEST_CASE_METHOD(Neighbour, "CVE-2020-28374: EXTENDED COPY between others' devices", "[bad][cve]") {
  RawSession bad = session();
  // An identification descriptor (E4h) with the designator of a device of which this host knows no
  // more than that, as source and destination; one segment.
  ByteString list(16 + 2 * 32 + 28);
  list[2] = 0;
  list[3] = 64;
  list[11] = 28;
  for (const std::size_t at : {16u, 48u}) {
    list[at] = 0xe4;
    list[at + 4] = 1;
    list[at + 5] = 3;
    list[at + 7] = 8;
  }
  for (const std::uint8_t action : ByteString{0x00, 0x01}) {
    const CommandResult copy =
        bad.run(bad.command({0x83, action, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                             static_cast<std::uint8_t>(list.size()), 0, 0},
                            Way::kOut, static_cast<std::uint32_t>(list.size())),
                list);
    CHECK(copy.sense_code() == "5/20/00");
  }
}

TEST_CASE_METHOD(Neighbour, "CVE-2020-17437: urgent data whose pointer leads elsewhere",
                 "[bad][cve]") {
  // Of iscsiuio's TCP. Here the kernel has TCP; its urgent byte stands outside of the stream.
  RawConnection connection(port());
  const ByteString whole = connection.encode(
      login_request(), text_of({"InitiatorName=iqn.2026-11.x:y", "TargetName=" + drive(1)}));
  const auto half = whole.begin() + 30;
  CHECK(connection.send_urgent(0xff));
  CHECK(connection.send(ByteString(whole.begin(), half)));
  CHECK(connection.send_urgent(0xff));
  CHECK(connection.send(ByteString(half, whole.end())));
  const int code = status(connection);
  CHECK((code == 0 || code == -1));
}

TEST_CASE_METHOD(Neighbour, "CVE-2021-28361: a PDU of no data where data is due", "[bad][cve]") {
  RawSession bad = session();
  bad.send(bad.command(write6(512), Way::kOut, 512));
  RawPdu r2t = bad.expect(kR2t);
  bad.send(bad.data_out(r2t, 0, 0, true));
  CHECK(bad.finish(bad.last_tag()).sense_code() == "B/4B/00");
  bad.send(bad.text());
  CHECK(bad.expect(kTextResponse).data.empty());
  bad.send(bad.ping());
  CHECK(bad.expect(kNopIn).data.empty());
  // A parameter list of which nothing comes, and one of no length.
  CHECK(bad.run(bad.command({0x15, 0x10, 0, 0, 12, 0}, Way::kOut, 0)).sense_code() == "5/1A/00");
  CHECK(bad.run(bad.command({0x15, 0x10, 0, 0, 0, 0}, Way::kOut, 0)).good());
  RawConnection login(port());
  login.send(login_request());
  CHECK(status(login) == 0x0207);
}

TEST_CASE_METHOD(Neighbour, "CVE-2024-42416: REPORT SUPPORTED OPERATION CODES past its buffer",
                 "[bad][cve]") {
  RawSession bad = session();
  const auto report = [&](std::uint8_t options, std::uint8_t opcode, std::uint16_t action,
                          std::uint32_t length) {
    return bad.run(bad.command(
        {0xa3, 0x0c, options, opcode, static_cast<std::uint8_t>(action >> 8),
         static_cast<std::uint8_t>(action), static_cast<std::uint8_t>(length >> 24),
         static_cast<std::uint8_t>(length >> 16), static_cast<std::uint8_t>(length >> 8),
         static_cast<std::uint8_t>(length), 0, 0},
        Way::kIn, 65536));
  };
  const ByteString all = report(0x80, 0, 0, 0xffffffff).data;
  for (const std::uint32_t length : {0u, 1u, 3u, 4u, 5u, 19u, 20u, 21u})
    CHECK((report(0x80, 0, 0, length).data ==
           ByteString(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(length))));
  // A service action far beyond any table of them.
  for (const std::uint16_t action :
       std::vector<std::uint16_t>{0x001f, 0x0020, 0x00ff, 0x7fff, 0xffff}) {
    const CommandResult one = report(0x82, 0xa3, action, 65536);
    REQUIRE(one.data.size() >= 4);
    CHECK((one.data[1] & 0x07) == 1);  // not supported
  }
}

TEST_CASE_METHOD(Neighbour, "CVE-2024-43110: REQUEST SENSE tells of memory behind it",
                 "[bad][cve]") {
  RawSession bad = session();
  for (const std::uint8_t descriptor : ByteString{0, 1}) {
    for (unsigned length = 0; length < 256; ++length) {
      const CommandResult sense = bad.run(bad.command(
          {0x03, descriptor, 0, 0, static_cast<std::uint8_t>(length), 0}, Way::kIn, 4096));
      if (!sense.good()) {  // descriptor format is not offered
        CHECK(sense.sense_code() == "5/24/00");
        break;
      }
      CHECK(sense.data.size() <= length);
      if (sense.data.size() >= 8) CHECK(sense.data.size() <= 8u + sense.data[7]);
    }
  }
}

TEST_CASE_METHOD(Neighbour, "CVE-2024-8178, CVE-2024-45063: READ BUFFER and WRITE BUFFER",
                 "[bad][cve]") {
  // What nobody has written was read, and what had been freed was written to.
  RawSession bad = session();
  RawLogin login;
  login.initiator = "iqn.2026-11.local.test:other";
  RawSession other = session(login);
  // The echo buffer is the only one that is written to; mode, offset and length as given.
  const auto write = [](RawSession& session, std::uint8_t mode, std::uint32_t length,
                        const ByteString& data) {
    return session
        .run(session.command(
                 {0x3b, mode, 0, 0, 0, 0, static_cast<std::uint8_t>(length >> 16),
                  static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length), 0},
                 Way::kOut, static_cast<std::uint32_t>(data.size())),
             data)
        .sense_code();
  };
  const auto read = [](RawSession& session, std::uint8_t mode, std::uint32_t length) {
    return session.run(session.command(
        {0x3c, mode, 0, 0, 0, 0, static_cast<std::uint8_t>(length >> 16),
         static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length), 0},
        Way::kIn, 65536));
  };
  const ByteString descriptor = read(bad, 0x0b, 4).data;
  REQUIRE(descriptor.size() == 4);
  const std::uint32_t capacity = number_at(descriptor, 2, 2);
  REQUIRE(capacity >= 64);
  CHECK(read(bad, 0x0a, 65536).sense_code() == "5/2C/00");  // nobody has written: nothing to read
  for (const std::uint32_t length : {capacity + 1, 0xffffu, 0xffffffu})
    CHECK(write(bad, 0x0a, length, ByteString(65536, 1)) == "5/24/00");
  CHECK(write(bad, 0x0a, 64, ByteString(63, 1)) == "5/1A/00");
  CHECK(write(bad, 0x02, 64, ByteString(64, 1)) == "5/24/00");
  const ByteString secret = pattern(64, 4711);
  CHECK(write(bad, 0x0a, 64, secret) == "");
  CHECK((read(bad, 0x0a, 65536).data == secret));  // as much as was written, not one byte more
  CHECK((read(bad, 0x0a, 10).data == ByteString(secret.begin(), secret.begin() + 10)));
  CHECK(write(bad, 0x0a, 8, ByteString(8, 2)) == "");
  CHECK((read(bad, 0x0a, 65536).data == ByteString(8, 2)));
  CHECK(read(other, 0x0a, 65536).sense_code() == "5/2C/00");  // and nobody else
  // A reset while one is being written, and the session that wrote it gone.
  bad.send(bad.command({0x3b, 0x0a, 0, 0, 0, 0, 0, 0, 64, 0}, Way::kOut, 64));
  const RawPdu r2t = bad.expect(kR2t);
  CHECK(other.manage(other.management(5)) == 0);
  bad.send(bad.data_out(r2t, 0, 0, true), secret);
  CHECK(bad.silent());
  bad.clear_unit_attentions();
  other.clear_unit_attentions();
  CHECK(read(bad, 0x0a, 65536).sense_code() == "5/2C/00");
}

TEST_CASE_METHOD(Neighbour, "CVE-2024-45751: a CHAP challenge made of the time", "[bad][cve]") {
  // rand() after srand(time): two logins in one second had the same.
  std::set<std::string> challenges;
  std::vector<std::unique_ptr<RawConnection>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(std::make_unique<RawConnection>(port(), "127.0.60." + std::to_string(i + 1)));
    RawConnection& one = *all.back();
    one.send(login_request(0x00),
             text_of({"InitiatorName=iqn.2026-11.x:y", "TargetName=" + drive(4), "AuthMethod=CHAP",
                      "CHAP_A=5"}));
    const auto response = one.receive();
    REQUIRE(response);
    const std::string text(response->data.begin(), response->data.end());
    const std::size_t at = text.find("CHAP_C=");
    REQUIRE(at != std::string::npos);
    challenges.insert(text.substr(at, 7 + 34));
  }
  CHECK(challenges.size() == 20);
}

TEST_CASE_METHOD(Neighbour, "CVE-2026-23216: a connection is closed while its last use ends",
                 "[bad][cve]") {
  // Whoever let go of it last touched it once more. Ends from all sides, with commands in flight.
  for (int round = 0; round < 15; ++round) {
    RawSession first = session();
    if (round % 3 == 0) first.reset_at_end();
    for (int i = 0; i < 8; ++i) {
      first.send(first.command(write6(60000), Way::kOut, 60000), pattern(60000, 1));
      first.send(first.command({0x10, 0, 0, 0, 1, 0}));
    }
    first.send(first.management(2));
    switch (round % 3) {
      case 0:
        break;
      case 1:
        first.send(first.logout(0));
        first.send(first.logout(0));
        break;
      case 2: {  // the next one ends it
        RawSession second = session();
        CHECK(second.alive());
      }
    }
  }
  RawSession after = session();
}
