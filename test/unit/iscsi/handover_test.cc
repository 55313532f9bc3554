// Logging in at one portal to a target of another: nobody notices, and nobody gains anything by it.
#include <set>

#include "logins.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

struct Apart : World {
  explicit Apart(PortalOptions portal_options = {}, auth::AccessPolicy policy = {})
      : World(portal_options, std::move(policy), {256u << 20, 64u << 20}, true) {}
};

LoginOptions to_changer(LoginOptions options = {}) {
  options.target = kChanger;
  return options;
}

LoginOptions somebody_else() {
  LoginOptions options;
  options.initiator = "iqn.1993-08.org.debian:01:somebody-else";
  return options;
}

}  // namespace

TEST_CASE("a session with a target of another portal", "[iscsi]") {
  Apart world;
  auto i = world.session();
  CHECK(world.carried == 1);
  CHECK(world.portal->sessions().empty());
  REQUIRE(world.second->sessions().size() == 1);
  CHECK(world.second->sessions()[0].initiator == kInitiatorName);
  CHECK(world.second->sessions()[0].peer_address == "192.0.2.7:40000");
  CHECK(world.portal->connections() == 1);
  CHECK(world.second->connections() == 1);
  const Data record = pattern(262144);
  CHECK(i->write_record({0x0A, 0, 4, 0, 0, 0}, record, record.size(), 0) == 0);
  CHECK(world.unit.records.at(0) == record);
  CHECK(i->text(std::string("SendTargets=\0", 13)).find(kDrive) != std::string::npos);
  i.reset();
  CHECK(world.portal->connections() == 0);
  CHECK(world.second->connections() == 0);
  CHECK(world.unit.lost == 1);
  CHECK(world.pool.lent_bytes() == 0);
}

TEST_CASE("what the first portal has stays there, and discovery knows every target", "[iscsi]") {
  Apart world;
  auto changer = world.connect();
  CHECK(status_of(changer->login(to_changer())) == 0);
  auto discovery = world.connect();
  LoginOptions options;
  options.discovery = true;
  options.keys = {};
  CHECK(status_of(discovery->login(options)) == 0);
  const std::string targets = discovery->text(std::string("SendTargets=All\0", 16));
  CHECK(targets.find(kChanger) != std::string::npos);
  CHECK(targets.find(kDrive) != std::string::npos);
  CHECK(world.carried == 0);
}

TEST_CASE("CHAP in both directions, and then to another portal", "[iscsi]") {
  Apart world({}, chap_policy(true));
  auto i = world.connect();
  LoginOptions options = alice();
  options.mutual_user = "library";
  options.mutual_secret = "secret-library1";
  CHECK(status_of(i->login(options)) == 0);
  CHECK(world.carried == 1);
  CHECK(i->run(i->command({0x00})) == 2);  // the first unit attention
  CHECK(i->run(i->command({0x00})) == 0);
}

TEST_CASE("nobody goes to another portal without having proved who it is", "[iscsi]") {
  Apart world({}, chap_policy(true));
  const auto fail = [&](const std::string& target) {
    auto i = world.connect();
    LoginRequest login;  // to the operational stage, past CHAP
    login.task_tag = 1;
    login.current = Stage::kOperational;
    std::string text;
    append_text(text, "InitiatorName", kInitiatorName);
    append_text(text, "TargetName", target);
    const TimePoint before = i->now();
    i->send(login.encode(), scsi::as_bytes(text));
    for (;;) {
      if (const auto refusal = i->receive()) {
        CHECK(status_of(*refusal) == 0x0201);
        return i->now() - before;
      }
      REQUIRE(i->now() - before < 10s);
      i->pass(10ms);
    }
  };
  // One count of failures, whichever portal has the target.
  CHECK(fail(kDrive) <= 260ms);
  CHECK(fail(kChanger) >= 490ms);
  CHECK(fail(kDrive) >= 990ms);
  CHECK(world.carried == 0);
  CHECK(world.unit.established.empty());
  auto good = world.connect();
  CHECK(status_of(good->login(alice())) == 0);
  CHECK(fail(kChanger) <= 260ms);  // success there is success here
}

TEST_CASE("the rules of where it comes to hold, if they changed while it was on its way",
          "[iscsi]") {
  Apart world;
  auto i = world.connect();
  i->carry = [&](std::unique_ptr<Handover> handover) {
    auth::AccessPolicy policy;
    policy.any_target.initiators = {somebody_else().initiator};
    world.second->set_access(std::make_shared<const auth::AccessPolicy>(policy), false);
    return world.second->adopt(
        *handover,
        [&, id = handover->id](Elsewhere what) { world.portal->counted_elsewhere(id, what); },
        i->now());
  };
  check_refused(*i, i->login(), 0x0301);
  CHECK(world.second->sessions().empty());
}

