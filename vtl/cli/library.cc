// vtl library show, move, rebuild.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "vtl/cli/command.h"
#include "vtl/cli/table.h"
#include "vtl/daemon/rebuild.h"

namespace vtl::cli {
namespace {

std::string text_or(const json& value, const char* otherwise) {
  return value.is_string() ? value.get<std::string>() : otherwise;
}

std::string drive_note(const json& drive) {
  if (!drive.contains("loaded")) return {};  // no server runs
  std::string note = drive["loaded"] ? fmt::format("loaded, at object {} (file {})",
                                                   drive["position"].get<std::uint64_t>(),
                                                   drive["file"].get<std::uint64_t>())
                                     : "not loaded";
  if (drive["prevented"]) note += ", removal prevented";
  if (drive["append_failed"]) note += ", WRITE FAILED: unload and load it again";
  return note;
}

void print_library(const json& library, bool all) {
  std::cout << fmt::format("{}: {} (serial {}), target {}\n\n", library["name"].get<std::string>(),
                           library["profile"].get<std::string>(),
                           library["serial"].get<std::string>(),
                           library["target"].get<std::string>());
  Table drives({{"DRIVE", {}},
                {"ADDRESS", Table::Align::kRight},
                {"MODEL", {}},
                {"SERIAL", {}},
                {"CARTRIDGE", {}},
                {"STATE", {}}});
  Table places({{"ELEMENT", {}}, {"ADDRESS", Table::Align::kRight}, {"CARTRIDGE", {}}});
  std::size_t empty_slots = 0;
  std::size_t empty_doors = 0;
  for (const json& element : library["elements"]) {
    const std::string name = element["name"];
    const std::string address = element["address"].dump();
    const std::string barcode = text_or(element["barcode"], "-");
    if (element.contains("drive")) {
      const json& drive = element["drive"];
      drives.add({name, address, fmt::format("LTO-{}", drive["generation"].get<int>()),
                  drive["serial"], barcode, drive_note(drive)});
    } else if (element["type"] != "transport") {
      if (!all && element["barcode"].is_null()) {
        ++(element["type"] == "storage" ? empty_slots : empty_doors);
      } else {
        places.add({name, address, barcode});
      }
    }
  }
  drives.print(std::cout);
  std::cout << '\n';
  if (!places.empty()) places.print(std::cout);
  if (empty_slots + empty_doors > 0) {
    std::cout << fmt::format(
        "and {} empty slots, {} empty import/export slots (--all shows them)\n", empty_slots,
        empty_doors);
  }
}

}  // namespace

void add_library(CLI::App& app, Result& result) {
  CLI::App* group = app.add_subcommand("library", "The library: its drives, slots, and moves");
  group->require_subcommand(1);

  struct Show {
    std::string data;
    bool as_json = false;
    bool all = false;
  };
  auto show = std::make_shared<Show>();
  CLI::App* show_command =
      group->add_subcommand("show", "Show drives and slots and what is in them");
  add_data_option(*show_command, show->data);
  add_json_option(*show_command, show->as_json);
  show_command->add_flag("--all", show->all, "Show empty slots too");
  show_command->callback([show, &result] {
    Client client(show->data);
    if (client.ok()) {
      if (const auto library = client.call("GET", "/v1/library")) {
        show->as_json ? print_json(*library) : print_library(*library, show->all);
      }
    }
    result.code = client.code();
  });

  struct Move {
    std::string data, source, destination;
    bool as_json = false;
  };
  auto move = std::make_shared<Move>();
  CLI::App* move_command = group->add_subcommand("move", "Move a cartridge");
  add_data_option(*move_command, move->data);
  add_json_option(*move_command, move->as_json);
  move_command
      ->add_option("source", move->source,
                   "A barcode, or an element: its name (slot-3, ie-1, drive-2) or address")
      ->required();
  move_command
      ->add_option("destination", move->destination,
                   "An element; or \"outside\", for a cartridge in an import/export slot")
      ->required();
  move_command->callback([move, &result] {
    Client client(move->data);
    if (client.ok()) {
      const auto moved = client.call(
          "POST", "/v1/moves", {{"source", move->source}, {"destination", move->destination}});
      if (moved && move->as_json) print_json(*moved);
      if (moved && !move->as_json) {
        const json& place = (*moved)["place"];
        std::cout << fmt::format("{} is {}\n", (*moved)["barcode"].get<std::string>(),
                                 place.is_null()
                                     ? "outside of the library now"
                                     : "in " + place["name"].get<std::string>() + " now");
      }
    }
    result.code = client.code();
  });

  struct Rebuild {
    std::string data;
    bool force = false;
  };
  auto rebuild = std::make_shared<Rebuild>();
  CLI::App* rebuild_command = group->add_subcommand(
      "rebuild", "Make a new journal from the cartridges' labels, when the old one is damaged");
  add_data_option(*rebuild_command, rebuild->data);
  rebuild_command->add_flag("--force", rebuild->force, "Even if the journal is in order");
  rebuild_command->callback([rebuild, &result] {
    result.code = report(daemon::rebuild_library(
        rebuild->data, rebuild->force, [](std::string_view line) { std::cout << line << '\n'; }));
  });
}

}  // namespace vtl::cli
