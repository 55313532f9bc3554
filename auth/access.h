// Who may log in to what. Plain values, filled from the configuration before anything runs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/network.h"
#include "auth/secrets.h"

namespace auth {

// The values of CHAP_A (RFC 1994, RFC 7143 12.1.3 and the IANA registry).
enum class ChapAlgorithm : std::uint8_t { kMd5 = 5, kSha1 = 6, kSha256 = 7, kSha3_256 = 8 };

// A CHAP name (1 to 255 bytes) and its secret.
struct Account {
  std::string name;
  Secret secret;
  // iSCSI names of the initiators whose account it is, compared after folding case; empty: whoever
  // knows the secret. To any other initiator there is no such account.
  std::vector<std::string> initiators = {};

  bool belongs_to(std::string_view initiator_name) const;
  friend bool operator==(const Account&, const Account&) = default;
};

// Who may log in to one target, or hold a discovery session.
struct AccessRule {
  // Initiators prove themselves as one of these; none: no CHAP is asked for (AuthMethod None).
  std::vector<Account> accounts;
  // What the target proves itself with, to initiators that ask it to (mutual CHAP). Its secret
  // differs from all of `accounts`. Initiators that ask where there is none are refused.
  std::optional<Account> mutual;
  // iSCSI names that may log in, compared after folding case; empty: every name.
  std::vector<std::string> initiators;
  // Where they may come from; empty: everywhere.
  std::vector<Network> addresses;

  bool chap_required() const { return !accounts.empty(); }
  // `address` as the peer's: "192.0.2.7", "2001:db8::7".
  bool allows(std::string_view initiator_name, std::string_view address) const;
  // What allows() says, of somebody who has logged in as `user` (empty: without CHAP) before the
  // rule was this one.
  bool still_allows(std::string_view initiator_name, std::string_view address,
                    std::string_view user) const;
  friend bool operator==(const AccessRule&, const AccessRule&) = default;
};

// Immutable while a portal uses it; another takes its place as a whole.
struct AccessPolicy {
  // Accepted algorithms; the initiator's order of preference decides among them.
  std::vector<ChapAlgorithm> algorithms = {ChapAlgorithm::kMd5, ChapAlgorithm::kSha1,
                                           ChapAlgorithm::kSha256, ChapAlgorithm::kSha3_256};
  std::size_t max_secret_length = Secret::kMaxLength;
  AccessRule discovery;
  AccessRule any_target;                                   // of targets without a rule of their own
  std::map<std::string, AccessRule, std::less<>> targets;  // by target name, lower case

  const AccessRule& rule_for(std::string_view target_name) const;
  friend bool operator==(const AccessPolicy&, const AccessPolicy&) = default;
};

// ASCII letters to lower case: how iSCSI names are compared (RFC 7143 4.2.7).
std::string fold_case(std::string_view name);

// Everything that is wrong with a policy, a sentence each that names the rule and the account;
// empty: usable. Checks lengths of secrets and names, that no secret serves both directions, that
// names occur once, and that an algorithm is left. Never quotes a secret.
std::vector<std::string> policy_problems(const AccessPolicy& policy);

}  // namespace auth
