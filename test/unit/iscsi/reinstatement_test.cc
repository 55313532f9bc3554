// Who may have a session: reinstatement, a second initiator, limits.
#include "logins.h"
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

TEST_CASE("the same initiator port logging in again takes its session over", "[iscsi]") {
  World world;
  auto first = world.session();
  // A command is at work, and one has part of its data.
  first->send(first->command({0x01}).encode());
  ScsiCommand write = first->command({0x0A, 0, 0, 1, 0, 0}, 256);
  write.write = true;
  first->send(write.encode());
  CHECK(world.unit.waiting.size() == 1);

  auto second = world.connect();
  CHECK(status_of(second->login()) == 0);
  const AsyncMessage told = first->expect(Opcode::kAsyncMessage).as<AsyncMessage>();
  CHECK(told.event == AsyncEvent::kDropSession);
  CHECK(told.parameter2 == 2);  // DefaultTime2Wait
  CHECK(told.parameter3 == 0);  // nothing is kept
  CHECK(first->closed());
  first->expect_silence();
  CHECK(world.portal->sessions().size() == 1);
  REQUIRE(world.unit.established.size() == 2);
  CHECK(world.unit.established[1].replaces_lost_nexus);
  CHECK(world.unit.established[1].id != world.unit.established[0].id);
  CHECK(world.unit.established[1].transport_id == world.unit.established[0].transport_id);
  CHECK(world.unit.lost == 1);
  world.unit.release();  // the end of the old session's task goes unheard
  first->expect_silence();
  CHECK(second->run(second->command({0x00})) == 2);
  CHECK(sense_of(second->last_sense) == 0x062907);  // I_T nexus loss
  CHECK(second->run(second->command({0x00})) == 0);
}

TEST_CASE("the listener hears of a connection that was replaced", "[iscsi]") {
  World world;
  auto first = world.session();
  int calls = 0;
  first->connection().set_output_listener([&] { ++calls; });
  auto second = world.connect();
  second->login();
  CHECK(calls == 1);
  CHECK(!first->closed());
  SECTION("it reads what it is told") { first->expect(Opcode::kAsyncMessage); }
  SECTION("it does not, as one whose line is cut") { first->pass(2s); }
  CHECK(first->closed());
  CHECK(!first->connection().deadline());
}

TEST_CASE("nobody ends a session before having proved who it is", "[iscsi]") {
  World world({}, chap_policy());
  auto first = world.connect();
  CHECK(status_of(first->login(alice())) == 0);
  LoginOptions wrong = alice();
  wrong.secret = "secret-of-malice";
  for (int n = 0; n < 3; ++n) {
    auto i = world.connect();
    i->login_request(Stage::kSecurity, {}, names_and({{"AuthMethod", "CHAP"}, {"CHAP_A", "5"}}));
    LoginRequest request;
    request.transit = true;
    request.next = Stage::kOperational;
    request.isid = wrong.isid;
    request.task_tag = 0x77;
    request.cmd_sn = 1;
    i->send(
        request.encode(),
        scsi::as_bytes(text_of({{"CHAP_N", "alice"}, {"CHAP_R", "0x" + std::string(32, '1')}})));
    i->pass(5s);
    check_refused(*i, i->expect(Opcode::kLoginResponse), 0x0201);
  }
  CHECK(!first->closed());
  first->run(first->command({0x00}));
  CHECK(first->run(first->command({0x00})) == 0);
}

