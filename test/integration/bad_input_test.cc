// Nonsense on the wire: each gets its defined answer, and nobody else notices.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <thread>

#include "library.h"
#include "raw.h"

namespace {

// A library whose drive 2 has a session with a loaded tape, to be shown unharmed.
struct Fixture {
  Fixture() : bystander(library.load(2)) {}
  ~Fixture() { CHECK(unharmed()); }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  bool unharmed() {
    const ByteString data = pattern(300000, ++written);
    return library.daemon.running() && write_block(bystander, data).good() &&
           space(bystander, 0, -1).good() && read_block(bystander, data.size()).data == data;
  }
  std::uint16_t port() const { return library.daemon.port(); }

  Library library;
  Initiator bystander;
  std::uint64_t written = 0;
};

constexpr int kSoon = 20000;  // milliseconds; sanitizers are slow

Header command(RawConnection& connection, std::uint32_t tag, std::uint8_t opcode) {
  Header header(0x01, 0x80);
  header.set32(16, tag).set32(24, connection.cmd_sn).set8(32, opcode);
  return header;
}

}  // namespace

TEST_CASE_METHOD(Fixture, "bytes before login that are no login", "[bad]") {
  SECTION("half a header, then nothing, then gone") {
    RawConnection connection(port());
    CHECK(connection.send(ByteString(20, 0x43)));
  }
  SECTION("zeroes, ones and noise") {
    for (const ByteString& bytes :
         {ByteString(65536, 0), ByteString(65536, 0xff), pattern(65536, 5)}) {
      RawConnection connection(port());
      connection.send(bytes);
      CHECK(connection.closed_within(kSoon));
    }
  }
  SECTION("a SCSI command") {
    RawConnection connection(port());
    connection.send(command(connection, 1, 0x12));
    CHECK(connection.closed_within(kSoon));
  }
  SECTION("a target's opcode") {
    RawConnection connection(port());
    connection.send(Header(0x3f, 0x80));
    CHECK(connection.closed_within(kSoon));
  }
}

TEST_CASE_METHOD(Fixture, "logins with lengths that lie", "[bad]") {
  SECTION("a data segment of 16 MB") {
    RawConnection connection(port());
    connection.send(Header(0x43, 0x87).set24(5, 0xffffff).bytes);
    CHECK(connection.closed_within(kSoon));
  }
  SECTION("255 words of additional header that never come") {
    RawConnection connection(port());
    connection.send(Header(0x43, 0x87).set8(4, 255).bytes);
    connection.send(ByteString(1020, 0));
    CHECK(connection.closed_within(kSoon));
  }
  SECTION("keys without a value, without an end, too long") {
    for (const ByteString& keys :
         {RawConnection::keys({"InitiatorName"}), ByteString(100, 'A'), ByteString(8192, '='),
          RawConnection::keys({std::string(64, 'K') + "=1"}),
          RawConnection::keys({"InitiatorName=" + std::string(300, 'i')}), ByteString(500, 0)}) {
      RawConnection connection(port());
      connection.send(Header(0x43, 0x87).set32(16, 1).set32(24, 1), keys);
      const auto response = connection.receive();
      if (response) {
        CHECK(response->opcode() == 0x23);
        CHECK(response->header[36] == 2);  // initiator error
      }
      CHECK(connection.closed_within(kSoon));
    }
  }
  SECTION("text that goes on for ever") {
    RawConnection connection(port());
    bool open = true;
    for (int round = 0; round < 200 && open; ++round) {
      Header request(0x43, 0x40);  // C: continues
      request.set32(16, 1).set32(24, 1);
      open =
          connection.send(request, ByteString(8000, 'x')) && connection.receive(2000).has_value();
    }
    CHECK(connection.closed_within(kSoon));
  }
  SECTION("stages that are not there") {
    for (const int flags : {0x8a, 0x82, 0x84, 0xc7, 0x81 | 0x0c}) {
      RawConnection connection(port());
      connection.send(Header(0x43, static_cast<std::uint8_t>(flags)).set32(16, 1).set32(24, 1),
                      RawConnection::keys({"InitiatorName=iqn.2026-11.local.test:x",
                                           "TargetName=" + library.daemon.drive(1)}));
      const auto response = connection.receive();
      CAPTURE(flags);
      REQUIRE(response.has_value());
      CHECK(response->header[36] == 2);
      CHECK(connection.closed_within(kSoon));
    }
  }
}

