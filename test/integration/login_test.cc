// Discovery and login, as libiscsi does them.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "library.h"
#include "raw.h"

namespace {

// CHAP for every target, one account, mutual on request.
void ask_for_chap(std::string& yaml) {
  replace_in(yaml, "\naccess:\n",
             "\naccess:\n"
             "  accounts:\n"
             "    - {user: backup01, secret: \"correct-horse-b\"}\n"
             "  own: {user: library, secret: \"battery-staple\"}\n");
  replace_in(yaml, "  targets:\n    #chap: false\n", "  targets:\n    chap: true\n");
}

LoginOptions chap(const std::string& user, const std::string& password) {
  LoginOptions options;
  options.user = user;
  options.password = password;
  return options;
}

}  // namespace

TEST_CASE("discovery lists the changer and ten drives") {
  Library library;
  const auto found = Initiator::discover(library.daemon.portal());
  REQUIRE(found.size() == 11);
  for (const auto& [name, address] : found) {
    CAPTURE(name);
    CHECK(address == library.daemon.portal() + ",1");
    CHECK(name.substr(0, 26) == "iqn.2026-11.local.vtl:vtl-");
  }
  std::vector<std::string> names;
  for (const auto& [name, address] : found) names.push_back(name);
  CHECK(std::count(names.begin(), names.end(), library.daemon.changer()) == 1);
  for (int n = 1; n <= 10; ++n) {
    CHECK(std::count(names.begin(), names.end(), library.daemon.drive(n)) == 1);
  }
}

TEST_CASE("login, logout and login again; unknown targets are refused") {
  Library library;
  for (int round = 0; round < 3; ++round) {
    Initiator session;
    CHECK(session.login(library.daemon.portal(), library.daemon.drive(1)) == "");
    CHECK(session.logout());
  }
  Initiator lost;
  CHECK(lost.login(library.daemon.portal(), "iqn.2026-11.local.vtl:vtl-tapedrive-11") != "");
  Initiator after;
  CHECK(after.login(library.daemon.portal(), library.daemon.drive(10)) == "");
}

TEST_CASE("a second initiator is refused while the first keeps working") {
  Library library;
  Initiator first = library.attach_drive(1);
  LoginOptions other;
  other.initiator = "iqn.2026-11.local.test:other";
  Initiator second(other);
  CHECK(second.login(library.daemon.portal(), library.daemon.drive(1)) != "");
  CHECK(first.in({0x12, 0, 0, 0, 36, 0}, 36).good());
  // The refusal is about the target: another drive is free.
  Initiator third(other);
  CHECK(third.login(library.daemon.portal(), library.daemon.drive(2)) == "");
  // And the first gone, the target is free again.
  CHECK(first.logout());
  Initiator fourth(other);
  CHECK(fourth.login(library.daemon.portal(), library.daemon.drive(1)) == "");
}

TEST_CASE("a cut connection frees the target for the same initiator at once") {
  Library library;
  for (int round = 0; round < 5; ++round) {
    Initiator session;  // destroyed without logout
    REQUIRE(session.login(library.daemon.portal(), library.daemon.drive(3)) == "");
    CHECK(session.clear_unit_attentions().sense_code() == "2/3A/00");
  }
}

TEST_CASE("CHAP with MD5, one-way and mutual") {
  Library library({}, ask_for_chap);
  const std::string portal = library.daemon.portal();
  const std::string target = library.daemon.drive(1);
  SECTION("the right secret") {
    Initiator session(chap("backup01", "correct-horse-b"));
    CHECK(session.login(portal, target) == "");
    CHECK(session.in({0x12, 0, 0, 0, 36, 0}, 36).good());
  }
  SECTION("mutual") {
    LoginOptions options = chap("backup01", "correct-horse-b");
    options.target_user = "library";
    options.target_password = "battery-staple";
    Initiator session(options);
    CHECK(session.login(portal, target) == "");
  }
  SECTION("mutual, and the target's secret is not what the initiator knows") {
    LoginOptions options = chap("backup01", "correct-horse-b");
    options.target_user = "library";
    options.target_password = "battery-stapel";
    Initiator session(options);
    CHECK(session.login(portal, target) != "");
  }
  SECTION("a wrong secret, a wrong name, none at all") {
    Initiator wrong(chap("backup01", "correct-horse-c"));
    CHECK(wrong.login(portal, target) != "");
    Initiator stranger(chap("backup02", "correct-horse-b"));
    CHECK(stranger.login(portal, target) != "");
    Initiator silent;
    CHECK(silent.login(portal, target) != "");
    // None of it holds up who may.
    Initiator session(chap("backup01", "correct-horse-b"));
    CHECK(session.login(portal, target) == "");
  }
  SECTION("secrets are in no log") {
    Initiator session(chap("backup01", "correct-horse-b"));
    REQUIRE(session.login(portal, target) == "");
    CHECK(library.daemon.log().find("horse") == std::string::npos);
    CHECK(library.daemon.log().find("staple") == std::string::npos);
  }
}

TEST_CASE("IPv6 and dual stack") {
  Library library;
  REQUIRE(library.daemon.stop() == 0);
  const std::string port = std::to_string(library.daemon.port());
  SECTION("::1 only") {
    library.daemon.start({"--listen", "[::1]:" + port});
    CHECK(Initiator::discover("[::1]:" + port).size() == 11);
    CHECK(Initiator::discover("[::1]:" + port).front().second == "[::1]:" + port + ",1");
  }
  CHECK(Initiator::discover(library.daemon.portal()).size() <= 11);
}

TEST_CASE("a login that comes a byte at a time works") {
  Library library;
  RawConnection connection(library.daemon.port());
  Header request(0x43, 0x87);
  request.set8(8, 0x80).set32(16, 1).set32(24, 1);
  const ByteString keys = RawConnection::keys(
      {"InitiatorName=iqn.2026-11.local.test:slow", "TargetName=" + library.daemon.drive(1),
       "SessionType=Normal", "HeaderDigest=None", "DataDigest=None"});
  for (const std::uint8_t byte : connection.encode(request, keys)) {
    REQUIRE(connection.send(ByteString{byte}));
    ::usleep(300);
  }
  const auto response = connection.receive();
  REQUIRE(response.has_value());
  CHECK(response->opcode() == 0x23);
  CHECK(response->header[36] == 0);
}
