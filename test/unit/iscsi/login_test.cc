#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

auth::AccessPolicy chap_policy(bool mutual = false) {
  auth::AccessPolicy policy;
  policy.any_target.accounts.push_back({"alice", auth::Secret("secret-of-alice")});
  if (mutual) policy.any_target.mutual = auth::Account{"library", auth::Secret("secret-library1")};
  return policy;
}

LoginOptions alice() {
  LoginOptions options;
  options.user = "alice";
  options.secret = "secret-of-alice";
  return options;
}

const std::vector<KeyValue> kNames = {
    {"InitiatorName", kInitiatorName}, {"SessionType", "Normal"}, {"TargetName", kDrive}};

std::vector<KeyValue> names_and(std::vector<KeyValue> more) {
  auto all = kNames;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// A failed login: the status, T=0, and the connection closes when that has been sent.
void check_refused(ScriptedInitiator& i, const Received& response, std::uint16_t status) {
  const LoginResponse login = response.as<LoginResponse>();
  CHECK(login.status == status);
  CHECK(!login.transit);
  CHECK(login.next == Stage::kSecurity);
  CHECK(login.tsih == 0);
  CHECK(i.closed());
}

Received first_request(ScriptedInitiator& i, LoginRequest request, const std::string& text) {
  request.task_tag = 1;
  i.send(request.encode(), scsi::as_bytes(text));
  i.pass(5s);  // authentication failures take their time
  return i.expect(Opcode::kLoginResponse);
}

std::string text_of(const std::vector<KeyValue>& keys) {
  std::string text;
  for (const auto& [key, value] : keys) append_text(text, key, value);
  return text;
}

}  // namespace

TEST_CASE("stages: operational only, security then operational, security to full feature",
          "[iscsi]") {
  World world;
  {
    auto i = world.connect();
    CHECK(status_of(i->login()) == 0);
    CHECK(i->login_keys["TargetPortalGroupTag"] == "1");
    CHECK(i->login_keys["MaxRecvDataSegmentLength"] == "262144");
    CHECK(i->login_keys["MaxBurstLength"] == "1048576");
    CHECK(i->login_keys["DefaultTime2Retain"] == "0");
  }
  {
    auto i = world.connect();
    LoginOptions options;
    options.security_stage = true;
    CHECK(status_of(i->login(options)) == 0);
    CHECK(i->login_keys["AuthMethod"] == "None");
  }
  {
    auto i = world.connect();
    const Received response = i->login_request(Stage::kSecurity, Stage::kFullFeature,
                                               names_and({{"AuthMethod", "None"}}));
    const LoginResponse login = response.as<LoginResponse>();
    CHECK(login.status == 0);
    CHECK(login.transit);
    CHECK(login.next == Stage::kFullFeature);
    CHECK(login.tsih != 0);
    // Security keys and TargetPortalGroupTag only: open-iscsi knows no other in this stage.
    CHECK(i->login_keys.size() == 2);
  }
}

TEST_CASE("the handle is in the last response only, T and NSG follow the request", "[iscsi]") {
  World world;
  auto i = world.connect();
  LoginResponse login = i->login_request(Stage::kSecurity, {}, names_and({{"AuthMethod", "None"}}))
                            .as<LoginResponse>();
  CHECK(!login.transit);
  CHECK(login.current == Stage::kSecurity);
  CHECK(login.tsih == 0);
  CHECK(i->login_keys["TargetPortalGroupTag"] == "1");  // in the very first response
  login = i->login_request(Stage::kSecurity, Stage::kOperational, {}).as<LoginResponse>();
  CHECK(login.transit);
  CHECK(login.next == Stage::kOperational);
  CHECK(login.tsih == 0);
  login = i->login_request(Stage::kOperational, {}, {{"InitialR2T", "No"}}).as<LoginResponse>();
  CHECK(!login.transit);
  CHECK(login.current == Stage::kOperational);
  CHECK(login.version_active == 0);
  i->login_keys.clear();
  login = i->login_request(Stage::kOperational, Stage::kFullFeature, {}).as<LoginResponse>();
  CHECK(login.transit);
  CHECK(login.tsih != 0);
  CHECK(i->login_keys.empty());  // nothing is declared twice
}

