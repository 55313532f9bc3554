// Bad input to CHAP, at drive 4, which asks for it: rows of the table in README.md.
//
// A refusal is held back, longer with each from the same address: each attempt has an address of
// its own, and all are under way at a time.
#include <bit>
#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "auth/chap.h"
#include "auth/digest.h"
#include "neighbour.h"

namespace {

constexpr int kSoon = RawSession::kPatience;
constexpr const char* kName = "iqn.2026-11.local.test:chap";

std::string address(int host) {  // never the same twice, nor the others'
  static int network = 100;
  if (host == 0) ++network;
  return "127.0." + std::to_string(network) + "." + std::to_string(host + 1);
}

struct Challenge {
  std::uint8_t identifier = 0;
  std::string text;  // as CHAP_C has it
  std::vector<std::byte> bytes;
};

// A login in the security stage.
struct Attempt : RawConnection {
  Attempt(std::uint16_t port, const std::string& target, const std::string& from)
      : RawConnection(port, from), target_(target) {}

  void say(const std::vector<std::string>& pairs, bool transit = false) {
    Header header(0x43, transit ? 0x81 : 0x00);
    send(header.set8(8, 0x80).set32(16, 1).set32(24, 1), text_of(pairs));
  }
  // Names and AuthMethod, with `more` instead of "CHAP".
  void begin(const std::string& method = "AuthMethod=CHAP") {
    say({std::string("InitiatorName=") + kName, "TargetName=" + target_, method});
  }
  // Status of the answer; 0 and its keys, too.
  int answer() {
    const auto pdu = receive(kSoon);
    if (!pdu || pdu->opcode() != kLoginResponse) return -1;
    text_.assign(pdu->data.begin(), pdu->data.end());
    return static_cast<int>(number_at(pdu->header, 36, 2));
  }
  std::string value(const std::string& key) const {
    const std::size_t at = text_.find(key + "=");
    if (at == std::string::npos) throw std::runtime_error("no " + key + " in the answer");
    const std::size_t from = at + key.size() + 1;
    return text_.substr(from, text_.find('\0', from) - from);
  }
  Challenge challenge(const std::string& algorithms = "5") {
    begin();
    if (answer() != 0) throw std::runtime_error("AuthMethod=CHAP was refused");
    say({"CHAP_A=" + algorithms});
    if (answer() != 0) throw std::runtime_error("CHAP_A was refused");
    return {static_cast<std::uint8_t>(std::stoul(value("CHAP_I"))), value("CHAP_C"),
            auth::decode_binary(value("CHAP_C"), 1024).value()};
  }

 private:
  std::string target_, text_;
};

std::string response_to(const Challenge& challenge, const std::string& secret) {
  return auth::encode_hex(auth::chap_response(auth::ChapAlgorithm::kMd5, challenge.identifier,
                                              auth::Secret(secret), challenge.bytes));
}
std::string user(const std::string& name) { return "CHAP_N=" + name; }

struct Chap : Neighbour {
  Attempt attempt(int host) { return {port(), drive(4), address(host)}; }
  // Each is told 0201, late, and its connection ends.
  void all_fail(std::vector<Attempt>& attempts) {
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      CAPTURE(i);
      CHECK(attempts[i].answer() == 0x0201);
      CHECK(attempts[i].closed_within(kSoon));
    }
    CHECK(daemon().log().find(kSecret) == std::string::npos);
  }
};

}  // namespace

