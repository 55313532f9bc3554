// vtl: the command line.
#include <fmt/format.h>

#include <iostream>

#include "vtl/cli/command.h"

int main(int argc, char** argv) {
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
      "directory is in use by another process, 5 verify found damage or repair left some, 6 the\n"
      "server stopped before everything it had accepted was on disk.");

  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return fmt::format("vtl: {}\nRun with --help for more information.\n", error.what());
  });

  vtl::cli::Result result;
  vtl::cli::add_init(app, result);
  vtl::cli::add_profile(app, result);
  vtl::cli::add_serve(app, result);
  vtl::cli::add_config(app, result);
  vtl::cli::add_cartridge(app, result);
  vtl::cli::add_library(app, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 has many codes for what is one thing to a script.
    return app.exit(error) == 0 ? 0 : vtl::daemon::kExitUsage;
  }
  std::cout.flush();
  return std::cout ? result.code : vtl::daemon::kExitFailed;
}