TEST_CASE("a session that was begun with one account is not taken over with another", "[iscsi]") {
  auth::AccessPolicy policy = chap_policy();
  policy.any_target.accounts.push_back({"mallory", auth::Secret("secret-of-mallo")});
  World world(shared_targets(), policy);
  auto first = world.connect();
  const std::uint16_t tsih = first->login(alice()).as<LoginResponse>().tsih;
  REQUIRE(tsih != 0);
  LoginOptions other = alice();  // its name, its port
  other.user = "mallory";
  other.secret = "secret-of-mallo";
  auto i = world.connect();
  check_refused(*i, i->login(other), 0x0301);
  CHECK(first->expect(Opcode::kNopIn).as<NopIn>().transfer_tag != kReservedTag);
  other.tsih = tsih;
  auto j = world.connect();
  check_refused(*j, j->login(other), 0x020A);
  CHECK(!first->closed());
  CHECK(world.unit.lost == 0);
  // With its own it is.
  CHECK(status_of(world.connect()->login(alice())) == 0);
  first->expect(Opcode::kAsyncMessage);
  CHECK(first->closed());
}

TEST_CASE("a second initiator is told 0301, and the log who has the target", "[iscsi]") {
  World world;
  auto first = world.session();
  LoginOptions other;
  other.initiator = "iqn.1991-05.com.microsoft:host";
  auto second = world.connect("192.0.2.9:1");
  check_refused(*second, second->login(other), 0x0301);
  CHECK(world.log.find("target iqn.2026-11.local.vtl:drive is in use by iqn.1993-08.org.debian:01:"
                       "abcdef at 192.0.2.7:40000") != std::string::npos);
  // The holder is asked for a sign of life, so that a dead one is found out sooner.
  CHECK(first->expect(Opcode::kNopIn).as<NopIn>().transfer_tag != kReservedTag);
  CHECK(!first->closed());
  // Another port of the same initiator is another nexus.
  LoginOptions isid;
  isid.isid[5] = std::byte{7};
  auto third = world.connect();
  check_refused(*third, third->login(isid), 0x0301);
  // Other targets are free, and so is this one when the first has gone.
  other.target = kChanger;
  auto fourth = world.connect("192.0.2.9:2");
  CHECK(status_of(fourth->login(other)) == 0);
  first->connection().lost(first->now());
  other.target = kDrive;
  auto fifth = world.connect("192.0.2.9:3");
  CHECK(status_of(fifth->login(other)) == 0);
  CHECK(!world.unit.established.back().replaces_lost_nexus);
}

TEST_CASE("several sessions per target where that is allowed", "[iscsi]") {
  World world(shared_targets());
  auto first = world.session();
  LoginOptions other;
  other.initiator = "iqn.1991-05.com.microsoft:host";
  auto second = world.session(other);
  CHECK(world.portal->sessions().size() == 2);
  other.initiator = "iqn.1991-05.com.microsoft:third";
  auto third = world.connect();
  CHECK(status_of(third->login(other)) == 0x0301);
  CHECK(world.unit.established[0].id != world.unit.established[1].id);
}

TEST_CASE("a session handle in the request", "[iscsi]") {
  World world;
  auto first = world.connect();
  const std::uint16_t tsih = first->login().as<LoginResponse>().tsih;
  LoginOptions options;
  options.tsih = tsih;
  SECTION("with another CID: a second connection, of which there is none") {
    options.connection_id = 1;
    auto i = world.connect();
    check_refused(*i, i->login(options), 0x0206);
    CHECK(!first->closed());
  }
  SECTION("with the same CID: the connection is reinstated") {
    auto i = world.connect();
    const auto login = i->login(options).as<LoginResponse>();
    CHECK(login.status == 0);
    CHECK(login.tsih == tsih);
    first->expect(Opcode::kAsyncMessage);
    CHECK(first->closed());
    CHECK(world.unit.lost == 1);
  }
  SECTION("of another initiator's session") {
    options.initiator = "iqn.1991-05.com.microsoft:host";
    auto i = world.connect();
    check_refused(*i, i->login(options), 0x020A);
    CHECK(!first->closed());
  }
  SECTION("of another port of the same initiator") {
    options.isid[5] = std::byte{9};
    auto i = world.connect();
    check_refused(*i, i->login(options), 0x020A);
    CHECK(!first->closed());
  }
  SECTION("of a session with another target") {
    options.target = kChanger;
    auto i = world.connect();
    check_refused(*i, i->login(options), 0x020A);
    CHECK(!first->closed());
  }
  SECTION("of no session") {
    options.tsih = static_cast<std::uint16_t>(tsih + 1);
    auto i = world.connect();
    check_refused(*i, i->login(options), 0x020A);
    CHECK(!first->closed());
  }
}

