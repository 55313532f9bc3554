// Stages, statuses and bounds of a login.
#include "logins.h"
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

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

TEST_CASE("without T=1 the next stage is reserved", "[iscsi]") {
  World world;
  auto i = world.connect();
  LoginRequest request;
  request.current = Stage::kOperational;
  request.task_tag = 1;
  i->send(request.encode(), scsi::as_bytes(text_of(kNames)));
  CHECK(i->expect(Opcode::kLoginResponse).header[1] == std::byte{0x04});  // RFC 7143 11.13.3
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

TEST_CASE("an initiator that is not among those allowed is told that there is no such target",
          "[iscsi]") {
  auth::AccessPolicy policy;
  policy.targets[kDrive].initiators = {"iqn.1993-08.org.debian:01:other"};
  World world({}, policy);
  auto i = world.connect();
  check_refused(*i, i->login(), 0x0203);
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
