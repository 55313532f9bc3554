#include "auth/access.h"

#include <algorithm>
#include <set>

namespace auth {
namespace {

constexpr std::size_t kMaxChapNameLength = 255;

void check_name(const std::string& where, const std::string& name,
                std::vector<std::string>& problems) {
  if (name.empty()) problems.push_back(where + ": the user name is empty");
  if (name.size() > kMaxChapNameLength)
    problems.push_back(where + ": the user name is longer than 255 bytes");
  if (name.find('\0') != std::string::npos)
    problems.push_back(where + ": the user name contains a NUL character");
}

// Empty: whoever it is.
bool among(const std::vector<std::string>& names, std::string_view name) {
  if (names.empty()) return true;
  const std::string folded = fold_case(name);
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& one) { return fold_case(one) == folded; });
}

void check_rule(const std::string& where, const AccessRule& rule, std::size_t max_secret,
                std::vector<std::string>& problems) {
  std::set<std::string> names;
  for (const Account& account : rule.accounts) {
    check_name(where, account.name, problems);
    if (!names.insert(account.name).second)
      problems.push_back(where + ": user \"" + account.name + "\" occurs twice");
    if (auto problem = secret_problem(account.secret, max_secret))
      problems.push_back(where + ": the secret of user \"" + account.name + "\" " + *problem);
    if (rule.mutual && account.secret == rule.mutual->secret)
      problems.push_back(where + ": the mutual secret is also that of user \"" + account.name +
                         "\"; the two directions need different ones");
  }
  if (!rule.mutual) return;
  check_name(where + ": mutual", rule.mutual->name, problems);
  if (auto problem = secret_problem(rule.mutual->secret, max_secret))
    problems.push_back(where + ": the mutual secret " + *problem);
  if (rule.accounts.empty())
    problems.push_back(where + ": a mutual account is of no use without accounts for initiators");
}

}  // namespace

std::string fold_case(std::string_view name) {
  std::string folded(name);
  for (char& c : folded)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return folded;
}

bool Account::belongs_to(std::string_view initiator_name) const {
  return among(initiators, initiator_name);
}

bool AccessRule::allows(std::string_view initiator_name, std::string_view address) const {
  if (!among(initiators, initiator_name)) return false;
  return addresses.empty() ||
         std::any_of(addresses.begin(), addresses.end(),
                     [&](const Network& network) { return network.contains(address); });
}

bool AccessRule::still_allows(std::string_view initiator_name, std::string_view address,
                              std::string_view user) const {
  if (!allows(initiator_name, address)) return false;
  return !chap_required() ||
         std::any_of(accounts.begin(), accounts.end(), [&](const Account& account) {
           return account.name == user && account.belongs_to(initiator_name);
         });
}

const AccessRule& AccessPolicy::rule_for(std::string_view target_name) const {
  const auto found = targets.find(target_name);
  return found == targets.end() ? any_target : found->second;
}

std::vector<std::string> policy_problems(const AccessPolicy& policy) {
  std::vector<std::string> problems;
  if (policy.algorithms.empty()) problems.push_back("no CHAP algorithm is enabled");
  const std::size_t max = policy.max_secret_length;
  check_rule("discovery", policy.discovery, max, problems);
  check_rule("any target", policy.any_target, max, problems);
  for (const auto& [name, rule] : policy.targets) check_rule("target " + name, rule, max, problems);
  return problems;
}

}  // namespace auth
