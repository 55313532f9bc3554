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

void check_rule(const std::string& where, const AccessRule& rule,
                std::vector<std::string>& problems) {
  std::set<std::string> names;
  for (const Account& account : rule.accounts) {
    check_name(where, account.name, problems);
    if (!names.insert(account.name).second)
      problems.push_back(where + ": user \"" + account.name + "\" occurs twice");
    if (auto problem = secret_problem(account.secret))
      problems.push_back(where + ": the secret of user \"" + account.name + "\" " + *problem);
    if (rule.mutual && account.secret == rule.mutual->secret)
      problems.push_back(where + ": the mutual secret is also that of user \"" + account.name +
                         "\"; the two directions need different ones");
  }
  if (!rule.mutual) return;
  check_name(where + ": mutual", rule.mutual->name, problems);
  if (auto problem = secret_problem(rule.mutual->secret))
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

bool AccessRule::allows(std::string_view initiator_name) const {
  if (initiators.empty()) return true;
  const std::string folded = fold_case(initiator_name);
  return std::any_of(initiators.begin(), initiators.end(),
                     [&](const std::string& name) { return fold_case(name) == folded; });
}

const AccessRule& AccessPolicy::rule_for(std::string_view target_name) const {
  const auto found = targets.find(target_name);
  return found == targets.end() ? any_target : found->second;
}

std::vector<std::string> policy_problems(const AccessPolicy& policy) {
  std::vector<std::string> problems;
  if (policy.algorithms.empty()) problems.push_back("no CHAP algorithm is enabled");
  check_rule("discovery", policy.discovery, problems);
  check_rule("any target", policy.any_target, problems);
  for (const auto& [name, rule] : policy.targets) check_rule("target " + name, rule, problems);
  return problems;
}

}  // namespace auth
