#include "auth/chap.h"

#include <catch2/catch.hpp>

using namespace auth;
using Progress = ChapTarget::Progress;

namespace {

std::vector<std::byte> unhex(const std::string& digits) {
  return decode_binary("0x" + digits, 4096).value();
}

// Challenges that a test can predict: 00 01 02 ... and an identifier that continues the count.
RandomBytes counting() {
  return [next = std::uint8_t{0}](std::span<std::byte> out) mutable {
    for (std::byte& b : out) b = std::byte{next++};
  };
}

struct World {
  AccessRule rule;
  std::string initiator = "iqn.1993-08.org.debian:01:abc";
  OutstandingChallenges outstanding;
  RandomBytes random = counting();
  std::vector<ChapAlgorithm> enabled = AccessPolicy{}.algorithms;

  World() { rule.accounts.push_back({"alice", Secret("secret-of-alice")}); }
  std::unique_ptr<ChapTarget> login() {
    return std::make_unique<ChapTarget>(rule, initiator, enabled, outstanding, random);
  }
};

std::string value(const ChapTarget::Answer& answer, const std::string& key) {
  for (const auto& [k, v] : answer.keys)
    if (k == key) return v;
  return "(absent)";
}

// What an honest initiator answers to a challenge.
std::string response_to(const ChapTarget::Answer& answer, const std::string& secret) {
  const auto algorithm = chap_algorithm(std::uint32_t(std::stoul(value(answer, "CHAP_A")))).value();
  return encode_hex(chap_response(algorithm, std::uint8_t(std::stoul(value(answer, "CHAP_I"))),
                                  Secret(secret), *decode_binary(value(answer, "CHAP_C"), 64)));
}

}  // namespace

// Computed with Python's hashlib: H(2Ah || "secret-of-alice" || 00..n-1), n the hash's own length.
TEST_CASE("CHAP responses are those of an independent implementation", "[auth]") {
  const struct {
    ChapAlgorithm algorithm;
    const char* expected;
  } rows[] = {
      {ChapAlgorithm::kMd5, "403d278df2d850bff3d4c3588bd50f1c"},
      {ChapAlgorithm::kSha1, "3e5063bec262014f467f8d48d8714002264a8839"},
      {ChapAlgorithm::kSha256, "de3a5d74bfde4a8ec53df513b242b0872c7cc98c68148a914e1cb49df47dfaae"},
      {ChapAlgorithm::kSha3_256,
       "9946725ffee148401d5da088ee7c7066e86fa46f43738dfd1c444292c5c426c0"},
  };
  for (const auto& row : rows) {
    std::vector<std::byte> challenge(digest_size(row.algorithm));
    counting()(challenge);
    CHECK(chap_response(row.algorithm, 0x2A, Secret("secret-of-alice"), challenge) ==
          unhex(row.expected));
  }
}

TEST_CASE("one-way CHAP succeeds with each algorithm", "[auth]") {
  for (const char* number : {"5", "6", "7", "8"}) {
    World world;
    auto chap = world.login();
    const auto challenge = chap->receive({{"CHAP_A", number}});
    REQUIRE(challenge.progress == Progress::kMore);
    CHECK(value(challenge, "CHAP_A") == number);
    const auto done =
        chap->receive({{"CHAP_N", "alice"}, {"CHAP_R", response_to(challenge, "secret-of-alice")}});
    CHECK(done.progress == Progress::kDone);
    CHECK(done.keys.empty());
    CHECK(chap->user() == "alice");
  }
}

TEST_CASE("the challenge is as long as the hash and never the same twice", "[auth]") {
  World world;
  auto first = world.login(), second = world.login();
  const auto a = first->receive({{"CHAP_A", "7"}}), b = second->receive({{"CHAP_A", "7"}});
  CHECK(value(a, "CHAP_C").size() == 2 + 2 * 32);
  CHECK(value(a, "CHAP_C") != value(b, "CHAP_C"));
}