TEST_CASE_METHOD(Fixture, "nonsense within a session", "[bad]") {
  RawConnection connection(port());
  connection.login(library.daemon.drive(1));

  SECTION("an unknown opcode is rejected, and the session goes on") {
    connection.send(Header(0x5c, 0x80).set32(16, 9).set32(24, connection.cmd_sn));
    const auto reject = connection.receive();
    REQUIRE(reject.has_value());
    CHECK(reject->opcode() == 0x3f);
    CHECK(reject->header[2] == 0x05);
    CHECK(reject->data.size() >= 48);
    connection.send(
        Header(0x40, 0x80).set32(16, 10).set32(20, 0xffffffff).set32(24, connection.cmd_sn));
    const auto pong = connection.receive();
    REQUIRE(pong.has_value());
    CHECK(pong->opcode() == 0x20);
  }
  SECTION("SNACK is rejected") {
    connection.send(Header(0x10, 0x80).set32(16, 0xffffffff).set32(44, 0xffffffff));
    const auto reject = connection.receive();
    if (reject) {
      CHECK(reject->opcode() == 0x3f);
    } else {
      CHECK(connection.closed_within(kSoon));
    }
  }
  SECTION("a command outside of the window is passed over in silence") {
    connection.send(command(connection, 5, 0x12).set32(24, connection.cmd_sn + 100000));
    CHECK(connection.silent_for(1000));
    connection.send(command(connection, 5, 0x12).set32(24, connection.cmd_sn - 5));
    CHECK(connection.silent_for(1000));
  }
  SECTION("a data segment longer than was declared ends the connection") {
    connection.send(Header(0x01, 0x80).set24(5, 0xfffff0).set32(16, 3).set32(24, 1).bytes);
    CHECK(connection.closed_within(kSoon));
  }
  SECTION("a second login ends it") {
    connection.send(Header(0x43, 0x87).set32(16, 1).set32(24, 1),
                    RawConnection::keys({"InitiatorName=iqn.2026-11.local.test:raw"}));
    CHECK(connection.closed_within(kSoon));
  }
  SECTION("Data-Out that nobody asked for") {
    connection.send(Header(0x05, 0x80).set32(16, 77).set32(20, 0x12345678).set32(40, 0xfffffff0),
                    ByteString(512, 1));
    const auto answer = connection.receive(3000);
    CHECK((!answer || answer->opcode() == 0x3f));
  }
  SECTION("more immediate data than the command expects") {
    connection.send(command(connection, 4, 0x0a).set8(1, 0xa0).set32(20, 16).set8(36, 16),
                    ByteString(4096, 1));
    const auto answer = connection.receive(kSoon);
    // Rejected, failed or dropped; never written.
    if (answer) CHECK((answer->opcode() == 0x3f || answer->header[3] != 0));
  }
  SECTION("a write that stops in the middle of its data") {
    connection.send(command(connection, 4, 0x0a)
                        .set8(1, 0xa0)
                        .set24(5, 65536)
                        .set32(20, 65536)
                        .set8(35, 1)
                        .bytes);
    connection.send(ByteString(30000, 7));
  }
  SECTION("text requests with a tag that was never given") {
    connection.send(Header(0x44, 0x80).set32(16, 8).set32(20, 0x4242).set32(24, connection.cmd_sn));
    const auto answer = connection.receive(kSoon);
    REQUIRE(answer.has_value());
    CHECK(answer->opcode() == 0x3f);
  }
  SECTION("a task management function that is not there") {
    connection.send(Header(0x42, 0x80 | 100).set32(16, 8).set32(24, connection.cmd_sn));
    const auto answer = connection.receive(kSoon);
    REQUIRE(answer.has_value());
    CHECK(((answer->opcode() == 0x22 && answer->header[2] != 0) || answer->opcode() == 0x3f));
  }
  SECTION("a LUN that is not there") {
    connection.send(command(connection, 6, 0x00).set8(9, 5));
    const auto answer = connection.receive(kSoon);
    REQUIRE(answer.has_value());
    CHECK(answer->opcode() == 0x21);
    CHECK(answer->header[3] == 2);
    REQUIRE(answer->data.size() >= 16);
    CHECK(answer->data[2 + 12] == 0x25);
  }
}

TEST_CASE("a client that never reads does not hold up the others", "[bad]") {
  Fixture fixture;
  RawConnection connection(fixture.port());
  connection.login(fixture.library.daemon.drive(1));
  // Pings of 8 KiB, whose answers nobody takes. Ends when the target stops taking them.
  Header ping(0x40, 0x80);
  ping.set32(16, 7).set32(20, 0xffffffff).set32(24, 1);
  const ByteString payload(8192, 'p');
  for (int i = 0; i < 300; ++i) {
    if (!connection.send(ping, payload)) break;
  }
  CHECK(fixture.unharmed());
}

TEST_CASE("connections that never log in are limited and timed out", "[bad]") {
  Library library({}, [](std::string& yaml) {
    replace_in(yaml, "#login_timeout_ms: 15000", "login_timeout_ms: 2000");
    replace_in(yaml, "#max_connections_per_address: 64", "max_connections_per_address: 16");
  });
  Initiator bystander = library.attach_drive(2);
  std::vector<std::unique_ptr<RawConnection>> crowd;
  for (int i = 0; i < 100; ++i) {
    crowd.push_back(std::make_unique<RawConnection>(library.daemon.port()));
  }
  // Those above the limit are closed at once, the others when their time is up.
  for (const auto& connection : crowd) CHECK(connection->closed_within(kSoon));
  CHECK(bystander.in({0x12, 0, 0, 0, 36, 0}, 36).good());
  // They stay counted while the server waits for their end of the connection to be closed.
  crowd.clear();
  std::string refusal = "not tried";
  for (int i = 0; i < 100 && !refusal.empty(); ++i) {
    Initiator late;
    refusal = late.login(library.daemon.portal(), library.daemon.drive(1));
    if (!refusal.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  CHECK(refusal.empty());
}

TEST_CASE("a login that comes a byte at a time works", "[bad]") {
  Library library;
  RawConnection connection(library.daemon.port());
  Header request(0x43, 0x87);
  request.set8(8, 0x80).set32(16, 1).set32(24, 1);
  const ByteString keys = RawConnection::keys(
      {"InitiatorName=iqn.2026-11.local.test:slow", "TargetName=" + library.daemon.drive(1),
       "SessionType=Normal", "HeaderDigest=None", "DataDigest=None"});
  request.set24(5, static_cast<std::uint32_t>(keys.size()));
  ByteString all = request.bytes;
  all.insert(all.end(), keys.begin(), keys.end());
  all.resize((all.size() + 3) / 4 * 4);
  for (const std::uint8_t byte : all) {
    REQUIRE(connection.send(ByteString{byte}));
    ::usleep(300);
  }
  const auto response = connection.receive();
  REQUIRE(response.has_value());
  CHECK(response->opcode() == 0x23);
  CHECK(response->header[36] == 0);
}