TEST_CASE("the target's alias is told to whom logs in, and not in discovery", "[iscsi]") {
  World world;
  auto i = world.connect();
  LoginOptions options;
  options.target = kChanger;
  CHECK(status_of(i->login(options)) == 0);
  CHECK(i->login_keys["TargetAlias"] == "the changer");
  auto d = world.connect();
  options.discovery = true;
  CHECK(status_of(d->login(options)) == 0);
  CHECK(!d->login_keys.contains("TargetAlias"));
  CHECK(!d->login_keys.contains("TargetPortalGroupTag"));
  CHECK(world.portal->sessions().size() == 1);  // discovery does not count
}

TEST_CASE("names are compared without regard to case", "[iscsi]") {
  World world;
  auto i = world.connect();
  LoginOptions options;
  options.target = "IQN.2026-11.Local.VTL:Drive";
  options.initiator = "IQN.1993-08.org.debian:01:ABCDEF";
  CHECK(status_of(i->login(options)) == 0);
  CHECK(world.portal->sessions()[0].initiator == kInitiatorName);
}

TEST_CASE("one-way and mutual CHAP, with every algorithm", "[iscsi]") {
  for (const char* algorithm : {"5", "6", "7", "8"}) {
    for (const bool mutual : {false, true}) {
      World world({}, chap_policy(true));
      auto i = world.connect();
      LoginOptions options = alice();
      options.chap_algorithms = algorithm;
      if (mutual) {
        options.mutual_user = "library";
        options.mutual_secret = "secret-library1";
      }
      CHECK(status_of(i->login(options)) == 0);
      CHECK(i->login_keys["AuthMethod"] == "CHAP");
      i->run(i->command({0x00}));
      CHECK(i->run(i->command({0x00})) == 0);
    }
  }
}

TEST_CASE("AuthMethod and CHAP_A in one request", "[iscsi]") {
  World world({}, chap_policy());
  auto i = world.connect();
  i->login_request(Stage::kSecurity, {}, names_and({{"AuthMethod", "CHAP"}, {"CHAP_A", "7,5"}}));
  CHECK(i->login_keys["AuthMethod"] == "CHAP");
  CHECK(i->login_keys["CHAP_A"] == "7");
  CHECK(i->login_keys["CHAP_C"].size() == 66);
}

TEST_CASE("T=1 beside an offer is answered with T=0 until CHAP is through", "[iscsi]") {
  World world({}, chap_policy());
  auto i = world.connect();
  const auto login = i->login_request(Stage::kSecurity, Stage::kOperational,
                                      names_and({{"AuthMethod", "CHAP,None"}}))
                         .as<LoginResponse>();
  CHECK(login.status == 0);
  CHECK(!login.transit);
  CHECK(login.current == Stage::kSecurity);
}

TEST_CASE("without T=1 the next stage is reserved", "[iscsi]") {
  World world;
  auto i = world.connect();
  LoginRequest request;
  request.current = Stage::kOperational;
  request.task_tag = 1;
  i->send(request.encode(), scsi::as_bytes(text_of(kNames)));
  CHECK(i->expect(Opcode::kLoginResponse).header[1] == std::byte{0x04});  // RFC 7143 11.13.3
}

TEST_CASE("ways around CHAP end in 0201, late, and the connection closes", "[iscsi]") {
  const std::vector<std::vector<std::vector<KeyValue>>> attempts = {
      {names_and({{"AuthMethod", "None"}})},
      {names_and({{"AuthMethod", "KRB5,SRP"}})},
      {names_and({})},
      {names_and({{"AuthMethod", "CHAP"}}), {}},
      {names_and({{"AuthMethod", "CHAP"}}), {{"CHAP_R", "0x00"}, {"CHAP_N", "alice"}}},
      {names_and({{"CHAP_A", "5"}})},
      {names_and({{"AuthMethod", "CHAP"}, {"CHAP_A", "5"}}), {}},
      {names_and({{"AuthMethod", "CHAP"}, {"CHAP_A", "5"}}), {{"AuthMethod", "None"}}},
      {names_and({{"AuthMethod", "CHAP"}, {"CHAP_A", "5"}}),
       {{"CHAP_N", "alice"}, {"CHAP_R", "0x" + std::string(32, '0')}}},
      {names_and({{"AuthMethod", "CHAP"}, {"CHAP_A", "5"}}), {{"CHAP_N", "%s%n"}, {"CHAP_R", ""}}},
      {names_and({{"AuthMethod", "CHAP"}, {"AuthMethod", "CHAP"}})},
  };
  for (const auto& attempt : attempts) {
    World world({}, chap_policy());
    auto i = world.connect();
    Received response;
    for (std::size_t n = 0; n < attempt.size(); ++n) {
      LoginRequest request;
      request.transit = n + 1 == attempt.size();
      request.next = Stage::kOperational;
      request.task_tag = 1;
      i->send(request.encode(), scsi::as_bytes(text_of(attempt[n])));
      if (request.transit) {
        i->expect_silence();  // not at once
        CHECK(!i->closed());
        i->pass(250ms);
      }
      response = i->expect(Opcode::kLoginResponse);
    }
    check_refused(*i, response, 0x0201);
    CHECK(world.log.find("secret-of") == std::string::npos);
  }
  World world({}, chap_policy());
  auto i = world.connect();
  const Received response = first_request(
      *i, {.transit = true, .current = Stage::kOperational, .next = Stage::kFullFeature},
      text_of(kNames));
  check_refused(*i, response, 0x0201);
}