TEST_CASE("the initiator's order decides among enabled algorithms", "[auth]") {
  World world;
  CHECK(value(world.login()->receive({{"CHAP_A", "8,7,6,5"}}), "CHAP_A") == "8");
  CHECK(value(world.login()->receive({{"CHAP_A", "99,6,7"}}), "CHAP_A") == "6");
  world.enabled = {ChapAlgorithm::kSha256};
  CHECK(value(world.login()->receive({{"CHAP_A", "5,6,7"}}), "CHAP_A") == "7");
  CHECK(world.login()->receive({{"CHAP_A", "5,6"}}).progress == Progress::kFailed);
}

TEST_CASE("mutual CHAP answers the initiator's challenge", "[auth]") {
  World world;
  world.rule.mutual = Account{"library", Secret("secret-library1")};
  auto chap = world.login();
  const auto challenge = chap->receive({{"CHAP_A", "5"}});
  const std::string theirs = "0x00112233445566778899aabbccddeeff";
  const auto done = chap->receive({{"CHAP_N", "alice"},
                                   {"CHAP_R", response_to(challenge, "secret-of-alice")},
                                   {"CHAP_I", "200"},
                                   {"CHAP_C", theirs}});
  REQUIRE(done.progress == Progress::kDone);
  CHECK(value(done, "CHAP_N") == "library");
  CHECK(value(done, "CHAP_R") ==
        encode_hex(chap_response(ChapAlgorithm::kMd5, 200, Secret("secret-library1"),
                                 *decode_binary(theirs, 64))));
}

TEST_CASE(
    "mutual CHAP is refused where it is not set up, and never before the initiator proved itself",
    "[auth]") {
  World world;
  auto chap = world.login();
  auto challenge = chap->receive({{"CHAP_A", "5"}});
  auto answer = chap->receive({{"CHAP_N", "alice"},
                               {"CHAP_R", response_to(challenge, "secret-of-alice")},
                               {"CHAP_I", "1"},
                               {"CHAP_C", "0x00112233445566778899aabbccddeeff"}});
  CHECK(answer.progress == Progress::kFailed);

  world.rule.mutual = Account{"library", Secret("secret-library1")};
  chap = world.login();
  challenge = chap->receive({{"CHAP_A", "5"}});
  answer = chap->receive({{"CHAP_N", "alice"},
                          {"CHAP_R", response_to(challenge, "wrong-wrong-wrong")},
                          {"CHAP_I", "1"},
                          {"CHAP_C", "0x00112233445566778899aabbccddeeff"}});
  CHECK(answer.progress == Progress::kFailed);
  CHECK(answer.keys.empty());
}

TEST_CASE("reflection is refused: our own challenge, and one of another connection", "[auth]") {
  World world;
  world.rule.mutual = Account{"library", Secret("secret-library1")};
  auto other = world.login();
  const auto elsewhere = other->receive({{"CHAP_A", "5"}});
  for (const bool own : {true, false}) {
    auto chap = world.login();
    const auto challenge = chap->receive({{"CHAP_A", "5"}});
    const auto answer = chap->receive({{"CHAP_N", "alice"},
                                       {"CHAP_R", response_to(challenge, "secret-of-alice")},
                                       {"CHAP_I", "1"},
                                       {"CHAP_C", value(own ? challenge : elsewhere, "CHAP_C")}});
    CHECK(answer.progress == Progress::kFailed);
    CHECK(answer.keys.empty());
  }
}

TEST_CASE("the same secret in both directions is refused", "[auth]") {
  World world;
  world.rule.mutual = Account{"library", Secret("secret-of-alice")};
  auto chap = world.login();
  const auto challenge = chap->receive({{"CHAP_A", "5"}});
  CHECK(chap->receive({{"CHAP_N", "alice"},
                       {"CHAP_R", response_to(challenge, "secret-of-alice")},
                       {"CHAP_I", "1"},
                       {"CHAP_C", "0x01"}})
            .progress == Progress::kFailed);
}

TEST_CASE("an old response does not fit a new challenge", "[auth]") {
  World world;
  auto first = world.login();
  const std::string old = response_to(first->receive({{"CHAP_A", "5"}}), "secret-of-alice");
  REQUIRE(first->receive({{"CHAP_N", "alice"}, {"CHAP_R", old}}).progress == Progress::kDone);
  auto second = world.login();
  second->receive({{"CHAP_A", "5"}});
  CHECK(second->receive({{"CHAP_N", "alice"}, {"CHAP_R", old}}).progress == Progress::kFailed);
}

