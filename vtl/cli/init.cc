// vtl init, vtl serve, vtl config.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iostream>
#include <memory>

#include "scsi/ssc/drive_family.h"
#include "vtl/cli/command.h"
#include "vtl/config/applications.h"
#include "vtl/config/config.h"
#include "vtl/daemon/init.h"
#include "vtl/daemon/server.h"

namespace vtl::cli {
namespace {

// 0: auto.
std::optional<std::uint32_t> parse_threads(const std::string& text) {
  if (text == "auto") return 0;
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || after != end || number == 0) return std::nullopt;
  return number;
}

// "HP Ultrium 6-SCSI", each kind once.
std::string drive_names(const config::LibraryConfig& library) {
  std::vector<std::string> names;
  for (const config::Drive& drive : library.drives) {
    const auto& model = scsi::ssc::find_drive_family(drive.family)->model(drive.generation);
    const std::string name = fmt::format("{} {}", model.vendor, model.product);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

void print_made(const daemon::InitOptions& options, const daemon::InitOutcome& outcome) {
  const config::Config& config = outcome.config;
  const config::LibraryConfig& library = config.library;
  if (const auto* application = config::find_application(options.library.application)) {
    std::cout << fmt::format("Chosen for {}:\n", application->title);
    for (const std::string& reason : outcome.reasons) std::cout << "  " << reason << '\n';
  }
  std::cout << fmt::format(
      "Made {}: profile {}, {} drives ({}), {} slots, {} import/export slots, {} cartridges.\n"
      "Configuration: {}\n"
      "Start it with: vtl serve --data {}\n",
      options.data_directory, library.profile, library.drives.size(), drive_names(library),
      library.slots, library.ie_slots, options.cartridges,
      daemon::config_path(options.data_directory), options.data_directory);
}

}  // namespace

void add_init(CLI::App& app, Result& result) {
  auto options = std::make_shared<daemon::InitOptions>();
  auto capacity = std::make_shared<std::string>();
  auto generation = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("init", "Make a new library with cartridges in its slots");
  add_data_option(*command, options->data_directory);
  command
      ->add_option("--for", options->library.application,
                   fmt::format("Choose what suits an application, and say why: {}",
                               config::application_names()))
      ->type_name("APPLICATION");
  command->add_option("--profile", options->library.profile,
                      "The library's model, one that \"vtl profile list\" shows (default: the "
                      "application's, or stk-l700)");
  command
      ->add_option("--generation", *generation,
                   "LTO generation of drives and cartridges, or drives of several: 9x4,8x6 "
                   "(default: the application's, or the profile's)")
      ->check([](const std::string& text) {
        const auto groups = config::parse_drive_groups(text);
        const auto* allowed = std::get_if<std::string>(&groups);
        return allowed == nullptr ? std::string()
                                  : fmt::format("found \"{}\", allowed: {}", text, *allowed);
      });
  command->add_option("--identity", options->library.identity,
                      fmt::format("Whose drives they say they are: {} (default: the profile's, "
                                  "which \"vtl profile show\" tells)",
                                  scsi::ssc::drive_family_names()));
  command->add_option("--drives", options->library.drives,
                      "Number of drives (default: 10, or what the real library has at most)");
  command->add_option("--slots", options->library.slots,
                      "Number of slots (default: the profile's)");
  command->add_option("--ie-slots", options->library.ie_slots,
                      "Number of import/export slots (default: the profile's)");
  command->add_option("--cartridges", options->cartridges, "Number of cartridges to make")
      ->capture_default_str();
  command
      ->add_option("--barcode-prefix", options->barcode_prefix,
                   "Barcodes are PREFIX001L8 and so on")
      ->capture_default_str();
  command
      ->add_option(
          "--capacity", *capacity,
          "Capacity of each cartridge, such as 100GB or 512MiB (default: the generation's)")
      ->check(check_capacity)
      ->type_name("SIZE");
  command->callback([options, capacity, generation, &result] {
    if (!capacity->empty()) options->capacity_bytes = size_of(*capacity);
    if (!generation->empty())
      options->library.generation =
          std::get<std::vector<config::DriveGroup>>(config::parse_drive_groups(*generation));
    const daemon::InitOutcome outcome = daemon::init(*options);
    result.code = report(outcome.problems);
    if (result.code == daemon::kExitDone) print_made(*options, outcome);
  });
}

void add_serve(CLI::App& app, Result& result) {
  auto options = std::make_shared<daemon::ServeOptions>();
  auto listen = std::make_shared<std::vector<std::string>>();
  auto threads = std::make_shared<std::string>();
  options->version = kVersion;
  CLI::App* command = app.add_subcommand(
      "serve", "Serve the library over iSCSI, in the foreground, until SIGTERM or SIGINT");
  add_data_option(*command, options->data_directory);
  command
      ->add_option("--listen", *listen,
                   "Listen here instead of where the configuration says; may be repeated")
      ->type_name("ADDR:PORT")
      ->check([](const std::string& text) {
        const auto parsed = config::parse_endpoint(text);
        const auto* error = std::get_if<std::string>(&parsed);
        return error == nullptr ? std::string() : *error;
      });
  command->add_flag("--realistic", options->realistic,
                    "Take the time of real drives to load, unload, rewind, locate and stream");
  command->add_flag("!--no-sandbox", options->sandbox,
                    "Keep all system calls, core dumps and tracing: for strace, debuggers and the "
                    "like");
  command
      ->add_option("--threads", *threads,
                   "Threads that serve the devices, instead of what the configuration says: auto "
                   "(one for each processor), or a number; at most one for each device, and for "
                   "each 32 MiB of storage.buffer_bytes")
      ->check([](const std::string& text) {
        return parse_threads(text) ? std::string()
                                   : "found \"" + text + "\", allowed: auto, or a number from 1";
      })
      ->type_name("N");
  command->callback([options, listen, threads, command, &result] {
    if (command->count("--threads") != 0) options->threads = parse_threads(*threads);
    for (const std::string& text : *listen) {
      options->listen.push_back(std::get<config::Endpoint>(config::parse_endpoint(text)));
    }
    result.code = daemon::serve(*options, std::cout);
  });
}

void add_config(CLI::App& app, Result& result) {
  auto data = std::make_shared<std::string>();
  CLI::App* group = app.add_subcommand("config", "The configuration");
  group->require_subcommand(1);
  CLI::App* check = group->add_subcommand("check", "Check DIR/vtl.yaml and say all that is wrong");
  add_data_option(*check, *data);
  check->callback([data, &result] {
    if (const std::string why = daemon::become_owner(*data); !why.empty()) {
      print_error(why);
      result.code = daemon::kExitFailed;
      return;
    }
    const daemon::CheckedConfig checked = daemon::check_config(*data);
    result.code = report(checked.problems);
    if (checked.config) std::cout << daemon::config_path(*data) << " is right\n";
  });
}

}  // namespace vtl::cli