TEST_CASE_METHOD(Chap, "bad input 15: ways around CHAP", "[bad]") {
  std::vector<Attempt> attempts;
  const auto after_method = [&](const std::vector<std::string>& keys) {
    attempts.push_back(attempt(static_cast<int>(attempts.size())));
    attempts.back().begin();
    REQUIRE(attempts.back().answer() == 0);
    attempts.back().say(keys, true);
  };
  // An answer made of the challenge that was given.
  const auto after_challenge = [&](const std::function<std::vector<std::string>(Challenge)>& keys) {
    attempts.push_back(attempt(static_cast<int>(attempts.size())));
    const Challenge given = attempts.back().challenge();
    attempts.back().say(keys(given), true);
  };
  const auto response = [&](const std::string& text) {
    after_challenge([&](const Challenge&) {
      return std::vector<std::string>{user(kUser), "CHAP_R=" + text};
    });
  };
  const auto right_and = [&](std::vector<std::string> more) {
    after_challenge([&](const Challenge& given) {
      std::vector<std::string> keys = {user(kUser), "CHAP_R=" + response_to(given, kSecret)};
      keys.insert(keys.end(), more.begin(), more.end());
      return keys;
    });
  };
  const auto name = [&](const std::string& text) {
    after_challenge([&](const Challenge& given) {
      return std::vector<std::string>{user(text), "CHAP_R=" + response_to(given, kSecret)};
    });
  };
  SECTION("without it, or not in its order") {
    for (const char* method : {"AuthMethod=None", "AuthMethod=KRB5,SRP", "X-a=b"}) {
      attempts.push_back(attempt(static_cast<int>(attempts.size())));
      attempts.back().say({std::string("InitiatorName=") + kName, "TargetName=" + drive(4), method},
                          true);
    }
    after_method({user(kUser), "CHAP_R=0x00112233445566778899aabbccddeeff"});
    after_method({"CHAP_A="});
    after_method({"CHAP_A=4,99,256"});
    after_method({"CHAP_A=MD5"});
    after_method({"AuthMethod=CHAP"});
    after_challenge([](const Challenge&) { return std::vector<std::string>{"CHAP_A=5"}; });
    after_challenge([](const Challenge&) { return std::vector<std::string>{}; });
  }
  SECTION("responses that are none") {
    for (const char* text : {"", "0x", "0x00", "0xzz", "0x0", "00112233445566778899aabbccddeeff",
                             "0b", "0b*", "0bAAAA=AAA", "0x00112233445566778899aabbccddeeff00"})
      response(text);
    response("0x" + std::string(200, '0'));
    response("0x" + std::string(7000, 'f'));
    response("0b" + std::string(7000, 'A'));
    after_challenge([](const Challenge&) { return std::vector<std::string>{user(kUser)}; });
    after_challenge([](const Challenge& given) {
      return std::vector<std::string>{"CHAP_R=" + response_to(given, kSecret)};
    });
  }
  SECTION("names that are nobody's") {
    for (const char* text : {"", "%s%n%x", "Backup01", "backup01 ", "library"}) name(text);
    name(std::string(256, 'n'));
    name(std::string(4000, 'n'));
  }
  SECTION("a challenge of theirs that is none, or our own") {
    right_and({"CHAP_I=256", "CHAP_C=0x0011223344556677"});
    right_and({"CHAP_I=-1", "CHAP_C=0x0011223344556677"});
    right_and({"CHAP_I=1"});
    right_and({"CHAP_C=0x0011223344556677"});
    right_and({"CHAP_I=1", "CHAP_C="});
    right_and({"CHAP_I=1", "CHAP_C=0x" + std::string(2050, '1')});
    right_and({"CHAP_I=1", "CHAP_C=0x00", "CHAP_C=0x00"});
    after_challenge([](const Challenge& given) {  // handed back
      return std::vector<std::string>{user(kUser), "CHAP_R=" + response_to(given, kSecret),
                                      "CHAP_I=" + std::to_string(given.identifier),
                                      "CHAP_C=" + given.text};
    });
    Attempt other = attempt(200);  // that of another connection
    const Challenge theirs = other.challenge();
    right_and({"CHAP_I=1", "CHAP_C=" + theirs.text});
    all_fail(attempts);
    attempts.clear();
    // That other one is none the worse for it.
    other.say({user(kUser), "CHAP_R=" + response_to(theirs, kSecret)}, true);
    CHECK(other.answer() == 0);
  }
  all_fail(attempts);
}