TEST_CASE("an unknown user and a wrong secret look the same", "[auth]") {
  World world;
  const auto attempt = [&](const std::string& user, const std::string& secret) {
    auto chap = world.login();
    const auto challenge = chap->receive({{"CHAP_A", "5"}});
    return chap->receive({{"CHAP_N", user}, {"CHAP_R", response_to(challenge, secret)}});
  };
  const auto unknown = attempt("mallory", "secret-of-alice");
  const auto wrong = attempt("alice", "secret-of-malice");
  CHECK(unknown.progress == Progress::kFailed);
  CHECK(wrong.progress == Progress::kFailed);
  CHECK(unknown.keys == wrong.keys);
  // Nobody knows the stand-in that an unknown user is checked against, but knowing it must not
  // help.
  CHECK(attempt("mallory", "no one has this.").progress == Progress::kFailed);
}

TEST_CASE("malformed CHAP exchanges fail", "[auth]") {
  using Keys = std::vector<KeyValue>;
  const std::string good_length = "0x" + std::string(32, '0');
  const std::vector<std::pair<const char*, Keys>> first = {
      {"response before challenge", {{"CHAP_N", "alice"}, {"CHAP_R", good_length}}},
      {"algorithm twice", {{"CHAP_A", "5"}, {"CHAP_A", "5"}}},
      {"algorithm with a name", {{"CHAP_A", "5"}, {"CHAP_N", "alice"}}},
      {"no numbers", {{"CHAP_A", "md5"}}},
      {"empty list", {{"CHAP_A", ""}}},
      {"unknown algorithm", {{"CHAP_A", "4,9,300"}}},
      {"number too large", {{"CHAP_A", "4294967301"}}},
      {"unknown key", {{"CHAP_X", "5"}}},
  };
  for (const auto& [what, keys] : first) {
    INFO(what);
    World world;
    CHECK(world.login()->receive(keys).progress == Progress::kFailed);
  }
  World good;
  good.rule.mutual = Account{"library", Secret("secret-library1")};
  const std::vector<std::pair<const char*, Keys>> second = {
      {"no name", {{"CHAP_R", good_length}}},
      {"no response", {{"CHAP_N", "alice"}}},
      {"empty name", {{"CHAP_N", ""}, {"CHAP_R", good_length}}},
      {"long name", {{"CHAP_N", std::string(256, 'a')}, {"CHAP_R", good_length}}},
      {"format characters", {{"CHAP_N", "%s%n%s%n"}, {"CHAP_R", good_length}}},
      {"empty response", {{"CHAP_N", "alice"}, {"CHAP_R", ""}}},
      {"bare prefix", {{"CHAP_N", "alice"}, {"CHAP_R", "0x"}}},
      {"one byte", {{"CHAP_N", "alice"}, {"CHAP_R", "0x1"}}},
      {"10000 bytes", {{"CHAP_N", "alice"}, {"CHAP_R", "0x" + std::string(20000, 'a')}}},
      {"no hex", {{"CHAP_N", "alice"}, {"CHAP_R", "0x" + std::string(32, 'g')}}},
      {"bad base64", {{"CHAP_N", "alice"}, {"CHAP_R", "0b!!!!"}}},
      {"algorithm again", {{"CHAP_A", "5"}}},
      {"name twice", {{"CHAP_N", "alice"}, {"CHAP_N", "alice"}, {"CHAP_R", good_length}}},
  };
  for (const auto& [what, keys] : second) {
    INFO(what);
    auto chap = good.login();
    REQUIRE(chap->receive({{"CHAP_A", "5"}}).progress == Progress::kMore);
    CHECK(chap->receive(keys).progress == Progress::kFailed);
  }
  // A right response, but a bad challenge of the initiator's own.
  const std::vector<std::pair<const char*, Keys>> mutual = {
      {"CHAP_I alone", {{"CHAP_I", "1"}}},
      {"CHAP_C alone", {{"CHAP_C", "0x11"}}},
      {"CHAP_I 256", {{"CHAP_I", "256"}, {"CHAP_C", "0x11"}}},
      {"CHAP_I -1", {{"CHAP_I", "-1"}, {"CHAP_C", "0x11"}}},
      {"CHAP_C 1025 bytes", {{"CHAP_I", "1"}, {"CHAP_C", "0x" + std::string(2050, '1')}}},
      {"CHAP_C empty", {{"CHAP_I", "1"}, {"CHAP_C", ""}}},
  };
  for (const auto& [what, keys] : mutual) {
    INFO(what);
    auto chap = good.login();
    const auto challenge = chap->receive({{"CHAP_A", "5"}});
    Keys all = {{"CHAP_N", "alice"}, {"CHAP_R", response_to(challenge, "secret-of-alice")}};
    all.insert(all.end(), keys.begin(), keys.end());
    CHECK(chap->receive(all).progress == Progress::kFailed);
  }
}

