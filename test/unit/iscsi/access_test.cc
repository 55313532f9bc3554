// Who may log in: names, addresses, and other rules while sessions go on.
#include "logins.h"
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

std::shared_ptr<const auth::AccessPolicy> shared(auth::AccessPolicy policy) {
  return std::make_shared<const auth::AccessPolicy>(std::move(policy));
}

auth::AccessPolicy only_from(const char* network) {
  auth::AccessPolicy policy;
  policy.targets[kDrive].addresses = {*auth::Network::parse(network)};
  return policy;
}

std::string targets_shown(World& world, const std::string& peer) {
  auto i = world.connect(peer);
  LoginOptions discovery;
  discovery.discovery = true;
  discovery.keys = {};
  REQUIRE(status_of(i->login(discovery)) == 0);
  TextRequest request;
  request.task_tag = 5;
  request.cmd_sn = i->cmd_sn++;
  i->send(request.encode(), scsi::as_bytes(text_of({{"SendTargets", "All"}})));
  const Data text = i->expect(Opcode::kTextResponse).data;
  return std::string(scsi::as_text(text));
}

// What becomes of a login as alice with this secret.
std::uint16_t chap_login(World& world, const std::string& peer, const std::string& secret) {
  auto i = world.connect(peer);
  i->login_request(Stage::kSecurity, {}, names_and({{"AuthMethod", "CHAP"}, {"CHAP_A", "5"}}));
  const auto id = static_cast<std::uint8_t>(std::stoul(i->login_keys["CHAP_I"]));
  const auto challenge = auth::decode_binary(i->login_keys["CHAP_C"], 64).value();
  const auto response =
      auth::chap_response(auth::ChapAlgorithm::kMd5, id, auth::Secret(secret), challenge);
  LoginRequest request;
  request.transit = true;
  request.next = Stage::kOperational;
  request.task_tag = 0x77;
  request.isid = LoginOptions{}.isid;
  i->send(request.encode(),
          scsi::as_bytes(text_of({{"CHAP_N", "alice"}, {"CHAP_R", auth::encode_hex(response)}})));
  i->pass(5s);
  return status_of(i->expect(Opcode::kLoginResponse));
}

}  // namespace

TEST_CASE("a target is hidden from addresses that may not use it: for them there is none",
          "[iscsi]") {
  World world({}, only_from("192.0.2.0/24"));
  CHECK(status_of(world.connect("192.0.2.7:40000")->login()) == 0);
  CHECK(targets_shown(world, "192.0.2.7:1").find(kDrive) != std::string::npos);
  CHECK(targets_shown(world, "198.51.100.7:1").find(kDrive) == std::string::npos);
  CHECK(targets_shown(world, "198.51.100.7:1").find(kChanger) != std::string::npos);
  auto stranger = world.connect("198.51.100.7:40000");
  const Received response =
      first_request(*stranger, {.transit = true, .next = Stage::kOperational}, text_of(kNames));
  check_refused(*stranger, response, 0x0203);
  CHECK(world.reached(Limit::kNotAllowed) == 1);
  CHECK(world.log.find("is not among those allowed") != std::string::npos);
  // Byte for byte, and as soon, what is said of a name that nobody has.
  auto nobody = world.connect("198.51.100.7:40000");
  LoginRequest request{.transit = true, .next = Stage::kOperational};
  request.task_tag = 1;
  std::string names = text_of(kNames);
  names.replace(names.find(kDrive), std::string(kDrive).size(), "iqn.2026-11.local.vtl:other");
  nobody->send(request.encode(), scsi::as_bytes(names));
  nobody->expect(Opcode::kLoginResponse);
  CHECK(nobody->all_output == stranger->all_output);
}

TEST_CASE("rules and failures know an IPv6 address in either spelling", "[iscsi]") {
  World rules({}, only_from("2001:db8::/32"));
  for (const char* peer : {"2001:db8::7", "[2001:db8::7]:40000"})
    CHECK(status_of(rules.connect(peer)->login()) == 0);
  for (const char* peer : {"2001:db9::7", "[2001:db9::7]:40000", "[::]:1", "["})
    CHECK(status_of(rules.connect(peer)->login()) == 0x0203);
  World guessed({}, chap_policy());
  for (int n = 0; n < 10; ++n) {
    const std::string host = "2001:db8::" + std::to_string(n + 1);
    CHECK(chap_login(guessed, n % 2 == 0 ? host : "[" + host + "]:1", "not-the-secret") == 0x0201);
  }
  CHECK(chap_login(guessed, "[2001:db8::beef]:1", "secret-of-alice") == 0x0201);
  CHECK(guessed.reached(Limit::kLockedOut) == 1);
  CHECK(chap_login(guessed, "[2001:db8:0:1::beef]:1", "secret-of-alice") == 0);
}