TEST_CASE("the TransportID is that of SPC-4", "[iscsi]") {
  World world;
  auto i = world.session();
  REQUIRE(world.unit.established.size() == 1);
  const auto& id = world.unit.established[0].transport_id;
  const std::string name = std::string(kInitiatorName) + ",i,0x00023d010000";
  REQUIRE(id.size() % 4 == 0);
  CHECK(id[0] == std::byte{0x45});
  CHECK(id[1] == std::byte{0});
  CHECK(scsi::ByteReader(scsi::Bytes(id).subspan(2)).u16() == id.size() - 4);
  CHECK(scsi::as_text(scsi::Bytes(id).subspan(4, name.size())) == name);
  CHECK(id.back() == std::byte{0});
  CHECK(id.size() - 4 - name.size() >= 1);
  CHECK(id.size() - 4 - name.size() <= 4);
}

TEST_CASE("limits of connections", "[iscsi]") {
  PortalOptions options;
  options.max_connections = 5;
  options.max_connections_per_address = 2;
  World world(options, {}, {256u << 20, 64u << 20}, GENERATE(false, true));
  auto a = world.connect("192.0.2.7:1"), b = world.connect("192.0.2.7:2");
  CHECK(world.portal->accept("192.0.2.1:3260", "192.0.2.7:3") == nullptr);
  auto c = world.connect("192.0.2.8:1");
  auto six = world.connect("[2001:db8::1]:1");
  CHECK(status_of(a->login()) == 0);  // no longer half open
  auto d = world.connect("192.0.2.7:4");
  CHECK(world.portal->accept("192.0.2.1:3260", "192.0.2.10:3") == nullptr);  // six in all
  // One that is over counts as long as its socket is there.
  d->connection().lost(d->now());
  CHECK(world.portal->accept("192.0.2.1:3260", "192.0.2.10:3") == nullptr);
  d.reset();
  CHECK(world.connect("192.0.2.10:3"));
}

// As many addresses as there are in it are one host's for the asking (RFC 4291 2.5.1).
TEST_CASE("an IPv6 /64 is one address to connect from", "[iscsi]") {
  PortalOptions options;
  options.max_connections_per_address = 2;
  World world(options, {}, {256u << 20, 64u << 20}, GENERATE(false, true));
  auto a = world.connect("2001:db8::1"), b = world.connect("[2001:db8::ffff:0:2]:2");
  CHECK(world.portal->accept("[::1]:3260", "2001:db8:0:0:3::") == nullptr);
  CHECK(world.reached(Limit::kConnectionsPerAddress) == 1);
  auto neighbour = world.connect("2001:db8:0:1::1");
  CHECK(status_of(a->login()) == 0);  // no longer half open
  auto c = world.connect("2001:db8::4");
  LogoutRequest logout;
  logout.cmd_sn = a->cmd_sn++;
  a->send(logout.encode());
  a->expect(Opcode::kLogoutResponse);  // nor logged in
  c.reset();
  CHECK(world.portal->accept("[::1]:3260", "2001:db8::5") == nullptr);
}

TEST_CASE("discovery sessions count against their address", "[iscsi]") {
  PortalOptions options;
  options.max_connections_per_address = 2;
  World world(options);
  LoginOptions discovery;
  discovery.discovery = true;
  discovery.keys = {};
  auto a = world.connect("192.0.2.7:1"), b = world.connect("192.0.2.7:2");
  CHECK(status_of(a->login(discovery)) == 0);
  CHECK(status_of(b->login(discovery)) == 0);
  CHECK(world.portal->accept("192.0.2.1:3260", "192.0.2.7:3") == nullptr);
  auto other = world.connect("192.0.2.8:1");
  CHECK(status_of(other->login()) == 0);
}