TEST_CASE("binary values are hex or base64", "[auth]") {
  CHECK(*decode_binary("0x0a0B", 8) == unhex("0a0b"));
  CHECK(*decode_binary("0Xabc", 8) == unhex("0abc"));
  CHECK(*decode_binary("0bAQIDBA==", 8) == unhex("01020304"));
  CHECK(*decode_binary("0BAQID", 8) == unhex("010203"));
  CHECK(*decode_binary("0bAQI=", 8) == unhex("0102"));
  for (const char* bad : {"", "0", "0x", "0b", "12", "0xzz", "0bA", "0bAQI",
                          "0bA===", "0b====", "0bAQ=D", "0bAR==", "x12"}) {
    INFO(bad);
    CHECK(!decode_binary(bad, 8));
  }
  CHECK(!decode_binary("0x112233", 2));
  CHECK(!decode_binary("0bAQID", 2));
  CHECK(decode_binary("0bAQI=", 2));
}

TEST_CASE("an account that is one initiator's is none for others", "[auth]") {
  World world;
  world.rule.accounts[0].initiators = {"iqn.1993-08.org.debian:01:ABC"};
  auto own = world.login();
  CHECK(own->receive({{"CHAP_N", "alice"}, {"CHAP_R", "0x00"}}).progress == Progress::kFailed);
  own = world.login();
  auto challenge = own->receive({{"CHAP_A", "5"}});
  CHECK(own->receive({{"CHAP_N", "alice"}, {"CHAP_R", response_to(challenge, "secret-of-alice")}})
            .progress == Progress::kDone);
  CHECK(own->user() == "alice");
  world.initiator = "iqn.1993-08.org.debian:01:abcd";
  auto other = world.login();
  challenge = other->receive({{"CHAP_A", "5"}});
  const auto refused =
      other->receive({{"CHAP_N", "alice"}, {"CHAP_R", response_to(challenge, "secret-of-alice")}});
  CHECK(refused.progress == Progress::kFailed);
  // In the words of a wrong secret.
  CHECK(refused.reason == "wrong CHAP name or secret, user \"alice\"");
  CHECK(other->account() == "alice");
}

TEST_CASE("failures delay answers per address, within bounds", "[auth]") {
  using namespace std::chrono_literals;
  LoginFailures failures;
  const LoginFailures::TimePoint start{};
  CHECK(failures.record("192.0.2.1", "", start) == 250ms);
  CHECK(failures.record("192.0.2.1", "", start) == 500ms);
  CHECK(failures.record("192.0.2.2", "", start) == 250ms);
  for (int i = 0; i < 100; ++i) failures.record("192.0.2.1", "", start);
  CHECK(failures.record("192.0.2.1", "", start) == 4000ms);
  failures.succeeded("192.0.2.1", "alice", start);
  CHECK(failures.record("192.0.2.1", "", start) == 250ms);
  CHECK(failures.record("192.0.2.2", "", start + 11min) == 250ms);  // forgotten meanwhile
  for (int i = 0; i < 3000; ++i)
    failures.record(std::to_string(i), "", start + 11min + std::chrono::milliseconds(i));
  CHECK(failures.count("192.0.2.2") == 0);
  CHECK(failures.count("2999") == 1);
}