TEST_CASE("refusals of the portal that has the target", "[iscsi]") {
  Apart world;
  auto first = world.session();
  auto second = world.connect();
  CHECK(status_of(second->login(somebody_else())) == 0x0301);
  CHECK(second->closed());
  CHECK(world.portal->connections() == 2);
  second.reset();
  CHECK(world.portal->connections() == 1);
  first->expect(Opcode::kNopIn);  // whether it lives: the next one finds the target free sooner
  CHECK(first->run(first->command({0x00})) == 0);
  // The same initiator port again: its old session ends (RFC 7143 6.3.5).
  auto again = world.connect();
  CHECK(status_of(again->login()) == 0);
  first->expect(Opcode::kAsyncMessage);
  CHECK(first->closed());
  CHECK(world.second->sessions().size() == 1);
  CHECK(world.unit.established.back().replaces_lost_nexus);
}

TEST_CASE("who is on its way out elsewhere counts against its address again", "[iscsi]") {
  PortalOptions options;
  options.max_connections_per_address = 1;
  Apart world(options);
  auto i = world.session();
  auto next = world.connect();
  CHECK(world.portal->accept("192.0.2.1:3260", "192.0.2.7:3") == nullptr);
  next.reset();
  LogoutRequest logout;
  logout.task_tag = 9;
  logout.cmd_sn = i->cmd_sn++;
  i->send(logout.encode());
  i->expect(Opcode::kLogoutResponse);
  CHECK(world.portal->accept("192.0.2.1:3260", "192.0.2.7:3") == nullptr);
  i.reset();
  CHECK(world.portal->accept("192.0.2.1:3260", "192.0.2.7:3") != nullptr);

  // Likewise one that is refused there.
  auto holder = world.connect();
  CHECK(status_of(holder->login()) == 0);
  auto refused = world.connect();
  CHECK(status_of(refused->login(somebody_else())) == 0x0301);
  CHECK(world.portal->accept("192.0.2.1:3260", "192.0.2.7:3") == nullptr);
}

TEST_CASE("who does not read the login's answers goes nowhere", "[iscsi]") {
  Apart world;
  auto i = world.connect();
  LoginRequest login;
  login.task_tag = 1;
  login.transit = true;
  login.next = Stage::kOperational;
  std::string text;
  append_text(text, "InitiatorName", kInitiatorName);
  append_text(text, "TargetName", kDrive);
  append_text(text, "AuthMethod", "None");
  i->reading = false;
  i->send(login.encode(), scsi::as_bytes(text));
  login.current = Stage::kOperational;
  login.next = Stage::kFullFeature;
  i->send(login.encode());
  i->send(i->command({0x12, 0, 0, 0, 36, 0}, 36).encode());  // nothing more is taken
  CHECK(i->connection().recv_span().empty());
  CHECK(i->connection().take_handover() == nullptr);
  SECTION("and then it does") {
    i->pump();
    CHECK(world.carried == 1);
    CHECK(i->expect(Opcode::kLoginResponse).as<LoginResponse>().tsih == 0);
    CHECK(i->expect(Opcode::kLoginResponse).as<LoginResponse>().tsih != 0);
  }
  SECTION("in time") {
    i->pass(std::chrono::milliseconds(world.options.login_timeout_ms + 5000));
    CHECK(i->closed());
    CHECK(world.log.find("the login took too long") != std::string::npos);
  }
  SECTION("before the end") {
    world.portal->shut_down();
    i->pump();
    CHECK(i->closed());
    CHECK(world.carried == 0);
  }
}

TEST_CASE("shutting down", "[iscsi]") {
  Apart world;
  auto i = world.session();
  world.second->shut_down();
  i->pump();
  const Received asked = i->expect(Opcode::kAsyncMessage);
  CHECK(asked.as<AsyncMessage>().event == AsyncEvent::kLogoutRequest);
  auto late = world.connect();
  CHECK(status_of(late->login(somebody_else())) == 0x0301);
}

TEST_CASE("no two sessions of a group have the same handle", "[iscsi]") {
  Apart world;
  std::set<std::uint16_t> handles;
  for (int round = 0; round < 20; ++round) {
    for (const bool drive : {false, true}) {
      auto i = world.connect();
      const auto login = i->login(drive ? LoginOptions{} : to_changer()).as<LoginResponse>();
      REQUIRE(login.status == 0);
      CHECK(handles.insert(login.tsih).second);
    }
  }
}
