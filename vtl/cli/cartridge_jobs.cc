// vtl cartridge import, export, verify.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "vtl/cli/cartridge.h"
#include "vtl/cli/table.h"

namespace vtl::cli {
namespace {

void print_verified(const std::string& barcode, const json& details) {
  std::cout << fmt::format("{}: {} blocks ({}), {} filemarks: {}\n", barcode,
                           details["blocks"].get<std::uint64_t>(), short_size(details["bytes"]),
                           details["filemarks"].get<std::uint64_t>(),
                           details["damage"].empty() ? "all good" : "DAMAGED");
  for (const json& one : details["damage"]) {
    std::cout << fmt::format("  partition {}, object {}, {} objects: {}\n",
                             one["partition"].get<int>(), one["first_object"].get<std::uint64_t>(),
                             one["objects"].get<std::uint64_t>(),
                             printable(one["what"].get<std::string>()));
  }
  for (const json& note : details["notes"]) {
    std::cout << "  note: " << printable(note.get<std::string>()) << '\n';
  }
}

void add_verify(CLI::App& group, Result& result) {
  struct Options {
    std::string data;
    std::vector<std::string> barcodes;
    bool all = false;
    bool as_json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      group.add_subcommand("verify", "Read every block of cartridges and check every checksum");
  add_data_option(*command, options->data);
  add_json_option(*command, options->as_json);
  auto* barcodes = command->add_option("barcode", options->barcodes, "Barcodes");
  command->add_flag("--all", options->all, "All cartridges")->excludes(barcodes);
  command->callback([options, &result] {
    if (options->barcodes.empty() && !options->all) {
      print_error("verify needs barcodes, or --all");
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
      const auto job = client.run_job(
          "verify " + barcode, "/v1/cartridges/" + path_part(barcode) + "/verify", json::object());
      if (!job) continue;
      damaged = damaged || (*job)["damaged"];
      if (!options->as_json) print_verified(barcode, (*job)["details"]);
      jobs.push_back(std::move(*job));
    }
    if (options->as_json) print_json(jobs);
    result.code = damaged ? static_cast<int>(daemon::kExitDamaged) : client.code();
  });
}

}  // namespace

void add_cartridge_jobs(CLI::App& group, Result& result) { add_verify(group, result); }

}  // namespace vtl::cli
