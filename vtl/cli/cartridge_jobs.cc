// vtl cartridge import, export, verify, repair.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>
#include <memory>

#include "vtl/cli/cartridge.h"
#include "vtl/cli/table.h"
#include "vtl/interchange/format.h"

namespace vtl::cli {
namespace {

void print_lines(const char* what, const json& lines) {
  for (const json& line : lines)
    std::cout << "  " << what << printable(line.get<std::string>()) << '\n';
}

// What a verify found, or a repair did and left.
void print_checked(const std::string& barcode, const json& details, bool damaged) {
  std::cout << fmt::format("{}: {} blocks ({}), {} filemarks: {}\n", barcode,
                           details["blocks"].get<std::uint64_t>(), short_size(details["bytes"]),
                           details["filemarks"].get<std::uint64_t>(),
                           damaged ? "DAMAGED" : "all good");
  if (details.contains("repaired")) print_lines("repaired: ", details["repaired"]);
  for (const json& one : details["damage"]) {
    std::cout << fmt::format("  lost: partition {}, object {}, {} objects: {}\n",
                             one["partition"].get<int>(), one["first_object"].get<std::uint64_t>(),
                             one["objects"].get<std::uint64_t>(),
                             printable(one["what"].get<std::string>()));
  }
  print_lines("damaged: ", details["repairable"]);
  print_lines("note: ", details["notes"]);
  if (!details["repairable"].empty() && !details.contains("repaired"))
    std::cout << "  `vtl cartridge repair " << barcode << "` makes anew what can be made anew\n";
}

struct Check {
  const char* name;
  const char* help;
  bool all;  // may be asked of all cartridges at once
};

void add_check(CLI::App& group, Result& result, Check check) {
  struct Options {
    std::string data;
    std::vector<std::string> barcodes;
    bool all = false;
    bool as_json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(check.name, check.help);
  add_data_option(*command, options->data);
  add_json_option(*command, options->as_json);
  auto* barcodes = command->add_option("barcode", options->barcodes, "Barcodes");
  if (check.all)
    command->add_flag("--all", options->all, "All cartridges")->excludes(barcodes);
  else
    barcodes->required();
  command->callback([options, check, &result] {
    if (options->barcodes.empty() && !options->all) {
      print_error(fmt::format("{} needs barcodes, or --all", check.name));
      result.code = daemon::kExitUsage;
      return;
    }
    Client client(options->data);
    result.code = client.code();
    if (!client.ok()) return;
    if (options->all) {
      const auto list = client.call("GET", "/v1/cartridges");
      if (list) {
        for (const json& one : (*list)["cartridges"]) options->barcodes.push_back(one["barcode"]);
      }
    }
    json jobs = json::array();
    bool damaged = false;
    for (const std::string& barcode : options->barcodes) {
      if (client.interrupted()) break;
      auto job = client.run_job(fmt::format("{} {}", check.name, barcode),
                                fmt::format("/v1/cartridges/{}/{}", path_part(barcode), check.name),
                                json::object());
      if (!job) continue;
      damaged = damaged || (*job)["damaged"];
      if (!options->as_json) print_checked(barcode, (*job)["details"], (*job)["damaged"]);
      jobs.push_back(std::move(*job));
    }
    if (options->as_json) print_json(jobs);
    result.code = damaged ? static_cast<int>(daemon::kExitDamaged) : client.code();
  });
}

std::string format_help(const char* first) {
  std::string text = first;
  for (const interchange::Format* format : interchange::formats()) {
    text += fmt::format("\n  {:<10} {}", format->name(), format->description());
  }
  return text;
}

struct Transfer {
  std::string data, barcode, path, format, variant, block, capacity;
  std::optional<std::uint32_t> generation;
  bool outside = false;
  bool as_json = false;
};

void add_transfer_options(CLI::App& command, Transfer& options) {
  add_data_option(command, options.data);
  add_json_option(command, options.as_json);
  command.add_option("--format", options.format, format_help("Default: by the look of the path"));
  command.add_option("--variant", options.variant, "Variant of the format");
}

void run_transfer(const char* kind, const Transfer& options, json body, Result& result) {
  body["path"] = std::filesystem::absolute(options.path).string();
  if (!options.format.empty()) body["format"] = options.format;
  if (!options.variant.empty()) body["variant"] = options.variant;
  Client client(options.data);
  if (client.ok()) {
    const auto job = client.run_job(
        fmt::format("{} {}", kind, options.barcode),
        fmt::format("/v1/cartridges/{}/{}", path_part(options.barcode), kind), std::move(body));
    if (job && options.as_json) print_json(*job);
    if (job && !options.as_json) {
      const json& details = (*job)["details"];
      std::cout << fmt::format("{}: {} blocks ({}), {} filemarks; format {}\n", options.barcode,
                               details["blocks"].get<std::uint64_t>(), short_size(details["bytes"]),
                               details["filemarks"].get<std::uint64_t>(),
                               details["format"].get<std::string>());
      for (const json& note : details["notes"]) {
        std::cout << "  note: " << printable(note.get<std::string>()) << '\n';
      }
    }
  }
  result.code = client.code();
}

void add_import(CLI::App& group, Result& result) {
  auto options = std::make_shared<Transfer>();
  CLI::App* command = group.add_subcommand(
      "import", "Make a cartridge from a file or directory of a foreign format");
  add_transfer_options(*command, *options);
  command->add_option("barcode", options->barcode, "Barcode of the new cartridge")->required();
  command
      ->add_option("path", options->path,
                   "File or directory to read, with the rights of the data directory's owner")
      ->required();
  command
      ->add_option("--block-size", options->block,
                   "Size of the blocks, where the format does not say it (default 64KiB)")
      ->check(check_block_size)
      ->type_name("SIZE");
  command
      ->add_option("--generation", options->generation,
                   "LTO generation, where the barcode does not say it")
      ->check(CLI::Range(1, 10));
  command
      ->add_option("--capacity", options->capacity,
                   "Capacity, such as 100GB or 512MiB (default: the generation's)")
      ->check(check_capacity)
      ->type_name("SIZE");
  command->add_flag("--outside", options->outside, "Do not put it into a slot");
  command->callback([options, &result] {
    json body = json::object();
    if (!options->block.empty()) body["block_bytes"] = size_of(options->block);
    if (!options->capacity.empty()) body["capacity_bytes"] = size_of(options->capacity);
    if (options->generation) body["generation"] = *options->generation;
    if (options->outside) body["outside"] = true;
    run_transfer("import", *options, std::move(body), result);
  });
}

void add_export(CLI::App& group, Result& result) {
  auto options = std::make_shared<Transfer>();
  CLI::App* command =
      group.add_subcommand("export", "Write what is on a cartridge to a file or directory");
  add_transfer_options(*command, *options);
  command->add_option("barcode", options->barcode, "Barcode")->required();
  command
      ->add_option("path", options->path,
                   "File or directory to make, which must not exist, with the rights of the data "
                   "directory's owner")
      ->required();
  command->callback(
      [options, &result] { run_transfer("export", *options, json::object(), result); });
}

}  // namespace

void add_cartridge_jobs(CLI::App& group, Result& result) {
  add_import(group, result);
  add_export(group, result);
  add_check(group, result,
            {"verify", "Read every block of cartridges and check its checksums", true});
  add_check(
      group, result,
      {"repair",
       "Make anew what damage has left of cartridges - labels, indexes - from their segments;\n"
       "nothing is deleted, and what is lost is told",
       false});
}

}  // namespace vtl::cli
