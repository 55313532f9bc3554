#include "vtl/config/secrets.h"

#include <fmt/format.h>

namespace vtl::config {

namespace {

// YAML 1.2 7.3.2: nothing is special in single quotes but the quote.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string account_text(const Account& account) {
  std::string out =
      fmt::format("{{user: {}, secret: {}", quoted(account.user), quoted(account.secret.reveal()));
  std::string names;
  for (const std::string& name : account.initiators)
    names += (names.empty() ? "" : ", ") + quoted(name);
  return out + (names.empty() ? "}" : ", initiators: [" + names + "]}");
}

std::string text_of(const AccessConfig& access) {
  std::string out =
      "# Accounts and secrets, kept by \"vtl auth\". Only the user of the service may read them.\n";
  std::string accounts;
  for (const Account& account : access.accounts)
    if (account.apart) accounts += "  - " + account_text(account) + "\n";
  out += accounts.empty() ? "accounts: []\n" : "accounts:\n" + accounts;
  if (access.own && access.own->apart) out += "own: " + account_text(*access.own) + "\n";
  return out;
}

}  // namespace

EditedSecrets with_secrets(const std::string& config_path,
                           const std::function<std::string(AccessConfig&)>& change,
                           const ReadFile& read) {
  EditedSecrets out;
  // The configuration may want the account that is about to come; but the file must be understood
  // as a whole, or something of it would be lost.
  Loaded before = load(config_path, read);
  out.path = secrets_path(before.access, config_path);
  for (const Problem& problem : before.errors)
    if (problem.file == out.path || problem.key.empty()) out.errors.push_back(to_string(problem));
  if (!out.errors.empty()) return out;
  if (std::string why = change(before.access); !why.empty()) {
    out.errors.push_back(std::move(why));
    return out;
  }
  out.text = text_of(before.access);
  const Loaded after =
      load(config_path, [&](const std::string& asked) -> std::variant<SourceFile, std::string> {
        if (asked == out.path) return SourceFile{out.text, 0600};
        return read(asked);
      });
  for (const Problem& problem : after.errors) out.errors.push_back(to_string(problem));
  return out;
}

}  // namespace vtl::config