TEST_CASE("each failure from an address makes the next answer later; a success forgives",
          "[iscsi]") {
  World world({}, chap_policy());
  const auto fail = [&](const std::string& peer, std::chrono::milliseconds early,
                        std::chrono::milliseconds due) {
    auto i = world.connect(peer);
    LoginRequest request;
    request.transit = true;
    request.next = Stage::kOperational;
    i->send(request.encode(), scsi::as_bytes(text_of(names_and({{"AuthMethod", "None"}}))));
    i->pass(early);
    i->expect_silence();
    i->pass(due - early);
    check_refused(*i, i->expect(Opcode::kLoginResponse), 0x0201);
  };
  fail("192.0.2.7:1", 249ms, 250ms);
  fail("192.0.2.7:2", 499ms, 500ms);  // another port of the same host
  fail("192.0.2.8:1", 249ms, 250ms);
  CHECK(status_of(world.connect("192.0.2.7:3")->login(alice())) == 0);
  fail("192.0.2.7:4", 249ms, 250ms);
  // A session that asks for no proof forgives nothing, or a guesser would begin afresh each time.
  LoginOptions discovery;
  discovery.discovery = true;
  discovery.keys = {};
  CHECK(status_of(world.connect("192.0.2.7:5")->login(discovery)) == 0);
  fail("192.0.2.7:6", 499ms, 500ms);
}

TEST_CASE("errors of the first request have their status", "[iscsi]") {
  const std::string normal = text_of(kNames);
  LoginRequest ordinary;
  ordinary.transit = true;
  ordinary.current = Stage::kOperational;
  ordinary.next = Stage::kFullFeature;
  const auto with = [&](auto change) {
    LoginRequest request = ordinary;
    change(request);
    return request;
  };
  const struct {
    const char* what;
    LoginRequest request;
    std::string text;
    std::uint16_t status;
  } rows[] = {
      {"no InitiatorName", ordinary, text_of({{"TargetName", kDrive}}), 0x0207},
      {"no TargetName", ordinary, text_of({{"InitiatorName", kInitiatorName}}), 0x0207},
      {"nothing", ordinary, "", 0x0207},
      {"unknown target", ordinary,
       text_of({{"InitiatorName", kInitiatorName}, {"TargetName", "iqn.2026-11.local.vtl:none"}}),
       0x0203},
      {"a path as target", ordinary,
       text_of({{"InitiatorName", kInitiatorName}, {"TargetName", "../../etc/passwd"}}), 0x0203},
      {"target of 300 bytes", ordinary,
       text_of({{"InitiatorName", kInitiatorName}, {"TargetName", "iqn." + std::string(300, 'a')}}),
       0x0203},
      {"initiator of 224 bytes", ordinary,
       text_of({{"InitiatorName", "iqn." + std::string(220, 'a')}, {"TargetName", kDrive}}),
       0x020B},
      {"initiator without prefix", ordinary,
       text_of({{"InitiatorName", "%s%s%n"}, {"TargetName", kDrive}}), 0x020B},
      {"a forged log line", ordinary,
       text_of({{"InitiatorName", "iqn.a\nall is well\xFF"}, {"TargetName", kDrive}}), 0x020B},
      {"session type", ordinary, text_of(names_and({})) + text_of({{"SessionType", "Odd"}}),
       0x020B},
      {"session type alone", ordinary,
       text_of({{"InitiatorName", kInitiatorName}, {"SessionType", "Odd"}}), 0x0209},
      {"version", with([](auto& r) { r.version_min = 1; }), normal, 0x0205},
      {"CSG 2", with([](auto& r) { r.current = Stage::kInvalid; }), normal, 0x020B},
      {"CSG 3", with([](auto& r) { r.current = Stage::kFullFeature; }), normal, 0x020B},
      {"NSG 2", with([](auto& r) { r.next = Stage::kInvalid; }), normal, 0x020B},
      {"NSG = CSG", with([](auto& r) { r.next = Stage::kOperational; }), normal, 0x020B},
      {"NSG < CSG", with([](auto& r) { r.next = Stage::kSecurity; }), normal, 0x020B},
      {"T and C", with([](auto& r) { r.more = true; }), normal, 0x020B},
      {"unknown session handle", with([](auto& r) { r.tsih = 77; }), normal, 0x020A},
      {"no =", ordinary, normal + std::string("abc\0", 4), 0x020B},
      {"no NUL", ordinary, normal + "A=b", 0x020B},
      {"long key", ordinary, normal + std::string(64, 'k') + std::string("=1\0", 3), 0x020B},
      {"long value", ordinary, normal + text_of({{"X-a", std::string(256, 'v')}}), 0x020B},
      {"8192 times =", ordinary, std::string(8192, '='), 0x020B},
      {"key twice", ordinary, normal + text_of({{"InitialR2T", "No"}, {"InitialR2T", "No"}}),
       0x020B},
      {"name twice", ordinary, normal + text_of({{"TargetName", kDrive}}), 0x020B},
      {"MaxRecv 0", ordinary, normal + text_of({{"MaxRecvDataSegmentLength", "0"}}), 0x020B},
      {"MaxRecv 511", ordinary, normal + text_of({{"MaxRecvDataSegmentLength", "511"}}), 0x020B},
      {"MaxRecv 2^24", ordinary, normal + text_of({{"MaxRecvDataSegmentLength", "16777216"}}),
       0x020B},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    World world;
    auto i = world.connect();
    const Received response = first_request(*i, row.request, row.text);
    check_refused(*i, response, row.status);
    CHECK(response.data.empty());
    CHECK(world.portal->sessions().empty());
    CHECK(world.pool.lent_bytes() == 0);
    CHECK(std::all_of(world.log.begin(), world.log.end(),
                      [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7F); }));
    CHECK(std::count(world.log.begin(), world.log.end(), '\n') == 1);  // no line is smuggled in
  }
}

