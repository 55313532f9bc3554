// CHAP during a login.
#include "logins.h"
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

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

TEST_CASE("once CHAP is through, the stage ends when the initiator says so", "[iscsi]") {
  World world({}, chap_policy());
  auto i = world.connect();
  i->login_request(Stage::kSecurity, {}, names_and({{"AuthMethod", "CHAP"}, {"CHAP_A", "5"}}));
  const auto proof = auth::chap_response(
      auth::ChapAlgorithm::kMd5, static_cast<std::uint8_t>(std::stoul(i->login_keys["CHAP_I"])),
      auth::Secret("secret-of-alice"), *auth::decode_binary(i->login_keys["CHAP_C"], 64));
  auto login = i->login_request(Stage::kSecurity, {},
                                {{"CHAP_N", "alice"}, {"CHAP_R", auth::encode_hex(proof)}})
                   .as<LoginResponse>();
  CHECK(login.status == 0);
  CHECK(!login.transit);
  CHECK(world.portal->sessions().empty());
  login = i->login_request(Stage::kSecurity, Stage::kOperational, {}).as<LoginResponse>();
  CHECK(login.status == 0);
  CHECK(login.transit);
  // What belongs to that stage is no key of this one.
  login = i->login_request(Stage::kOperational, Stage::kFullFeature, {{"AuthMethod", "None"}})
              .as<LoginResponse>();
  CHECK(i->login_keys["AuthMethod"] == "Reject");
  CHECK(login.tsih != 0);
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

TEST_CASE("where no proof is wanted, None has to be among what is offered", "[iscsi]") {
  for (const char* method : {"CHAP", "KRB5,CHAP", ""}) {
    World world;
    auto i = world.connect();
    check_refused(*i,
                  first_request(*i, {.transit = true, .next = Stage::kOperational},
                                text_of(names_and({{"AuthMethod", method}}))),
                  0x0201);
  }
  World world;
  auto i = world.connect();
  i->login_request(Stage::kSecurity, Stage::kOperational, names_and({{"AuthMethod", "CHAP,None"}}));
  CHECK(i->login_keys["AuthMethod"] == "None");
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