TEST_CASE("discovery is refused by name with 0202", "[iscsi]") {
  auth::AccessPolicy policy;
  policy.discovery.initiators = {"iqn.1991-05.com.microsoft:host"};
  World world({}, policy);
  auto i = world.connect();
  LoginOptions discovery;
  discovery.discovery = true;
  discovery.keys = {};
  check_refused(*i, i->login(discovery), 0x0202);
}

TEST_CASE("other rules: sessions go on, who would not be let in any more is named", "[iscsi]") {
  World world;
  auto session = world.session();
  const auto strangers = world.portal->set_access(shared(chap_policy()), false);
  REQUIRE(strangers.size() == 1);
  CHECK(strangers[0].initiator == kInitiatorName);
  CHECK(strangers[0].target == kDrive);
  CHECK(session->run(session->command({0x00})) == 0);
  // Who comes now meets the new rules.
  auto late = world.connect();
  check_refused(*late,
                first_request(*late, {.transit = true, .next = Stage::kOperational},
                              text_of(names_and({{"AuthMethod", "None"}}))),
                0x0201);
  // And the initiator itself, when it comes again - without losing the session that it has.
  CHECK(session->run(session->command({0x00})) == 0);
  CHECK(status_of(world.connect()->login(alice())) == 0);  // reinstated
  CHECK(world.portal->set_access(shared(chap_policy()), false).empty());
}

TEST_CASE("other rules: sessions that would not be let in are asked to log out, then end",
          "[iscsi]") {
  World world(shared_targets());
  auto session = world.session();
  LoginOptions other = other_host();
  auto kept = world.session(other);
  auth::AccessPolicy policy;
  policy.any_target.initiators = {other.initiator};
  CHECK(world.portal->set_access(shared(std::move(policy)), true).size() == 1);
  const AsyncMessage message = session->expect(Opcode::kAsyncMessage).as<AsyncMessage>();
  CHECK(message.event == AsyncEvent::kLogoutRequest);
  CHECK(!session->closed());
  session->pass(5s);
  CHECK(session->closed());
  CHECK(world.portal->sessions().size() == 1);
  CHECK(kept->run(kept->command({0x00})) == 0);
}

TEST_CASE("other rules: discovery ends at once for whom it is not any more", "[iscsi]") {
  World world;
  LoginOptions discovery;
  discovery.discovery = true;
  discovery.keys = {};
  auto goes = world.connect(), stays = world.connect();
  CHECK(status_of(goes->login(discovery)) == 0);
  discovery.initiator = other_host().initiator;
  CHECK(status_of(stays->login(discovery)) == 0);
  auth::AccessPolicy policy;
  policy.discovery.initiators = {discovery.initiator};
  CHECK(world.portal->set_access(shared(std::move(policy)), false).empty());
  CHECK(goes->closed());
  CHECK(!stays->closed());
}

TEST_CASE("a login that began under other rules has to begin again", "[iscsi]") {
  const bool same = GENERATE(false, true);
  CAPTURE(same);
  World world({}, chap_policy());
  auto i = world.connect();
  i->login_request(Stage::kSecurity, {}, names_and({{"AuthMethod", "CHAP"}, {"CHAP_A", "5"}}));
  auth::AccessPolicy policy = chap_policy();
  if (!same) policy.any_target.accounts[0].secret = auth::Secret("another-of-alice");
  world.portal->set_access(shared(std::move(policy)), false);
  LoginRequest request;
  request.transit = true;
  request.next = Stage::kOperational;
  request.task_tag = 0x77;
  request.isid = LoginOptions{}.isid;
  i->send(request.encode(), scsi::as_bytes(text_of({{"CHAP_N", "alice"}, {"CHAP_R", "0x00"}})));
  if (same) i->pass(5s);
  CHECK(status_of(i->expect(Opcode::kLoginResponse)) == (same ? 0x0201 : 0x0301));
  CHECK(i->closed());
}

TEST_CASE("an address that fails too often is locked, whatever it answers then", "[iscsi]") {
  World world({}, chap_policy());
  for (std::size_t n = 0; n < auth::LoginFailures::kAddressLimit; ++n)
    CHECK(chap_login(world, "192.0.2.66:1", "secret-of-mallory") == 0x0201);
  CHECK(world.reached(Limit::kAuthentication) == auth::LoginFailures::kAddressLimit);
  CHECK(chap_login(world, "192.0.2.66:1", "secret-of-alice") == 0x0201);
  CHECK(world.reached(Limit::kLockedOut) == 1);
  CHECK(chap_login(world, "192.0.2.7:1", "secret-of-alice") == 0);
  // Other secrets: what failed may be right now.
  world.portal->set_access(shared(chap_policy()), false);
  CHECK(chap_login(world, "192.0.2.66:1", "secret-of-alice") == 0);
}
