// vtl: the command line.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "vtl/cli/command.h"
#include "vtl/cli/table.h"
#include "vtl/daemon/sandbox.h"

namespace {

// `vtl help`, `vtl help cartridge create`: as with --help behind the command.
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments.front() == "help") {
    arguments.erase(arguments.begin());
    arguments.emplace_back("--help");
  }
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  return arguments;
}

// Two of CLI11's messages do not lead to what is wrong: of a command that there is not it says that
// one is required, and of a number that is none "Could not convert: --drives = abc".
std::string explain(const CLI::App& app, const CLI::Error& error) {
  const std::string text = error.what();
  constexpr std::string_view kNotANumber = "Could not convert: ";
  if (const std::size_t equals = text.find(" = ");
      text.starts_with(kNotANumber) && equals != std::string::npos)
    return fmt::format("{}: found \"{}\", allowed: a whole number from 0",
                       text.substr(kNotANumber.size(), equals - kNotANumber.size()),
                       text.substr(equals + 3));
  const CLI::App* group = &app;
  while (!group->get_subcommands().empty()) group = group->get_subcommands().front();
  const auto commands = group->get_subcommands([](const CLI::App*) { return true; });
  if (error.get_name() != "RequiredError" || commands.empty()) return text;
  std::string names;
  for (const CLI::App* command : commands)
    names += (names.empty() ? "" : ", ") + command->get_name();
  const std::vector<std::string> rest = app.remaining(true);
  std::string what = "a command is missing";
  if (!rest.empty())
    what = fmt::format("there is no {} \"{}\"", rest[0].starts_with('-') ? "option" : "command",
                       rest[0]);
  return fmt::format("{}; commands are: {}", what, names);
}

}  // namespace

int main(int argc, char** argv) {
  ::umask(077);  // secrets and data of others' hosts: for this user only
  CLI::App app(
      "A virtual tape library: ten LTO drives and a medium changer, each an iSCSI target,\n"
      "with cartridges kept in files.",
      "vtl");
  app.set_version_flag("--version", std::string("vtl ") + vtl::cli::kVersion);
  app.require_subcommand(1);
  app.footer(
      "While a server runs on the data directory, the commands talk to it; otherwise they work on\n"
      "the directory themselves.\n\n"
      "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 wrong configuration, 4 the data\n"
      "directory or its pool is in use by another process, 5 verify found damage or repair left\n"
      "some, 6 the server stopped before everything it had accepted was on disk.");

  app.failure_message([](const CLI::App* at, const CLI::Error& error) {
    return fmt::format("vtl: {}\nRun with --help for more information.\n",
                       vtl::cli::printable(explain(*at, error)));
  });

  std::vector<std::string> arguments = arguments_of(argc, argv);
  // Most commands read the configuration, and so secrets. `serve` decides for itself
  // (--no-sandbox).
  if (arguments.empty() || arguments.back() != "serve") vtl::daemon::forbid_core_dumps();

  vtl::cli::Result result;
  vtl::cli::add_init(app, result);
  vtl::cli::add_serve(app, result);
  vtl::cli::add_config(app, result);
  vtl::cli::add_cartridge(app, result);
  vtl::cli::add_library(app, result);
  vtl::cli::add_profile(app, result);
  vtl::cli::add_auth(app, result);
  vtl::cli::add_reload(app, result);
  vtl::cli::add_iscsi(app, result);
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    // CLI11 has many codes for what is one thing to a script.
    return app.exit(error) == 0 ? 0 : vtl::daemon::kExitUsage;
  }
  std::cout.flush();
  return std::cout ? result.code : vtl::daemon::kExitFailed;
}
