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
  CHECK(own.allows("IQN.1993-08.org.debian:01:abc"));
  CHECK(!own.allows("iqn.1993-08.org.debian:01:abcd"));
  CHECK(policy.any_target.allows("iqn.anything"));
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