TEST_CASE_METHOD(Chap, "bad input 16: an old response again, and guessing", "[bad]") {
  SECTION("the response that was right once") {
    Attempt first = attempt(0);
    const Challenge given = first.challenge();
    const std::string right = response_to(given, kSecret);
    first.say({user(kUser), "CHAP_R=" + right}, true);
    CHECK(first.answer() == 0);
    std::vector<Attempt> attempts;
    for (int i = 1; i <= 3; ++i) {
      attempts.push_back(attempt(i));
      CHECK(attempts.back().challenge().bytes != given.bytes);
      attempts.back().say({user(kUser), "CHAP_R=" + right}, true);
    }
    all_fail(attempts);
  }
  SECTION("many from one address: it is shut, another is not") {
    const std::string from = address(0);
    const std::uint64_t before = reached("locked-out");
    std::vector<Attempt> attempts;
    for (int i = 0; i < 12; ++i) {
      attempts.emplace_back(port(), drive(4), from);
      const Challenge given = attempts.back().challenge();
      attempts.back().say({user(kUser), "CHAP_R=" + response_to(given, "not-the-secret")}, true);
    }
    CHECK(attempts.front().answer() == 0x0201);
    attempts.emplace_back(port(), drive(4), from);
    const Challenge given = attempts.back().challenge();
    attempts.back().say({user(kUser), "CHAP_R=" + response_to(given, kSecret)}, true);
    CHECK_FALSE(attempts.back().closed_within(100));  // no answer yet, be it right or wrong
    CHECK(reached("locked-out") == before + 3);
    Attempt other = attempt(1);
    const Challenge theirs = other.challenge();
    other.say({user(kUser), "CHAP_R=" + response_to(theirs, kSecret)}, true);
    CHECK(other.answer() == 0);
  }
}

TEST_CASE_METHOD(Chap, "bad input 44: a storm of logins in the name of who is logged in", "[bad]") {
  LoginOptions options;
  options.initiator = kName;
  options.isid = 0x123456;
  options.user = kUser;
  options.password = kSecret;
  Initiator holder = Initiator::attach(daemon().portal(), drive(4), options);
  // The same initiator port, as RFC 7143 11.12.5 has it, without the proof.
  std::vector<Attempt> attempts;
  for (int i = 0; i < 40; ++i) {
    attempts.push_back(attempt(i));
    Header header(0x43, i % 2 == 0 ? 0x87 : 0x81);
    header.set8(8, 0x80).set24(9, options.isid).set32(16, 1).set32(24, 1);
    attempts.back().send(header, text_of({std::string("InitiatorName=") + kName,
                                          "TargetName=" + drive(4), "AuthMethod=None"}));
    if (i % 10 == 0) CHECK(holder.in({0x12, 0, 0, 0, 36, 0}, 36).good());
  }
  all_fail(attempts);
  CHECK(holder.none({0, 0, 0, 0, 0, 0}).sense_code() == "2/3A/00");  // no unit attention either
  CHECK(holder.logout());
}

TEST_CASE_METHOD(Chap, "bad input 46: challenges cannot be foreseen", "[bad]") {
  std::set<std::vector<std::byte>> seen, differences;
  std::set<int> identifiers;
  std::vector<std::byte> last;
  std::size_t ones = 0, bits = 0;
  for (int i = 0; i < 60; ++i) {
    Attempt one = attempt(i);
    const Challenge given = one.challenge("7");
    REQUIRE(given.bytes.size() == 32);  // RFC 7143 12.1.3: as long as the digest
    seen.insert(given.bytes);
    identifiers.insert(given.identifier);
    for (const std::byte b : given.bytes)
      ones += static_cast<std::size_t>(std::popcount(std::to_integer<unsigned>(b)));
    bits += 256;
    if (!last.empty()) {
      std::vector<std::byte> difference;
      for (std::size_t k = 0; k < 32; ++k) difference.push_back(last[k] ^ given.bytes[k]);
      differences.insert(difference);
    }
    last = given.bytes;
  }
  CHECK(seen.size() == 60);
  CHECK(differences.size() == 59);
  CHECK(identifiers.size() > 30);
  // 15360 bits: five standard deviations are 310.
  CHECK(ones > bits / 2 - 310);
  CHECK(ones < bits / 2 + 310);
}
