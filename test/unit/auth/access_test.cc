#include "auth/access.h"

#include <catch2/catch.hpp>

using namespace auth;

TEST_CASE("secrets of 12 to 16 characters are usable", "[auth]") {
  for (const std::size_t length : {0u, 1u, 11u, 17u, 255u}) {
    const auto problem = secret_problem(Secret(std::string(length, 'q')));
    REQUIRE(problem);
    CHECK(problem->find('q') == std::string::npos);
    CHECK(problem->find(std::to_string(length)) != std::string::npos);
  }
  for (const std::size_t length : {12u, 14u, 16u})
    CHECK(!secret_problem(Secret(std::string(length, 'q'))));
  CHECK(!secret_problem(Secret(std::string(255, 'q')), Secret::kMaxLongLength));
  CHECK(secret_problem(Secret(std::string(256, 'q')), Secret::kMaxLongLength));
}

TEST_CASE("secrets are values: copies are equal and independent", "[auth]") {
  Secret a("secret-of-alice");
  Secret b = a;
  CHECK(a == b);
  b = Secret("secret-of-bob12");
  CHECK(!(a == b));
  const Secret c = std::move(a);
  CHECK(c == Secret("secret-of-alice"));
  CHECK(!(c == Secret("secret-of-alic")));
  CHECK(Secret().empty());
  CHECK(Secret() == Secret(""));
}

TEST_CASE("wiping overwrites", "[auth]") {
  std::vector<std::byte> memory(32, std::byte{0x5A});
  wipe(memory);
  CHECK(memory == std::vector<std::byte>(32));
}

TEST_CASE("a target without a rule of its own has the common one", "[auth]") {
  AccessPolicy policy;
  policy.any_target.accounts.push_back({"alice", Secret("secret-of-alice")});
  policy.targets["iqn.2026-11.local.vtl:x"].initiators = {"iqn.1993-08.org.debian:01:ABC"};
  CHECK(policy.rule_for("iqn.2026-11.local.vtl:y").chap_required());
  const AccessRule& own = policy.rule_for("iqn.2026-11.local.vtl:x");
  CHECK(!own.chap_required());
  CHECK(own.allows("IQN.1993-08.org.debian:01:abc", "192.0.2.7"));
  CHECK(!own.allows("iqn.1993-08.org.debian:01:abcd", "192.0.2.7"));
  CHECK(policy.any_target.allows("iqn.anything", "192.0.2.7"));
}

TEST_CASE("networks are addresses with the bits that count", "[auth]") {
  for (const char* bad :
       {"", "/", "192.0.2", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.1/24",
        "192.0.2.0/24x", "192.0.2.0/ 24", "host", "2001:db8::/129", "2001:db8::1/64", "[::1]",
        "::1%lo", "0x7f.1", "192.0.2.0/24/24"}) {
    INFO(bad);
    CHECK(!Network::parse(bad));
  }
  const auto in = [](const char* network, const char* address) {
    INFO(network << " " << address);
    return Network::parse(network).value().contains(address);
  };
  CHECK(in("192.0.2.7", "192.0.2.7"));
  CHECK(!in("192.0.2.7", "192.0.2.6"));
  CHECK(in("192.0.2.0/24", "192.0.2.255"));
  CHECK(!in("192.0.2.0/24", "192.0.3.0"));
  CHECK(in("192.0.2.128/25", "192.0.2.128"));
  CHECK(!in("192.0.2.128/25", "192.0.2.127"));
  CHECK(in("0.0.0.0/0", "203.0.113.9"));
  CHECK(!in("0.0.0.0/0", "2001:db8::1"));  // IPv4 only
  CHECK(in("::/0", "2001:db8::1"));
  CHECK(in("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK(!in("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(in("::1", "::1"));
  CHECK(in("fe80::/10", "fe80::1%eth0"));
  CHECK(in("192.0.2.0/24", "::ffff:192.0.2.9"));  // the same host, by an IPv6 socket
  CHECK(!in("::/0", "nowhere"));
}

TEST_CASE("a rule lets in by name and by address, and knows whom it would not let in again",
          "[auth]") {
  AccessRule rule;
  rule.addresses = {*Network::parse("192.0.2.0/24"), *Network::parse("2001:db8::/32")};
  CHECK(rule.allows("iqn.x", "192.0.2.1"));
  CHECK(rule.allows("iqn.x", "2001:db8::1"));
  CHECK(!rule.allows("iqn.x", "198.51.100.1"));
  rule.initiators = {"iqn.y"};
  CHECK(!rule.allows("iqn.x", "192.0.2.1"));
  CHECK(rule.allows("iqn.Y", "192.0.2.1"));
  CHECK(rule.still_allows("iqn.y", "192.0.2.1", ""));
  rule.accounts = {{"alice", Secret("secret-of-alice")},
                   {"bob", Secret("secret-of-bob12"), {"iqn.b"}}};
  CHECK(!rule.still_allows("iqn.y", "192.0.2.1", ""));  // it came without CHAP
  CHECK(rule.still_allows("iqn.y", "192.0.2.1", "alice"));
  CHECK(!rule.still_allows("iqn.y", "192.0.2.1", "carol"));
  CHECK(!rule.still_allows("iqn.y", "192.0.2.1", "bob"));  // not iqn.y's
  CHECK(!rule.still_allows("iqn.y", "198.51.100.1", "alice"));
}

TEST_CASE("a policy tells all that is wrong with it, and no secret", "[auth]") {
  AccessPolicy policy;
  CHECK(policy_problems(policy).empty());
  policy.algorithms.clear();
  policy.discovery.accounts = {{"alice", Secret("short")}, {"alice", Secret("secret-of-alice")}};
  policy.any_target.accounts = {{"", Secret("same-secret-12")}};
  policy.any_target.mutual = Account{"library", Secret("same-secret-12")};
  policy.targets["iqn.x"].mutual = Account{std::string(256, 'n'), Secret("seventeen-letters")};
  const auto problems = policy_problems(policy);
  std::string all;
  for (const auto& problem : problems) all += problem + "\n";
  INFO(all);
  for (const char* part :
       {"no CHAP algorithm", "discovery: the secret of user \"alice\" is 5 characters",
        "\"alice\" occurs twice", "any target: the user name is empty", "two directions",
        "target iqn.x: mutual: the user name is longer", "the mutual secret is 17 characters",
        "of no use"})
    CHECK(all.find(part) != std::string::npos);
  CHECK(problems.size() == 8);
  CHECK(all.find("same-secret") == std::string::npos);
  CHECK(all.find("short") == std::string::npos);
}