TEST_CASE("an initiator that is not among those allowed is told 0202", "[iscsi]") {
  auth::AccessPolicy policy;
  policy.targets[kDrive].initiators = {"iqn.1993-08.org.debian:01:other"};
  World world({}, policy);
  auto i = world.connect();
  check_refused(*i, i->login(), 0x0202);
  LoginOptions options;
  options.target = kChanger;
  auto c = world.connect();
  CHECK(status_of(c->login(options)) == 0);
  // And discovery does not show it what it may not have.
  auto d = world.connect();
  options.discovery = true;
  CHECK(status_of(d->login(options)) == 0);
  const std::string list = d->text(std::string("SendTargets=All\0", 16));
  CHECK(list.find(kChanger) != std::string::npos);
  CHECK(list.find(kDrive) == std::string::npos);
}

TEST_CASE("what may not change during a login ends it when it does", "[iscsi]") {
  for (int what = 0; what < 5; ++what) {
    INFO(what);
    World world;
    auto i = world.connect();
    LoginRequest request;
    request.current = Stage::kOperational;
    request.task_tag = 1;
    i->send(request.encode(), scsi::as_bytes(text_of(kNames)));
    CHECK(status_of(i->expect(Opcode::kLoginResponse)) == 0);
    if (what == 0) request.isid[3] = std::byte{9};
    if (what == 1) request.tsih = 1;
    if (what == 2) request.task_tag = 2;
    if (what == 3) request.connection_id = 1;
    if (what == 4) request.current = Stage::kSecurity;
    i->send(request.encode());
    check_refused(*i, i->expect(Opcode::kLoginResponse), 0x020B);
  }
}

TEST_CASE("text of a login may come in any pieces", "[iscsi]") {
  LoginOptions options;
  std::string text = text_of(kNames) + text_of(options.keys);
  for (const std::size_t piece : {30u, 64u, 200u}) {
    World world;
    auto i = world.connect();
    LoginRequest request;
    request.current = Stage::kOperational;
    request.task_tag = 1;
    request.cmd_sn = 1;
    for (std::size_t at = 0; at + piece < text.size(); at += piece) {
      request.more = true;
      i->send(request.encode(), scsi::as_bytes(text).subspan(at, piece));
      const Received response = i->expect(Opcode::kLoginResponse);
      CHECK(response.data.empty());
      CHECK(status_of(response) == 0);
      CHECK(!response.as<LoginResponse>().transit);
    }
    request.more = false;
    request.transit = true;
    request.next = Stage::kFullFeature;
    i->send(request.encode(), scsi::as_bytes(text).subspan((text.size() - 1) / piece * piece));
    const Received response = i->expect(Opcode::kLoginResponse);
    CHECK(status_of(response) == 0);
    CHECK(pairs_of(response)["FirstBurstLength"] == "262144");
    CHECK(world.portal->sessions().size() == 1);
  }
}

