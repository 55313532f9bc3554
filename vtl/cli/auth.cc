// vtl auth: accounts and their secrets. Secrets come from a prompt, a file or standard input -
// never from the command line, which everybody on the machine can see.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <variant>

#include "vtl/cli/command.h"
#include "vtl/cli/prompt.h"
#include "vtl/cli/table.h"
#include "vtl/config/config.h"
#include "vtl/daemon/accounts.h"
#include "vtl/daemon/control.h"

namespace vtl::cli {
namespace {

using config::AccessConfig;
using config::Account;

struct Options {
  std::string data, user, secret_file;
  std::vector<std::string> initiators;
  bool own = false, as_json = false;
};

std::string who(const Options& options) {
  return options.own ? std::string("the library's own account")
                     : "account \"" + options.user + "\"";
}

// The first line of the file that was named, of standard input, or of the keyboard, twice.
std::optional<std::string> read_secret(const Options& options) {
  std::string line;
  if (!options.secret_file.empty() && options.secret_file != "-") {
    std::ifstream file(options.secret_file);
    if (std::getline(file, line)) return line;
    print_error("cannot read a secret from " + options.secret_file);
    return std::nullopt;
  }
  if (options.secret_file == "-" || ::isatty(STDIN_FILENO) == 0) {
    if (std::getline(std::cin, line)) return line;
    print_error("a secret is expected on standard input: one line");
    return std::nullopt;
  }
  const auto first = ask_hidden("Secret of " + who(options) + ": ");
  const auto second = first ? ask_hidden("The same again: ") : std::nullopt;
  if (second && *first == *second) return first;
  print_error(second ? "the two are not the same" : "no secret was given");
  return std::nullopt;
}

Account* find(AccessConfig& access, const Options& options) {
  if (options.own) return access.own ? &*access.own : nullptr;
  const auto found = std::find_if(access.accounts.begin(), access.accounts.end(),
                                  [&](const Account& a) { return a.user == options.user; });
  return found == access.accounts.end() ? nullptr : &*found;
}

// Empty, or why the account cannot be changed here.
std::string changeable(AccessConfig& access, const Options& options, Account*& out) {
  out = find(access, options);
  if (out == nullptr) return "there is no " + who(options) + "; \"vtl auth list\" shows which are";
  if (out->apart) return {};
  return who(options) + " stands in vtl.yaml: change it there, then \"vtl reload\"";
}

int change(const Options& options, const std::function<std::string(AccessConfig&)>& how,
           const std::string& done) {
  if (const int code = report(daemon::change_accounts(options.data, how)); code != 0) return code;
  std::cout << done << '\n';
  if (daemon::ControlClient::connect(options.data) == nullptr) return daemon::kExitDone;
  const int code = reload_server(options.data, false, false);
  if (code != daemon::kExitDone)
    print_error("the secrets file has been changed, but the server has not taken it over");
  return code;
}

int add(const Options& options) {
  auto secret = read_secret(options);
  if (!secret) return daemon::kExitFailed;
  Account account{options.user, config::Secret(std::move(*secret)), options.initiators, true};
  return change(
      options,
      [&](AccessConfig& access) -> std::string {
        if (find(access, options) != nullptr)
          return "there is " + who(options) + " already; \"vtl auth rotate\" gives it a new secret";
        if (options.own)
          access.own = account;
        else
          access.accounts.push_back(account);
        return {};
      },
      fmt::format("Added {}.", who(options)));
}

int rotate(const Options& options) {
  auto secret = read_secret(options);
  if (!secret) return daemon::kExitFailed;
  return change(
      options,
      [&](AccessConfig& access) {
        Account* account = nullptr;
        std::string why = changeable(access, options, account);
        if (why.empty() && account->secret.reveal() == *secret)
          why = "that is the secret that " + who(options) + " has already";
        if (why.empty()) account->secret = config::Secret(*secret);
        return why;
      },
      fmt::format("{} has a new secret; the old one is not taken any more. Sessions go on.",
                  who(options)));
}

int remove(const Options& options) {
  return change(
      options,
      [&](AccessConfig& access) {
        Account* account = nullptr;
        std::string why = changeable(access, options, account);
        if (!why.empty()) return why;
        if (options.own)
          access.own.reset();
        else
          access.accounts.erase(access.accounts.begin() + (account - access.accounts.data()));
        return why;
      },
      fmt::format("Removed {}. Its sessions go on; \"vtl reload --end-sessions\" ends them.",
                  who(options)));
}

// --- list

bool used_by(const config::AccessRule& rule, const std::string& user) {
  return rule.chap && (rule.users.empty() ||
                       std::find(rule.users.begin(), rule.users.end(), user) != rule.users.end());
}

// "discovery", "targets" (those without a rule of their own), "tapedrive-01".
std::vector<std::string> uses(const AccessConfig& access, const std::string& user) {
  std::vector<std::string> out;
  if (used_by(access.discovery, user)) out.emplace_back("discovery");
  if (used_by(access.targets, user)) out.emplace_back("targets");
  for (const auto& [device, rule] : access.devices)
    if (used_by(rule, user)) out.push_back(device);
  return out;
}

std::string joined(const std::vector<std::string>& names, const std::string& none) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? none : out;
}

int list(const Options& options) {
  if (const std::string why = daemon::become_owner(options.data); !why.empty()) {
    print_error(why);
    return daemon::kExitFailed;
  }
  const daemon::CheckedConfig checked = daemon::check_config(options.data);
  if (const int code = report(checked.problems); code != 0) return code;
  const AccessConfig& access = checked.config->access;
  const auto place = [](const Account& account) {
    return std::string(account.apart ? "secrets file" : "vtl.yaml");
  };
  if (options.as_json) {
    auto accounts = json::array();
    for (const Account& account : access.accounts)
      accounts.push_back({{"user", account.user},
                          {"initiators", account.initiators},
                          {"used_by", uses(access, account.user)},
                          {"kept_in", place(account)}});
    json own;
    if (access.own) own = {{"user", access.own->user}, {"kept_in", place(*access.own)}};
    print_json({{"accounts", std::move(accounts)}, {"own", std::move(own)}});
    return daemon::kExitDone;
  }
  Table table({{"USER"}, {"INITIATORS"}, {"ASKED FOR BY"}, {"KEPT IN"}});
  for (const Account& account : access.accounts)
    table.add({printable(account.user), joined(account.initiators, "any"),
               joined(uses(access, account.user), "nothing: chap is false"), place(account)});
  if (access.own)
    table.add({printable(access.own->user), "-", "initiators (mutual CHAP)", place(*access.own)});
  if (table.empty())
    std::cout << "There are no accounts.\n";
  else
    table.print(std::cout);
  return daemon::kExitDone;
}

CLI::App* add_command(CLI::App& group, const std::string& name, const std::string& text,
                      const std::shared_ptr<Options>& options, Result& result,
                      int (*run)(const Options&)) {
  CLI::App* command = group.add_subcommand(name, text);
  add_data_option(*command, options->data);
  CLI::Option* user = command->add_option("user", options->user, "The CHAP name");
  command->add_flag("--own", options->own,
                    "The library's own account: what it proves itself with to initiators (mutual "
                    "CHAP)");
  command->callback([options, user, run, &result] {
    if (!options->own && user->empty()) throw CLI::RequiredError("user, or --own");
    result.code = run(*options);
  });
  return command;
}

void add_secret_option(CLI::App& command, Options& options) {
  command
      .add_option("--secret-file", options.secret_file,
                  "A file whose first line is the secret, or - for standard input; without it you "
                  "are asked")
      ->type_name("FILE");
}

}  // namespace

void add_auth(CLI::App& app, Result& result) {
  CLI::App* group = app.add_subcommand(
      "auth", "CHAP accounts: who may log in. A running server takes changes over at once");
  group->require_subcommand(1);

  auto options = std::make_shared<Options>();
  CLI::App* adds = add_command(*group, "add", "Add an account", options, result, add);
  add_secret_option(*adds, *options);
  adds->add_option("--initiator", options->initiators,
                   "Whose account it is, an iSCSI name; may be repeated (default: anybody's who "
                   "knows the secret)")
      ->type_name("NAME");

  options = std::make_shared<Options>();
  CLI::App* rotates = add_command(*group, "rotate", "Give an account a new secret, at once",
                                  options, result, rotate);
  add_secret_option(*rotates, *options);

  options = std::make_shared<Options>();
  add_command(*group, "remove", "Remove an account", options, result, remove);

  options = std::make_shared<Options>();
  CLI::App* lists = group->add_subcommand("list", "Accounts, without their secrets");
  add_data_option(*lists, options->data);
  add_json_option(*lists, options->as_json);
  lists->callback([options, &result] { result.code = list(*options); });
}

}  // namespace vtl::cli
