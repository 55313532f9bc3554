// vtl library: show and alerts (library_show.cc), move, rebuild.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "vtl/cli/library.h"
#include "vtl/daemon/rebuild.h"

namespace vtl::cli {
void add_library(CLI::App& app, Result& result) {
  CLI::App* group = app.add_subcommand("library", "The library: its drives, slots, and moves");
  group->require_subcommand(1);

  add_library_show(*group, result);
  add_library_alerts(*group, result);

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
        if (moved->contains("problem"))
          print_warning("the drive cannot use it: " + (*moved)["problem"].get<std::string>());
      }
    }
    result.code = client.code();
  });

  struct Grow {
    std::string data;
    std::optional<std::uint32_t> slots, ie_slots, drives, generation;
  };
  auto grow = std::make_shared<Grow>();
  CLI::App* grow_command = group->add_subcommand(
      "grow", "Have more slots and drives, also while hosts are logged in: they are told");
  add_data_option(*grow_command, grow->data);
  grow_command->add_option("--slots", grow->slots, "How many there are then");
  grow_command->add_option("--ie-slots", grow->ie_slots, "How many import/export slots");
  grow_command->add_option("--drives", grow->drives,
                           "How many drives; each new one is a target of its own");
  grow_command->add_option(
      "--generation", grow->generation,
      "LTO generation of the new drives, 5 to 9; without: that of the last one");
  grow_command->callback([grow, &result] {
    json body = json::object();
    if (grow->slots) body["slots"] = *grow->slots;
    if (grow->ie_slots) body["ie_slots"] = *grow->ie_slots;
    if (grow->drives) body["drives"] = *grow->drives;
    if (grow->generation) body["generation"] = *grow->generation;
    Client client(grow->data);
    if (client.ok()) {
      if (const auto sizes = client.call("PATCH", "/v1/library", std::move(body))) {
        std::cout << fmt::format(
            "{} slots, {} import/export slots, {} drives\n", (*sizes)["slots"].get<std::uint32_t>(),
            (*sizes)["ie_slots"].get<std::uint32_t>(), (*sizes)["drives"].get<std::uint32_t>());
        for (const json& drive : (*sizes)["added_drives"])
          std::cout << fmt::format("drive-{}  LTO-{}  {}  {}\n", drive["number"].get<std::size_t>(),
                                   drive["generation"].get<int>(),
                                   drive["target"].get<std::string>(),
                                   drive["serial"].get<std::string>());
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