TEST_CASE("many failures lock an address for a minute, and tries meanwhile do not prolong it",
          "[auth]") {
  using namespace std::chrono_literals;
  LoginFailures failures;
  const LoginFailures::TimePoint start{};
  for (std::size_t i = 0; i < LoginFailures::kAddressLimit; ++i) {
    CHECK(!failures.locked("192.0.2.1", "alice", start));
    failures.record("192.0.2.1", "", start);
  }
  CHECK(failures.locked("192.0.2.1", "alice", start));
  CHECK(!failures.locked("192.0.2.2", "alice", start));
  failures.record("192.0.2.1", "", start + 59s);
  CHECK(failures.locked("192.0.2.1", "alice", start + 59s));
  CHECK(!failures.locked("192.0.2.1", "alice", start + 60s));
  failures.record("192.0.2.1", "", start + 60s);  // one try, then it is shut again
  CHECK(failures.locked("192.0.2.1", "alice", start + 61s));
  failures.forget();
  CHECK(!failures.locked("192.0.2.1", "alice", start + 61s));
}

TEST_CASE("guessing at an account from many addresses does not lock out the host that has it",
          "[auth]") {
  using namespace std::chrono_literals;
  LoginFailures failures;
  const LoginFailures::TimePoint start{};
  failures.succeeded("192.0.2.1", "alice", start);
  for (std::size_t i = 0; i < LoginFailures::kAccountLimit; ++i)
    failures.record("203.0.113." + std::to_string(i), "alice", start);
  // Shut to those that have failed, and only to them: a host that comes for the first time since
  // the start has its try.
  CHECK(!failures.locked("198.51.100.1", "alice", start));
  failures.record("198.51.100.1", "", start);
  CHECK(failures.locked("198.51.100.1", "alice", start));
  CHECK(failures.locked("203.0.113.7", "alice", start));
  CHECK(!failures.locked("198.51.100.1", "bob", start));
  CHECK(!failures.locked("192.0.2.1", "alice", start));
  // Who guesses on after a reload locks nobody out either.
  failures.forget();
  for (std::size_t i = 0; i < LoginFailures::kAccountLimit; ++i)
    failures.record("203.0.113." + std::to_string(i), "alice", start);
  for (std::size_t i = 0; i < LoginFailures::kAddressLimit; ++i)
    failures.record("192.0.2.1", "alice", start);
  CHECK(!failures.locked("192.0.2.1", "alice", start));
  // Nor does somebody at the same address, behind a translator.
  for (std::size_t i = 0; i < 2 * LoginFailures::kAddressLimit; ++i)
    failures.record("192.0.2.1", "bob", start);
  CHECK(failures.locked("192.0.2.1", "bob", start));
  CHECK(!failures.locked("192.0.2.1", "alice", start));
  CHECK(!failures.locked("198.51.100.1", "alice", start + 60s));
}

TEST_CASE("all of an IPv6 /64 is one address to guess from", "[auth]") {
  LoginFailures failures;
  const LoginFailures::TimePoint start{};
  failures.succeeded("2001:db8::beef", "alice", start);
  for (std::size_t i = 0; i < LoginFailures::kAddressLimit; ++i)
    failures.record("2001:db8::" + std::to_string(i), "", start);
  CHECK(failures.count("2001:db8:0:0:ffff::1") == LoginFailures::kAddressLimit);
  CHECK(failures.locked("2001:db8::77", "alice", start));
  CHECK(!failures.locked("2001:db8:0:1::77", "alice", start));
  CHECK(!failures.locked("2001:db8::beef", "alice", start));  // this one has logged in before
  // An IPv4 address is a whole one, mapped or not.
  for (std::size_t i = 0; i < LoginFailures::kAddressLimit; ++i)
    failures.record("::ffff:192.0.2." + std::to_string(i), "", start);
  CHECK(failures.count("::ffff:192.0.2.1") == 1);
  CHECK(!failures.locked("192.0.2.1", "alice", start));
}