TEST_CASE("a login cannot go on for ever", "[iscsi]") {
  SECTION("rounds") {
    World world;
    auto i = world.connect();
    LoginRequest request;
    request.current = Stage::kOperational;
    request.task_tag = 1;
    std::string text = text_of(kNames);
    std::size_t rounds = 0;
    for (;; ++rounds) {
      i->send(request.encode(), scsi::as_bytes(text));
      text.clear();
      if (status_of(i->expect(Opcode::kLoginResponse)) != 0) break;
      REQUIRE(rounds < 100);
    }
    CHECK(i->closed());
  }
  SECTION("text without end") {
    World world;
    auto i = world.connect();
    LoginRequest request;
    request.current = Stage::kOperational;
    request.task_tag = 1;
    request.more = true;
    const Data text(8192, std::byte{'a'});
    std::uint16_t status = 0;
    for (int n = 0; n < 10 && status == 0; ++n) {
      i->send(request.encode(), text);
      status = status_of(i->expect(Opcode::kLoginResponse));
    }
    CHECK(status == 0x020B);
  }
  SECTION("thousands of unknown keys") {
    World world;
    auto i = world.connect();
    std::string text = text_of(kNames);
    for (int n = 0; n < 1000; ++n) append_text(text, "X" + std::to_string(n), "");
    LoginRequest request;
    request.current = Stage::kOperational;
    i->send(request.encode(), scsi::as_bytes(text));
    check_refused(*i, i->expect(Opcode::kLoginResponse), 0x020B);
  }
  SECTION("time") {
    World world;
    auto i = world.connect();
    i->pass(14999ms);
    CHECK(!i->closed());
    LoginRequest request;
    request.current = Stage::kOperational;
    i->send(request.encode(), scsi::as_bytes(text_of(kNames)));
    i->expect(Opcode::kLoginResponse);
    i->pass(2s);  // of the whole login, not of a request
    CHECK(i->closed());
  }
  SECTION("a byte at a time") {
    World world;
    auto i = world.connect();
    for (int n = 0; n < 20 && !i->closed(); ++n) {
      const std::byte one{0x43};
      i->write({&one, 1});
      i->pass(1s);
    }
    CHECK(i->closed());
  }
}

TEST_CASE("before the login nothing else is taken", "[iscsi]") {
  World world;
  for (const Opcode opcode : {Opcode::kNopOut, Opcode::kScsiCommand, Opcode::kTextRequest,
                              Opcode::kDataOut, Opcode::kLoginResponse, Opcode::kSnackRequest}) {
    auto i = world.connect();
    Header header{};
    header[0] = static_cast<std::byte>(opcode);
    i->send(header);
    i->expect_silence();
    CHECK(i->closed());
  }
  // More data than a login may have.
  auto i = world.connect();
  i->send(LoginRequest().encode(), Data(8193));
  check_refused(*i, i->expect(Opcode::kLoginResponse), 0x020B);
  auto j = world.connect();
  Header header{};
  set_data_length(header, 0xFFFFFF);
  j->send(header);
  j->expect_silence();
  CHECK(j->closed());
}

TEST_CASE("a connection that drops in mid-login leaves nothing behind", "[iscsi]") {
  World world({}, chap_policy());
  for (int steps = 0; steps < 3; ++steps) {
    auto i = world.connect();
    if (steps > 0) i->login_request(Stage::kSecurity, {}, names_and({{"AuthMethod", "CHAP"}}));
    if (steps > 1) i->login_request(Stage::kSecurity, {}, {{"CHAP_A", "5"}});
    i->connection().lost(i->now());
    i->connection().lost(i->now());
  }
  CHECK(world.portal->sessions().empty());
  CHECK(world.pool.lent_bytes() == 0);
}

// --- who else is there (RFC 7143 6.3.5) ---

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
  CHECK(first->connection().wants_close());
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
  PortalOptions options;
  options.max_sessions_per_target = 2;
  World world(options);
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
    CHECK(first->closed());
    CHECK(world.unit.lost == 1);
  }
  SECTION("of another initiator's session") {
    options.initiator = "iqn.1991-05.com.microsoft:host";
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
