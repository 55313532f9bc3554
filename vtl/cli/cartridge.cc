// vtl cartridge create, list, show, delete, protect, unprotect.
#include "vtl/cli/cartridge.h"

#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "vtl/cli/table.h"

namespace vtl::cli {
namespace {

std::string place_of(const json& cartridge) {
  const json& place = cartridge["place"];
  return place.is_null() ? "outside" : place["name"].get<std::string>();
}

std::string notes_of(const json& cartridge) {
  std::string notes;
  const auto add = [&](const std::string& note) { notes += (notes.empty() ? "" : ", ") + note; };
  if (cartridge["worm"]) add("WORM");
  if (cartridge.contains("cleanings_left"))
    add(fmt::format("{} uses left", cartridge["cleanings_left"].get<int>()));
  if (cartridge.value("write_protected", false)) add("write-protected");
  if (cartridge.value("label_damaged", false)) add("LABEL DAMAGED");
  if (cartridge.contains("error")) add("CANNOT BE READ: " + cartridge["error"].get<std::string>());
  return notes;
}

// When it was last read from end to end, and what was found.
std::string scrub_of(const json& cartridge) {
  const json& scrub = cartridge["scrub"];
  if (scrub.is_null()) return "never";
  const auto date = scrub["at"].get<std::string>().substr(0, 10);
  if (!scrub["damage"].empty()) return date + " DAMAGED";
  return scrub["error"].is_null() ? date : date + " failed";
}

// What a damaged label cannot tell is null.
std::string size_text(const json& value) {
  return value.is_null() ? "unknown" : short_size(value.get<std::uint64_t>());
}
std::string count_text(const json& value) { return value.is_null() ? "unknown" : value.dump(); }
std::string size_or_dash(const json& cartridge, const char* name) {
  return cartridge.contains(name) ? size_text(cartridge[name]) : "-";
}

void print_list(const json& cartridges) {
  Table table({{"BARCODE", {}},
               {"TYPE", {}},
               {"PLACE", {}},
               {"CAPACITY", Table::Align::kRight},
               {"USED", Table::Align::kRight},
               {"LOADS", Table::Align::kRight},
               {"SCRUBBED", {}},
               {"NOTES", {}}});
  for (const json& one : cartridges) {
    table.add({one["barcode"], one["generation_name"], place_of(one),
               size_or_dash(one, "capacity_bytes"), size_or_dash(one, "used_bytes"),
               one.contains("load_count") ? count_text(one["load_count"]) : "-", scrub_of(one),
               notes_of(one)});
  }
  table.print(std::cout);
}

void print_one(const json& cartridge) {
  const auto line = [](const char* name, const std::string& value) {
    std::cout << fmt::format("{:<16}{}\n", name, printable(value));
  };
  const auto exact = [&](const char* name) {
    if (cartridge[name].is_null()) return size_text(cartridge[name]);
    const auto bytes = cartridge[name].get<std::uint64_t>();
    return fmt::format("{} ({} bytes)", short_size(bytes), bytes);
  };
  line("Barcode", cartridge["barcode"]);
  line("Type", cartridge["generation_name"]);
  line("Place", place_of(cartridge));
  if (const std::string notes = notes_of(cartridge); !notes.empty()) line("Notes", notes);
  if (const json& scrub = cartridge["scrub"]; scrub.is_null()) {
    line("Scrubbed", "never");
  } else {
    std::string found = "all good";
    if (!scrub["error"].is_null()) found = scrub["error"];
    if (!scrub["damage"].empty()) found = "DAMAGED";
    line("Scrubbed", fmt::format("{}, {}: {}", scrub["at"].get<std::string>(),
                                 short_size(scrub["bytes"]), found));
    for (const json& one : scrub["damage"])
      line("", fmt::format("partition {}, object {}, {} objects: {}", one["partition"].get<int>(),
                           one["first_object"].get<std::uint64_t>(),
                           one["objects"].get<std::uint64_t>(), one["what"].get<std::string>()));
  }
  if (!cartridge.contains("serial")) return;
  line("Serial", cartridge["serial"]);
  const bool holds_data = !cartridge["cleaning"];
  if (holds_data) {
    line("Capacity", exact("capacity_bytes"));
    line("Used", exact("used_bytes"));
  }
  std::size_t number = 0;
  for (const json& partition : cartridge.value("partitions", json::array())) {
    line(fmt::format("Partition {}", number++).c_str(),
         fmt::format("{} objects, of them {} filemarks; {} of {}", count_text(partition["objects"]),
                     count_text(partition["filemarks"]), size_text(partition["used_bytes"]),
                     short_size(partition["capacity_bytes"])));
  }
  if (cartridge["label_damaged"]) {
    line("", fmt::format("its label is damaged: what is on it is unknown until `vtl cartridge "
                         "repair {}` has made a new one from the segments",
                         cartridge["barcode"].get<std::string>()));
  } else if (!cartridge["clean"]) {
    line("", "in use, or not unloaded in order: the figures are those of the last good unload");
  }
  if (cartridge["write_protected"]) line("Protected", cartridge["write_protect_reason"]);
  line("Loads", count_text(cartridge["load_count"]));
  if (holds_data) {
    line("Written, ever", size_text(cartridge["bytes_written_life"]));
    line("Read, ever", size_text(cartridge["bytes_read_life"]));
  }
  const auto made = cartridge["created"].get<std::string>();
  line("Made", made.empty() ? "unknown" : made);
  line("Directory", cartridge["directory"]);
}

void add_create(CLI::App& group, Result& result) {
  struct Options {
    std::string data, barcode, prefix, capacity, where;
    std::optional<std::uint32_t> count, generation;
    bool worm = false, unlabelled = false;
    bool as_json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand("create", "Make blank cartridges");
  add_data_option(*command, options->data);
  add_json_option(*command, options->as_json);
  auto* barcode = command->add_option(
      "barcode", options->barcode,
      "Barcode of the new cartridge, such as ABC123L8; its end says the LTO generation");
  auto* prefix = command->add_option("--prefix", options->prefix,
                                     "Number new barcodes: PREFIX001L8 and so on");
  prefix->excludes(barcode);
  command
      ->add_flag("--unlabelled", options->unlabelled,
                 "Without a barcode: hosts see a cartridge and no label; it is called unlabelled-1 "
                 "and so on")
      ->excludes(barcode)
      ->excludes(prefix);
  command->add_option("--count", options->count,
                      "How many, with --prefix or --unlabelled: 1 to 10000 (default 1)");
  command->add_flag("--worm", options->worm, "Write once, with --prefix")->needs(prefix);
  command
      ->add_option("--generation", options->generation,
                   "LTO generation, where the barcode does not say it (default: the drives')")
      ->check(CLI::Range(1, 10));
  command
      ->add_option("--capacity", options->capacity,
                   "Capacity of each, such as 100GB or 512MiB (default: the generation's)")
      ->check(check_capacity)
      ->type_name("SIZE");
  command->add_option("--where", options->where, "Where it is put (default: the first empty slot)")
      ->check(CLI::IsMember({"slot", "import-export", "outside"}));
  command->callback([options, &result] {
    json body = json::object();
    if (!options->barcode.empty()) body["barcode"] = options->barcode;
    if (!options->prefix.empty()) body["prefix"] = options->prefix;
    if (options->count) body["count"] = *options->count;
    if (options->generation) body["generation"] = *options->generation;
    if (options->worm) body["worm"] = true;
    if (options->unlabelled) body["unlabelled"] = true;
    if (!options->capacity.empty()) body["capacity_bytes"] = size_of(options->capacity);
    if (!options->where.empty()) body["where"] = options->where;
    Client client(options->data);
    if (client.ok()) {
      if (const auto made = client.call("POST", "/v1/cartridges", std::move(body))) {
        if (options->as_json) {
          print_json(*made);
        } else {
          for (const json& one : (*made)["created"]) {
            std::cout << "made " << one.get<std::string>() << '\n';
          }
        }
      }
    }
    result.code = client.code();
  });
}

void add_list_and_show(CLI::App& group, Result& result) {
  struct Options {
    std::string data, barcode;
    bool as_json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* list = group.add_subcommand("list", "List all cartridges");
  add_data_option(*list, options->data);
  add_json_option(*list, options->as_json);
  list->callback([options, &result] {
    Client client(options->data);
    if (client.ok()) {
      if (const auto body = client.call("GET", "/v1/cartridges")) {
        options->as_json ? print_json(*body) : print_list((*body)["cartridges"]);
      }
    }
    result.code = client.code();
  });

  auto one = std::make_shared<Options>();
  CLI::App* show = group.add_subcommand("show", "Show one cartridge");
  add_data_option(*show, one->data);
  add_json_option(*show, one->as_json);
  show->add_option("barcode", one->barcode, "Barcode")->required();
  show->callback([one, &result] {
    Client client(one->data);
    if (client.ok()) {
      if (const auto body = client.call("GET", "/v1/cartridges/" + path_part(one->barcode))) {
        one->as_json ? print_json(*body) : print_one(*body);
      }
    }
    result.code = client.code();
  });
}

// For each barcode named: a request, and a line that says it is done.
struct Each {
  const char* name;
  const char* help;
  const char* method;
  json body;
  const char* past;  // "VTL001L8 deleted"
};

void add_each(CLI::App& group, Result& result, Each each) {
  struct Options {
    std::string data;
    std::vector<std::string> barcodes;
    bool as_json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(each.name, each.help);
  add_data_option(*command, options->data);
  add_json_option(*command, options->as_json);
  command->add_option("barcode", options->barcodes, "Barcodes")->required();
  command->callback([options, each, &result] {
    Client client(options->data);
    if (client.ok()) {
      json done = json::array();
      for (const std::string& barcode : options->barcodes) {
        const auto body =
            client.call(each.method, "/v1/cartridges/" + path_part(barcode), each.body);
        if (!body) continue;
        done.push_back(*body);
        if (!options->as_json) std::cout << barcode << ' ' << each.past << '\n';
      }
      if (options->as_json) print_json(done);
    }
    result.code = client.code();
  });
}

}  // namespace

void add_cartridge(CLI::App& app, Result& result) {
  CLI::App* group = app.add_subcommand("cartridge", "Cartridges: make, look at, copy in and out");
  group->require_subcommand(1);
  add_create(*group, result);
  add_list_and_show(*group, result);
  add_cartridge_jobs(*group, result);
  add_each(*group, result,
           {"delete", "Delete cartridges and what is on them, for ever", "DELETE", json::object(),
            "deleted"});
  add_each(*group, result,
           {"protect",
            "Set the write-protect switch of cartridges",
            "PATCH",
            {{"write_protected", true}},
            "write-protected"});
  add_each(*group, result,
           {"unprotect",
            "Release the write-protect switch of cartridges",
            "PATCH",
            {{"write_protected", false}},
            "writable"});
}

}  // namespace vtl::cli
